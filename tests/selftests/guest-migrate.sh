#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A guest moves between two hosts that share its disk, as guests.rst has it, and
# back. The hosts are this one, with two sets of ssesetup's directories; each has
# a connection of its own to the NBD export, and so a block device and a page cache
# of its own. While the disk is open on both its key is rotated on one of them, and
# the leases are renewed on both. Not one of the guest's writes is lost.

. "$(dirname "$0")/lib.sh"
. "$DMSSE_DIR/deslib.bash"
. "$DMSSE_DIR/examples.bash"
. "$DMSSE_DIR/guest.bash"
need_qemu
need_cmd nbd-server nbd-client unshare
need_module nbd
boot_sector guest

### Hosts and storage

# The first one's directories are those of the script; the other one's take their
# place for a command.
mkdir "$WORK/other"
mount -t tmpfs -o mode=700 dm-sse-selftest "$WORK/other" || bail "no directories for it"
at_exit "umount $WORK/other"
mkdir -m 700 "$WORK"/other/{etc,lib,log,run}
other_host() {
	# shellcheck disable=SC2016
	unshare -m bash -c '
		mount --bind "$1/etc" /etc/dm-sse && mount --bind "$1/lib" /var/lib/dm-sse &&
			mount --bind "$1/log" /var/log/dm-sse && mount --bind "$1/run" /run/dm-sse || exit 99
		shift
		exec "$@"' - "$WORK/other" "$@"
}

first() {
	AS=()
}
other() {
	# shellcheck disable=SC2034 # what sse() puts in front
	AS=(other_host)
}

truncate -s 32M "$WORK/export"
cat >"$WORK/nbd.conf" <<-CONF
	[generic]
	unixsock = $WORK/nbd.sock
	[disk]
	exportname = $WORK/export
	flush = true
	fua = true
CONF
# Not with -d: it would serve one host only.
nbd-server -C "$WORK/nbd.conf" -p "$WORK/nbd.pid" >"$WORK/nbd.log" 2>&1 || bail "no nbd-server"
# shellcheck disable=SC2016
at_exit 'kill "$(cat "$WORK/nbd.pid")"'
wait_for 60 test -S "$WORK/nbd.sock" || bail "no nbd-server"

has_size() {
	[ "$(sectors "$1")" -gt 0 ]
}

connect() {
	nbd-client -unix "$WORK/nbd.sock" "$1" -N disk >"$WORK/nbd.out" 2>&1 ||
		bail "no connection: $(cat "$WORK/nbd.out" "$WORK/nbd.log")"
	at_exit "nbd-client -d $1"
	wait_for 60 has_size "$1"
}
connect /dev/nbd0
connect /dev/nbd1

# The kernel is one, and so it takes --clone to have the disk open twice: two hosts
# wouldn't know of each other.
MAPS=(dmsse-first dmsse-other)

### A set that both hosts know

mkdir "$KEYS/tenant"
pem one
pem two
cp -p "$KEYS/one.pem" "$KEYS/tenant/1.pem"
right "a set" des create tenant --type customer --key "file:$KEYS/tenant" --lease 1h --kek-timeout 120
right "its disk" format -q /dev/nbd0 --des tenant
right "open" open /dev/nbd0 "${MAPS[0]}"
other
wrong 2 "belongs to disk encryption set tenant.*missing here" open --clone /dev/nbd1 "${MAPS[1]}"
mkdir -m 700 "$WORK/other/etc/des"
cp -p /etc/dm-sse/des/tenant.conf "$WORK/other/etc/des/"
first

### There

check "a boot sector" put_boot_sector guest "/dev/mapper/${MAPS[0]}"
disk_of "/dev/mapper/${MAPS[0]}"
check "QEMU starts" guest one "${DISK_ARGS[@]}" || bail "no guest"
check "the guest writes and reads" goes_on one 40

other
right "the other host opens the disk, too" open --clone /dev/nbd1 "${MAPS[1]}"

# What the other host has read of the header is not what it is any more.
first
cp -p "$KEYS/two.pem" "$KEYS/tenant/2.pem"
right "the first one rotates the key" des rotate tenant
like "to its new version" "$OUT" "1 moved"
rm "$KEYS/tenant/1.pem"
right "the old one is gone: the first one's lease is renewed" lease renew "${MAPS[0]}"
other
right "and the other one's" lease renew "${MAPS[1]}"
mv "$KEYS/tenant" "$KEYS/away"
wrong 2 "" lease renew "${MAPS[1]}"
first
wrong 2 "" lease renew "${MAPS[0]}"
mv "$KEYS/away" "$KEYS/tenant"

completed() {
	qmp "$1" query-migrate && [[ $ANSWER == *'"status": "completed"'* ]]
}

# FROM TO MAPPING: a running guest, to another QEMU on this mapping.
migrate() {
	disk_of "/dev/mapper/$3"
	check "QEMU waits for it" guest "$2" "${DISK_ARGS[@]}" -incoming "unix:$WORK/$2.sock" ||
		bail "no guest"
	is "and does nothing yet" "$(writes "$2")" 0
	check "the guest leaves" qmp "$1" migrate "{\"uri\": \"unix:$WORK/$2.sock\"}"
	check "and is gone" wait_for "$PATIENCE" completed "$1"
	check "it has arrived" wait_for "$PATIENCE" past "$2" "$(writes "$1")"
	check "and writes and reads what it wrote before" goes_on "$2" 40
	check "it has seen no error here" content "$1"
	check "nor there" content "$2"
	quit "$1"
}

migrate one two "${MAPS[1]}"

# Each host is on its own: what one says of the set the other doesn't hear.
right "the first host closes the disk" close "${MAPS[0]}"
right "and disables the set" des disable tenant --now -q
check "which the other one has nothing to do with" state_is "${MAPS[1]}" active
check "nor its guest" goes_on two
other
right "disabled there" des disable tenant --now -q
check "the guest is stopped" wait_for "$PATIENCE" status_is two io-error
right "and enabled again" des enable tenant
check "the disk is back" wait_for "$PATIENCE" state_is "${MAPS[1]}" active
check "the guest is told" qmp two cont
check "and goes on" goes_on two

### And back

first
wrong 2 "disabled" open --clone /dev/nbd0 "${MAPS[0]}"
right "the first host may again" des enable tenant
right "and opens the disk" open --clone /dev/nbd0 "${MAPS[0]}"
migrate two three "${MAPS[0]}"
other
right "the other host closes it" close "${MAPS[1]}"
first
quit three
check "not one write is lost" all_there three "/dev/mapper/${MAPS[0]}"
right "close" close "${MAPS[0]}"

done_testing
