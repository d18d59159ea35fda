#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The hook for libvirt, called as libvirt does: with its arguments, an environment
# with little in it, and the XML of the domain in guests.rst or of others on
# standard input. No domain is started; QEMU's part is a program that has the disk
# open.

. "$(dirname "$0")/lib.sh"
. "$DMSSE_DIR/deslib.bash"
. "$DMSSE_DIR/examples.bash"
. "$DMSSE_DIR/guest.bash"
need_guests_rst
need_cmd xmllint
need_hook
[ ! -e /dev/vg ] || skip_all "there is a volume group vg"
[ ! -e /dev/mapper/vm1 ] || skip_all "there is a mapping vm1"

UUID=1c2b7a8e-52f0-4f0e-9b0e-3f1f4dd0c001
NOTE=/run/dm-sse/libvirt/$UUID
SAID=

# OPERATION SUB-OPERATION [EXTRA]: sets RC, SAID (standard error) and OUTPUT.
hook() {
	OUTPUT=$(env -i PATH=/usr/bin:/bin LC_ALL=C "SSESETUP=$SSESETUP" DM_DISABLE_UDEV="${DM_DISABLE_UDEV:-}" \
		"$HOOK" vm1 "$1" "$2" "${3:--}" <"$XML" 2>"$WORK/said")
	RC=$?
	SAID=$(cat "$WORK/said")
}

hook_right() {
	local desc=$1

	shift
	hook "$@"
	if [ "$RC$OUTPUT" = 0 ]; then
		ok "$desc"
	else
		fail "$desc" "exit code $RC: $OUTPUT: $SAID"
	fi
}

# ERE: the domain doesn't start, for this reason.
refused() {
	hook prepare begin
	is "refused" "$RC" 1
	like "... with a reason" "$SAID" "dm-sse: domain vm1: .*$1"
	is "... and nothing else" "$OUTPUT" ""
	refute "... nothing is noted" test -e "$NOTE"
}

is_open() {
	"$SSESETUP" status "$1" >/dev/null
}

# FILE SED: the domain of guests.rst, changed.
domain() {
	example domain "$GUESTS_RST" | sed -E "$1" >"$WORK/domain.xml"
	XML=$WORK/domain.xml
}

close_vms() {
	local name

	for name in vm1 vm2; do
		! is_open $name || "$SSESETUP" close $name || dm_remove $name
	done
}
at_exit close_vms

### Disks

make_disk DISK 16
make_disk OTHER 16
mkdir /dev/vg
at_exit "rm -r /dev/vg"
ln -s "$DISK" /dev/vg/vm1
ln -s "$OTHER" /dev/vg/vm2
pem tenant
right "a set" des create tenant --type customer --key "file:$KEYS/tenant.pem" --lease 1h --kek-timeout 120
right "its disk" format -q /dev/vg/vm1 --des tenant
truncate -s 16M "$WORK/vm1.img"
right "another disk with its header elsewhere" format -q /dev/vg/vm2 --des tenant --header "$WORK/vm2.hdr"

schema=/usr/share/libvirt/schemas/domain.rng
domain ''
if [ -e $schema ]; then
	check "libvirt knows what the domain says" xmllint --noout --relaxng $schema "$XML"
else
	skip "libvirt knows what the domain says" "libvirt0 is not installed"
fi

### Start and stop

hook_right "prepare" prepare begin
check "opens the disk" is_open vm1
like "with discards" "$(dmsetup table vm1)" allow_discards
is "and notes it, for root alone" "$(cat $NOTE) $(stat -c %a $NOTE) $(stat -c %a ${NOTE%/*})" "vm1 600 700"
hook_right "start" start begin
hook_right "started" started begin
hook_right "libvirt's daemon was started again" reconnect begin
hook_right "stopped" stopped end
check "it is still open" is_open vm1
exec {busy}<>/dev/mapper/vm1
hook release end shutdown
is "release, while somebody has it open" "$RC" 1
like "... says so" "$SAID" "domain vm1: disk vm1 stays open: .*in use"
is "... and keeps it in mind" "$(cat $NOTE)" vm1
exec {busy}>&-
hook_right "the domain's next run" prepare begin
hook_right "... ends" release end shutdown
refute "... and so does the disk" is_open vm1
refute "... with the note" test -e $NOTE
hook_right "release again" release end destroyed
hook_right "prepare" prepare begin
hook_right "QEMU has crashed" release end crashed
refute "the disk is closed" is_open vm1

domain 's/ discard=.unmap.//; s|(<source dev=.*)|\1<readonly/>|'
hook_right "a domain that doesn't discard or write" prepare begin
unlike "no discards" "$(dmsetup table vm1)" allow_discards
check "read-only" test "$(blockdev --getro /dev/mapper/vm1)" = 1
hook_right "release" release end shutdown

# A path that a shell would take for several, and run.
ODD="/dev/vg/a b'\$(reboot)\\c"
ln -s "$DISK" "$ODD"
domain "s#device=\"/dev/vg/vm1\"#device=\"${ODD//\\/\\\\}\"#"
hook_right "a device with an odd path" prepare begin
check "its disk is open" is_open vm1
hook_right "prepared again" prepare begin
hook_right "release" release end shutdown
rm "$ODD"
refused "disk vm1 isn't opened"

# What virsh metadata makes of the command in guests.rst, and a second disk.
TWO='s|<sse:disk name.*|<disk name="vm1" device="/dev/vg/vm1"/><disk name="vm2" device="/dev/vg/vm2" header="'$WORK'/vm2.hdr"/>|
	s|</devices>|<disk type="block" device="disk"><source dev="/dev/mapper/vm2"/><target dev="vdb"/></disk></devices>|'
domain "$TWO"
hook_right "two disks" prepare begin
check "one is open" is_open vm1
check "and the other" is_open vm2
domain ''
hook_right "release: one has left the domain meanwhile" release end shutdown
refute "one is closed" is_open vm1
refute "and the other" is_open vm2

# A cache: of a device that has something else not without a word.
make_disk SSD 24
domain "s|device=\"/dev/vg/vm1\"|& cache=\"$SSD,writecache\"|"
mkfs.ext4 -q "$SSD"
refused "disk vm1 isn't opened"
right "by hand, once" open -q /dev/vg/vm1 vm1 --cache "$SSD,writecache"
right "... and closed" close vm1
hook_right "a domain whose disk has a cache" prepare begin
like "it is open with that" "$("$SSESETUP" status vm1)" "cache mode: +writecache"
hook_right "release" release end shutdown
is "neither is left" "$(dmsetup ls | grep -c vm1)" 0
hook migrate begin
is "it doesn't migrate live" "$RC" 1
like "... for the cache of the other host would be old" "$SAID" "domain vm1: a disk with a cache doesn't migrate live"
domain ''
hook_right "one without a cache does" migrate begin

# A domain that runs: what is wrong by now must not kill it, nor leave its disk open.
domain ''
hook_right "prepare" prepare begin
for change in 's|<sse:disk name|<sse:dsik name|' 's|sse:disks|sse:diks|' 's|</domain>||' 's|<uuid>.*||'; do
	domain "$change"
	hook_right "with other metadata it has started" started begin
	hook_right "... and is there when libvirt's daemon is" reconnect begin
done
domain '/<metadata>/,/<.metadata>/d'
hook_right "release: it has no metadata any more" release end shutdown
refute "its disk is closed" is_open vm1
domain ''
hook_right "prepare" prepare begin
SSESETUP_SAVED=$SSESETUP SSESETUP=/nonexistent
hook release end shutdown
SSESETUP=$SSESETUP_SAVED
is "release, without ssesetup" "$RC" 1
is "... keeps the disk in mind" "$(cat $NOTE)" vm1
hook_right "release" release end shutdown
refute "... closes it" is_open vm1

### Migration and restore

hook_right "a domain comes from another host: XML stays as it is" migrate begin
refute "nothing is open yet" is_open vm1
hook_right "it is prepared" prepare begin
check "it is open" is_open vm1
hook_right "it has left for another host" release end migrated
refute "it is closed" is_open vm1
hook_right "a domain comes from a file: XML stays as it is" restore begin
refute "nothing is open yet" is_open vm1

### Disks that somebody else has opened

right "open" open /dev/vg/vm1 vm1
hook_right "it is open already" prepare begin
refute "... which isn't noted" test -e $NOTE
hook_right "release" release end shutdown
check "it stays open" is_open vm1
domain 's|device="/dev/vg/vm1"|device="/dev/vg/gone"|'
refused 'vm1 is open, but not with /dev/vg/gone'
domain ''
exec {busy}<>/dev/mapper/vm1
refused 'disk vm1 is in use already'
domain 's|<source dev=.*|&<shareable/>|'
hook_right "it is shared" prepare begin
domain 's|<source dev=.*|&<readonly/>|'
hook_right "it is only read" prepare begin
domain ''
exec {busy}>&-
right "the key is taken away" des disable tenant --now -q
check "... from the disk" wait_for "$PATIENCE" state_is vm1 lapsed
refused 'disk vm1 is open, but has no key'
like "... says what is wrong" "$SAID" 'is disabled'
right "and given back" des enable tenant
right "close" close vm1
right "an image under its name" format -q "$WORK/vm1.img" --des tenant
right "... is open" open "$WORK/vm1.img" vm1
domain "s|device=\"/dev/vg/vm1\"|device=\"$WORK/vm1.img\"|"
hook_right "an image that is open" prepare begin
domain ''
refused 'vm1 is open, but not with /dev/vg/vm1'
right "close" close vm1
right "the other disk under its name" open /dev/vg/vm2 vm1 --header "$WORK/vm2.hdr"
refused 'vm1 is open, but not with /dev/vg/vm1'
domain "s|device=\"/dev/vg/vm1\"|device=\"/dev/vg/vm2\" header=\"$WORK/vm2.hdr\"|"
hook_right "with its header" prepare begin
domain "s|device=\"/dev/vg/vm1\"|device=\"/dev/vg/vm2\" header=\"$WORK/vm1.img\"|"
refused "vm1 is open, but not with $WORK/vm1.img"
domain "s|device=\"/dev/vg/vm1\"|device=\"/dev/vg/vm2\"|"
refused 'vm1 is open, but not with the header on /dev/vg/vm2'
domain ''
right "close" close vm1

### What is refused

right "a set that is disabled" des disable tenant -q
refused 'disk vm1 isn.t opened'
like "... says what is wrong" "$SAID" 'is disabled'
right "... is enabled" des enable tenant

domain "$TWO; s|vm2.hdr|vm3.hdr|"
refused "disk vm2 isn't opened"
refute "... nor does the first one stay open" is_open vm1
domain 's|device="/dev/vg/vm1"|device="/dev/vg/gone"|'
refused "disk vm1 isn't opened"
domain 's|device="/dev/vg/vm1"||'
refused "disk vm1 takes device="
domain 's|device="/dev/vg/vm1"|device="vg/vm1"|'
refused "takes device=.*not 'vg/vm1'"
domain 's|device="/dev/vg/vm1"|& header="vm1.hdr"|'
refused "takes header=.*not 'vm1.hdr'"
domain 's|device="/dev/vg/vm1"|& cache="none"|'
refused "takes cache=.*not 'none'"
domain 's|device="/dev/vg/vm1"|& discards="yes"|'
refused "unknown attribute 'discards'"
# shellcheck disable=SC2016 # a name that a shell would run
for name in '' -q 'a b' '../x' 'vm1&apos;]' '$(reboot)'; do
	domain "s#name=\"vm1\"#name=\"${name/&/\\&}\"#"
	refused "can't be the name of a disk"
done
domain 's|<source dev=.*||'
refused 'none of its disks has the source /dev/mapper/vm1'
domain 's|<sse:disk name|<sse:dsik name|'
refused "unknown element 'dsik'"
domain 's|sse:disks|sse:diks|'
refused "unknown element 'diks'"
domain 's|</domain>||'
refused "its XML can't be read"
domain 's|<uuid>.*||'
refused "its XML has no UUID"
refute "nothing is open" is_open vm1

# A domain that has nothing to do with us needs nothing of ours.
domain '/<metadata>/,/<.metadata>/d'
SSESETUP_SAVED=$SSESETUP SSESETUP=/nonexistent
hook_right "another domain" prepare begin
hook_right "... ends" release end shutdown
SSESETUP=$SSESETUP_SAVED
domain '/<metadata>/,/<.metadata>/s/urn:dm-sse:disks/urn:other/'
hook_right "with metadata of others" prepare begin
refute "nothing is open" is_open vm1

done_testing
