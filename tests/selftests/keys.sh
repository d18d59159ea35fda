#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Where keys come from, when they change, and that nobody gets them back.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

load_module
make_disk DISK 4
load_key a 64
REF_A=$REF
load_key b 64
REF_B=$REF
HEX_A=$(key_hex 64 a)
HEX_B=$(key_hex 64 b)
printf '%64s' '' >"$WORK/halves"
add_key logon dmsse:halves <"$WORK/halves"
key_hex 48 short | hex_to_bin >"$WORK/short"
add_key logon dmsse:short <"$WORK/short"
head -c 1M /dev/urandom >"$WORK/data"

MAP=/dev/mapper/dmsse-keys

table() {
	sse_line "$DISK" aes-xts-plain64 "$1"
}

write_data() {
	dd if="$WORK/data" of=$MAP bs=64k oflag=direct conv=notrunc status=none
}

# Direct, so that no cached page stands in for a decrypted one.
holds_data() {
	dd if=$MAP bs=64k count=16 iflag=direct status=none | cmp -s - "$WORK/data"
}

try_table() {
	dm_try create dmsse-keys --table "$(table "$1")"
	dm_remove dmsse-keys
}

message() {
	dm_try message dmsse-keys 0 key "$@"
}

udevadm monitor --kernel --property >"$WORK/uevents" 2>/dev/null &
MONITOR=$!
at_exit "kill $MONITOR 2>/dev/null; wait $MONITOR 2>/dev/null || :"
wait_for 10 grep -q KERNEL "$WORK/uevents"

### Types of keys

check "logon key" sse_create dmsse-keys "$(table "$REF_A")"
check "data is written" write_data
dm_remove dmsse-keys
check "user key" sse_create dmsse-keys "$(table :64:user:dmsse-user:a)"
check "a user key with the same bytes reads what the logon key wrote" holds_data
dm_remove dmsse-keys

if ! have_module encrypted-keys && ! grep -q encrypted /proc/keys; then
	skip "encrypted key" "no encrypted keys in this kernel"
	skip "a second device reads what was written with an encrypted key" "no encrypted keys"
else
	key_hex 32 master | hex_to_bin >"$WORK/master"
	add_key user dmsse-user:master <"$WORK/master"
	ID=$(keyctl add encrypted dmsse:enc "new user:dmsse-user:master 64" @s)
	at_exit "keyctl unlink $ID @s"
	check "encrypted key" sse_create dmsse-keys "$(table :64:encrypted:dmsse:enc)"
	write_data
	dm_remove dmsse-keys
	sse_create dmsse-keys "$(table :64:encrypted:dmsse:enc)"
	check "a second device reads what was written with an encrypted key" holds_data
	dm_remove dmsse-keys
fi

### Where keys are looked for

ID=$(keyctl padd logon dmsse:elsewhere @u <"$WORK/short")
at_exit "keyctl unlink $ID @u || :"
try_table :48:logon:dmsse:elsewhere
is "a key in a keyring that is not searched isn't found" "$DM_ERRNO" ENOKEY
keyctl link @u @s
at_exit "keyctl unlink @u @s || :"
try_table :48:logon:dmsse:elsewhere
is "a key in the user keyring is found once that is linked" "$DM_ERRNO" 0
RING=$(keyctl newring dmsse-ring @s)
at_exit "keyctl unlink $RING @s"
keyctl link "$ID" "$RING"
keyctl unlink @u @s
try_table :48:logon:dmsse:elsewhere
is "a key in a keyring inside the session keyring is found" "$DM_ERRNO" 0
try_table :48:user:dmsse:elsewhere
is "a key of another type isn't taken" "$DM_ERRNO" ENOKEY
keyctl setperm "$ID" 0x01010000
try_table :48:logon:dmsse:elsewhere
is "a key without search permission is refused" "$DM_ERRNO" EACCES

for kind in expired revoked; do
	ID=$(key_hex 64 "$kind" | hex_to_bin | keyctl padd logon "dmsse:$kind" @s)
	at_exit "keyctl unlink $ID @s 2>/dev/null || :"
	if [ "$kind" = expired ]; then
		keyctl timeout "$ID" 1
		sleep 2
	else
		keyctl revoke "$ID"
	fi
	dmesg_mark
	try_table ":64:logon:dmsse:$kind"
	# The kernel's search passes over expired keys, so it finds none.
	case $kind in
	expired) want="^(EKEYEXPIRED|ENOKEY)$" ;;
	revoked) want="^EKEYREVOKED$" ;;
	esac
	like "a key that is $kind is refused" "$DM_ERRNO" "$want"
	like "... and the kernel log says so" "$(dmesg_since | grep '^dm-sse: ')" "$kind|not found"
done

### Changing keys

sse_create dmsse-keys "$(table "$REF_A")" || bail "no device"
write_data
message set "$REF_B"
is "key set while active" "$DM_ERRNO" EBUSY
message wipe
is "key wipe while active" "$DM_ERRNO" EBUSY
check "data is as before" holds_data

dmsetup suspend dmsse-keys
message set "$REF_B"
is "key set while suspended" "$DM_ERRNO" 0
like "table shows the new reference" "$(dmsetup table --showkeys dmsse-keys)" " $REF_B "
dmsetup resume dmsse-keys
refute "with another key the data is unreadable" holds_data
dmsetup suspend dmsse-keys
message set "$REF_A"
dmsetup resume dmsse-keys
check "with the old key it is back" holds_data

dmsetup suspend dmsse-keys
for ref in :64:logon:dmsse:none :64:logon:dmsse:halves :48:logon:dmsse:a \
	:64:logon:dmsse:short :64:logon:dmsse:revoked "$HEX_B"; do
	message set "$ref"
	unlike "key set with ${ref/$HEX_B/a key itself} is refused" "$DM_ERRNO" '^0$'
done
like "then table shows the old reference" "$(dmsetup table dmsse-keys)" " $REF_A "
dmsetup resume dmsse-keys
check "and the old key is in place" holds_data

dmsetup suspend dmsse-keys
message wipe
is "key wipe while suspended" "$DM_ERRNO" 0
like "status has no key" "$(dmsetup status dmsse-keys)" ' no-key .*inner:no-key'
message wipe
is "key wipe again" "$DM_ERRNO" 0
dmesg_mark
dm_try resume dmsse-keys
is "resume without a key" "$DM_ERRNO" ENOKEY
like "... and the kernel log says so" "$(dmesg_since | grep '^dm-sse: ')" 'key set <reference>'
like "the device stays suspended" "$(dmsetup info -c --noheadings -o suspended dmsse-keys)" '^Suspended$'
message set :64:logon:dmsse:none
is "key set that fails leaves no key" "$DM_ERRNO $(word dmsse-keys inner)" "ENOKEY no-key"
message set "$REF_A"
is "key set gives it a key" "$DM_ERRNO $(word dmsse-keys inner)" "0 keyed"
check "resume with a key" dmsetup resume dmsse-keys
check "the data is back" holds_data

# Copied once: the key may leave the keyrings while the device is in use.
drop_key a
_gone() {
	! grep -q 'dmsse:a:' /proc/keys
}
check "the device holds no reference to its key" wait_for 10 _gone
check "and works without it" holds_data
dmsetup suspend dmsse-keys
check "and resumes without it" dmsetup resume dmsse-keys
check "with its data" holds_data
dm_remove dmsse-keys

### Nobody gets a key back

# Dumps have blanks or colons between bytes.
leaks() {
	tr -d ' :' | grep -aiq -e "${HEX_A:0:32}" -e "${HEX_A:64:32}" -e "${HEX_B:0:32}" -e "${HEX_B:64:32}"
}

load_key a 64
sse_create dmsse-keys "$(table "$REF_A")" || bail "no device"
for show in "table" "table --showkeys" "status" "status --showkeys" "info"; do
	# shellcheck disable=SC2086
	dmsetup $show dmsse-keys | leaks
	is "no key in dmsetup $show" $? 1
done
like "table --showkeys shows the reference" "$(dmsetup table --showkeys dmsse-keys)" " $REF_A "
dmsetup suspend dmsse-keys
dmsetup resume dmsse-keys
dm_remove dmsse-keys

dmesg | leaks
is "no key in the kernel log" $? 1
if wait_for 5 grep -q "DM_NAME\|dm-" "$WORK/uevents"; then
	leaks <"$WORK/uevents"
	is "no key in uevents" $? 1
else
	skip "no key in uevents" "no uevents seen"
fi

# A measurement holds what it measures in hex.
IMA=/sys/kernel/security/ima/ascii_runtime_measurements
if grep -q ' dm_table_load ' $IMA 2>/dev/null; then
	TWICE=$(printf %s "${HEX_A:0:32}" | od -An -v -tx1 | tr -d ' \n')
	grep -q -i -e "$TWICE" -e "${HEX_A:0:32}" $IMA
	is "no key in IMA's measurements" $? 1
else
	skip "no key in IMA's measurements" "IMA measures no tables here (ima_policy=critical_data)"
fi

done_testing
