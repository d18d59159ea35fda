#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The limits of the queue are those of dm-crypt on the same disk, so that a
# volume moves between the two without file systems noticing.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

load_module
need_module dm-crypt
load_key limits 64
make_disk D512 8 null
make_disk D4096 8 null blocksize=4096

# No segment limit and no bio size is here: the targets differ in how they
# split, which no user depends on.
NAMES="logical_block_size physical_block_size minimum_io_size optimal_io_size
	discard_max_bytes discard_granularity write_zeroes_max_bytes rotational zoned"
if kver_ge 6.12; then
	NAMES+=" dma_alignment"
fi

limits() {
	# shellcheck disable=SC2086
	queue "$1" $NAMES | paste -d '=' <(printf '%s\n' $NAMES) -
}

COMPARED=0
for disk in "$D512" "$D4096"; do
	for opts in "" sector_size:1024 sector_size:2048 sector_size:4096 \
		"allow_discards sector_size:4096"; do
		line=$(sse_line "$disk" aes-xts-plain64 "$REF" 0 0 "$opts")
		block=$(blockdev --getss "$disk")
		size=$(grep -o 'sector_size:[0-9]*' <<<"$opts" | cut -d : -f 2)
		sse_create dmsse-limits "$line" >/dev/null 2>&1 || bail "no device: $line"
		limits /dev/mapper/dmsse-limits >"$WORK/sse"
		dm_remove dmsse-limits
		crypt_create dmsse-limits "${line/ $DMSSE_TARGET / crypt }" >/dev/null 2>&1 ||
			bail "no dm-crypt device: $line"
		limits /dev/mapper/dmsse-limits >"$WORK/crypt"
		dm_remove dmsse-limits
		name="blocks of $block, options '$opts'"
		is "$name: limits are dm-crypt's" "$(cat "$WORK/sse")" "$(cat "$WORK/crypt")"
		size=${size:-512}
		is "$name: a block is a sector, or the disk's" \
			"$(sed -n 's/^logical_block_size=//p' "$WORK/sse")" $((size > block ? size : block))
		COMPARED=$((COMPARED + $(wc -l <"$WORK/sse")))
	done
done
is "there was something to compare" "$((COMPARED >= 80))" 1

# Device-mapper looks at where the data begins on the disk, if it is told. The
# length is whole blocks, so that it is for the start that it refuses.
for start in 1 8; do
	[ $start = 8 ] && want=0 || want=EINVAL
	dm_try create dmsse-limits --table "0 8192 $DMSSE_TARGET aes-xts-plain64 $REF 0 $D4096 $start"
	is "a start at sector $start of a disk with blocks of 4096 bytes" "$DM_ERRNO" "$want"
	dm_remove dmsse-limits
done

# Memory at any multiple of a sector will do for direct I/O.
sse_create dmsse-limits "$(sse_line "$D512" aes-xts-plain64 "$REF" 0 0 sector_size:4096)"
check "I/O of one sector" dd if=/dev/mapper/dmsse-limits of=/dev/null bs=4096 count=1 iflag=direct
refute "I/O of less than a sector" \
	dd if=/dev/mapper/dmsse-limits of=/dev/null bs=512 count=1 iflag=direct
dm_remove dmsse-limits

done_testing
