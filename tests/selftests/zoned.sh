#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A zoned device below is refused, and what is beside it isn't.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

load_module
load_key zoned 64
make_disk PLAIN 64 null
grep -q zoned /sys/kernel/config/nullb/features || skip_all "null_blk has no zones"
make_disk ZONED 64 null zoned=1 zone_size=4
is "the disk is zoned" "$(queue "$ZONED" zoned)" host-managed

BEFORE=$(cat /sys/module/dm_sse/refcnt)
for opts in "" allow_discards sector_size:4096; do
	dmesg_mark
	dm_try create dmsse-zoned --table "$(sse_line "$ZONED" aes-xts-plain64 "$REF" 0 0 "$opts")"
	is "a zoned disk is refused, options '$opts'" "$DM_ERRNO" EOPNOTSUPP
	like "... and the kernel log says what to do" "$(dmesg_since | grep '^dm-sse: ')" \
		'zoned device .* is not supported: use '
	dm_remove dmsse-zoned
done
is "no reference is left" "$(cat /sys/module/dm_sse/refcnt)" "$BEFORE"
check "a disk that isn't zoned is taken" sse_create dmsse-zoned "$(sse_line "$PLAIN" aes-xts-plain64 "$REF")"
dm_remove dmsse-zoned

done_testing
