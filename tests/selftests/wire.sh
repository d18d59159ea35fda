#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A disk of network storage, with a cache on the host: what goes over the wire,
# what the server has, and what is on the cache device. A planted pattern is in
# none of them, and is found in each by the same search when nothing encrypts.
#
#	here                                | network namespace dmsse-wire
#	                                    |
#	sse -> cache -> nbd0 -> dmssewire0 ---- dmssewire1 -> nbd-server -> file
#	         |                  |       |
#	        SSD              tcpdump    |

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=deslib.bash
. "$DMSSE_DIR/deslib.bash"
need_cmd ip tcpdump nbd-server nbd-client
need_module nbd veth dm-writecache dm-cache

MAP=dmsse-wire
SPACE=dmsse-wire
DISK=/dev/nbd0
PATTERN=$(printf 'Planted pattern of 64 bytes, to be looked for where it is not%3s' '')
is "the pattern has 64 bytes" "${#PATTERN}" 64

image EXPORT 24
image SSD 24

### The network, and storage behind it

# The first one makes a mount of the directory.
mountpoint -q /run/netns || at_exit "! mountpoint -q /run/netns || umount /run/netns"
ip netns add $SPACE || skip_all "no network namespaces"
at_exit "ip netns del $SPACE"
ip link add dmssewire0 type veth peer name dmssewire1 netns $SPACE || skip_all "no veth"
ip addr add 192.0.2.1/24 dev dmssewire0
ip link set dmssewire0 up
ip -n $SPACE addr add 192.0.2.2/24 dev dmssewire1
ip -n $SPACE link set dmssewire1 up
ip -n $SPACE link set lo up

cat >"$WORK/nbd.conf" <<-CONF
	[generic]
	listenaddr = 192.0.2.2
	[disk]
	exportname = $EXPORT
	flush = true
	fua = true
CONF
ip netns exec $SPACE nbd-server -C "$WORK/nbd.conf" -p "$WORK/nbd.pid" -d >"$WORK/nbd.log" 2>&1 &
SERVER=$!
at_exit "kill $SERVER 2>/dev/null; wait $SERVER 2>/dev/null || :"

connect() {
	nbd-client 192.0.2.2 $DISK -N disk >"$WORK/nbd.out" 2>&1 && [ "$(sectors $DISK)" -gt 0 ]
}
wait_for 60 connect || bail "no NBD: $(cat "$WORK/nbd.out" "$WORK/nbd.log")"
at_exit "nbd-client -d $DISK >/dev/null 2>&1"

### Looking

# What comes last in a capture says that the rest is there.
capture() {
	CAPTURE=$WORK/capture.$1
	tcpdump -Z root -i dmssewire0 -s 0 -B 32768 -U -w "$CAPTURE" >"$WORK/tcpdump.log" 2>&1 &
	TCPDUMP=$!
	wait_for 60 marked begin || bail "tcpdump captures nothing: $(cat "$WORK/tcpdump.log")"
}
marked() {
	echo "mark of the $1 $CAPTURE" >/dev/udp/192.0.2.2/9
	grep -qaF "mark of the $1 $CAPTURE" "$CAPTURE" 2>/dev/null
}
end_capture() {
	wait_for 60 marked end || diag "the capture has no end"
	kill -INT "$TCPDUMP"
	wait "$TCPDUMP" 2>/dev/null
	TCPDUMP=
	like "... all of it was captured" "$(cat "$WORK/tcpdump.log")" '(^|[^0-9])0 packets dropped by kernel'
}
TCPDUMP=
# shellcheck disable=SC2016
at_exit '[ -z "$TCPDUMP" ] || { kill "$TCPDUMP"; wait "$TCPDUMP"; }'

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

# Nothing is left, in whatever way: neither at the server nor on the cache device.
forget() {
	local file size

	sync $DISK "$LOOP"
	blockdev --flushbufs $DISK "$LOOP"
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
forget
capture off
dm_create "$MAP-off" "0 $(sectors $DISK) writecache s $DISK $LOOP 4096 0"
check "in clear: written" plant "/dev/mapper/$MAP-off"
sync "$LOOP"
check "... the cache device has the pattern" found "$SSD"
dmsetup message "$MAP-off" 0 flush
check "... the server has it" found "$EXPORT"
check "... it is read again" read_again "/dev/mapper/$MAP-off"
dmsetup remove "$MAP-off"
end_capture
check "... it went over the wire" found "$CAPTURE"

### With it there is nothing to find

nothing_to_find() {
	local what=$1 open=("${@:2}") size

	capture "${what// /-}"
	right "$what: open" open -q $DISK $MAP "${open[@]}"
	check "... written" plant "/dev/mapper/$MAP"
	right "... close" close $MAP
	right "... open without a cache" open $DISK $MAP
	check "... read again" read_again "/dev/mapper/$MAP"
	right "... close" close $MAP
	sync $DISK "$LOOP"
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

for mode in writecache writeback; do
	forget
	right "format" format -q $DISK
	USED=yes
	[ $mode = writecache ] || USED=
	nothing_to_find "$mode" --cache "$LOOP,$mode"
done
forget
USED=
right "format with two layers" format -q --double $DISK
nothing_to_find "two layers" --cache "$LOOP,writecache"
right "open" open -q $DISK $MAP --cache "$LOOP,writecache"
right "... check finds nothing in clear" check $MAP
like "... and sees the network storage" "$OUT" "below: $DISK \(nbd\)"
right "close" close $MAP

done_testing
