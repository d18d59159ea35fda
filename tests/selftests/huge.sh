#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A disk of 64 TiB, of which next to nothing is there: at its ends, in the middle
# and where 32 bits of a sector number end, the target's bytes are those of dm-crypt,
# for sectors and starts and offsets of IVs of every size; and ssesetup makes, opens,
# describes and resizes such a disk.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=deslib.bash
. "$DMSSE_DIR/deslib.bash"
need_cmd jq
need_module dm-crypt
modprobe -q adiantum

TIB=$((1 << 31)) # sectors
SIZE=$((64 * TIB))
MAP=/dev/mapper/dmsse-huge
make_disk DISK $((64 << 20))
is "a disk of 64 TiB" "$(sectors "$DISK")" $SIZE
load_key inner 64
INNER_REF=$REF
load_key cbc 32
CBC_REF=$REF
load_key outer 32
OUTER_REF=$REF

# Sectors at which 8 KiB are written, of a device with this many: both its ends, the
# middle, and those in which the number grows by a bit that some type may not have.
places_of() {
	echo 0
	[ "$1" -le $((1 << 31)) ] || echo $(((1 << 31) - 8))
	[ "$1" -le $((1 << 32)) ] || echo $(((1 << 32) - 8))
	echo $(($1 / 2 & ~15))
	echo $(($1 - 16))
}

# What is written next, to all places.
new_data() {
	head -c 8192 /dev/urandom >"$WORK/data"
}

# DEVICE SECTOR
put_place() {
	dd if="$WORK/data" of="$1" bs=4096 seek=$(($2 / 8)) oflag=direct conv=notrunc,nocreat status=none
}

has_place() {
	cmp -n 8192 -i $(($2 * 512)):0 "$1" "$WORK/data"
}

# put|has DEVICE: at all places.
everywhere() {
	local place

	for place in $(places_of "$(sectors "$2")"); do
		"$1_place" "$2" "$place" || return
	done
}

# A single sector on each side of 2^32.
put_around() {
	dd if="$WORK/data" of="$1" bs=512 count=1 seek=$(((1 << 32) - 1)) oflag=direct conv=notrunc,nocreat \
		status=none &&
		dd if="$WORK/data" of="$1" bs=512 skip=1 count=1 seek=$((1 << 32)) oflag=direct \
			conv=notrunc,nocreat status=none
}

has_around() {
	cmp -n 1024 -i $((((1 << 32) - 1) * 512)):0 "$1" "$WORK/data"
}

# TITLE SSE-TABLE CRYPT-TABLE: what one writes the other reads.
compare() {
	if ! check "$1: sse" dm_create dmsse-huge "$2"; then
		return
	fi
	new_data
	check "$1: is written" everywhere put $MAP
	is "$1: no error" "$(word dmsse-huge crypt_errors) $(word dmsse-huge io_errors)" "0 0"
	dm_remove dmsse-huge
	check "$1: crypt" dm_create dmsse-huge "$3"
	check "$1: has what dm-crypt reads" everywhere has $MAP
	new_data
	check "$1: dm-crypt writes" everywhere put $MAP
	dm_remove dmsse-huge
	dm_create dmsse-huge "$2"
	check "$1: has what dm-crypt wrote" everywhere has $MAP
	dm_remove dmsse-huge
}

# TITLE CIPHER REF IV_OFFSET START [OPTION...]
same_as_crypt() {
	local title=$1 line

	line=$(sse_line "$DISK" "$2" "$3" "$4" "$5" "${*:6}")
	compare "$title" "$line" "${line/ $DMSSE_TARGET / crypt }"
}

XTS=aes-xts-plain64
LARGE='sector_size:4096 iv_large_sectors'
# The number of a sector and an offset is one of 64 bits, and goes on at 0.
WRAPS=18446744073709551608
same_as_crypt "512" $XTS "$INNER_REF" 0 0
same_as_crypt "plain" aes-xts-plain "$INNER_REF" 0 0 sector_size:4096
same_as_crypt "an offset past 2^40" $XTS "$INNER_REF" $(((1 << 40) + 8)) 0 "$LARGE"
same_as_crypt "an offset that comes to 2^64" $XTS "$INNER_REF" $WRAPS 0
same_as_crypt "an offset that comes to 2^64, large" $XTS "$INNER_REF" $WRAPS 0 "$LARGE"
same_as_crypt "a start past 2^32" $XTS "$INNER_REF" 0 $(((1 << 32) + 8))
if [ "${DMSSE_FULL:-0}" = 1 ]; then
	same_as_crypt "4096" $XTS "$INNER_REF" 0 0 sector_size:4096
	same_as_crypt "4096, large" $XTS "$INNER_REF" 0 0 "$LARGE"
	same_as_crypt "plain, large" aes-xts-plain "$INNER_REF" 0 0 "$LARGE"
	same_as_crypt "plain64be" aes-xts-plain64be "$INNER_REF" 0 0
	same_as_crypt "essiv" aes-cbc-essiv:sha256 "$CBC_REF" 0 0
	same_as_crypt "an offset that comes to 2^32" $XTS "$INNER_REF" $(((1 << 32) - 8)) 0
	same_as_crypt "an offset that comes to 2^64, 4096" $XTS "$INNER_REF" $WRAPS 0 sector_size:4096
	same_as_crypt "an offset that comes to 2^64, plain" aes-xts-plain "$INNER_REF" $WRAPS 0
	same_as_crypt "a start near the end" $XTS "$INNER_REF" $((1 << 33)) $((SIZE - 65536)) sector_size:4096
fi

### What an offset of 2^64 goes on with

dm_create dmsse-huge "$(sse_line "$DISK" $XTS "$INNER_REF" $WRAPS 0)"
new_data
put_place $MAP 0
dm_remove dmsse-huge
dm_create dmsse-huge "$(sse_line "$DISK" $XTS "$INNER_REF" 0 8)"
check "behind 2^64 comes 0" cmp -n 4096 -i 0:4096 $MAP "$WORK/data"
dm_remove dmsse-huge

### Numbers that don't fit

for refused in "$XTS|0|$WRAPS|start" "$XTS|18446744073709551616|0|offset" "$XTS|0|18446744073709551616|number"; do
	IFS='|' read -r cipher iv start what <<<"$refused"
	dm_try create dmsse-huge --table "0 128 $DMSSE_TARGET $cipher $INNER_REF $iv $DISK $start"
	is "$what $iv, $start is refused" "$DM_ERRNO" EINVAL
	dm_remove dmsse-huge
done
# A length that would come round to one that fits.
dm_try create dmsse-huge --table "0 $((1 << 38)) $DMSSE_TARGET $XTS $INNER_REF 0 $DISK $((SIZE - 8))"
is "more than there is is refused" "$DM_ERRNO" EINVAL
dm_remove dmsse-huge

### plain has 32 bits

# CIPHER: is the ciphertext of zeroes the same at sector 0 and at 2^32?
repeats() {
	dm_create dmsse-huge "$(sse_line "$DISK" "$1" "$INNER_REF" 0 0)"
	for place in 0 $((1 << 29)); do
		dd if=/dev/zero of=$MAP bs=4096 seek=$place count=1 oflag=direct conv=notrunc,nocreat status=none
	done
	dm_remove dmsse-huge
	cmp -s <(dd if="$DISK" bs=4096 count=1 iflag=direct status=none) \
		<(dd if="$DISK" bs=4096 skip=$((1 << 29)) count=1 iflag=direct status=none)
}
check "plain begins anew at 2^32, as dm-crypt's does" repeats aes-xts-plain
refute "plain64 doesn't" repeats $XTS

### Single sectors

LINE=$(sse_line "$DISK" $XTS "$INNER_REF" 0 0)
dm_create dmsse-huge "$LINE"
new_data
check "one sector on each side of 2^32" put_around $MAP
dm_remove dmsse-huge
dm_create dmsse-huge "${LINE/ $DMSSE_TARGET / crypt }"
check "... is where dm-crypt has it" has_around $MAP
dm_remove dmsse-huge

### Two layers

if [ "${DMSSE_LAYERS:-1}" = 1 ]; then
	ADIANTUM='capi:adiantum(xchacha12,aes)-plain64'
	for iv in $(((1 << 32) - 8)) $WRAPS; do
		dm_create dmsse-outer "0 $SIZE crypt $ADIANTUM $OUTER_REF $iv $DISK 0 1 sector_size:4096" ||
			bail "no dm-crypt for the outer layer"
		at_exit "dm_remove dmsse-outer"
		# The outer one has the disk for as long as the other reads through it.
		compare "two layers, offset $iv" \
			"0 $SIZE sse $XTS $INNER_REF 0 $DISK 0 5 sector_size:4096 outer $ADIANTUM $OUTER_REF $iv" \
			"0 $SIZE crypt $XTS $INNER_REF 0 /dev/mapper/dmsse-outer 0 1 sector_size:4096"
		dm_remove dmsse-outer
	done
fi

### ssesetup

HEADER=4096
truncate -s 64T "$WORK/vm"
LOOP=$(losetup -f --show "$WORK/vm") || bail "no loop device"
at_exit "close_all; losetup -d $LOOP"
right "format" format -q "$LOOP" --recovery-key
sed -n 's/^Recovery key.*: //p' <<<"$OUT" | tr -d '\n' >"$WORK/recovery"
right "open" open "$LOOP" dmsse-huge
is "its size" "$(sectors $MAP)" $((SIZE - HEADER))
is "... as status has it" "$("$SSESETUP" status --json dmsse-huge | jq '."size-bytes"')" $(((SIZE - HEADER) * 512))
is "... as the metrics have it" "$("$SSESETUP" metrics | sed -n 's/^dm_sse_disk_size_bytes{.*} //p')" \
	$(((SIZE - HEADER) * 512))
like "... as list has it" "$("$SSESETUP" list)" "dmsse-huge +active"
new_data
check "it is written" everywhere put $MAP
right "close" close dmsse-huge
like "dump" "$("$SSESETUP" dump "$LOOP")" "aes-xts-plain64"
cryptsetup open --key-file "$WORK/recovery" "$LOOP" dmsse-huge </dev/null
is "cryptsetup opens it, with dm-crypt" "$(dmsetup table dmsse-huge | awk '{ print $2, $3 }')" \
	"$((SIZE - HEADER)) crypt"
check "... and reads what was written" everywhere has $MAP
cryptsetup close dmsse-huge
right "open" open "$LOOP" dmsse-huge
truncate -s 65T "$WORK/vm"
right "resize, to 65 TiB" resize dmsse-huge
is "... it has them" "$(sectors $MAP)" $((SIZE + TIB - HEADER))
new_data
check "... at the end, too" everywhere put $MAP
right "resize, to a few sectors more than 2^32" resize dmsse-huge --size $(((1 << 32) + 8))
is "... it has these" "$(sectors $MAP)" $(((1 << 32) + 8))
right "resize, to all of it" resize dmsse-huge
check "... nothing is lost" everywhere has $MAP
right "close" close dmsse-huge

load_key plain 64 inner
BEGIN=$((1 << 36)) SKIP=$(((1 << 33) + 8))
right "a plain mapping in the middle" open --type plain --cipher $XTS --key-size 512 \
	--key-desc logon:dmsse:plain --offset $BEGIN --skip $SKIP --size $((1 << 35)) "$DISK" dmsse-huge
is "... where it should be" "$(dmsetup table dmsse-huge | awk '{ print $2, $6, $8 }')" "$((1 << 35)) $SKIP $BEGIN"
new_data
check "... is written" everywhere put $MAP
right "close" close dmsse-huge
dm_create dmsse-huge "0 $((1 << 35)) crypt $XTS $INNER_REF $SKIP $DISK $BEGIN"
check "... and has what dm-crypt reads" everywhere has $MAP
dm_remove dmsse-huge
right "a temporary disk of 64 TiB" temp create "$DISK" dmsse-huge
is "... has its size" "$(sectors $MAP)" $SIZE
right "close" close dmsse-huge

done_testing
