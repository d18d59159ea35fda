#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The power fails under file systems whose applications call fsync a lot: what was
# promised is there, whatever else had reached the disk.
#
#	fsyncload -> ext4 or xfs -> sse -> dm-log-writes -> disk
#	    |                                   |
#	 ledgers: what fsync promised         log: replayed up to each flush and FUA
#
# What a cut leaves is opened, as often as not with more writes of those that no flush
# had made durable yet: the file system is mounted, which replays its journal, has all
# that was promised before, and checks clean. Each third time dm-crypt opens it, and
# has to read what the target reads.
#
#	POWERCUT_POINTS=N	at how many flushes of each (default 4); "all"
#	POWERCUT_SEED=N		which ones, and what the load does
#	POWERCUT_OPERATIONS=N	of each process of the load
#	POWERCUT_CASES="FS:LAYERS..."

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

need_module dm-crypt dm-log-writes loop
load_module
REPLAY=$(tool replaylog) || skip_all "the helper replaylog is not built"
LOAD=$(tool fsyncload) || skip_all "the helper fsyncload is not built"

SEED=${POWERCUT_SEED:-$$}
POINTS=${POWERCUT_POINTS:-4}
CASES=${POWERCUT_CASES:-ext4:1 xfs:2}
OPERATIONS=${POWERCUT_OPERATIONS:-30}
if [ "${DMSSE_FULL:-0}" = 1 ]; then
	POINTS=${POWERCUT_POINTS:-all}
	CASES=${POWERCUT_CASES:-ext4:1 ext4:2 xfs:1 xfs:2}
	# Each of their flushes takes a mount and a check.
	OPERATIONS=${POWERCUT_OPERATIONS:-20}
fi
PROCESSES=2
RANDOM=$SEED
diag "POWERCUT_SEED=$SEED"

load_key inner 64
REF64=$REF
load_key outer 32
REF32=$REF
ADIANTUM='capi:adiantum(xchacha12,aes)-plain64'
MAP=/dev/mapper/dmsse-fs
MNT=$WORK/mnt
mkdir "$MNT"

# What fsync isn't waited for is to be on its way as well.
CENTISECS=$(cat /proc/sys/vm/dirty_writeback_centisecs)
at_exit "echo $CENTISECS >/proc/sys/vm/dirty_writeback_centisecs"
echo 5 >/proc/sys/vm/dirty_writeback_centisecs

# DEVICE LAYERS [ro]
open_sse() {
	local opts=sector_size:4096 count=1

	[ "$2" = 1 ] || opts="sector_size:4096 outer $ADIANTUM $REF32 0" count=5
	dmsetup create dmsse-fs ${3:+--readonly} \
		--table "0 $(sectors "$1") sse aes-xts-plain64 $REF64 0 $1 0 $count $opts"
}

open_crypt() {
	local device=$1

	if [ "$2" = 2 ]; then
		dmsetup create dmsse-below \
			--table "0 $(sectors "$1") crypt $ADIANTUM $REF32 0 $1 0 1 sector_size:4096" || return
		device=/dev/mapper/dmsse-below
	fi
	dmsetup create dmsse-fs \
		--table "0 $(sectors "$1") crypt aes-xts-plain64 $REF64 0 $device 0 1 sector_size:4096"
}

close_all() {
	! mountpoint -q "$MNT" || umount "$MNT"
	dm_remove dmsse-fs
	dm_remove dmsse-below
}
at_exit "close_all; dm_remove dmsse-logged"

make_fs() {
	case $1 in
	ext4)
		mkfs.ext4 -q -F -b 4096 -N 512 -J size=4 -E lazy_itable_init=0 $MAP
		;;
	xfs)
		# So small a one is made for tests only, which say so by these.
		TEST_DIR=$MNT TEST_DEV=$MAP QA_CHECK_FS=yes mkfs.xfs -q -f -s size=4096 -l size=8m $MAP
		;;
	esac
}

# What would have to be repaired: nothing.
fs_is_clean() {
	case $1 in
	ext4)	e2fsck -f -n $MAP ;;
	xfs)	xfs_repair -n $MAP ;;
	esac
}

# FS LAYERS MARK...: "" if all that was promised by then is there; else what is wrong.
# What is promised and there is added to $WORK/bytes.
judge() {
	local fs=$1 layers=$2 loop out with=sse
	shift 2

	loop=$(losetup -f --show "$WORK/cut.img") || return
	if [ $((JUDGED % 3)) = 1 ]; then
		with=crypt
		if open_sse "$loop" "$layers" ro; then
			out=$(sha512sum <$MAP)
			dm_remove dmsse-fs
		fi
	fi
	if ! "open_$with" "$loop" "$layers"; then
		echo "can't be opened with $with"
	elif [ $with = crypt ] && [ "$out" != "$(sha512sum <$MAP)" ]; then
		echo "dm-crypt reads something else"
	elif ! out=$(mount -t "$fs" $MAP "$MNT" 2>&1); then
		echo "can't be mounted: $out"
	else
		"$LOAD" verify "$MNT" "$WORK/ledgers" "$@" >>"$WORK/bytes" 2>"$WORK/why" ||
			cat "$WORK/why"
		umount "$MNT" || echo "can't be unmounted"
		out=$(fs_is_clean "$fs" 2>&1) || echo "isn't clean: $out"
	fi
	close_all
	losetup -d "$loop"
}
JUDGED=0

# FS LAYERS: the load, on what is logged; $WORK/replayed has what was there before it.
run_load() {
	local fs=$1 layers=$2 i

	open_sse "$DISK" "$layers" || bail "no device"
	make_fs "$fs" >"$WORK/mkfs" 2>&1 || bail "no $fs: $(cat "$WORK/mkfs")"
	mount -t "$fs" $MAP "$MNT" || bail "can't be mounted"
	for ((i = 0; i < PROCESSES; i++)); do
		mkdir "$MNT/p$i"
	done
	close_all
	dd if="$DISK" of="$WORK/replayed" bs=1M iflag=direct conv=sparse status=none

	dm_create dmsse-logged "0 $(sectors "$DISK") log-writes $DISK $LOG" || bail "no dm-log-writes"
	open_sse /dev/mapper/dmsse-logged "$layers" || bail "no device"
	[ -z "${3:-}" ] || set_cache "$3" || bail "the queue can't be told of a cache"
	mount -t "$fs" $MAP "$MNT" || bail "can't be mounted"
	dmsetup message dmsse-logged 0 mark begin
	rm -rf "$WORK/ledgers"
	mkdir "$WORK/ledgers"
	check "$fs, $layers layer(s): a load runs" \
		"$LOAD" run "$MNT" "$WORK/ledgers" dmsse-logged $((SEED + layers)) "$OPERATIONS" $PROCESSES
	dmsetup message dmsse-logged 0 mark end
	close_all
	dm_remove dmsse-logged
	# What was read of the log before may have stayed cached.
	blockdev --flushbufs "$LOG"
}

# Whether the block layer takes the target for one with a cache, that needs flushes.
set_cache() {
	local node

	node=$(stat -L -c '0x%t 0x%T' $MAP)
	echo "$1" >"/sys/dev/block/$((${node% *})):$((${node#* }))/queue/write_cache"
}

# Of the load's flushes and FUA writes: "NUMBER NEXT SEQ:LAST...", with the number of the
# next one, and for each process its last mark before the one and before the other.
sync_points() {
	$REPLAY "$LOG" syncs | awk -v n=$PROCESSES '
		function point(next_) {
			if (number == "")
				return
			printf "%d %d", number, next_
			for (i = 0; i < n; i++)
				printf " %d:%d", promised[i], seq[i]
			print ""
		}
		$2 == "end" {exit}
		on && $2 ~ /^p/ {split(substr($2, 2), a, ":"); seq[a[1]] = a[2]}
		on && $2 !~ /^p/ {
			point($1)
			number = $1
			for (i = 0; i < n; i++)
				promised[i] = seq[i]
		}
		$2 == "begin" {on = 1}'
}

# Into CHOSEN those of LINES_ that are judged: all, or one by chance in each part of the
# log, and the last. In a subshell bash would have a seed of its own.
choose() {
	local parts each i

	CHOSEN=("${LINES_[@]}")
	if [ "$POINTS" = all ] || [ "$POINTS" -ge ${#LINES_[@]} ]; then
		return
	fi
	CHOSEN=()
	parts=$((POINTS - 1))
	each=$(((${#LINES_[@]} - 1) / parts))
	for ((i = 0; i < parts; i++)); do
		CHOSEN+=("${LINES_[i * each + RANDOM % each]}")
	done
	CHOSEN+=("${LINES_[-1]}")
}

# FS LAYERS
cut_it() {
	local fs=$1 layers=$2 number following seqs marks at=0 half=0 out bad="" bytes

	make_disk DISK 48
	make_disk LOG 256
	run_load "$fs" "$layers"
	mapfile -t LINES_ < <(sync_points)
	check "... the log has its flushes" [ ${#LINES_[@]} -gt "$OPERATIONS" ] || return
	diag "of which there are: $($REPLAY "$LOG" syncs | awk '$2 ~ /^(flush|FUA|flush.FUA)$/ {n[$2]++}
		END {for (i in n) print n[i], i}' | sort | paste -sd ,)"
	choose
	: >"$WORK/bytes"
	while read -r number following seqs; do
		$REPLAY "$LOG" "$WORK/replayed" "$at" $((number + 1))
		at=$((number + 1))
		cp --sparse=always "$WORK/replayed" "$WORK/cut.img"
		# Of those that the next flush makes durable some may have come to the disk, too.
		# These may be of what was begun after promises that are in between.
		half=$((!half))
		read -ra marks <<<"$seqs"
		if [ $half = 1 ]; then
			$REPLAY "$LOG" "$WORK/cut.img" $(((at + following + 1) / 2)) "$following"
		else
			marks=("${marks[@]%:*}")
		fi
		out=$(judge "$fs" "$layers" "${marks[@]}")
		JUDGED=$((JUDGED + 1))
		[ -z "$out" ] || bad+="entry $number, marks ${marks[*]}: $out"$'\n'
	done < <(printf '%s\n' "${CHOSEN[@]}")
	is "... after ${#CHOSEN[@]} of ${#LINES_[@]} of them it is clean, and has what was promised" "$bad" ""
	bytes=$(awk '{n += $1} END {print n + 0}' "$WORK/bytes")
	check "... of which there was something" [ "$bytes" -gt 0 ]
	diag "$fs, $layers layer(s): $bytes bytes were promised, and are there, in ${#CHOSEN[@]} states of the disk"
}

# The counter-proof: with a target that flushes don't reach, fsync has lied.
without_flushes() {
	local fs=$1 layers=$2 out OPERATIONS=10

	make_disk DISK 48
	make_disk LOG 256
	run_load "$fs" "$layers" "write through"
	# Up to the first promise; the load has made it before it made another.
	$REPLAY "$LOG" "$WORK/replayed" 0 "$($REPLAY "$LOG" | awk '$4 == "end" {print $1}')"
	mv "$WORK/replayed" "$WORK/cut.img"
	out=$(judge "$fs" "$layers" "$(grep -c '^\(synced\|written\) ' "$WORK/ledgers/p0")" 0)
	like "... and without flushes what was promised is missed" "$out" "p0/f[0-9]"
	diag "$out"
}

### The judge

# Of ten operations the last is to truncate a file, after two promises about others.
mkdir -p "$WORK/judged/p0" "$WORK/ledgers"
check "the judge: a load without a log" \
	"$LOAD" run "$WORK/judged" "$WORK/ledgers" - 1726 10 1
check "... all that was promised is there" "$LOAD" verify "$WORK/judged" "$WORK/ledgers" 10
check "... what was begun after the next promise may be, where a cut has some of it" \
	"$LOAD" verify "$WORK/judged" "$WORK/ledgers" 8:9
refute "... and where it has not, may not" "$LOAD" verify "$WORK/judged" "$WORK/ledgers" 8

### Cuts

# Set by make_disk.
DISK='' LOG=''
tried=
for case in $CASES; do
	fs=${case%:*}
	if ! have_module "$fs" && ! grep -q "\b$fs\$" /proc/filesystems; then
		skip "$fs" "no $fs in this kernel"
	elif ! command -v "mkfs.$fs" >/dev/null; then
		skip "$fs" "no mkfs.$fs"
	else
		cut_it "$fs" "${case#*:}"
		tried=$case
	fi
done
[ -z "$tried" ] || without_flushes "${tried%:*}" "${tried#*:}"
done_testing
