#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Bit for bit: every cipher, sector size, IV offset and start offset against
# dm-crypt in the same kernel, and both against the oracle in tests/oracle.
#
#	DMSSE_SEED	repeats a run
#	DMSSE_CIPHER	only ciphers with this in their text

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

matrix=$(tool sse-matrix) && relay=$DMSSE_DIR/../oracle/relay.sh && [ -r "$relay" ] ||
	skip_all "tests/oracle is not here or not built"
# shellcheck source=../oracle/relay.sh
. "$relay"

load_module
need_module dm-crypt

# Sparse: 3 TiB, so that start offsets and sector numbers pass 2^32.
make_disk disk $((3 << 20))
# shellcheck disable=SC2154
relay "$matrix" --target-a "$DMSSE_TARGET" --target-b crypt --seed "${DMSSE_SEED:-0}" \
	--cipher "${DMSSE_CIPHER:-}" "$disk"
done_testing
