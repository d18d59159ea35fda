# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# How tests/vm/hygiene gets to know secrets: from the images of disks and the files of
# keys, with nothing but cryptsetup, openssl and jq.
#
# Its caller sets work: a directory, and secrets: a file for keysearch.
# shellcheck disable=SC2154

hex()
{
	od -An -v -tx1 "$@" | tr -d ' \n'
}

binary()
{
	# shellcheck disable=SC2059
	printf "$(sed 's/../\\x&/g')"
}

# secret NAME KIND HEX: one that isn't known yet gets a number behind its name.
secret()
{
	local name=$1 n

	! grep -q " $2 $3\$" "$secrets" || return 0
	n=$(grep -c "^${name}[0-9]* " "$secrets")
	[ "$n" = 0 ] || name+=$((n + 1))
	echo "$name $2 $3" >> "$secrets"
}

# forget PREFIX
forget()
{
	sed -i "/^$1/d" "$secrets"
}

# The private numbers of an RSA key.
secret_rsa()
{
	local name=$1 field hex
	local -A fields=([privateExponent]=d [prime1]=p [prime2]=q [exponent1]=dp
		[exponent2]=dq [coefficient]=qinv)

	while read -r field hex; do
		hex=${hex//:/}
		[ -z "${fields[$field]:-}" ] ||
			secret "$name-${fields[$field]}" number "${hex#00}"
	done < <(openssl rsa -in "$2" -noout -text 2> /dev/null |
		awk '/^[a-zA-Z]/ { if (name) print name, hex; name = $1; sub(/:$/, "", name); hex = "" }
		     /^ / { hex = hex $1 } END { print name, hex }')
}

# unwrap WRAPPING URI VERSION < WRAPPED > PLAIN
unwrap()
{
	local digest=sha256 set=${2#platform:}

	case $1 in
	AES-256-KW)
		openssl enc -d -id-aes256-wrap -iv A6A6A6A6A6A6A6A6 \
			-K "$(hex "$work/keks/$set.$3")"
		;;
	*)
		[ "$1" = RSA-OAEP-256 ] || digest=sha1
		openssl pkeyutl -decrypt -inkey "$work/$([[ $2 = file:* ]] && echo vendor || echo tenant).pem" \
			-pkeyopt rsa_padding_mode:oaep -pkeyopt "rsa_oaep_md:$digest" \
			-pkeyopt "rsa_mgf1_md:$digest"
		;;
	esac
}

# With what a slot's secret opens it: what encrypts the keyslot, and what it holds.
secret_slot()
{
	local name=$1 image=$2 slot=$3 file=$4 json=$5 kind=$6 salt iterations

	read -r salt iterations < <(jq -r ".keyslots[\"$slot\"].kdf | .salt + \" \" + (.iterations | tostring)" "$json")
	secret "$name-slot-key" xts "$(openssl kdf -binary -keylen 64 -kdfopt digest:SHA256 \
		-kdfopt "hexpass:$(hex "$file")" \
		-kdfopt "hexsalt:$(base64 -d <<< "$salt" | hex)" -kdfopt "iter:$iterations" PBKDF2 | hex)"
	rm -f "$work/dek"
	cryptsetup luksDump -q --dump-volume-key --volume-key-file "$work/dek" --key-file "$file" \
		"$image" > /dev/null || return 1
	secret "$name-dek" "$kind" "$(hex "$work/dek")"
}

# learn NAME IMAGE [KIND]: all of a disk that a key known here opens
learn()
{
	local name=$1 image=$2 kind=${3:-xts} json=$work/json slot wrapping uri version wrapped

	cryptsetup luksDump --dump-json-metadata "$image" > "$json" || return 1
	while IFS=$'\t' read -r slot wrapping uri version wrapped; do
		base64 -d <<< "$wrapped" | unwrap "$wrapping" "$uri" "$version" |
			head -c 32 > "$work/slot"
		[ "$(stat -c %s "$work/slot")" = 32 ] || return 1
		secret "$name-slot-secret" bytes "$(hex "$work/slot")"
		secret_slot "$name" "$image" "$slot" "$work/slot" "$json" "$kind" || return 1
	done < <(jq -r '.tokens[] | select(.type == "dm-sse" and (.keyslots | length) > 0) |
		[.keyslots[0], .wrapping, .kek.uri, .kek.version, .wrapped] | @tsv' "$json")
}

# A file of the guest's file system of state, as it is on the disk.
from_state()
{
	rm -f "$2"
	debugfs -R "dump $1 $2" "$work/state.img" 2> /dev/null
	[ -s "$2" ]
}

# The platform's keys that are there by now.
learn_keks()
{
	local set file

	for set in platform platform-and-customer; do
		for file in $(debugfs -R "ls -p /lib/platform/$set" "$work/state.img" 2> /dev/null |
			awk -F / '$6 ~ /^[0-9]+\.(key|cred)$/ { print $6 }'); do
			[ ! -e "$work/keks/$set.${file%.*}" ] || continue
			from_state "/lib/platform/$set/$file" "$work/kek" || return 1
			if [[ $file = *.cred ]]; then
				from_state /systemd/credential.secret "$work/credential.secret"
				# It is taken with no other permissions.
				chmod 400 "$work/credential.secret"
				SYSTEMD_CREDENTIAL_SECRET=$work/credential.secret systemd-creds decrypt \
					--name="dm-sse.platform.$set.${file%.*}" "$work/kek" - \
					> "$work/keks/$set.${file%.*}" || return 1
			else
				mv "$work/kek" "$work/keks/$set.${file%.*}"
			fi
			secret platform-kek aes "$(hex "$work/keks/$set.${file%.*}")"
		done
	done
}

learn_all()
{
	learn_keks &&
	learn platform "$work/platform.img" &&
	learn customer "$work/customer.img" &&
	learn vendor "$work/vendor.img" &&
	from_state /lib/double.header "$work/double.header" &&
	from_state /lib/double.header.inner "$work/double.header.inner" &&
	learn double-outer "$work/double.header" adiantum &&
	learn double-inner "$work/double.header.inner"
}
