#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Two layers: what the target takes for a pair and what not, whose key is
# whose, and that the bytes on the disk are those of two dm-crypt devices, the
# inner on top of the outer.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

need_dmbatch
load_module
need_module dm-crypt
for module in adiantum serpent_generic essiv cryptd cts; do
	modprobe -q "$module" || :
done
make_disk DISK 8
load_key 64 64
REF64=$REF
load_key o32 32
REF32=$REF
load_key p64 64
REF_P=$REF
load_key q32 32
REF_Q=$REF
load_key 64-again 64 64

# Keys with parts of key 64: NAME HEX
HEX64=$(key_hex 64 64)
FRESH=$(key_hex 64 fresh)
hex_key() {
	hex_to_bin <<<"$2" >"$WORK/key"
	add_key logon "dmsse:$1" <"$WORK/key"
	rm "$WORK/key"
}
hex_key first "${HEX64:0:64}"
hex_key second "${HEX64:64:64}"
hex_key middle "${HEX64:32:64}"
hex_key swapped "${HEX64:64:64}${HEX64:0:64}"
hex_key begins "${HEX64:0:64}${FRESH:0:64}"
hex_key ends "${FRESH:0:64}${HEX64:64:64}"
hex_key crossed "${FRESH:0:64}${HEX64:0:64}"
hex_key quarter "${FRESH:0:32}${HEX64:96:32}"
hex_key sixteen "${HEX64:32:32}"
hex_key odd "${FRESH:0:16}${HEX64:48:32}${FRESH:16:16}"

# The key somebody writes into the table line, against all advice.
HEX=$(key_hex 64 hex)
A='capi:adiantum(xchacha12,aes)-plain64'
MAP=/dev/mapper/dmsse-double
# The disk's own driver for AES-XTS, by its name.
dm_create dmsse-double "$(sse_line "$DISK" aes-xts-plain64 "$REF64")" || bail "no device"
DRIVER=$(word dmsse-double inner_driver)
dm_remove dmsse-double

# errno | what the kernel log must say after "dm-sse: <dev>: " | table line
# @C, @K and @D are a good inner cipher, its key and the device; @A and @O the
# outer cipher and its key.
LINES="
# Words
EINVAL | option .outer. has four words: outer <cipher> <key> <iv_offset> | @C @K 0 @D 0 1 outer
EINVAL | option .outer. has four words | @C @K 0 @D 0 2 outer @A
EINVAL | option .outer. has four words | @C @K 0 @D 0 3 outer @A @O
EINVAL | option .outer. has four words | @C @K 0 @D 0 4 allow_discards outer @A @O
EINVAL | option count is 1 but 4 options follow | @C @K 0 @D 0 1 outer @A @O 0
EINVAL | option count is 5 but 4 options follow | @C @K 0 @D 0 5 outer @A @O 0
EINVAL | number of options expected after <start>, not .outer. | @C @K 0 @D 0 outer @A @O 0
EINVAL | option .outer. is given twice | @C @K 0 @D 0 8 outer @A @O 0 outer @A @O 0
EINVAL | unknown option .inner. | @C @K 0 @D 0 4 inner @A @O 0
EINVAL | unknown option .outer:1. | @C @K 0 @D 0 1 outer:1
EINVAL | unknown option .0. | @C @K 0 @D 0 5 outer @A @O 0 0
EINVAL | allow_same_cipher needs a second layer: outer <cipher> <key> <iv_offset> | @C @K 0 @D 0 1 allow_same_cipher
EINVAL | option .allow_same_cipher. is given twice | @C @K 0 @D 0 6 allow_same_cipher allow_same_cipher outer @A @O 0

# Keys
EINVAL | ^outer layer: key must be a keyring reference | @C @K 0 @D 0 4 outer @A $HEX 0
EINVAL | ^outer layer: key must be a keyring reference | @C @K 0 @D 0 3 outer @A $HEX
EINVAL | ^outer layer: key must be a keyring reference | @C @K 0 @D 0 9 nothing outer @A $HEX x
EINVAL | ^outer layer: key must be a keyring reference | @C @K 0 @D 0 4 outer @O @A 0
EINVAL | ^inner layer: key must be a keyring reference | @C $HEX 0 @D 0 4 outer @A $HEX 0
EINVAL | ^outer layer: key reference is incomplete | @C @K 0 @D 0 4 outer @A :32:logon 0
EINVAL | ^outer layer: key reference has no description | @C @K 0 @D 0 4 outer @A :32:logon: 0
EINVAL | ^outer layer: size in the key reference must be a number | @C @K 0 @D 0 4 outer @A :0:logon:dmsse:o32 0
EINVAL | ^outer layer: unknown key type | @C @K 0 @D 0 4 outer @A :32:LOGON:dmsse:o32 0
ENOKEY | ^outer layer: key not found in the caller.s keyrings | @C @K 0 @D 0 4 outer @A :32:logon:dmsse:none 0
ENOKEY | ^inner layer: key not found in the caller.s keyrings | @C :64:logon:dmsse:none 0 @D 0 4 outer @A @O 0
EINVAL | ^outer layer: key has 32 bytes but its reference says 64 | @C @K 0 @D 0 4 outer serpent-xts-plain64 :64:logon:dmsse:o32 0
EINVAL | ^outer layer: key reference says 64 bytes but the cipher takes 32 | @C @K 0 @D 0 4 outer @A :64:logon:dmsse:p64 0
EINVAL | ^inner layer: key reference says 16 bytes but the cipher takes 32 to 64 | @C :16:logon:dmsse:sixteen 0 @D 0 4 outer @A @O 0
EINVAL | ^outer layer: key reference says 0 bytes but the cipher takes 32 | @C @K 0 @D 0 4 outer @A - 0

# Keys that are not two
EINVAL | ^outer layer: key is that of the other layer or has a part in common with it | @C @K 0 @D 0 4 outer serpent-xts-plain64 @K 0
EINVAL | ^outer layer: key is that of the other layer | @C @K 0 @D 0 4 outer serpent-xts-plain64 :64:logon:dmsse:64-again 0
EINVAL | ^outer layer: key is that of the other layer | @C @K 0 @D 0 4 outer serpent-xts-plain64 :64:logon:dmsse:swapped 0
EINVAL | ^outer layer: key is that of the other layer | @C @K 0 @D 0 4 outer serpent-xts-plain64 :64:logon:dmsse:begins 0
EINVAL | ^outer layer: key is that of the other layer | @C @K 0 @D 0 4 outer serpent-xts-plain64 :64:logon:dmsse:ends 0
EINVAL | ^outer layer: key is that of the other layer | @C @K 0 @D 0 4 outer serpent-xts-plain64 :64:logon:dmsse:crossed 0
EINVAL | ^outer layer: key is that of the other layer | @C @K 0 @D 0 4 outer @A :32:logon:dmsse:first 0
EINVAL | ^outer layer: key is that of the other layer | @C @K 0 @D 0 4 outer @A :32:logon:dmsse:second 0
EINVAL | ^outer layer: key is that of the other layer | @C @K 0 @D 0 4 outer @A :32:logon:dmsse:middle 0
EINVAL | ^outer layer: key is that of the other layer | @C @K 0 @D 0 4 outer @A :32:logon:dmsse:odd 0
EINVAL | ^outer layer: key is that of the other layer | @C @K 0 @D 0 4 outer serpent-xts-plain64 :32:logon:dmsse:quarter 0
EINVAL | ^outer layer: key is that of the other layer | @C @K 0 @D 0 4 outer aes-cbc-essiv:sha256 :16:logon:dmsse:sixteen 0
EINVAL | ^outer layer: key is that of the other layer | @A :32:logon:dmsse:second 0 @D 0 4 outer @C @K 0
EINVAL | ^outer layer: key is that of the other layer | @C @K 0 @D 0 5 allow_same_cipher outer @C @K 8

# Ciphers
EINVAL | ^outer layer: cipher needs an IV | @C @K 0 @D 0 4 outer aes-xts @O 0
EINVAL | ^outer layer: unknown IV .plain65. | @C @K 0 @D 0 4 outer aes-xts-plain65 @O 0
EINVAL | ^outer layer: crypto API name needs the prefix|^outer layer: a crypto API name needs the prefix | @C @K 0 @D 0 4 outer xts(aes)-plain64 @O 0
ENOENT | ^outer layer: cipher .xts\(nocipher\). is not available in this kernel | @C @K 0 @D 0 4 outer nocipher-xts-plain64 @O 0
ENOENT | ^inner layer: cipher .xts\(nocipher\). is not available in this kernel | nocipher-xts-plain64 @K 0 @D 0 4 outer @A @O 0
EINVAL | ^both layers are xts\(aes\): use two ciphers, or the option allow_same_cipher | @C @K 0 @D 0 4 outer @C :64:logon:dmsse:p64 0
EINVAL | ^both layers are xts\(aes\) | @C @K 0 @D 0 4 outer aes-xts-plain64be :64:logon:dmsse:p64 0
EINVAL | ^both layers are xts\(aes\) | @C @K 0 @D 0 4 outer capi:xts(aes)-plain64 @O 0
EINVAL | ^both layers are xts\(aes\) | @C @K 0 @D 0 4 outer capi:$DRIVER-plain64 @O 0
EINVAL | ^both layers are xts\(aes\) | capi:$DRIVER-plain64 @K 0 @D 0 4 outer capi:cryptd(xts(ecb(aes-generic)))-plain64 @O 0
EINVAL | ^both layers are cbc\(aes\) | aes-cbc-plain64 @O 0 @D 0 4 outer aes-cbc-essiv:sha256 :32:logon:dmsse:q32 0
EINVAL | ^both layers are cbc\(aes\) | aes-cbc-plain64 @O 0 @D 0 4 outer capi:cts(cbc(aes))-plain64 :32:logon:dmsse:q32 0
EINVAL | ^both layers are adiantum\(xchacha12,aes\) | @A @O 0 @D 0 4 outer xchacha12,aes-adiantum-plain64 :32:logon:dmsse:q32 0
EINVAL | ^outer layer: cipher .ecb\(aes\). does not protect a disk: two layers have to be two | @C @K 0 @D 0 4 outer aes-ecb @O 0
EINVAL | ^inner layer: cipher .ecb\(cipher_null\). does not protect a disk: two layers | cipher_null-ecb - 0 @D 0 4 outer @A @O 0
EINVAL | ^outer layer: cipher .ctr\(aes\). does not protect a disk: two layers | @C @K 0 @D 0 4 outer capi:ctr(aes)-plain64 @O 0

# IV offsets
EINVAL | ^outer layer: iv_offset must be a number of 512-byte sectors, not .x. | @C @K 0 @D 0 4 outer @A @O x
EINVAL | ^outer layer: iv_offset must be a number .*, not .-1. | @C @K 0 @D 0 4 outer @A @O -1
EINVAL | ^outer layer: iv_offset must be a number .*, not .18446744073709551616. | @C @K 0 @D 0 4 outer @A @O 18446744073709551616
EINVAL | ^inner layer: iv_offset must be a number .*, not .x. | @C @K x @D 0 4 outer @A @O 0
EINVAL | ^outer layer: iv_offset 4 must be a multiple of 8, .* sector_size:4096 | @C @K 8 @D 0 5 outer @A @O 4 sector_size:4096
EINVAL | ^inner layer: iv_offset 4 must be a multiple of 8, .* sector_size:4096 | @C @K 4 @D 0 5 sector_size:4096 outer @A @O 8
"

# errno | what the kernel log must say | device and its state | message
MESSAGES="
EINVAL | ^unknown message: use .key set \[<layer>\] <reference>. or .key wipe | two suspended | key set inner @K outer
EINVAL | ^unknown message | two suspended | key wipe inner outer
EINVAL | ^which layer\? Use .key set inner <reference>. or .key set outer <reference>. | two suspended | key set @K
EINVAL | ^which layer\? | two active | key set @K
EINVAL | ^unknown layer: use inner or outer | two suspended | key set middle @K
EINVAL | ^unknown layer | two suspended | key set @K inner
EINVAL | ^unknown layer | two suspended | key set $HEX @K
EINVAL | ^unknown layer | two suspended | key wipe both
EINVAL | ^unknown layer | two suspended | key wipe $HEX
EINVAL | key must be a keyring reference | two suspended | key set outer $HEX
EINVAL | key must be a keyring reference | two suspended | key set $HEX
EINVAL | key must be a keyring reference | two suspended | key set inner
EBUSY | ^keys change only while the device is suspended | two active | key set outer @O
EBUSY | ^keys change only while the device is suspended | two active | key wipe outer
EBUSY | ^keys change only while the device is suspended | two active | key wipe
ENOKEY | ^outer layer: key not found | two suspended | key set outer :32:logon:dmsse:none
ENOKEY | ^inner layer: key not found | two suspended | key set inner :64:logon:dmsse:none
EINVAL | ^outer layer: key reference says 64 bytes but the cipher takes 32 | two suspended | key set outer @K
EINVAL | ^inner layer: key has 32 bytes but its reference says 64 | two suspended | key set inner :64:logon:dmsse:o32
EINVAL | ^outer layer: key is that of the other layer or has a part in common with it | two suspended | key set outer :32:logon:dmsse:first
EINVAL | ^outer layer: key is that of the other layer | two suspended | key set outer :32:logon:dmsse:second
EINVAL | ^outer layer: key is that of the other layer | two suspended | key set outer :32:logon:dmsse:quarter
EINVAL | ^inner layer: key is that of the other layer | two suspended | key set inner :32:logon:dmsse:o32
EINVAL | ^this device has no outer layer: its only one is inner | one suspended | key set outer @K
EINVAL | ^this device has no outer layer | one suspended | key wipe outer
EINVAL | ^unknown layer | one suspended | key wipe middle
EBUSY | ^keys change only while the device is suspended | one active | key set inner @K
"

expand() {
	EXPANDED=${1//@C/aes-xts-plain64}
	EXPANDED=${EXPANDED//@K/$REF64}
	EXPANDED=${EXPANDED//@D/$DISK}
	EXPANDED=${EXPANDED//@A/$A}
	EXPANDED=${EXPANDED//@O/$REF32}
}

dm_create dmsse-two "0 2048 sse aes-xts-plain64 $REF64 0 $DISK 0 4 outer $A $REF32 0" || bail "no device"
dm_create dmsse-one "0 2048 sse aes-xts-plain64 $REF64 0 $DISK 2048" || bail "no device"
BEFORE=$(cat /sys/module/dm_sse/refcnt)
TWO=$(dmsetup table dmsse-two)

while IFS= read -r entry; do
	case $entry in '' | '#'*) continue ;; esac
	split "$entry"
	expand "${FIELD[2]}"
	if [[ $EXPANDED = *'cts('* ]] && ! have_module cts; then
		skip "line '$EXPANDED'" "this kernel has no cts"
		continue
	fi
	batch mark "$CASE_MARK${#TITLE[@]}"
	batch load dmsse-two "0 2048 sse $EXPANDED"
	batch clear dmsse-two
	add_case "${FIELD[0]}" "${FIELD[1]}" "line '$EXPANDED'"
done <<<"$LINES"
while IFS= read -r entry; do
	[ -n "$entry" ] || continue
	split "$entry"
	read -r device state <<<"${FIELD[2]}"
	expand "${FIELD[3]}"
	[ "$state" = active ] || batch suspend "dmsse-$device"
	batch mark "$CASE_MARK${#TITLE[@]}"
	batch message "dmsse-$device" "$EXPANDED"
	[ "$state" = active ] || batch resume "dmsse-$device"
	add_case "${FIELD[0]}" "${FIELD[1]}" "$device $state: message '$EXPANDED'"
done <<<"$MESSAGES"
run_refusals

is "there were at least 40 of each sort together" "$((${#TITLE[@]} >= 80))" 1
is "refusals leave no reference to the module" "$(cat /sys/module/dm_sse/refcnt)" "$BEFORE"
is "refusals leave the table as it was" "$(dmsetup table dmsse-two)" "$TWO"
like "refusals leave both keys in place" "$(dmsetup status dmsse-two)" \
	' sse active layers:2 inner:keyed inner_driver:[^ ]+ outer:keyed outer_driver:[^ ]+ read_bios:'
dmesg | grep -i -q -F -e "$HEX" -e "${HEX:0:32}"
is "no key is in the kernel log" $? 1

# Even a module that takes insecure ciphers takes none for a pair.
dm_remove dmsse-two
dm_remove dmsse-one
reload_module insecure_ciphers=1
for outer in "aes-ecb $REF32" "cipher_null-ecb -" "capi:ctr(aes)-plain64 $REF32"; do
	dm_try create dmsse-two --table "0 2048 sse aes-xts-plain64 $REF64 0 $DISK 0 4 outer $outer 0"
	is "with insecure_ciphers=1: outer ${outer% *} is refused" "$DM_ERRNO" EINVAL
done
reload_module

### Tables that come back

NODE=$(lsblk -dno MAJ:MIN "$DISK" | tr -d ' ')
for rest in "0 @D 0 4 outer $A $REF32 0" \
	"8 @D 16 5 sector_size:4096 outer $A $REF32 24" \
	"3 @D 1 4 outer aes-cbc-essiv:sha256 $REF_Q 18446744073709551615" \
	"0 @D 0 5 allow_same_cipher outer aes-xts-plain64 $REF_P 0" \
	"8 @D 0 8 allow_discards same_cpu_crypt sector_size:4096 iv_large_sectors outer serpent-xts-plain64 $REF_P 8"; do
	want="0 2048 sse aes-xts-plain64 $REF64 ${rest/@D/$NODE}"
	dm_create dmsse-two "$want"
	is "table: ${rest/@D/dev}" "$(dmsetup table --showkeys dmsse-two)" "$want"
	dm_remove dmsse-two
done

### The bytes of the stack

head -c 2M /dev/urandom >"$WORK/data1"
head -c 2M /dev/urandom >"$WORK/data2"
head -c 64k /dev/urandom >"$WORK/header"
SECTORS=$(sectors "$DISK")

store() {
	dd if="$2" of="$1" bs=64k oflag=direct conv=notrunc status=none
}

holds() {
	dd if="$1" bs=64k count=32 iflag=direct status=none | cmp -s - "$2"
}

fused_open() {
	local opts="$OPTS outer $OUTER"

	# shellcheck disable=SC2086
	dm_create dmsse-double "0 $((SECTORS - HEADER)) sse $INNER $HIDDEN $DISK $HEADER $(set -- $opts && echo $#) $opts"
}

# The outer device covers the whole disk, the inner lies behind a header on it.
stack_open() {
	local opts=

	# shellcheck disable=SC2086
	[ -z "$OPTS" ] || opts=" $(set -- $OPTS && echo $#) $OPTS"
	dm_create dmsse-outer "0 $SECTORS crypt ${OUTER% *} $OFFSET $DISK 0$opts" &&
		dm_create dmsse-inner "0 $((SECTORS - HEADER)) crypt $INNER $HIDDEN /dev/mapper/dmsse-outer $HEADER$opts"
}

stack_close() {
	dm_remove dmsse-inner
	dm_remove dmsse-outer
}

# NAME | inner cipher and key | its offset | outer cipher and key | offset of
# the outer device | sectors of header on that | options, or -
PAIRS="
xts in adiantum | aes-xts-plain64 $REF64 | 0 | $A $REF32 | 0 | 0 | sector_size:4096
the same behind a header | aes-xts-plain64 $REF64 | 8 | $A $REF32 | 24 | 128 | sector_size:4096
xts in cbc essiv, header | aes-xts-plain64 $REF64 | 7 | aes-cbc-essiv:sha256 $REF_Q | 4294967290 | 33 | -
adiantum in xts, large sectors | $A $REF32 | 16 | aes-xts-plain64 $REF64 | 8 | 16 | sector_size:4096 iv_large_sectors
serpent in xts plain | serpent-xts-plain64be $REF_P | 1 | aes-xts-plain $REF64 | 4294967295 | 0 | -
xts in cryptd serpent | aes-xts-plain64 $REF64 | 0 | capi:cryptd(xts(ecb(serpent-generic)))-plain64 $REF_Q | 0 | 8 | sector_size:2048
cryptd xts in cryptd serpent | capi:cryptd(xts(ecb(aes-generic)))-plain64 $REF64 | 0 | capi:cryptd(xts(ecb(serpent-generic)))-plain64 $REF_Q | 0 | 8 | sector_size:4096
"
while IFS= read -r entry; do
	[ -n "$entry" ] || continue
	IFS='|' read -r name INNER HIDDEN outer OFFSET HEADER OPTS <<<"${entry// | /|}"
	[ "$OPTS" != - ] || OPTS=
	OUTER="$outer $((OFFSET + HEADER))"

	check "$name: stack" stack_open
	[ "$HEADER" = 0 ] || dd if="$WORK/header" of=/dev/mapper/dmsse-outer bs=512 count="$HEADER" \
		oflag=direct conv=notrunc status=none 2>/dev/null ||
		dd if="$WORK/header" of=/dev/mapper/dmsse-outer bs=4096 count=$((HEADER / 8)) \
			oflag=direct conv=notrunc status=none
	store /dev/mapper/dmsse-inner "$WORK/data1"
	stack_close
	check "$name: fused" fused_open
	check "$name: fused reads what the stack wrote" holds $MAP "$WORK/data1"
	store $MAP "$WORK/data2"
	is "$name: without errors" "$(word dmsse-double crypt_errors) $(word dmsse-double io_errors)" "0 0"
	dm_remove dmsse-double
	stack_open
	check "$name: the stack reads what fused wrote" holds /dev/mapper/dmsse-inner "$WORK/data2"
	[ "$HEADER" = 0 ] || check "$name: the header is as it was" \
		cmp -n $((HEADER * 512)) /dev/mapper/dmsse-outer "$WORK/header"
	stack_close
done <<<"$PAIRS"

### Whose key is whose

LINE="0 $SECTORS sse aes-xts-plain64 $REF64 0 $DISK 0 4 outer $A $REF32 0"
message() {
	dm_try message dmsse-double 0 key "$@"
}
layers() {
	echo "$(dmsetup status dmsse-double | awk '{ print $4 }') $(word dmsse-double inner) $(word dmsse-double outer)"
}
# LAYER: resume is refused, for want of its key.
no_resume() {
	dmesg_mark
	dm_try resume dmsse-double
	is "resume without the $1 key" "$DM_ERRNO" ENOKEY
	like "... and the kernel log says which" "$(dmesg_since | grep '^dm-sse: ')" \
		"cannot resume without a key: send the message .key set $1 <reference>. first"
}

dm_create dmsse-double "$LINE" || bail "no device"
store $MAP "$WORK/data1"
dmsetup suspend dmsse-double
is "both keys" "$(layers)" "suspended keyed keyed"
message wipe outer
is "key wipe outer" "$DM_ERRNO $(layers)" "0 no-key keyed no-key"
no_resume outer
message wipe inner
is "key wipe inner" "$DM_ERRNO $(layers)" "0 no-key no-key no-key"
no_resume inner
message set outer "$REF32"
is "key set outer" "$DM_ERRNO $(layers)" "0 no-key no-key keyed"
no_resume inner
message set inner :64:logon:dmsse:crossed
is "key set inner with another key" "$DM_ERRNO $(layers)" "0 suspended keyed keyed"
check "resume with both keys" dmsetup resume dmsse-double
refute "the data is unreadable with another inner key" holds $MAP "$WORK/data1"
dmsetup suspend dmsse-double
message set inner "$REF64"
message set outer "$REF_Q"
like "table shows both references" "$(dmsetup table --showkeys dmsse-double)" " $REF64 .* $REF_Q "
dmsetup resume dmsse-double
refute "nor with another outer key" holds $MAP "$WORK/data1"
dmsetup suspend dmsse-double
message wipe
is "key wipe" "$DM_ERRNO $(layers)" "0 no-key no-key no-key"
# What was wiped is not compared with any more; what is there is.
message set inner :64:logon:dmsse:begins
is "key set inner after both were wiped" "$DM_ERRNO" 0
message set outer :32:logon:dmsse:first
is "key set outer with a half of the new inner key" "$DM_ERRNO $(word dmsse-double outer)" "EINVAL no-key"
message wipe inner
message set outer :32:logon:dmsse:first
is "the same once the inner key is gone" "$DM_ERRNO" 0
message set inner "$REF64"
is "key set inner with a key of which the outer is a half" \
	"$DM_ERRNO $(word dmsse-double inner)" "EINVAL no-key"
message set outer "$REF32"
message set inner "$REF64"
check "resume with the old keys" dmsetup resume dmsse-double
check "the data is back" holds $MAP "$WORK/data1"
dm_remove dmsse-double

# "inner" is the name of an only layer as well.
dm_create dmsse-double "0 $SECTORS sse aes-xts-plain64 $REF64 0 $DISK 0"
dmsetup suspend dmsse-double
message wipe inner
is "one layer: key wipe inner" "$DM_ERRNO $(word dmsse-double inner)" "0 no-key"
message set inner "$REF64"
is "one layer: key set inner" "$DM_ERRNO $(word dmsse-double inner)" "0 keyed"
message wipe outer
is "one layer: key wipe outer is refused" "$DM_ERRNO $(word dmsse-double inner)" "EINVAL keyed"
dm_remove dmsse-double

### What IMA measures

IMA=/sys/kernel/security/ima
if [ -n "${DMSSE_RIG:-}" ] && ! grep -q ' dm_table_load ' $IMA/ascii_runtime_measurements 2>/dev/null &&
	[ -w $IMA/policy ]; then
	echo 'measure func=CRITICAL_DATA label=device-mapper template=ima-buf' >$IMA/policy 2>/dev/null
fi
dm_create dmsse-double "0 $SECTORS sse aes-xts-plain64 $REF64 8 $DISK 0 5 allow_same_cipher outer $A $REF32 16"
if grep -q ' dm_table_load ' $IMA/ascii_runtime_measurements 2>/dev/null; then
	# shellcheck disable=SC2059
	TEXT=$(printf "$(grep ' dm_table_load ' $IMA/ascii_runtime_measurements | tail -n 1 |
		awk '{print $NF}' | sed 's/../\\x&/g')")
	like "IMA measures both layers" "$TEXT" \
		",inner_cipher=aes-xts-plain64,inner_key_size=64,inner_iv_offset=8,outer_cipher=capi:adiantum.xchacha12,aes.-plain64,outer_key_size=32,outer_iv_offset=16,device="
	like "IMA measures allow_same_cipher" "$TEXT" ',allow_same_cipher=y,'
	unlike "IMA: no key reference" "$TEXT" 'dmsse:'
else
	for name in "IMA measures both layers" "IMA measures allow_same_cipher" "IMA: no key reference"; do
		skip "$name" "IMA measures no tables here (ima_policy=critical_data)"
	done
fi
dm_remove dmsse-double

done_testing
