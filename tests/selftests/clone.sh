#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Disks of one UUID on one host: snapshots of dm-snapshot and dm-thin, and copies
# by dd, while the disk that they were made of is open. Each command must reach
# the one that was meant, and what is done to a set be done to all of them.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=deslib.bash
. "$DMSSE_DIR/deslib.bash"
need_cmd dmsetup script
need_module dm-snapshot dm-thin-pool dm-crypt dm-writecache dm-cache
have_module adiantum || have_module xchacha20 || :

A=dmsse-twin-a B=dmsse-twin-b C=dmsse-twin-c
ORIGIN=/dev/mapper/below-origin SNAP=/dev/mapper/below-snap
MIB=1048576
REGISTER=/var/lib/dm-sse/disks
AUDIT=/var/log/dm-sse/audit.jsonl

# What lies below goes after what is open on it.
below() {
	local name=$1

	shift
	dmsetup create "$name" "$@" || bail "no mapping $name"
	at_exit "close_all; dm_remove $name"
}

# Headers as they are on the medium: of both layers, or more.
header() {
	[ ! -b "$1" ] || blockdev --flushbufs "$1"
	head -c 4M "$1" | sha256sum
}

# Versions that a disk's tokens name.
versions() {
	cryptsetup luksDump --dump-json-metadata "$1" 2>/dev/null | tr -d ' \n' |
		grep -o '"kek":{[^}]*}' | sed 's/.*"version":"\([^"]*\)".*/\1/' | xargs
}

# Bytes at some MiB of an open disk: NAME MIB SEED
put_at() {
	pattern 1 "$3" | dd of="/dev/mapper/$1" bs=1M seek="$2" iflag=fullblock oflag=direct \
		conv=notrunc,nocreat status=none
}

holds_at() {
	cmp -s <(pattern 1 "$3") \
		<(dd if="/dev/mapper/$1" bs=1M skip="$2" count=1 iflag=direct status=none)
}

# The whole register, to see that nothing has changed in it.
register() {
	(cd "$REGISTER" && find . -type f -exec sha256sum {} + && find . -type l -printf '%p %l\n') |
		grep -v '\.lock' | sort
}

# The entry of a disk in "where-used", without its first line: SET DEVICE
used() {
	"$SSESETUP" des where-used "$1" </dev/null |
		awk -v device="$2" '/^[^ ]/ {mine = $1 == device} mine'
}

right "a set" des create gold --type platform --lease 1h --kek-timeout 120
right "another" des create silver --type platform --lease 1h --kek-timeout 120

### A snapshot of an open disk

make_disk BASE 24
make_disk COW 24
below below-origin --table "0 $(sectors "$BASE") snapshot-origin $BASE"
right "format" format -q "$ORIGIN" --des gold --recovery-key
RECOVERY=$(sed -n 's/^Recovery key: //p' <<<"$OUT")
printf %s "$RECOVERY" >"$WORK/recovery"
right "open" open "$ORIGIN" $A
put $A 4 first

snapshot() {
	dmsetup suspend below-origin &&
		dmsetup create below-snap --table "0 $(sectors "$BASE") snapshot $BASE $COW P 8" &&
		dmsetup resume below-origin
}
check "a snapshot is taken" snapshot || bail "no snapshot"
at_exit "close_all; dm_remove below-snap"

before=$(register)
wrong 5 "^Device $SNAP has the UUID of $ORIGIN, which is open as $A: --clone opens it all the same.\$" \
	open "$SNAP" $B
is "... in one line" "$(wc -l <<<"$OUT")" 1
is "... with nothing registered" "$(register)" "$before"
is "... nor a key left" "$(key_lines $B)" ""
like "... and an audit" "$(tail -n 1 $AUDIT)" "\"event\":\"refuse\".*\"device\":\"$SNAP\""
wrong 5 "has the UUID of" open --key-file "$WORK/recovery" "$SNAP" $B
right "the snapshot opens with --clone" open --clone "$SNAP" $B
check "... and has the data" holds $B 4 first
put_at $A 1 original
put_at $B 2 snapshot
check "... the original doesn't see what it writes" holds_at $A 1 original
check "... nor it what the original does" holds_at $B 2 snapshot
refute "... neither of them" holds_at $A 2 snapshot
refute "... of the two" holds_at $B 1 original
is "each has its own keys" "$(key_lines $A | wc -l) $(key_lines $B | wc -l)" "1 1"
like "the clone is listed" "$(used gold "$SNAP")" "^$SNAP  \(clone\).*open as: *$B"
like "... beside the original" "$(used gold "$ORIGIN")" "open as: *$A"
unlike "... which is none" "$(used gold "$ORIGIN")" "\(clone\)"
sse des where-used gold --json
check "... in JSON too" json_ok "$OUT"
like "... by name" "$(tr -d ' \n' <<<"$OUT")" \
	"\"device\":\"$SNAP\",\"uuid\":\"[^\"]*\",\"clone\":true,\"mapping\":\"$B\",\"mappings\":\[\"$B\"\]"
right "status tells" status $B
like "... that it is a clone" "$OUT" "clone: *yes"
right "... and" status $A
unlike "... that the original is none" "$OUT" "clone:"
wrong 5 "is in use: used by $B" open --clone "$SNAP" $C

# Suspended, resumed, renewed: by name, and the other one goes on.
right "suspend the clone" suspend $B
check "... the original works on" holds_at $A 1 original
check "... with its key" state_is $A active
right "... and resume" resume $B
check "... it goes on" holds_at $B 2 snapshot
right "renew the clone" lease renew $B
like "... of which the audit says the device" "$(grep '"event":"renew"' $AUDIT | tail -n 1)" \
	"\"device\":\"$SNAP\".*\"mapping\":\"$B\""

### Rotated with the set

right "rotate" des rotate gold
is "the original's header has moved" "$(versions "$ORIGIN")" 2
is "... and the clone's" "$(versions "$SNAP")" 2
check "... both work on" holds_at $A 1 original
check "... each with its data" holds_at $B 2 snapshot
right "close the clone" close $B
right "... it opens by the new version" open --clone "$SNAP" $B

### Stops with the set

right "disable --now" des disable -q gold --now
check "the original lapses" wait_for 60 state_is $A lapsed
check "... and the clone" wait_for 60 state_is $B lapsed
refute "... which can't be read" holds_at $B 2 snapshot
right "enable" des enable gold
check "the original is back" holds_at $A 1 original
check "... and the clone" holds_at $B 2 snapshot

### Headers: repair, backup, restore reach the one that was named

right "close the clone" close $B
before=$(header "$ORIGIN")
right "back the clone's header up" header backup "$SNAP" --header-backup-file "$WORK/snap.hdr"
head -c 16 /dev/urandom | dd of="$SNAP" bs=1 seek=5000 conv=fsync status=none
right "repair the clone" repair -q "$SNAP"
like "... it was damaged" "$OUT" "equal again"
right "... not the original" repair -q "$ORIGIN"
like "... which is whole" "$OUT" "nothing to repair"
dd if=/dev/zero of="$SNAP" bs=1M count=1 conv=fsync status=none
right "the original's backup" header backup "$ORIGIN" --header-backup-file "$WORK/origin.hdr"
wrong 5 "while the disk is closed" header restore -q "$ORIGIN" --header-backup-file "$WORK/snap.hdr"
right "restore the clone" header restore -q "$SNAP" --header-backup-file "$WORK/snap.hdr"
right "... it opens" open --clone "$SNAP" $B
check "... with its data" holds_at $B 2 snapshot
is "the original's header is as it was" "$(header "$ORIGIN")" "$before"

### A set of its own

right "assign the clone to another set" assign --des silver "$SNAP"
like "... there it is listed" "$(used silver "$SNAP")" "open as: *$B"
is "... and no more here" "$(used gold "$SNAP")" ""
right "rotate" des rotate gold
is "... the original alone" "$(versions "$ORIGIN") $(versions "$SNAP" | wc -w)" "3 1"
right "disable that set" des disable -q silver --now
check "... and the clone lapses" wait_for 60 state_is $B lapsed
check "... alone" state_is $A active
right "close it" close $B
wrong 2 "silver is disabled" open --clone "$SNAP" $B
right "enable" des enable silver
right "and back" assign --des gold "$SNAP"

### Who was first

right "close the original" close $A
wrong 5 "has the UUID of $ORIGIN, which is registered here: --clone opens" open "$SNAP" $B
right "open the clone alone" open --clone "$SNAP" $B
right "the original needs no --clone beside it" open "$ORIGIN" $A
check "... it has its data" holds_at $A 1 original
right "close" close $A
right "close" close $B

# A name goes from one disk to the other, as after a crash.
right "open" open "$ORIGIN" $A
dm_remove $A
right "the clone gets its name" open --clone "$SNAP" $A
is "the original isn't open" "$(used gold "$ORIGIN" | grep -c 'open as')" 0
like "... but the clone is" "$(used gold "$SNAP")" "open as: *$A"
right "renew" lease renew $A
right "close" close $A

# ... or to any other disk. What else is done to the first doesn't give it back.
image NAMED 8
right "format" format -q "$NAMED" --des silver
right "open" open "$ORIGIN" $A
dm_remove $A
right "another disk gets its name" open "$NAMED" $A
right "assign the original to another set" assign --des silver "$ORIGIN"
right "and back" assign --des gold "$ORIGIN"
right "the other disk is renewed" lease renew $A
right "disable its set" des disable -q silver --now
check "... takes it away" wait_for 60 state_is $A lapsed
right "enable" des enable silver
check "... and back" state_is $A active
right "close" close $A

# One that comes into the register without having been opened is a clone all the same.
right "forget the clone" des forget -q gold "$SNAP"
right "assign it to another set" assign --des silver "$SNAP"
like "... it is known for a clone" "$(used silver "$SNAP")" "^$SNAP  \\(clone\\)"
wrong 5 "has the UUID of $ORIGIN, which is registered here" open "$SNAP" $B
right "and back" assign --des gold "$SNAP"
like "... it is one still" "$(used gold "$SNAP")" "\\(clone\\)"

# cryptsetup knows nothing of a set, but has the UUID too.
check "cryptsetup opens the original" cryptsetup open --key-file "$WORK/recovery" "$ORIGIN" dmsse-stock
right "forget both" des forget -q gold "$ORIGIN"
right "..." des forget -q gold "$SNAP"
wrong 5 "has the UUID of $ORIGIN, which is open as dmsse-stock" open "$SNAP" $B
right "with --clone it opens" open --clone "$SNAP" $B
right "close" close $B
check "cryptsetup closes it" cryptsetup close dmsse-stock

# The last one keeps the set.
wrong 5 "$SNAP" des delete -q gold
right "it is forgotten" des forget -q gold "$SNAP"
right "the original is known again" open "$ORIGIN" $A
right "... and the clone" open --clone "$SNAP" $B

### A path that leads to the other one by now

# below-origin is below-snap and the other way round; what is open stays.
swap() {
	dmsetup rename below-origin below-x && dmsetup rename below-snap below-origin &&
		dmsetup rename below-x below-snap
}
swap || bail "not renamed"
right "the disk behind the original's name is no longer gold's" assign --des silver "$ORIGIN"
right "disable that set" des disable -q silver --now
check "... and its clone lapses" wait_for 60 state_is $B lapsed
right "renew the original, which has another name" lease renew $A
check "... it works on" holds_at $A 1 original
right "enable" des enable silver
check "... and the clone" holds_at $B 2 snapshot
right "close" close $A
right "close" close $B
swap || bail "not renamed"
right "and back" assign --des gold "$SNAP"
right "forget the clone" des forget -q gold "$SNAP"
dm_remove below-snap

### With caches

make_disk WITH 48
make_disk SSD 24
below below-with --table "0 $((20 * 2048)) linear $WITH 0"
below below-copy --table "0 $((20 * 2048)) linear $WITH $((24 * 2048))"
sweep() {
	local part

	for part in cache origin ssd meta; do
		dm_remove "$1.sse-$part"
	done
}
at_exit "close_all; sweep $A; sweep $B"
WITH=/dev/mapper/below-with WITHCOPY=/dev/mapper/below-copy
copy_disk() {
	dd if="$WITH" of="$WITHCOPY" bs=1M iflag=direct oflag=direct status=none
}
note_of() {
	local id

	for id in 0 1 2 3; do
		token_of "$1" $id 2>/dev/null | grep dm-sse-cache
	done
}
right "format" format -q "$WITH" --des gold
right "open with a cache" open -q "$WITH" $A --cache "$SSD,writethrough"
put_at $A 1 early
wrong 5 "would overlap with $A" open --shared "$WITH" $B
copy_disk
put_at $A 1 late
wrong 5 "has the UUID of $WITH, which is open as $A: --clone" open "$WITHCOPY" $B
right "its snapshot opens beside it" open --clone "$WITHCOPY" $B
check "... as the disk was" holds_at $B 1 early
right "close" close $B
copy_disk
session=$(field "$(note_of "$WITHCOPY")" session)
right "close the disk" close $A
like "... its note of the cache is a clean one" "$(note_of "$WITH")" '"dirty":false'
unlike "... not of the session that a snapshot has" "$(note_of "$WITH")" "\"session\":\"$session\""
right "the snapshot with that cache, which it takes for an empty one" \
	open -q --clone "$WITHCOPY" $B --cache "$SSD"
check "... reads its own data" holds_at $B 1 late
put_at $B 1 own
right "close" close $B
right "the disk with it again" open -q "$WITH" $A --cache "$SSD"
check "... reads its own" holds_at $A 1 late
right "close" close $A

# What the cache has, the snapshot lacks; after a crash the session is the right one.
right "open with a writecache" open -q "$WITH" $A --cache "$SSD,writecache"
put_at $A 1 newer
copy_disk
dm_remove $A
for part in cache origin ssd; do
	dmsetup remove $A.sse-$part
done
wrong 5 "Snapshot $WITHCOPY was made while $WITH was open with a cache" \
	open --clone "$WITHCOPY" $B
wrong 5 "the cache of another disk with this UUID, and has data that that one lacks" \
	open -q --clone "$WITHCOPY" $B --cache "$SSD"
right "the disk goes on with it" open "$WITH" $A --cache "$SSD"
check "... with its data" holds_at $A 1 newer
right "the snapshot is opened as it is" open -q --clone "$WITHCOPY" $B --cache none
right "close" close $B

# The names are changed while it is open: what is noted goes to the disk that was.
copy_disk
exchange() {
	dmsetup rename below-with below-x && dmsetup rename below-copy below-with &&
		dmsetup rename below-x below-copy
}
exchange || bail "not renamed"
right "close the disk, which has another name" close $A
like "... its note is a clean one" "$(note_of "$WITHCOPY")" '"dirty":false'
like "... the snapshot's is not touched" "$(note_of "$WITH")" '"dirty":true'
exchange || bail "not renamed"
right "the disk opens without" open "$WITH" $A
check "... with its data" holds_at $A 1 newer
right "close" close $A
right "forget the snapshot" des forget -q gold "$WITHCOPY"
right "... and the disk" des forget -q gold "$WITH"

### Copied to another: an image of the disk

image COPY 24
dd if="$ORIGIN" of="$COPY" bs=1M iflag=direct status=none
wrong 5 "has the UUID of $ORIGIN, which is registered here" open "$COPY" $B
right "a copy by dd opens" open --clone "$COPY" $B
right "... beside the disk" open "$ORIGIN" $A
check "... with the same data" holds_at $B 1 original
right "close" close $B

# Read-only it can't be moved, and then the older version is still needed.
make_disk LOCKED 24
dd if="$ORIGIN" of="$LOCKED" bs=1M iflag=direct oflag=direct status=none
below below-locked --readonly --table "0 $(sectors "$LOCKED") linear $LOCKED 0"
right "a read-only clone opens" open --clone /dev/mapper/below-locked $B
like "... and is read-only" "$(dmsetup info $B)" "READ-ONLY"
check "... with the data" holds_at $B 1 original
wrong 4 "read-only, and stays on the version" des rotate gold
is "... the original has moved" "$(versions "$ORIGIN")" 4
is "... the clone has not" "$(versions /dev/mapper/below-locked)" 3
right "renew it" lease renew $B
right "close" close $B
dm_remove below-locked
below below-locked --table "0 $(sectors "$LOCKED") linear $LOCKED 0"
right "writable it moves" des rotate gold
is "... to the new version" "$(versions /dev/mapper/below-locked)" 4

# A loop device's number says nothing about the file: here they have changed places.
image ONE 8
right "format" format -q "$ONE" --des gold
LOOP1=$(losetup -f --show "$ONE")
right "open" open "$LOOP1" $B
put_at $B 1 one
right "close" close $B
cp "$ONE" "$WORK/two"
LOOP2=$(losetup -f --show "$WORK/two")
right "open its copy" open --clone "$LOOP2" $B
put_at $B 1 two
right "close" close $B
losetup -d "$LOOP1" "$LOOP2"
losetup "$LOOP1" "$WORK/two"
losetup "$LOOP2" "$ONE"
at_exit "close_all; losetup -d $LOOP1 $LOOP2 2>/dev/null || :"
wrong 5 "has the UUID of $ONE, which is registered here" open "$LOOP1" $B
right "the original opens without --clone" open "$LOOP2" $B
check "... and is it" holds_at $B 1 one
right "the copy with it" open --clone "$LOOP1" $C
check "... and is the copy" holds_at $C 1 two
like "each is listed by its file" "$(used gold "$ONE")" "open as: *$B"
like "... and the copy" "$(used gold "$WORK/two")" "\(clone\).*open as: *$C"
right "close" close $B
right "close" close $C

# When the first is gone there is no clone any more.
right "forget the original" des forget -q gold "$ONE"
losetup -d "$LOOP2"
right "the copy opens as a disk of its own" open "$WORK/two" $C --shared
unlike "... and is listed so" "$(used gold "$WORK/two")" "\(clone\)"
right "close" close $C
losetup -d "$LOOP1"

### Two layers

image DOUBLE 8
mkdir -m 700 "$KEYS/keys"
pem keys/1
right "a set with two layers" des create both --type platform-and-customer \
	--key "file:$KEYS/keys" --lease 1h --kek-timeout 120
right "format" format -q "$DOUBLE" --des both
right "open" open "$DOUBLE" $B
put_at $B 1 double
cp "$DOUBLE" "$WORK/double"
wrong 5 "has the UUID of .*, which is open as $B" open "$WORK/double" $C
right "the clone opens" open --clone "$WORK/double" $C
check "... with the data" holds_at $C 1 double
is "... and keys of its own" "$(key_lines $C | wc -l)" 2
pem keys/2
before=$(header "$WORK/double")
right "rotate" des rotate both
isnt_same() { [ "$(header "$WORK/double")" != "$before" ]; }
check "... the clone's headers have changed" isnt_same
for device in "$DOUBLE" "$WORK/double"; do
	like "... both layers have moved" "$(used both "$device")" \
		"version 2 of file:$KEYS/keys, layer inner"
done
right "close the original" close $B
right "renew the clone" lease renew $C
right "close" close $C

### Under two names

make_disk SHARED 16
right "format" format -q "$SHARED" --des gold
right "open" open "$SHARED" $B
wrong 5 "would overlap with $B" open --shared "$SHARED" $C
right "the first is still known" lease renew $B
right "close" close $B
right "open read-only" open --shared --readonly "$SHARED" $B
right "... and once more" open --shared --readonly "$SHARED" $C
is "both names are known" "$(used gold "$(losetup -nO BACK-FILE "$SHARED")" | grep -o 'dmsse-twin-.' | sort | xargs)" "$B $C"
right "both are renewed" lease renew --all
right "close one" close $C
right "disable --now" des disable -q gold --now
check "... takes the other away" wait_for 60 state_is $B lapsed
right "enable" des enable gold
check "... and back" state_is $B active
wrong 5 "is open as $B: close it first" des forget -q gold "$SHARED"
right "close" close $B

### A snapshot of a thin volume, copied to another set

make_disk META 4
make_disk POOL 64
below below-pool --table "0 $(sectors "$POOL") thin-pool $META $POOL 128 0"
dmsetup message below-pool 0 'create_thin 0' || bail "no thin volume"
below below-thin --table "0 $((24 * MIB / 512)) thin /dev/mapper/below-pool 0"
right "format a thin volume" format -q /dev/mapper/below-thin --des gold
right "open" open /dev/mapper/below-thin $B
put $B 4 thin
thin_snapshot() {
	dmsetup suspend below-thin && dmsetup message below-pool 0 'create_snap 1 0' &&
		dmsetup resume below-thin
}
check "its snapshot" thin_snapshot || bail "no snapshot"
below below-thin-snap --table "0 $((24 * MIB / 512)) thin /dev/mapper/below-pool 1"
put_at $B 1 later
right "the snapshot opens" open --clone /dev/mapper/below-thin-snap $C
check "... as the disk was" holds $C 4 thin
right "rotate" des rotate gold
is "... both" "$(versions /dev/mapper/below-thin) $(versions /dev/mapper/below-thin-snap)" "5 5"
right "close" close $C

# Below the destination is a barrier, at which a copy stops until it is taken away.
make_disk DEST 26
need_module dm-delay
below below-dest --table "0 $(sectors "$DEST") linear $DEST 0"
barrier() {
	local at=$((10 * MIB / 512)) all

	all=$(sectors "$DEST")
	printf '0 %d linear %s 0\n%d %d delay %s %d 0 %s %d 3600000 %s %d 0\n' $at "$DEST" \
		$at $((all - at)) "$DEST" $at "$DEST" $at "$DEST" $at |
		dmsetup reload below-dest && dmsetup resume below-dest
}
no_barrier() {
	dmsetup reload below-dest --table "0 $(sectors "$DEST") linear $DEST 0" &&
		dmsetup resume below-dest
}
copied() {
	cryptsetup luksDump --dump-json-metadata "$DEST" 2>/dev/null | tr -d ' \n' |
		sed -n 's/.*"copied":"\([0-9]*\)".*/\1/p'
}
reached() {
	local now

	now=$(copied)
	kill -0 $COPYING 2>/dev/null && [ "${now:-0}" -ge $((4 * MIB)) ]
}
begin_copy() {
	barrier || bail "no dm-delay"
	# What a shell starts in the background ignores SIGINT.
	env --default-signal=INT "$SSESETUP" -q copy --des silver /dev/mapper/below-thin-snap \
		/dev/mapper/below-dest >"$WORK/copy.out" 2>&1 </dev/null &
	COPYING=$!
	wait_for 120 reached || diag "$(cat "$WORK/copy.out")"
	kill -INT $COPYING
	no_barrier
	wait $COPYING
}
begin_copy
is "a copy of the snapshot is stopped midway" $? 130
right "... and goes on" -v -q copy --des silver /dev/mapper/below-thin-snap /dev/mapper/below-dest
like "... where it was" "$OUT" "goes on at byte [1-9]"
right "the copy opens, of another UUID" open /dev/mapper/below-dest $C
check "... with what the snapshot had" holds $C 4 thin
right "close" close $C
like "the copy is the other set's" "$(used silver /dev/mapper/below-dest)" "key: .*silver"
begin_copy
is "another is stopped" $? 130
right "close the disk" close $B
right "what was begun of the snapshot isn't finished with the disk" \
	-v -q copy --des silver /dev/mapper/below-thin /dev/mapper/below-dest
unlike "... but begun anew" "$OUT" "goes on at"
right "it opens" open /dev/mapper/below-dest $C
check "... and has what the disk has" holds_at $C 1 later
right "close" close $C
is "no mapping of a copy is left" "$(dmsetup ls | grep -cE '^dm-sse-(copy|peel)')" 0
is "... nor a name of one" "$(find "$REGISTER/mappings" -name 'of-dm-sse-*' | wc -l)" 0
# On a terminal it shows how far it is.
# shellcheck disable=SC2016 # expanded by sh
check "progress is shown" sh -c 'echo YES | script -qec "$0 copy --des silver $1 $2" /dev/null' \
	"$SSESETUP" /dev/mapper/below-thin-snap /dev/mapper/below-dest
like "... of both passes" "$(tr -d '\r' <"$WORK/check.out")" "22 MiB written, speed.*22 MiB verified, speed"

### A token that can't be read, and a passphrase

image BROKEN 8
right "format" format -q "$BROKEN" --des gold --recovery-key
sed -n 's/^Recovery key: //p' <<<"$OUT" | tr -d '\n' >"$WORK/recovery"
token_of "$BROKEN" | sed 's/"wrapped":"[^"]*"/"wrapped":"!"/' >"$WORK/token"
cryptsetup token remove --token-id 0 "$BROKEN"
cryptsetup token import --token-id 0 --json-file "$WORK/token" "$BROKEN"
wrong 4 "wrapped" open "$BROKEN" $B
right "with the recovery key it opens" open --key-file "$WORK/recovery" "$BROKEN" $B
like "... with a warning" "$OUT" "wrapped.*taken as one of no set"
right "close" close $B
sed -i 's/"layer":"single"/"layer":"outer"/' "$WORK/token"
cryptsetup token remove --token-id 0 "$BROKEN"
cryptsetup token import --token-id 0 --json-file "$WORK/token" "$BROKEN"
wrong 1 "two layers has two recovery keys" open --key-file "$WORK/recovery" "$BROKEN" $B

done_testing
