#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Random pairs of layers against dm-crypt on dm-crypt, both ways: what the two
# stacked devices wrote, bytes and shapes by chance, the one device must read,
# and the other way round.
#
# argv: how many pairs, and a seed (0: by chance). The seed names the run: the
# n-th pair of a seed is always the same.

set -u
count=${1:-300}
seed=${2:-0}
[ "$seed" != 0 ] || seed=$((($(od -An -N4 -tu4 /dev/urandom) % 2147483646) + 1))
sectors=4096 # of the disk, of 512 bytes

# API names, and the sizes in bytes that their keys may have.
ciphers=(
	"xts(aes) 32 64"
	"xts(serpent) 32 64"
	"xts(twofish) 32 48 64"
	"xts(camellia) 32 48 64"
	"cbc(aes) 16 24 32"
	"cbc(serpent) 16 32"
	"cbc(twofish) 16 24 32"
	"cbc(camellia) 16 24 32"
	"adiantum(xchacha12,aes) 32"
	"adiantum(xchacha20,aes) 32"
	"cryptd(xts(ecb(aes-generic))) 32 64"
	"cryptd(xts(ecb(serpent-generic))) 32 64"
)
ivs=(plain plain64 plain64be essiv:sha256)

# A generator of our own: bash's RANDOM differs between its versions.
state=$seed
below()
{
	state=$(((state * 48271) % 2147483647))
	R=$((state % $1))
}

pick()
{
	below $#
	shift "$R"
	R=$1
}

# An offset at which something interesting may happen, a multiple of $1.
offset()
{
	local unit=$1 at

	pick 0 0 8 4294967296 4294967288 34359738360 1099511627776 4611686018427387904
	at=$R
	below 64
	R=$(((at + 8 * R) / unit * unit))
}

# Sets SPEC, KEY and ALG: a cipher, its IVs and a key of its own.
layer()
{
	local words iv

	below ${#ciphers[@]}
	read -ra words <<<"${ciphers[R]}"
	ALG=${words[0]}
	pick "${words[@]:1}"
	SIZE=$R
	pick "${ivs[@]}"
	iv=$R
	# essiv makes a key for the cipher out of the hash, of 32 bytes.
	case $ALG in
	cbc*) ;;
	*) [ "$iv" != essiv:sha256 ] || iv=plain64 ;;
	esac
	case $ALG in
	*cryptd*) [ "$iv" != essiv:sha256 ] || iv=plain64be ;;
	esac
	SPEC="capi:$ALG-$iv"
	head -c "$SIZE" /dev/urandom | keyctl padd logon "dmsse:pairs-$1" @s >/dev/null
	KEY=":$SIZE:logon:dmsse:pairs-$1"
}

# What a layer is, without its driver.
kind()
{
	case $1 in
	*xts\(*aes*) echo xts-aes ;;
	*xts\(*serpent*) echo xts-serpent ;;
	*) echo "$1" ;;
	esac
}

n=0
bad=0
disk=''
result()
{
	local good=ok

	n=$((n + 1))
	[ "$1" = 0 ] || { good="not ok"; bad=$((bad + 1)); }
	echo "$good $n - pairs: $2"
}

cleanup()
{
	dmsetup remove fused 2>/dev/null
	dmsetup remove inner 2>/dev/null
	dmsetup remove outer 2>/dev/null
	losetup -d "$disk" 2>/dev/null
	rmmod dm-sse 2>/dev/null
}
trap cleanup EXIT

# NAME DEVICE: writes FILE to DEVICE in pieces of many sizes, all of it.
scatter()
{
	local at=0 left size

	while [ "$at" -lt "$blocks" ]; do
		left=$((blocks - at))
		pick 1 5 8 17 31
		size=$((R < left ? R : left))
		dd if="$1" of="$2" bs=4096 skip="$at" seek="$at" count="$size" \
			oflag=direct conv=notrunc status=none || return 1
		at=$((at + size))
	done
}

same()
{
	dd if="$2" bs="$3" count=$((blocks * 4096 / $3)) iflag=direct status=none |
		cmp -s -n $((blocks * 4096)) - "$1"
}

stack_open()
{
	dmsetup create outer --table "0 $sectors crypt $OUTER $outer_offset $disk 0$crypt_opts" &&
		dmsetup create inner --table \
			"0 $payload crypt $INNER $inner_offset /dev/mapper/outer $header$crypt_opts"
}

stack_close()
{
	dmsetup remove inner && dmsetup remove outer
}

echo "TAP version 13"
echo "# seed $seed, $count pairs"
echo "1..$((count + 1))"
truncate -s $((sectors * 512)) "$DMSSE_TMP/disk"
modprobe loop && insmod "${DMSSE_MODULE:?}" || exit 1
disk=$(losetup --find --show "$DMSSE_TMP/disk") || exit 1

head -c 256k /dev/urandom >"$DMSSE_TMP/one"
head -c 256k /dev/urandom >"$DMSSE_TMP/two"

refused=0
for ((i = 0; i < count; i++)); do
	layer inner
	INNER="$SPEC $KEY" inner_alg=$ALG
	layer outer
	OUTER="$SPEC $KEY" same_opt=''
	# Equal ciphers are one in a few, not every time of chance.
	[ "$(kind "$inner_alg")" != "$(kind "$ALG")" ] || same_opt=allow_same_cipher
	pick 512 1024 2048 4096
	size=$R
	pick '' large
	large=$R
	offset $((size / 512))
	inner_offset=$R
	offset $((size / 512))
	outer_offset=$R
	below 20
	header=$((R * 8))
	payload=$((sectors - header))
	below 4
	blocks=$((16 * (R + 1)))

	words=()
	[ "$size" = 512 ] || words+=("sector_size:$size")
	[ "$size" = 512 ] || [ -z "$large" ] || words+=(iv_large_sectors)
	crypt_opts="${words[*]:+ ${#words[@]} ${words[*]}}"
	[ -z "$same_opt" ] || words+=("$same_opt")
	fused="outer $OUTER $((outer_offset + header))"
	pick '' no_read_workqueue same_cpu_crypt
	[ -z "$R" ] || words+=("$R")
	sse_opts="$((${#words[@]} + 4)) ${words[*]} $fused"

	why=
	stack_open && scatter "$DMSSE_TMP/one" /dev/mapper/inner && stack_close || why="no stack"
	# Without the option a pair of equals is refused.
	if [ -n "$same_opt" ] && dmsetup create fused --table \
		"0 $payload sse $INNER $inner_offset $disk $header ${sse_opts//$same_opt/allow_discards}" \
		2>/dev/null; then
		why="${why:-equal ciphers were taken}"
		dmsetup remove fused
	elif [ -n "$same_opt" ]; then
		refused=$((refused + 1))
	fi
	if dmsetup create fused --table \
		"0 $payload sse $INNER $inner_offset $disk $header $sse_opts" 2>"$DMSSE_TMP/err"; then
		pick 4096 16384 65536
		same "$DMSSE_TMP/one" /dev/mapper/fused "$R" || why="${why:-fused reads something else}"
		scatter "$DMSSE_TMP/two" /dev/mapper/fused || why="${why:-fused does not write}"
		dmsetup remove fused
		stack_open || why="${why:-no stack}"
		same "$DMSSE_TMP/two" /dev/mapper/inner 65536 ||
			why="${why:-the stack reads something else}"
		stack_close
	else
		why="${why:-fused is refused: $(dmesg -t | grep '^dm-sse: ' | tail -n 1)}"
	fi
	[ -z "$why" ]
	result $? "$((i + 1)): $SPEC on ${INNER%% *}, sectors of $size${large:+ large}, offsets $inner_offset $outer_offset, header $header${same_opt:+, equal}${why:+: $why}"
	dmsetup remove fused 2>/dev/null
	dmsetup remove inner 2>/dev/null
	dmsetup remove outer 2>/dev/null
done
[ "$count" -lt 100 ] || [ "$refused" -gt 0 ]
result $? "some pairs were of equal ciphers, and refused without the option"
[ "$bad" = 0 ]
