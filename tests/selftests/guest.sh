#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A guest in QEMU on a disk of a set, given to it as guests.rst has it. When the
# key is taken away the guest stops, when it is back the guest goes on, and has
# seen no error; with on-lapse error QEMU stops it and is told to go on, with queue
# its I/O waits and nobody need do anything. Then another guest, for what a disk
# of 4096-byte sectors and discards look like from inside.

. "$(dirname "$0")/lib.sh"
. "$DMSSE_DIR/deslib.bash"
. "$DMSSE_DIR/examples.bash"
. "$DMSSE_DIR/guest.bash"
need_qemu
boot_sector guest
boot_sector guest-discard

MAP=dmsse-guest
DEV=/dev/mapper/$MAP
image DISK 32
pem tenant

# SET ON-LAPSE: a set, and its disk, open and bootable.
prepare() {
	right "a set, on-lapse $2" des create "$1" --type customer --key "file:$KEYS/tenant.pem" \
		--on-lapse "$2" --lease 1h --kek-timeout 120
	right "its disk" format -q "$DISK" --des "$1"
	right "open" open --allow-discards "$DISK" $MAP
	check "a boot sector" put_boot_sector guest $DEV
}

# SET: ways to take the key away, and to give it back.
disable() {
	right "the set is disabled" des disable "$1" --now -q
	check "the disk is gone" wait_for "$PATIENCE" state_is $MAP lapsed
}

enable() {
	right "the set is enabled" des enable "$1"
	check "the disk is back" wait_for "$PATIENCE" state_is $MAP active
}

# The last renewal is for a second, and then there is no key any more.
lapse() {
	right "a lease of a second" des update "$1" --lease 1s
	right "renewed" lease renew $MAP
	mv "$KEYS/tenant.pem" "$KEYS/away.pem"
	check "the lease ends" wait_for "$PATIENCE" state_is $MAP lapsed
	wrong 2 "" lease renew $MAP
}

come_back() {
	mv "$KEYS/away.pem" "$KEYS/tenant.pem"
	right "a lease of an hour" des update "$1" --lease 1h
	right "the key is back, and the lease is renewed" lease renew $MAP
	check "the disk is back" wait_for "$PATIENCE" state_is $MAP active
}

### On lapse, errors: QEMU stops the guest

prepare errs error
disk_of $DEV
check "QEMU starts" guest errs "${DISK_ARGS[@]}" || bail "no guest"
# More than there are slots, so that it reads what it wrote.
check "the guest writes and reads" goes_on errs 40

for way in "disable enable" "lapse come_back"; do
	STOPS=$(events errs STOP)
	"${way% *}" errs
	check "the guest is stopped" wait_for "$PATIENCE" more_events errs STOP "$STOPS"
	check "for its I/O error" status_is errs io-error
	like "which QEMU has told of" "$(grep BLOCK_IO_ERROR "$WORK/errs.qmp" | tail -n 1)" \
		'"action": "stop"'
	STOPS=$(events errs STOP)
	check "going on without the key" qmp errs cont
	check "stops it again" wait_for "$PATIENCE" more_events errs STOP "$STOPS"
	check "the guest knows nothing of it" content errs
	BEFORE=$(writes errs)
	"${way#* }" errs
	check "it waits to be told" status_is errs io-error
	is "and does nothing" "$(writes errs)" "$BEFORE"
	check "with the key, cont" qmp errs cont
	check "lets it go on" goes_on errs 40
	check "it is running" status_is errs running
	check "and has seen no error" content errs
done
quit errs
check "the disk has all that it wrote" all_there errs $DEV
right "close" close $MAP

### On lapse, queue: its I/O waits

prepare waits queue
AIO=threads disk_of $DEV
check "QEMU starts" guest waits "${DISK_ARGS[@]}" || bail "no guest"
check "the guest writes and reads" goes_on waits 40

held() {
	[ "$(word $MAP held_bios)" -gt 0 ]
}

for way in "disable enable" "lapse come_back"; do
	"${way% *}" waits
	check "its I/O waits" wait_for "$PATIENCE" held
	BEFORE=$(writes waits)
	check "for QEMU it is running" status_is waits running
	is "but does nothing" "$(writes waits)" "$BEFORE"
	"${way#* }" waits
	check "with the key it goes on by itself" goes_on waits 40
	check "and has seen no error" content waits
done
is "QEMU has seen none either" "$(events waits BLOCK_IO_ERROR) $(events waits STOP)" "0 0"
# QEMU lets what is under way come to its end before it stops a guest.
disable waits
check "its I/O waits" wait_for "$PATIENCE" held
echo '{"execute": "stop", "id": "late"}' >&"${QMP[waits]}"
refute "a stop by hand waits, too" wait_for 2 grep -q '"late"' "$WORK/waits.qmp"
enable waits
check "until the key is back" wait_for "$PATIENCE" grep -q '"late"' "$WORK/waits.qmp"
check "and then it goes on" qmp waits cont
check "without an error" goes_on waits 40
check "to the end" content waits
# A disk that is given up.
disable waits
check "its I/O waits" wait_for "$PATIENCE" held
dmsetup remove --force $MAP >/dev/null 2>&1
check "remove --force lets it fail, and QEMU stops the guest" wait_for "$PATIENCE" \
	status_is waits io-error
check "which has seen no error" content waits
quit waits
dm_remove $MAP
right "the set is enabled" des enable waits
right "and its disk opened anew" open "$DISK" $MAP
check "the disk has all that it wrote" all_there waits $DEV
right "close" close $MAP

### Sectors of 4096 bytes, and discards

# The BIOS boots no disk that is smaller than a cylinder.
truncate -s 1M "$WORK/guest-discard.bin"

allocated() {
	du -k "$DISK" | cut -f 1
}

# NAME: a guest that discards 4 MiB at 8 MiB, and what it finds.
discards() {
	disk_of $DEV logical_block_size=4096,physical_block_size=4096,addr=5
	guest "$1" -blockdev "driver=file,node-name=boot,filename=$WORK/guest-discard.bin,read-only=on" \
		-device virtio-blk-pci,drive=boot,bootindex=0 "${DISK_ARGS[@]}" &&
		wait_for "$PATIENCE" grep -q end "$WORK/$1.log" && quit "$1"
}

# NAME OPTION...
fill_and_discard() {
	local name=$1

	shift
	right "$name: open" open "$@" "$DISK" $MAP
	put $MAP 24 guest
	BEFORE=$(allocated)
	check "$name: a guest with a disk of 4096-byte sectors" discards "$name"
	mapfile -t SAID <"$WORK/$name.log"
	is "$name: it sees blocks of 4096 bytes" "${SAID[*]:0:2}" "00001000 00000000"
	unlike "$name: and a disk that takes discards" "${SAID[2]}" '^0*$'
	is "$name: it is told that a discard is done" "${SAID[3]}" "00000000"
}

fill_and_discard unmap --allow-discards
is "the mapping has blocks of 4096 bytes" "$(queue $DEV logical_block_size)" 4096
check "which the image has given back" test $((BEFORE - $(allocated))) -ge 4096
right "close" close $MAP
fill_and_discard ignore
check "without --allow-discards it keeps them" test $((BEFORE - $(allocated))) -lt 1024
right "close" close $MAP

done_testing
