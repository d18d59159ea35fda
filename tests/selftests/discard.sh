#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Discards pass when they are asked for and only then; secure erase likewise,
# write-zeroes never.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

load_module
load_key discard 64
make_disk DISK 8
MAP=/dev/mapper/dmsse-discard
head -c 8M /dev/urandom >"$WORK/data"

is_zero() {
	cmp -s -n "$2" -i "$1" "$DISK" /dev/zero
}

# Clean pages of the devices' own caches would hide what a discard did.
fresh() {
	blockdev --flushbufs "$DISK" "$MAP"
}

### Not asked for

sse_create dmsse-discard "$(sse_line "$DISK" aes-xts-plain64 "$REF")" || bail "no device"
dd if="$WORK/data" of=$MAP bs=1M oflag=direct conv=notrunc status=none
is "without allow_discards the queue has none" "$(queue $MAP discard_max_bytes)" 0
refute "blkdiscard is refused" blkdiscard -f -o 1048576 -l 1048576 $MAP
check "nothing is lost" cmp "$WORK/data" <(dd if=$MAP bs=1M iflag=direct status=none)
is "none was counted" "$(word dmsse-discard discard_bios)" 0
is "write-zeroes isn't offered" "$(queue $MAP write_zeroes_max_bytes)" 0
dm_remove dmsse-discard

### Asked for

for sector in 512 4096; do
	sse_create dmsse-discard "$(sse_line "$DISK" aes-xts-plain64 "$REF" 0 0 "allow_discards sector_size:$sector")"
	dd if="$WORK/data" of=$MAP bs=1M oflag=direct conv=notrunc status=none
	fresh
	is "sector_size:$sector: the queue has discards, as below" \
		"$(queue $MAP discard_max_bytes)" "$(queue "$DISK" discard_max_bytes)"
	is "sector_size:$sector: their granularity is at least a sector" \
		"$(($(queue $MAP discard_granularity) >= sector))" 1
	is "sector_size:$sector: write-zeroes isn't offered" "$(queue $MAP write_zeroes_max_bytes)" 0
	check "sector_size:$sector: blkdiscard" blkdiscard -f -o 1048576 -l 1048576 $MAP
	is "sector_size:$sector: it was counted" "$(($(word dmsse-discard discard_bios) > 0))" 1
	fresh
	check "sector_size:$sector: the disk below has a hole there" is_zero 1048576 1048576
	is_zero 1044480 4096
	is "sector_size:$sector: not before it" $? 1
	is_zero 2097152 4096
	is "sector_size:$sector: not behind it" $? 1
	check "sector_size:$sector: data before it is whole" cmp -n 1048576 "$WORK/data" $MAP
	check "sector_size:$sector: data behind it is whole" cmp -i 2097152 "$WORK/data" $MAP
	cmp -s -n 4096 -i 1048576:0 $MAP /dev/zero
	is "sector_size:$sector: the hole reads as noise, not as zeroes" $? 1
	dm_remove dmsse-discard
done

### At a start offset

sse_create dmsse-discard "$(sse_line "$DISK" aes-xts-plain64 "$REF" 0 2048 allow_discards)"
dd if="$WORK/data" of=$MAP bs=1M count=4 oflag=direct conv=notrunc status=none
fresh
blkdiscard -f -o 1048576 -l 65536 $MAP
fresh
check "with a start offset the hole is there" is_zero 2097152 65536
is_zero 1048576 65536
is "and not where it would be without" $? 1
dm_remove dmsse-discard

### A disk that has none

if make_disk NONE 8 null; then
	sse_create dmsse-discard "$(sse_line "$NONE" aes-xts-plain64 "$REF" 0 0 allow_discards)"
	is "what the device below can't isn't offered" "$(queue $MAP discard_max_bytes)" 0
	refute "blkdiscard is refused there" blkdiscard -f $MAP
	refute "so is secure erase" blkdiscard -f -s $MAP
	dm_remove dmsse-discard
fi

done_testing
