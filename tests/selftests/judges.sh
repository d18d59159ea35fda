#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What others wrote to find fault with disks finds none: fio, which verifies what it
# wrote by checksum, by metadata and by pattern, with trims, and while the device is
# suspended and gets its key anew; and stress-ng on file
# systems, which their checkers then look at. Writes go through the target; the last
# word has dm-crypt, through which they are read again.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

need_cmd fio stress-ng
export DMSSE_LAYERS=2
load_module
need_module dm-crypt
MAP=/dev/mapper/dmsse-judges
FULL=${DMSSE_FULL:-0}
[ "$FULL" = 1 ] && MIB=32 || MIB=4
load_key inner 64
INNER_REF=$REF

### The same disk, by the target and by dm-crypt

# DEVICE OPTION...
open_sse() {
	sse_create dmsse-judges "$(sse_line "$1" aes-xts-plain64 "$INNER_REF" 0 0 "allow_discards ${*:2}")"
}

# With two layers one on top of the other.
open_crypt() {
	local below=$1 opts="${*:2} allow_discards" count

	# shellcheck disable=SC2086
	count=$(set -- $opts && echo $#)
	if [ "$DMSSE_LAYERS" = 2 ]; then
		dm_create dmsse-judges-outer \
			"0 $(sectors "$1") crypt $OUTER_CIPHER $OUTER_REF 0 $1 0 $count $opts" || return
		below=/dev/mapper/dmsse-judges-outer
	fi
	dm_create dmsse-judges \
		"0 $(sectors "$1") crypt aes-xts-plain64 $INNER_REF 0 $below 0 $count $opts"
}

close_any() {
	dm_remove dmsse-judges
	dm_remove dmsse-judges-outer
}

no_errors() {
	is "$1: no error was counted" \
		"$(word dmsse-judges crypt_errors) $(word dmsse-judges io_errors)" "0 0"
}

### fio

# OPTION...: writes, and verifies what it wrote.
run_fio() {
	fio --name=judge --filename=$MAP --size="${MIB}M" --ioengine=libaio --direct=1 --iodepth=16 \
		--randrepeat=1 --randseed=7 --verify_fatal=1 --verify_state_save=0 --minimal "$@"
}

# TITLE DEVICE SECTOR-SIZE FIO-OPTION...: by the target, then what it wrote by dm-crypt.
judge() {
	local title=$1 dev=$2 sector=$3

	shift 3
	title="$title, $DMSSE_LAYERS $([ "$DMSSE_LAYERS" = 1 ] && echo layer || echo layers), $sector"
	open_sse "$dev" "sector_size:$sector" || bail "no device"
	check "$title: fio finds no fault" run_fio "$@"
	no_errors "$title"
	close_any
	open_crypt "$dev" "sector_size:$sector" || bail "no dm-crypt"
	check "$title: nor when dm-crypt reads it" run_fio "$@" --verify_only
	close_any
}

mixed() {
	echo "$1/40:4k/30:16k/20:128k/10"
}

make_disk DISK "$MIB"
for DMSSE_LAYERS in 1 2; do
	judge "crc32c, mixed sizes" "$DISK" 4096 --rw=randwrite --verify=crc32c \
		--bssplit="$(mixed 4096)" --blockalign=4096
	# One that is emulated takes its time for two layers.
	if [ "$DMSSE_LAYERS" = 1 ] || [ "$FULL" = 1 ]; then
		judge "crc32c, mixed sizes" "$DISK" 512 --rw=randwrite --verify=crc32c \
			--bssplit="$(mixed 512)" --blockalign=512
		judge "meta" "$DISK" 4096 --rw=randwrite --verify=meta --bs=4k
		judge "a pattern" "$DISK" 512 --rw=write --verify=pattern \
			--verify_pattern='"dm-sse"%o' --bs=8k
	fi
	open_sse "$DISK" || bail "no device"
	check "reads among writes, $DMSSE_LAYERS" run_fio --rw=randrw --rwmixread=40 --verify=crc32c \
		--bssplit="$(mixed 512)" --blockalign=512 --verify_backlog=64
	# fio doesn't notice discards that hit other sectors; the file systems below do.
	check "trims, and writes where they were, $DMSSE_LAYERS" run_fio --rw=trimwrite --verify=crc32c --bs=16k
	check "trims at random, $DMSSE_LAYERS" run_fio --rw=randtrimwrite --verify=crc32c --bs=8k
	check "... which reached the target" test "$(word dmsse-judges discard_bios)" -gt $((MIB * 32))
	no_errors "trims, $DMSSE_LAYERS"
	close_any
done

# Suspended, the key taken away and given back, resumed, until told to stop.
rekey() {
	local n=0

	while [ ! -e "$WORK/enough" ] || [ $n -lt 5 ]; do
		dmsetup suspend dmsse-judges
		dmsetup message dmsse-judges 0 key wipe
		set_keys dmsse-judges "$INNER_REF"
		dmsetup resume dmsse-judges || break
		echo $((++n)) >"$WORK/rekeyed"
	done
}

for DMSSE_LAYERS in 1 2; do
	open_sse "$DISK" || bail "no device"
	rm -f "$WORK/enough" "$WORK/rekeyed"
	rekey >"$WORK/rekey.out" 2>&1 &
	REKEY=$!
	check "with the key set anew beneath, $DMSSE_LAYERS" run_fio --rw=randwrite --verify=crc32c \
		--bssplit="$(mixed 512)" --blockalign=512 --loops=$((FULL ? 8 : 2))
	touch "$WORK/enough"
	wait $REKEY
	check "... again and again" test "$(cat "$WORK/rekeyed" 2>/dev/null || echo 0)" -ge 5
	is "... without a word" "$(cat "$WORK/rekey.out")" ""
	no_errors "with the key set anew beneath, $DMSSE_LAYERS"
	close_any
done

### stress-ng

MNT=$WORK/mnt
mkdir "$MNT"

# What it does to files, with the number of operations; "verify" is its own.
STRESSORS="
aio 100
dentry 100
dir 50
fallocate 2
hdd 100
iomix 200
lockf 200
readahead 100
rename 50
revio 200
seek 200
sendfile 30
sync-file 10
xattr 3
"

# Each until it has done so much, however long that takes.
stress() {
	local name ops

	while read -r name ops; do
		[ -n "$name" ] || continue
		[ "$FULL" != 1 ] || ops=$((20 * ops))
		stress-ng --quiet --verify --temp-path "$MNT" --timeout 0 --seed 7 \
			"--$name" 2 "--$name-ops" "$ops" \
			--hdd-bytes 4M --aio-requests 8 --fallocate-bytes 8M --iomix-bytes 8M \
			--readahead-bytes 4M --seek-size 4M --sync-file-bytes 2M || { echo "stress-ng --$name: $?"; return 1; }
	done <<<"$STRESSORS"
}

# FS MIB "MKFS" "FSCK": stressed by the target, and checked by dm-crypt.
stressed() {
	local fs=$1 mib=$2 mkfs=$3 fsck=$4 dev

	if ! have_module "$fs" && ! grep -q "\b$fs\$" /proc/filesystems; then
		skip "stress-ng on $fs" "no $fs in this kernel"
		return
	fi
	if ! command -v "${mkfs%% *}" >/dev/null; then
		skip "stress-ng on $fs" "no ${mkfs%% *}"
		return
	fi
	make_disk dev "$mib"
	open_sse "$dev" sector_size:4096 || bail "no device"
	# shellcheck disable=SC2086
	check "$fs, $DMSSE_LAYERS: mkfs" $mkfs $MAP || return
	check "$fs: mount" mount -t "$fs" -o discard $MAP "$MNT" || return
	at_exit "! mountpoint -q $MNT || umount $MNT"
	pattern_file >"$MNT/kept"
	check "$fs: stress-ng finds no fault" stress
	check "$fs: a file that was there before" cmp <(pattern_file) "$MNT/kept"
	umount "$MNT"
	no_errors "$fs"
	close_any
	open_crypt "$dev" sector_size:4096 || bail "no dm-crypt"
	# shellcheck disable=SC2086
	check "$fs: its checker finds no fault by way of dm-crypt" $fsck $MAP
	mount -t "$fs" -o ro $MAP "$MNT"
	check "$fs: and the file is there" cmp <(pattern_file) "$MNT/kept"
	umount "$MNT"
	close_any
}

pattern_file() {
	local i

	for ((i = 0; i < 20000; i++)); do
		printf 'a line with the number %08d in it\n' $i
	done
}

# shellcheck disable=SC2034 # lib.sh's
DMSSE_LAYERS=1
stressed xfs 320 "mkfs.xfs -q -f" "xfs_repair -n"
# shellcheck disable=SC2034
DMSSE_LAYERS=2
stressed ext4 128 "mkfs.ext4 -q -F" "e2fsck -f -n"

done_testing
