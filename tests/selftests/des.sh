#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Disks and their disk encryption sets: every command, right and wrong, with
# keys in PEM files and in tokens of SoftHSM2, on real mappings.

. "$(dirname "$0")/lib.sh"
. "$DMSSE_DIR/deslib.bash"
need_hsm

MAP=dmsse-des
export TMPDIR=$WORK/tmp
mkdir "$TMPDIR"
image DISK 16

for name in main small other; do
	pem "$name" "$([ "$name" = small ] && echo 1024 || echo 2048)"
done
pem_public main
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$KEYS/ec.pem" 2>/dev/null
cp "$KEYS/main.pem" "$KEYS/open.pem"
chmod 644 "$KEYS/open.pem"
head -c 1000 /dev/urandom | base64 >"$KEYS/junk.pem"
chmod 600 "$KEYS/junk.pem" "$KEYS/ec.pem"
mkdir "$KEYS/none"

# A machine that emulates takes its time.
create() {
	right "$1" des create "${@:2}" --kek-timeout 120
}

### Calls that are wrong whatever is there

CUSTOMER=(--type customer --key "file:$KEYS/main.pem")
LONG=$(printf '%064d' 0)
wrong 1 "Which of des create, " des
wrong 1 "Unknown command 'des crate'" des crate x
wrong 1 "requires NAME" des create
wrong 1 "Which --type: platform, customer or platform-and-customer" des create x
wrong 1 "Unknown type 'both'" des create x --type both
for name in .x a/b 'a b' ä "$LONG" ..; do
	wrong 1 "no name of a disk encryption set" des create "$name" --type platform
done
wrong 1 "no name of a disk encryption set" des create --type platform -- -x
wrong 1 "key: .*needs the URI" des create x --type customer
wrong 1 "key: .*needs the URI" des create x --type platform-and-customer
wrong 1 "key: .*no customer's key" des create x --type platform --key "file:$KEYS/main.pem"
wrong 1 "identity: .*no customer's key" des create x --type platform --identity file:/x
wrong 1 "wrapping: .*no customer's key" des create x --type platform --wrapping RSA-OAEP
wrong 1 "A key is platform:NAME, file:/path or pkcs11:" des create x --type customer --key "$KEYS/main.pem"
wrong 1 "needs an absolute path" des create x --type customer --key file:main.pem
wrong 1 "key: it is no customer's" des create x --type customer --key platform:x
wrong 1 "key: .*pin-value" des create x --type customer \
	--key "pkcs11:token=a;object=b?module-path=$HSM_MODULE&pin-value=$PIN"
unlike "... which isn't repeated" "$OUT" "pin-value=$PIN"
wrong 1 "key: " des create x --type customer --key 'pkcs11:nonsense'
wrong 1 "identity: .*absolute path" des create x "${CUSTOMER[@]}" --identity file:pin
wrong 1 "identity: .*file:/path, credential:NAME or keyring:" des create x "${CUSTOMER[@]}" --identity "$PIN"
unlike "... and a PIN given by mistake isn't repeated" "$OUT" "$PIN"
wrong 1 "identity: .*without '/'" des create x "${CUSTOMER[@]}" --identity credential:a/b
wrong 1 "wrapping" des create x "${CUSTOMER[@]}" --wrapping RSA1_5
wrong 1 "wrapped with AES-256-KW, but with RSA-OAEP" des create x "${CUSTOMER[@]}" --wrapping AES-256-KW
wrong 1 "auto-rotate takes no or yes, not 'perhaps'" des create x "${CUSTOMER[@]}" --auto-rotate=perhaps
wrong 1 "on-lapse takes error or queue, not 'panic'" des create x "${CUSTOMER[@]}" --on-lapse panic
for lease in 0 5x 366d 99999999999 -1 1.5h; do
	wrong 1 "lease takes a time from 1s to 365d" des create x "${CUSTOMER[@]}" --lease "$lease"
done
wrong 1 "lease: .*'none' is for type platform" des create x "${CUSTOMER[@]}" --lease none
wrong 1 "kek-timeout takes a number of seconds" des create x "${CUSTOMER[@]}" --kek-timeout 0
wrong 1 "kek-timeout takes a number of seconds" des create x "${CUSTOMER[@]}" --kek-timeout 601
wrong 1 "is not a number" des create x "${CUSTOMER[@]}" --kek-timeout 10s
wrong 1 "Option --header is not for 'des create'" des create x "${CUSTOMER[@]}" --header y
wrong 1 "What is to change" des update platform
wrong 1 "The set platform is always there" des delete platform
wrong 1 "takes nothing" des list x
wrong 1 "Which disk" lease renew
wrong 1 "due goes with --all" lease renew x --due
wrong 1 "requires DEVICE" format
wrong 1 "sector-size must be" format "$DISK" --sector-size 8192
wrong 1 "can't be the name" format "$DISK" --des ../x
wrong 1 "header-backup-file" header backup "$DISK"
wrong 1 "header-backup-file" header restore "$DISK"
wrong 1 "is for --type plain" open "$DISK" "$MAP" --cipher aes-xts-plain64
wrong 1 "is for --type plain" open "$DISK" "$MAP" --double --outer-key-desc a:b
wrong 1 "Device type 'tcrypt' is not known" open --type tcrypt "$DISK" "$MAP"

### Keys that can't be

wrong 2 "gone.pem" des create x --type customer --key "file:$KEYS/gone.pem"
wrong 2 "no key in it" des create x --type customer --key "file:$KEYS/none"
wrong 1 "1024" des create x --type customer --key "file:$KEYS/small.pem"
wrong 1 "RSA" des create x --type customer --key "file:$KEYS/ec.pem"
wrong 1 "no RSA key in PEM" des create x --type customer --key "file:$KEYS/junk.pem"
wrong 2 "Others may use the private key" des create x --type customer --key "file:$KEYS/open.pem"
wrong 2 "token nowhere isn't there" des create x --type customer --key "$(hsm_uri nowhere key)"
wrong 2 "can't be loaded" des create x --type customer --key "pkcs11:token=a;object=b?module-path=/dev/null"
is "no refusal left a set" "$(ls /etc/dm-sse/des 2>/dev/null)" ""

### Sets

create "create, of type customer" cust "${CUSTOMER[@]}" --owner "Tenant Ltd." --lease 90s
is "... its file is root's" "$(stat -c '%a %u' /etc/dm-sse/des/cust.conf)" "600 0"
like "... and can be read" "$(cat /etc/dm-sse/des/cust.conf)" "
type = customer
.*
owner = Tenant Ltd\.
.*
key = file:$KEYS/main.pem
.*
lease = 90s
"
wrong 5 "exists already" des create cust "${CUSTOMER[@]}"
create "create, of type platform" plat --type platform
create "... with a lease" plat-leased --type platform --lease 1h
create "create, of type platform-and-customer" both --type platform-and-customer \
	--key "file:$KEYS/other.pem"
right "a public half will do" des create pub --type customer --key "file:$KEYS/main.pub.pem"
like "... with a warning" "$OUT" "Only the public half.*not opened"

right "list" des list
for name in both cust plat plat-leased platform pub; do
	like "... has $name" "$OUT" "(^|
)$name "
done
right "list --json" des list --json
check "... is JSON" json_ok "$OUT"
right "show" des show cust
for ere in 'Tenant Ltd\.' customer "file:$KEYS/main.pem" 90s; do
	like "... says $ere" "$OUT" "$ere"
done
right "show --json" des show cust --json
check "... is JSON" json_ok "$OUT"
right "show platform, which has no file" des show platform
wrong 4 "nowhere" des show nowhere
wrong 4 "nowhere" des update nowhere --lease 1h
wrong 4 "nowhere" des delete nowhere
wrong 4 "nowhere" des enable nowhere
wrong 4 "nowhere" des disable nowhere
wrong 4 "nowhere" des where-used nowhere
wrong 4 "nowhere" format "$DISK" --des nowhere

right "update" des update cust --lease 2m --owner "Tenant & Sons" --on-lapse queue \
	--auto-rotate --kek-timeout 20
like "... is in the file" "$(cat /etc/dm-sse/des/cust.conf)" "Tenant & Sons.*auto-rotate = yes.*lease = 2m.*on-lapse = queue.*key-timeout = 20s"
right "update back" des update cust --on-lapse error --auto-rotate=no --owner "Tenant Ltd."
wrong 1 "Option --type is not for 'des update'" des update cust --type platform
sed -i 's/^type = customer/type = platform/' /etc/dm-sse/des/cust.conf
wrong 1 "des/cust.conf.*line [0-9]+: key: .*no customer's key" des show cust
sed -i 's/^type = platform$/type = customer/' /etc/dm-sse/des/cust.conf
wrong 1 "lease takes a time" des update cust --lease 0
wrong 2 "gone.pem" des update cust --key "file:$KEYS/gone.pem"
like "... changes nothing" "$(cat /etc/dm-sse/des/cust.conf)" "key = file:$KEYS/main.pem"

# A broken file names its line, and breaks only its own set.
echo "lease = forever" >>/etc/dm-sse/des/plat.conf
LINE=$(wc -l </etc/dm-sse/des/plat.conf)
wrong 1 "plat.conf.*line $LINE: lease is set in line [0-9]+ already" des show plat
sed -i '$d' /etc/dm-sse/des/plat.conf
echo "laese = 1h" >>/etc/dm-sse/des/plat.conf
wrong 1 "line $LINE: unknown key 'laese': is 'lease' meant" des show plat
wrong 1 "line $LINE: unknown key" format -q "$DISK" --des plat
sse des list
like "list names the broken one" "$OUT" "line $LINE: unknown key 'laese'"
like "... and the others" "$OUT" "both .*cust "
right "others work" des show cust
sed -i '$d' /etc/dm-sse/des/plat.conf
chmod 666 /etc/dm-sse/des/plat.conf
wrong 2 "plat.conf" des show plat
chmod 600 /etc/dm-sse/des/plat.conf

### One layer: format, open, status, close

wrong 1 "overwrite data.*--batch-mode" format "$DISK"
wrong 4 "absent" format -q "$WORK/absent"
truncate -s 1M "$WORK/tiny"
wrong 4 "1024 KiB, but the header alone takes 2048 KiB" format -q "$WORK/tiny"
wrong 4 "UUID" format -q "$DISK" --uuid 12345
wrong 1 "of type customer, with one layer" format -q "$DISK" --des cust --double
wrong 4 "is not a valid LUKS2 device.*ssesetup format" open "$DISK" "$MAP"
right "format under the platform's key" format -q "$DISK" \
	--uuid 6d0c2b4e-0f54-4d0c-9d35-1b2f64a2c0de --label des-test
right "dump" dump "$DISK"
for ere in "UUID: +.*6d0c2b4e-0f54" "Label: +.*des-test" "cipher: aes-xts-plain64" \
	"sector: 4096" "Tokens of dm-sse:" "single layer, keyslot 0" "Set: +platform " \
	"Key: +platform:" "AES-256-KW"; do
	like "... says $ere" "$OUT" "$ere"
done
check "it is LUKS2 to cryptsetup" cryptsetup isLuks --type luks2 "$DISK"
is "... with a keyslot of the least PBKDF" \
	"$(cryptsetup luksDump "$DISK" | awk '/PBKDF:/ {p = $2} /Iterations:/ {print p, $2; exit}')" "pbkdf2 1000"
right "open" open "$DISK" "$MAP"
like "... maps what the header says" "$(dmsetup table "$MAP")" \
	"^0 28672 sse aes-xts-plain64 :64:logon:dmsse:$MAP:inner 0 [0-9:]+ 4096 .*sector_size:4096"
like "... watched by the kernel" "$(dmsetup table "$MAP")" " key_lease error"
like "... UUID" "$(dmsetup info -c --noheadings -o uuid "$MAP")" \
	"^DMSSE-LUKS2-6d0c2b4e0f544d0c9d351b2f64a2c0de-$MAP\$"
like "the platform's keys don't expire" "$(key_lines "$MAP")" " perm "
put "$MAP" 4 one
right "status" status "$MAP"
for ere in "type: +LUKS2" "cipher: +aes-xts-plain64" "key description: logon:dmsse:$MAP:inner" \
	"state: +active" "platform"; do
	like "... says $ere" "$OUT" "$ere"
done
wrong 5 "already exists" open "$DISK" "$MAP"
wrong 5 "in use|already behind" open "$DISK" "$MAP-2"
wrong 5 "in use|already behind" format -q "$DISK"
right "lease renew of one" lease renew "$MAP"
right "lease renew --all" lease renew --all
right "lease renew --all --due" lease renew --all --due
wrong 4 "not an open disk of a disk encryption set" lease renew "$MAP-2"
right "where-used" des where-used platform
like "... names the disk" "$OUT" "$DISK"
like "... and the mapping" "$OUT" "$MAP"
right "where-used --json" des where-used platform --json
check "... is JSON" json_ok "$OUT"
right "close" close "$MAP"
is "... no key stays" "$(key_lines "$MAP")" ""
wrong 4 "not active" close "$MAP"
# As if it had been killed before it gave the mapping its table.
dmsetup create "$MAP" --notable --uuid "DMSSE-LUKS2-6d0c2b4e0f544d0c9d351b2f64a2c0de-$MAP"
wrong 5 "has no table: .*ssesetup close $MAP" open "$DISK" "$MAP"
wrong 4 "has no table: .*ssesetup close $MAP" status "$MAP"
wrong 4 "has no table" close --cancel-deferred "$MAP"
# It may still be about to; whoever is holds this lock.
(
	flock -s 9
	: >"$WORK/making"
	sleep 2
	dmsetup load "$MAP" --table "0 8 error"
	dmsetup resume "$MAP"
) 9</dev/mapper &
wait_for 20 test -e "$WORK/making"
wrong 4 "not a mapping of target sse" close "$MAP"
wait $!
dmsetup remove "$MAP"
dmsetup create "$MAP" --notable --uuid "DMSSE-LUKS2-6d0c2b4e0f544d0c9d351b2f64a2c0de-$MAP"
right "close removes what an open that was cut off has left" close "$MAP"
wrong 4 "not active" close "$MAP"
# An open says that it is, too.
(
	flock -x 9
	: >"$WORK/looking"
	wait_for 20 test -e "$WORK/enough"
) 9</dev/mapper &
LOOKS=$!
wait_for 20 test -e "$WORK/looking"
timeout 3 "$SSESETUP" open "$DISK" "$MAP"
is "an open waits while one looks for such" "$?" 124
is "... and has made nothing" "$(dmsetup info "$MAP" 2>&1 | grep -c '^Name:')" 0
: >"$WORK/enough"
wait $LOOKS
right "open again" open "$DISK" "$MAP"
check "... the data are there" holds "$MAP" 4 one
right "suspend" suspend "$MAP"
like "... wipes the key" "$(dmsetup status "$MAP")" " no-key "
right "resume" resume "$MAP"
check "... the data are there" holds "$MAP" 4 one
right "close" close "$MAP"
right "open --readonly" open --readonly "$DISK" "$MAP"
is "... is read-only" "$(blockdev --getro "/dev/mapper/$MAP")" 1
right "close" close "$MAP"
right "open with options of the target" open --allow-discards --perf-no_read_workqueue \
	--device-size 1M "$DISK" "$MAP"
like "... has them" "$(dmsetup table "$MAP")" "^0 2048 .* allow_discards .*no_read_workqueue"
right "close" close "$MAP"
# An open disk that isn't in the register could be neither renewed nor revoked.
mount -t tmpfs -o ro dm-sse-selftest /var/lib/dm-sse/disks
wrong 4 "Read-only file system" open "$DISK" "$MAP"
is "... is not mapped" "$(dmsetup info -c --noheadings -o name "$MAP" 2>/dev/null)" ""
is "... no key stays" "$(key_lines "$MAP")" ""
umount /var/lib/dm-sse/disks
right "open once it can be" open "$DISK" "$MAP"
right "close" close "$MAP"

### Block devices, sizes of sectors, sizes of keys

make_disk BLOCK 8
right "format of a block device, 512-byte sectors" format -q "$BLOCK" --des cust --sector-size 512
right "open" open "$BLOCK" "$MAP"
unlike "... is mapped so" "$(dmsetup table "$MAP")" "sector_size"
like "a customer's keys expire with the lease" "$(key_lines "$MAP")" " ([0-9]+s|[12]m) "
like "... which the target knows" "$(word "$MAP" lease_seconds)" "^1?[0-9]{1,2}$"
right "status" status "$MAP"
like "... says whose" "$OUT" "cust"
right "close" close "$MAP"
for bits in 3072 4096; do
	pem "big$bits" "$bits"
	create "a key of $bits bits" "big$bits" --type customer --key "file:$KEYS/big$bits.pem"
	right "... formats" format -q "$BLOCK" --des "big$bits"
	like "... wraps" "$(token_of "$BLOCK")" '"wrapping":"RSA-OAEP-256"'
	is "... to as much" "$(field "$(token_of "$BLOCK")" wrapped | base64 -d | wc -c)" $((bits / 8))
	right "... opens" open "$BLOCK" "$MAP"
	right "close" close "$MAP"
done
wrong 1 "Only the public half of version main .*--wrapping RSA-OAEP-256" format -q "$BLOCK" --des pub
right "what its holder can do" des update pub --wrapping RSA-OAEP-256
right "format with the public half" format -q "$BLOCK" --des pub
like "... with a warning" "$OUT" "isn't proved"
wrong 2 "public half only" open "$BLOCK" "$MAP"
# The private half comes back: the same key.
cp "$KEYS/main.pem" "$KEYS/main.pub.pem"
chmod 600 "$KEYS/main.pub.pem"
right "... opens with the private one" open "$BLOCK" "$MAP"
right "close" close "$MAP"

### Encrypted PEM, tokens

PASSFILE=$WORK/pass
(umask 077 && echo "correct horse" >"$PASSFILE")
openssl pkcs8 -topk8 -in "$KEYS/main.pem" -v2 aes256 -iter 2048 -passout "file:$PASSFILE" \
	-out "$KEYS/sealed.pem"
chmod 600 "$KEYS/sealed.pem"
wrong 2 "no identity for file:.*set 'identity'" des create seal --type customer --key "file:$KEYS/sealed.pem"
echo wrong >"$WORK/wrong"
chmod 600 "$WORK/wrong"
wrong 2 "can't be decrypted with the passphrase from" des create seal --type customer \
	--key "file:$KEYS/sealed.pem" --identity "file:$WORK/wrong"
chmod 644 "$WORK/wrong"
wrong 2 "others may use" des create seal --type customer \
	--key "file:$KEYS/sealed.pem" --identity "file:$WORK/wrong"
create "an encrypted PEM" seal --type customer --key "file:$KEYS/sealed.pem" --identity "file:$PASSFILE"
right "... formats" format -q "$BLOCK" --des seal
right "... opens" open "$BLOCK" "$MAP"
right "close" close "$MAP"
"$SSESETUP" key load user:dmsse-selftest:pass --keyring @s -d "$PASSFILE" 2>/dev/null >&2
right "the passphrase in a keyring" des update seal --identity keyring:dmsse-selftest:pass
right "... opens" open "$BLOCK" "$MAP"
right "close" close "$MAP"
keyctl purge user dmsse-selftest:pass >/dev/null
wrong 2 "no key 'dmsse-selftest:pass' of type user" open "$BLOCK" "$MAP"
mkdir "$WORK/credentials"
cp "$PASSFILE" "$WORK/credentials/tenant"
AS=(env "CREDENTIALS_DIRECTORY=$WORK/credentials")
right "the passphrase as a credential of a service" des update seal --identity credential:tenant
right "... opens" open "$BLOCK" "$MAP"
AS=()
right "close" close "$MAP"
wrong 2 "credential tenant is only there in a systemd service" open "$BLOCK" "$MAP"

hsm_token tenant
hsm_key tenant disks 01 "$KEYS/main.pem"
wrong 2 "" des create hsm --type customer --key "$(hsm_uri tenant nothing)" --identity "file:$PINFILE"
right "without a PIN" des create hsm-public --type customer --key "$(hsm_uri tenant disks)" \
	--wrapping RSA-OAEP
like "... there is only the public half" "$OUT" "Only the public half.*not opened"
right "... which formats" format -q "$BLOCK" --des hsm-public
wrong 2 "no identity for pkcs11:" open "$BLOCK" "$MAP"
right "... until there is a PIN" des update hsm-public --identity "file:$PINFILE"
right "... opens" open "$BLOCK" "$MAP"
right "close" close "$MAP"
create "a token of SoftHSM2" hsm --type customer --key "$(hsm_uri tenant disks)" \
	--identity "file:$PINFILE" --lease 1h
right "... formats" format -q "$BLOCK" --des hsm
like "... with what it can do" "$(token_of "$BLOCK")" '"wrapping":"RSA-OAEP"'
right "... opens" open "$BLOCK" "$MAP"
put "$MAP" 2 hsm
right "... renews" lease renew "$MAP"
right "close" close "$MAP"
right "a wrapping that SoftHSM2 can't do" des update hsm --wrapping RSA-OAEP-256
wrong 2 "can't unwrap RSA-OAEP-256" format -q "$BLOCK" --des hsm
right "... is taken back" des update hsm --wrapping none

### Two layers

image TWO 24
truncate -s 3M "$WORK/tiny"
wrong 4 "3072 KiB, but the headers alone take 4096 KiB" format -q "$WORK/tiny" --des both
wrong 1 "pair" format -q "$TWO" --des both --double=rot13
right "format of a set with two keys" format -q "$TWO" --des both
right "dump" dump "$TWO"
for ere in "Outer header:" "Inner header:" "outer layer, keyslot" "inner layer, keyslot" \
	"adiantum" "aes-xts-plain64"; do
	like "... says $ere" "$OUT" "$ere"
done
right "open" open "$TWO" "$MAP"
TABLE=$(dmsetup table "$MAP")
like "... as one mapping" "$TABLE" "^0 40960 sse aes-xts-plain64 :64:logon:dmsse:$MAP:inner 0 [0-9:]+ 8192 "
like "... of two layers" "$TABLE" " outer [^ ]*adiantum[^ ]* :32:logon:dmsse:$MAP:outer 4096"
is "... alone" "$(dmsetup ls | grep -c '^dm-sse-peel')" 0
is "... with two keys" "$(key_lines "$MAP" | wc -l)" 2
put "$MAP" 4 two
right "renew" lease renew "$MAP"
right "close" close "$MAP"
is "... no key stays" "$(key_lines "$MAP")" ""
right "open again" open "$TWO" "$MAP"
check "... the data are there" holds "$MAP" 4 two
right "close" close "$MAP"
# The customer's key is all that is missing.
mv "$KEYS/other.pem" "$KEYS/away.pem"
wrong 2 "other.pem" open "$TWO" "$MAP"
sse dump "$TWO"
like "dump without it" "$RC $OUT" "^0 .*Outer header:.*Inner header:"
mv "$KEYS/away.pem" "$KEYS/other.pem"
right "... back" open "$TWO" "$MAP"
right "close" close "$MAP"
right "format --double under the platform's key" format -q "$TWO" --double
right "open" open "$TWO" "$MAP"
right "close" close "$MAP"
right "format --double=fips" format -q "$TWO" --double=fips
right "open" open "$TWO" "$MAP"
like "... two modes of AES" "$(dmsetup table "$MAP")" "aes-xts-plain64 .* outer aes-cbc-essiv:sha256 "
right "close" close "$MAP"

### Detached headers

truncate -s 8M "$WORK/bare" "$WORK/bare2"
right "format with a detached header" format -q "$WORK/bare" --des cust --header "$WORK/bare.hdr"
wrong 4 "is not a valid LUKS2 device" open "$WORK/bare" "$MAP"
right "open" open "$WORK/bare" "$MAP" --header "$WORK/bare.hdr"
is "... keeps the disk's size" "$(sectors "/dev/mapper/$MAP")" 16384
put "$MAP" 8 bare
right "renew" lease renew "$MAP"
right "close" close "$MAP"
right "dump" dump "$WORK/bare" --header "$WORK/bare.hdr"
right "format of two layers with detached headers" format -q "$WORK/bare2" --des both \
	--header "$WORK/bare2.hdr"
check "... are two files" test -s "$WORK/bare2.hdr.inner"
wrong 1 "inner header of a disk with two layers: give its outer one" \
	open "$WORK/bare2" "$MAP" --header "$WORK/bare2.hdr.inner"
right "open" open "$WORK/bare2" "$MAP" --header "$WORK/bare2.hdr"
is "... keeps the disk's size" "$(sectors "/dev/mapper/$MAP")" 16384
put "$MAP" 8 bare2
right "renew" lease renew "$MAP"
right "close" close "$MAP"
right "dump" dump "$WORK/bare2" --header "$WORK/bare2.hdr"
like "... of both" "$OUT" "Outer header:.*Inner header:"
right "where-used names headers" des where-used both
like "... too" "$OUT" "bare2.hdr"

### Backup, restore, repair

right "format" format -q "$DISK" --des cust
right "open" open "$DISK" "$MAP"
put "$MAP" 2 saved
right "close" close "$MAP"
right "header backup" header backup "$DISK" --header-backup-file "$WORK/saved"
is "... is root's" "$(stat -c %a "$WORK/saved")" 600
wrong 5 "exists already" header backup "$DISK" --header-backup-file "$WORK/saved"
wrong 4 "not" header backup "$WORK/bare" --header-backup-file "$WORK/x"
dd if=/dev/urandom of="$DISK" bs=1M count=1 conv=notrunc status=none
wrong 4 "not a valid LUKS2 device" open "$DISK" "$MAP"
wrong 4 "" repair -q "$DISK"
wrong 4 "no backup" header restore -q "$DISK" --header-backup-file "$WORK/absent"
right "header restore" header restore -q "$DISK" --header-backup-file "$WORK/saved"
right "open" open "$DISK" "$MAP"
check "... the data are there" holds "$MAP" 2 saved
wrong 5 "closed" header restore -q "$DISK" --header-backup-file "$WORK/saved"
right "close" close "$MAP"
wrong 4 "another disk" header restore -q "$BLOCK" --header-backup-file "$WORK/saved"
dd if=/dev/zero of="$DISK" bs=4096 count=1 conv=notrunc status=none
right "repair of the first copy" repair -q "$DISK"
like "... says so" "$OUT" "equal again"
right "... once" repair -q "$DISK"
like "... then nothing" "$OUT" "nothing to repair"
dd if=/dev/urandom of="$DISK" bs=4096 seek=4 count=1 conv=notrunc status=none
right "repair of the second copy" repair -q "$DISK"
right "open" open "$DISK" "$MAP"
check "... the data are there" holds "$MAP" 2 saved
right "close" close "$MAP"
right "backup of two layers" header backup "$WORK/bare2" --header "$WORK/bare2.hdr" \
	--header-backup-file "$WORK/saved2"
check "... are two files" test -s "$WORK/saved2.inner"
rm "$WORK/bare2.hdr" "$WORK/bare2.hdr.inner"
right "... restores" header restore -q "$WORK/bare2" --header "$WORK/bare2.hdr" \
	--header-backup-file "$WORK/saved2"
right "... opens" open "$WORK/bare2" "$MAP" --header "$WORK/bare2.hdr"
check "... the data are there" holds "$MAP" 8 bare2
right "close" close "$MAP"

### Moving disks: assign, copy

create "another key" cust2 --type customer --key "file:$KEYS/other.pem"
right "format under the platform's key" format -q "$DISK"
right "open" open "$DISK" "$MAP"
put "$MAP" 2 moved
right "assign to a customer's set, in use" assign "$DISK" --des cust
right "close" close "$MAP"
like "... has a token of it" "$(token_of "$DISK" "$(
	cryptsetup luksDump "$DISK" | sed -n 's/^ *\([0-9]*\): dm-sse$/\1/p' | head -n 1)")" '"des":"cust"'
right "open" open "$DISK" "$MAP"
check "... the data are there" holds "$MAP" 2 moved
right "close" close "$MAP"
right "assign to another customer's" assign "$DISK" --des cust2
right "open" open "$DISK" "$MAP"
check "... the data are there" holds "$MAP" 2 moved
right "close" close "$MAP"
wrong 1 "ssesetup copy" assign "$DISK" --des platform
wrong 1 "ssesetup copy" assign "$DISK" --des plat-leased
right "... it opens still" open "$DISK" "$MAP"
right "close" close "$MAP"
wrong 1 "layer" assign "$DISK" --des both
wrong 4 "nowhere" assign "$DISK" --des nowhere
image COPY 16
right "copy to the platform's key" copy "$DISK" "$COPY" --des platform -q
right "open" open "$COPY" "$MAP"
check "... the data are there" holds "$MAP" 2 moved
right "close" close "$MAP"
wrong 1 "same" copy "$DISK" "$DISK" --des platform -q

### Using, deleting, switching sets

wrong 5 "is used by" des delete cust2 -q
like "... and names the disk" "$OUT" "$DISK"
right "where-used" des where-used cust2
like "... too" "$OUT" "$DISK"
right "forget" des forget cust2 "$DISK" -q
right "delete" des delete cust2 -q
wrong 4 "cust2" des show cust2
wrong 2 "belongs to disk encryption set cust2.*no identity" open "$DISK" "$MAP"
wrong 4 "" des forget cust "$WORK/absent" -q

right "format" format -q "$DISK" --des cust
right "open" open "$DISK" "$MAP"
right "disable" des disable cust -q
wrong 2 "cust is disabled: 'ssesetup des enable cust'" open "$WORK/bare" "$MAP-2" --header "$WORK/bare.hdr"
wrong 2 "cust is disabled" format -q "$BLOCK" --des cust
wrong 2 "cust is disabled" lease renew "$MAP"
check "... what is open stays until the lease ends" state_is "$MAP" active
right "show" des show cust
like "... says it" "$OUT" "[Ee]nabled: +no|disabled"
right "disable --now" des disable cust --now -q
check "... takes it away" wait_for 60 state_is "$MAP" lapsed
refute "... no data pass" dd if="/dev/mapper/$MAP" of=/dev/null bs=4k count=1 iflag=direct status=none
right "status" status "$MAP"
like "... tells why" "$OUT" "state: +lapsed.*lapse reason: revoked"
right "enable" des enable cust
check "... brings it back" wait_for 60 state_is "$MAP" active
check "... data pass" dd if="/dev/mapper/$MAP" of=/dev/null bs=4k count=1 iflag=direct status=none
right "disable --now" des disable cust --now -q
check "a disk that has lapsed" wait_for 60 state_is "$MAP" lapsed
right "... can be closed" close "$MAP"
is "... no key stays" "$(key_lines "$MAP")" ""
right "enable" des enable cust
right "rotate to the version that is there" des rotate cust

### Secrets are seen nowhere

image SECRET 16
right "format with a recovery key" format -q "$SECRET" --des hsm --recovery-key
RECOVERY=$(sed -n 's/^Recovery key: //p' <<<"$OUT")
like "... which has 256 bits" "$RECOVERY" '^([cbdefghijklnrtuv]{8}-){7}[cbdefghijklnrtuv]{8}$'
printf %s "$RECOVERY" >"$WORK/recovery"
cryptsetup luksDump --dump-volume-key -q --key-file "$WORK/recovery" \
	--volume-key-file "$WORK/volume-key" "$SECRET" >/dev/null
is "its volume key" "$(wc -c <"$WORK/volume-key")" 64
od -An -v -tx1 "$WORK/volume-key" | tr -d ' \n' >"$WORK/volume-hex"
HALF=$(head -c 64 "$WORK/volume-hex")
right "open, with all the chatter there is" --debug open "$SECRET" "$MAP"
CHATTER=$OUT
sse --debug lease renew "$MAP"
CHATTER+=$OUT

# As raw bytes and as hex; of the whole, the first 16 bytes will do.
finds_secret() {
	local hex pin=$1

	hex=$(od -An -v -tx1 | tr -d ' \n')
	[[ $hex == *${HALF:0:32}* ||
		$hex == *$(printf %s "${HALF:0:32}" | od -An -v -tx1 | tr -d ' \n')* ||
		$hex == *$(printf %s "$RECOVERY" | od -An -v -tx1 | tr -d ' \n')* ||
		(-n $pin && $hex == *$(printf %s "$pin" | od -An -v -tx1 | tr -d ' \n')*) ]]
}
check "the search finds them where they are" finds_secret "" <"$WORK/volume-key"
check "... and in hex" finds_secret "" <"$WORK/volume-hex"
shows_secret() {
	"$@" 2>/dev/null | finds_secret ""
}
refute "not in the chatter" finds_secret "" <<<"$CHATTER"
refute "not in the table" shows_secret dmsetup table --showkeys "$MAP"
refute "not in the status" shows_secret dmsetup status "$MAP"
refute "not in command lines" shows_secret cat /proc/[0-9]*/cmdline
refute "not in environments" shows_secret cat /proc/[0-9]*/environ
refute "not in the kernel log" shows_secret dmesg
refute "not in the audit" finds_secret "$PIN" </var/log/dm-sse/audit.jsonl
refute "not in what ssesetup remembers" shows_secret find /etc/dm-sse /var/lib/dm-sse /run/dm-sse -type f -exec cat {} +
refute "not in the token" shows_secret token_of "$SECRET"
is "nor does a temporary file stay" "$(ls -A "$TMPDIR")" ""
is "reading the key back is refused" "$(keyctl read "$(key_lines "$MAP" | awk '{print "0x" $1}')" 2>&1 >/dev/null | grep -c .)" 1
right "close" close "$MAP"
OUT=$("$SSESETUP" open "$SECRET" "$MAP" --key-file "$WORK/recovery" 2>&1)
is "the recovery key opens it" "$?" 0
right "close" close "$MAP"
is "a wrong one doesn't" "$(head -c 20 "$WORK/recovery" >"$WORK/part"
	"$SSESETUP" open "$SECRET" "$MAP" --key-file "$WORK/part" 2>/dev/null; echo $?)" 2

is "in the end the keyring is empty" "$(grep -c 'logon *dmsse:' /proc/keys)" 0

done_testing
