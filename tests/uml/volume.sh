#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Thousands of bios of every shape through an sse device, against a model of
# what it must hold, and against dm-crypt with the same key, which gets the
# same data in plain bios: what lies below both has to be the same.
#
# argv: bios for each configuration, and a seed (0: by chance).

set -u
count=${1:-300}
seed=${2:-0}
size=24576 # sectors

# name, key bytes, iv_offset, start, cipher, options
configs=(
	"xts-512 64 0 0 aes-xts-plain64"
	"xts-4096 64 8 8 aes-xts-plain64 1 sector_size:4096"
	"xts-2048-large 64 4 16 aes-xts-plain64 2 sector_size:2048 iv_large_sectors"
	"cbc-essiv 32 3 1 aes-cbc-essiv:sha256"
	"cryptd 64 0 0 capi:cryptd(xts(ecb(aes-generic)))-plain64 1 sector_size:4096"
	"no-queues 64 0 0 aes-xts-plain64 3 no_read_workqueue no_write_workqueue sector_size:4096"
)

# The twin's options: those that bytes depend on. Without its write queue
# dm-crypt submits bios from where the cipher completes, which for an
# asynchronous one is a place that may not sleep.
twin_options()
{
	local word
	local -a kept=()

	for word; do
		case $word in
		sector_size:* | iv_large_sectors) kept+=("$word") ;;
		esac
	done
	[ ${#kept[@]} -eq 0 ] || echo "${#kept[@]} ${kept[*]}"
}

n=0
bad=0
disk0='' disk1=''
result()
{
	local good=ok

	n=$((n + 1))
	[ "$1" = 0 ] || { good="not ok"; bad=$((bad + 1)); }
	echo "$good $n - volume: $2"
}

cleanup()
{
	rmmod sse_biogen 2>/dev/null
	dmsetup remove sse 2>/dev/null
	dmsetup remove crypt 2>/dev/null
	losetup -d "$disk0" "$disk1" 2>/dev/null
	rmmod dm-sse 2>/dev/null
}
trap cleanup EXIT

echo "TAP version 13"
echo "1..$((3 * ${#configs[@]}))"
# Loop devices: the RAM disk takes no bvec that isn't whole sectors.
truncate -s 16M "$DMSSE_TMP/disk0" "$DMSSE_TMP/disk1"
modprobe loop && insmod "${DMSSE_MODULE:?}" || exit 1
disk0=$(losetup --find --show "$DMSSE_TMP/disk0") || exit 1
disk1=$(losetup --find --show "$DMSSE_TMP/disk1") || exit 1
head -c 64 /dev/urandom >"$DMSSE_TMP/key"

for config in "${configs[@]}"; do
	read -r name bytes iv_offset start cipher options <<<"$config"
	head -c "$bytes" "$DMSSE_TMP/key" | keyctl padd logon "dmsse:$name" @s >/dev/null
	key=":$bytes:logon:dmsse:$name"
	# shellcheck disable=SC2086 # words
	twin=$(twin_options $options)
	dd if=/dev/zero of="$disk0" bs=1M count=16 status=none
	dd if=/dev/zero of="$disk1" bs=1M count=16 status=none
	dmsetup create sse --table "0 $size sse $cipher $key $iv_offset $disk0 $start $options" &&
	dmsetup create crypt --table "0 $size crypt $cipher $key $iv_offset $disk1 $start $twin"
	result $? "$name: both devices are there"

	dmesg -C
	insmod "${DMSSE_TEST_MODULES:?}/sse_biogen.ko" device=/dev/mapper/sse \
		twin=/dev/mapper/crypt count="$count" seed="$seed"
	errors=$(cat /sys/module/sse_biogen/parameters/errors 2>/dev/null)
	done_=$(cat /sys/module/sse_biogen/parameters/bios 2>/dev/null)
	dmesg | grep sse_biogen | sed 's/^/# /'
	[ "$errors" = 0 ] && [ "$done_" = "$count" ]
	result $? "$name: $count bios of random shape"
	rmmod sse_biogen

	blockdev --flushbufs "$disk0"
	blockdev --flushbufs "$disk1"
	cmp "$disk0" "$disk1" >&2 && ! cmp -s -n 1048576 "$disk0" /dev/zero
	result $? "$name: the same ciphertext as dm-crypt"
	dmsetup remove sse
	dmsetup remove crypt
done
[ "$bad" = 0 ]
