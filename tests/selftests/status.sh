#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The status line: documented words, counters that count, a table that comes
# back, and what IMA measures.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

load_module
load_key status 64
make_disk DISK 4 null
MAP=/dev/mapper/dmsse-status

# For a known number of bios.
io() {
	dd "$@" status=none
}

counters() {
	local name

	for name in read_bios read_sectors write_bios write_sectors discard_bios flush_bios \
		crypt_errors io_errors; do
		printf '%s ' "$(word dmsse-status $name)"
	done
}

# Runs CMD; the counters' growth goes to DELTA.
delta() {
	local -a before after
	local i

	read -ra before < <(counters)
	"$@"
	read -ra after < <(counters)
	DELTA=
	for ((i = 0; i < ${#after[@]}; i++)); do
		DELTA+="$((after[i] - before[i])) "
	done
	DELTA=${DELTA% }
}

sse_create dmsse-status "$(sse_line "$DISK" aes-xts-plain64 "$REF")" || bail "no device"
# Whoever looks at a new block device has done so.
wait_for 5 test -b $MAP
blockdev --flushbufs $MAP

NUM='[0-9]+'
like "INFO has the documented words in order" "$(dmsetup status dmsse-status)" \
	"^0 8192 sse active layers:1 inner:keyed inner_driver:[^ ]+ read_bios:$NUM read_sectors:$NUM write_bios:$NUM write_sectors:$NUM discard_bios:$NUM flush_bios:$NUM crypt_errors:$NUM io_errors:$NUM queued_bios:$NUM bounce_waits:$NUM( [a-z_]+:[^ ]+)*$"
like "the driver is one of the kernel's" "$(grep -c "^driver *: $(word dmsse-status inner_driver)\$" /proc/crypto)" '^[1-9]'

delta io if=/dev/zero of=$MAP bs=4096 count=10 oflag=direct conv=notrunc
is "ten writes of 8 sectors" "$DELTA" "0 0 10 80 0 0 0 0"
delta io if=$MAP of=/dev/null bs=8192 count=7 iflag=direct
is "seven reads of 16 sectors" "$DELTA" "7 112 0 0 0 0 0 0"
delta io if=/dev/zero of=$MAP bs=512 count=1 oflag=direct conv=notrunc
is "one write of a sector" "$DELTA" "0 0 1 1 0 0 0 0"
delta io if=/dev/zero of=$MAP bs=1M count=1 oflag=direct conv=notrunc
like "a long write counts all its sectors, in pieces" "$DELTA" '^0 0 [1-9][0-9]* 2048 0 0 0 0$'

BEFORE=$(counters)
dmsetup suspend dmsse-status
like "suspended" "$(dmsetup status dmsse-status)" ' sse suspended layers:1 inner:keyed '
dmsetup message dmsse-status 0 key wipe
like "without a key" "$(dmsetup status dmsse-status)" ' sse no-key layers:1 inner:no-key '
dmsetup message dmsse-status 0 key set "$REF"
like "with a key again" "$(dmsetup status dmsse-status)" ' sse suspended layers:1 inner:keyed '
dmsetup resume dmsse-status
like "active" "$(dmsetup status dmsse-status)" ' sse active '
is "suspending counts nothing and forgets nothing" "$(counters)" "$BEFORE"

LINE=$(dmsetup table dmsse-status)
dm_remove dmsse-status
check "what table shows makes the same device" dm_create dmsse-status "$LINE"
is "... with the same table" "$(dmsetup table dmsse-status)" "$LINE"
dm_remove dmsse-status

# Discards and flushes, where the disk has them.
make_disk LOOP 4
sse_create dmsse-status "$(sse_line "$LOOP" aes-xts-plain64 "$REF" 0 0 allow_discards)"
blockdev --flushbufs $MAP
delta io if=/dev/zero of=$MAP bs=4096 count=1 oflag=direct conv=notrunc,fsync
is "a write and a flush" "$DELTA" "0 0 1 8 0 1 0 0"
delta blkdiscard -f -o 0 -l 65536 $MAP
is "one discard" "$DELTA" "0 0 0 0 1 0 0 0"
dm_remove dmsse-status

### What IMA measures

# The policy can be written once, by whoever comes first; in a VM of the rig
# that is us. Elsewhere it is not ours to change.
IMA=/sys/kernel/security/ima
if [ -n "${DMSSE_RIG:-}" ] && ! grep -q ' dm_table_load ' $IMA/ascii_runtime_measurements 2>/dev/null &&
	[ -w $IMA/policy ]; then
	echo 'measure func=CRITICAL_DATA label=device-mapper template=ima-buf' >$IMA/policy 2>/dev/null
fi
sse_create dmsse-status "$(sse_line "$DISK" aes-xts-plain64 "$REF" 8 0 sector_size:4096)"
if grep -q ' dm_table_load ' $IMA/ascii_runtime_measurements 2>/dev/null; then
	# shellcheck disable=SC2059
	TEXT=$(printf "$(grep ' dm_table_load ' $IMA/ascii_runtime_measurements | tail -n 1 |
		awk '{print $NF}' | sed 's/../\\x&/g')")
	like "IMA: the target and its version" "$TEXT" 'target_name=sse,target_version=[0-9.]+,'
	like "IMA: the layer" "$TEXT" ',inner_cipher=aes-xts-plain64,inner_key_size=64,inner_iv_offset=8,'
	like "IMA: the options" "$TEXT" ',allow_discards=n,.*sector_size=4096,iv_large_sectors=n,key_lease=n;'
	unlike "IMA: no key reference" "$TEXT" 'dmsse:status'
else
	for name in "the target and its version" "the layer" "the options" "no key reference"; do
		skip "IMA: $name" "IMA measures no tables here (ima_policy=critical_data)"
	done
fi
dm_remove dmsse-status

done_testing
