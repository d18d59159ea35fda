#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# On top of other block devices, and below others.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

need_cmd fio
load_module
load_key stacked 64
TOP=/dev/mapper/dmsse-top
MAP=/dev/mapper/dmsse-stack

verify() {
	fio --name=stack --filename="$1" --size=3M --rw=randwrite --bsrange=4k-64k --blockalign=4k \
		--ioengine=libaio --direct=1 --iodepth=8 --verify=crc32c --verify_fatal=1 --minimal
}

# NAME DEVICE: the target on it.
on() {
	sse_create dmsse-stack "$(sse_line "$2" aes-xts-plain64 "$REF" 0 0 sector_size:4096)" ||
		bail "no device on $1"
	check "on $1" verify $MAP
	is "on $1: no errors were counted" \
		"$(word dmsse-stack crypt_errors) $(word dmsse-stack io_errors)" "0 0"
	dm_remove dmsse-stack
}

_nbd_ready() {
	[ "$(sectors /dev/nbd0)" -gt 0 ]
}

make_disk LOOP 16
make_disk NULL 16 null
on loop "$LOOP"
on null_blk "$NULL"

at_exit "dm_remove dmsse-linear"
printf '%s\n' "0 4096 linear $LOOP 8" "4096 8192 linear $NULL 0" | dmsetup create dmsse-linear ||
	bail "no linear"
on "linear over two disks" /dev/mapper/dmsse-linear
dm_remove dmsse-linear

# Itself, and dm-crypt, in turn.
sse_create dmsse-inner "$(sse_line "$LOOP" aes-xts-plain64 "$REF")"
on "another sse" /dev/mapper/dmsse-inner
dm_remove dmsse-inner
if have_module dm-crypt; then
	crypt_create dmsse-inner "0 $(sectors "$LOOP") crypt aes-xts-plain64 $REF 0 $LOOP 0"
	on crypt /dev/mapper/dmsse-inner
	dm_remove dmsse-inner
else
	skip "on crypt" "no dm-crypt"
fi

if have_module dm-thin-pool; then
	make_disk META 4
	dd if=/dev/zero of="$META" bs=4096 count=1 status=none
	dm_create dmsse-pool "0 32768 thin-pool $META $NULL 128 0 1 skip_block_zeroing" || bail "no pool"
	dmsetup message dmsse-pool 0 "create_thin 0"
	dm_create dmsse-thin "0 16384 thin /dev/mapper/dmsse-pool 0" || bail "no thin volume"
	on thin /dev/mapper/dmsse-thin
	dmsetup message dmsse-pool 0 "create_thin 1"
	# A snapshot keeps what the device held.
	sse_create dmsse-stack "$(sse_line /dev/mapper/dmsse-thin aes-xts-plain64 "$REF" 0 0 sector_size:4096)"
	head -c 1M /dev/urandom >"$WORK/data"
	dd if="$WORK/data" of=$MAP bs=1M oflag=direct conv=notrunc status=none
	dmsetup suspend dmsse-stack
	dmsetup suspend dmsse-thin
	dmsetup message dmsse-pool 0 "create_snap 2 0"
	dmsetup resume dmsse-thin
	dmsetup resume dmsse-stack
	check "on thin: a snapshot is taken" dm_create dmsse-snap "0 16384 thin /dev/mapper/dmsse-pool 2"
	dd if=/dev/zero of=$MAP bs=1M count=1 oflag=direct conv=notrunc status=none
	dm_remove dmsse-stack
	sse_create dmsse-stack "$(sse_line /dev/mapper/dmsse-snap aes-xts-plain64 "$REF" 0 0 sector_size:4096)"
	check "on thin: the snapshot has the old data" cmp "$WORK/data" \
		<(dd if=$MAP bs=1M count=1 iflag=direct status=none)
	dm_remove dmsse-stack
	dm_remove dmsse-snap
	dm_remove dmsse-thin
	dm_remove dmsse-pool
else
	skip "on thin" "no dm-thin-pool"
fi

if have_module nbd && command -v nbd-server >/dev/null && command -v nbd-client >/dev/null; then
	truncate -s 16M "$WORK/nbd"
	cat >"$WORK/nbd.conf" <<-CONF
		[generic]
		unixsock = $WORK/nbd.sock
		[disk]
		exportname = $WORK/nbd
		flush = true
	CONF
	nbd-server -C "$WORK/nbd.conf" -p "$WORK/nbd.pid" -d >"$WORK/nbd.log" 2>&1 &
	SERVER=$!
	at_exit "kill $SERVER 2>/dev/null; wait $SERVER 2>/dev/null || :"
	wait_for 10 test -S "$WORK/nbd.sock"
	if nbd-client -unix "$WORK/nbd.sock" /dev/nbd0 -N disk >"$WORK/nbd.out" 2>&1; then
		at_exit "nbd-client -d /dev/nbd0"
		wait_for 10 _nbd_ready
		on nbd /dev/nbd0
	else
		fail "on nbd" "$(cat "$WORK/nbd.out" "$WORK/nbd.log")"
	fi
else
	skip "on nbd" "no nbd here"
fi

### Below others

sse_create dmsse-stack "$(sse_line "$LOOP" aes-xts-plain64 "$REF" 0 0 sector_size:4096)"
dm_create dmsse-top "0 16384 linear $MAP 8"
check "below linear" verify $TOP
dm_remove dmsse-top

if have_module dm-mirror; then
	sse_create dmsse-leg "$(sse_line "$NULL" aes-xts-plain64 "$REF" 0 0 sector_size:4096)"
	dm_create dmsse-top "0 16384 mirror core 2 1024 nosync 2 $MAP 0 /dev/mapper/dmsse-leg 0" || bail "no mirror"
	check "below mirror" verify $TOP
	dm_remove dmsse-top
	check "below mirror: both legs are the same" cmp -n $((3 << 20)) $MAP /dev/mapper/dmsse-leg
	dm_remove dmsse-leg
else
	skip "below mirror" "no dm-mirror"
	skip "below mirror: both legs are the same" "no dm-mirror"
fi
dm_remove dmsse-stack

done_testing
