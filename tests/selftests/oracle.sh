#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Bit for bit: every cipher, sector size, IV offset and start offset against
# dm-crypt in the same kernel, and both against the oracle in tests/oracle.
#
#	--full		all combinations of these; DMSSE_FULL=1 says the same
#	DMSSE_SEED	repeats a run
#	DMSSE_CIPHER	only ciphers with this in their text

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

args=(--target-a "$DMSSE_TARGET" --target-b crypt --seed "${DMSSE_SEED:-0}"
      --cipher "${DMSSE_CIPHER:-}")
if [ "${1:-}" = --full ] || [ "${DMSSE_FULL:-0}" = 1 ]; then
	args+=(--full)
elif [ $# -gt 0 ]; then
	bail "unknown argument: $1"
fi

oracle=$DMSSE_DIR/oracle
if ! matrix=$(tool sse-matrix) || [ ! -r "$oracle/relay.sh" ]; then
	skip_all "tests/oracle is not here or not built"
fi
# shellcheck source=../oracle/relay.sh
. "$oracle/relay.sh"

load_module
need_module dm-crypt

# Sparse: 3 TiB, so that start offsets and sector numbers pass 2^32.
make_disk disk $((3 << 20))
# shellcheck disable=SC2154
relay "$matrix" "${args[@]}" "$disk"
done_testing
