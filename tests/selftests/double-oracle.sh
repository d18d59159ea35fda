#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Bit for bit, with two layers: random pairs of ciphers, IVs, offsets and
# sector sizes against dm-crypt on top of dm-crypt in the same kernel, and
# against the oracle in tests/oracle, which takes off one layer after the other.
#
#	--count N	pairs, 300 if not given
#	DMSSE_SEED	repeats a run

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

oracle=$DMSSE_DIR/oracle
if ! pairs=$(tool sse-pairs) || [ ! -r "$oracle/relay.sh" ]; then
	skip_all "tests/oracle is not here or not built"
fi
# shellcheck source=../oracle/relay.sh
. "$oracle/relay.sh"

load_module
need_module dm-crypt
make_disk disk 4
# shellcheck disable=SC2154
relay "$pairs" --seed "${DMSSE_SEED:-0}" "$@" "$disk"
done_testing
