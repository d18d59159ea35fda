#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Temporary disks: a key that is nowhere but in the kernel, what lies below is
# ciphertext and stays unreadable after the mapping; file systems, swap and
# images on them; and what a disk without a key to load again has to refuse.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

need_ssesetup
need_cmd blkid cryptsetup mkfs.ext4 mkfs.cramfs mkswap swapon openssl
need_module dm-delay loop
load_module
own_state
have_module adiantum || have_module xchacha20 || :

AUDIT=/var/log/dm-sse/audit.jsonl
MAP=/dev/mapper/dmsse-temp
# 64 bytes, looked for where nothing of it may be.
NEEDLE=A-temporary-disk-has-written-this-and-it-must-not-be-found-below
at_exit "dmsetup ls | awk '/^dmsse-/ {print \$1}' | while read -r name; do dm_remove \$name; done"

# On all of a device or file, or in the first part of a mapping, which costs more.
needles() {
	dd if="$1" bs=1M iflag=direct ${2:+count=1} status=none | grep -a -o "$NEEDLE" | wc -l
}

# 64 blocks of 4096 bytes that all have it.
# A tmpfs has no direct I/O on 6.1.
put_needles() {
	local direct=oflag=direct

	[ -b "$1" ] || direct=
	for _ in {1..64}; do
		printf '%s%4032s' "$NEEDLE" ''
	done | dd of="$1" bs=256K iflag=fullblock ${direct:+"$direct"} conv=notrunc,nocreat status=none
}

# The blocks of 4096 bytes that two 256 KiB have in common.
same_blocks() {
	local i n=0

	for i in {0..63}; do
		! cmp -s -n 4096 -i $((i * 4096)) "$1" "$2" || n=$((n + 1))
	done
	echo $n
}

first() {
	dd if="$1" bs=256K count=1 iflag=direct status=none
}

is_active() {
	[ -n "$(dmsetup info -c --noheadings -o name "$1" 2>/dev/null)" ]
}

is_gone() {
	! is_active "$1"
}

no_keys() {
	! grep -q 'dmsse:temp' /proc/keys
}

table() {
	dmsetup table --showkeys "$1"
}

close_it() {
	"$SSESETUP" close dmsse-temp
}

audited() {
	grep "\"event\":\"$1\"" "$AUDIT" 2>/dev/null | grep -c "\"phase\":\"$2\"$3"
}

### A disk, and its key

make_disk DISK 8
right "a temporary disk" temp create "$DISK" dmsse-temp || bail "no temporary disk"
is "... without a word" "$OUT" ""
sse status dmsse-temp
like "status says what it is" "$OUT" 'type: +TEMP.*temporary: yes.*cipher: +aes-xts-plain64.*keysize: 512 bits.*key location: kernel'
like "... in sectors of 4096 bytes" "$OUT" 'sector size: +4096'
like "its key has a name in the table" "$(table dmsse-temp)" ' :64:logon:dmsse:temp-[0-9a-f]{16}:inner '
unlike "... and no bytes" "$(table dmsse-temp)" '[0-9a-f]{32}'
check "there is no such key in the kernel" wait_for 20 no_keys
is "... nor in a keyring" "$(for ring in @s @u @us; do keyctl show $ring 2>/dev/null; done | grep -c 'temp-')" 0
dm_try create dmsse-temp2 --table "$(table dmsse-temp)"
is "so the table can't be loaded again" "$DM_ERRNO" ENOKEY
like "a list has it" "$("$SSESETUP" list)" 'dmsse-temp +active +\(temporary\) '
sse list --json
like "... as JSON" "$OUT" '"type": ?"TEMP".*"clone": ?null,.*"temporary": ?true,.*"key": ?null,'
sse status --json dmsse-temp
like "... as its status" "$OUT" '"des": ?null,.*"temporary": ?true,'
like "... and the metrics" "$("$SSESETUP" metrics)" 'dm_sse_disk_info\{disk="dmsse-temp",[^}]*type="TEMP"'
put_needles "$MAP"
is "what is written there" "$(needles "$MAP" 1)" 64
is "... is not on the device below" "$(needles "$DISK")" 0
first "$DISK" >"$WORK/first"
check "it is closed" close_it
is "... and then the device has no trace" "$(blkid -p -o value -s TYPE "$DISK"; needles "$DISK")" 0

right "a second one needs no consent: nothing is known there" temp create "$DISK" dmsse-temp
is "... and doesn't read what the first has written" "$(needles "$MAP" 1)" 0
put_needles "$MAP"
first "$DISK" >"$WORK/second"
is "... for it has another key" "$(same_blocks "$WORK/first" "$WORK/second")" 0
check "... closed" close_it
is "the audit has both, before and after" \
	"$(audited temp-create intent '') $(audited temp-create result '.*"outcome":"ok"')" "2 2"
is "... and their ends" "$(audited close result ".*\"device\":\"$DISK\"")" 2

mount -o remount,ro /var/log/dm-sse
wrong 4 "audit record can't be written" temp create "$DISK" dmsse-temp
mount -o remount,rw /var/log/dm-sse
check "nothing is made that isn't recorded" is_gone dmsse-temp

### Sizes and flags

truncate -s $((8 * 1024 * 1024 + 512)) "$WORK/odd"
right "a file of an odd size" temp create "$WORK/odd" dmsse-temp
unlike "... has sectors of 512 bytes" "$(table dmsse-temp)" 'sector_size'
is "... and is used whole" "$(sectors "$MAP")" 16385
check "... closed, with its loop device" close_it
wrong 1 '--size 16384 leaves out the rest' temp create "$WORK/odd" dmsse-temp --sector-size 4096
right "--size, --sector-size, discards and places" temp create "$DISK" dmsse-temp --size 4096 \
	--sector-size 2048 --allow-discards --perf-same_cpu_crypt --perf-no_read_workqueue \
	--perf-no_write_workqueue --perf-submit_from_crypt_cpus
like "... are in the table" "$(table dmsse-temp)" \
	'^0 4096 .* 6 allow_discards same_cpu_crypt submit_from_crypt_cpus no_read_workqueue no_write_workqueue sector_size:2048'
close_it
right "another cipher" temp create "$DISK" dmsse-temp -c aes-cbc-essiv:sha256 -s 256
like "... is taken" "$(table dmsse-temp)" 'aes-cbc-essiv:sha256 :32:logon:'
close_it

### Two layers

right "two layers" temp create "$DISK" dmsse-temp --double
like "... are there, with a key each" "$(table dmsse-temp)" \
	' aes-xts-plain64 :64:logon:(dmsse:temp-[0-9a-f]*):inner .* outer xchacha12,aes-adiantum-plain64 :32:logon:dmsse:temp-[0-9a-f]*:outer '
like "... that the kernel has" "$(dmsetup status dmsse-temp)" 'layers:2 inner:keyed .*outer:keyed'
check "... and no keyring" wait_for 20 no_keys
put_needles "$MAP"
is "... over ciphertext" "$(needles "$MAP" 1) $(needles "$DISK")" "64 0"
first "$DISK" >"$WORK/first"
close_it
right "two approved layers" temp create "$DISK" dmsse-temp --double=fips
like "... are there" "$(table dmsse-temp)" 'outer aes-cbc-essiv:sha256 :32:'
put_needles "$MAP"
first "$DISK" >"$WORK/second"
is "... with other keys" "$(same_blocks "$WORK/first" "$WORK/second")" 0

close_it
echo "require-double = $DISK" >/etc/dm-sse/policy.conf
wrong 1 "policy.conf, line 1: '$DISK' demands two layers" temp create "$DISK" dmsse-temp
right "... which there are with --double" temp create "$DISK" dmsse-temp --double
rm /etc/dm-sse/policy.conf
put_needles "$MAP"

### What needs the key again

sectors=$(sectors "$MAP")
wrong 1 "temporary disk.*it can't be given.*create a new one" resize dmsse-temp --size 8192
is "... it keeps its size" "$(sectors "$MAP")" "$sectors"
wrong 1 "temporary disk.*wiping it.*would lose the data.*dmsetup suspend" suspend dmsse-temp
is "... and its data" "$(needles "$MAP" 1)" 64
dmsetup suspend dmsse-temp
wrong 1 'temporary disk.*another one.*resume it without' resume dmsse-temp --key-desc dmsse:x
right "a suspended one resumes with the key it has" resume dmsse-temp
is "... and has its data" "$(needles "$MAP" 1)" 64
dmsetup suspend dmsse-temp
dmsetup message dmsse-temp 0 key wipe
wrong 1 'temporary disk.*was wiped the data are lost. Close it' resume dmsse-temp
check "one without a key can be closed" close_it

### What libblkid doesn't see

truncate -s 12M "$WORK/cached"
right "a disk" format -q "$WORK/cached"
right "with a cache" open -q "$WORK/cached" dmsse-cached --cache "$DISK,writecache"
right "closed" close dmsse-cached
wrong 1 'holds the cache of disk .*batch-mode' temp create "$DISK" dmsse-temp
check "... and nothing has changed" is_gone dmsse-temp
right "with consent the cache is overwritten" -q temp create "$DISK" dmsse-temp
right "closed" close dmsse-temp
right "the disk's next cache begins anew" open -q "$WORK/cached" dmsse-cached --cache "$DISK,writecache"
right "closed" close dmsse-cached
right "a disk whose header is elsewhere" format -q "$DISK" --header "$WORK/header"
wrong 1 'holds a disk of set platform, with its header in .*/header.*batch-mode' \
	temp create "$DISK" dmsse-temp
wrong 1 'holds a disk of set platform, with its header in .*/header.*batch-mode' \
	open "$WORK/cached" dmsse-cached --cache "$DISK,writethrough"
rm "$WORK/header"
right "a header that is lost keeps nobody" temp create "$DISK" dmsse-temp
right "closed" close dmsse-temp

### File systems and swap

mkdir "$WORK/mnt"
right "a file system" temp create "$DISK" dmsse-temp --mkfs ext4
check "... is mounted" mount "$MAP" "$WORK/mnt"
at_exit "umount $WORK/mnt 2>/dev/null || :"
printf '%s' "$NEEDLE" >"$WORK/mnt/file"
wrong 5 'still in use' close dmsse-temp
wrong 5 'Device dmsse-temp already exists' temp create "$DISK" dmsse-temp
wrong 5 "$DISK is in use" temp create "$DISK" dmsse-temp2
right "a deferred close" close --deferred dmsse-temp
umount "$WORK/mnt"
check "... ends with the mount" wait_for 20 is_gone dmsse-temp
is "below it nothing is known" "$(blkid -p -o value -s TYPE "$DISK"; needles "$DISK")" 0
wrong 4 'dmsse-temp is closed again.*mkfs.cramfs failed' temp create "$DISK" dmsse-temp --mkfs cramfs
check "... and it is" is_gone dmsse-temp
is "... which the audit has" "$(audited temp-create result '.*"outcome":"failed".*mkfs.cramfs')" 1

right "swap" temp create "$DISK" dmsse-temp --mkswap
check "... is switched on" swapon "$MAP"
like "... as the kernel says" "$(cat /proc/swaps)" 'dm-[0-9]+|dmsse-temp'
swapoff "$MAP"
is "... below it is nothing of it" "$(dd if="$DISK" bs=4096 count=1 iflag=direct status=none | grep -a -c SWAPSPACE2)" 0

# As udev may: open until the close has begun, which waits for that.
look() {
	local closes

	closes=$(audited close intent '')
	exec 7<"$MAP"
	: >"$WORK/looks"
	while [ "$(audited close intent '')" = "$closes" ]; do
		sleep 0.1
	done
}
look &
pid=$!
wait_for 60 [ -e "$WORK/looks" ]
right "closed as soon as who was looking at it has gone" close dmsse-temp
kill $pid 2>/dev/null
wait $pid

### Who else has something there

mkfs.ext4 -q -F "$DISK"
blkid -p -o value -s UUID "$DISK" >"$WORK/uuid"
wrong 1 'holds a superblock of ext4.*batch-mode' temp create "$DISK" dmsse-temp
is "... and nothing has changed" "$(blkid -p -o value -s UUID "$DISK")" "$(cat "$WORK/uuid")"
mount "$DISK" "$WORK/mnt"
wrong 5 'in use: mounted on' -q temp create "$DISK" dmsse-temp
umount "$WORK/mnt"
right "with consent it is overwritten" -q temp create "$DISK" dmsse-temp
close_it
is "... and is no file system any more" "$(blkid -p -o value -s TYPE "$DISK")" ""
blockdev --setro "$DISK"
wrong 4 'is read-only: it can.t be a temporary disk' temp create "$DISK" dmsse-temp
blockdev --setrw "$DISK"

### Images

# 2 MiB and 512 bytes, which is no whole sector, with a hole in the middle.
SIZE=$((2 * 1024 * 1024 + 512))
image=$WORK/image
truncate -s $SIZE "$image"
put_needles "$image"
head -c 512 /dev/urandom | dd of="$image" bs=512 seek=$((SIZE / 512 - 1)) conv=notrunc status=none
holds_image() {
	head -c $SIZE "$MAP" | cmp "$image" -
}
right "an ephemeral disk from an image" temp create "$DISK" dmsse-temp --image "$image" --double=fips
like "... says how far it has come" "$OUT" 'Finished, time .*, 2 MiB written'
check "... has the image, holes as zeros" holds_image
is "... encrypted" "$(needles "$DISK")" 0
echo other >"$MAP"
close_it
is "... and the image is what it was" "$(grep -a -o "$NEEDLE" "$image" | wc -l)" 64
right "with -q it says nothing" -q temp create "$DISK" dmsse-temp --image "$image"
is "... at all" "$OUT" ""
close_it

wrong 4 'has 2097664 bytes, a temporary disk .* has room for 2097152' \
	temp create "$DISK" dmsse-temp --size 4096 --image "$image"
check "... and there is none" is_gone dmsse-temp
loop=$(losetup -f --show "$image")
wrong 5 'in use' temp create "$DISK" dmsse-temp --image "$image"
right "... unless that is meant" temp create "$DISK" dmsse-temp --image "$image" --shared
check "... has it" holds_image
close_it
right "a device as an image" temp create "$DISK" dmsse-temp --image "$loop"
check "... has it too" holds_image
close_it
losetup -d "$loop"
printf 'QFI\xfb\0\0\0\3' >"$WORK/qcow2"
truncate -s 1M "$WORK/qcow2"
wrong 1 'in format qcow2.*convert -O raw' temp create "$DISK" dmsse-temp --image "$WORK/qcow2"
wrong 1 'the same' temp create "$DISK" dmsse-temp --image "$DISK"
wrong 4 'neither a block device nor an image' temp create "$DISK" dmsse-temp --image "$WORK/absent"

# What a guest of a set leaves as an image is opened for the copy.
truncate -s 5M "$WORK/set"
"$SSESETUP" -q format "$WORK/set" && "$SSESETUP" open "$WORK/set" dmsse-set &&
	head -c $SIZE "$image" | dd of=/dev/mapper/dmsse-set bs=512 conv=notrunc,fsync status=none
"$SSESETUP" close dmsse-set
right "an image that is a disk of a set" temp create "$DISK" dmsse-temp --image "$WORK/set"
check "... is decrypted for it" holds_image
is "... and encrypted again" "$(needles "$DISK")" 0
close_it

### Killed

dm_create dmsse-slow "0 $(sectors "$DISK") delay $DISK 0 0 $DISK 0 1000"
truncate -s 6M "$WORK/long"
put_needles "$WORK/long"
held() {
	[ "$(dmsetup info -c --noheadings -o deferred_remove dmsse-temp 2>/dev/null)" = Scheduled ] ||
		dmsetup info dmsse-temp 2>/dev/null | grep -q 'DEFERRED REMOVE'
}
for signal in TERM KILL; do
	"$SSESETUP" temp create /dev/mapper/dmsse-slow dmsse-temp --image "$WORK/long" \
		>"$WORK/said" 2>&1 </dev/null &
	pid=$!
	check "a copy is under way" wait_for 60 held
	kill -$signal $pid
	wait $pid
	is "SIG$signal ends it" $? $((128 + $(kill -l $signal)))
	check "... and no half image stays" wait_for 60 is_gone dmsse-temp
	rm -f "$MAP"
done
is "what could be recorded was" "$(audited temp-create result '.*Stopped while copying')" 1
dm_remove dmsse-slow

### Words that are wrong

wrong 1 "Which of temp create" temp
wrong 1 'temp create: requires DEVICE NAME' temp create "$DISK"
wrong 1 "Option --key-desc is not for 'temp create'" temp create "$DISK" x --key-desc dmsse:x
wrong 1 'exclude each other' temp create "$DISK" x --mkfs ext4 --mkswap
wrong 1 'no program mkfs.nosuch' temp create "$DISK" x --mkfs nosuch
wrong 1 "can't be a type of file system" temp create "$DISK" x --mkfs ../ext4
wrong 1 '--shared is about the --image' temp create "$DISK" x --shared
wrong 1 'takes no key: a temporary disk is encrypted' temp create "$DISK" x -c cipher_null-ecb
wrong 1 '--double chooses ciphers and keys' temp create "$DISK" x --double -s 512
wrong 1 'takes a key of' temp create "$DISK" x -s 64
wrong 4 'does not exist' temp create /dev/absent x
wrong 1 "can't be the name of a mapping" temp create "$DISK" a/b
right "a list of keys has none of all these" key list
unlike "... indeed" "$OUT" 'temp-'

done_testing
