#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The examples of dm-sse.rst do what they say, with $DEV, a block device of
# 64 MiB.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=examples.bash
. "$DMSSE_DIR/examples.bash"

RST=${DMSSE_RST:-$(find_document admin-guide/device-mapper/dm-sse.rst)} ||
	skip_all "dm-sse.rst is not here (DMSSE_RST=)"

# The tools of the examples are those of the user who follows them.
need_cmd mkfs.ext4
load_module
have_module dm-crypt || skip_all "the examples use dm-crypt"
make_disk DEV 64
# A device of the example that fails half way.
at_exit "for map in \$(dmsetup ls | awk 'NF > 1 && \$1 ~ /^vm[0-9]/ { print \$1 }'); do dm_remove \$map; done"
at_exit "keyctl purge -p logon dmsse: >/dev/null 2>&1 || :"

run_examples "$RST"
done_testing
