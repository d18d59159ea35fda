#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The recipe of encryption-at-host.rst for a logical volume that LVM caches does
# what it says, with $SLOW and $FAST, block devices of 48 MiB; and the cache has
# nothing in clear. LVM has a configuration of its own, and sees these two only.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=deslib.bash
. "$DMSSE_DIR/deslib.bash"
# shellcheck source-path=SCRIPTDIR source=examples.bash
. "$DMSSE_DIR/examples.bash"
# shellcheck source-path=SCRIPTDIR source=lvm.bash
. "$DMSSE_DIR/lvm.bash"

RST=${DMSSE_RST:-$(find_document encryption-at-host.rst)} ||
	skip_all "encryption-at-host.rst is not here (DMSSE_RST=)"
need_cmd lvm pvcreate lvconvert
need_module dm-writecache

MAP=dmsse-vm1
PATTERN=$(printf 'Planted pattern of 64 bytes, to be looked for where it is not%3s' '')
make_disk SLOW 48
make_disk FAST 48

own_lvm "$SLOW" "$FAST"
at_exit "! vgs dmssevg || vgremove --yes --force --force dmssevg"

mkdir "$WORK/bin"
ln -s "$SSESETUP" "$WORK/bin/ssesetup"
PATH=$WORK/bin:$PATH

run_examples "$RST"
put "$MAP" 2 lvm
printf %s "$PATTERN" | dd of="/dev/mapper/$MAP" bs=4096 seek=1024 conv=notrunc,fsync,sync status=none
sync "$FAST"
dd if="$FAST" bs=1M iflag=direct of="$WORK/fast" status=none
check "the cache is used" test "$(tr -d '\0' <"$WORK/fast" | wc -c)" -gt 2000000
refute "... and has nothing in clear" grep -qaF "$PATTERN" "$WORK/fast"
like "check tells of it" "$("$SSESETUP" check "$MAP")" "below: $FAST"
check "the cache is taken away while the disk is in use" lvconvert --yes --uncache dmssevg/disk
check "... nothing is lost" holds "$MAP" 2 lvm
right "close" close "$MAP"

done_testing
