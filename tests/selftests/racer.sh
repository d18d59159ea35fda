#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The helper racer, which says what a disk may not do, is shown disks that do it.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=racerlib.bash
. "$DMSSE_DIR/racerlib.bash"

load_module
make_disk DISK 8 null discard=1
make_disk COPY 8 null discard=1
SECTORS=$(sectors "$DISK")
DEV=dmsse-racer
MAP=/dev/mapper/$DEV

for seed in 1 "$RANDOM"; do
	check "its checker, held against a search through all orders, seed $seed" \
		"$RACER" --prove --seed "$seed"
done

### A disk that is right

LINEAR="0 $SECTORS linear $DISK 0"

wipe() {
	blkdiscard -f "$DISK" 2>/dev/null || bail "no discards on $DISK"
}

# TABLE OPTION...: a device with a racer that has begun
begin() {
	wipe
	dm_create $DEV "$1" || bail "no device"
	shift
	racer_start "$@" $MAP
	order go
	nap 300
}

# TABLE
switch() {
	dmsetup suspend $DEV && dmsetup load $DEV --table "$1" && dmsetup resume $DEV
}

begin "$LINEAR"
for i in 1 2 3 4 5; do
	switch "$LINEAR"
	nap 200
done
order halt
check "nothing is wrong with a linear device" order look
order report
like "there was something to check" "$(cat "$WORK/racer")" ' [1-9][0-9]* units read, [1-9][0-9]* met'
check "... nor with what is on it" order check $MAP
check "... nor with the disk below it" order check "$DISK"
refute "of which it is said that it is in clear" order raw "$DISK"
racer_end
is "... at the end, too" "$RACER_RC" 1
like "... and where" "$(cat "$WORK/racer")" "unit [0-9]* of $DISK: plaintext"
dm_remove $DEV

### Those that are not

# Is what is said the truth by now?
_noticed() {
	! order look
}

# WHAT ERE COMMAND...: after the command there is an end to what is right
planted() {
	local what=$1 ere=$2

	shift 2
	order look || fail "$what: right up to here" "$(head -n 20 "$WORK/racer")"
	"$@" >"$WORK/planted" 2>&1 || fail "$what: planted" "$(cat "$WORK/planted")"
	check "$what: noticed" wait_for 60 _noticed
	order halt
	racer_end
	like "$what: called by its name" "$(cat "$WORK/racer")" "$ere"
	dm_remove $DEV
}

# So often that no sector of a small piece has been left out.
_written() {
	order report
	awk '/ writes,/ { n = $2 } END { exit n < 1000 }' "$WORK/racer"
}

# Of what was never written, or discarded, nobody could tell whose it is.
HALF=64
begin "$LINEAR" --size $((2 * HALF)) --mix rw
check "halves that are exchanged: all is written" wait_for 60 _written
planted "halves that are exchanged" "unit [0-9]* of $MAP: it is another sector's: unit [0-9]*, write" \
	switch "0 $HALF linear $DISK $HALF
$HALF $HALF linear $DISK 0
$((2 * HALF)) $((SECTORS - 2 * HALF)) linear $DISK $((2 * HALF))"

stale() {
	dmsetup suspend $DEV
	dd if="$DISK" of="$COPY" bs=1M iflag=direct oflag=direct status=none
	dmsetup resume $DEV
	nap 300
	switch "0 $SECTORS linear $COPY 0"
}
begin "$LINEAR"
planted "an older state of all of it" "unit [0-9]*: not linear: an older value" stale

begin "$LINEAR"
planted "an error that there is no reason for" "of units [0-9]* \+ [0-9]*: Input/output error" \
	switch "0 $SECTORS error"

if have_module dm-flakey; then
	begin "$LINEAR"
	planted "writes that are lost" "not linear: an older value" \
		switch "0 $SECTORS flakey $DISK 0 0 600 1 drop_writes"

	# 6.1 does it to the submitter's own memory.
	begin "$LINEAR"
	planted "a byte of a write that is changed" "it is torn: write [0-9]* by thread [0-9] up to byte 96" \
		switch "0 $SECTORS flakey $DISK 0 0 600 5 corrupt_bio_byte 100 w 1 0"

	begin "$LINEAR"
	planted "a byte of a read that is changed" "it is torn: write [0-9]* by thread [0-9] up to byte 96" \
		switch "0 $SECTORS flakey $DISK 0 0 600 5 corrupt_bio_byte 100 r 1 0"

	# All that was written has to be answered before there are but discards.
	lose_discards() {
		order halt
		switch "0 $SECTORS flakey $DISK 0 0 600 1 drop_writes"
		order mix rd
		# This one may be noticed before there is an answer.
		order go || :
	}
	begin "$LINEAR"
	planted "discards that do nothing" "not linear: an older value" lose_discards
else
	for what in "writes that are lost" "a byte of a write that is changed" \
		"a byte of a read that is changed" "discards that do nothing"; do
		skip "$what: noticed" "no dm-flakey"
		skip "$what: called by its name" "no dm-flakey"
	done
fi

begin "$LINEAR" --patience 1
dmsetup suspend $DEV
refute "requests that are not answered: noticed" order halt
dmsetup resume $DEV
racer_end
like "... called by their name" "$(cat "$WORK/racer")" "of units [0-9]* \+ [0-9]* by thread [0-7]: never answered"
dm_remove $DEV

### Keys

# What an all-zero disk holds by the cipher of the racer's device.
load_key racer 64
RIGHT=$REF
load_key racer-wrong 64
for wrong in "another key" "no decryption"; do
	wipe
	crypt_create dmsse-racer-base "0 $SECTORS crypt aes-xts-plain64 $RIGHT 0 $DISK 0" ||
		bail "no dm-crypt"
	begin "$(sse_line "$DISK" aes-xts-plain64 "$RIGHT" 0 0 allow_discards)" \
		--base /dev/mapper/dmsse-racer-base
	dm_remove dmsse-racer-base
	unknown="unit [0-9]* of $MAP: it was never written: .* is ciphertext or noise"
	case $wrong in
	"another key")
		table=$(sse_line "$DISK" aes-xts-plain64 "$REF" 0 0 allow_discards)
		;;
	*)
		table=$LINEAR
		# Where nothing has been written, there are zeroes on the disk.
		unknown+="|read returns: zeroes"
		;;
	esac
	planted "$wrong" "$unknown" switch "$table"
done

done_testing
