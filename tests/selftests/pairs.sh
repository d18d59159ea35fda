#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Two layers, bit for bit: random pairs of ciphers with random IV offsets,
# headers, sector sizes and shapes of I/O against dm-crypt on dm-crypt, and both
# against the oracle in tests/oracle.
#
#	--count N	so many combinations; DMSSE_PAIRS=N says the same
#	--seed N	repeats a run; DMSSE_SEED=N says the same

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

count=${DMSSE_PAIRS:-300}
seed=${DMSSE_SEED:-0}
while [ $# -gt 1 ]; do
	case $1 in
	--count) count=$2 ;;
	--seed) seed=$2 ;;
	*) break ;;
	esac
	shift 2
done
[ $# = 0 ] || bail "unknown argument: $1"

[ "$DMSSE_TARGET" = sse ] || skip_all "$DMSSE_TARGET has no second layer"
oracle=$DMSSE_DIR/oracle
if ! pairs=$(tool sse-pairs) || [ ! -r "$oracle/relay.sh" ]; then
	skip_all "tests/oracle is not here or not built"
fi
# shellcheck source=../oracle/relay.sh
. "$oracle/relay.sh"

load_module
need_module dm-crypt

# Sparse: 3 TiB, so that start offsets pass 2^32.
make_disk disk $((3 << 20))
# shellcheck disable=SC2154
relay "$pairs" --count "$count" --seed "$seed" "$disk"
done_testing
