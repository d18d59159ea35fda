#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# ssesetup copy: from a customer's key to the platform's and to two layers, from
# open mappings and plain images; killed and resumed; refused; and found out when
# the copy isn't what it should be.
#
#	source ---(hidden mapping, read-only)---> copy ---(hidden mapping)---> destination
#	  14 MiB of random data                          raw device below dm-delay,
#	  behind a header of 2 MiB                       so that it can be caught midway

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

need_cmd cryptsetup openssl mkfs.ext4 script
need_module dm-crypt dm-delay loop
load_module
own_state
have_module adiantum || have_module xchacha20 || :

MIB=1048576
DATA_MIB=14
HEADER_MIB=2

sse() {
	"$SSESETUP" "$@" </dev/null
}

copies_left() {
	dmsetup ls | grep -E '^dm-sse-(copy|peel)'
}

none_left() {
	! copies_left >/dev/null
}

sum() {
	head -c "$2" "$1" | sha256sum | cut -d ' ' -f 1
}

# Past the page cache, which knows nothing of what a mapping on top has written.
all_of() {
	dd if="$1" bs=1M iflag=direct status=none | sha256sum
}

# The data of an opened disk are those of the source: DESC DEVICE
holds_data() {
	is "$1" "$(sum "$2" $((DATA_MIB * MIB)))" "$DATA_SUM"
}

# Opens, compares, closes: DESC DEVICE [OPTION...]
opens_with_data() {
	local desc=$1 device=$2

	shift 2
	check "$desc opens" sse open "$device" dmsse-copy-test "$@" || return
	holds_data "... and has the data" /dev/mapper/dmsse-copy-test
	sse close dmsse-copy-test
}

# Exit code and words of a refusal, and that it wrote nothing: DESC CODE ERE DEVICE CMD...
refused() {
	local desc=$1 code=$2 ere=$3 device=$4 before rc

	shift 4
	before=$(all_of "$device")
	"$@" >"$WORK/said" 2>&1 </dev/null
	rc=$?
	if [ "$rc" != "$code" ]; then
		fail "$desc" "exit code $rc, not $code: $(cat "$WORK/said")"
	else
		like "$desc" "$(cat "$WORK/said")" "$ere"
	fi
	is "... and nothing is written" "$(all_of "$device")" "$before"
	is "... and no mapping is left" "$(copies_left)" ""
}

# How far an unfinished copy has come, as its header says; empty without a note.
copied() {
	cryptsetup luksDump --dump-json-metadata "$1" 2>/dev/null | tr -d ' \n' |
		sed -n 's/.*"copied":"\([0-9]*\)".*/\1/p'
}

copied_at_least() {
	local now

	now=$(copied "$1")
	[ -z "$now" ] || [ "$now" -ge "$2" ]
}

openssl genrsa -out "$WORK/customer.pem" 2048 2>/dev/null || bail "no RSA key"
chmod 600 "$WORK/customer.pem"
check "a customer's set" sse des create customer --type customer --key "file:$WORK/customer.pem" --lease 1h
check "a set with two layers" sse des create both --type platform-and-customer --key "file:$WORK/customer.pem"

### A source under a customer's key

make_disk SOURCE $((DATA_MIB + HEADER_MIB))
check "the source is formatted" sse -q format "$SOURCE" --des customer || bail "no source"
check "... and opened" sse open "$SOURCE" dmsse-copy-test || bail "no source"
head -c "${DATA_MIB}M" /dev/urandom >"$WORK/data"
dd if="$WORK/data" of=/dev/mapper/dmsse-copy-test bs=1M oflag=direct status=none
DATA_SUM=$(sum "$WORK/data" $((DATA_MIB * MIB)))
sse close dmsse-copy-test
SOURCE_SUM=$(all_of "$SOURCE")

### Customer's key to the platform's

make_disk PLAIN $((DATA_MIB + HEADER_MIB + 3))
# On a terminal: it asks, and shows how far it has come.
# shellcheck disable=SC2016 # expanded by sh
check "a copy goes to the platform's key" sh -c 'echo YES | script -qec "$0 copy $1 $2" /dev/null' \
	"$SSESETUP" "$SOURCE" "$PLAIN" || bail "no copy at all"
cp "$WORK/check.out" "$WORK/said"
like "... it asked" "$(cat "$WORK/said")" 'overwrite data on .* irrevocably'
like "... it says how it ended" "$(tr -d '\r' <"$WORK/said")" \
	"Finished, time [0-9ms]+, $DATA_MIB MiB written, speed.*Finished, time [0-9ms]+, $DATA_MIB MiB verified, speed"
opens_with_data "the copy" "$PLAIN"
is "the source is as it was" "$(all_of "$SOURCE")" "$SOURCE_SUM"
like "its key is the platform's" "$(sse dump "$PLAIN")" "Key: +platform:.*the platform's"
refute "its data key is another" cmp -s -n $((4 * MIB)) -i $((HEADER_MIB * MIB)) "$SOURCE" "$PLAIN"
unlike "no note is left in its header" "$(cryptsetup luksDump "$PLAIN")" 'dm-sse-copy'
is "no mapping is left" "$(copies_left)" ""
is "no key is left" "$(grep -c 'dmsse:dm-sse-copy' /proc/keys)" 0
is "the audit has intent and result of both sides" \
	"$(grep -c '"event":"copy"' /var/log/dm-sse/audit.jsonl)" 4
mv /etc/dm-sse/des/customer.conf "$WORK/"
opens_with_data "without the customer's set, the copy" "$PLAIN"
mv "$WORK/customer.conf" /etc/dm-sse/des/

### Refusals

refused "a used destination is asked about" 1 'overwrite data on .*batch-mode' "$PLAIN" \
	sse copy "$SOURCE" "$PLAIN"
refused "source and destination are the same" 1 'the same device' "$SOURCE" \
	sse -q copy "$SOURCE" "$SOURCE"
make_disk SMALL $((DATA_MIB + HEADER_MIB - 1))
refused "a destination that is too small" 4 'room for [0-9]+ bytes.*has 14680064' "$SMALL" \
	sse -q copy "$SOURCE" "$SMALL"
refused "... and for two headers" 4 'behind its headers' "$SMALL" \
	sse -q copy "$SOURCE" "$SMALL" --des both
refused "a set that isn't there" 4 'nobody' "$SMALL" sse -q copy "$SOURCE" "$SMALL" --des nobody
refused "two layers in a set of one" 1 'type customer' "$SMALL" \
	sse -q copy "$SOURCE" "$SMALL" --des customer --double
refused "a source that isn't there" 4 'neither a block device nor an image|does not exist' "$SMALL" \
	sse -q copy "$WORK/none" "$SMALL"
truncate -s 4000 "$WORK/odd"
refused "a file that is no image" 4 'multiple of 512' "$SMALL" sse -q copy "$WORK/odd" "$SMALL"
sse -q des disable customer
refused "a source whose set is disabled" 2 'customer is disabled' "$SMALL" \
	sse -q copy "$SOURCE" "$SMALL"
sse des enable customer
mv /etc/dm-sse/des/customer.conf "$WORK/"
refused "a source of a set that isn't here" 2 'no identity' "$SMALL" sse -q copy "$SOURCE" "$SMALL"
mv "$WORK/customer.conf" /etc/dm-sse/des/

# Somebody's LUKS2 disk, of no set.
make_disk THEIRS 20
echo -n secret >"$WORK/passphrase"
cryptsetup -q luksFormat --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 \
	"$THEIRS" "$WORK/passphrase"
refused "a LUKS2 disk of no set" 1 'no disk encryption set' "$SMALL" sse -q copy "$THEIRS" "$SMALL"

### Sources in use

sse open "$SOURCE" dmsse-copy-test || bail "the source doesn't open"
at_exit "dm_remove dmsse-copy-test"
refused "an open source" 5 'in use: used by dmsse-copy-test' "$SMALL" sse -q copy "$SOURCE" "$SMALL"
check "an open source by its mapping" sse -q copy /dev/mapper/dmsse-copy-test "$PLAIN"
opens_with_data2() {
	check "$1 opens" sse open "$2" dmsse-copy-test2 || return
	holds_data "... and has the data" /dev/mapper/dmsse-copy-test2
	sse close dmsse-copy-test2
}
opens_with_data2 "the copy of a mapping" "$PLAIN"
refused "an open source isn't opened twice" 5 'copy the mapping itself' "$SMALL" \
	sse -q copy --shared "$SOURCE" "$SMALL"
sse close dmsse-copy-test

make_disk FILES 14
mkfs.ext4 -q "$FILES"
mkdir "$WORK/mnt"
mount -o ro "$FILES" "$WORK/mnt"
at_exit "umount $WORK/mnt 2>/dev/null || :"
refused "a mounted source" 5 "in use: mounted on $WORK/mnt" "$SMALL" sse -q copy "$FILES" "$SMALL"
check "... but for --shared" sse -q copy --shared "$FILES" "$PLAIN"
umount "$WORK/mnt"
blockdev --setro "$FILES"
mount -o ro "$FILES" "$WORK/mnt"
check "a read-only device may be mounted" sse -q copy "$FILES" "$PLAIN"
umount "$WORK/mnt"
# A loop device would keep this for the next one who gets it.
blockdev --setrw "$FILES"
check "... its copy opens" sse open "$PLAIN" dmsse-copy-test
check "... and has its file system" cmp -n $((14 * MIB)) "$FILES" /dev/mapper/dmsse-copy-test
sse close dmsse-copy-test

cryptsetup open --key-file "$WORK/passphrase" "$THEIRS" dmsse-theirs
at_exit "dm_remove dmsse-theirs"
head -c 2M /dev/urandom | dd of=/dev/mapper/dmsse-theirs bs=1M iflag=fullblock oflag=direct status=none
check "a disk that cryptsetup has opened is copied" sse -q copy /dev/mapper/dmsse-theirs "$PLAIN"
check "... its copy opens" sse open "$PLAIN" dmsse-copy-test
check "... and has its data" cmp -n $((2 * MIB)) /dev/mapper/dmsse-theirs /dev/mapper/dmsse-copy-test
sse close dmsse-copy-test
dm_remove dmsse-theirs

### Two layers, recovery keys, stock cryptsetup

# Adiantum is slow where it isn't the CPU that runs it: a smaller source.
make_disk LITTLE $((6 + HEADER_MIB))
sse -q format "$LITTLE" --des customer || bail "no source"
sse open "$LITTLE" dmsse-copy-test || bail "no source"
dd if="$WORK/data" of=/dev/mapper/dmsse-copy-test bs=1M count=6 oflag=direct status=none
sse close dmsse-copy-test
WHOLE_MIB=$DATA_MIB WHOLE_SUM=$DATA_SUM
DATA_MIB=6 DATA_SUM=$(sum "$WORK/data" $((6 * MIB)))
make_disk DOUBLE $((DATA_MIB + 2 * HEADER_MIB))
check "a copy to two layers, with recovery keys" \
	sse -q copy "$LITTLE" "$DOUBLE" --des both --recovery-key
cp "$WORK/check.out" "$WORK/shown"
opens_with_data "the copy of two layers" "$DOUBLE"
like "its inner key is the customer's" "$(sse dump "$DOUBLE")" 'Inner header.*customer'
sed -n 's/^Recovery key of the outer layer: //p' "$WORK/shown" | tr -d '\n' >"$WORK/outer"
sed -n 's/^Recovery key of the inner layer: //p' "$WORK/shown" | tr -d '\n' >"$WORK/inner"
check "cryptsetup opens its outer layer" \
	cryptsetup open --key-file "$WORK/outer" "$DOUBLE" dmsse-outer
at_exit "dm_remove dmsse-outer"
check "... and its inner one" \
	cryptsetup open --key-file "$WORK/inner" /dev/mapper/dmsse-outer dmsse-inner
at_exit "dm_remove dmsse-inner"
holds_data "... and reads the data" /dev/mapper/dmsse-inner
dm_remove dmsse-inner

# Its headers, of which one is below the other layer.
check "both headers are backed up" \
	sse header backup "$DOUBLE" --header-backup-file "$WORK/backup"
check "... each to its file" test -s "$WORK/backup" -a -s "$WORK/backup.inner"
head -c 16 /dev/urandom | dd of=/dev/mapper/dmsse-outer bs=1 seek=5000 conv=fsync status=none
refused "... not restored while the disk is in use" 5 'while the disk is closed' "$DOUBLE" \
	sse -q header restore "$DOUBLE" --header-backup-file "$WORK/backup"
dm_remove dmsse-outer
refused "a damaged inner header is asked about" 1 'first copy of the header is damaged' "$DOUBLE" \
	sse repair "$DOUBLE"
check "... and mended" sse -q repair "$DOUBLE"
like "... which is said" "$(cat "$WORK/check.out")" 'equal again'
check "... once" sse -q repair "$DOUBLE"
like "... for then it is whole" "$(cat "$WORK/check.out")" 'nothing to repair'
dd if=/dev/zero of="$DOUBLE" bs=1M count=4 conv=fsync status=none
refute "without its headers it doesn't open" sse open "$DOUBLE" dmsse-copy-test
check "... and they come back" \
	sse -q header restore "$DOUBLE" --header-backup-file "$WORK/backup"
opens_with_data "the disk" "$DOUBLE"
make_disk AGAIN $((WHOLE_MIB + HEADER_MIB))
check "a copy from two layers to one, with a recovery key" \
	sse -q copy "$DOUBLE" "$AGAIN" --recovery-key
sed -n 's/^Recovery key: //p' "$WORK/check.out" | tr -d '\n' >"$WORK/single"
opens_with_data "the copy" "$AGAIN"
check "cryptsetup opens it with the recovery key" \
	cryptsetup open --key-file "$WORK/single" "$AGAIN" dmsse-inner
holds_data "... and reads the data" /dev/mapper/dmsse-inner
dm_remove dmsse-inner

DATA_MIB=$WHOLE_MIB DATA_SUM=$WHOLE_SUM

# A header elsewhere: the destination needs no more room than the data.
make_disk EXACT "$DATA_MIB"
truncate -s "${HEADER_MIB}M" "$WORK/header"
check "a copy to a disk of the data's size, with its header in a file" \
	sse -q copy "$SOURCE" "$EXACT" --header "$WORK/header"
opens_with_data "the copy" "$EXACT" --header "$WORK/header"

### Images

# 1 GiB of which three pieces were written: the rest is not read, nor written.
truncate -s 1G "$WORK/sparse"
truncate -s 1G "$WORK/copy"
sse -q format "$WORK/sparse" --des customer
sse open "$WORK/sparse" dmsse-copy-test
for at in 0 500 1021; do
	dd if="$WORK/data" of=/dev/mapper/dmsse-copy-test bs=1M count=1 skip=$((at % 14)) seek=$at \
		oflag=direct conv=notrunc status=none
done
sse close dmsse-copy-test
check "a sparse image is copied" sse -q copy "$WORK/sparse" "$WORK/copy"
is "... and the copy is sparse" "$(($(stat -c %b "$WORK/copy") / 2048 < 16))" 1
sse open "$WORK/copy" dmsse-copy-test
for at in 0 500 1021; do
	dd if=/dev/mapper/dmsse-copy-test bs=1M count=1 skip=$at iflag=direct status=none |
		cmp - <(dd if="$WORK/data" bs=1M count=1 skip=$((at % 14)) status=none)
done >"$WORK/cmp" 2>&1
is "... and has what was written" "$(cat "$WORK/cmp")" ""
sse close dmsse-copy-test
rm -f "$WORK/sparse" "$WORK/copy"

# Where a plain image has a hole it has zeroes, and they count.
truncate -s $((10 * MIB + 512 * 5)) "$WORK/image"
dd if="$WORK/data" of="$WORK/image" bs=64k seek=32 count=3 conv=notrunc status=none
dd if="$WORK/data" of="$WORK/image" bs=512 seek=$((20 * 1024 + 3)) count=2 conv=notrunc status=none
check "a plain image with holes, of 20485 sectors" sse -q copy "$WORK/image" "$AGAIN"
sse open "$AGAIN" dmsse-copy-test
check "... all of it is there" cmp -n $((10 * MIB + 512 * 5)) "$WORK/image" /dev/mapper/dmsse-copy-test
is "... and the rest of its last sector is zero" \
	"$(dd if=/dev/mapper/dmsse-copy-test bs=512 skip=20485 count=3 status=none | tr -d '\0' | wc -c)" 0
sse close dmsse-copy-test
rm -f "$WORK/image"

### Killed and resumed

# Below the destination is a barrier: writes that come as far wait there until it
# is taken away. So what catches a copy midway doesn't have to be fast.
make_disk RAW $((DATA_MIB + HEADER_MIB))
at_exit "dm_remove dmsse-slow"
RAW_SECTORS=$(sectors "$RAW")
dmsetup create dmsse-slow --table "0 $RAW_SECTORS linear $RAW 0" || bail "no dm-linear"
SLOW=/dev/mapper/dmsse-slow

# At so many bytes of the data.
barrier() {
	local at=$(((HEADER_MIB * MIB + $1) / 512))

	# Reads and flushes, which go to all of the table, pass.
	printf '0 %d linear %s 0\n%d %d delay %s %d 0 %s %d 3600000 %s %d 0\n' $at "$RAW" \
		$at $((RAW_SECTORS - at)) "$RAW" $at "$RAW" $at "$RAW" $at |
		dmsetup reload dmsse-slow && dmsetup resume dmsse-slow
}

no_barrier() {
	dmsetup reload dmsse-slow --table "0 $RAW_SECTORS linear $RAW 0" &&
		dmsetup resume dmsse-slow
}

# Starts a copy that gets that far, and returns when the checkpoint before is
# noted: BYTES [OPTION...]
start_copy() {
	local at=$1

	shift
	barrier "$at" || bail "no dm-delay"
	# What a shell starts in the background ignores SIGINT.
	env --default-signal=INT "$SSESETUP" -v -q copy "$SOURCE" $SLOW "$@" >"$WORK/copy.out" 2>&1 </dev/null &
	COPY=$!
	wait_for 120 copy_reached $((at - at % (4 * MIB))) || diag "$(cat "$WORK/copy.out")"
}

# A signal for it, and the way free: SIGNAL
end_copy() {
	kill "-$1" $COPY
	no_barrier
	wait $COPY 2>/dev/null
}

copy_reached() {
	local now

	kill -0 $COPY 2>/dev/null || return 0
	now=$(copied "$RAW")
	[ -n "$now" ] && [ "$now" -ge "$1" ] && both_held
}

# Both mappings are there, and the kernel removes them with their process.
both_held() {
	local name n=0

	for name in $(dmsetup ls | awk '/^dm-sse-copy-/ { print $1 }'); do
		dmsetup info "$name" | grep -q 'DEFERRED REMOVE' && n=$((n + 1))
	done
	[ $n = 2 ]
}

KILLED=0 REFUSED=0 BACK=0 LAST=0
for ((i = 0; i < 10; i++)); do
	start_copy $((i * MIB + RANDOM % 256 * 4096))
	end_copy KILL
	[ $? = 137 ] && KILLED=$((KILLED + 1))
	wait_for 20 none_left || fail "the killed copy's mappings go away" "$(copies_left)"
	sse open $SLOW dmsse-copy-test >"$WORK/said" 2>&1
	[ $? = 1 ] && grep -q 'is not complete' "$WORK/said" && REFUSED=$((REFUSED + 1))
	NOW=$(copied "$RAW")
	[ "$NOW" -ge "$LAST" ] || BACK=$((BACK + 1))
	LAST=$NOW
done
is "a copy is killed ten times" "$KILLED" 10
is "... and each time the disk is refused" "$REFUSED" 10
is "... and the next one goes on where it was" "$BACK" 0
is "... which is near the end by now" "$((LAST >= 8 * MIB))" 1
refused "a source that is an unfinished copy" 1 "copy that isn't complete" "$SMALL" \
	sse -q copy $SLOW "$SMALL"
refused "resumed for another set" 1 'was begun for disk encryption set platform, not for both' "$RAW" \
	sse -q copy "$SOURCE" $SLOW --des both
check "it is finished" sse -q -v copy "$SOURCE" $SLOW
like "... from where it was" "$(cat "$WORK/check.out")" "goes on at byte $LAST"
opens_with_data "the copy that was killed" $SLOW
is "no key is left" "$(grep -c 'dmsse:dm-sse-copy' /proc/keys)" 0

# What a kill at the worst moment leaves is swept away: here by a process that
# never was.
load_key left 64
dm_create dm-sse-copy-4194305-9-9 "$(sse_line $SLOW)" || bail "no mapping to leave behind"
sse open $SLOW dmsse-copy-test >"$WORK/said" 2>&1
is "a mapping that was left behind is in the way" $? 5
check "... of all but a copy" sse -q copy "$LITTLE" $SLOW
is "... which takes it away" "$(copies_left)" ""

### Stopped by a signal

start_copy $((9 * MIB))
end_copy INT
is "SIGINT ends it as it ends others" $? 130
is "... and no mapping is left" "$(copies_left)" ""
like "... it says how to go on" "$(cat "$WORK/copy.out")" 'the same command goes on'
LAST=$(copied "$RAW")
is "... what was done is noted" "$((LAST >= 8 * MIB && LAST < 14 * MIB))" 1
like "the audit says that it was stopped" "$(tail -n 1 /var/log/dm-sse/audit.jsonl)" 'Stopped while copying'
# Checkpoints count from where a copy goes on: the next one is to begin anew.
check "the same command finishes it" sse -q copy "$SOURCE" $SLOW

### A copy that isn't what it should be

# Behind the part that is looked at again before it goes on: only the comparison
# of all can find it.
start_copy $((12 * MIB + 4096))
end_copy TERM
is "SIGTERM ends it too" $? 143
LAST=$(copied "$RAW")
spoil() {
	blockdev --flushbufs "$RAW"
	head -c 16 /dev/urandom | dd of="$RAW" bs=16 seek=$(((HEADER_MIB * MIB + $1) / 16)) \
		conv=notrunc status=none
	blockdev --flushbufs "$RAW"
}
SPOILT=$((MIB + 8192 + 32))
spoil $SPOILT
sse -q -v copy "$SOURCE" $SLOW >"$WORK/said" 2>&1
is "a destination that was spoilt meanwhile is found out" $? 4
like "... after it went on" "$(cat "$WORK/said")" "goes on at byte $LAST"
WHERE=$(sed -n 's/.*differs from .* at byte \([0-9]*\) .*/\1/p' "$WORK/said")
is "... at the very place" "$((${WHERE:-0} / 16))" $((SPOILT / 16))
sse open $SLOW dmsse-copy-test >"$WORK/said" 2>&1
is "... and it doesn't open" $? 1
check "the same command repairs it" sse -q copy "$SOURCE" $SLOW
opens_with_data "the repaired copy" $SLOW

start_copy $((9 * MIB))
end_copy INT
spoil $((4 * MIB))
check "what was copied last is looked at again" sse -q copy "$SOURCE" $SLOW
like "... and found spoilt" "$(cat "$WORK/check.out")" 'begins anew'
opens_with_data "the copy that began anew" $SLOW

# Another source takes the place of an unfinished copy.
start_copy $((5 * MIB))
end_copy INT
check "another source begins anew" sse -q copy "$LITTLE" $SLOW
DATA_MIB=6 DATA_SUM=$(sum "$WORK/data" $((6 * MIB)))
opens_with_data "the copy of the other one" $SLOW
DATA_MIB=$WHOLE_MIB DATA_SUM=$WHOLE_SUM

### The key taken away meanwhile

start_copy $((9 * MIB))
sse -q des disable customer --now
no_barrier
wait $COPY
is "a source whose set is disabled stops the copy" $? 4
like "... with an error of reading" "$(cat "$WORK/copy.out")" "Reading $SOURCE failed near byte"
sse des enable customer
check "... and with the key it goes on" sse -q copy "$SOURCE" $SLOW
opens_with_data "the copy" $SLOW

is "the source is as it was" "$(all_of "$SOURCE")" "$SOURCE_SUM"
done_testing
