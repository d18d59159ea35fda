# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Network storage for tests, and who looks at it: a file that nbd-server exports in
# a network namespace of its own, and is a disk here. It is sourced after lib.sh.
#
#	here              | network namespace dmsse-wire
#	                  |
#	nbd0 -> dmssewire0 ---- dmssewire1 -> nbd-server -> file
#	             |    |
#	         tcpdump
#
#	far_disk FILE		connects /dev/nbd0 to it; skip_all if that can't be
#	capture NAME		what goes over the wire from now on, to $CAPTURE
#	end_capture		fails if the kernel dropped any of it

FAR_SPACE=dmsse-wire
FAR_DISK=/dev/nbd0

far_disk() {
	need_cmd ip tcpdump nbd-server nbd-client
	need_module nbd veth

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
	wait_for 60 _far_connect || bail "no NBD: $(cat "$WORK/nbd.out" "$WORK/nbd.log")"
	at_exit "nbd-client -d $FAR_DISK >/dev/null 2>&1"
}

_far_connect() {
	nbd-client 192.0.2.2 $FAR_DISK -N disk >"$WORK/nbd.out" 2>&1 &&
		[ "$(sectors $FAR_DISK)" -gt 0 ]
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
