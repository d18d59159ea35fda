#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Reads and writes of every size and kind come back as they were, what is not
# aligned to encryption sectors fails, and flushes and zeroes mean what they
# mean on any disk.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

need_cmd fio
load_module
load_key io 64
make_disk DISK 16 null
MAP=/dev/mapper/dmsse-io

# JOB-OPTIONS...: one verified run; offsets and sizes are multiples of $BS.
run_fio() {
	fio --name=io --filename=$MAP --size=6M --verify=crc32c --verify_fatal=1 \
		--rw=randwrite --bsrange="$BS-128k" --blockalign="$BS" --randseed=1 \
		--minimal "$@"
}

# Where the knob is missing the kernel is older than it, or has no io_uring.
uring() {
	local knob=/proc/sys/kernel/io_uring_disabled

	if [ -e $knob ]; then
		[ "$(cat $knob)" != 2 ]
	else
		! kver_ge 6.6
	fi
}

for sector in 512 4096; do
	BS=$sector
	sse_create dmsse-io "$(sse_line "$DISK" aes-xts-plain64 "$REF" 0 0 "sector_size:$sector")" ||
		bail "no device"
	check "sector_size:$sector, libaio, QD 1, direct" run_fio --ioengine=libaio --direct=1 --iodepth=1
	check "sector_size:$sector, libaio, QD 32, direct" run_fio --ioengine=libaio --direct=1 --iodepth=32
	if uring; then
		check "sector_size:$sector, io_uring, QD 32, direct" \
			run_fio --ioengine=io_uring --direct=1 --iodepth=32
		check "sector_size:$sector, io_uring, QD 1, buffered" \
			run_fio --ioengine=io_uring --direct=0 --iodepth=1 --end_fsync=1
	else
		skip "sector_size:$sector, io_uring, QD 32, direct" "io_uring is disabled, or not in this kernel"
		skip "sector_size:$sector, io_uring, QD 1, buffered" "io_uring is disabled, or not in this kernel"
	fi
	check "sector_size:$sector, libaio, QD 32, buffered" \
		run_fio --ioengine=libaio --direct=0 --iodepth=32 --end_fsync=1
	is "sector_size:$sector, no error was counted" \
		"$(word dmsse-io crypt_errors) $(word dmsse-io io_errors)" "0 0"
	dm_remove dmsse-io
done

### A single bio larger than what a write may bounce at once

sse_create dmsse-io "$(sse_line "$DISK" aes-xts-plain64 "$REF" 0 0)" || bail "no device"
head -c 8M /dev/urandom >"$WORK/data"
check "8 MiB in one direct write" dd if="$WORK/data" of=$MAP bs=8M oflag=direct conv=notrunc
check "... reads back in one" cmp "$WORK/data" <(dd if=$MAP bs=8M count=1 iflag=direct status=none)
check "... and in 512-byte reads" cmp -n 65536 "$WORK/data" \
	<(dd if=$MAP bs=512 count=128 iflag=direct status=none)
cmp -s -n 65536 "$WORK/data" "$DISK"
is "the disk below holds something else" $? 1

### Not aligned

dm_remove dmsse-io
sse_create dmsse-io "$(sse_line "$DISK" aes-xts-plain64 "$REF" 0 0 sector_size:4096)" || bail "no device"
dd if="$WORK/data" of=$MAP bs=1M count=1 oflag=direct conv=notrunc status=none
refute "a direct read of 512 bytes fails with sector_size:4096" \
	dd if=$MAP of=/dev/null bs=512 count=1 iflag=direct
refute "a direct write of 512 bytes fails with sector_size:4096" \
	dd if="$WORK/data" of=$MAP bs=512 count=1 seek=3 oflag=direct conv=notrunc
refute "so does one of 4096 bytes at 512" \
	dd if="$WORK/data" of=$MAP bs=4096 count=1 seek=512 oflag=direct,seek_bytes conv=notrunc
check "nothing was written" cmp -n 1048576 "$WORK/data" \
	<(dd if=$MAP bs=1M count=1 iflag=direct status=none)

# The block layer stops the ones above. A linear device on top whose start is
# not a multiple of a sector gets through to the target.
if dmsetup create dmsse-skew --table "0 64 linear $MAP 1" 2>/dev/null; then
	at_exit "dm_remove dmsse-skew"
	dd if=/dev/mapper/dmsse-skew of=/dev/null bs=4096 count=1 iflag=direct 2>/dev/null
	is "a bio in the middle of an encryption sector fails" $? 1
	dm_remove dmsse-skew
	check "the next good one works" cmp -n 4096 "$WORK/data" $MAP
else
	ok "device-mapper refuses a device that begins in the middle of an encryption sector"
	check "the next good one works" cmp -n 4096 "$WORK/data" $MAP
fi
dm_remove dmsse-io

### Flush and FUA

# dm-log-writes below keeps every bio with its flags.
if have_module dm-log-writes; then
	make_disk WRITELOG 8
	make_disk SMALL 4
	dm_create dmsse-log "0 $(sectors "$SMALL") log-writes $SMALL $WRITELOG" || bail "no log-writes"
	sse_create dmsse-io "$(sse_line /dev/mapper/dmsse-log aes-xts-plain64 "$REF")"
	BEFORE=$(word dmsse-io flush_bios)
	dd if="$WORK/data" of=$MAP bs=4096 count=1 oflag=direct conv=notrunc,fsync status=none
	is "fsync is one flush" $(($(word dmsse-io flush_bios) - BEFORE)) 1
	# A write with O_DIRECT and O_DSYNC carries FUA; log-writes takes it as it is.
	dd if="$WORK/data" of=$MAP bs=4096 count=1 seek=1 oflag=direct,dsync conv=notrunc status=none
	dmsetup message dmsse-log 0 mark dmsse-end
	dm_remove dmsse-io
	dm_remove dmsse-log
	# Log entries, of {sector, sectors, flags, length of inline data}, begin at
	# the second block and take one each, followed by their data. Flag 1 is
	# flush, 2 FUA, 4 discard, 8 mark.
	NR=$(od -An -tu8 -j 16 -N 8 "$WRITELOG" | tr -d ' ')
	at=1 FLUSH=0 FUA=0
	for ((i = 0; i < NR; i++)); do
		read -r _ count flags _ < <(od -An -tu8 -w32 -j $((at * 512)) -N 32 "$WRITELOG")
		FLUSH=$((FLUSH + (flags & 1)))
		FUA=$((FUA + (flags >> 1 & 1)))
		at=$((at + 1 + (flags & 12 ? 0 : count)))
	done
	is "the flush reached the device below" "$((FLUSH > 0))" 1
	is "O_DSYNC reached it as FUA" "$((FUA > 0))" 1
else
	skip "fsync is one flush" "no dm-log-writes"
	skip "the flush reached the device below" "no dm-log-writes"
	skip "O_DSYNC reached it as FUA" "no dm-log-writes"
fi

### Zeroes

sse_create dmsse-io "$(sse_line "$DISK" aes-xts-plain64 "$REF")" || bail "no device"
dd if="$WORK/data" of=$MAP bs=1M count=2 oflag=direct conv=notrunc status=none
check "blkdiscard -z" blkdiscard -f -z -o 0 -l 1048576 $MAP
check "zeroes read back" cmp -n 1048576 /dev/zero $MAP
check "what is behind them is not touched" \
	cmp -n 1048576 -i 1048576 "$WORK/data" $MAP
ZERO_SECTORS=0
for ((i = 0; i < 16; i++)); do
	cmp -s -n 512 -i $((i * 65536)):0 "$DISK" /dev/zero && ZERO_SECTORS=$((ZERO_SECTORS + 1))
done
is "they are encrypted on the disk" "$ZERO_SECTORS" 0
refute "secure erase is declined without allow_discards" blkdiscard -f -s -o 0 -l 4096 $MAP
dm_remove dmsse-io

### A crypto driver that completes later

if have_module cryptd; then
	# Naming the template makes the crypto API put it together.
	ASYNC='capi:cryptd(xts(ecb(aes-generic)))-plain64'
	PLAIN=aes-xts-plain64
	BS=512
	sse_create dmsse-io "$(sse_line "$DISK" $PLAIN "$REF")"
	dd if="$WORK/data" of=$MAP bs=1M count=4 oflag=direct conv=notrunc status=none
	dm_remove dmsse-io
	if sse_create dmsse-io "$(sse_line "$DISK" "$ASYNC" "$REF")" 2>"$WORK/async"; then
		like "a cryptd driver is used" "$(word dmsse-io inner_driver)" '^cryptd'
		check "it reads what another driver wrote" cmp -n 4194304 "$WORK/data" \
			<(dd if=$MAP bs=1M count=4 iflag=direct status=none)
		check "it writes, QD 32" run_fio --ioengine=libaio --direct=1 --iodepth=32
		dm_remove dmsse-io
	else
		fail "a cryptd driver is used" "$(dmesg -t | tail -n 2)"
		skip "it reads what another driver wrote" "no cryptd driver"
		skip "it writes, QD 32" "no cryptd driver"
	fi
else
	skip "a cryptd driver is used" "no cryptd"
	skip "it reads what another driver wrote" "no cryptd"
	skip "it writes, QD 32" "no cryptd"
fi

done_testing
