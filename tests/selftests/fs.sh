#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# File systems live on it: made, filled, mounted again, checked.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

load_module
load_key fs 64
MAP=/dev/mapper/dmsse-fs
MNT=$WORK/mnt
mkdir "$MNT"

# A few hundred files of all sizes, the same for each file system.
mkdir "$WORK/tree"
head -c 8M /dev/urandom >"$WORK/random"
for ((i = 0; i < 200; i++)); do
	mkdir -p "$WORK/tree/dir$((i % 10))"
	dd if="$WORK/random" of="$WORK/tree/dir$((i % 10))/file$i" bs=$((i * 331 + 1)) count=1 status=none
done
(cd "$WORK/tree" && find . -type f -exec sha256sum {} + | sort -k 2) >"$WORK/sums"

sums_match() {
	(cd "$MNT/tree" && sha256sum --quiet -c "$WORK/sums")
}

# NAME SIZE-MIB SECTOR-SIZE MODULE "MKFS" "FSCK"
try_fs() {
	local name=$1 mib=$2 sector=$3 mkfs=$4 fsck=$5 disk

	if ! have_module "$name" && ! grep -q "\b$name\$" /proc/filesystems; then
		skip "$name" "no $name in this kernel"
		return
	fi
	if ! command -v "${mkfs%% *}" >/dev/null; then
		skip "$name" "no ${mkfs%% *}"
		return
	fi
	make_disk disk "$mib"
	sse_create dmsse-fs "$(sse_line "$disk" aes-xts-plain64 "$REF" 0 0 "allow_discards sector_size:$sector")" ||
		bail "no device"
	# shellcheck disable=SC2086
	check "$name: mkfs" $mkfs $MAP || return
	check "$name: mount" mount -t "$name" $MAP "$MNT" || return
	at_exit "! mountpoint -q $MNT || umount $MNT"
	check "$name: copy" cp -a "$WORK/tree" "$MNT/"
	check "$name: checksums" sums_match
	rm -r "$MNT/tree/dir3"
	cp -a "$WORK/tree/dir3" "$MNT/tree/"
	fstrim "$MNT" 2>/dev/null
	umount "$MNT"

	# Nothing that was cached may stand in for what is on the disk.
	dm_remove dmsse-fs
	sse_create dmsse-fs "$(sse_line "$disk" aes-xts-plain64 "$REF" 0 0 "sector_size:$sector")"
	check "$name: mounts after the device was closed" mount -t "$name" $MAP "$MNT" || return
	check "$name: checksums after that" sums_match
	umount "$MNT"
	# shellcheck disable=SC2086
	check "$name: file system check" $fsck $MAP
	is "$name: no errors were counted" "$(word dmsse-fs crypt_errors) $(word dmsse-fs io_errors)" "0 0"
	grep -q -a -F dir3 "$disk"
	is "$name: no file name is on the disk" $? 1
	dm_remove dmsse-fs
}

try_fs ext4 64 4096 "mkfs.ext4 -q -F" "e2fsck -f -n"
try_fs xfs 320 512 "mkfs.xfs -q -f" "xfs_repair -n"
try_fs btrfs 128 4096 "mkfs.btrfs -q -f" "btrfs check"

done_testing
