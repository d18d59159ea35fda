#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A domain of libvirt's, as guests.rst has it, with the hook: libvirt's daemon starts
# and stops it, and is started again itself; the key is taken away and comes back;
# the domain is saved and restored, and doesn't start without its key. What libvirt
# writes is in memory and gone afterwards.

. "$(dirname "$0")/lib.sh"
. "$DMSSE_DIR/deslib.bash"
. "$DMSSE_DIR/examples.bash"
. "$DMSSE_DIR/guest.bash"
need_qemu
need_hook
need_cmd libvirtd virsh xmllint
boot_sector guest

for dir in /etc/libvirt /var/lib/libvirt /var/cache/libvirt /var/log/libvirt /run/libvirt; do
	mkdir -p "$dir"
	mount -t tmpfs -o mode=755 dm-sse-selftest "$dir" || skip_all "no tmpfs over $dir"
	at_exit "umount $dir"
done

### libvirt's daemon, without a host around it

# It hands the hook little of its environment.
mkdir "$WORK/bin"
printf '#!/bin/sh\nexport DM_DISABLE_UDEV=%s\nexec %q "$@"\n' "${DM_DISABLE_UDEV:-}" "$SSESETUP" \
	>"$WORK/bin/ssesetup"
chmod 755 "$WORK/bin/ssesetup"
mkdir -p /etc/libvirt/hooks/qemu.d
cp "$HOOK" /etc/libvirt/hooks/qemu.d/dm-sse
cat >/etc/libvirt/qemu.conf <<-CONF
	user = "root"
	group = "root"
	security_driver = "none"
	stdio_handler = "file"
	namespaces = []
	cgroup_controllers = []
	remember_owner = 0
CONF

daemon_answers() {
	virsh -q -c qemu:///system list >/dev/null 2>&1
}

daemon() {
	: >"$WORK/libvirtd.conf"
	PATH=$WORK/bin:$PATH libvirtd -f "$WORK/libvirtd.conf" -p "$WORK/libvirtd.pid" \
		>"$WORK/libvirtd.log" 2>&1 &
	DAEMON=$!
	wait_for "$PATIENCE" daemon_answers || { tail -n 20 "$WORK/libvirtd.log"; return 1; }
}

stop_daemon() {
	kill "$DAEMON" 2>/dev/null
	wait "$DAEMON" 2>/dev/null
	return 0
}

stop_all() {
	[ "$(domstate)" = "shut off" ] || virsh -q -c qemu:///system destroy vm1
	stop_daemon
}

virsh_right() {
	check "virsh $1" virsh -q -c qemu:///system "$@"
}

domstate() {
	virsh -q -c qemu:///system domstate vm1 "$@" 2>/dev/null | head -n 1
}

domstate_is() {
	[ "$(domstate --reason)" = "$1" ]
}

is_open() {
	"$SSESETUP" status vm1 >/dev/null
}

### A disk and a domain

[ ! -e /dev/vg ] || skip_all "there is a volume group vg"
[ ! -e /dev/mapper/vm1 ] || skip_all "there is a mapping vm1"
make_disk DISK 32
mkdir /dev/vg
at_exit "rm -r /dev/vg"
ln -s "$DISK" /dev/vg/vm1
at_exit "! is_open || \"\$SSESETUP\" close vm1 || dm_remove vm1"
at_exit "stop_all"
pem tenant
right "a set" des create tenant --type customer --key "file:$KEYS/tenant.pem" --lease 1h --kek-timeout 120
right "its disk" format -q /dev/vg/vm1 --des tenant
right "open" open /dev/vg/vm1 vm1
check "a boot sector" put_boot_sector guest /dev/mapper/vm1
right "close" close vm1

# A BIOS, little memory, a port to speak by, and no metadata yet.
: >"$WORK/vm1.log"
example domain "$GUESTS_RST" | sed -e '/<metadata>/,/<.metadata>/d' \
	-e "s/logical_block_size='4096'/logical_block_size='512'/" -e 's/>1024</>16</' \
	-e "s|^<domain .*|<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>|" \
	-e "s|^</domain>|<qemu:commandline><qemu:arg value='-chardev'/><qemu:arg value='file,id=guestlog,append=on,path=$WORK/vm1.log'/><qemu:arg value='-device'/><qemu:arg value='isa-debugcon,chardev=guestlog,iobase=0xe9'/></qemu:commandline></domain>|" \
	>"$WORK/domain.xml"
check "libvirt's daemon starts" daemon || bail "no daemon"
virsh_right define "$WORK/domain.xml"
refute "without metadata nobody opens the disk" virsh -q -c qemu:///system start vm1
METADATA=$(sed -n "s/^ *--set '\(<disks>.*\)'$/\1/p" "$GUESTS_RST")
virsh_right metadata vm1 urn:dm-sse:disks --config --key sse --set "$METADATA"

### It starts, loses its key, and goes on

virsh_right start vm1
check "the hook has opened its disk" is_open
check "the guest writes and reads" goes_on vm1 40
right "the set is disabled" des disable tenant --now -q
check "the domain is paused" wait_for "$PATIENCE" domstate_is "paused (I/O error)"
stop_daemon
check "libvirt's daemon is started again" daemon
check "the domain is still there" domstate_is "paused (I/O error)"
check "and its disk" is_open
right "the set is enabled" des enable tenant
check "the disk is back" wait_for "$PATIENCE" state_is vm1 active
virsh_right resume vm1
check "the guest goes on" goes_on vm1 40
check "and has seen no error" content vm1

### Saved, restored, gone

virsh_right managedsave vm1
refute "saved, its disk is closed" is_open
virsh_right start vm1
check "restored, it is open" is_open
check "the guest goes on" goes_on vm1 40
check "and has seen no error" content vm1
virsh_right destroy vm1
refute "its disk is closed" is_open
right "open" open /dev/vg/vm1 vm1
check "the disk has all that it wrote" all_there vm1 /dev/mapper/vm1
right "close" close vm1

right "the set is disabled" des disable tenant -q
refute "the domain doesn't start" virsh -q -c qemu:///system start vm1
like "and libvirt says why" "$(virsh -q -c qemu:///system start vm1 2>&1)" \
	"is disabled.*dm-sse: domain vm1: disk vm1 isn't opened"
is "it is off" "$(domstate)" "shut off"
refute "its disk is closed" is_open

done_testing
