#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# LUKS2 headers where it takes a kernel: ciphers that libcryptsetup tries there,
# and disks in use. The rest is tested on regular files, by the same program.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

need_cmd cryptsetup dmsetup
program=$(tool test_meta) || skip_all "test_meta, of ssesetup's tests, isn't there"
make_disk DISK 8
mkdir -p "$DMSSE_TMP/headers" || bail "no directory"
at_exit "rm -rf '$DMSSE_TMP/headers'"
at_exit "dm_remove test_meta"

plan 8
while IFS= read -r line; do
	case $line in
	"ok "*)		ok "${line#*- }" ;;
	"not ok "*)	fail "${line#*- }" ;;
	*)		diag "$line" ;;
	esac
done < <("$program" "$DMSSE_TMP/headers" "$DISK" 2>&1)
