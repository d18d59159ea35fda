#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Many devices on one host, $DMSSE_MANY of them (100; 1,000 with DMSSE_FULL=1), each
# on a slice of one disk: all work, none needs a thread or a workqueue of its own,
# a key that ends takes all of them away and another brings them back, and what
# they took is given back.
#
# It tells what a device takes beside one of dm-crypt, and one of dm-linear, which
# is device-mapper's own part; DMSSE_KINDS says of which kinds. Nothing is asserted
# that depends on speed.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

need_cmd fio
need_dmbatch
load_module
need_module dm-crypt null_blk
modprobe -q adiantum

if [ "${DMSSE_FULL:-0}" = 1 ]; then
	WANTED=${DMSSE_MANY:-1000}
else
	WANTED=${DMSSE_MANY:-100}
fi
SLICE=128 # sectors
SLICE_KIB=$((SLICE / 2))
OUTER='capi:adiantum(xchacha12,aes)-plain64'
CPUS=$(getconf _NPROCESSORS_CONF)

available() {
	sync
	echo 3 >/proc/sys/vm/drop_caches
	awk '$1 == "MemAvailable:" { print $2 }' /proc/meminfo
}

# A device of dm-crypt has 1 MiB in reserve; the disk and fio want some as well.
MANY=$((($(available) - 131072) / (1280 + SLICE_KIB)))
[ "$MANY" -le "$WANTED" ] || MANY=$WANTED
[ "$MANY" -ge 20 ] || skip_all "there is memory for $MANY devices only"
if [ "$MANY" = "$WANTED" ]; then
	ok "$WANTED devices"
else
	skip "$WANTED devices" "there is memory for $MANY"
fi

# Memory of the disk's own is none of what is measured: there is nothing it lacks.
make_disk DISK $((MANY * SLICE / 2048 + 1)) null
dd if=/dev/urandom of="$DISK" bs=1M oflag=direct status=none 2>/dev/null
ulimit -n $((MANY + 256))

### Kinds of devices

load_key inner 64
INNER_REF=$REF
load_key outer 32
OUTER_REF=$REF

# KIND INDEX: sets LINE, its table; without a shell of its own for each.
line() {
	local sse="sse aes-xts-plain64 $INNER_REF 0 $DISK $(($2 * SLICE))"

	case $1 in
	linear)		LINE="linear $DISK $(($2 * SLICE))" ;;
	crypt)		LINE=${sse/sse/crypt} ;;
	one)		LINE=$sse ;;
	one-lease)	LINE="$sse 2 key_lease error" ;;
	two)		LINE="$sse 4 outer $OUTER $OUTER_REF 0" ;;
	two-lease)	LINE="$sse 6 key_lease error outer $OUTER $OUTER_REF 0" ;;
	esac
	LINE="0 $SLICE $LINE"
}

# COMMAND [TEXT]: for all devices; its answers, one a line.
for_all() {
	local i

	for ((i = 0; i < MANY; i++)); do
		printf '%s\tdmsse-scale-%d%s\n' "$1" "$i" "${2:+$'\t'$2}"
	done | "$DMBATCH"
}

# Sets DEV: the number of each device; FIRST and LAST: what the first ten and the
# last ten took, in microseconds each.
create_all() {
	local i answers clocks

	for ((i = 0; i < MANY; i++)); do
		[ $i != 0 ] && [ $i != 10 ] && [ $i != $((MANY - 10)) ] || echo clock
		line "$1" $i
		printf 'create\tdmsse-scale-%d\nload\tdmsse-scale-%d\t%s\nresume\tdmsse-scale-%d\n' \
			$i $i "$LINE" $i
	done >"$WORK/commands"
	echo clock >>"$WORK/commands"
	"$DMBATCH" <"$WORK/commands" >"$WORK/answers"
	paste "$WORK/commands" "$WORK/answers" >"$WORK/both"
	answers=$(awk -F '\t' '$1 == "create" { print $NF }' "$WORK/both")
	mapfile -t DEV <<<"$answers"
	clocks=$(awk -F '\t' '$1 == "clock" { print $NF }' "$WORK/both")
	mapfile -t clocks <<<"$clocks"
	FIRST=$(((clocks[1] - clocks[0]) / 10000))
	LAST=$(((clocks[3] - clocks[2]) / 10000))
	! grep -vqE '^0(	|$)' "$WORK/answers"
}

remove_all() {
	! for_all remove | grep -vx 0
}
at_exit "for_all remove >/dev/null"

### What they take

# Fields of /proc/meminfo in KiB, kernel threads that no pool of workers has, those
# that one has, and workqueues that sysfs tells of. In newer kernels the rescuer of
# a workqueue has a worker's name, with an R.
sample() {
	local -n _sample=$1
	local field value names

	_sample=([available]=$(available))
	while read -r field value _; do
		_sample[${field%:}]=$value
	done </proc/meminfo
	names=$(cat /proc/[0-9]*/stat 2>/dev/null | sed -n 's/^[0-9]* (\(.*\)) . \([0-9]*\) .*/\2 \1/p' |
		awk '$1 == 2 { print $2 }')
	_sample["workers"]=$(grep -cE '^kworker/(u?[0-9])' <<<"$names")
	_sample["threads"]=$(($(wc -l <<<"$names") - _sample["workers"]))
	_sample["queues"]=$(find /sys/bus/workqueue/devices -mindepth 1 2>/dev/null | wc -l)
}
declare -A NONE=() IDLE=() USED=()

# TEXT: of all devices, as a fraction of one.
each() {
	awk -v n="$1" -v many="$MANY" 'BEGIN { printf "%.1f", n / many }'
}

tell() {
	diag "$1: a device takes $(each $((NONE[available] - IDLE[available]))) KiB, with I/O" \
		"$(each $((NONE[available] - USED[available]))) KiB: slab $(each $((USED[Slab] - NONE[Slab])))," \
		"per-CPU $(each $((USED[Percpu] - NONE[Percpu])))," \
		"stacks $(each $((USED[KernelStack] - NONE[KernelStack]))) KiB"
	diag "$1: the first ten are made in $FIRST us each, the last ten in $LAST us"
	diag "$1: $(each $((IDLE[threads] - NONE[threads]))) threads," \
		"$(each $((IDLE[queues] - NONE[queues]))) workqueues in sysfs a device;" \
		"workers: ${NONE[workers]}, then ${IDLE[workers]}, with I/O ${USED[workers]}"
}

### Data

# All of each is written, and read again. fio takes 4096 characters of names.
use_all() {
	local i list='' jobs=()

	for ((i = 0; i < MANY; i++)); do
		list+=":/dev/dm-${DEV[i]#*:}"
		[ ${#list} -gt 4000 ] || [ $i = $((MANY - 1)) ] || continue
		jobs+=("--name=job$i" "--filename=${list#:}" --stonewall)
		list=
	done
	fio --disk_util=0 --filesize=${SLICE_KIB}k --file_service_type=sequential --rw=write --bs=16k --direct=1 \
		--ioengine=libaio --iodepth=8 --verify=crc32c --verify_fatal=1 --verify_state_save=0 \
		--minimal "${jobs[@]}"
}

# KIND INDEX: it has what dm-crypt has of the same slice, which isn't what the slice
# has.
same() {
	local start=$(($2 * SLICE)) below=/dev/mapper/dmsse-outer rc=0

	case $1 in
	two*)	dmsetup create dmsse-outer \
			--table "0 $SLICE crypt $OUTER $OUTER_REF 0 $DISK $start" || return
		dmsetup create dmsse-judge \
			--table "0 $SLICE crypt aes-xts-plain64 $INNER_REF 0 $below 0" || rc=1
		;;
	*)	dmsetup create dmsse-judge \
			--table "0 $SLICE crypt aes-xts-plain64 $INNER_REF 0 $DISK $start" || return ;;
	esac
	dd if="/dev/dm-${DEV[$2]#*:}" of="$WORK/sse" bs=64k iflag=direct status=none || rc=1
	dd if=/dev/mapper/dmsse-judge of="$WORK/judge" bs=64k iflag=direct status=none || rc=1
	cmp "$WORK/sse" "$WORK/judge" || rc=1
	dd if="$DISK" of="$WORK/below" bs=64k skip="$2" count=1 iflag=direct status=none || rc=1
	! cmp -s "$WORK/sse" "$WORK/below" || rc=1
	dm_remove dmsse-judge
	[[ $1 != two* ]] || dm_remove dmsse-outer
	return $rc
}

all_same() {
	local i

	for i in 0 $((MANY / 2)) $((MANY - 1)); do
		same "$1" $i || return
	done
}

### The key's end

in_state() {
	[ "$(for_all status | grep -cE "^0	[0-9]+ [0-9]+ sse $1 ")" = "$MANY" ]
}

# The log may not have room for what a thousand devices have to say.
look_at_log() {
	is "$1: no complaint from the kernel so far" "$(dmesg_since start | grep -E "$_complaints")" ""
	dmesg_mark start
}

# KIND: its key ends by itself, or is revoked; another of the same bytes is set.
end_and_renew() {
	local key set='key set'

	case $1 in
	one-lease)
		key=$(keyctl search @s logon dmsse:inner)
		keyctl timeout "$key" 1
		;;
	two-lease)
		set+=' inner'
		key=$(keyctl search @s logon dmsse:inner)
		keyctl revoke "$key"
		;;
	esac
	check "$1: without the key all lapse" wait_for 20 in_state lapsed
	is "$1: ... and nothing is to be read" \
		"$(dd if="/dev/dm-${DEV[MANY / 2]#*:}" iflag=direct,nonblock bs=4k count=1 of=/dev/null 2>/dev/null && echo read)" ""
	look_at_log "$1"
	keyctl unlink "$key" @s
	load_key inner 64
	INNER_REF=$REF
	is "$1: all take another" "$(for_all message "$set $REF" | sort | uniq -c | awk '{ print $1, $2 }')" "$MANY 0"
	[ "$1" = one-lease ] ||
		is "$1: ... for the other layer, too" \
			"$(for_all message "key set outer $OUTER_REF" | sort | uniq -c | awk '{ print $1, $2 }')" "$MANY 0"
	check "$1: and go on" wait_for 20 in_state active
	check "$1: with the same data" all_same "$1"
	look_at_log "$1"
}

### One kind after the other

# What a device takes of device-mapper's, for the others to be held against.
BASE_THREADS=

given_back() {
	[ $((NONE[available] - $(available))) -lt $(((NONE[available] - IDLE[available]) / 4 + MANY)) ]
}

# Workers come and go with the load, a few of each pool.
few_workers() {
	[ $((USED[workers] - NONE[workers])) -le $((8 * CPUS + 8)) ]
}

try() {
	local kind=$1 states

	sample NONE
	check "$kind: all are made" create_all "$kind" || return
	sample IDLE
	check "$kind: all take data and give them back" use_all
	sample USED
	tell "$kind"
	states=$(for_all status | grep -c '^0	0 ')
	is "$kind: all tell their status" "$states" "$MANY"
	if [ "$kind" = linear ]; then
		BASE_THREADS=$((IDLE[threads] - NONE[threads]))
	else
		check "$kind: the first, one in the middle and the last have what dm-crypt has" all_same "$kind"
	fi
	case $kind in
	one* | two*)
		is "$kind: all are active" "$(for_all status | grep -c ' sse active ')" "$MANY"
		is "$kind: no thread but device-mapper's" $((IDLE[threads] - NONE[threads])) "$BASE_THREADS"
		is "$kind: no workqueue" $((IDLE[queues] - NONE[queues])) 0
		check "$kind: a few workers for all" few_workers
		;;
	esac
	[[ $kind != *-lease ]] || end_and_renew "$kind"
	check "$kind: all go" remove_all
	check "$kind: what they took is given back" wait_for 30 given_back
}

# The first of all brings in code and slabs that stay.
MANY_WANTED=$MANY
MANY=30
create_all two-lease >/dev/null
remove_all >/dev/null
create_all crypt >/dev/null
remove_all >/dev/null
MANY=$MANY_WANTED

if [ "${DMSSE_FULL:-0}" = 1 ]; then
	KINDS=${DMSSE_KINDS:-one one-lease two two-lease crypt}
else
	KINDS=${DMSSE_KINDS:-one two-lease crypt}
fi
try linear
for kind in $KINDS; do
	try "$kind"
done

done_testing
