#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# On a kernel that was booted with fips=1: the ciphers and the derivation of keys
# are approved ones without anybody asking for them, and the rest is refused in
# words that say so. What is looked at is the kernel's crypto API and what
# ssesetup chooses; whether OpenSSL is a validated module is up to its vendor.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

[ "$(cat /proc/sys/crypto/fips_enabled 2>/dev/null)" = 1 ] ||
	skip_all "the kernel was not booted with fips=1"

# shellcheck source-path=SCRIPTDIR source=deslib.bash
. "$DMSSE_DIR/deslib.bash"
need_module dm-crypt

MAP=dmsse-fips
STOCK=$MAP-crypt
at_exit "dm_remove $STOCK"
ADIANTUM='capi:adiantum(xchacha12,aes)-plain64'
SAYS_FIPS="fips=1"

stock() {
	cryptsetup -q "$@" </dev/null
}

pbkdfs() {
	cryptsetup luksDump "$1" | awk '/PBKDF:/ {print $2}' | sort -u | xargs
}

# The iterations of a keyslot.
iterations() {
	cryptsetup luksDump "$1" | awk -v slot="$2:" '
		/^[A-Z]/ { here = $1 == "Keyslots:" }
		/^  [0-9]/ { this = $1 }
		here && this == slot && /Iterations:/ { print $2 }'
}

# Every driver of the mapping, as "inner", "outer" and what the crypto API says of
# it: its self-test, and on newer kernels if it is approved.
drivers() {
	local layer driver

	"$SSESETUP" status "$1" | sed -n 's/^ *\([a-z]*\) driver: */\1 /p' |
		while read -r layer driver; do
			echo "$layer $(awk -v driver="$driver" '
				$1 == "driver" { here = $3 == driver }
				NF == 0 { here = 0 }
				here && ($1 == "selftest" || $1 == "fips") { print $3 }' /proc/crypto)"
		done | xargs
}

APPROVED=passed
! grep -q '^fips ' /proc/crypto || APPROVED="passed yes"

### One layer

image DISK 20
right "format with a recovery key" format -q "$DISK" --recovery-key
sed -n 's/^Recovery key.*: //p' <<<"$OUT" | tr -d '\n' >"$WORK/recovery"
is "... of PBKDF2 alone" "$(pbkdfs "$DISK")" pbkdf2
# LUKS2's least is 1000, which is what the secret of 256 random bits gets.
check "... a benchmark's worth of it for the recovery key" \
	test "$(iterations "$DISK" 1)" -gt 1000
right "open" open "$DISK" "$MAP"
like "... AES-256-XTS" "$(dmsetup table "$MAP")" " sse aes-xts-plain64 :64:"
is "... by an approved driver" "$(drivers "$MAP")" "inner $APPROVED"
put "$MAP" 2 one
right "close" close "$MAP"
check "cryptsetup opens it with the recovery key" \
	stock open --key-file "$WORK/recovery" "$DISK" "$STOCK"
check "... and reads what was written" holds "$STOCK" 2 one
stock close "$STOCK"

### Two layers

image TWO 40
right "format --double" format -q "$TWO" --double
right "open" open "$TWO" "$MAP"
like "... two modes of AES" "$(dmsetup table "$MAP")" \
	" sse aes-xts-plain64 :64:.* outer aes-cbc-essiv:sha256 :32:"
is "... by approved drivers" "$(drivers "$MAP")" "inner $APPROVED outer $APPROVED"
put "$MAP" 2 two
right "close" close "$MAP"
right "open again" open "$TWO" "$MAP"
check "... the data are there" holds "$MAP" 2 two
right "close" close "$MAP"

### A customer's key, with and without a layer of the platform's

pem cust
right "a set with an RSA key" des create cust --type customer --key "file:$KEYS/cust.pem"
right "format" format -q "$DISK" --des cust
is "... wraps with OAEP and SHA-256" "$(field "$(token_of "$DISK")" wrapping)" RSA-OAEP-256
right "open" open "$DISK" "$MAP"
right "close" close "$MAP"
right "a set of the platform and a customer, whose holder has OAEP with SHA-1" \
	des create both --type platform-and-customer --key "file:$KEYS/cust.pem" --wrapping RSA-OAEP
right "format" format -q "$TWO" --des both
right "open" open "$TWO" "$MAP"
like "... two modes of AES" "$(dmsetup table "$MAP")" \
	" sse aes-xts-plain64 :64:.* outer aes-cbc-essiv:sha256 :32:"
right "close" close "$MAP"

### What is not approved

wrong 1 "$SAYS_FIPS.*Adiantum.*--double=fips" format -q "$TWO" --double=adiantum
right "... the disk is as it was" open "$TWO" "$MAP"
right "close" close "$MAP"

make_disk RAW 2
load_key fips 64
load_key fips-outer 32
for cipher in "$ADIANTUM" serpent-cbc-essiv:sha256 twofish-xts-plain64 camellia-xts-plain64; do
	dmesg_mark
	dm_try create "$MAP" --table "$(sse_line "$RAW" "$cipher" :32:logon:dmsse:fips-outer)"
	like "the target refuses $cipher" "$DM_ERRNO" '^(ENOENT|EINVAL)$'
	like "... for what reason" "$(dmesg_since | grep '^dm-sse: ')" \
		"cipher '[^']*' .* in this kernel, which runs with fips=1"
done
dmesg_mark
dm_try create "$MAP" --table "$(sse_line "$RAW" aes-xts-plain64 :64:logon:dmsse:fips 0 0 \
	"outer $ADIANTUM :32:logon:dmsse:fips-outer 0")"
is "the target refuses an outer layer of Adiantum" "$DM_ERRNO" ENOENT
like "... for what reason" "$(dmesg_since | grep '^dm-sse: ')" \
	"outer layer: .* runs with fips=1"
load_key fips-48 48
dmesg_mark
dm_try create "$MAP" --table "$(sse_line "$RAW" aes-xts-plain64 :48:logon:dmsse:fips-48)"
is "the target refuses AES-192-XTS" "$DM_ERRNO" EINVAL
like "... for what reason" "$(dmesg_since | grep '^dm-sse: ')" "48 bytes.* $SAYS_FIPS"

### A disk that was made where Adiantum was to be had

# Another cipher in both copies of a header, under checksums that are right.
replace_cipher() {
	local file=$1 cipher=$2 copy size

	size=$(cryptsetup luksDump "$file" | awk '/^Metadata area:/ {print $3}')
	for copy in 0 1; do
		dd if="$file" of="$WORK/header" bs="$size" skip=$copy count=1 status=none
		{
			head -c 448 "$WORK/header"
			head -c 64 /dev/zero
			head -c 4096 "$WORK/header" | tail -c +513
			tail -c +4097 "$WORK/header" | tr -d '\0' |
				sed "s/\(\"encryption\":\"\)[^\"]*\(\",\"sector_size\)/\1$cipher\2/"
		} >"$WORK/new"
		truncate -s "$size" "$WORK/new"
		openssl dgst -sha256 -binary "$WORK/new" |
			dd of="$WORK/new" bs=1 seek=448 conv=notrunc status=none
		dd if="$WORK/new" of="$file" bs="$size" seek=$copy conv=notrunc status=none
	done
}

replace_cipher "$TWO" xchacha12,aes-adiantum-plain64
like "a disk with an outer layer of Adiantum" "$(cryptsetup luksDump "$TWO")" \
	"cipher: *xchacha12,aes-adiantum-plain64"
wrong 4 "The outer layer of .* can't be mapped.*adiantum.*$SAYS_FIPS" open "$TWO" "$MAP"
replace_cipher "$DISK" serpent-xts-plain64
wrong 1 "cipher .xts\(serpent\). .*$SAYS_FIPS" open "$DISK" "$MAP"
image NEW 40
wrong 4 "can't be mapped.*cipher .xts\(serpent\). .*$SAYS_FIPS" copy -q "$DISK" "$NEW"
wrong 1 "adiantum.*$SAYS_FIPS" open "$RAW" "$MAP" --type plain --cipher "$ADIANTUM" \
	--key-desc dmsse:fips-outer --key-size 256

done_testing
