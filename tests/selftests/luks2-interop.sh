#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# No disk is hostage to ssesetup, and no volume is foreign to it: LUKS2 by
# ssesetup opens with stock cryptsetup, LUKS2 by cryptsetup opens with ssesetup,
# and what one of them writes with dm-crypt or dm-sse the other reads.

. "$(dirname "$0")/lib.sh"
. "$DMSSE_DIR/deslib.bash"
need_module dm-crypt

MAP=dmsse-interop
STOCK=$MAP-crypt
for name in "$STOCK-in" "$STOCK"; do
	at_exit "dm_remove $name"
done
pem main
image DISK 16

# Weak enough to be quick.
QUICK=(--pbkdf argon2id --pbkdf-memory 32 --pbkdf-force-iterations 4 --pbkdf-parallel 1)

stock() {
	cryptsetup -q "$@" </dev/null
}

right "a set" des create cust --type customer --key "file:$KEYS/main.pem" --kek-timeout 120

### Ours opens with cryptsetup

recovery_keys() {
	sed -n 's/^Recovery key.*: //p' <<<"$OUT"
}

right "format with a recovery key" format -q "$DISK" --des cust --recovery-key
recovery_keys >"$WORK/recovery"
truncate -s -1 "$WORK/recovery"
is "... of argon2id" "$(cryptsetup luksDump "$DISK" | awk '/PBKDF:/ {print $2}' | sort | xargs)" "argon2id pbkdf2"
right "open" open "$DISK" "$MAP"
put "$MAP" 4 ours
right "close" close "$MAP"
check "cryptsetup opens it" stock open --key-file "$WORK/recovery" "$DISK" "$STOCK"
check "... with dm-crypt" grep -q ' crypt ' <(dmsetup table "$STOCK")
check "... and reads what ssesetup's disk wrote" holds "$STOCK" 4 ours
is "... of the same size" "$(sectors "/dev/mapper/$STOCK")" 28672
put "$STOCK" 4 stock
stock close "$STOCK"
right "open" open "$DISK" "$MAP"
check "ssesetup's reads what dm-crypt wrote" holds "$MAP" 4 stock
right "close" close "$MAP"

# Not even the recovery key is needed by who has the customer's key.
token_of "$DISK" >"$WORK/token"
field "$(cat "$WORK/token")" wrapped | base64 -d >"$WORK/wrapped"
openssl pkeyutl -decrypt -inkey "$KEYS/main.pem" -pkeyopt rsa_padding_mode:oaep \
	-pkeyopt rsa_oaep_md:sha256 -pkeyopt rsa_mgf1_md:sha256 -in "$WORK/wrapped" \
	-out "$WORK/unwrapped"
head -c 32 "$WORK/unwrapped" >"$WORK/secret"
is "openssl unwraps the token's secret" "$(wc -c <"$WORK/unwrapped")" 64
check "... which opens the disk with cryptsetup" stock open --key-file "$WORK/secret" "$DISK" "$STOCK"
check "... the data are there" holds "$STOCK" 4 stock
stock close "$STOCK"
uuid=$(cryptsetup luksUUID "$DISK")
is "... bound to the disk as documented" "$(tail -c 32 "$WORK/unwrapped" | od -An -v -tx1 | tr -d ' \n')" \
	"$(printf 'dm-sse slot secret v1\0%s\0%s\0single' "$uuid" "$(field "$(cat "$WORK/token")" des-id)" |
		sha256sum | cut -d ' ' -f 1)"
is "... with the check value as documented" "$(field "$(cat "$WORK/token")" check)" \
	"$(printf 'dm-sse check v1' | openssl dgst -sha256 -mac HMAC \
		-macopt "hexkey:$(od -An -v -tx1 "$WORK/secret" | tr -d ' \n')" -binary | base64)"

# What cryptsetup does to the header doesn't disturb.
printf 'by hand' >"$WORK/hand"
check "cryptsetup luksAddKey" stock luksAddKey "${QUICK[@]}" --key-file "$WORK/recovery" "$DISK" "$WORK/hand"
right "... the disk opens" open "$DISK" "$MAP"
right "... renews" lease renew "$MAP"
right "close" close "$MAP"
check "cryptsetup luksKillSlot of the recovery key" stock luksKillSlot --key-file "$WORK/hand" "$DISK" 1
check "cryptsetup token add" stock token add --key-description dmsse:any "$DISK"
check "cryptsetup config --label" stock config --label other "$DISK"
right "... the disk opens" open "$DISK" "$MAP"
check "... the data are there" holds "$MAP" 4 stock
right "close" close "$MAP"
right "rotation passes foreign keyslots and tokens by" assign "$DISK" --des cust
check "... the key by hand opens it" stock open --test-passphrase --key-file "$WORK/hand" "$DISK"
like "... the other token is there" "$(cryptsetup luksDump "$DISK")" "luks2-keyring"
check "cryptsetup luksHeaderBackup" stock luksHeaderBackup --header-backup-file "$WORK/backup" "$DISK"
check "cryptsetup luksHeaderRestore" stock luksHeaderRestore --header-backup-file "$WORK/backup" "$DISK"
right "... the disk opens" open "$DISK" "$MAP"
right "close" close "$MAP"
check "cryptsetup repair has nothing to do" stock repair "$DISK"
right "... the disk opens" open "$DISK" "$MAP"
right "close" close "$MAP"

### Two layers: two opens

have_module adiantum
for pair in --double --double=fips; do
	right "format $pair with recovery keys" format -q "$DISK" $pair --recovery-key
	is "... two" "$(recovery_keys | wc -l)" 2
	sed -n 's/^Recovery key of the layer outer: //p; s/^Recovery key of the outer layer: //p' <<<"$OUT" | tr -d '\n' >"$WORK/outer"
	sed -n 's/^Recovery key of the layer inner: //p; s/^Recovery key of the inner layer: //p' <<<"$OUT" | tr -d '\n' >"$WORK/inner"
	right "open" open "$DISK" "$MAP"
	put "$MAP" 4 ours
	SIZE=$(sectors "/dev/mapper/$MAP")
	right "close" close "$MAP"
	check "cryptsetup opens the outer layer" stock open --key-file "$WORK/outer" "$DISK" "$STOCK"
	check "... and the inner one" stock open --key-file "$WORK/inner" "/dev/mapper/$STOCK" "$STOCK-in"
	check "... and reads what ssesetup's disk wrote" holds "$STOCK-in" 4 ours
	is "... of the same size" "$(sectors "/dev/mapper/$STOCK-in")" "$SIZE"
	put "$STOCK-in" 4 stock
	stock close "$STOCK-in"
	stock close "$STOCK"
	right "open" open "$DISK" "$MAP"
	check "ssesetup's reads what dm-crypt wrote" holds "$MAP" 4 stock
	right "close" close "$MAP"
done

### Detached headers

truncate -s 8M "$WORK/bare"
right "format with a detached header" format -q "$WORK/bare" --header "$WORK/bare.hdr" --recovery-key
recovery_keys >"$WORK/recovery"
truncate -s -1 "$WORK/recovery"
right "open" open "$WORK/bare" "$MAP" --header "$WORK/bare.hdr"
put "$MAP" 4 ours
right "close" close "$MAP"
check "cryptsetup opens it" stock open --header "$WORK/bare.hdr" --key-file "$WORK/recovery" "$WORK/bare" "$STOCK"
check "... and reads what ssesetup's disk wrote" holds "$STOCK" 4 ours
stock close "$STOCK"

### Theirs opens with ssesetup

printf 'correct horse' >"$WORK/pass"
printf 'correct horse\n' >"$WORK/line"
printf 'wrong horse' >"$WORK/wrong"
head -c 100 /dev/urandom >"$WORK/binary"
printf '\0\n\0' >>"$WORK/binary"
image VOLUME 24

# CIPHER BITS SECTOR [MODULE]: formatted by cryptsetup, written by dm-crypt, read
# by ssesetup's mapping, written by that, read by dm-crypt.
theirs() {
	local cipher=$1 bits=$2 sector=$3

	if [ -n "${4:-}" ] && ! have_module "$4"; then
		skip "$cipher" "no module $4"
		return
	fi
	if ! check "luksFormat: $cipher, $bits bits, sectors of $sector bytes" stock luksFormat \
		--type luks2 "${QUICK[@]}" -c "$cipher" -s "$bits" --sector-size "$sector" \
		--key-file "$WORK/pass" "$VOLUME"; then
		return
	fi
	check "... cryptsetup opens it" stock open --key-file "$WORK/pass" "$VOLUME" "$STOCK"
	put "$STOCK" 2 stock
	SIZE=$(sectors "/dev/mapper/$STOCK")
	stock close "$STOCK"
	STDIN=$WORK/line right "... ssesetup opens it, the passphrase from stdin" open "$VOLUME" "$MAP"
	check "... reads what dm-crypt wrote" holds "$MAP" 2 stock
	is "... of the same size" "$(sectors "/dev/mapper/$MAP")" "$SIZE"
	put "$MAP" 2 ours
	right "close" close "$MAP"
	stock open --key-file "$WORK/pass" "$VOLUME" "$STOCK"
	check "... dm-crypt reads what ssesetup's wrote" holds "$STOCK" 2 ours
	stock close "$STOCK"
}
theirs aes-xts-plain64 512 512
theirs aes-xts-plain64 512 4096
theirs aes-xts-plain64 256 2048
theirs aes-xts-plain 512 512
theirs aes-cbc-essiv:sha256 256 512
theirs xchacha12,aes-adiantum-plain64 256 4096 adiantum
theirs serpent-xts-plain64 512 4096 serpent_generic
theirs 'capi:xts(twofish)-plain64' 512 512 twofish_generic

right "open with --key-file" open "$VOLUME" "$MAP" --key-file "$WORK/pass"
unlike "... without a lease: it has no set" "$(dmsetup table "$MAP")" "key_lease"
like "... whose key stays" "$(key_lines "$MAP")" " perm "
wrong 4 "not an open disk of a disk encryption set|was not opened from" lease renew "$MAP"
right "status" status "$MAP"
right "close" close "$MAP"
is "... no key stays" "$(key_lines "$MAP")" ""
wrong 2 "opens no keyslot|passphrase" open "$VOLUME" "$MAP" --key-file "$WORK/wrong"
wrong 2 "opens no keyslot|passphrase" open "$VOLUME" "$MAP" --key-file "$WORK/line"
wrong 2 "No passphrase .* was given" open "$VOLUME" "$MAP"
STDIN=$WORK/wrong wrong 2 "opens no keyslot|passphrase" open "$VOLUME" "$MAP"
unlike "... which isn't repeated" "$OUT" "horse"
check "a second key, of any bytes" stock luksAddKey "${QUICK[@]}" --key-file "$WORK/pass" "$VOLUME" "$WORK/binary"
right "... opens" open "$VOLUME" "$MAP" --key-file "$WORK/binary"
right "close" close "$MAP"
OUT=$("$SSESETUP" open "$VOLUME" "$MAP" --key-file - <"$WORK/binary" 2>&1)
is "... from a pipe" "$? $OUT" "0 "
right "close" close "$MAP"
cat "$WORK/wrong" "$WORK/pass" "$WORK/wrong" >"$WORK/padded"
right "... a part of a file" open "$VOLUME" "$MAP" --key-file "$WORK/padded" \
	--keyfile-offset 11 --keyfile-size 13
right "close" close "$MAP"
right "dump of a foreign volume" dump "$VOLUME"
like "... shows it" "$OUT" "LUKS header information"
stock luksFormat --type luks2 "${QUICK[@]}" --key-file "$WORK/pass" --offset 8192 "$VOLUME"
right "data that begin elsewhere" open "$VOLUME" "$MAP" --key-file "$WORK/pass"
like "... are mapped there" "$(dmsetup table "$MAP")" " 0 [0-9:]+ 8192( |\$)"
right "close" close "$MAP"
stock luksFormat --type luks2 "${QUICK[@]}" --key-file "$WORK/pass" --header "$WORK/vol.hdr" "$VOLUME"
right "a detached header" open "$VOLUME" "$MAP" --header "$WORK/vol.hdr" --key-file "$WORK/pass"
is "... of all of the device" "$(sectors "/dev/mapper/$MAP")" "$(($(stat -c %s "$VOLUME") / 512))"
right "close" close "$MAP"
wrong 4 "" open "$VOLUME" "$MAP" --header "$WORK/absent.hdr" --key-file "$WORK/pass"

### A foreign volume becomes a disk of a set

stock luksFormat --type luks2 "${QUICK[@]}" --key-file "$WORK/pass" "$VOLUME"
stock open --key-file "$WORK/pass" "$VOLUME" "$STOCK"
put "$STOCK" 2 foreign
stock close "$STOCK"
STDIN=$WORK/wrong wrong 2 "opens no keyslot|passphrase" assign "$VOLUME" --des cust
STDIN=$WORK/line right "assign" assign "$VOLUME" --des cust
right "... opens with its set's key" open "$VOLUME" "$MAP"
check "... the data are there" holds "$MAP" 2 foreign
like "... watched by the kernel" "$(dmsetup table "$MAP")" " key_lease error"
right "... renews" lease renew "$MAP"
right "close" close "$MAP"
check "... and with its passphrase" stock open --test-passphrase --key-file "$WORK/pass" "$VOLUME"

### What the target can't map is told in one line

one_line() {
	is "... in one line" "$(wc -l <<<"$OUT")" 1
}
stock luksFormat --type luks1 --pbkdf-force-iterations 1000 --key-file "$WORK/pass" "$VOLUME"
wrong 4 "LUKS1" open "$VOLUME" "$MAP" --key-file "$WORK/pass"
stock luksFormat --type luks2 "${QUICK[@]}" --key-file "$WORK/pass" "$VOLUME"
if check "a volume whose re-encryption has begun" stock reencrypt --init-only "${QUICK[@]}" \
	--resilience none --key-file "$WORK/pass" "$VOLUME"; then
	wrong 4 "Re-encryption is not finished: 'cryptsetup reencrypt" open "$VOLUME" "$MAP" --key-file "$WORK/pass"
	one_line
	STDIN=$WORK/line wrong 4 "Re-encryption is not finished" assign "$VOLUME" --des cust
fi
dd if=/dev/zero of="$VOLUME" bs=1M count=16 conv=notrunc status=none
if have_module dm-integrity && stock luksFormat --type luks2 "${QUICK[@]}" --key-file "$WORK/pass" \
	--integrity hmac-sha256 --integrity-no-wipe "$VOLUME" 2>/dev/null; then
	wrong 4 "integrity, which dm-sse can't do: open it with cryptsetup" open "$VOLUME" "$MAP" \
		--key-file "$WORK/pass"
	one_line
else
	skip "a volume with integrity" "no dm-integrity"
fi
dd if=/dev/zero of="$VOLUME" bs=1M count=16 conv=notrunc status=none
wrong 4 "not a valid LUKS2 device" open "$VOLUME" "$MAP" --key-file "$WORK/pass"
wrong 4 "LUKS2" dump "$VOLUME"
is "no refusal left a mapping" "$(dmsetup ls | grep -c "$MAP")" 0

done_testing
