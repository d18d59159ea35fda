#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# "ssesetup check" on real devices: what is stacked above a disk and keeps its
# data somewhere in clear is found, by looking for a planted pattern there too.
# And the policy of a host: format, copy and assign follow it, and a device that
# a VM has in spite of it is found.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=deslib.bash
. "$DMSSE_DIR/deslib.bash"
need_cmd perl mkfs.ext4
need_module dm-writecache dm-cache dm-snapshot dm-crypt

MAP=dmsse-check
POLICY=/etc/dm-sse/policy.conf
PATTERN=$(printf 'Planted pattern of 64 bytes, to be looked for where it is not%4s' '')
FOUND=6

for name in fast meta ssd base file; do
	at_exit "dm_remove $MAP-$name"
done
image IMAGE 24
make_disk DISK 24
make_disk SSD 16
make_disk META 8

checked() {
	local desc=$1

	shift
	sse check "$@"
	is "$desc" "$RC" 0 || diag "$OUT"
}

found() {
	local desc=$1 ere=$2

	shift 2
	sse check "$@"
	is "$desc" "$RC" "$FOUND" || diag "$OUT"
	like "... and says so" "$OUT" "$ere"
}

# Onto a device above, as a guest would.
plant() {
	printf '%-4096s' "$PATTERN" | dd of="$1" bs=4096 seek=7 oflag=direct conv=notrunc status=none
	sync "$1"
}

holds_pattern() {
	grep -qaF "$PATTERN" "$1"
}

### Above and below

right "format" format -q "$DISK"
right "open" open "$DISK" "$MAP"
checked "a disk alone is clean" "$MAP"
like "... its set is told" "$OUT" "^$MAP: one layer, set platform"
like "... and where it lies" "$OUT" "below: $DISK \(loop\)"
checked "... by its path" "/dev/mapper/$MAP"
checked "... among all" --all
like "... without a policy" "$OUT" "policy: none, there is no $POLICY"
checked "... as JSON" --all --json
check "... which it is" json_ok "$OUT"
like "... of this disk" "$OUT" "\"name\": ?\"$MAP\""
like "... which is clean" "$OUT" '"clean": ?true'

SECTORS=$(sectors "/dev/mapper/$MAP")
writecache() {
	dd if=/dev/zero of="$2" bs=4096 count=1 oflag=direct conv=notrunc status=none
	dm_create "$MAP-fast" "0 $SECTORS writecache s $1 $2 4096 0"
}

writecache "/dev/mapper/$MAP" "$SSD"
found "a writecache above is found" \
	"PLAINTEXT on .* \(file\): /dev/mapper/$MAP-fast \(writecache\) keeps data of $MAP on $SSD" "$MAP"
found "... among all" "keeps data of $MAP on $SSD" --all
found "... as JSON" '"clean": ?false' "$MAP" --json
check "... which it is" json_ok "$OUT"
plant "/dev/mapper/$MAP-fast"
check "... and it is plaintext" holds_pattern "$SSD"
dmsetup remove "$MAP-fast"
checked "... when it is gone the disk is clean" "$MAP"

# With an encrypted disk for the cache nothing is in clear.
key=$(key_hex 64 ssd)
crypt_create "$MAP-ssd" "0 $(sectors "$SSD") crypt aes-xts-plain64 $key 0 $SSD 0"
writecache "/dev/mapper/$MAP" "/dev/mapper/$MAP-ssd"
checked "a writecache on an encrypted disk is clean" "$MAP"
sse --debug check "$MAP"
unlike "... that disk's key isn't looked at" "$OUT" "${key:0:32}"
dd if=/dev/zero of="$SSD" bs=1M oflag=direct status=none 2>/dev/null
plant "/dev/mapper/$MAP-fast"
refute "... nothing is in clear there" holds_pattern "$SSD"
dmsetup remove "$MAP-fast"
dmsetup remove "$MAP-ssd"

dd if=/dev/zero of="$META" bs=4096 count=1 oflag=direct conv=notrunc status=none
dm_create "$MAP-fast" \
	"0 $SECTORS cache $META $SSD /dev/mapper/$MAP 128 2 metadata2 writeback smq 0"
found "a dm-cache above is found" "keeps data of $MAP on $SSD" "$MAP"
unlike "... its metadata are no data" "$OUT" " on $META"
dmsetup remove "$MAP-fast"

dm_create "$MAP-base" "0 $SECTORS snapshot-origin /dev/mapper/$MAP"
dd if=/dev/zero of="$SSD" bs=1M oflag=direct status=none 2>/dev/null
plant "/dev/mapper/$MAP"
dm_create "$MAP-fast" "0 $SECTORS snapshot /dev/mapper/$MAP $SSD P 8"
found "a snapshot above is found" "\(snapshot\) keeps data of $MAP on $SSD" "$MAP"
dd if=/dev/zero of="/dev/mapper/$MAP-base" bs=4096 seek=7 count=1 oflag=direct conv=notrunc status=none
check "... and has the data that were overwritten" holds_pattern "$SSD"
dmsetup remove "$MAP-fast"
dmsetup remove "$MAP-base"

# A loop device of the disk, as some give disks to VMs.
LOOP=$(losetup -f --show "/dev/mapper/$MAP")
at_exit "losetup -d $LOOP 2>/dev/null || :"
checked "a loop device of the disk is clean" "$MAP"
like "... and is above it" "$OUT" "above: $LOOP \(loop\)"
writecache "$LOOP" "$SSD"
found "a cache on that is found" "keeps data of $MAP on $SSD" "$MAP"
dmsetup remove "$MAP-fast"
losetup -d "$LOOP"

# A file for a cache, on a file system of the host's.
truncate -s 8M "$WORK/cache"
LOOP=$(losetup -f --show "$WORK/cache")
at_exit "losetup -d $LOOP 2>/dev/null || :"
writecache "/dev/mapper/$MAP" "$LOOP"
found "a cache in a file is found" "PLAINTEXT on .*: /dev/mapper/$MAP-fast .* on $LOOP" "$MAP"
dmsetup remove "$MAP-fast"
losetup -d "$LOOP"

# ... and on the disk itself.
mkfs.ext4 -q "/dev/mapper/$MAP"
mkdir "$WORK/mnt"
mount "/dev/mapper/$MAP" "$WORK/mnt"
at_exit "umount $WORK/mnt 2>/dev/null || :"
truncate -s 8M "$WORK/mnt/cache"
LOOP=$(losetup -f --show "$WORK/mnt/cache")
checked "a loop device of a file on the disk is clean" "$MAP"
like "... and is above it" "$OUT" "above: $LOOP \(loop\)"
dd if=/dev/zero of="$LOOP" bs=4096 count=1 conv=notrunc status=none
make_disk OTHER 8
dm_create "$MAP-file" "0 8192 writecache s $OTHER $LOOP 4096 0"
found "a cache on such a file whose origin is in clear is found" "keeps data of $MAP on $OTHER" "$MAP"
dmsetup remove "$MAP-file"
losetup -d "$LOOP"
umount "$WORK/mnt"
right "close" close "$MAP"

# Below, a cache has ciphertext.
dd if=/dev/zero of="$SSD" bs=1M oflag=direct status=none 2>/dev/null
dd if=/dev/zero of="$SSD" bs=4096 count=1 oflag=direct conv=notrunc status=none
dm_create "$MAP-base" "0 $(sectors "$DISK") writecache s $DISK $SSD 4096 0"
# It is the same disk at another place.
right "forget where it was" des forget -q platform "$DISK"
right "open above a writecache" open "/dev/mapper/$MAP-base" "$MAP"
checked "a writecache below is clean" "$MAP"
like "... and told of" "$OUT" "below: $SSD"
plant "/dev/mapper/$MAP"
refute "... it has nothing in clear" holds_pattern "$SSD"
right "close" close "$MAP"
dmsetup remove "$MAP-base"

reload_module insecure_ciphers=1
right "a mapping that encrypts nothing" open --type plain "$META" "$MAP" -c cipher_null-ecb -q
found "... is found" "PLAINTEXT on .* \(file\): $MAP encrypts nothing" "$MAP"
right "close" close "$MAP"
reload_module

wrong 4 "Device $MAP is not active" check "$MAP"
dm_create "$MAP-base" "0 8 linear $META 0"
wrong 4 "is not a mapping of target sse, but of linear" check "$MAP-base"
dmsetup remove "$MAP-base"

### A host's policy

policy() {
	printf '%s\n' "$@" >$POLICY
	chmod 600 $POLICY
}

pem main
right "a set of a customer's" des create bank --type platform-and-customer --key "file:$KEYS/main.pem" --kek-timeout 120
right "... with one layer" des create shop --type customer --key "file:$KEYS/main.pem" --kek-timeout 120

policy "default-des = shop"
right "format without --des" format -q "$IMAGE"
like "... takes the policy's set" "$(field "$(token_of "$IMAGE")" des)" '^shop$'
right "... and with it that one" format -q --des platform "$IMAGE"
is "... as given" "$(field "$(token_of "$IMAGE")" des)" platform
image PLAIN 12
right "encrypt without it" encrypt -q "$PLAIN" --reduce-device-size 4M
is "... takes the policy's set" "$(field "$(token_of "$PLAIN")" des)" shop
policy "default-des = nosuch"
wrong 4 "policy.conf, line 1" format -q "$IMAGE"

policy "# of this host" "require-double = des:shop $WORK/image*"
wrong 1 "policy.conf, line 2: 'des:shop' demands two layers of $DISK" format -q --des shop "$DISK"
wrong 1 "policy.conf, line 2: '$WORK/image\*' demands two layers of $IMAGE" format -q "$IMAGE"
right "... with two it is done" format -q --double "$IMAGE"
right "... by a set that has two as well" format -q --des bank "$IMAGE"
wrong 1 "'$WORK/image\*' demands two layers of $IMAGE" temp create -q "$IMAGE" "$MAP"
right "a temporary disk with two" temp create -q --double "$IMAGE" "$MAP"
right "... is looked at" check --all
like "... and told" "$OUT" "^$MAP: two layers, temporary"
right "... close" close "$MAP"
right "another disk" format -q --des platform "$DISK"
wrong 1 "'des:shop' demands two layers of $DISK" assign --des shop "$DISK"
image SOURCE 16
image COPY 20
policy "require-double = $COPY"
right "a source" format -q "$SOURCE"
wrong 1 "demands two layers of $COPY" copy -q "$SOURCE" "$COPY"
right "... with two it is copied" copy -q --double "$SOURCE" "$COPY"

# Nothing is done by a policy that can't be read as it was meant.
policy "default-des = platform" "require-duoble = /dev/vg/*"
wrong 1 "policy.conf: line 2: unknown key 'require-duoble': is it require-double" format -q "$IMAGE"
wrong 1 "policy.conf: line 2: unknown key" check --all
chmod 666 $POLICY
wrong 2 "policy.conf" format -q "$IMAGE"

### What virtual machines have

# A monitor by name, one that has KVM open, and a program that is neither.
start() {
	local program=$1 device=$2 kvm=${3:-/dev/null}

	# perl takes any arguments after a program of its own.
	cp "$(readlink -f "$(command -v perl)")" "$WORK/$program"
	"$WORK/$program" -e 'sleep 1 while 1' -- -name guest=web,debug-threads=on \
		9<>"$device" 8<"$kvm" >/dev/null 2>&1 &
	VM=$!
	wait_for 20 runs "$program"
}
runs() {
	[[ $(readlink "/proc/$VM/exe") == */$1 ]]
}
stop() {
	kill "$VM"
	wait "$VM" 2>/dev/null
	VM=
}
VM=
# shellcheck disable=SC2016
at_exit '[ -z "$VM" ] || kill "$VM"'

right "open" open "$DISK" "$MAP"
policy "require-encryption = yes"
start qemu-system-none "$SSD"
found "a device in clear that a VM has is found" \
	"BREACH of line 1: $SSD of VM web \(process $VM\) has no layer, not one layer; its data rest on .* \(file\)" --all
found "... as JSON" '"vm": ?"web"' --all --json
check "... which it is" json_ok "$OUT"
policy "require-encryption = no"
checked "... when nobody demands it, nothing is" --all
like "... of one device" "$OUT" "policy: $POLICY, 1 devices of VMs"
policy "require-encryption = yes" "exempt = $SSD"
checked "... nor when it is exempt" --all
stop

policy "require-encryption = yes"
start qemu-system-none "/dev/mapper/$MAP"
checked "an encrypted one is right" --all
like "... and looked at" "$OUT" "1 devices of VMs"
policy "require-double = $DISK"
found "... but has one layer where its disk needs two" \
	"BREACH of line 1: /dev/mapper/$MAP .* has one layer, not two layers" --all
policy "require-double = des:platform"
found "... or its set" "BREACH of line 1" --all
policy "require-double = des:bank /dev/nosuch"
checked "... others don't matter" --all
stop
LOOP=$(losetup -f --show "/dev/mapper/$MAP")
policy "require-encryption = yes"
start qemu-system-none "$LOOP"
checked "a loop device of one is right" --all
like "... and looked at" "$OUT" "1 devices of VMs"
stop
losetup -d "$LOOP"

start monitor "$SSD"
policy "require-encryption = yes"
checked "a program that is no monitor may have what it likes" --all
stop
if [ ! -e /dev/kvm ]; then
	: >/dev/kvm
	at_exit "rm /dev/kvm"
fi
start monitor "$SSD" /dev/kvm
found "... one that has KVM open may not" "BREACH of line 1: $SSD of VM web" --all
stop
right "close" close "$MAP"
rm $POLICY

done_testing
