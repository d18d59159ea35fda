#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A disk of network storage, with a cache on the host: what goes over the wire,
# what the server has, and what is on the cache device. A planted pattern is in
# none of them, and is found in each by the same search when nothing encrypts.
#
#	here                                | network namespace dmsse-wire
#	                                    |
#	sse -> cache -> disk -> dmssewire0 ---- dmssewire1 -> nbd-server or NVMe target -> file
#	         |                  |       |
#	        SSD              tcpdump    |

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=deslib.bash
. "$DMSSE_DIR/deslib.bash"
# shellcheck source-path=SCRIPTDIR source=wire.bash
. "$DMSSE_DIR/wire.bash"
need_cmd nbd-server nbd-client
need_module nbd dm-writecache dm-cache

MAP=dmsse-wire
PATTERN=$(printf 'Planted pattern of 64 bytes, to be looked for where it is not%3s' '')

image NBD_EXPORT 24
image NVME_EXPORT 24
image SSD 24
far_network
is "the pattern has 64 bytes" "${#PATTERN}" 64

### Looking

found() {
	grep -qaF "$PATTERN" "$1"
}

# MiB of it from 8 MiB on, in all ways that a guest could.
PATTERN_MIB=1
plant() {
	local i block

	for ((i = 0; i < 64; i++)); do
		block+=$PATTERN
	done
	for ((i = 0; i < PATTERN_MIB * 256; i++)); do
		printf %s "$block"
	done >"$WORK/pattern"
	dd if="$WORK/pattern" of="$1" bs=64k seek=128 oflag=direct conv=notrunc,fsync status=none &&
		sync "$1"
}

# From the server, not from anybody's memory.
read_again() {
	dd if="$1" bs=64k skip=128 count=$((PATTERN_MIB * 16)) iflag=direct status=none |
		cmp -s - "$WORK/pattern"
}

# TRANSPORT FILE: the disk from now on, and what the server has of it.
at_disk() {
	EXPORT=$2
	"far_$1" "$EXPORT"
	DISK=$FAR_DISK
}

# Nothing is left, in whatever way: neither at the server nor on the cache device.
forget() {
	local file size

	sync "$DISK" "$LOOP"
	blockdev --flushbufs "$DISK" "$LOOP"
	for file in "$EXPORT" "$SSD"; do
		size=$(stat -c %s "$file")
		truncate -s 0 "$file"
		truncate -s "$size" "$file"
	done
}

### Without encryption the search finds it

LOOP=$(losetup -f --show "$SSD")
at_exit "losetup -d $LOOP"
for part in meta ssd origin cache; do
	at_exit "dm_remove $MAP.sse-$part"
done
at_exit "dm_remove $MAP-off"
at_exit "dm_remove $MAP"

in_clear() {
	forget
	capture off
	dm_create "$MAP-off" "0 $(sectors "$DISK") writecache s $DISK $LOOP 4096 0"
	check "$1 in clear: written" plant "/dev/mapper/$MAP-off"
	sync "$LOOP"
	check "... the cache device has the pattern" found "$SSD"
	dmsetup message "$MAP-off" 0 flush
	check "... the server has it" found "$EXPORT"
	check "... it is read again" read_again "/dev/mapper/$MAP-off"
	dmsetup remove "$MAP-off"
	end_capture
	check "... it went over the wire" found "$CAPTURE"
	rm -f "$CAPTURE"
}

### With it there is nothing to find

nothing_to_find() {
	local what=$1 open=("${@:2}") size

	capture "${what// /-}"
	right "$what: open" open -q "$DISK" $MAP "${open[@]}"
	check "... written" plant "/dev/mapper/$MAP"
	right "... close" close $MAP
	right "... open without a cache" open "$DISK" $MAP
	check "... read again" read_again "/dev/mapper/$MAP"
	right "... close" close $MAP
	sync "$DISK" "$LOOP"
	end_capture
	size=$(stat -c %s "$CAPTURE")
	check "... the capture has what was written and read, $((size >> 20)) MiB" \
		test "$size" -gt $((2 * PATTERN_MIB << 20))
	refute "... it didn't go over the wire" found "$CAPTURE"
	refute "... the server hasn't got it" found "$EXPORT"
	refute "... nor has the cache device" found "$SSD"
	check "... which has been used" used
	rm -f "$CAPTURE"
}
USED=
used() {
	[ -z "$USED" ] || [ "$(tr -d '\0' <"$SSD" | wc -c)" -gt 65536 ]
}

### NBD

at_disk nbd "$NBD_EXPORT"
in_clear nbd
for mode in writecache writeback; do
	forget
	right "format" format -q "$DISK"
	USED=yes
	[ $mode = writecache ] || USED=
	nothing_to_find "$mode" --cache "$LOOP,$mode"
done
forget
USED=
right "format with two layers" format -q --double "$DISK"
nothing_to_find "two layers" --cache "$LOOP,writecache"
right "open" open -q "$DISK" $MAP --cache "$LOOP,writecache"
right "... check finds nothing in clear" check $MAP
like "... and sees the network storage" "$OUT" "below: $DISK \(nbd\)"
right "close" close $MAP

### NVMe/TCP

if have_module nvmet-tcp && have_module nvme-tcp; then
	at_disk nvme "$NVME_EXPORT"
	in_clear nvme
	forget
	USED=yes
	right "format" format -q "$DISK"
	nothing_to_find "nvme" --cache "$LOOP,writecache"

	right "open" open "$DISK" $MAP
	SIZE=$(sectors "/dev/mapper/$MAP")
	far_nvme_grows 8
	right "it grows where it is: resize" resize $MAP
	is "... follows" "$(sectors "/dev/mapper/$MAP")" $((SIZE + 8 * 2048))
	check "... and has what it had" read_again "/dev/mapper/$MAP"
	right "close" close $MAP
else
	skip "NVMe/TCP" "this kernel has none"
fi

done_testing
