#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What lies on a disk under two layers says nothing, and still nothing with
# one layer peeled off: a disk full of zeroes looks like noise, no block comes
# twice, and disks with equal data under different keys share none.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

STAT=$(tool cipherstat) || skip_all "the helper cipherstat is not built"
load_module
need_module dm-crypt
modprobe -q adiantum || :
make_disk DISK0 2
make_disk DISK1 2
for n in 0 1; do
	load_key "inner$n" 64
	load_key "outer$n" 32
done
ADIANTUM='capi:adiantum(xchacha12,aes)-plain64'
SECTORS=$(sectors "$DISK0")

# Does FILE look like noise? Six standard deviations are a billion to one.
noise() {
	awk '
		{ value[$1] = $2 }
		END {
			good = value["chi2"] > 255 - 136 && value["chi2"] < 255 + 136 &&
				value["serial"] > -6 && value["serial"] < 6 &&
				value["correlation"] > -6 && value["correlation"] < 6 &&
				value["equal"] == 0
			exit !good
		}' "$1"
}

# NAME FILE: its statistics go to NAME.
look() {
	"$STAT" "$2" >"$WORK/$1.stat" 2>&1
	diag "$1: $(paste -s -d ' ' "$WORK/$1.stat")"
}

# PAIR OUTER-CIPHER: zeroes through two layers on both disks, keys of each its own.
try_pair() {
	local name=$1 outer=$2 n disk

	for n in 0 1; do
		disk=DISK$n
		dm_create dmsse-stats "0 $SECTORS sse aes-xts-plain64 :64:logon:dmsse:inner$n 0 ${!disk} 0 5 sector_size:4096 outer $outer :32:logon:dmsse:outer$n 0" ||
			bail "no device"
		dd if=/dev/zero of=/dev/mapper/dmsse-stats bs=64k count=32 oflag=direct conv=notrunc status=none
		dm_remove dmsse-stats
		dd if="${!disk}" of="$WORK/raw$n" bs=64k iflag=direct status=none
		dm_create dmsse-stats "0 $SECTORS crypt $outer :32:logon:dmsse:outer$n 0 ${!disk} 0 1 sector_size:4096" ||
			bail "no dm-crypt"
		dd if=/dev/mapper/dmsse-stats of="$WORK/peeled$n" bs=64k iflag=direct status=none
		dm_remove dmsse-stats
		look "$name-disk$n" "$WORK/raw$n"
		check "$name: disk $n looks like noise" noise "$WORK/$name-disk$n.stat"
		look "$name-peeled$n" "$WORK/peeled$n"
		check "$name: disk $n without its outer layer looks like noise" noise "$WORK/$name-peeled$n.stat"
		is "$name: disk $n shares no block with what is below its outer layer" \
			"$("$STAT" "$WORK/raw$n" "$WORK/peeled$n" | grep shared)" "shared 0"
	done
	is "$name: disks with equal data and different keys share no block" \
		"$("$STAT" "$WORK/raw0" "$WORK/raw1" | grep shared)" "shared 0"
	is "$name: nor without their outer layers" \
		"$("$STAT" "$WORK/peeled0" "$WORK/peeled1" | grep shared)" "shared 0"
	# Peeled to the end it is what was written.
	dm_create dmsse-stats "0 $SECTORS crypt $outer :32:logon:dmsse:outer0 0 $DISK0 0 1 sector_size:4096"
	dm_create dmsse-peel "0 $SECTORS crypt aes-xts-plain64 :64:logon:dmsse:inner0 0 /dev/mapper/dmsse-stats 0 1 sector_size:4096"
	check "$name: below both there are zeroes" cmp -n $((SECTORS * 512)) /dev/mapper/dmsse-peel /dev/zero
	dm_remove dmsse-peel
	dm_remove dmsse-stats
}

# What the tests must not take for noise.
head -c 1M /dev/zero >"$WORK/zero"
look zeroes "$WORK/zero"
refute "zeroes don't look like noise" noise "$WORK/zeroes.stat"
head -c 512k /dev/urandom >"$WORK/once"
cat "$WORK/once" "$WORK/once" >"$WORK/twice"
look twice "$WORK/twice"
like "equal blocks are counted" "$(grep equal "$WORK/twice.stat")" '^equal 32768$'
refute "noise that repeats itself doesn't" noise "$WORK/twice.stat"
is "a file shares its blocks with itself" \
	"$("$STAT" "$WORK/once" "$WORK/once" | grep shared)" "shared 32768"

try_pair adiantum "$ADIANTUM"
try_pair fips aes-cbc-essiv:sha256

done_testing
