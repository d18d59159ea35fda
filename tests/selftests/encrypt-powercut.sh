#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The power fails while a disk is encrypted in place, gets a second layer, or is
# decrypted: whatever had reached the disk by then goes on with the same command,
# and has the data in the end.
#
#	encrypt -> disk, and what its header's file lies on
#	                |
#	          dm-log-writes -> device
#	                |
#	               log: replayed write by write onto a copy
#
#	POWERCUT_POINTS=N	at how many writes of each (default 6); "all"
#	POWERCUT_SEED=N		which ones

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

need_cmd cryptsetup mkfs.ext4
need_module dm-crypt dm-log-writes loop
load_module
own_state
REPLAY=$(tool replaylog)

POINTS=${POWERCUT_POINTS:-6}
RANDOM=${POWERCUT_SEED:-$$}
diag "POWERCUT_SEED=${POWERCUT_SEED:-$$}"
MIB=1048576
DATA_MIB=6
# The disk, and behind it a file system for its header's file.
DISK_MIB=14
FILES_MIB=8
LOGGED=/dev/mapper/dmsse-logged
MAP=/dev/mapper/dmsse-cut
FILES=$WORK/files
mkdir "$FILES"

ssesetup() {
	"$SSESETUP" "$@" </dev/null
}

mark() {
	dmsetup message dmsse-logged 0 mark "$1"
}

# DEVICE: its two parts, and the file system mounted.
take_apart() {
	dmsetup create dmsse-disk --table "0 $((DISK_MIB * 2048)) linear $1 0" &&
		dmsetup create dmsse-files --table "0 $((FILES_MIB * 2048)) linear $1 $((DISK_MIB * 2048))" &&
		mount -t ext4 /dev/mapper/dmsse-files "$FILES"
}

put_together() {
	[ ! -b "$MAP" ] || ssesetup close "${MAP##*/}"
	! mountpoint -q "$FILES" || umount "$FILES"
	dm_remove dmsse-disk
	dm_remove dmsse-files
}
at_exit put_together

is_clear() {
	if [ "$1" = outer ]; then
		[ "$(dd if=/dev/mapper/dmsse-disk bs=4 skip=$(($2 / 4)) count=1 status=none | tr -d '\0')" = LUKS ]
	else
		cmp -s -n 4096 "$WORK/data" /dev/mapper/dmsse-disk 0 "$2"
	fi
}

# What the disk holds at last, opened or, if it was decrypted, as it is.
holds_data() {
	local kind=$1 device=/dev/mapper/dmsse-disk

	if [ "$kind" != decrypt ]; then
		ssesetup open "$device" "${MAP##*/}" 2>&1 || return
		device=$MAP
	fi
	cmp -n $((DATA_MIB * MIB)) "$WORK/data" "$device" 2>&1
	[ ! -b "$MAP" ] || ssesetup close "${MAP##*/}"
	# What was moved there to make room for the header: data, or the inner header.
	[ "$kind" = decrypt ] || ! is_clear "$kind" $(((DISK_MIB - 2) * MIB)) ||
		echo "a copy of the first piece is left in clear"
}

# One that was decrypted has no header, and the file went last.
is_over() {
	[ "$1" = decrypt ] && [ ! -e "$FILES/header" ] &&
		cmp -s -n $((DATA_MIB * MIB)) "$WORK/data" /dev/mapper/dmsse-disk
}

# A copy that has what was written by then: "" if all is well.
judge() {
	local kind=$1 out loop

	shift
	cp --sparse=always "$WORK/replayed" "$WORK/cut.img"
	loop=$(losetup -f --show "$WORK/cut.img") || return
	if take_apart "$loop"; then
		if out=$(ssesetup -q "$@" 2>&1) || is_over "$kind"; then
			holds_data "$kind"
		else
			echo "doesn't go on: $out"
		fi
	else
		echo "can't be taken apart"
	fi
	put_together
	losetup -d "$loop"
}

# Into CHOSEN, of the writes 1 to $1: some of the first, in which the header comes to its
# place, of the last, in which it learns that all is done, and some by chance. In a
# subshell bash would have a seed of its own.
choose() {
	local few=$(($1 < 24 ? $1 : 24)) i

	mapfile -t CHOSEN < <(seq 1 "$1")
	if [ "$POINTS" = all ] || [ "$POINTS" -ge "$1" ]; then
		return
	fi
	CHOSEN=()
	for ((i = 0; i < POINTS / 3; i++)); do
		CHOSEN+=($(($1 - RANDOM % few)) $((1 + RANDOM % few)))
	done
	for ((i = ${#CHOSEN[@]}; i < POINTS; i++)); do
		CHOSEN+=($((1 + RANDOM % $1)))
	done
	mapfile -t CHOSEN < <(printf '%s\n' "${CHOSEN[@]}" | sort -nu)
}

# The numbers in the log of the writes between the marks of KIND.
writes_of() {
	$REPLAY "$LOG" | awk -v k="$1" '$4 == "end-" k {exit} on && $3 > 0 {print $1}
		$4 == "begin-" k {on = 1}'
}

# KIND ARGUMENTS-OF-SSESETUP...: what is under way while the power fails.
cut_it() {
	local kind=$1 writes next at out bad=""

	shift
	dmsetup suspend dmsse-logged
	dd if="$DEVICE" of="$WORK/replayed" bs=1M iflag=direct conv=sparse status=none
	mark "begin-$kind"
	dmsetup resume dmsse-logged
	check "$kind" ssesetup -q "$@" || return
	mark "end-$kind"
	is "... it has the data" "$(holds_data "$kind")" ""

	# The target holds the log open, so that what was read of it before stays cached.
	blockdev --flushbufs "$LOG"
	mapfile -t writes < <(writes_of "$kind")
	check "... the log has its writes" [ ${#writes[@]} -gt 20 ] || return
	choose ${#writes[@]}
	put_together
	next=${writes[0]}
	for at in "${CHOSEN[@]}"; do
		$REPLAY "$LOG" "$WORK/replayed" "$next" "${writes[at - 1]}"
		next=${writes[at - 1]}
		# In the middle of a write, and after it.
		if [ $((at % 2)) = 0 ]; then
			$REPLAY "$LOG" "$WORK/replayed" "$next" half
		else
			$REPLAY "$LOG" "$WORK/replayed" "$next" $((next + 1))
		fi
		out=$(judge "$kind" "$@")
		[ -z "$out" ] || bad+="write $at of ${#writes[@]}: $out"$'\n'
	done
	is "after ${#CHOSEN[@]} of ${#writes[@]} writes it goes on, and has the data" "$bad" ""
	take_apart $LOGGED || bail "the device can't be taken apart"
}

# Set by make_disk.
DEVICE='' LOG=''
make_disk DEVICE $((DISK_MIB + FILES_MIB))
make_disk LOG 256
mkfs.ext4 -q -E offset=$((DISK_MIB * MIB)) "$DEVICE" ${FILES_MIB}M || bail "no file system"
head -c ${DATA_MIB}M /dev/urandom >"$WORK/data"
dd if="$WORK/data" of="$DEVICE" bs=1M oflag=direct conv=notrunc status=none
dm_create dmsse-logged "0 $(sectors "$DEVICE") log-writes $DEVICE $LOG" || bail "no dm-log-writes"
take_apart $LOGGED || bail "no file system"

cut_it encrypt encrypt /dev/mapper/dmsse-disk --reduce-device-size 4M
# There and back, for a disk with one layer.
cut_it decrypt decrypt /dev/mapper/dmsse-disk --header "$FILES/header"

OUT=$(ssesetup -q encrypt /dev/mapper/dmsse-disk --reduce-device-size 4M --recovery-key 2>&1) ||
	bail "not encrypted again: $OUT"
sed -n 's/^Recovery key: //p' <<<"$OUT" | tr -d '\r\n' >"$WORK/recovery"
cut_it outer encrypt --add-outer /dev/mapper/dmsse-disk --reduce-device-size 4M
# The inner header is where the outer layer's data begin, and has kept its keyslots.
check "the outer layer is read" ssesetup header backup /dev/mapper/dmsse-disk \
	--header-backup-file "$WORK/backup"
check "the inner one's recovery key opens it with stock cryptsetup" cryptsetup open --test-passphrase \
	--key-file "$WORK/recovery" "$WORK/backup.inner"
put_together
dm_remove dmsse-logged
done_testing
