#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# LVM's thin volumes on a disk, and a disk on a thin volume. Above: volumes and
# their snapshots keep what they had, and what is discarded in them is given back
# by the image. Below: a snapshot that LVM takes of the volume while the disk is
# written to opens as a clone, its file system is consistent, and has all that was
# synced before.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=deslib.bash
. "$DMSSE_DIR/deslib.bash"
# shellcheck source-path=SCRIPTDIR source=lvm.bash
. "$DMSSE_DIR/lvm.bash"
need_cmd lvm pvcreate lvcreate thin_check mkfs.ext4 e2fsck
need_module dm-thin-pool
grep -qw ext4 /proc/filesystems || need_module ext4

MAP=dmsse-thin
MNT=$WORK/mnt
mkdir "$MNT"

lvm_quietly() {
	"$@" >"$WORK/lvm.out" 2>&1 || { cat "$WORK/lvm.out"; return 1; }
}

# VG DEVICE: a volume group with a pool of 64 MiB.
pool() {
	lvm_quietly pvcreate -q -y "$2" && lvm_quietly vgcreate -q -y -s 4M "$1" "$2" &&
		lvm_quietly lvcreate -q -y --type thin-pool -L 64M --poolmetadatasize 4M \
			--chunksize 64k --discards passdown -Zn -n pool "$1"
}

# NAME NUMBER: files of that name, and what they should be.
fill() {
	local i

	for ((i = 0; i < $2; i++)); do
		pattern 1 "$1-$i" >"$MNT/$1-$i" || return
	done
	sync -f "$MNT"
}

filled() {
	local i

	for ((i = 0; i < $2; i++)); do
		cmp <(pattern 1 "$1-$i") "$MNT/$1-$i" || return
	done
}

used() {
	lvs --noheadings -o data_percent "$1" | tr -d ' ' | cut -d . -f 1
}

### Thin volumes on a disk

image ABOVE 96
right "a disk" format -q "$ABOVE"
right "... open" open --allow-discards "$ABOVE" $MAP
own_lvm /dev/mapper/$MAP
at_exit "! vgs dmsseabove || vgremove -q -y -ff dmsseabove"
check "a pool on it" pool dmsseabove /dev/mapper/$MAP
check "a thin volume" lvm_quietly lvcreate -q -y -V 128M --thinpool pool -n vm dmsseabove
check "a file system" mkfs.ext4 -q /dev/mapper/dmsseabove-vm
mount /dev/mapper/dmsseabove-vm "$MNT"
at_exit "! mountpoint -q $MNT || umount $MNT"
check "it is written" fill first 8
check "a snapshot" lvm_quietly lvcreate -q -y -s -kn -n snap dmsseabove/vm
check "the volume is written on" fill second 8
rm "$MNT"/first-*
check "... and has that" filled second 8
before=$(used dmsseabove/pool)
image_before=$(du -k "$ABOVE" | cut -f 1)
rm "$MNT"/second-*
sync -f "$MNT"
check "what it has no more is discarded" fstrim "$MNT"
check "... which the pool has room for" test "$(used dmsseabove/pool)" -lt $((before - 8))
check "... and the image has given back" \
	test $((image_before - $(du -k "$ABOVE" | cut -f 1))) -ge 6144
umount "$MNT"
check "its checker finds no fault" e2fsck -fn /dev/mapper/dmsseabove-vm

# Closed, and opened again: nothing that is cached stands in for the disk.
check "LVM lets go of the disk" lvm_quietly vgchange -q -an dmsseabove
right "close" close $MAP
right "open" open --allow-discards "$ABOVE" $MAP
check "LVM finds it again" lvm_quietly vgchange -q -ay dmsseabove
lvm_quietly lvchange -q -ay -K dmsseabove/snap
check "the snapshot's checker finds no fault" e2fsck -fp /dev/mapper/dmsseabove-snap
mount /dev/mapper/dmsseabove-snap "$MNT"
check "the snapshot has what there was then" filled first 8
refute "... and nothing of later" test -e "$MNT/second-0"
umount "$MNT"
lvm_quietly vgchange -q -an dmsseabove
lvm_quietly lvchange -q -ay dmsseabove/pool_tmeta -y
check "the pool's checker finds no fault" thin_check /dev/mapper/dmsseabove-pool_tmeta
lvm_quietly lvchange -q -an dmsseabove/pool_tmeta
check "the volume group goes" lvm_quietly vgremove -q -y -ff dmsseabove
lvm_quietly pvremove -q -y /dev/mapper/$MAP
right "close" close $MAP

### A disk on a thin volume

make_disk BELOW 96
own_lvm "$BELOW"
at_exit "close_all; ! vgs dmssebelow || vgremove -q -y -ff dmssebelow"
VM=/dev/mapper/dmssebelow-vm SNAP=/dev/mapper/dmssebelow-snap
check "a pool" pool dmssebelow "$BELOW"
check "a thin volume" lvm_quietly lvcreate -q -y -V 64M --thinpool pool -n vm dmssebelow
right "a disk on it" format -q $VM
right "... open" open $VM $MAP
check "a file system" mkfs.ext4 -q /dev/mapper/$MAP
mount /dev/mapper/$MAP "$MNT"
check "what is synced" fill synced 6

# Files are made, written, renamed and removed, all along.
(
	while [ ! -e "$WORK/enough" ]; do
		for i in 1 2 3 4; do
			dd if=/dev/urandom of="$MNT/busy-$i" bs=64k count=4 conv=fsync status=none
			mv "$MNT/busy-$i" "$MNT/done-$i"
		done
		rm -f "$MNT"/done-[12]
		echo >>"$WORK/rounds"
	done
) 2>/dev/null &
WRITER=$!
rounds() {
	[ "$(wc -l <"$WORK/rounds" 2>/dev/null || echo 0)" -ge "$1" ]
}
check "it is written to" wait_for 60 rounds 2
check "a snapshot meanwhile" lvm_quietly lvcreate -q -y -s -kn -ay -n snap dmssebelow/vm
check "which disturbs nobody" wait_for 60 rounds $(($(wc -l <"$WORK/rounds") + 2))
touch "$WORK/enough"
wait $WRITER
umount "$MNT"
check "the disk's checker finds no fault" e2fsck -fn /dev/mapper/$MAP
wrong 5 "has the UUID of.*--clone" open $SNAP $MAP-snap
right "the snapshot opens as a clone" open --clone $SNAP $MAP-snap
# The journal is gone through as after a power cut; then there is nothing to mend.
e2fsck -fp /dev/mapper/$MAP-snap >"$WORK/fsck" 2>&1
check "its file system has a journal to go through, at most" test $? -le 1
check "... and its checker finds no fault then" e2fsck -fn /dev/mapper/$MAP-snap
mount -o ro /dev/mapper/$MAP-snap "$MNT"
check "all that was synced is there" filled synced 6
umount "$MNT"
right "close" close $MAP-snap
right "close" close $MAP

done_testing
