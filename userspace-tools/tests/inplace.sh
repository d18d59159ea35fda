#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Encryption and decryption in place, on images: libcryptsetup does it by AF_ALG
# where there is no device-mapper. The power fails at writes to the disk, or to
# its header's file, at every other one in the middle of it, and the same command
# goes on. KTAP.
#
#	inplace.sh BUILD ROOT
#
# BUILD: where "make all tests ROOT=..." put its programs. What is below ROOT is
# removed first. INPLACE_CUTS: how many cuts of each kind (default 8); "all".

set -u
export LC_ALL=C
PATH=$PATH:/usr/sbin:/sbin
umask 077

build=$1
root=$2
here=$(cd "$(dirname "$0")" && pwd)
[ -w /dev/shm ] && TMPDIR=${TMPDIR:-/dev/shm}
work=$(mktemp -d "${TMPDIR:-/tmp}/inplace-tests.XXXXXX") || exit 1
cuts=${INPLACE_CUTS:-8}
data_mib=8
n=0
failed=0
trap 'rm -rf "$work"' EXIT

report()
{
	n=$((n + 1))
	echo "$1 $n - ${2//#/}"
	[ "$1" = ok ] && return
	failed=$((failed + 1))
	[ -z "${3:-}" ] || while IFS= read -r line; do
		echo "# $line"
	done <<<"$3"
}

is()
{
	if [ "$2" = "$3" ]; then
		report ok "$1"
	else
		report "not ok" "$1" "is   '$2'"$'\n'"not  '$3'"
	fi
}

sse()
{
	"$build/ssesetup" -q "$@" >"$work/out" 2>&1 </dev/null
}

echo "TAP version 13"
rm -rf "$root"
mkdir -p "$root/run"
disk=$work/d.img
header=$work/d.hdr
head -c $((data_mib << 20)) /dev/urandom >"$work/data"
shim=$work/powercut.so
${CC:-cc} -O2 -shared -fPIC -o "$shim" "$here/shim/powercut.c" -ldl ||
	report "not ok" "the shim is built"

# What is watched are both the disk and the header's file.
cut()
{
	local at=$1

	shift
	POWERCUT_FILE=$work/d. POWERCUT_AT=$at LD_PRELOAD=$shim setsid -f -w "$build/ssesetup" -q "$@" \
		>"$work/cut" 2>&1 </dev/null
}

count()
{
	rm -f "$work/count"
	POWERCUT_FILE=$work/d. POWERCUT_COUNT=$work/count LD_PRELOAD=$shim setsid -f -w \
		"$build/ssesetup" -q "$@" >"$work/out" 2>&1 </dev/null || return
	wc -l <"$work/count"
}

plain()
{
	rm -f "$work"/d.*
	cp "$work/data" "$disk"
	truncate -s "+$1M" "$disk"
}

has_data()
{
	cmp -n $((data_mib << 20)) "$work/data" "$disk" 2>&1
}

# Evenly over N writes, and closer at the end, where most is written that differs.
points()
{
	local writes=$1

	if [ "$cuts" = all ] || [ "$cuts" -ge "$writes" ]; then
		seq 1 "$writes"
	else
		{
			for ((i = 0; i < cuts / 2; i++)); do
				echo $((writes - i * 20 / (cuts / 2)))
			done
			for ((i = 0; i < cuts - cuts / 2; i++)); do
				echo $((1 + i * writes / (cuts - cuts / 2)))
			done
		} | sort -nu
	fi
}

# KIND PREPARE COMMAND-OF-SSESETUP -- BACK-TO-PLAIN
power_cuts()
{
	local kind=$1 prepare=$2 command back bad="" at writes torn=0 tried=0

	IFS=' ' read -ra command <<<"$3"
	IFS=' ' read -ra back <<<"$4"
	$prepare
	writes=$(count "${command[@]}") || {
		report "not ok" "$kind" "$(cat "$work/out")"
		return
	}
	for at in $(points "$writes"); do
		$prepare
		torn=$((1 - torn))
		if [ "$torn" = 1 ]; then
			POWERCUT_TORN=1 cut "$at" "${command[@]}"
		else
			cut "$at" "${command[@]}"
		fi
		tried=$((tried + 1))
		# A header's file that is gone went last.
		if ! sse "${command[@]}" &&
		   ! { [ "${command[0]}" = decrypt ] && [ ! -e "$header" ] && has_data >/dev/null; }; then
			bad+="write $at: doesn't go on: $(cat "$work/out")"$'\n'
			continue
		fi
		# The piece that was moved to the end to make room for the header.
		if [ "$prepare" = with_room ] &&
		   cmp -s -n $((2 << 20)) "$work/data" "$disk" 0 $(((data_mib + 2) << 20)); then
			bad+="write $at: a copy of the first piece is left in clear"$'\n'
		fi
		if [ ${#back[@]} -gt 0 ] && ! sse "${back[@]}"; then
			bad+="write $at: doesn't become plain: $(cat "$work/out")"$'\n'
			continue
		fi
		has_data >"$work/differs" || bad+="write $at: $(cat "$work/differs")"$'\n'
	done
	is "$kind: power cuts at $tried of $writes writes lose nothing" "$bad" ""
}

# shellcheck disable=SC2317 # called by name
with_room() { plain 4; }
# shellcheck disable=SC2317
without() { plain 0; }
# shellcheck disable=SC2317
encrypted() { cp "$work/encrypted" "$disk"; rm -f "$header"; }
# shellcheck disable=SC2317
detached() { cp "$work/detached" "$disk"; cp "$work/detached.hdr" "$header"; }

with_room
sse encrypt "$disk" --reduce-device-size 4M
is "an image with data is encrypted" "$? $(cat "$work/out")" "0 $(cat "$work/out")"
cp "$disk" "$work/encrypted"
without
sse encrypt "$disk" --header "$header"
is "... and one with a header file" "$? $(cat "$work/out")" "0 $(cat "$work/out")"
cp "$disk" "$work/detached"
cp "$header" "$work/detached.hdr"
is "... of which nothing is to be seen" "$(cmp -l "$work/data" "$disk" | wc -l | awk -v all=$((data_mib << 20)) '{print ($1 > all * 0.99)}')" 1

# What lies on a device is known to reach to its end, by 4 MiB too far.
too_long()
{
	local what=$1 kib=$2

	sse encrypt "$work/l.img" --reduce-device-size 4M
	is "$what that is too long is refused" "$? $(grep -c "^The $what.* takes $kib KiB, and only" "$work/out")" "4 1"
	rm -f "$work/l.img"
}

truncate -s 400M "$work/l.img"
mkfs.xfs -q "$work/l.img" >/dev/null 2>&1 && too_long "xfs file system" 409600
truncate -s 400M "$work/l.img"
mkfs.btrfs -q "$work/l.img" >/dev/null 2>&1 && too_long "btrfs file system" 409600
truncate -s 20M "$work/l.img"
mkfs.ext4 -q "$work/l.img" && too_long "ext4 file system" 20480
truncate -s 20M "$work/l.img"
mkswap -q "$work/l.img" 2>/dev/null && too_long "swap area" 20480

power_cuts "encryption" with_room "encrypt $disk --reduce-device-size 4M" \
	"decrypt $disk --header $header"
power_cuts "encryption with a header file" without "encrypt $disk --header $header" \
	"decrypt $disk --header $header"
power_cuts "decryption" encrypted "decrypt $disk --header $header" ""
power_cuts "decryption with a header file" detached "decrypt $disk --header $header" ""

# Begun, cut off as the header was being written, and then the data were written to.
with_room
writes=$(count encrypt "$disk" --reduce-device-size 4M)
stale=0
for ((at = 1; at < writes && !stale; at++)); do
	with_room
	cut "$at" encrypt "$disk" --reduce-device-size 4M
	# In force is the copy of the header, and the piece is as it was.
	cmp -s -n 4096 "$work/data" "$disk" || break
	[ "$(dd if="$disk" bs=4 skip=$((data_mib << 18)) count=1 status=none | tr -d '\0')" = LUKS ] && stale=1
done
is "a copy of a header is in force before the header is there" "$stale" 1
printf 'written later' | dd of="$disk" bs=1 seek=5000 conv=notrunc status=none
cp "$disk" "$work/later"
sse encrypt "$disk" --resume-only
is "what was written to since isn't gone on with" "$? $(grep -c 'written to since' "$work/out")" "1 1"
is "... and stays" "$(cmp "$work/later" "$disk" 2>&1)" ""
sse encrypt "$disk" --reduce-device-size 4M && sse decrypt "$disk" --header "$header"
is "... but can be encrypted anew" "$? $(cmp -n $((data_mib << 20)) "$work/later" "$disk" 2>&1)" "0 "

# Cut off with half of the header written over the data, which the copy tells of:
# that must be found whatever is asked for the next time.
wide() { plain 8; }
placing=0
wide
writes=$(count encrypt "$disk" --reduce-device-size 4M)
for ((at = 1; at < writes && !placing; at++)); do
	wide
	POWERCUT_TORN=1 cut "$at" encrypt "$disk" --reduce-device-size 4M
	[ "$(dd if="$disk" bs=4 skip=$(((data_mib + 4) << 18)) count=1 status=none | tr -d '\0')" = LUKS ] &&
		! cmp -s -n $((2 << 20)) "$work/data" "$disk" && placing=1
done
is "a copy of a header is in force as it is written over the data" "$placing" 1
cp "$disk" "$work/placing"
sse encrypt "$disk" --header "$header"
is "with a header file it isn't gone on with" "$? $(grep -c 'without --header the same command' "$work/out")" "1 1"
is "... nothing is written" "$(cmp "$work/placing" "$disk" 2>&1; ls "$header" 2>/dev/null)" ""
sse encrypt "$disk" --reduce-device-size 8M && sse decrypt "$disk" --header "$header"
is "with more room it is, and loses nothing" "$? $(has_data)" "0 "

# What is left of the begin of another disk isn't this one's.
without
sse encrypt "$disk" --header "$disk"
is "a header on top of the data is refused" "$? $(grep -c 'is the disk itself' "$work/out") $(has_data)" "1 1 "
without
sse encrypt "$disk" --header "$header"
truncate -s -1M "$disk"
cp "$disk" "$work/shorter"
sse encrypt "$disk" --reduce-device-size 4M
is "a disk with its header elsewhere is refused" "$? $(grep -c "with its header in $header" "$work/out")" "1 1"
is "... and stays" "$(cmp "$work/shorter" "$disk" 2>&1)" ""
rm "$header"

# The second layer needs device-mapper, but whether there is room for both is seen before the first.
rm -f "$disk"
truncate -s 20M "$disk"
mkfs.ext4 -q "$disk" 16M
sse encrypt "$disk" --double --reduce-device-size 6M
is "two layers without room for both are refused" \
	"$? $(grep -c 'takes 16384 KiB, and only 14336' "$work/out") $(blkid -p -s TYPE -o value "$disk")" "4 1 ext4"

echo "1..$n"
exit $((failed > 0))
