#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The walk-through of customer-keys.rst, from a token with no key to a disk that
# has left it, with two small block devices for the disks it speaks of. What it
# writes to the host's directories is in memory and gone afterwards.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=examples.bash
. "$DMSSE_DIR/examples.bash"

RST=${DMSSE_RST:-$(find_document customer-keys.rst)} ||
	skip_all "customer-keys.rst is not here (DMSSE_RST=)"

need_cmd mkfs.ext4 cryptsetup openssl softhsm2-util pkcs11-tool shred wipefs
[ -e /usr/lib/softhsm/libsofthsm2.so ] || skip_all "SoftHSM2 is not where Debian has it"
SSESETUP=$(command -v "$SSESETUP") || skip_all "no ssesetup (SSESETUP=)"
load_module
# The recovery key is tried with stock cryptsetup.
need_module dm-crypt
[ ! -e /dev/vg ] || skip_all "there is a volume group vg"

# The walk-through says "ssesetup".
mkdir "$WORK/bin" "$WORK/tokens"
ln -s "$SSESETUP" "$WORK/bin/ssesetup"
PATH=$WORK/bin:$PATH

printf 'directories.tokendir = %s\n' "$WORK/tokens" >"$WORK/softhsm2.conf"
export SOFTHSM2_CONF=$WORK/softhsm2.conf
for dir in /etc/dm-sse /var/lib/dm-sse /var/log/dm-sse /run/dm-sse; do
	mkdir -p "$dir"
	mount -t tmpfs -o mode=700 dm-sse-selftest "$dir" || skip_all "no tmpfs over $dir"
	at_exit "umount $dir"
done

make_disk DISK 64
make_disk COPY 64
mkdir /dev/vg
at_exit "rm -r /dev/vg"
# As LVM has them: a loop device would be registered by its file.
dm_create vg-vm1 "0 $(sectors "$DISK") linear $DISK 0" || bail "no dm-linear"
dm_create vg-vm1--new "0 $(sectors "$COPY") linear $COPY 0" || bail "no dm-linear"
ln -s /dev/mapper/vg-vm1 /dev/vg/vm1
ln -s /dev/mapper/vg-vm1--new /dev/vg/vm1-new

# Of a walk that ends half way.
close_vm() {
	[ -e "/dev/mapper/$1" ] || return 0
	ssesetup close "$1" && return
	dm_remove "$1"
	ssesetup key revoke "dmsse:$1:inner"
	ssesetup key revoke "dmsse:$1:outer"
}
at_exit "rm -f /run/recovery"
at_exit "close_vm vm1; close_vm vm2"
at_exit "dm_remove rescue"
at_exit "! mountpoint -q /mnt || umount /mnt"

run_examples "$RST"
done_testing
