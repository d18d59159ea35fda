# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Network storage for tests, and who looks at it: a file that is exported in a
# network namespace of its own, and is a disk here. It is sourced after lib.sh.
#
#	here              | network namespace dmsse-wire
#	                  |
#	disk -> dmssewire0 ---- dmssewire1 -> nbd-server, or the kernel's NVMe target -> file
#	             |    |
#	         tcpdump
#
#	far_network		the namespace; skip_all if that can't be
#	far_nbd FILE		sets FAR_DISK to what it is here over NBD
#	far_nvme FILE		... over NVMe/TCP
#	far_nvme_grows MIB	by so much, and waits until that is seen here
#	capture NAME		what goes over the wire from now on, to $CAPTURE
#	end_capture		fails if the kernel dropped any of it

FAR_SPACE=dmsse-wire
FAR_NQN=nqn.2024-01.dmsse:wire

far_network() {
	need_cmd ip tcpdump
	need_module veth

	# The first one makes a mount of the directory.
	mountpoint -q /run/netns || at_exit "! mountpoint -q /run/netns || umount /run/netns"
	ip netns add $FAR_SPACE || skip_all "no network namespaces"
	at_exit "ip netns del $FAR_SPACE"
	ip link add dmssewire0 type veth peer name dmssewire1 netns $FAR_SPACE || skip_all "no veth"
	ip addr add 192.0.2.1/24 dev dmssewire0
	ip link set dmssewire0 up
	ip -n $FAR_SPACE addr add 192.0.2.2/24 dev dmssewire1
	ip -n $FAR_SPACE link set dmssewire1 up
	ip -n $FAR_SPACE link set lo up
}

far_nbd() {
	FAR_DISK=/dev/nbd0
	cat >"$WORK/nbd.conf" <<-CONF
		[generic]
		listenaddr = 192.0.2.2
		[disk]
		exportname = $1
		flush = true
		fua = true
	CONF
	ip netns exec $FAR_SPACE nbd-server -C "$WORK/nbd.conf" -p "$WORK/nbd.pid" -d \
		>"$WORK/nbd.log" 2>&1 &
	FAR_SERVER=$!
	at_exit "kill $FAR_SERVER 2>/dev/null; wait $FAR_SERVER 2>/dev/null || :"
	wait_for 60 _nbd_connects || bail "no NBD: $(cat "$WORK/nbd.out" "$WORK/nbd.log")"
	at_exit "nbd-client -d $FAR_DISK >/dev/null 2>&1"
}

_nbd_connects() {
	nbd-client 192.0.2.2 "$FAR_DISK" -N disk >"$WORK/nbd.out" 2>&1 &&
		[ "$(sectors "$FAR_DISK")" -gt 0 ]
}

# The target listens in the namespace of whoever gives its port something to export.
far_nvme() {
	local config=/sys/kernel/config subsystem port

	modprobe -a nvmet-tcp nvme-tcp 2>"$WORK/nvme.out" || bail "no NVMe: $(cat "$WORK/nvme.out")"
	if ! mountpoint -q $config; then
		mount -t configfs none $config || bail "no configfs"
		at_exit "umount $config"
	fi
	subsystem=$config/nvmet/subsystems/$FAR_NQN
	port=$config/nvmet/ports/1
	mkdir "$subsystem" "$subsystem/namespaces/1" "$port" || bail "no NVMe target"
	at_exit "rmdir '$port' '$subsystem/namespaces/1' '$subsystem'"
	echo 1 >"$subsystem/attr_allow_any_host"
	echo -n "$1" >"$subsystem/namespaces/1/device_path"
	echo 1 >"$subsystem/namespaces/1/enable" || bail "no NVMe namespace"
	echo tcp >"$port/addr_trtype"
	echo ipv4 >"$port/addr_adrfam"
	echo 192.0.2.2 >"$port/addr_traddr"
	echo 4420 >"$port/addr_trsvcid"
	# "ip netns exec" has a sysfs of its own, without what is mounted on it.
	nsenter --net=/run/netns/$FAR_SPACE ln -s "$subsystem" "$port/subsystems/$FAR_NQN" ||
		bail "no NVMe port"
	at_exit "rm '$port/subsystems/$FAR_NQN'"
	echo "transport=tcp,traddr=192.0.2.2,trsvcid=4420,nqn=$FAR_NQN" >/dev/nvme-fabrics ||
		bail "no NVMe controller"
	at_exit _nvme_leave
	wait_for 60 _nvme_disk || bail "no NVMe disk"
}

_nvme_controller() {
	grep -lxF "$FAR_NQN" /sys/class/nvme/nvme*/subsysnqn 2>/dev/null | head -n 1
}

_nvme_disk() {
	local file

	FAR_DISK=
	for file in "$(dirname "$(_nvme_controller)")"/nvme*n1; do
		[ ! -d "$file" ] || FAR_DISK=/dev/$(basename "$file" | sed 's/c[0-9]*n/n/')
	done
	[ -b "$FAR_DISK" ] && [ "$(sectors "$FAR_DISK")" -gt 0 ]
}

far_nvme_grows() {
	local namespace=/sys/kernel/config/nvmet/subsystems/$FAR_NQN/namespaces/1 before

	before=$(sectors "$FAR_DISK")
	truncate -s "+${1}M" "$(cat "$namespace/device_path")"
	echo 1 >"$namespace/revalidate_size" || bail "the NVMe target doesn't see that its file has grown"
	wait_for 60 _grown "$before" $(($1 * 2048)) || bail "the NVMe disk doesn't grow"
}

_grown() {
	[ "$(sectors "$FAR_DISK")" = $(($1 + $2)) ]
}

_nvme_leave() {
	local file

	file=$(_nvme_controller)
	[ -z "$file" ] || echo 1 >"${file%/*}/delete_controller"
}

# What comes last in a capture says that the rest is there.
CAPTURER=
# shellcheck disable=SC2016
at_exit '[ -z "$CAPTURER" ] || { kill "$CAPTURER"; wait "$CAPTURER"; }'

capture() {
	CAPTURE=$WORK/capture.$1
	tcpdump -Z root -i dmssewire0 -s 0 -B 32768 -U -w "$CAPTURE" >"$WORK/tcpdump.log" 2>&1 &
	CAPTURER=$!
	wait_for 60 _marked begin || bail "tcpdump captures nothing: $(cat "$WORK/tcpdump.log")"
}

_marked() {
	echo "mark of the $1 $CAPTURE" >/dev/udp/192.0.2.2/9
	grep -qaF "mark of the $1 $CAPTURE" "$CAPTURE" 2>/dev/null
}

end_capture() {
	wait_for 60 _marked end || diag "the capture has no end"
	kill -INT "$CAPTURER"
	wait "$CAPTURER" 2>/dev/null
	CAPTURER=
	like "... all of it was captured" "$(cat "$WORK/tcpdump.log")" '(^|[^0-9])0 packets dropped by kernel'
}
