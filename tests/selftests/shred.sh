#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# ssesetup shred: nothing opens a disk any more, whatever its layers, wherever its
# headers are, and whether its keys can still be used or not; copies that would
# open it are named; and a disk in use, or one that doesn't keep what it is
# given, is told of.
#
#	| outer header | inner header | data ...        of a disk with two layers
#	0              2 MiB          4 MiB

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

need_ssesetup
need_cmd cryptsetup openssl script
need_module dm-crypt dm-flakey dm-writecache loop
load_module
own_state
have_module adiantum || have_module xchacha20 || :

AUDIT=/var/log/dm-sse/audit.jsonl
MIB=1048576
at_exit "dmsetup ls | awk '/^dmsse-/ {print \$1}' | while read -r name; do \"$SSESETUP\" close \$name 2>/dev/null || dm_remove \$name; done"

# A file with a disk on it, of random data: VAR FORMAT-OPTION...
FILES=0
disk() {
	local -n _file=$1

	shift
	FILES=$((FILES + 1))
	_file=$WORK/disk$FILES
	head -c $((6 * MIB)) /dev/urandom >"$_file"
	sse -q format "$_file" "$@"
	# shellcheck disable=SC2034 # read by who wants it
	mapfile -t KEYS < <(sed -n 's/^Recovery key[^:]*: //p' <<<"$OUT")
	[ "$RC" = 0 ] || bail "no disk: $OUT"
}

# How many of the 4096-byte blocks of one file, from MiB to MiB, are also in
# the same place of another.
same_blocks() {
	paste <(blocks "$1" "$3" "$4") <(blocks "$2" "$3" "$4") |
		awk '$1 "" == $2 "" {n++} END {print n + 0}'
}

# A line for each.
blocks() {
	part "$1" "$2" "$3" | od -An -v -t x8 -w4096 | tr -d ' '
}

part() {
	tail -c +$(($2 * MIB + 1)) "$1" | head -c $((($3 - $2) * MIB))
}

# Stock cryptsetup with a recovery key: KEY DEVICE [OPTION...]
recovers() {
	local key=$1

	shift
	printf '%s' "$key" | cryptsetup open --test-passphrase --key-file - "$@"
}

not_luks() {
	! cryptsetup isLuks "$1" && ! grep -a -q -e $'LUKS\xba\xbe' -e $'SKUL\xba\xbe' "$1"
}

known() {
	"$SSESETUP" des where-used "$1" | grep -c "^$2"
}

shreds() {
	grep '"event":"shred"' "$AUDIT" | grep -c "\"phase\":\"$1\".*\"device\":\"$2\""
}

unchanged() {
	local before=$1

	is "... and nothing is written" "$(sha256sum <"$2")" "$before"
}

### One layer

disk ONE --recovery-key
cp "$ONE" "$WORK/old"
sum=$(sha256sum <"$ONE")
check "its recovery key opens it" recovers "${KEYS[0]}" "$ONE"
wrong 1 'destroy all keyslots and tokens of .*, of set platform,.*batch-mode' shred "$ONE"
unchanged "$sum" "$ONE"
# shellcheck disable=SC2016 # expanded by sh
check "a yes in small letters is none" sh -c '! echo yes | script -qec "$0 shred $1" /dev/null' \
	"$SSESETUP" "$ONE"
unchanged "$sum" "$ONE"

right "it is opened" open "$ONE" dmsse-shred
loop=$(losetup -n -O NAME -j "$ONE")
wrong 5 'in use: it is behind /dev/loop' -q shred "$ONE"
wrong 5 "$loop is in use: used by dmsse-shred" -q shred "$loop"
right "... and closed" close dmsse-shred
is "... and not shredded meanwhile" "$(part "$ONE" 0 2 | sha256sum)" "$(part "$WORK/old" 0 2 | sha256sum)"

mount -o remount,ro /var/log/dm-sse
wrong 4 "audit record can't be written" -q shred "$ONE"
mount -o remount,rw /var/log/dm-sse
unchanged "$sum" "$ONE"

is "the register has it" "$(known platform "$ONE")" 1
# shellcheck disable=SC2016 # expanded by sh
check "a YES shreds it" sh -c 'echo YES | script -qec "$0 shred $1" /dev/null' "$SSESETUP" "$ONE"
cp "$WORK/check.out" "$WORK/said"
like "... says what was done" "$(tr -d '\r' <"$WORK/said")" \
	'shredded; 2097152 bytes of a header overwritten and read back, no keyslot is left'
like "... and what can't be proven" "$(cat "$WORK/said")" "can't be proven.*flash.*elsewhere"
check "no header is there" not_luks "$ONE"
is "... no block of header or keyslots" "$(same_blocks "$ONE" "$WORK/old" 0 2)" 0
is "... and the data are left alone" "$(same_blocks "$ONE" "$WORK/old" 2 6)" 1024
refute "its recovery key opens it no more" recovers "${KEYS[0]}" "$ONE"
wrong 4 'not a valid LUKS2 device' open "$ONE" dmsse-shred
wrong 4 'no LUKS2 header on .*no keys to destroy' -q shred "$ONE"
is "the register has it no more" "$(known platform "$ONE")" 0
is "the audit has it, before and after" "$(shreds intent "$ONE") $(shreds result "$ONE")" "1 1"
# What was destroyed is what it took.
dd if="$WORK/old" of="$ONE" bs=1M count=2 conv=notrunc status=none
check "with its old header it would open" recovers "${KEYS[0]}" "$ONE"

### Two layers, without any key

openssl genrsa -out "$WORK/customer.pem" 2048 2>/dev/null
chmod 600 "$WORK/customer.pem"
right "a set with two layers" des create both --type platform-and-customer --key "file:$WORK/customer.pem"
disk TWO --des both --recovery-key
is "a disk with two recovery keys" "${#KEYS[@]}" 2
cp "$TWO" "$WORK/old"
check "the outer one opens it" recovers "${KEYS[0]}" "$TWO"
right "the set is disabled" -q des disable both --now
rm "$WORK/customer.pem"
mv /var/lib/dm-sse/platform "$WORK/platform"
right "it is shredded though no key is left" -q shred "$TWO"
like "... both headers" "$OUT" 'bytes of headers overwritten'
mv "$WORK/platform" /var/lib/dm-sse/platform
check "no outer header is there" not_luks "$TWO"
is "... no block of it" "$(same_blocks "$TWO" "$WORK/old" 0 2)" 0
is "... nor of the inner one" "$(same_blocks "$TWO" "$WORK/old" 2 4)" 0
is "the register has it no more" "$(known both "$TWO")" 0
# Even with the outer header from a copy there is no inner one.
dd if="$WORK/old" of="$TWO" bs=1M count=2 conv=notrunc status=none
printf '%s' "${KEYS[0]}" | cryptsetup open --key-file - "$TWO" dmsse-outer
refute "below an old outer header there is no inner one" cryptsetup isLuks /dev/mapper/dmsse-outer
cryptsetup close dmsse-outer
cp "$WORK/old" "$TWO"
printf '%s' "${KEYS[0]}" | cryptsetup open --key-file - "$TWO" dmsse-outer
check "... which was there" cryptsetup isLuks /dev/mapper/dmsse-outer
cryptsetup close dmsse-outer
rm -f "$TWO"

### Detached headers

disk FAR --header "$WORK/header" --double --recovery-key
sum=$(sha256sum <"$FAR")
right "a disk is open by its header" open "$FAR" dmsse-shred --header "$WORK/header"
wrong 5 'in use' -q shred "$FAR" --header "$WORK/header"
"$SSESETUP" close dmsse-shred
check "... which wasn't shredded" recovers "${KEYS[0]}" "$FAR" --header "$WORK/header"
is "the register has it" "$(known platform "$FAR")" 1
right "its headers are shredded" -q shred "$FAR" --header "$WORK/header"
check "... the outer one" not_luks "$WORK/header"
check "... the inner one" not_luks "$WORK/header.inner"
unchanged "$sum" "$FAR"
is "the register has it no more" "$(known platform "$FAR")" 0
wrong 4 'no LUKS2 header' -q shred "$FAR" --header "$WORK/header"
wrong 1 '--header names the header of one device' shred "$FAR" "$ONE" --header "$WORK/header"

# Named by themselves, which no device in use tells of.
disk FAR --header "$WORK/alone" --double
right "a disk is open by its header" open "$FAR" dmsse-shred --header "$WORK/alone"
sum=$(cat "$WORK/alone" "$WORK/alone.inner" | sha256sum)
wrong 5 "alone is the header of .*, which is open as dmsse-shred: close it first" -q shred "$WORK/alone"
wrong 5 "alone.inner is the header of .*, which is open as dmsse-shred" -q shred "$WORK/alone.inner"
is "... and neither is touched" "$(cat "$WORK/alone" "$WORK/alone.inner" | sha256sum)" "$sum"
"$SSESETUP" close dmsse-shred
AS=(flock "/run/dm-sse/locks/in-place-$(stat -c '%D-' "$FAR")$(printf %x "$(stat -c %i "$FAR")")")
wrong 5 'is being encrypted or decrypted just now' -q shred "$WORK/alone"
AS=()
right "... closed it is shredded" -q shred "$WORK/alone"
unlike "... no header stays of the disk it was of" "$OUT" 'keeps its own header'
is "... which the register has no more" "$(known platform "$FAR")" 0

### Copies of the header

disk KEPT --double
right "a backup is made" header backup "$KEPT" --header-backup-file "$WORK/backup"
right "... and the disk is shredded" -q shred "$KEPT"
like "... which tells of it" "$OUT" "$WORK/backup, of 20.*is a backup of the header.*ssesetup shred $WORK/backup'"
like "... and of the inner one" "$OUT" "$WORK/backup.inner, of 20"
check "... and leaves it alone" cryptsetup isLuks "$WORK/backup"
right "the backup is shredded" -q shred "$WORK/backup"
check "... the outer header" not_luks "$WORK/backup"
check "... and the inner one" not_luks "$WORK/backup.inner"
unlike "... and is not told of any more" "$OUT" 'is a backup of'

### Snapshots

# The same UUID, in the register, as a snapshot that was opened once is.
snapshot() {
	cp "$1" "$2"
	"$SSESETUP" open --clone "$2" dmsse-shred >/dev/null && "$SSESETUP" close dmsse-shred
}
disk ORIGIN
snapshot "$ORIGIN" "$WORK/snap1"
cp "$ORIGIN" "$WORK/again"
right "a disk with a snapshot" -q shred "$ORIGIN"
like "... says that it stays" "$OUT" "$WORK/snap1 is registered as a disk of the same UUID.*--with-snapshots"
check "... and it does" cryptsetup isLuks "$WORK/snap1"
cp "$WORK/again" "$ORIGIN"
snapshot "$ORIGIN" "$WORK/snap2"
snapshot "$ORIGIN" "$WORK/snap3"
rm "$WORK/snap3"
snap=$(losetup -f --show "$WORK/snap2")
wrong 5 'snap2 is in use.*Snapshot .*snap3: .*No such file' -q shred --with-snapshots "$ORIGIN"
check "the disk is shredded" not_luks "$ORIGIN"
check "... and the snapshot that could be" not_luks "$WORK/snap1"
check "... and not the one in use" cryptsetup isLuks "$WORK/snap2"
is "the register has two of them" "$(known platform "$WORK/snap")" 2
losetup -d "$snap"
right "... until they go" -q shred "$WORK/snap2"

# Where the register has a snapshot there is another disk by now.
disk FIRST
snapshot "$FIRST" "$WORK/snap4"
snapshot "$FIRST" "$WORK/snap5"
truncate -s 20M "$WORK/snap4"
printf x | cryptsetup -q luksFormat --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 "$WORK/snap4" - 2>/dev/null
wipefs -q -a "$WORK/snap5"
sum=$(sha256sum <"$WORK/snap4")
right "a disk with snapshots that are none any more" -q shred --with-snapshots "$FIRST"
unlike "... which aren't taken for such" "$OUT" 'snap[45]'
unchanged "$sum" "$WORK/snap4"

### Caches

disk CACHED
truncate -s 8M "$WORK/ssd"
right "a disk with a cache" open -q "$CACHED" dmsse-shred --cache "$WORK/ssd,writecache"
wrong 5 'in use: it is behind /dev/loop' -q shred "$CACHED"
"$SSESETUP" close dmsse-shred
right "a backup of its header" header backup "$CACHED" --header-backup-file "$WORK/cached"
right "... the disk is shredded" -q shred "$CACHED"
unlike "... and its cache may be of use still" "$OUT" 'was the cache'
dd if="$WORK/cached" of="$CACHED" bs=1M conv=notrunc status=none
"$SSESETUP" open "$CACHED" dmsse-shred --cache "$WORK/ssd" && "$SSESETUP" close dmsse-shred
right "... when the backup has gone" -q shred "$WORK/cached"
right "... the disk is shredded" -q shred "$CACHED"
like "... and its cache is told of" "$OUT" "$WORK/ssd was the cache of $CACHED.*dd if=/dev/zero of=$WORK/ssd"

### Encryption in place

# Where it comes to the hole it fails, and can go on later.
end=$((24 * 2048))
hole() {
	dmsetup "$1" dmsse-hole <<-TABLE || bail "no dm-error"
		0 $((12 * 2048)) linear $loop 0
		$((12 * 2048)) 2048 error
		$((13 * 2048)) $((end - 13 * 2048)) linear $loop $((13 * 2048))
	TABLE
	[ "$1" = create ] || dmsetup resume dmsse-hole
}
no_hole() {
	dmsetup reload dmsse-hole --table "0 $end linear $loop 0" && dmsetup resume dmsse-hole
}
# The last MiBs, where copies of headers are meanwhile.
tail_of() {
	tail -c $((($1) * MIB)) "$WORK/hole" | head -c $((2 * MIB))
}
HOLE=/dev/mapper/dmsse-hole
truncate -s 24M "$WORK/hole"
head -c 2M /dev/urandom | dd of="$WORK/hole" bs=1M seek=4 conv=notrunc status=none
loop=$(losetup -f --show "$WORK/hole")
at_exit "losetup -d $loop"
hole create
at_exit 'dm_remove dmsse-hole'
refute "an encryption in place that fails midway" "$SSESETUP" -q encrypt "$HOLE" --reduce-device-size 4M
no_hole
check "... has its header there" cryptsetup isLuks "$HOLE"
cp "$WORK/hole" "$WORK/whole"
number=$(printf '%d:%d' "0x$(stat -Lc %t "$HOLE")" "0x$(stat -Lc %T "$HOLE")")
AS=(flock "/run/dm-sse/locks/in-place-$number")
wrong 5 'is being encrypted or decrypted just now' -q shred "$HOLE"
AS=()
right "... it is shredded" -q shred "$HOLE"
like "... and that some data are in clear is said" "$OUT" \
	"Encryption in place is not finished.*What of the data of $HOLE isn't encrypted stays readable"
check "... the header" not_luks "$HOLE"
sync "$WORK/hole"
is "... and the copy of it" "$(same_blocks "$WORK/hole" "$WORK/whole" 20 22)" 0
is "... and data stay as they are" "$(same_blocks "$WORK/hole" "$WORK/whole" 4 20)" $((16 * 256))

right "a disk with one layer" -q format "$HOLE"
hole reload
refute "a second layer fails midway" "$SSESETUP" -q encrypt --add-outer "$HOLE" --reduce-device-size 4M
no_hole
tail_of 2 >"$WORK/tail"
check "... the header of the first is at the end" cryptsetup isLuks "$WORK/tail"
cp "$WORK/hole" "$WORK/whole"
right "... it is shredded" -q shred "$HOLE"
check "... the outer header" not_luks "$HOLE"
sync "$WORK/hole"
tail_of 2 >"$WORK/tail"
check "... and the one at the end" not_luks "$WORK/tail"
is "... of which no block is left" "$(same_blocks "$WORK/hole" "$WORK/whole" 22 24)" 0
is "... nor of the outer one's copy" "$(same_blocks "$WORK/hole" "$WORK/whole" 20 22)" 0

# Cut off when it was begun: the copy of the outer header is in force, the inner one
# is at the end, and in its place there is nothing yet.
dd if="$WORK/whole" of="$HOLE" bs=1M iflag=fullblock oflag=direct status=none
dd if="$WORK/whole" of="$HOLE" bs=1M count=2 seek=20 iflag=fullblock oflag=direct status=none
dd if=/dev/zero of="$HOLE" bs=2M count=1 oflag=direct status=none
right "one that was cut off is shredded too" -q shred "$HOLE"
sync "$WORK/hole"
check "... the copy, and the header at the end" not_luks "$WORK/hole"
dm_remove dmsse-hole

### Several, of which one fails

disk A
disk B
head -c $MIB /dev/zero >"$WORK/plain"
wrong 4 'no LUKS2 header on .*plain' -q shred "$A" "$WORK/plain" "$B"
check "the one before is shredded" not_luks "$A"
check "... and the one behind" not_luks "$B"

### Damage

disk BAD --des platform --double
cp "$BAD" "$WORK/old"
# The JSON of both copies: nothing can be learnt from them.
printf 'XXXX' | dd of="$BAD" bs=1 seek=4100 conv=notrunc status=none
second=$(grep -a -b -o $'SKUL\xba\xbe' "$BAD" | cut -d : -f 1 | head -n 1)
printf 'XXXX' | dd of="$BAD" bs=1 seek=$((second + 4100)) conv=notrunc status=none
right "a disk whose header can't be read" -q shred "$BAD"
like "... is taken to have the largest" "$OUT" "header of .* can't be read"
is "... of which no block is left, inner header and all" "$(same_blocks "$BAD" "$WORK/old" 0 4)" 0
is "... and the register knew which it was" "$(known platform "$BAD")" 0

# A device that fails in the middle of the keyslots, and is whole again later.
disk FAILS --recovery-key
loop=$(losetup -f --show "$FAILS")
at_exit "losetup -d $loop"
end=$(sectors "$loop")
at_exit 'dm_remove dmsse-fails'
dmsetup create dmsse-fails <<-TABLE
	0 2048 linear $loop 0
	2048 8 error
	2056 $((end - 2056)) linear $loop 2056
TABLE
wrong 4 'Writing to .*dmsse-fails failed near byte' -q shred /dev/mapper/dmsse-fails
is "... which is recorded" "$(grep '"event":"shred"' "$AUDIT" | grep -c '"outcome":"failed".*Writing to')" 1
check "... still has its header, to begin anew" cryptsetup isLuks "$FAILS"
dmsetup reload dmsse-fails --table "0 $end linear $loop 0" && dmsetup resume dmsse-fails
right "... and the same command goes through" -q shred /dev/mapper/dmsse-fails
check "... to the end" not_luks "$FAILS"
dm_remove dmsse-fails

# One that says it writes, and doesn't.
disk LIES
loop=$(losetup -f --show "$LIES")
at_exit "losetup -d $loop"
dm_create dmsse-lies "0 $end flakey $loop 0 0 1 1 drop_writes"
wrong 4 "doesn't keep what it is given" -q shred /dev/mapper/dmsse-lies
check "a device that keeps its keys is told of" cryptsetup isLuks "$LIES"
unlike "... and not called shredded" "$OUT" 'shredded;|What can.t be proven'
dm_remove dmsse-lies

### Others

truncate -s 20M "$WORK/luks1"
printf x | cryptsetup -q luksFormat --type luks1 --pbkdf-force-iterations 1000 "$WORK/luks1" - 2>/dev/null
wrong 4 'header of LUKS1.*cryptsetup erase' -q shred "$WORK/luks1"
wrong 4 'No such file' -q shred "$WORK/absent"
wrong 4 'neither a block device nor a regular file|no LUKS2 header' -q shred /dev/null
wrong 1 'shred: requires DEVICE' shred
wrong 1 "--des is not for 'shred'" shred --des platform "$ONE"
# Any other LUKS2 volume.
truncate -s 20M "$WORK/other"
printf x | cryptsetup -q luksFormat --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 "$WORK/other" - 2>/dev/null
right "a volume of no set" -q shred "$WORK/other"
check "... is shredded too" not_luks "$WORK/other"
like "... with all of its header" "$OUT" '16777216 bytes of a header'

done_testing
