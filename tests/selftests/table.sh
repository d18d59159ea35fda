#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Table lines and messages. Malformed ones are refused with the right errno
# and with exactly one dm-sse line in the kernel log that says what is wrong
# and what would be right; a refusal leaves nothing behind. Good ones come
# back from "dmsetup table" in canonical form, and that form loads again.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

need_dmbatch
load_module
make_disk DISK 4
load_key 64 64
REF64=$REF
load_key 32 32
load_key 33 33
load_key 16 16
load_key 128 128
printf "%64s" "" >"$WORK/halves"
add_key logon dmsse:halves <"$WORK/halves"

# The key somebody writes into the table line, against all advice.
HEX=$(key_hex 64 hex)
LONG=$(printf 'x%.0s' {1..200})
ESC=$'\x1b'

# Does the kernel have trusted keys at all? Without the type it says ENODEV.
if keyctl add trusted dmsse-probe "new" @s 2>&1 | grep -q 'No such device'; then
	TRUSTED='EOPNOTSUPP | this kernel has no keys of that type: use '
else
	TRUSTED='ENOKEY | key not found in the caller.s keyrings: load it'
fi
if kver_ge 6.10; then
	PRIORITY=
else
	PRIORITY='EOPNOTSUPP | option .high_priority. needs Linux 6\.10 | @C @K 0 @D 0 1 high_priority'
fi
# Older kernels take a character device's path for a name to be looked up.
kver_ge 6.12 && NO_BLOCK=ENOTBLK || NO_BLOCK=ENODEV

# errno | what the kernel log must say after "dm-sse: <dev>: " | table line
# The line is what follows "sse"; in front of it is "0 2048" unless it begins
# with "=<start> <length>". @C, @K and @D are a good cipher, key and device.
LINES="
# Too few arguments
EINVAL | ^0 arguments where at least 5 are needed: <cipher> <key> <iv_offset> <device> <start> |
EINVAL | ^1 arguments where at least 5 are needed | @C
EINVAL | ^2 arguments where at least 5 are needed | @C @K
EINVAL | ^3 arguments where at least 5 are needed | @C @K 0
EINVAL | ^4 arguments where at least 5 are needed | @C @K 0 @D

# A key instead of a reference
EINVAL | key must be a keyring reference .:<bytes>:<type>:<description>. | @C $HEX 0 @D 0
EINVAL | key must be a keyring reference | @C ${HEX^^} 0 @D 0
EINVAL | key must be a keyring reference | @C ${HEX:0:64} 0 @D 0
EINVAL | key must be a keyring reference | @C $HEX
EINVAL | key must be a keyring reference | nocipher-xts-plain64 $HEX x /dev/none x
EINVAL | key must be a keyring reference | @C 64:logon:dmsse:64 0 @D 0
EINVAL | key .*0 bytes.*takes 32 to 64|needs a key | @C - 0 @D 0

# Malformed references
EINVAL | key reference is incomplete: use .:<bytes>:<type>:<description>. | @C : 0 @D 0
EINVAL | key reference is incomplete | @C :64 0 @D 0
EINVAL | key reference is incomplete | @C :64: 0 @D 0
EINVAL | key reference is incomplete | @C :64:logon 0 @D 0
EINVAL | key reference has no description | @C :64:logon: 0 @D 0
EINVAL | key reference contains white space | @C :64:logon:dmsse:6\\ 4 0 @D 0
EINVAL | key reference contains white space or a backslash; rename the key$ | @C :64:logon:dmsse:6\\\\4 0 @D 0
EINVAL | size in the key reference must be a number of bytes from 1 to 256 | @C ::logon:dmsse:64 0 @D 0
EINVAL | size in the key reference must be a number | @C :0:logon:dmsse:64 0 @D 0
EINVAL | size in the key reference must be a number | @C :x:logon:dmsse:64 0 @D 0
EINVAL | size in the key reference must be a number | @C :64x:logon:dmsse:64 0 @D 0
EINVAL | size in the key reference must be a number | @C :-64:logon:dmsse:64 0 @D 0
EINVAL | size in the key reference must be a number | @C :+64:logon:dmsse:64 0 @D 0
EINVAL | size in the key reference must be a number | @C :0x40:logon:dmsse:64 0 @D 0
EINVAL | size in the key reference must be a number | @C :257:logon:dmsse:64 0 @D 0
EINVAL | size in the key reference must be a number | @C :18446744073709551680:logon:dmsse:64 0 @D 0
EINVAL | unknown key type: use logon, user, encrypted or trusted | @C :64::dmsse:64 0 @D 0
EINVAL | unknown key type | @C :64:log:dmsse:64 0 @D 0
EINVAL | unknown key type | @C :64:logons:dmsse:64 0 @D 0
EINVAL | unknown key type | @C :64:LOGON:dmsse:64 0 @D 0
EINVAL | unknown key type | @C :64:keyring:_ses 0 @D 0
EINVAL | unknown key type | @C :64:asymmetric:dmsse:64 0 @D 0

# Keys that are not there, or don't fit
ENOKEY | key not found in the caller.s keyrings: load it | @C :64:logon:dmsse:none 0 @D 0
ENOKEY | key not found in the caller.s keyrings: load it | @C :64:user:dmsse:64 0 @D 0
ENOKEY | key not found in the caller.s keyrings: load it | @C :64:encrypted:dmsse:64 0 @D 0
$TRUSTED | @C :64:trusted:dmsse:64 0 @D 0
EINVAL | key has 64 bytes but its reference says 32 | @C :32:logon:dmsse:64 0 @D 0
EINVAL | key has 32 bytes but its reference says 64 | @C :64:logon:dmsse:32 0 @D 0
EINVAL | reference says 16 bytes but the cipher takes 32 to 64 | @C :16:logon:dmsse:16 0 @D 0
EINVAL | reference says 128 bytes but the cipher takes 32 to 64 | @C :128:logon:dmsse:128 0 @D 0
EINVAL | cipher refuses a key of 33 bytes | @C :33:logon:dmsse:33 0 @D 0
EINVAL | reference says 64 bytes but the cipher takes 16 to 32 | aes-cbc-plain64 @K 0 @D 0
EINVAL | halves of an XTS key must differ | @C :64:logon:dmsse:halves 0 @D 0

# Ciphers, first spelling
EINVAL | cipher is empty: use .<cipher>-<mode>-<iv>. | -xts-plain64 @K 0 @D 0
EINVAL | cipher has no mode: use .<cipher>-<mode>-<iv>. | aes--plain64 @K 0 @D 0
EINVAL | cipher has no mode: use .<cipher>-<mode>-<iv>. | aes- :32:logon:dmsse:32 0 @D 0
EINVAL | cipher needs an IV: use plain, plain64, plain64be or essiv:<hash> | aes-xts @K 0 @D 0
EINVAL | cipher needs an IV | aes-xts- @K 0 @D 0
EINVAL | unknown IV .plain65.: use plain, plain64, plain64be or essiv:<hash> | aes-xts-plain65 @K 0 @D 0
EINVAL | unknown IV .PLAIN64. | aes-xts-PLAIN64 @K 0 @D 0
EINVAL | unknown IV .plain64-x. | aes-xts-plain64-x @K 0 @D 0
EINVAL | unknown IV .null. | aes-cbc-null :32:logon:dmsse:32 0 @D 0
EINVAL | unknown IV .benbi. | aes-cbc-benbi :32:logon:dmsse:32 0 @D 0
EINVAL | unknown IV .lmk. | aes-cbc-lmk :32:logon:dmsse:32 0 @D 0
EINVAL | unknown IV .tcw. | aes-cbc-tcw :32:logon:dmsse:32 0 @D 0
EINVAL | unknown IV .random. | aes-xts-random @K 0 @D 0
EINVAL | unknown IV .eboiv. | aes-cbc-eboiv :32:logon:dmsse:32 0 @D 0
EINVAL | unknown IV .elephant. | aes-cbc-elephant :32:logon:dmsse:32 0 @D 0
EINVAL | IV .essiv. needs a hash, as in .essiv:sha256. | aes-cbc-essiv :32:logon:dmsse:32 0 @D 0
EINVAL | IV .essiv. needs a hash | aes-cbc-essiv: :32:logon:dmsse:32 0 @D 0
EINVAL | IV .plain64. takes no argument | aes-xts-plain64:sha256 @K 0 @D 0
EINVAL | more than one key per cipher is not supported | aes:64-cbc-plain64 @K 0 @D 0
EINVAL | crypto API name needs the prefix .capi:. | xts(aes)-plain64 @K 0 @D 0
EINVAL | crypto API name is longer than [0-9]+ characters | $LONG-xts-plain64 @K 0 @D 0
ENOENT | cipher .xts\(nocipher\). is not available in this kernel | nocipher-xts-plain64 @K 0 @D 0
ENOENT | cipher .nomode\(aes\). is not available in this kernel | aes-nomode-plain64 @K 0 @D 0
ENOENT | cipher .essiv\(cbc\(aes\),nohash\). is not available | aes-cbc-essiv:nohash :32:logon:dmsse:32 0 @D 0

# Ciphers, second spelling
EINVAL | cipher needs an IV: .capi:<algorithm>-<iv>. | capi: @K 0 @D 0
EINVAL | cipher needs an IV | capi:xts(aes) @K 0 @D 0
EINVAL | cipher needs an IV | capi:-plain64 @K 0 @D 0
EINVAL | unknown IV ..: use plain, | capi:xts(aes)- @K 0 @D 0
EINVAL | unknown IV .plain65. | capi:xts(aes)-plain65 @K 0 @D 0
EINVAL | IV .plain64. takes no argument | capi:xts(aes)-plain64:x @K 0 @D 0
EINVAL | IV .essiv. needs a hash | capi:cbc(aes)-essiv :32:logon:dmsse:32 0 @D 0
EINVAL | crypto API name is longer than | capi:xts($LONG)-plain64 @K 0 @D 0
ENOENT | cipher .nomode\(aes\). is not available | capi:nomode(aes)-plain64 @K 0 @D 0
ENOENT | cipher .sha256. is not available | capi:sha256-plain64 @K 0 @D 0
ENOENT|EINVAL | cipher .gcm\(aes\). (is not available|cannot be allocated) | capi:gcm(aes)-plain64 :32:logon:dmsse:32 0 @D 0

# Ciphers that don't protect a disk
EINVAL | cipher .ecb\(aes\). does not protect a disk: load the module with insecure_ciphers=1 | aes-ecb :32:logon:dmsse:32 0 @D 0
EINVAL | cipher .ecb\(aes\). does not protect a disk | capi:ecb(aes)-plain64 :32:logon:dmsse:32 0 @D 0
EINVAL | cipher .ecb\(cipher_null\). does not protect a disk | cipher_null-ecb - 0 @D 0
EINVAL | cipher .ctr\(aes\). does not protect a disk | capi:ctr(aes)-plain64 :32:logon:dmsse:32 0 @D 0

# IV offset
EINVAL | iv_offset must be a number of 512-byte sectors, not .x. | @C @K x @D 0
EINVAL | iv_offset must be a number .*, not .-1. | @C @K -1 @D 0
EINVAL | iv_offset must be a number .*, not .\+1. | @C @K +1 @D 0
EINVAL | iv_offset must be a number .*, not .0x10. | @C @K 0x10 @D 0
EINVAL | iv_offset must be a number .*, not .1\.5. | @C @K 1.5 @D 0
EINVAL | iv_offset must be a number .*, not .18446744073709551616. | @C @K 18446744073709551616 @D 0
EINVAL | iv_offset 1 must be a multiple of 8, .* sector_size:4096 | @C @K 1 @D 0 1 sector_size:4096
EINVAL | iv_offset 3 must be a multiple of 2, .* sector_size:1024 | @C @K 3 @D 0 1 sector_size:1024

# Device and start
ENOENT|ENODEV | device ./dev/nothing-here. cannot be opened, .*: see that it exists | @C @K 0 /dev/nothing-here 0
ENXIO | device .99:99. cannot be opened | @C @K 0 99:99 0
$NO_BLOCK | device ./dev/null. cannot be opened, .*is a block device | @C @K 0 /dev/null 0
EINVAL | start must be a number of 512-byte sectors, not .x. | @C @K 0 @D x
EINVAL | start must be a number .*, not .-1. | @C @K 0 @D -1
EINVAL | start must be a number .*, not .99999999999999999999. | @C @K 0 @D 99999999999999999999
EINVAL | start 18446744073709551615 is beyond | @C @K 0 @D 18446744073709551615
EINVAL | device .* has 8192 sectors, start 6145 and length 2048 need 8193 | @C @K 0 @D 6145
EINVAL | device .* has 8192 sectors, start 0 and length 8193 need 8193 | =0 8193 @C @K 0 @D 0
EINVAL | device .* has 8192 sectors, start 1000000 and length 2048 need 1002048 | @C @K 0 @D 1000000
EINVAL | length 2047 must be a multiple of 8, .* sector_size:4096 | =0 2047 @C @K 0 @D 0 1 sector_size:4096

# Options
EINVAL | number of options expected after <start>, not .allow_discards. | @C @K 0 @D 0 allow_discards
EINVAL | number of options expected after <start>, not .-1. | @C @K 0 @D 0 -1 allow_discards
EINVAL | option count is 1 but 0 options follow | @C @K 0 @D 0 1
EINVAL | option count is 0 but 1 options follow | @C @K 0 @D 0 0 allow_discards
EINVAL | option count is 2 but 1 options follow | @C @K 0 @D 0 2 allow_discards
EINVAL | option count is 1 but 2 options follow | @C @K 0 @D 0 1 allow_discards same_cpu_crypt
EINVAL | option .allow_discards. is given twice | @C @K 0 @D 0 2 allow_discards allow_discards
EINVAL | option .sector_size. is given twice | @C @K 0 @D 0 2 sector_size:512 sector_size:4096
EINVAL | ^unknown option .a[?]b.\$ | @C @K 0 @D 0 1 a${ESC}b
EINVAL | unknown option .nothing. | @C @K 0 @D 0 1 nothing
EINVAL | unknown option .allow_discard. | @C @K 0 @D 0 1 allow_discard
EINVAL | unknown option .allow_discards:1. | @C @K 0 @D 0 1 allow_discards:1
EINVAL | unknown option .sector_size.|sector_size must be 512, 1024, 2048 or 4096 | @C @K 0 @D 0 1 sector_size
EINVAL | sector_size must be 512, 1024, 2048 or 4096 | @C @K 0 @D 0 1 sector_size:
EINVAL | sector_size must be 512, 1024, 2048 or 4096 | @C @K 0 @D 0 1 sector_size:0
EINVAL | sector_size must be 512, 1024, 2048 or 4096 | @C @K 0 @D 0 1 sector_size:256
EINVAL | sector_size must be 512, 1024, 2048 or 4096 | @C @K 0 @D 0 1 sector_size:3072
EINVAL | sector_size must be 512, 1024, 2048 or 4096 | @C @K 0 @D 0 1 sector_size:8192
EINVAL | sector_size must be 512, 1024, 2048 or 4096 | @C @K 0 @D 0 1 sector_size:-512
EINVAL | sector_size must be 512, 1024, 2048 or 4096 | @C @K 0 @D 0 1 sector_size:4096k
EINVAL | iv_large_sectors needs sector_size:1024, 2048 or 4096 | @C @K 0 @D 0 1 iv_large_sectors
EINVAL | iv_large_sectors needs sector_size:1024, 2048 or 4096 | @C @K 0 @D 0 2 iv_large_sectors sector_size:512
EINVAL | option .key_lease. has two words: key_lease <error.queue> | @C @K 0 @D 0 1 key_lease
EINVAL | option .key_lease. has two words | @C @K 0 @D 0 2 allow_discards key_lease
EINVAL | key_lease must be error or queue, not .allow_discards. | @C @K 0 @D 0 2 key_lease allow_discards
EINVAL | key_lease must be error or queue, not .3600. | @C @K 0 @D 0 2 key_lease 3600
EINVAL | unknown option .key_lease:error. | @C @K 0 @D 0 1 key_lease:error
EINVAL | option .key_lease. is given twice | @C @K 0 @D 0 4 key_lease error key_lease error
EINVAL | option count is 1 but 2 options follow | @C @K 0 @D 0 1 key_lease queue
EINVAL | key_lease needs a key that can end: a keyring reference, not .-. | cipher_null-ecb - 0 @D 0 2 key_lease queue
EOPNOTSUPP | integrity.* not supported | @C @K 0 @D 0 1 integrity:32:aead
EOPNOTSUPP | integrity.* not supported | @C @K 0 @D 0 1 integrity_key_size:32
$PRIORITY
"

# errno | what the kernel log must say | state the device is in | message
MESSAGES="
EINVAL | unknown message: use .key set \[<layer>\] <reference>. or .key wipe \[<layer>\]. | active | key
EINVAL | unknown message | active | wipe
EINVAL | unknown message | active | key set
EINVAL | unknown layer: use inner or outer | active | key set @K @K
EINVAL | unknown layer: use inner or outer | active | key wipe now
EINVAL | unknown message | active | key wipe inner now
EINVAL | unknown message | active | key set inner @K @K
EINVAL | unknown message | active | key get
EINVAL | unknown message | active | set key @K
EINVAL | unknown message | active | $HEX
EBUSY | keys change only while the device is suspended: suspend it first | active | key set @K
EBUSY | keys change only while the device is suspended | active | key wipe
EBUSY|EINVAL | suspended|keyring reference | active | key set $HEX
EINVAL | unknown message | suspended | key
EINVAL | unknown message | suspended | keys wipe
EINVAL | key must be a keyring reference | suspended | key set $HEX
EINVAL | key must be a keyring reference | suspended | key set 64:logon:dmsse:64
EINVAL | key .*0 bytes.*takes 32 to 64|needs a key | suspended | key set -
EINVAL | key reference is incomplete | suspended | key set :64:logon
EINVAL | size in the key reference must be a number | suspended | key set :x:logon:dmsse:64
EINVAL | unknown key type | suspended | key set :64:hmac:dmsse:64
EINVAL | key reference has no description | suspended | key set :64:logon:
ENOKEY | key not found in the caller.s keyrings | suspended | key set :64:logon:dmsse:none
EINVAL | key has 64 bytes but its reference says 32 | suspended | key set :32:logon:dmsse:64
EINVAL | reference says 16 bytes but the cipher takes 32 to 64 | suspended | key set :16:logon:dmsse:16
EINVAL | halves of an XTS key must differ | suspended | key set :64:logon:dmsse:halves
"

# table line | what "dmsetup table" shows for it, if not the same
GOOD="
@C @K 0 @D 0
@C @K 0 @D 0 0 | @C @K 0 @D 0
@C @K 18446744073709551615 @D 0
@C @K 007 @D 08 | @C @K 7 @D 8
=0 8192 @C @K 0 @D 0
=0 1 @C @K 0 @D 8191
@C :32:logon:dmsse:32 0 @D 16
@C :64:user:dmsse-user:64 0 @D 0
capi:xts(aes)-plain64 @K 0 @D 0
capi:xts(aes)-plain64be @K 0 @D 0
aes-xts-plain @K 0 @D 0
aes-xts-plain64be @K 0 @D 0
aes :16:logon:dmsse:16 0 @D 0
aes-plain :32:logon:dmsse:32 0 @D 0
aes-cbc-plain :16:logon:dmsse:16 0 @D 0
aes-cbc-essiv:sha256 :32:logon:dmsse:32 0 @D 0
capi:cbc(aes)-essiv:sha256 :32:logon:dmsse:32 0 @D 0
xchacha12,aes-adiantum-plain64 :32:logon:dmsse:32 0 @D 0 1 sector_size:4096
capi:adiantum(xchacha12,aes)-plain64 :32:logon:dmsse:32 0 @D 0
@C @K 0 @D 0 1 allow_discards
@C @K 0 @D 0 1 ALLOW_DISCARDS | @C @K 0 @D 0 1 allow_discards
@C @K 0 @D 0 1 sector_size:512 | @C @K 0 @D 0
@C @K 0 @D 0 1 sector_size:1024
@C @K 2 @D 0 1 sector_size:1024
@C @K 0 @D 0 1 sector_size:2048
@C @K 0 @D 0 1 sector_size:4096
@C @K 8 @D 3 1 sector_size:4096
@C @K 8 @D 0 2 iv_large_sectors sector_size:4096 | @C @K 8 @D 0 2 sector_size:4096 iv_large_sectors
@C @K 0 @D 0 2 key_lease error | @C @K 0 @D 0 2 key_lease error
@C @K 8 @D 0 3 KEY_LEASE Queue sector_size:4096 | @C @K 8 @D 0 3 sector_size:4096 key_lease queue
@C @K 0 @D 0 2 no_write_workqueue no_read_workqueue | @C @K 0 @D 0 2 no_read_workqueue no_write_workqueue
@C @K 0 @D 0 2 submit_from_crypt_cpus same_cpu_crypt | @C @K 0 @D 0 2 same_cpu_crypt submit_from_crypt_cpus
@C @K 0 @D 0 3 same_cpu_crypt sector_size:4096 allow_discards | @C @K 0 @D 0 3 allow_discards same_cpu_crypt sector_size:4096
"

# "dmsetup table" shows devices by number.
NODE=$(lsblk -dno MAJ:MIN "$DISK" | tr -d ' ')

expand() {
	EXPANDED=${1//@C/aes-xts-plain64}
	EXPANDED=${EXPANDED//@K/$REF64}
	EXPANDED=${EXPANDED//@D/$2}
}

full_line() {
	local rest

	case $1 in
	=*)
		rest=${1#=}
		FULL="${rest%% *}"
		rest=${rest#* }
		FULL+=" ${rest%% *} $DMSSE_TARGET ${rest#* }"
		;;
	*)
		FULL="0 2048 $DMSSE_TARGET $1"
		;;
	esac
}

### Refusals

add_lines() {
	local entry

	while IFS= read -r entry; do
		case $entry in '' | '#'*) continue ;; esac
		split "$entry"
		expand "${FIELD[2]}" "$DISK"
		full_line "$EXPANDED"
		batch mark "$CASE_MARK${#TITLE[@]}"
		batch load dmsse-table "$FULL"
		batch clear dmsse-table
		add_case "${FIELD[0]}" "${FIELD[1]}" "line '$EXPANDED'"
	done <<<"$LINES"
}

add_messages() {
	local entry state

	while IFS= read -r entry; do
		[ -n "$entry" ] || continue
		split "$entry"
		state=${FIELD[2]}
		expand "${FIELD[3]}" "$DISK"
		[ "$state" = active ] || batch suspend dmsse-table
		batch mark "$CASE_MARK${#TITLE[@]}"
		batch message dmsse-table "$EXPANDED"
		[ "$state" = active ] || batch resume dmsse-table
		add_case "${FIELD[0]}" "${FIELD[1]}" "$state: message '$EXPANDED'"
	done <<<"$MESSAGES"
}

### Good lines: load, look, load what was shown, look again

GOOD_LINE=() GOOD_WANT=()

add_good() {
	local entry

	while IFS= read -r entry; do
		[ -n "$entry" ] || continue
		split "$entry"
		expand "${FIELD[0]}" "$DISK"
		full_line "$EXPANDED"
		GOOD_LINE+=("$FULL")
		expand "${FIELD[1]:-${FIELD[0]}}" "$NODE"
		full_line "$EXPANDED"
		GOOD_WANT+=("$FULL")
	done <<<"$GOOD"
}

run_good() {
	local i answers

	for ((i = 0; i < ${#GOOD_LINE[@]}; i++)); do
		printf '%s\tdmsse-table\t%s\n' load "${GOOD_LINE[i]}" inactive "" \
			load "${GOOD_WANT[i]}" inactive "" clear ""
	done | "$DMBATCH" >"$WORK/answers"

	for ((i = 0; i < ${#GOOD_LINE[@]}; i++)); do
		answers=$(sed -n "$((5 * i + 1)),$((5 * i + 4))p" "$WORK/answers")
		is "good line '${GOOD_LINE[i]}'" "$answers" \
			"0"$'\n'"0"$'\t'"${GOOD_WANT[i]}"$'\n'"0"$'\n'"0"$'\t'"${GOOD_WANT[i]}"
	done
}

refcount() {
	cat /sys/module/dm_sse/refcnt
}

dm_create dmsse-table "$(sse_line "$DISK" aes-xts-plain64 "$REF64")" || bail "no device"
BEFORE="$(refcount) $(dmsetup ls | wc -l)"
ACTIVE=$(dmsetup table dmsse-table)

add_lines
add_messages
run_refusals

is "refusals leave no reference to the module and no device" \
	"$(refcount) $(dmsetup ls | wc -l)" "$BEFORE"
is "refusals leave the table as it was" "$(dmsetup table dmsse-table)" "$ACTIVE"
is "refusals leave no table to resume to" "$(dmsetup table --inactive dmsse-table)" ""

# Creating is another way into the constructor than reloading.
expand "@C $HEX 0 @D 0" "$DISK"
full_line "$EXPANDED"
dm_try create dmsse-none --table "$FULL"
is "create with a malformed line is refused" "$DM_ERRNO" EINVAL
refute "create with a malformed line leaves no device" dmsetup info dmsse-none

dmesg | grep -i -q -F -e "$HEX" -e "${HEX:0:32}"
is "a key in the table line or in a message is not in the kernel log" $? 1
dmesg | grep -F -q -e 'dmsse:64' -e 'dmsse:none'
is "nor is the reference to one" $? 1

add_good
dmesg_mark
run_good
is "good lines are not complained about" "$(dmesg_since | grep '^dm-sse: ')" ""
is "replaced tables give their references back" "$(refcount)" "${BEFORE% *}"

done_testing
