#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Wherever the ciphers run, the data is the same: writes and reads of many sizes,
# at the same time, with each value of the parameter policy and while it changes,
# on devices that complete in a hardirq, in a softirq and where they were asked;
# dm-crypt reads what was written, and writes what is read. Further that each
# value does what it says, and that pages which were kept for later writes are
# given back.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

need_cmd fio xargs
load_module
need_module dm-crypt
load_key inner 64
REF64=$REF
load_key outer 32
REF32=$REF
ADIANTUM='capi:adiantum(xchacha12,aes)-plain64'
MAP=/dev/mapper/dmsse-policy
ORACLE=/dev/mapper/dmsse-oracle
POLICY=/sys/module/dm_sse/parameters/policy
WAS=$(cat $POLICY)
at_exit "echo $WAS >$POLICY"

policy() {
	echo "$1" >$POLICY
}

### Data

# All of the disk in pieces of 4 KiB to 2 MiB, small and large ones alike: for
# each the words for dd, which reads or writes it in one go.
MIB=4
cut_up() {
	local at=0 size sizes=(1 2 3 7 16 25 64 75 256 512 1 9 17 40 128)

	while [ $at -lt $((MIB << 20)) ]; do
		size=$((sizes[RANDOM % ${#sizes[@]}] << 12))
		[ $((at + size)) -le $((MIB << 20)) ] || size=$(((MIB << 20) - at))
		echo "bs=$size skip=$at seek=$at"
		at=$((at + size))
	done
}
RANDOM=$$
head -c ${MIB}M /dev/urandom >"$WORK/data"

# DEVICE: the pieces in random order, three of them at any time.
write_pieces() {
	cut_up | shuf | xargs -P 3 -L 1 dd if="$WORK/data" of="$1" iflag=skip_bytes,fullblock \
		oflag=direct,seek_bytes count=1 conv=notrunc status=none
}

read_pieces() {
	rm -f "$WORK/got"
	truncate -s ${MIB}M "$WORK/got"
	cut_up | shuf | xargs -P 3 -L 1 dd if="$1" of="$WORK/got" iflag=direct,skip_bytes \
		oflag=seek_bytes count=1 conv=notrunc status=none
	cmp -s "$WORK/got" "$WORK/data"
}

holds_data() {
	dd if="$1" bs=1M iflag=direct status=none | cmp -s - "$WORK/data"
}

put_data() {
	dd if="$WORK/data" of="$1" bs=1M oflag=direct conv=notrunc status=none
}

# LAYERS DISK
create() {
	local sse="aes-xts-plain64 $REF64 0 $2 0" size

	size=$(sectors "$2")
	if [ "$1" = 2 ]; then
		dm_create dmsse-policy "0 $size sse $sse 5 sector_size:4096 outer $ADIANTUM $REF32 0" &&
			dm_create dmsse-below "0 $size crypt $ADIANTUM $REF32 0 $2 0 1 sector_size:4096" &&
			dm_create dmsse-oracle "0 $size crypt aes-xts-plain64 $REF64 0 /dev/mapper/dmsse-below 0 1 sector_size:4096"
	else
		dm_create dmsse-policy "0 $size sse $sse" &&
			dm_create dmsse-oracle "0 $size crypt aes-xts-plain64 $REF64 0 $2 0"
	fi || bail "no devices"
}

remove() {
	dm_remove dmsse-policy
	dm_remove dmsse-oracle
	dm_remove dmsse-below
}

### Both ways

# A policy that changes all the time, until the file is gone.
keep_switching() {
	while [ -e "$WORK/switching" ]; do
		for value in spread auto here; do
			policy $value
			sleep 0.02
		done
	done
}

# NAME LAYERS DISK POLICY
both_ways() {
	local wrong='' switcher='' errors

	if [ "$4" = switched ]; then
		: >"$WORK/switching"
		keep_switching &
		switcher=$!
	else
		policy "$4"
	fi
	# What is there before must not be what is wanted.
	dd if=/dev/zero of="$3" bs=1M oflag=direct status=none 2>/dev/null
	write_pieces $MAP || wrong="can't write"
	holds_data $ORACLE || wrong+=" dm-crypt reads something else"
	dd if=/dev/zero of="$3" bs=1M oflag=direct status=none 2>/dev/null
	put_data $ORACLE
	read_pieces $MAP || wrong+=" reads give something else"
	if [ -n "$switcher" ]; then
		rm "$WORK/switching"
		wait $switcher
	fi
	errors=$(word dmsse-policy crypt_errors)$(word dmsse-policy io_errors)
	[ "$errors" = 00 ] || wrong+=" errors are counted"
	is "$1, $2 layers, $4: what was written dm-crypt reads, what dm-crypt wrote is read" "$wrong" ""
}

make_disk HARDIRQ $MIB null irqmode=2 completion_nsec=20000
make_disk SOFTIRQ $MIB null irqmode=1
make_disk INLINE $MIB loop

for layers in 1 2; do
	for disk in HARDIRQ SOFTIRQ INLINE; do
		create $layers "${!disk}"
		for policy in auto here spread switched; do
			both_ways "$disk" $layers "${!disk}" $policy
		done
		remove
	done
done

### Many at a time, while the policy changes

create 2 "$HARDIRQ"
: >"$WORK/switching"
keep_switching &
SWITCHER=$!
check "32 at a time while the policy changes" fio --name=policy --filename=$MAP --size=${MIB}M \
	--verify=crc32c --verify_fatal=1 --rw=randwrite --bsrange=4k-1m --blockalign=4k --randseed=1 \
	--ioengine=libaio --direct=1 --iodepth=32 --minimal
rm "$WORK/switching"
wait $SWITCHER
remove

### What each value does

open_trace
EVENT=$TRACE/events/workqueue/workqueue_queue_work/enable
SHRINK=$TRACE/events/vmscan/mm_shrink_slab_start/enable
[ ! -w $EVENT ] || echo 1 >$EVENT

# DEVICE: reads of one bio each, one after the other; how many were queued?
queued_reads() {
	local before

	before=$(word dmsse-policy queued_bios)
	dd if=$MAP of=/dev/null bs=8k count=20 iflag=direct status=none
	echo $(($(word dmsse-policy queued_bios) - before))
}

# DD-ARGS...: helpers that were asked for during a write.
helpers() {
	: >$TRACE/trace
	echo 1 >$TRACE/tracing_on
	dd if=/dev/zero of=$MAP bs=1M oflag=direct conv=notrunc status=none "$@"
	echo 0 >$TRACE/tracing_on
	grep -c 'function=help.*\[dm_sse\]' $TRACE/trace
}

for disk in HARDIRQ SOFTIRQ INLINE; do
	create 1 "${!disk}"
	# Nothing can be decrypted in a hardirq.
	[ $disk = HARDIRQ ] && none=20 || none=0
	policy here
	is "$disk, here: reads are queued where they must be" "$(queued_reads)" "$none"
	policy spread
	# A read has 2 KiB at most then, so that a part of a read is one, too.
	is "$disk, spread: all reads are queued" "$(queued_reads)" 80
	if [ -w $EVENT ]; then
		policy here
		is "$disk, here: no write has helpers" "$(helpers count=4)" 0
		policy spread
		# Each bio of 256 KiB asks for three; a helper that is queued may be
		# asked for once more only when it has run.
		is "$disk, spread: each large write has helpers" "$(helpers count=4)" 48
		is "... and one of two sectors, too" "$(helpers bs=1k count=4)" 12
		is "... but none of a single sector" "$(helpers bs=512 count=4)" 0
	else
		for name in "here: no write has" "spread: each large write has"; do
			skip "$disk, $name helpers" "no trace events of workqueues"
		done
	fi
	remove
done

# Helpers may come too late, and then up to 63 writes of 256 KiB do without.
policy auto
create 1 "$INLINE"
if [ "$(nproc)" -gt 1 ] && [ -w $EVENT ]; then
	is "auto: a large write has helpers" "$((0$(for i in 1 2 3 4 5; do printf +%s "$(helpers count=4)"; done) > 0))" 1
	is "auto: one of 512 bytes has none" "$(helpers bs=512 count=4)" 0
	before=$(word dmsse-policy queued_bios)
	dd if=$MAP of=/dev/null bs=2M count=1 iflag=direct status=none
	is "auto: of a large read another CPU has a part" \
		"$(($(word dmsse-policy queued_bios) > before))" 1
else
	skip "auto: a large write has helpers" "no other CPU, or no trace events"
fi
remove
[ ! -w $EVENT ] || echo 0 >$EVENT

### Values

for value in auto here spread; do
	policy $value
	is "policy is $value" "$(cat $POLICY)" $value
done
for value in nonsense AUTO "" "here spread" 0; do
	dmesg_mark
	refute "policy '$value' is refused" policy "$value" 2>/dev/null
	is "... in one line" "$(dmesg_since | grep -v '^dm-sse-selftest')" \
		"dm-sse: policy '$value' is not known: use auto, here or spread"
	is "... and changes nothing" "$(cat $POLICY)" spread
done
policy auto
perl -e 'open(my $f, ">", $ARGV[0]); syswrite($f, "nonsense") // exit 0 + $!' $POLICY
is "the error is EINVAL" $? 22
if [ -n "${DMSSE_MODULE:-}" ]; then
	unload_module
	dmesg_mark
	refute "the module isn't loaded with it" _insert_module policy=nonsense
	like "... and says so" "$(dmesg_since)" "policy 'nonsense' is not known"
	# shellcheck disable=SC2119 # as it was
	reload_module
	[ -z "$WAS" ] || policy "$WAS"
else
	skip "the module isn't loaded with it" "it is the system's"
fi

### Pages that were kept

# Single pages that the shrinker says it has, of the first time that it is asked,
# which it is by this command until it has none. It isn't asked further then, so
# no event is 0.
piled() {
	: >$TRACE/trace
	echo 1 >$TRACE/tracing_on
	echo 2 >/proc/sys/vm/drop_caches
	echo 0 >$TRACE/tracing_on
	grep -m 1 'shrink_scan.*\[dm_sse\]' $TRACE/trace | sed 's/.*cache items \([0-9]*\).*/\1/' | grep . || echo 0
}

if [ -w $SHRINK ]; then
	echo 1 >$SHRINK
	create 1 "$INLINE"
	put_data $MAP
	is "pages of writes are kept" "$(($(piled) > 0))" 1
	is "... until there is no memory for them" "$(piled)" 0
	put_data $MAP
	check "writes go on" holds_data $MAP
	is "... and keep pages again" "$(($(piled) > 0))" 1
	put_data $MAP
	dm_remove dmsse-oracle
	dm_remove dmsse-policy
	is "without a device none are kept" "$(piled)" 0
	remove
	echo 0 >$SHRINK
else
	for name in "pages of writes are kept" "... until there is no memory for them" "writes go on" \
		"... and keep pages again" "without a device none are kept"; do
		skip "$name" "no trace events of shrinkers"
	done
fi

done_testing
