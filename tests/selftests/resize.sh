#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# ssesetup resize of LUKS2 disks: they follow what is below them as it grows,
# open, under I/O, without a secret; and lose nothing where it has shrunk.
# Plain mappings: ssesetup.sh.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=deslib.bash
. "$DMSSE_DIR/deslib.bash"
need_cmd dmsetup resize2fs
need_module dm-crypt
have_module adiantum || have_module xchacha20 || :

MAP=dmsse-resize OTHER=dmsse-resize-b
MIB=1048576
HEADER=4096	# sectors

size_is() {
	is "$1" "$(sectors "/dev/mapper/$MAP")" "$2"
}

pem main
right "a set with a lease" des create gold --type customer --key "file:$KEYS/main.pem" --lease 1h \
	--kek-timeout 120
right "a set with two layers" des create both --type platform-and-customer \
	--key "file:$KEYS/main.pem" --lease 1h --kek-timeout 120

### A loop device whose file grows

image GROWING 16
LOOP=$(losetup -f --show "$GROWING")
at_exit "close_all; losetup -d $LOOP 2>/dev/null || :"
right "format" format -q "$LOOP" --des gold
right "open" open "$LOOP" $MAP
mkfs.ext4 -q "/dev/mapper/$MAP"
mkdir "$WORK/mnt"
mount "/dev/mapper/$MAP" "$WORK/mnt"
at_exit "umount $WORK/mnt 2>/dev/null || :"
right "nothing has grown" -v resize $MAP
like "... which is said" "$OUT" "28672 sectors already"
pattern 4 before >"$WORK/mnt/file"
# Writes under which the table is changed.
pattern 4 busy >"$WORK/busy"
(until [ -e "$WORK/stop" ]; do dd if="$WORK/busy" of="$WORK/mnt/busy" bs=64k oflag=direct conv=notrunc status=none; done) &
WRITER=$!
at_exit "touch $WORK/stop; kill $WRITER 2>/dev/null || :"
mount -t tmpfs dm-sse-selftest /etc/dm-sse
truncate -s 32M "$GROWING"
losetup -c "$LOOP"
lines=$(wc -l </var/log/dm-sse/audit.jsonl)
right "resize, with no set and no key on this host" resize $MAP
umount /etc/dm-sse
size_is "... to all of the device" $((32 * 2048 - HEADER))
is "... and no key was used for it" "$(wc -l </var/log/dm-sse/audit.jsonl)" "$lines"
touch "$WORK/stop"
wait $WRITER
check "... the writer has noticed nothing" test $? = 0
check "the file system grows" resize2fs "/dev/mapper/$MAP"
check "... and has its data" cmp -s <(pattern 4 before) "$WORK/mnt/file"
check "... and what was written meanwhile" cmp -s "$WORK/busy" "$WORK/mnt/busy"
like "the lease goes on" "$(key_lines $MAP)" " (59m|1h|5[0-9]m) "
right "... and can be renewed" lease renew $MAP
umount "$WORK/mnt"
right "close" close $MAP
right "open" open "$LOOP" $MAP
size_is "it has kept its size" $((32 * 2048 - HEADER))

# resize itself tells a loop device to look at its file.
truncate -s 40M "$GROWING"
right "resize without losetup -c" resize $MAP
size_is "... follows the file" $((40 * 2048 - HEADER))
is "what is behind the old end can be written" \
	"$(head -c 4096 /dev/urandom | dd of="/dev/mapper/$MAP" bs=4096 seek=9215 oflag=direct status=none && echo yes)" yes

# What LUKS2 calls dynamic: nothing in the header says the size.
like "the header says no size" "$(cryptsetup luksDump "$LOOP")" 'length: \(whole device\)'

### Taken away, and smaller

right "disable --now" des disable -q gold --now
check "it lapses" wait_for 60 state_is $MAP lapsed
truncate -s 48M "$GROWING"
wrong 2 "lease of device $MAP has ended: 'ssesetup lease renew $MAP' first" resize $MAP
right "enable" des enable gold
right "... then it grows" resize $MAP
size_is "... to" $((48 * 2048 - HEADER))
# Who takes a key out of a keyring must possess it.
drop_key_of_disk() {
	keyctl link @u @s && keyctl unlink "$(keyctl search @u logon "dmsse:$1:inner")" \
		"$(keyctl search @u keyring dm-sse)" && keyctl unlink @u @s
}
check "the key is taken out of the keyring" drop_key_of_disk $MAP
truncate -s 56M "$GROWING"
wrong 2 "goes on working.*'ssesetup lease renew $MAP'" resize $MAP
size_is "... keeps the size" $((48 * 2048 - HEADER))
check "... and works" dd if="/dev/mapper/$MAP" of=/dev/null bs=1M count=1 iflag=direct status=none
right "close" close $MAP
right "open" open "$LOOP" $MAP
size_is "... opened anew it has the new one" $((56 * 2048 - HEADER))

truncate -s 32M "$GROWING"
wrong 1 "$LOOP has shrunk: $MAP has $((56 * 2048 - HEADER)) sectors, there is room for $((32 * 2048 - HEADER))" \
	resize $MAP
size_is "... and keeps its size" $((56 * 2048 - HEADER))
wrong 1 "has only" resize --device-size 50M $MAP
right "smaller, if that is said" resize --device-size 20M $MAP
size_is "... to" $((20 * 2048))
right "and all of it again" resize $MAP
size_is "... to" $((32 * 2048 - HEADER))
right "suspend" suspend $MAP
wrong 1 "is suspended" resize $MAP
right "resume" resume $MAP
right "close" close $MAP

### A header that says the size

# LUKS2 has it in its JSON, in two copies with a checksum each, which cryptsetup
# itself writes only after some re-encryptions: DEVICE BYTES
fix_size() {
	local copy sum area

	area=$(cryptsetup luksDump "$1" | sed -n 's/^Metadata area: *\t*\([0-9]*\) .*/\1/p')
	for copy in 0 1; do
		dd if="$1" of="$WORK/copy" bs="$area" skip=$copy count=1 status=none
		sed -i "s/\"size\":\"dynamic\"/\"size\":\"$2\"/" "$WORK/copy"
		truncate -s "$area" "$WORK/copy"
		dd if=/dev/zero of="$WORK/copy" bs=64 seek=7 count=1 conv=notrunc status=none
		sum=$(sha256sum "$WORK/copy" | cut -d ' ' -f 1)
		# shellcheck disable=SC2001,SC2059 # bytes in hexadecimal
		printf "$(sed 's/../\\x&/g' <<<"$sum")" |
			dd of="$WORK/copy" bs=64 seek=7 conv=notrunc status=none
		dd if="$WORK/copy" of="$1" bs="$area" seek=$copy conv=notrunc,fsync status=none
	done
}

fix_size "$LOOP" $((16 * MIB))
like "a header with a size" "$(cryptsetup luksDump "$LOOP")" "length: $((16 * MIB)) \[bytes\]"
right "open" open "$LOOP" $MAP
size_is "it has that size" $((16 * 2048))
right "resize" -v resize $MAP
like "... finds nothing to do" "$OUT" "$((16 * 2048)) sectors already"
right "... unless told to" resize --device-size 20M $MAP
right "... and back" resize --device-size 16M $MAP
right "close" close $MAP

### Two layers

make_disk BASE 48
dmsetup create below-linear --table "0 $((24 * 2048)) linear $BASE 0" || bail "no dm-linear"
at_exit "close_all; dm_remove below-linear"
right "format with two layers" format -q /dev/mapper/below-linear --des both
right "open" open /dev/mapper/below-linear $MAP
put $MAP 4 double
grow() {
	dmsetup reload below-linear --table "0 $((40 * 2048)) linear $BASE 0" &&
		dmsetup resume below-linear
}
grow || bail "dm-linear doesn't grow"
right "resize" resize $MAP
size_is "... for both headers' length less" $((40 * 2048 - 2 * HEADER))
check "... with its data" holds $MAP 4 double
is "... and nothing left of looking" "$(dmsetup ls | grep -c '^dm-sse-peel')" 0
right "renewed" lease renew $MAP
right "close" close $MAP
right "open" open /dev/mapper/below-linear $MAP
size_is "it has kept its size" $((40 * 2048 - 2 * HEADER))

# The inner header, below a layer that the kernel alone has the key of.
right "close" close $MAP
image SIZED 24
right "format" format -q "$SIZED" --des both --recovery-key
sed -n 's/^Recovery key of the outer layer: //p' <<<"$OUT" | tr -d '\n' >"$WORK/outer"
cryptsetup open --key-file "$WORK/outer" "$SIZED" dmsse-outer || bail "the outer layer doesn't open"
fix_size /dev/mapper/dmsse-outer $((8 * MIB))
cryptsetup close dmsse-outer
right "an inner header with a size" open "$SIZED" $MAP
size_is "it has that size" $((8 * 2048))
right "resize" -v resize $MAP
like "... finds nothing to do" "$OUT" "$((8 * 2048)) sectors already"
right "close" close $MAP
right "open" open /dev/mapper/below-linear $MAP

# A clone of it beside it, which stays as it is.
make_disk CLONE 48
dd if=/dev/mapper/below-linear of="$CLONE" bs=1M iflag=direct oflag=direct status=none
right "open its clone" open --clone --size $((16 * 2048)) "$CLONE" $OTHER
right "resize the clone" resize $OTHER
is "... to its device's size" "$(sectors /dev/mapper/$OTHER)" $((48 * 2048 - 2 * HEADER))
size_is "... and the original stays" $((40 * 2048 - 2 * HEADER))
check "the clone has the data" holds $OTHER 4 double
right "close" close $OTHER
right "close" close $MAP

### Without a set

image FOREIGN 20
printf secret >"$WORK/passphrase"
cryptsetup -q luksFormat --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 \
	"$FOREIGN" "$WORK/passphrase"
right "open with a passphrase" open --key-file "$WORK/passphrase" "$FOREIGN" $MAP
truncate -s 24M "$FOREIGN"
right "resize" resize $MAP
size_is "... to all of the device" $((24 * 2048 - 32768))
right "close" close $MAP
cryptsetup -q luksFormat --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 \
	--header "$WORK/foreign.hdr" "$FOREIGN" "$WORK/passphrase"
right "with its header elsewhere" open --key-file "$WORK/passphrase" --header "$WORK/foreign.hdr" \
	"$FOREIGN" $MAP
truncate -s 32M "$FOREIGN"
wrong 4 "header says isn't known, --device-size gives another" resize $MAP
right "... if it is said" resize --device-size 32M $MAP
right "close" close $MAP

done_testing
