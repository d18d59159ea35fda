#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Caches below a disk, under its own key: each mode, closed and cut off, with one
# layer and two. What is on the cache device and the disk is looked at, and what
# opens where the two don't fit.
#
#	NAME (sse) -> NAME.sse-cache -> NAME.sse-origin -> DISK
#			            \-> NAME.sse-ssd, .sse-meta -> SSD

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=deslib.bash
. "$DMSSE_DIR/deslib.bash"
need_cmd perl
need_module dm-writecache dm-cache

MAP=dmsse-cached
PATTERN=$(printf 'Planted pattern of 64 bytes, to be looked for where it is not%3s' '')
MODES="writecache writethrough writeback"

cached_devices() {
	dmsetup ls | awk '{print $1}' | grep -E '\.sse-(cache|origin|ssd|meta)$'
}
sweep() {
	local part

	for part in cache origin ssd meta; do
		dm_remove "$1.sse-$part"
	done
}
at_exit "sweep $MAP"

image DISK 40
image SSD 48
image OTHER 40

note() {
	cryptsetup luksDump --dump-json-metadata "$1" | tr -d ' \t\n' |
		grep -o '{[^{}]*"dm-sse-cache"[^{}]*}'
}

PIECES=24
for ((i = 0; i < PIECES; i++)); do
	printf '%-4096s' "$PATTERN"
done >"$WORK/pieces"

# Written in small pieces, so that a cache of any mode has some of it.
fill() {
	put "$1" 4 "$2"
	dd if="$WORK/pieces" of="/dev/mapper/$1" bs=4096 seek=2048 oflag=direct conv=notrunc status=none
	sync "/dev/mapper/$1"
}

filled() {
	holds "$1" 4 "$2" &&
		dd if="/dev/mapper/$1" bs=4096 skip=2048 count=$PIECES iflag=direct status=none |
		cmp - "$WORK/pieces"
}

dirty_blocks() {
	"$SSESETUP" status "$MAP" | awk '/cache dirty:/ {print $3}'
}

### Each mode, with one layer and two

# The origin alone must have everything after a close.
modes() {
	local modes=$1 mode told layers=("${@:2}")

	right "format ${layers[*]:-with one layer}" format -q "${layers[@]}" "$DISK"
	for mode in $modes; do
		right "open with a cache: $mode" open -q "$DISK" "$MAP" --cache "$SSD,$mode"
		[ "$RC" = 0 ] || continue
		sse status "$MAP"
		like "... status tells it" "$OUT" "cache mode: +$mode"
		like "... what is dirty" "$OUT" "cache dirty: +[0-9]+ blocks"
		like "... and hits" "$OUT" "cache writes: [0-9]+ hits, [0-9]+ misses"
		like "... and the disk itself" "$OUT" "loop: +$DISK"
		like "... and where its data begin" "$OUT" "offset: +[1-9][0-9]+ sectors"
		told=$("$SSESETUP" status --json "$MAP" | tr -d ' \t\n')
		like "... programs hear of it" "$told" \
			"\"cache\":\{\"device\":\"/dev/[^\"]*\",\"mode\":\"$mode\",\"failed\":false,.*\"dirty-blocks\":[0-9]"
		like "... and of the disk" "$told" "\"loop-file\":\"$DISK\".*\"offset-sectors\":[1-9]"
		"$SSESETUP" metrics >"$WORK/metrics"
		is "... Prometheus too" "$("$DMSSE_DIR/exposition.pl" "$WORK/metrics" dm_sse_disk_cache_info "disk=$MAP" "mode=$mode")" 1
		is "... whether it has failed" "$("$DMSSE_DIR/exposition.pl" "$WORK/metrics" dm_sse_disk_cache_failed "disk=$MAP")" 0
		right "... check finds it clean" check "$MAP"
		fill "$MAP" "$mode"
		check "... it reads what was written" filled "$MAP" "$mode"
		[ "$mode" != writecache ] || refute "... some of which is in the cache alone" test "$(dirty_blocks)" = 0
		if [ "$mode" = writethrough ]; then
			like "... the header calls it clean" "$(note "$DISK")" '"dirty":false'
		else
			like "... the header calls it dirty" "$(note "$DISK")" '"dirty":true'
		fi
		right "... close" close "$MAP"
		is "... takes everything down" "$(cached_devices)" ""
		like "... and calls it clean" "$(note "$DISK")" '"dirty":false'
		refute "... nothing is in clear on the cache device" grep -qaF "$PATTERN" "$SSD"
		refute "... nor on the disk" grep -qaF "$PATTERN" "$DISK"
		right "... without it the disk opens" open "$DISK" "$MAP"
		check "... and has everything" filled "$MAP" "$mode"
		is "... the header has forgotten the cache" "$(note "$DISK")" ""
		right "... close" close "$MAP"
	done
}
modes "$MODES"
modes writecache --double

### Without a close

# The same machine after a power cut: copies of both devices, taken under it.
cut_off() {
	local mode=$1 layers=("${@:2}")

	right "$mode ${layers[*]}: format" format -q "${layers[@]}" "$DISK"
	right "... open" open -q "$DISK" "$MAP" --cache "$SSD,$mode"
	fill "$MAP" "cut-$mode"
	cp --sparse=always "$SSD" "$WORK/cut-ssd"
	cp --sparse=always "$DISK" "$WORK/cut-disk"
	right "... close" close "$MAP"
	cp --sparse=always "$WORK/cut-ssd" "$SSD"
	cp --sparse=always "$WORK/cut-disk" "$DISK"
	if [ "$mode" != writethrough ]; then
		wrong 5 "The cache of $DISK on $SSD has data that the disk lacks" open "$DISK" "$MAP"
		wrong 5 "has data that the disk lacks" open "$DISK" "$MAP" --readonly
		wrong 5 "has data that the disk lacks" copy -q "$DISK" "$WORK/copied"
		if [ ${#layers[@]} = 0 ]; then
			wrong 5 "has data that the disk lacks" encrypt -q --add-outer "$DISK" --reduce-device-size 8M
			wrong 5 "has data that the disk lacks" decrypt -q "$DISK" --header "$WORK/decrypted"
		fi
		wrong 5 "has data that the disk lacks" open -q "$DISK" "$MAP" --cache "$OTHER"
		wrong 5 "$SSD is a cache with data that disk .* lacks" open -q "$OTHERDISK" "$MAP" --cache "$SSD"
		wrong 1 "is in mode $mode, and has data" open -q "$DISK" "$MAP" --cache "$SSD,writethrough"
	fi
	right "... after it was cut off it opens with its cache" open "$DISK" "$MAP" --cache "$SSD"
	check "... nothing is lost" filled "$MAP" "cut-$mode"
	right "... close" close "$MAP"
	right "... and without" open "$DISK" "$MAP"
	check "... nothing is lost" filled "$MAP" "cut-$mode"
	right "... close" close "$MAP"
}

image OTHERDISK 16
truncate -s 40M "$WORK/copied"
right "another disk" format -q "$OTHERDISK"
for mode in $MODES; do
	cut_off "$mode"
done
cut_off writecache --double

### What doesn't fit

right "format" format -q "$DISK"
right "a cache of writeback" open -q "$DISK" "$MAP" --cache "$SSD,writeback"
put "$MAP" 4 one
right "... close" close "$MAP"
right "... goes on in its mode" open "$DISK" "$MAP" --cache "$SSD"
like "... which is told" "$("$SSESETUP" status "$MAP")" "cache mode: +writeback"
check "... with its data" holds "$MAP" 4 one
right "... close" close "$MAP"

# Stale: written past.
right "opened without it" open "$DISK" "$MAP"
put "$MAP" 4 two
right "... close" close "$MAP"
right "... with it again" open "$DISK" "$MAP" --cache "$SSD"
check "... what it had before isn't read" holds "$MAP" 4 two
right "... close" close "$MAP"

# A snapshot of when it was open has what the disk had, and not what the cache has now.
snapshot() {
	right "$1: open" open -q "$DISK" "$MAP" --cache "$SSD,$1"
	fill "$MAP" "before-$1"
	cp --sparse=always "$DISK" "$WORK/snapshot"
	fill "$MAP" "after-$1"
	right "... close" close "$MAP"
}
snapshot writeback
wrong 5 "was made while .* was open with a cache, and lacks" open -q --clone "$WORK/snapshot" "$MAP" --cache "$SSD"
snapshot writethrough
right "... a snapshot with the disk's cache" open -q --clone "$WORK/snapshot" "$MAP" --cache "$SSD"
like "... begins with an empty one" "$("$SSESETUP" status "$MAP")" "cache used: +0 of"
check "... and has what the disk had" filled "$MAP" before-writethrough
right "... close" close "$MAP"
right "... the disk opens" open "$DISK" "$MAP"
check "... and has what it had" filled "$MAP" after-writethrough
right "... close" close "$MAP"
rm "$WORK/snapshot"

# Somebody else has used the device since: swap space spares the second copy.
right "a cache" open -q "$DISK" "$MAP" --cache "$SSD,writeback"
fill "$MAP" spared
right "... close" close "$MAP"
right "... is warm" open "$DISK" "$MAP" --cache "$SSD"
unlike "... as status says" "$("$SSESETUP" status "$MAP")" "cache used: +0 of"
right "... close" close "$MAP"
dd if=/dev/urandom of="$SSD" bs=4k count=1 conv=notrunc status=none
right "... with half a label" open "$DISK" "$MAP" --cache "$SSD"
like "... it begins anew" "$("$SSESETUP" status "$MAP")" "cache used: +0 of"
check "... and nothing is lost" filled "$MAP" spared
right "... close" close "$MAP"

wrong 1 "$SSD is the cache of disk .*--batch-mode does it" open "$OTHERDISK" "$MAP" --cache "$SSD"
right "... another disk takes it when asked to" open -q "$OTHERDISK" "$MAP" --cache "$SSD"
right "... close" close "$MAP"
right "... the first one opens without" open "$DISK" "$MAP"
right "... close" close "$MAP"

# The header goes back to a time before, or after.
right "a cache again" open -q "$DISK" "$MAP" --cache "$SSD,writeback"
put "$MAP" 4 three
right "... a backup while it is in use" header backup "$DISK" --header-backup-file "$WORK/open.hdr"
right "... close" close "$MAP"
right "... opened without it" open "$DISK" "$MAP"
put "$MAP" 4 four
right "... close" close "$MAP"
right "... the backup comes back" header restore -q "$DISK" --header-backup-file "$WORK/open.hdr"
is "... its note of the cache doesn't" "$(note "$DISK")" ""
right "... the disk opens with the cache" open "$DISK" "$MAP" --cache "$SSD"
check "... whose old data aren't read" holds "$MAP" 4 four
right "... close" close "$MAP"
right "... and without" open "$DISK" "$MAP"
put "$MAP" 4 five
right "... close" close "$MAP"
dd if=/dev/zero of="$DISK" bs=64k count=1 conv=notrunc status=none
right "... the backup comes to a header that is lost" header restore -q "$DISK" --header-backup-file "$WORK/open.hdr"
like "... and says so" "$(note "$DISK")" '"restored":true'
wrong 5 "By its header, which is from a backup, the cache of $DISK" open "$DISK" "$MAP"
wrong 5 "from a backup" open "$DISK" "$MAP" --cache "$SSD"
right "... which is given up" open -q "$DISK" "$MAP" --cache none
check "... the disk has its data" holds "$MAP" 4 five
right "... close" close "$MAP"

# The SSD has died.
right "a writecache" open "$DISK" "$MAP" --cache "$SSD,writecache"
put "$MAP" 4 six
cp --sparse=always "$DISK" "$WORK/cut-disk"
right "... close" close "$MAP"
cp --sparse=always "$WORK/cut-disk" "$DISK"
wrong 1 "has data that the disk lacks.*damaged, for good.*--batch-mode" open "$DISK" "$MAP" --cache none
right "... is given up when asked to" open -q "$DISK" "$MAP" --cache none
right "... close" close "$MAP"
is "... for good" "$(note "$DISK")" ""

# A label by halves, and none.
right "a cache again" open -q "$DISK" "$MAP" --cache "$SSD,writecache"
fill "$MAP" torn
cp --sparse=always "$SSD" "$WORK/cut-ssd"
cp --sparse=always "$DISK" "$WORK/cut-disk"
right "... close" close "$MAP"
for copy in 0 1; do
	cp --sparse=always "$WORK/cut-ssd" "$SSD"
	cp --sparse=always "$WORK/cut-disk" "$DISK"
	dd if=/dev/urandom of="$SSD" bs=512 count=3 seek=$((8 * copy)) conv=notrunc status=none
	right "... with copy $copy of its label torn it opens" open "$DISK" "$MAP" --cache "$SSD"
	check "... nothing is lost" filled "$MAP" torn
	right "... close" close "$MAP"
done
cp --sparse=always "$WORK/cut-ssd" "$SSD"
cp --sparse=always "$WORK/cut-disk" "$DISK"
dd if=/dev/zero of="$SSD" bs=8K count=1 conv=notrunc status=none
wrong 5 "has data that the disk lacks" open -q "$DISK" "$MAP" --cache "$SSD"
cp --sparse=always "$WORK/cut-ssd" "$SSD"
right "... it is still there" open "$DISK" "$MAP" --cache "$SSD"
check "... nothing is lost" filled "$MAP" torn
right "... close" close "$MAP"

mkfs.ext4 -q -F "$OTHER"
wrong 1 "It holds a superblock of ext4.*--batch-mode" open "$DISK" "$MAP" --cache "$OTHER"
right "... and may be overwritten" open -q "$DISK" "$MAP" --cache "$OTHER"
right "... close" close "$MAP"
is "... nothing of it is left" "$(blkid -p -o value -s TYPE "$OTHER")" ""

### Calls that are wrong, with devices

wrong 1 "leave out --readonly" open "$DISK" "$MAP" --cache "$SSD" --readonly
wrong 1 "leave out --shared" open "$DISK" "$MAP" --cache "$SSD" --shared
wrong 4 "absent does not exist" open "$DISK" "$MAP" --cache "$WORK/absent"
truncate -s 2M "$WORK/small"
wrong 4 "has 2 MiB: 5 MiB are the least" open "$DISK" "$MAP" --cache "$WORK/small,writecache"
wrong 4 "has 2 MiB: 17 MiB are the least" open "$DISK" "$MAP" --cache "$WORK/small"
LONG=$(printf '%0101d' 0)
wrong 1 "a name has 100 characters at most" open "$DISK" "$LONG" --cache "$SSD"
LOOP=$(losetup -f --show "$OTHERDISK")
at_exit "losetup -d $LOOP"
wrong 1 "lie on one another" open "$LOOP" "$MAP" --cache "$LOOP"
right "a detached header" format -q --header "$WORK/header-alone" "$OTHER"
wrong 1 "the header $WORK/header-alone lie on one another" open -q "$OTHER" "$MAP" \
	--header "$WORK/header-alone" --cache "$WORK/header-alone,writecache"
right "... stays whole" open "$OTHER" "$MAP" --header "$WORK/header-alone"
right "... close" close "$MAP"
is "... nothing is left of all that" "$(cached_devices)" ""
right "... the disk opens" open "$DISK" "$MAP"
right "... close" close "$MAP"

### Under a cache a disk is what it is without

pem one
right "a customer's set" des create cust --type customer --key "file:$KEYS/one.pem" --lease 1h --kek-timeout 120
right "format" format -q --des cust "$LOOP"
right "open" open -q "$LOOP" "$MAP" --cache "$SSD,writecache"
put "$MAP" 4 seven
right "renew" lease renew "$MAP"
right "disable" des disable cust --now -q
refute "... takes the disk away" dd if="/dev/mapper/$MAP" of=/dev/null bs=4096 count=1 iflag=direct status=none
right "enable" des enable cust
check "... gives it back" holds "$MAP" 4 seven
right "suspend" suspend "$MAP"
right "renew" lease renew "$MAP"
right "resume" resume "$MAP"
check "... it goes on" holds "$MAP" 4 seven
mkdir "$KEYS/versions"
cp "$KEYS/one.pem" "$KEYS/versions/1.pem"
right "a key with versions" des create versions --type customer --key "file:$KEYS/versions" --kek-timeout 120
right "assign" assign --des versions "$LOOP"
pem two
cp "$KEYS/two.pem" "$KEYS/versions/2.pem"
right "rotate" des rotate versions
like "... keeps the note of the cache" "$(note "$OTHERDISK")" '"dirty":true'
right "header backup" header backup "$LOOP" --header-backup-file "$WORK/header"
wrong 5 "has a cache, which is of one size" resize "$MAP"

# The last user goes when nobody of ours is there.
exec 7<>"/dev/mapper/$MAP"
wrong 5 "still in use" close "$MAP"
right "close --deferred" close --deferred "$MAP"
right "... taken back" close --cancel-deferred "$MAP"
exec 7>&-
check "... the disk stays" holds "$MAP" 4 seven
exec 7<>"/dev/mapper/$MAP"
right "close --deferred" close --deferred "$MAP"
check "... the disk is there" holds "$MAP" 4 seven
exec 7>&-
gone() {
	[ -z "$(cached_devices)" ] && ! dmsetup info "$MAP" >/dev/null 2>&1
}
check "... all of it goes with the last user" wait_for 30 gone
wrong 5 "has data that the disk lacks" open "$LOOP" "$MAP"
right "... with the cache it opens" open "$LOOP" "$MAP" --cache "$SSD"
check "... nothing is lost" holds "$MAP" 4 seven

# A close that was cut off between the disk and its cache.
dmsetup remove "$MAP"
right "close of what is left" close "$MAP"
is "... takes everything down" "$(cached_devices)" ""
right "... the disk opens without" open "$LOOP" "$MAP"
check "... nothing is lost" holds "$MAP" 4 seven
right "... close" close "$MAP"
right "open" open -q "$LOOP" "$MAP" --cache "$SSD,writecache"
put "$MAP" 4 eight
dmsetup remove "$MAP"
right "... or open takes it up again" open "$LOOP" "$MAP" --cache "$SSD"
check "... nothing is lost" holds "$MAP" 4 eight
right "... close" close "$MAP"

# A detached header that can't be written to.
right "a detached header" format -q --header "$WORK/detached" "$LOOP"
right "... open with a cache" open -q "$LOOP" "$MAP" --header "$WORK/detached" --cache "$SSD,writecache"
put "$MAP" 4 nine
right "... close" close "$MAP"
like "... the note is there" "$(note "$WORK/detached")" '"dirty":false'
mkdir "$WORK/ro"
mount --bind "$WORK" "$WORK/ro"
mount -o remount,bind,ro "$WORK/ro"
at_exit "umount $WORK/ro 2>/dev/null || :"
sse open "$LOOP" "$MAP" --header "$WORK/ro/detached" --cache "$SSD"
refute "... that is read-only is refused" test "$RC" = 0
like "... and said" "$OUT" "A cache is noted in the disk's header: "
umount "$WORK/ro"
is "... nothing is left of it" "$(cached_devices)" ""

# The size is another one.
right "the disk grows" open "$LOOP" "$MAP" --header "$WORK/detached" --cache "$SSD"
right "... close" close "$MAP"
truncate -s 24M "$OTHERDISK"
losetup -c "$LOOP"
right "... open" open "$LOOP" "$MAP" --header "$WORK/detached" --cache "$SSD"
is "... all of it is there" "$(sectors "/dev/mapper/$MAP")" $((24 * 2048))
check "... with its data" holds "$MAP" 4 nine
right "... close" close "$MAP"

# A token that can't be read, and a passphrase.
right "format" format -q "$DISK" --recovery-key
sed -n 's/^Recovery key: //p' <<<"$OUT" | tr -d '\n' >"$WORK/recovery"
right "... open" open -q "$DISK" "$MAP" --cache "$SSD,writecache"
put "$MAP" 4 ten
token_of "$DISK" | sed 's/"wrapped":"[^"]*"/"wrapped":"!"/' >"$WORK/token"
cryptsetup token remove --token-id 0 "$DISK"
cryptsetup token import --token-id 0 --json-file "$WORK/token" "$DISK"
right "... close, when its token is broken" close "$MAP"
like "... calls the cache clean" "$(note "$DISK")" '"dirty":false'
right "... with the recovery key it opens" open --key-file "$WORK/recovery" "$DISK" "$MAP" --cache "$SSD"
check "... with its data" holds "$MAP" 4 ten
right "... close" close "$MAP"

done_testing
