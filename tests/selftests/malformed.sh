#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# LUKS2 headers with defects, where there is device-mapper: what userspace-tools'
# tests/malformed does on images alone, with the commands that open a disk, and those
# for an open one whose header is damaged meanwhile: for one of ten defects, with
# DMSSE_FULL=1 for all of them.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

MALFORMED=$DMSSE_DIR/../../userspace-tools/tests/malformed
[ -x "$MALFORMED" ] || skip_all "userspace-tools isn't there"
SPOIL=$(tool spoil_header) || skip_all "the helper spoil_header is not built"
need_cmd cryptsetup cmp timeout
need_ssesetup
load_module
need_module loop
own_state
at_exit 'rm -rf /run/cryptsetup'

every=${MALFORMED_EVERY:-10}
[ "${DMSSE_FULL:-0}" != 1 ] || every=1
mkdir "$WORK/images"
while IFS= read -r line; do
	case $line in
	"ok "*)		ok "${line#ok * - }" ;;
	"not ok "*)	fail "${line#not ok * - }" ;;
	*)		diag "${line#\# }" ;;
	esac
done < <(MALFORMED_COMMANDS=${MALFORMED_COMMANDS-open opened} MALFORMED_EVERY=$every \
	"$MALFORMED" "$SSESETUP" "$SPOIL" "$WORK/images")
[ $((TAP_N * every)) -gt 100 ] || fail "there were more than a hundred defects" "only $TAP_N"
done_testing
