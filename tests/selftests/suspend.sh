#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Suspend, resume, reload, growth and changes of the key while I/O goes on. The
# load verifies all it has written, so a bio lost, doubled or encrypted with
# the wrong key shows.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

need_cmd fio
load_module
load_key suspend 64
make_disk DISK 16 null
MAP=/dev/mapper/dmsse-suspend
SECTORS=$(sectors "$DISK")
HALF=$((SECTORS / 2))

# Its own half of the linear device, so that there is room to grow.
dm_create dmsse-below "0 $HALF linear $DISK 0" || bail "no linear"
BELOW=/dev/mapper/dmsse-below
sse_create dmsse-suspend "$(sse_line $BELOW aes-xts-plain64 "$REF")" || bail "no device"

# Two passes over 4 MiB: the second verify pass reads what was written while
# the device was suspended and resumed.
load_start() {
	fio --name=load --filename=$MAP --size=4M --rw=randwrite --bs=4k --ioengine=libaio \
		--direct=1 --iodepth=8 --verify=crc32c --verify_fatal=1 --verify_backlog=32 \
		--loops=1000 --time_based --runtime=600 >"$WORK/load" 2>&1 &
	LOAD=$!
	at_exit "kill -KILL $LOAD 2>/dev/null; wait $LOAD 2>/dev/null || :"
	BIOS=0
	wait_for 30 load_moves || bail "no load: $(cat "$WORK/load")"
}

# Has there been I/O since the last look?
load_moves() {
	local now

	kill -0 "$LOAD" 2>/dev/null || return 1
	now=$(word dmsse-suspend write_bios)
	[ "${now:-0}" -gt "$((BIOS + 20))" ] && BIOS=$now
}

load_goes_on() {
	BIOS=$(word dmsse-suspend write_bios)
	check "$1: the load goes on" wait_for 60 load_moves
}

load_stop() {
	local rc

	kill -INT "$LOAD" 2>/dev/null
	wait "$LOAD" 2>/dev/null
	rc=$?
	# 128 is fio's word for "interrupted": bad data would be another one.
	if grep -qi -e 'verify: bad' -e 'verify failed' -e 'err= *[1-9]' "$WORK/load" ||
		{ [ "$rc" != 0 ] && [ "$rc" != 128 ] && [ "$rc" != 130 ]; }; then
		fail "$1: all that was written was right" "fio: exit code $rc"
		diag "$(tail -n 20 "$WORK/load")"
	else
		ok "$1: all that was written was right"
	fi
}

load_start
FAILED=0
for ((i = 0; i < 10; i++)); do
	dmsetup suspend dmsse-suspend && dmsetup resume dmsse-suspend || FAILED=1
done
is "suspend and resume, ten times" "$FAILED" 0
load_goes_on "suspend and resume"

FAILED=0
for ((i = 0; i < 10; i++)); do
	dmsetup suspend --noflush --nolockfs dmsse-suspend && dmsetup resume dmsse-suspend || FAILED=1
done
is "suspend without flush and resume, ten times" "$FAILED" 0
load_goes_on "suspend without flush"

FAILED=0
for opts in same_cpu_crypt no_read_workqueue "no_read_workqueue no_write_workqueue" ""; do
	dmsetup load dmsse-suspend --table "$(sse_line $BELOW aes-xts-plain64 "$REF" 0 0 "$opts")" &&
		dmsetup suspend dmsse-suspend && dmsetup resume dmsse-suspend || FAILED=1
done
is "reload with other options, four times" "$FAILED" 0
load_goes_on "reload"

FAILED=0
for ((i = 0; i < 5; i++)); do
	dmsetup suspend dmsse-suspend &&
		dmsetup message dmsse-suspend 0 key wipe &&
		set_keys dmsse-suspend "$REF" &&
		dmsetup resume dmsse-suspend || FAILED=1
done
is "key wipe and key set, five times" "$FAILED" 0
load_goes_on "key changes"

# A load that waits while there is no key gets through once there is one.
dmsetup suspend dmsse-suspend
dmsetup message dmsse-suspend 0 key wipe
dm_try resume dmsse-suspend
is "resume without a key is refused under load" "$DM_ERRNO" ENOKEY
set_keys dmsse-suspend "$REF"
check "and works with one" dmsetup resume dmsse-suspend
load_goes_on "after a refused resume"

# Growth from below.
is "size before" "$(sectors $MAP)" "$HALF"
dmsetup load dmsse-below --table "0 $SECTORS linear $DISK 0"
dmsetup suspend dmsse-below
check "the device below grows" dmsetup resume dmsse-below
dmsetup load dmsse-suspend --table "$(sse_line $BELOW aes-xts-plain64 "$REF")"
dmsetup suspend dmsse-suspend
check "the device grows" dmsetup resume dmsse-suspend
is "size after" "$(sectors $MAP)" "$SECTORS"
load_goes_on "growth"
load_stop "all of it"

check "what it grew by works" fio --name=new --filename=$MAP --offset="$((HALF * 512))" --size=2M \
	--rw=write --bs=64k --direct=1 --verify=crc32c --minimal
is "no errors were counted" "$(word dmsse-suspend crypt_errors) $(word dmsse-suspend io_errors)" "0 0"

# The same while reads fall behind, which is where a suspend has to wait.
if have_module dm-delay; then
	dm_remove dmsse-suspend
	dm_remove dmsse-below
	dm_create dmsse-below "0 $SECTORS delay $DISK 0 20"
	sse_create dmsse-suspend "$(sse_line $BELOW aes-xts-plain64 "$REF")"
	load_start
	FAILED=0
	for ((i = 0; i < 3; i++)); do
		dmsetup suspend dmsse-suspend && dmsetup resume dmsse-suspend || FAILED=1
		dmsetup suspend --noflush dmsse-suspend && dmsetup resume dmsse-suspend || FAILED=1
	done
	is "on a slow device" "$FAILED" 0
	load_stop "on a slow device"
else
	skip "on a slow device" "no dm-delay"
	skip "on a slow device: all that was written was right" "no dm-delay"
fi

done_testing
