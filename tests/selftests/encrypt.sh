#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Disks with data are encrypted where they are, get a second layer, and are
# decrypted; what is under way is stopped, resumed and left alone by other
# commands; what would lose data, or what the host's policy forbids, is refused.
# dm-crypt, by way of cryptsetup and the recovery key, is the oracle.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

need_cmd cryptsetup openssl mkfs.ext4 e2fsck sfdisk
need_module dm-crypt dm-delay loop
load_module
own_state

MIB=1048576
DATA_MIB=12
MAP=/dev/mapper/dmsse-encrypt

ssesetup() {
	"$SSESETUP" "$@" </dev/null
}

all_of() {
	dd if="$1" bs=1M iflag=direct status=none | sha256sum
}

# A device of DATA_MIB + 4 MiB whose data, but for the last 4 MiB, are a file
# system of DATA_MIB: VAR [MIB]
data_disk() {
	local -n _data_disk=$1

	make_disk "$1" $((DATA_MIB + ${2:-4}))
	dd if="$WORK/data" of="$_data_disk" bs=1M oflag=direct status=none
}

close_map() {
	[ ! -b "$MAP" ] || ssesetup close "${MAP##*/}"
}
at_exit close_map

# DESC DEVICE [OPTION...]
opens_with_data() {
	local desc=$1 device=$2

	shift 2
	check "$desc opens" ssesetup open "$device" "${MAP##*/}" "$@" || return
	check "... and has the data" cmp -n $((DATA_MIB * MIB)) "$WORK/data" "$MAP"
	close_map
}

# Exit code and words of a refusal, and that nothing was written: CODE ERE DEVICE ARGS...
refused() {
	local code=$1 ere=$2 device=$3 before

	shift 3
	before=$(all_of "$device")
	wrong "$code" "$ere" "$@"
	is "... and nothing is written" "$(all_of "$device")" "$before"
}

# The register knows a loop device by its file.
file_of() {
	losetup -n -O BACK-FILE "$1"
}

policy() {
	printf '%s\n' "$@" >/etc/dm-sse/policy.conf
	chmod 600 /etc/dm-sse/policy.conf
}

# The recovery key that $OUT shows, into a file.
take_recovery_key() {
	sed -n 's/^Recovery key[^:]*: //p' <<<"$OUT" | tr -d '\r\n' >"$WORK/recovery"
}

truncate -s "${DATA_MIB}M" "$WORK/data"
mkfs.ext4 -q -b 1024 "$WORK/data" || bail "no file system"
# All of it is compared, so the free blocks hold something as well.
head -c 4M /dev/urandom | dd of="$WORK/data" bs=1M seek=6 conv=notrunc status=none
mkfs.ext4 -q -F -b 1024 -E nodiscard "$WORK/data" || bail "no file system"
PATTERN=planted-pattern-of-more-than-a-few-bytes-$$
printf %s "$PATTERN" | dd of="$WORK/data" bs=1M seek=9 conv=notrunc status=none

mkdir -m 700 "$WORK/keys"
# Versions of the customer's key: NAME DATE
pem() {
	openssl genrsa -out "$WORK/keys/$1.pem" 2048 2>/dev/null || bail "no RSA key"
	chmod 600 "$WORK/keys/$1.pem"
	touch -d "$2" "$WORK/keys/$1.pem"
}
pem a 2026-01-01
right "a customer's set" des create customer --type customer --key "file:$WORK/keys" --lease 1h
right "one for two layers" des create both --type platform-and-customer \
	--key "file:$WORK/keys" --lease 1h

### Refusals

make_disk FULL $DATA_MIB
dd if="$WORK/data" of="$FULL" bs=1M oflag=direct status=none
refused 1 'last 4 MiB of the.*--header FILE' "$FULL" encrypt -q "$FULL"
refused 4 "ext4 file system on $FULL takes 12288 KiB, and only 8192 KiB stay.*smaller by 4096 KiB" \
	"$FULL" encrypt -q "$FULL" --reduce-device-size 4M
# A kernel takes no GPT that says that the disk is longer.
make_disk GPT $((DATA_MIB + 8))
printf 'label: gpt\nstart=1MiB, size=4MiB\n' | sfdisk -q "$GPT"
refused 4 'partition table \(gpt\) on .* takes .*smaller by .*or the device larger' "$GPT" \
	encrypt -q "$GPT" --reduce-device-size 4M
refused 1 'encrypt the data on .* in place' "$FULL" encrypt "$FULL" --header "$WORK/no"
refused 1 'reads 1024 bytes at a time.*--sector-size 1024' "$FULL" \
	encrypt -q "$FULL" --header "$WORK/no" --sector-size 4096
refused 1 'is for two layers: --double' "$FULL" encrypt -q "$FULL" --header "$WORK/no" --des both
refused 1 'of type customer, with one layer' "$FULL" \
	encrypt -q "$FULL" --double --header "$WORK/no" --des customer
refused 1 'is the disk itself' "$FULL" encrypt -q "$FULL" --header "$(file_of "$FULL")"
mkdir "$WORK/small"
check "a small file system is there" mount -t tmpfs -o size=1M dmsse-small "$WORK/small"
at_exit "umount $WORK/small"
refused 4 'small/no can.t be made: No space left' "$FULL" encrypt -q "$FULL" --header "$WORK/small/no"
blockdev --setro "$FULL"
refused 4 'is read-only' "$FULL" encrypt -q "$FULL" --header "$WORK/no"
blockdev --setrw "$FULL"
OTHER_LOOP=$(losetup -f --show "$(file_of "$FULL")")
refused 5 "is behind $OTHER_LOOP as well" "$FULL" encrypt -q "$FULL" --header "$WORK/no"
losetup -d "$OTHER_LOOP"
policy "default-des = both"
refused 1 'Disk encryption set both is for two layers' "$FULL" encrypt -q "$FULL" --header "$WORK/no"
policy "require-double = $FULL"
refused 1 'policy.conf, line 1: .* demands two layers of' "$FULL" encrypt -q "$FULL" --header "$WORK/no"
rm /etc/dm-sse/policy.conf
refused 1 'nothing to go on with' "$FULL" encrypt -q "$FULL" --resume-only
refused 4 'several kinds|not a valid LUKS2|belongs to no' "$FULL" \
	encrypt -q --add-outer "$FULL" --reduce-device-size 4M
is "no header file is left" "$(ls "$WORK"/no* 2>/dev/null)" ""
dm_create dmsse-user "0 $(sectors "$FULL") linear $FULL 0" || bail "no linear device"
refused 5 'used by dmsse-user.*while nobody uses it' "$FULL" encrypt -q "$FULL" --header "$WORK/no"
dm_remove dmsse-user
make_disk TINY 5
refused 4 'too little' "$TINY" encrypt -q "$TINY" --reduce-device-size 4M
# A partition of 11 MiB at 1 MiB, as DOS writes it down.
make_disk PARTS $((DATA_MIB + 2))
printf '\0\0\0\0\203\0\0\0\0\010\0\0\0\130\0\0' | dd of="$PARTS" bs=1 seek=446 status=none
printf '\125\252' | dd of="$PARTS" bs=1 seek=510 status=none
refused 4 'partition table \(dos\) on .* takes 12288 KiB, and only 10240' "$PARTS" \
	encrypt -q "$PARTS" --reduce-device-size 4M
refused 1 'partition table \(dos\) .* reads 512 bytes at a time' "$PARTS" \
	encrypt -q "$PARTS" --header "$WORK/no" --sector-size 4096

### With the header at the begin

data_disk DISK
sse encrypt -q "$DISK" --des customer --reduce-device-size 4M --recovery-key --progress-frequency 0
is "a disk with data is encrypted" "$RC" 0 || bail "$OUT"
like "... it says how far it is" "$OUT" 'Progress: +[0-9.]+%, ETA .*encrypted, speed.*Finished, time [0-9ms]+, 1[24] MiB encrypted'
take_recovery_key
opens_with_data "the disk" "$DISK"
check "stock cryptsetup opens it" cryptsetup open --key-file "$WORK/recovery" "$DISK" dmsse-oracle
at_exit "dm_remove dmsse-oracle"
check "... with the data" cmp -n $((DATA_MIB * MIB)) "$WORK/data" /dev/mapper/dmsse-oracle
check "... in a whole file system" e2fsck -fn /dev/mapper/dmsse-oracle
is "... of all but the header" "$(sectors /dev/mapper/dmsse-oracle)" $(($(sectors "$DISK") - 4096))
cryptsetup close dmsse-oracle
check "a pattern was in the data" grep -qa "$PATTERN" "$WORK/data"
refute "... and is nowhere on the disk" grep -qa "$PATTERN" "$DISK"
sse dump "$DISK"
like "one token, and the customer's" "$OUT" 'Tokens of dm-sse:.*single layer, keyslot 0.*Set: +customer'
right "the same command again is content" encrypt -q "$DISK" --des customer --reduce-device-size 4M
like "... and says so" "$OUT" 'is encrypted already, under set customer'
refused 1 'belongs to disk encryption set customer, not to platform' "$DISK" \
	encrypt -q "$DISK" --des platform --reduce-device-size 4M
right "where-used lists it" des where-used customer
like "... by its device" "$OUT" "$(file_of "$DISK")"
is "the audit has begin and run, intent and result" \
	"$(grep '"event":"encrypt"' /var/log/dm-sse/audit.jsonl | grep -c "\"device\":\"$DISK\"")" 4
refused 1 "under a customer's key is not decrypted.*ssesetup copy $DISK DESTINATION" "$DISK" \
	decrypt -q "$DISK" --header "$WORK/no"
opens_with_data "refused, it" "$DISK"

### With a header elsewhere the size stays

sse encrypt -q "$FULL" --header "$WORK/full.header"
is "a full disk is encrypted with a header file" "$RC" 0 || diag "$OUT"
opens_with_data "it" "$FULL" --header "$WORK/full.header"
check "the file is root's alone" [ "$(stat -c %a "$WORK/full.header")" = 600 ]
# Who gives the other options by mistake would encrypt it twice, and lose its end.
refused 1 "is a disk of set platform, with its header in $WORK/full.header" "$FULL" \
	encrypt -q "$FULL" --reduce-device-size 4M
refused 1 "full.header is the header of $(file_of "$FULL"), .*, not of $TINY" "$TINY" \
	encrypt -q "$TINY" --header "$WORK/full.header"
policy "require-encryption = yes"
refused 1 "policy.conf, line 1: 'require-encryption' is for $FULL, too" "$FULL" \
	decrypt -q "$FULL" --header "$WORK/full.header"
policy "require-encryption = yes" "exempt = $FULL"
right "it is decrypted" decrypt -q "$FULL" --header "$WORK/full.header"
rm /etc/dm-sse/policy.conf
check "... to what it was" cmp "$WORK/data" "$FULL"
check "... and the file is gone" [ ! -e "$WORK/full.header" ]
right "where-used of platform" des where-used platform
unlike "... doesn't know it any more" "$OUT" "$(file_of "$FULL")"

### Stopped midway: writes fail beyond a border, which encryption from the end meets

data_disk HALF
HALF_SECTORS=$(sectors "$HALF")
BORDER=$((8 * 2048))
dm_create dmsse-half "0 $HALF_SECTORS linear $HALF 0" || bail "no linear device"
HALF_MAP=/dev/mapper/dmsse-half
# The header and what it takes to begin are let through.
fail_in_the_middle() {
	dmsetup suspend dmsse-half && dmsetup load dmsse-half <<-TABLE && dmsetup resume dmsse-half
		0 $((6 * 2048)) linear $HALF 0
		$((6 * 2048)) $((BORDER - 6 * 2048)) error
		$BORDER $((HALF_SECTORS - BORDER)) linear $HALF $BORDER
	TABLE
}
dmsetup_size() {
	dmsetup suspend dmsse-half &&
		dmsetup load dmsse-half --table "0 $1 linear $HALF 0" &&
		dmsetup resume dmsse-half
}
mend() {
	dmsetup_size "$HALF_SECTORS"
}
check "part of a device fails" fail_in_the_middle
sse encrypt -q "$HALF_MAP" --des customer --reduce-device-size 4M
is "an encryption that meets it stops" "$RC" 4
like "... and says where" "$OUT" "Re-encryption of $HALF_MAP has stopped"
check "the device is whole again" mend
HALF_SUM=$(all_of "$HALF_MAP")
wrong 4 'Encryption in place is not finished: .ssesetup encrypt --resume-only' open "$HALF_MAP" "${MAP##*/}"
wrong 5 're-encryption is not finished' header backup "$HALF_MAP" --header-backup-file "$WORK/half.backup"
wrong 4 'Encryption in place is not finished' copy -q "$HALF_MAP" "$TINY"
wrong 4 'Encryption in place is not finished' assign "$HALF_MAP" --des customer
wrong 1 "under a customer's key is not decrypted" decrypt -q "$HALF_MAP" --header "$WORK/no"
wrong 5 '' des delete -q customer
right "it is shown" dump "$HALF_MAP"
right "it is listed" des where-used customer
like "... by its device" "$OUT" dmsse-half
pem b 2026-01-02
sse des rotate customer
check "a rotation fails for it" [ "$RC" != 0 ]
like "... and says why" "$OUT" "dmsse-half.*Encryption in place is not finished"
right "repair finds nothing to do" repair -q "$HALF_MAP"
right "the set is disabled" des disable -q customer
wrong 2 'customer is disabled' encrypt -q "$HALF_MAP" --resume-only
right "... and enabled" des enable customer
mv /etc/dm-sse/des/customer.conf "$WORK/"
wrong 2 'no identity' encrypt -q "$HALF_MAP" --resume-only
mv "$WORK/customer.conf" /etc/dm-sse/des/
wrong 1 'belongs to disk encryption set customer' encrypt -q "$HALF_MAP" --des platform --resume-only
is "all of that has written nothing to the data" "$(all_of "$HALF_MAP")" "$HALF_SUM"
check "the device becomes shorter" dmsetup_size $((HALF_SECTORS - 2048))
wrong 4 "has $((HALF_SECTORS - 2048)) sectors, and had $HALF_SECTORS when this was begun" \
	encrypt -q "$HALF_MAP" --resume-only
check "... and gets its size again" dmsetup_size "$HALF_SECTORS"
right "it goes on" encrypt -q "$HALF_MAP" --resume-only
opens_with_data "finished, it" "$HALF_MAP"
right "... and the next rotation moves it" des rotate customer
opens_with_data "moved, it" "$HALF_MAP"
dm_remove dmsse-half

### Where there is no room for what a sparse image becomes

mkdir "$WORK/thin"
mount -t tmpfs -o size=$((DATA_MIB - 2))M dmsse-thin "$WORK/thin" || bail "no tmpfs"
at_exit "umount $WORK/thin"
cp --sparse=always "$WORK/data" "$WORK/thin/image"
truncate -s +4M "$WORK/thin/image"
sse encrypt -q "$WORK/thin/image" --reduce-device-size 4M
is "an image that its file system has no room for stops" "$RC" 4
check "the file system grows" mount -o remount,size=$((DATA_MIB + 8))M "$WORK/thin"
right "... and it goes on" encrypt -q "$WORK/thin/image" --reduce-device-size 4M
opens_with_data "it" "$WORK/thin/image"

### A signal stops it at the next step

data_disk SLOW
dm_create dmsse-slow "0 $(sectors "$SLOW") delay $SLOW 0 0 $SLOW 0 150" || bail "no dm-delay"
"$SSESETUP" encrypt -q /dev/mapper/dmsse-slow --reduce-device-size 4M --progress-frequency 0 \
	</dev/null >"$WORK/slow" 2>&1 &
PID=$!
check "a slow one is under way" wait_for 60 grep -q Progress "$WORK/slow"
wrong 5 'is being encrypted or decrypted just now|in use' encrypt -q /dev/mapper/dmsse-slow --resume-only
kill -TERM $PID
wait $PID
is "SIGTERM ends it" $? 143
like "... at the end of a step" "$(cat "$WORK/slow")" 'Stopped, time.*Stopped: the same command goes on'
right "the same command goes on" encrypt -q /dev/mapper/dmsse-slow --reduce-device-size 4M
opens_with_data "it" /dev/mapper/dmsse-slow

### Decryption of a disk of the platform's

faster() {
	dmsetup suspend dmsse-slow &&
		dmsetup load dmsse-slow --table "0 $(sectors "$SLOW") linear $SLOW 0" &&
		dmsetup resume dmsse-slow
}
check "the slow one is fast again" faster
SLOW_MAP=/dev/mapper/dmsse-slow
right "a platform's disk is decrypted" decrypt -q "$SLOW_MAP" --header "$WORK/slow.header"
check "... to what it was" cmp -n $((DATA_MIB * MIB)) "$WORK/data" "$SLOW_MAP"
check "... its header file is gone" [ ! -e "$WORK/slow.header" ]
is "... and no LUKS header is left" "$(blkid -p -s TYPE -o value "$SLOW_MAP")" ext4
refused 4 'not a valid LUKS2 device' "$SLOW_MAP" decrypt -q "$SLOW_MAP" --header "$WORK/slow.header"
dm_remove dmsse-slow

### A second layer

data_disk OUTER 8
right "a disk of the platform's, with room" encrypt -q "$OUTER" --reduce-device-size 4M
# What the other commands have left of it must be all there, and it must be the disk.
dirty='{"type":"dm-sse-cache","keyslots":[],"device":"/dev/ssd","mode":"writeback",'
dirty+='"session":"s","previous":"","dirty":true}'
cryptsetup token import --token-id 30 "$OUTER" <<<"$dirty" || bail "no note of a cache"
refused 5 'has data that the disk lacks' "$OUTER" encrypt -q --add-outer "$OUTER" --reduce-device-size 4M
refused 5 'has data that the disk lacks' "$OUTER" decrypt -q "$OUTER" --header "$WORK/no"
cryptsetup token remove --token-id 30 "$OUTER"
cryptsetup token import --token-id 30 "$OUTER" <<<'{"type":"dm-sse-copy","keyslots":[]}'
refused 1 'copy to .* is not complete' "$OUTER" encrypt -q --add-outer "$OUTER" --reduce-device-size 4M
cryptsetup token remove --token-id 30 "$OUTER"
make_disk TWIN $((DATA_MIB + 8))
dd if="$OUTER" of="$TWIN" bs=1M oflag=direct status=none
refused 5 "has the UUID of $(file_of "$OUTER")" "$TWIN" decrypt -q "$TWIN" --header "$WORK/no"
refused 5 "has the UUID of $(file_of "$OUTER")" "$TWIN" \
	encrypt -q --add-outer "$TWIN" --reduce-device-size 4M
right "a copy is decrypted when it is meant" decrypt -q --clone "$TWIN" --header "$WORK/twin"
check "... to the data" cmp -n $((DATA_MIB * MIB)) "$WORK/data" "$TWIN"
sse encrypt -q --add-outer "$OUTER" --reduce-device-size 4M --recovery-key
is "... gets a second layer" "$RC" 0 || diag "$OUT"
take_recovery_key
opens_with_data "with two layers, it" "$OUTER"
sse dump "$OUTER"
like "it is a disk with two layers" "$OUT" 'Outer header:.*adiantum.*outer layer, keyslot.*Inner header:.*inner layer, keyslot'
unlike "... and the keyslot of one is gone" "$OUT" 'single layer'
like "the register knows by which versions of the key" \
	"$(grep -l "\"$(file_of "$OUTER")\"" /var/lib/dm-sse/disks/*.json | xargs cat)" \
	'"key-version": *"[^"]+".*"outer-key-version": *"[^"]+"'
check "stock cryptsetup opens the outer one" cryptsetup open --key-file "$WORK/recovery" "$OUTER" dmsse-oracle
check "... in which it finds the inner one" cryptsetup isLuks /dev/mapper/dmsse-oracle
cryptsetup close dmsse-oracle
right "its keys are rotated" des rotate platform
opens_with_data "rotated, it" "$OUTER"
refused 1 'two layers is not decrypted' "$OUTER" decrypt -q "$OUTER" --header "$WORK/no"

# Both layers by one command, under the host's policy.
data_disk TWICE 6
policy "default-des = both" "require-double = des:both"
sse encrypt -q "$TWICE" --double --reduce-device-size 6M --recovery-key
is "a disk with data gets two layers" "$RC" 0 || diag "$OUT"
like "... and a key for each" "$OUT" 'key of the inner layer: .*key of the outer layer: '
rm /etc/dm-sse/policy.conf
opens_with_data "it" "$TWICE"
sse dump "$TWICE"
like "... under the policy's set" "$OUT" 'outer layer, keyslot.*Set: +both .*inner layer, keyslot.*Set: +both '
unlike "... by no other keyslot" "$OUT" 'single layer'
right "the same again is content" encrypt -q "$TWICE" --double --reduce-device-size 6M

# A customer's disk takes a set for two; its header may be on the device.
refused 1 'is of type customer.*platform-and-customer' "$DISK" encrypt -q --add-outer "$DISK" --header "$WORK/two"
refused 1 'does not go back under the platform' "$DISK" \
	encrypt -q --add-outer "$DISK" --header "$WORK/two" --des platform
refused 4 'ext4 file system on .* takes 12288 KiB' "$DISK" \
	encrypt -q --add-outer "$DISK" --reduce-device-size 4M --des both
sse encrypt -q --add-outer "$DISK" --header "$WORK/two" --des both
is "a customer's disk gets a second layer in a header file" "$RC" 0 || diag "$OUT"
opens_with_data "with both headers in files, it" "$DISK" --header "$WORK/two"
right "the same again is content" encrypt -q --add-outer "$DISK" --header "$WORK/two" --des both
like "... and says so" "$OUT" 'is encrypted already, under set both'
done_testing
