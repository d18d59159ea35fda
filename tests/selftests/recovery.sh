#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The examples of recovery.rst do what they say.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=examples.bash
. "$DMSSE_DIR/examples.bash"

RST=$(find_document recovery.rst) || skip_all "recovery.rst is not here"
need_cmd cryptsetup openssl mkfs.ext4
need_module dm-crypt loop
load_module
own_state
make_disk VM1 12
make_disk VM2 24
mkdir -p /dev/vg
at_exit "rm -rf /dev/vg"
ln -sfn "$VM1" /dev/vg/vm1
ln -sfn "$VM2" /dev/vg/vm2
at_exit "rm -f /root/vm1.header /root/vm1.new /run/recovery /run/key /run/outer /run/inner /run/customer.pem /run/token /run/wrapped"
at_exit "umount /mnt 2>/dev/null; for map in rescue rescue-outer vm1 vm2; do dm_remove \$map; done"

# By the name that the examples call it by.
mkdir "$WORK/bin"
ln -s "$(command -v "$SSESETUP")" "$WORK/bin/ssesetup"
PATH=$WORK/bin:$PATH
run_examples "$RST"
done_testing
