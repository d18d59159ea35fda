#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Published vectors through the target, and disks that the target wrote and a
# program that has nothing of the kernel reads (and the other way round).

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

oracle=$DMSSE_DIR/oracle
if ! vectors=$(tool sse-vectors) || ! alone=$(tool sse-oracle) || [ ! -r "$oracle/relay.sh" ]; then
	skip_all "tests/oracle is not here or not built"
fi
# shellcheck source=../oracle/relay.sh
. "$oracle/relay.sh"

load_module
make_disk disk 16

# shellcheck disable=SC2154
relay "$vectors" --target "$DMSSE_TARGET" "$disk" "$oracle"/vectors/*.txt

mib=2
length=$((mib * 2048))
start=256
head -c $((mib << 20)) /dev/urandom >"$WORK/plain"
head -c $((mib << 20)) /dev/urandom >"$WORK/other"

# A disk of noise that the target writes and the oracle decrypts.
target_writes() {
	dd if=/dev/urandom of="$disk" bs=1M count=$((mib + 1)) oflag=direct status=none &&
		head -c $((start * 512)) "$disk" >"$WORK/front" &&
		dm_create whole "$1" &&
		dd if="$WORK/plain" of=/dev/mapper/whole bs=1M oflag=direct status=none &&
		dm_remove whole &&
		blockdev --flushbufs "$disk" &&
		"$alone" decrypt "${args[@]}" "$disk" "$WORK/decrypted" &&
		cmp "$WORK/plain" "$WORK/decrypted"
}

target_reads() {
	"$alone" encrypt "${args[@]}" "$WORK/other" "$disk" &&
		blockdev --flushbufs "$disk" &&
		dm_create whole "$1" &&
		cmp "$WORK/other" /dev/mapper/whole &&
		dm_remove whole
}

# cipher, bytes of the key, IV offset, sector size, options
whole_disk() {
	local cipher=$1 bytes=$2 iv=$3 size=$4 opts=$5
	local desc="$cipher, IV offset $iv, sectors of $size" table

	key_hex "$bytes" "$cipher" | hex_to_bin >"$WORK/raw-key"
	load_key "$cipher" "$bytes"
	args=(--cipher "$cipher" --key-file "$WORK/raw-key" --iv-offset "$iv"
	      --start "$start" --sectors "$length" --sector-size "$size")
	[[ $opts != *iv_large_sectors ]] || args+=(--iv-large-sectors)
	table="0 $length $DMSSE_TARGET $cipher $REF $iv $disk $start $opts"

	rm -f "$WORK/decrypted"
	check "$desc: $mib MiB decrypted without the kernel" target_writes "$table"
	check "$desc: the disk in front of them is as it was" \
		cmp -n $((start * 512)) "$WORK/front" "$disk"
	check "$desc: the target reads what was encrypted without it" target_reads "$table"
	dm_remove whole
	drop_key "$cipher"
}

whole_disk aes-xts-plain64 64 0 512 ""
whole_disk aes-xts-plain64 64 4294965248 4096 "1 sector_size:4096"
whole_disk aes-xts-plain 32 4294965000 512 ""
whole_disk aes-cbc-essiv:sha256 32 7 512 ""
whole_disk "capi:cbc(aes)-plain64be" 32 17179869176 2048 "2 sector_size:2048 iv_large_sectors"
whole_disk serpent-xts-plain64 64 8 4096 "2 sector_size:4096 iv_large_sectors"
whole_disk xchacha12,aes-adiantum-plain64 32 16 4096 "1 sector_size:4096"

done_testing
