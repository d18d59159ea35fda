# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Common part of the selftests about envelope keys. It is sourced after lib.sh.
#
# What ssesetup remembers is in empty directories in memory that belong to the
# script alone, over those of the machine. Keys of customers are made here: PEM
# files in $KEYS, and tokens of SoftHSM2, which are directories below
# $WORK/tokens.
#
#	pem NAME [BITS]		$KEYS/NAME.pem
#	pem_public NAME		$KEYS/NAME.pub.pem, the public half of it
#	need_hsm		SoftHSM2, with no token yet; skip_all if it is missing
#	hsm_token LABEL		a new token; its PIN is in $PINFILE
#	hsm_key LABEL OBJECT ID PEM	... gets the key that a PEM file has
#	hsm_uri LABEL OBJECT	the key's URI
#	need_shim		a module that fails as told, around SoftHSM2
#	shim_uri LABEL OBJECT	a key's URI by way of it
#	hidden_uri URI		without the parts that a message leaves out
#	image VAR MIB		a sparse file for a disk
#	json_ok TEXT		is it JSON?
#	key_lines MAPPING	the keys of an open disk, as /proc/keys shows them
#	token_of FILE [ID]	a LUKS2 token's JSON
#	field JSON NAME		the value of a text in it
#	state_is MAPPING WORD	the target's state
#	renew_at_once		"lease renew --all"
#	put MAPPING MIB SEED	writes what SEED makes of it
#	holds MAPPING MIB SEED	is it still there?

need_ssesetup
need_cmd openssl cryptsetup
need_module loop
load_module

KEYS=$WORK/keys
mkdir -m 700 "$KEYS"

for dir in /etc/dm-sse /var/lib/dm-sse /var/log/dm-sse /run/dm-sse; do
	mkdir -p "$dir"
	mount -t tmpfs -o mode=700 dm-sse-selftest "$dir" || skip_all "$dir can't be covered by a tmpfs"
	at_exit "umount $dir"
done
mkdir -p /run/cryptsetup

# Whatever happens: no mapping, and no key of one, stays.
close_all() {
	local name

	for name in $(dmsetup ls | awk '/^dmsse-|^dm-sse-peel-/ {print $1}'); do
		"$SSESETUP" close "$name" 2>/dev/null || dm_remove "$name"
	done
	while read -r name; do
		"$SSESETUP" key unlink "$name" 2>/dev/null
	done < <(awk '$8 == "logon" && $9 ~ /^dmsse:/ {sub(":$", "", $9); print $9}' /proc/keys)
	return 0
}
at_exit close_all

### Keys of customers

pem() {
	openssl genpkey -algorithm RSA -pkeyopt "rsa_keygen_bits:${2:-2048}" \
		-out "$KEYS/$1.pem" 2>/dev/null || bail "openssl makes no key"
	chmod 600 "$KEYS/$1.pem"
}

pem_public() {
	openssl pkey -in "$KEYS/$1.pem" -pubout -out "$KEYS/$1.pub.pem"
}

# Nothing that could be met by chance where secrets are looked for.
PIN=Selftest-PIN
PINFILE=$WORK/pin
HSM_MODULE=
SHIM=

need_hsm() {
	need_cmd softhsm2-util pkcs11-tool
	for HSM_MODULE in /usr/lib/softhsm/libsofthsm2.so /usr/lib/*/softhsm/libsofthsm2.so \
		/usr/lib64/pkcs11/libsofthsm2.so ''; do
		[ ! -e "$HSM_MODULE" ] || break
	done
	[ -n "$HSM_MODULE" ] || skip_all "no SoftHSM2"
	(umask 077 && echo "$PIN" >"$PINFILE" && mkdir -p "$WORK/tokens")
	printf 'directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n' \
		"$WORK/tokens" >"$WORK/softhsm2.conf"
	export SOFTHSM2_CONF=$WORK/softhsm2.conf
}

hsm_token() {
	softhsm2-util --init-token --free --label "$1" --pin "$PIN" --so-pin 24680 \
		>/dev/null || bail "no token"
}

hsm_key() {
	softhsm2-util --import "$4" --token "$1" --label "$2" --id "$3" --pin "$PIN" \
		>/dev/null || bail "no key in the token"
}

hsm_uri() {
	echo "pkcs11:token=$1;object=$2?module-path=$HSM_MODULE"
}

need_shim() {
	SHIM=$(tool pkcs11_shim.so) || skip_all "the module pkcs11_shim.so is not built"
	SHIM=$(readlink -f "$SHIM")
	mkdir -p "$WORK/shim"
	export SHIM_MODULE=$HSM_MODULE SHIM_CONTROL=$WORK/shim
}

shim_uri() {
	echo "pkcs11:token=$1;object=$2?module-path=$SHIM"
}

### Disks

image() {
	local -n _image=$1

	DES_IMAGES=$((DES_IMAGES + 1))
	_image=$WORK/image$DES_IMAGES
	truncate -s "${2}M" "$_image"
}
DES_IMAGES=0

# Enough of a proof where nothing but a shell is there: perl comes with Debian.
json_ok() {
	if command -v perl >/dev/null && perl -MJSON::PP -e 1 2>/dev/null; then
		perl -MJSON::PP -e 'local $/; decode_json(<STDIN>)' <<<"$1"
	else
		[[ $1 =~ ^[[:space:]]*[{[].*[]}][[:space:]]*$ ]]
	fi
}

key_lines() {
	awk -v name="dmsse:$1:" '$8 == "logon" && index($9, name) == 1' /proc/keys
}

token_of() {
	cryptsetup token export --token-id "${2:-0}" "$1"
}

field() {
	sed -n "s/.*\"$2\":\"\([^\"]*\)\".*/\1/p" <<<"$1"
}

state_is() {
	[ "$(dmsetup status "$1" | awk '{print $4}')" = "$2" ]
}

renew_at_once() {
	"$SSESETUP" lease renew --all </dev/null
}

pattern() {
	head -c $(($1 * 1024 * 1024)) /dev/zero |
		openssl enc -aes-128-ctr -K "$(key_hex 16 "$2")" -iv 00000000000000000000000000000000
}

put() {
	pattern "$2" "$3" | dd of="/dev/mapper/$1" bs=1M iflag=fullblock oflag=direct conv=notrunc,nocreat status=none
}

# What differs is named by blocks of 4096 bytes, not by a checksum.
holds() {
	local differs

	dd if="/dev/mapper/$1" bs=1M count="$2" iflag=direct of="$WORK/holds" status=none || return
	differs=$(pattern "$2" "$3" | cmp -l - "$WORK/holds" 2>&1 |
		awk '/EOF/ {print; next} {n[int(($1 - 1) / 4096)]++}
		     END {for (b in n) print "block", b ":", n[b], "bytes differ"}')
	rm -f "$WORK/holds"
	[ -z "$differs" ] || { head -n 20 <<<"$differs"; return 1; }
}
