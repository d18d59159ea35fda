#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Errors from below reach whoever submitted the I/O, once each, and only those
# of its own sectors; afterwards the device works as before.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

need_cmd fio
load_module
load_key errors 64
make_disk DISK 8
MAP=/dev/mapper/dmsse-errors
SECTORS=$(sectors "$DISK")
head -c 1M /dev/urandom >"$WORK/data"

# Below, 32 blocks from sector 1024 on fail, the others work.
dm_below() {
	printf '%s\n' "0 1024 linear $DISK 0" "1024 256 error" \
		"1280 $((SECTORS - 1280)) linear $DISK 1280"
}

at_exit "dm_remove dmsse-below"
dm_below | dmsetup create dmsse-below || bail "no dm-error"
sse_create dmsse-errors "$(sse_line /dev/mapper/dmsse-below aes-xts-plain64 "$REF")" || bail "no device"

read_at() {
	dd if=$MAP of=/dev/null bs=4096 count=1 skip="$1" iflag=direct 2>"$WORK/dd"
}

write_at() {
	dd if="$WORK/data" of=$MAP bs=4096 count=1 seek="$1" oflag=direct conv=notrunc 2>"$WORK/dd"
}

# With this policy a read of eight sectors is two bios.
[ "${DMSSE_POLICY:-}" = spread ] && PARTS=2 || PARTS=1

refute "a read of a bad sector fails" read_at 128
like "... with EIO" "$(cat "$WORK/dd")" 'Input/output error'
is "... and is counted once" "$(word dmsse-errors io_errors)" "$PARTS"
refute "a write of a bad sector fails" write_at 128
like "... with EIO" "$(cat "$WORK/dd")" 'Input/output error'
is "... and is counted once more" "$(word dmsse-errors io_errors)" $((PARTS + 1))
check "its neighbour can be written" write_at 127
check "the next good one can be read" read_at 160
is "crypto has had no errors" "$(word dmsse-errors crypt_errors)" 0

# 64 reads of 4 KiB at depth 16, each bad one once: each must end once, the bad
# ones with EIO, the good ones with their data.
OFFSETS=()
for ((i = 0; i < 64; i++)); do
	OFFSETS+=($(((i % 2 ? 128 + i / 2 : 200 + i) * 4096)))
done
BEFORE=$(word dmsse-errors io_errors)
check "64 reads at depth 16" "$(tool aioread)" $MAP 16 4096 "${OFFSETS[@]}"
cp "$WORK/check.out" "$WORK/reads"
is "... each ends once" "$(awk '$2 == 1' "$WORK/reads" | wc -l)" 64
is "... those of bad sectors with EIO" \
	"$(awk '$1 >= 524288 && $1 < 655360 && $3 == -5' "$WORK/reads" | wc -l)" 32
is "... the others with all their bytes" \
	"$(awk '($1 < 524288 || $1 >= 655360) && $3 == 4096' "$WORK/reads" | wc -l)" 32
is "... and each error is counted" $(($(word dmsse-errors io_errors) - BEFORE)) $((32 * PARTS))

# A bio that is good in one half and bad in the other is bad.
refute "a read across good and bad sectors fails" \
	dd if=$MAP of=/dev/null bs=48k count=1 skip=10 iflag=direct
dm_remove dmsse-errors
dm_remove dmsse-below

### A device that works for a while

if have_module dm-flakey; then
	flakey() {
		dmsetup load dmsse-below --table "0 $SECTORS flakey $DISK 0 $*" &&
			dmsetup suspend dmsse-below && dmsetup resume dmsse-below
	}
	dm_create dmsse-below "0 $SECTORS linear $DISK 0"
	sse_create dmsse-errors "$(sse_line /dev/mapper/dmsse-below aes-xts-plain64 "$REF")"
	check "good while the device below is good" write_at 1
	flakey 0 3600 1 error_writes
	refute "error_writes: a write fails" write_at 1
	check "error_writes: a read works" read_at 1
	flakey 0 3600 1 drop_writes
	check "drop_writes: a write seems to work" write_at 2
	flakey 0 3600
	refute "all failing: a read fails" read_at 1
	refute "all failing: a write fails" write_at 1
	flakey 3600 0
	check "good again: a write works" write_at 1
	check "good again: it reads back" cmp -n 4096 "$WORK/data" \
		<(dd if=$MAP bs=4096 skip=1 count=1 iflag=direct status=none)
	dm_remove dmsse-errors
	dm_remove dmsse-below
else
	for name in good "error_writes: a write" "error_writes: a read" drop_writes \
		"all failing: a read" "all failing: a write" "good again" "reads back"; do
		skip "$name" "no dm-flakey"
	done
fi

### The device below is gone

if modinfo scsi_debug >/dev/null 2>&1; then
	make_disk SCSI 8 scsi delay=1
	sse_create dmsse-errors "$(sse_line "$SCSI" aes-xts-plain64 "$REF")"
	check "a SCSI disk works" write_at 1
	fio --name=gone --filename=$MAP --rw=randrw --bs=4k --size=4M --ioengine=libaio \
		--direct=1 --iodepth=8 --time_based --runtime=60 >"$WORK/fio" 2>&1 &
	FIO=$!
	wait_for 20 sh -c "[ \"\$(dmsetup status dmsse-errors | sed 's/.*read_bios:\([0-9]*\).*/\1/')\" -gt 50 ]"
	echo 1 >"/sys/block/${SCSI##*/}/device/delete"
	_ended() {
		! kill -0 "$FIO" 2>/dev/null
	}
	check "removed under load: the load ends" wait_for 60 _ended
	wait "$FIO"
	is "... with an error" "$(($? != 0))" 1
	refute "reads then fail" read_at 1
	check "the device can be removed" dmsetup remove dmsse-errors
else
	for name in "a SCSI disk works" "removed under load: the load ends" "... with an error" \
		"reads then fail" "the device can be removed"; do
		skip "$name" "no scsi_debug"
	done
fi

done_testing
