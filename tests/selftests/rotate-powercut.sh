#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A key is rotated under I/O, and the power fails at every write of a header:
# whatever had reached the disk by then opens, and has the data.
#
#	fio -> open disk -> dm-log-writes -> disk
#	                          |
#	                         log: replayed write by write onto a copy
#
# After each write that touches a header the copy is opened by ssesetup and,
# where there is a passphrase, by stock cryptsetup; then repaired, which finishes
# what was cut off.
#
#	DMSSE_LAYERS=2		both headers of a disk with two layers
#	POWERCUT_TORN=1		the same with half of each such write

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

need_cmd fio cryptsetup openssl
need_module dm-log-writes loop
load_module
own_state
REPLAY=$(tool replaylog)

DISK_MIB=10
DATA_MIB=1		# that nobody writes to
LOGGED=/dev/mapper/dmsse-logged
MAP=/dev/mapper/dmsse-cut
PASSPHRASE=$WORK/passphrase
printf 'what a person knows' >"$PASSPHRASE"

sse() {
	"$SSESETUP" "$@" </dev/null
}

mkdir -m 700 "$WORK/keys"
pem() {
	openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 \
		-out "$WORK/keys/$1.pem" 2>/dev/null || bail "openssl makes no key"
	chmod 600 "$WORK/keys/$1.pem"
	touch -d "$2" "$WORK/keys/$1.pem"
}
pem a 2026-01-01
sse des create one --type customer --key "file:$WORK/keys" || bail "no set"
sse des create both --type platform-and-customer --key "file:$WORK/keys" || bail "no set"

# One layer: a volume of stock cryptsetup that came into the set.
make_one() {
	cryptsetup luksFormat --batch-mode --type luks2 --pbkdf pbkdf2 \
		--pbkdf-force-iterations 1000 --cipher aes-xts-plain64 --key-size 512 \
		--sector-size 4096 --luks2-metadata-size 32k --luks2-keyslots-size 1984k \
		--key-file "$PASSPHRASE" "$LOGGED" &&
		sse assign "$LOGGED" --des one --key-file "$PASSPHRASE"
}

make_both() {
	sse format --batch-mode "$LOGGED" --des both
}

mark() {
	dmsetup message dmsse-logged 0 mark "$1"
}

close_cut() {
	[ ! -b "$MAP" ] || sse close dmsse-cut
}
at_exit close_cut

# A copy that has what was written by then: "" if all is well.
judge() {
	local img=$WORK/cut.img out

	cp --sparse=always "$WORK/replayed" "$img"
	if ! out=$(sse open "$img" dmsse-cut 2>&1); then
		echo "doesn't open: $out"
		return
	fi
	cmp -n $((DATA_MIB << 20)) "$WORK/data" $MAP 2>&1
	close_cut || echo "doesn't close"
	[ "$1" = both ] ||
		cryptsetup open --test-passphrase --key-file "$PASSPHRASE" "$img" 2>&1 ||
		echo "cryptsetup doesn't open it"
	if [ "$1 $2" = "one repair" ]; then
		out=$(sse repair --batch-mode "$img" 2>&1) || echo "repair: $out"
		[ "$(cryptsetup luksDump "$img" | grep -c '^  [0-9]*: dm-sse$')" = 1 ] ||
			echo "has more than one token after repair"
	fi
}

rotate_and_cut() {
	local kind=$1 headers=$2 number sector count mark begun="" bad="" states=0 out LOG

	make_disk DISK $DISK_MIB
	make_disk LOG 128
	DISK_SECTORS=$(sectors "$DISK")
	dm_create dmsse-logged "0 $DISK_SECTORS log-writes $DISK $LOG" || bail "no dm-log-writes"
	"make_$kind" || bail "no disk of set $kind"
	sse open "$LOGGED" dmsse-cut || bail "the disk doesn't open"
	head -c "${DATA_MIB}M" /dev/urandom >"$WORK/data"
	dd if="$WORK/data" of=$MAP bs=64k oflag=direct conv=notrunc status=none

	fio --name=under --filename=$MAP --rw=randwrite --bs=4k --direct=1 --ioengine=psync \
		--offset=2M --size=2M --rate_iops=50 --fdatasync=8 --time_based --runtime=3600 \
		>"$WORK/fio" 2>&1 &
	FIO=$!
	at_exit "kill $FIO 2>/dev/null || :"
	wait_for 20 fio_writes || bail "fio doesn't write"
	# What comes after this is replayed onto it.
	dmsetup suspend dmsse-logged
	dd if="$DISK" of="$WORK/replayed" bs=1M iflag=direct conv=sparse status=none
	mark begin
	dmsetup resume dmsse-logged
	[ "$kind" = one ] || cp -a /var/lib/dm-sse/platform "$WORK/"
	pem b 2026-01-02
	check "a key is rotated under I/O" sse des rotate "$kind"
	mark end
	like "... by one disk" "$(cat "$WORK/check.out")" '1 disk: 1 moved to version'
	# Power fails before the platform's old version is destroyed.
	[ "$kind" = one ] || cp -a "$WORK/platform" /var/lib/dm-sse/
	sleep 0.2
	check "... which goes on" kill -0 $FIO
	kill $FIO
	wait $FIO 2>/dev/null
	close_cut
	dm_remove dmsse-logged

	$REPLAY "$LOG" >"$WORK/log" || bail "no log"
	while read -r number sector count mark; do
		[ "$mark" != end ] || break
		if [ "$mark" = begin ]; then
			begun=$number
			continue
		fi
		if [ -z "$begun" ] || [ "$count" = 0 ]; then
			continue
		fi
		if [ -n "${POWERCUT_TORN:-}" ] && [ "$sector" -lt "$headers" ]; then
			$REPLAY "$LOG" "$WORK/replayed" "$number" half
			out=$(judge "$kind" no)
			[ -z "$out" ] || bad+="half of write $number: $out"$'\n'
		fi
		$REPLAY "$LOG" "$WORK/replayed" "$number" $((number + 1))
		[ "$sector" -lt "$headers" ] || continue
		states=$((states + 1))
		out=$(judge "$kind" repair)
		[ -z "$out" ] || bad+="write $number: $out"$'\n'
	done <"$WORK/log"
	check "the log has the writes of a rotation" [ "$states" -ge $((headers * 30 / 4096)) ]
	diag "$states writes of headers, $(wc -l <"$WORK/log") in all"
	is "after each of them the disk opens" "$bad" ""
}

# It has written more than was written before it.
fio_writes() {
	local device

	device=$(dmsetup info -c --noheadings --separator : -o major,minor dmsse-cut)
	[ "$(awk '{print $5}' "/sys/dev/block/$device/stat")" -gt $((DATA_MIB * 16 + 20)) ]
}

if [ "${DMSSE_LAYERS:-1}" = 1 ]; then
	rotate_and_cut one 4096
else
	rotate_and_cut both 8192
fi
done_testing
