#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What tests/demo shows in the guest: the life of an encrypted disk, with the
# commands that a user would type. /dev/vda is the disk, /dev/vdb one for two
# layers, /dev/vdc one under a customer's key; $DEMO_DIR has tree.tar, the
# checksums of what is in it, and two RSA keys.

# From modprobe's own path, as on a host where it is installed.
unset DMSSE_MODULE
# shellcheck source-path=SCRIPTDIR source=../selftests/lib.sh
. "$(dirname "$0")/../selftests/lib.sh"
ssesetup() { "$SSESETUP" "$@"; }

disk=/dev/vda
map=/dev/mapper/vm1
mnt=/mnt/vm1
mkdir -p "$mnt"
at_exit "rmmod dm_sse"

# Shows a command, then does it.
try() {
	diag "\$ $*"
	"$@" >"$WORK/out" 2>&1
	status=$?
	[ ! -s "$WORK/out" ] || diag "$(head -n 20 "$WORK/out")"
	return "$status"
}

must() {
	try "$@" || bail "it failed"
}

act() {
	diag "== $*"
}

act "A key, random, in the kernel's keyring and nowhere on a disk"
diag "\$ head -c 64 /dev/urandom | ssesetup key load dmsse:vm1 --key-file -"
head -c 64 /dev/urandom >"$WORK/key"
ssesetup key load dmsse:vm1 --key-file - <"$WORK/key" || bail "no key"
must ssesetup key list

act "The disk is opened: AES-256-XTS, sectors of 4096 bytes"
must ssesetup open --type plain $disk vm1 --key-desc dmsse:vm1 --sector-size 4096
ok "device-mapper loaded dm-sse by itself: $(modinfo -F description dm-sse)"
must dmsetup table --showkeys vm1
hex=$(od -An -v -tx1 "$WORK/key" | tr -d ' \n')
dmesg >"$WORK/dmesg"
is "the key is in no table line, status or kernel log" \
	"$({ dmsetup table --showkeys; dmsetup status; cat "$WORK/dmesg"; } |
		grep -c -i -e "${hex:0:32}" -e "${hex:64:32}")" 0

act "A file system on it, and the tree in that"
must mkfs.ext4 -q $map
must mount $map "$mnt"
files=$(wc -l <"$DEMO_DIR/sums")
diag "\$ tar -xf tree.tar -C $mnt"
tar -xf "$DEMO_DIR/tree.tar" -C "$mnt" --record-size=1M --checkpoint=40 \
	--checkpoint-action='echo=%u MiB copied' 2>&1 | sed -u 's/^tar: /#   /'
[ "${PIPESTATUS[0]}" = 0 ] || bail "the copy failed"
must sync
must df -h --output=source,size,used,target "$mnt"
filefrag -b4096 -v "$mnt/tree/vmlinux" | awk '
	$1 ~ /^[0-9]+:$/ {
		gsub(/[.:]+/, " ")
		if ($6 > length_)
			{ start = $4; length_ = $6 }
	}
	END { print "# extent", start, length_ }'

act "Unmounted, closed, and the key taken out of the keyring"
must umount "$mnt"
must ssesetup status vm1
must ssesetup close vm1
must ssesetup key unlink dmsse:vm1
if try ssesetup open --type plain $disk vm1 --key-desc dmsse:vm1 --sector-size 4096; then
	fail "without the key the disk can't be opened"
else
	ok "without the key the disk can't be opened"
fi

act "The wrong key opens nothing"
diag "\$ head -c 64 /dev/urandom | ssesetup key load dmsse:wrong --key-file -"
head -c 64 /dev/urandom | ssesetup key load dmsse:wrong --key-file - || bail "no key"
must ssesetup open --type plain $disk vm1 --key-desc dmsse:wrong --sector-size 4096
is "no file system is to be seen" "$(blkid -p $map 2>/dev/null)" ""
modprobe -q ext4
if try mount -t ext4 $map "$mnt"; then
	fail "nothing can be mounted"
	umount "$mnt"
else
	ok "nothing can be mounted"
fi
must ssesetup close vm1
must ssesetup key unlink dmsse:wrong

act "The right key again, this time with keyctl, and the table with dmsetup"
diag "\$ keyctl padd logon dmsse:vm1 @s < key"
keyctl padd logon dmsse:vm1 @s <"$WORK/key" >/dev/null || bail "no key"
at_exit "keyctl purge -p logon dmsse: >/dev/null 2>&1 || :"
must dmsetup create vm1 --table "0 $(sectors $disk) sse aes-xts-plain64 :64:logon:dmsse:vm1 0 $disk 0 1 sector_size:4096"
must mount -o ro $map "$mnt"
diag "\$ sha256sum -c sums"
(cd "$mnt" && sha256sum -c "$DEMO_DIR/sums" 2>&1) | awk -v all="$files" '
	/: OK$/ { if (++good % 2500 == 0) { print "#   " good " of " all " files are right"; fflush() }; next }
	{ print "# " $0; bad++ }
	END { exit bad || good != all }'
is "all $files checksums are right" $? 0
must umount "$mnt"
must dmsetup status vm1
must ssesetup close vm1

act "Double encryption: a disk under two ciphers and two keys, in one pass"
disk=/dev/vdb
text='the secret of two layers'
diag "\$ head -c 32 /dev/urandom | ssesetup key load dmsse:vm2-outer --key-file -"
head -c 32 /dev/urandom | ssesetup key load dmsse:vm2-outer --key-file - || bail "no key"
diag "\$ head -c 64 /dev/urandom | ssesetup key load dmsse:vm2-inner --key-file -"
head -c 64 /dev/urandom | ssesetup key load dmsse:vm2-inner --key-file - || bail "no key"
# dm-crypt looks where dmsetup has its keys.
keyctl link @u @s
must ssesetup open --type plain $disk vm2 --double --key-desc dmsse:vm2-inner --outer-key-desc dmsse:vm2-outer --sector-size 4096
must dmsetup table --showkeys vm2
must mkfs.ext4 -q /dev/mapper/vm2
must mount /dev/mapper/vm2 "$mnt"
diag "\$ yes '$text' | head -c 8M > $mnt/secret"
yes "$text" | head -c 8M >"$mnt/secret"
must umount "$mnt"
must ssesetup close vm2

act "... peeled by stock dm-crypt: one key alone shows nothing, both show all"
holds_text() {
	grep -q -a -F "$text" "$1"
}
# The cipher and key of a layer, and what it lies on.
peel() {
	must dmsetup create "$1" --table "0 $(sectors $disk) crypt $2 0 $3 0 1 sector_size:4096"
}
outer="xchacha12,aes-adiantum-plain64 :32:logon:dmsse:vm2-outer"
inner="aes-xts-plain64 :64:logon:dmsse:vm2-inner"
peel peeled "$outer" $disk
is "with the outer key alone there is no file system" "$(blkid -p /dev/mapper/peeled 2>/dev/null)" ""
refute "... and not a line of the text" holds_text /dev/mapper/peeled
must dmsetup remove peeled
peel peeled "$inner" $disk
is "with the inner key alone there is no file system" "$(blkid -p /dev/mapper/peeled 2>/dev/null)" ""
refute "... and not a line of the text" holds_text /dev/mapper/peeled
must dmsetup remove peeled
peel peeled-outer "$outer" $disk
peel peeled "$inner" /dev/mapper/peeled-outer
must mount -o ro /dev/mapper/peeled "$mnt"
check "with both, the inner one on the outer one, the text is there" holds_text "$mnt/secret"
must umount "$mnt"
must dmsetup remove peeled
must dmsetup remove peeled-outer
keyctl unlink @u @s
must ssesetup key unlink dmsse:vm2-inner
must ssesetup key unlink dmsse:vm2-outer

# shellcheck source=demo-keys.sh
. "$(dirname "$0")/demo-keys.sh"
# shellcheck source=demo-host.sh
. "$(dirname "$0")/demo-host.sh"
done_testing
