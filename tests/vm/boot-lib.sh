# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What the scripts of tests/vm/boot agree on.
# shellcheck disable=SC2034

# Where the file system is mounted that outlives a boot, and what of it is where.
STATE=/srv/state
declare -A KEPT=(
	[etc]=/etc/dm-sse [lib]=/var/lib/dm-sse [log]=/var/log/dm-sse [tokens]=/var/lib/softhsm/tokens
)
DATA_UUID=5f1c6f0e-6a1e-4d0c-8a63-0c1c5ad9b1ff
DATA_LABEL=dmsse-data

# How often the audit says that a mapping was closed, and that it went well.
closes() {
	grep '"event":"close"' /var/log/dm-sse/audit.jsonl | grep '"phase":"result"' |
		grep "\"mapping\":\"$1\"" | grep -c '"outcome":"ok"'
}

# The parts of a cache are of this target as well.
guests_volumes() {
	dmsetup ls --target linear | grep ^guestvg
}
