#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Crypto drivers that fail, are late, answer in another order or not before they are
# told: each I/O gets one answer, never with wrong data; what was not encrypted
# isn't written; and the next good I/O works. The drivers are those of the test
# module sse_faulty, which says what they can do.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

MODULE=${DMSSE_TEST_MODULES:-}/sse_faulty.ko
[ -e "$MODULE" ] || skip_all "no test module sse_faulty (DMSSE_TEST_MODULES)"
AIOCHECK=$(tool aiocheck) || skip_all "the helper aiocheck is not built"
DMBATCH=$(tool dmbatch) || skip_all "the helper dmbatch is not built"
load_module
have_module adiantum || :
have_module xts || :
if [ ! -d /sys/kernel/debug/tracing ] && ! mountpoint -q /sys/kernel/debug; then
	mount -t debugfs debugfs /sys/kernel/debug || skip_all "no debugfs"
	at_exit "umount /sys/kernel/debug"
fi
DRIVERS=/sys/kernel/debug/sse_faulty

make_disk DISK 8 null
BYTES=$((1 << 20))
DEV=dmsse-crypto
MAP=/dev/mapper/$DEV
load_key crypto 64
XTS=$REF
load_key crypto-other 64 crypto
XTS_OTHER=$REF
load_key crypto-outer 32
OUTER=$REF
head -c 4M /dev/urandom >"$WORK/data"

# A device of before keeps its driver.
dm_create dmsse-before "0 2048 sse aes-xts-plain64 $XTS 0 $DISK 12288" || bail "no device"
BEFORE=$(word dmsse-before inner_driver)
dd if="$WORK/data" of=/dev/mapper/dmsse-before bs=64k count=16 oflag=direct status=none

insmod "$MODULE" || bail "no sse_faulty: $(dmesg -t | tail -n 3)"
at_exit "rmmod sse_faulty"

# DRIVER NAME=VALUE...
tell() {
	local driver=$1 pair
	shift

	for pair; do
		echo "${pair#*=}" >"$DRIVERS/$driver/${pair%%=*}" || bail "$driver: can't set $pair"
	done
}

told() {
	cat "$DRIVERS/$1/$2"
}

behave() {
	local driver

	for driver in xts adiantum; do
		tell $driver manner=now every=0 skip=0 error=5 setkey_error=0 init_error=0 extra=0
	done
}
behave
# What is held would never end.
at_exit behave

# MODE [OPTIONS]
create() {
	dm_remove $DEV
	case $1 in
	one) dm_create $DEV "$(line "$XTS" "${2:-}")" ;;
	two) dm_create $DEV "$(line "$XTS" "outer capi:adiantum(xchacha12,aes)-plain64 $OUTER 0 ${2:-}")" ;;
	esac || bail "no device"
}

# REFERENCE OPTIONS
line() {
	local -a words

	read -ra words <<<"$2"
	echo "0 8192 sse aes-xts-plain64 $1 0 $DISK 0 ${#words[@]} ${words[*]}"
}

# What a device of MODE is encrypted with.
drivers_of() {
	echo xts
	[ "$1" = one ] || echo adiantum
}

io() {
	"$AIOCHECK" --size $BYTES --max 262144 "$@" $MAP "$WORK/model" 2>&1
}

GOOD=' read_errors=0 write_errors=0 other_errors=0 wrong=0 lost=0 twice=0 refused=0 '
io_is_good() {
	like "$1" "$(io "${@:2}")" "$GOOD"
}

# Of aiocheck's verdict.
number() {
	sed -n "s/^\(.* \)\?$1=\([0-9]*\).*/\2/p" <<<"$VERDICT"
}

errno_of() {
	local IFS=$'\t'

	echo "$*" | "$DMBATCH" | cut -f 1
}

is_held() {
	[ "$(told "$1" held)" -ge "$2" ]
}

ended() {
	! kill -0 "$1" 2>/dev/null
}

if [ "${DMSSE_FULL:-0}" = 1 ]; then
	COUNT=1000 EVERY="1 2 97 1000"
	MANNERS="now early later backlog reverse"
else
	COUNT=40 EVERY="1 97"
	MANNERS="now backlog"
fi

### Late, and in any order

for mode in one two; do
	create $mode
	is "$mode: its driver is the test's" "$(word $DEV inner_driver)" sse-faulty-xts-aes
	[ $mode = one ] ||
		is "$mode: so is the other" "$(word $DEV outer_driver)" sse-faulty-adiantum
	rm -f "$WORK/model"
	io_is_good "$mode: works" --count 20
	for manner in now early later backlog reverse; do
		for driver in $(drivers_of $mode); do
			tell "$driver" manner=$manner requests=0 completed=0 slept=0
		done
		io_is_good "$mode, $manner: each has its answer and its data" --count "$COUNT"
		GOT=
		for driver in $(drivers_of $mode); do
			[ "$(told "$driver" requests)" -gt 300 ] || GOT+=" few requests"
			[ "$(told "$driver" requests)" = "$(told "$driver" completed)" ] || GOT+=" not all completed"
			GOT+=" $(told "$driver" slept)$(told "$driver" held)"
		done
		is "$mode, $manner: so has each request, which may not sleep" "$GOT" \
			"$([ $mode = one ] && echo " 00" || echo " 00 00")"
	done
	if [ $mode = two ]; then
		for pair in "later backlog" "reverse early" "now reverse" "backlog now"; do
			tell xts "manner=${pair% *}"
			tell adiantum "manner=${pair#* }"
			io_is_good "$mode, $pair: each has its answer and its data" --count "$COUNT"
		done
	fi
	is "$mode: no error was counted" "$(word $DEV crypt_errors) $(word $DEV io_errors)" "0 0"
	behave
done

### Errors

create one
dmesg_mark
tell xts every=1 error=74
refute "a read fails" dd if=$MAP of=/dev/null bs=4k skip=3 count=1 iflag=direct
refute "a write fails" dd if="$WORK/data" of=$MAP bs=4k seek=5 count=1 oflag=direct conv=notrunc
is "... and the log says which" "$(dmesg_since | sed -n 's/^dm-sse: [0-9:]*: //p' | tr '\n' '/')" \
	"decryption of sector 24 failed with error -74/encryption of sector 40 failed with error -74/"
behave

# One bio for each I/O, so that there are as many errors of the one as of the other.
for mode in one two; do
	create $mode
	rm -f "$WORK/model"
	io_is_good "$mode: works" --count 20 --block 512
	for manner in $MANNERS; do
		for driver in $(drivers_of $mode); do
			for every in $EVERY; do
				for each in $(drivers_of $mode); do
					tell "$each" manner="$manner"
				done
				CRYPT=$(word $DEV crypt_errors)
				tell "$driver" every="$every" failed=0 requests=0
				VERDICT=$(io --count "$COUNT" --max 65536 --block 512)
				tell "$driver" every=0
				what="$mode, $manner, $driver fails each $every."
				like "$what: each I/O has one answer" "$VERDICT" ' other_errors=0 wrong=0 lost=0 twice=0 refused=0 '
				ERRORS=$(($(number read_errors) + $(number write_errors)))
				is "$what: which is counted" $(($(word $DEV crypt_errors) - CRYPT)) "$ERRORS"
				[ "${DMSSE_POLICY:-}" = spread ] && MORE=1 || MORE=0
				is "$what: there were such" $((ERRORS > 0 && (MORE || ERRORS <= $(told "$driver" failed)))) 1
			done
		done
		behave
		io_is_good "$mode, $manner: then all is well" --count 20 --block 512
	done
	is "$mode: no error of the device below" "$(word $DEV io_errors)" 0
done

### Where they are

# Eight reads of four sectors, one after the other: which fail if each N-th request
# does? One that does is the last of its read.
expected() {
	awk -v n="$1" 'BEGIN {
		for (i = 0; i < 8; i++) {
			for (sector = bad = 0; sector < 4 && !bad; sector++)
				bad = !(++request % n)
			printf "%s ", bad ? -5 : 2048
		}
	}'
}

for mode in one two; do
	create $mode
	dd if="$WORK/data" of=$MAP bs=64k count=1 oflag=direct conv=notrunc status=none
	for manner in now later backlog; do
		for driver in $(drivers_of $mode); do
			GOT='' WANT=''
			for n in 1 2 9 12 32; do
				tell "$driver" manner=$manner requests=0 every=$n
				GOT+="$("$(tool aioread)" $MAP 1 2048 0 2048 4096 6144 8192 10240 12288 14336 |
					awk '{ printf "%s%s", $3, $2 == 1 ? " " : "(" $2 " times) " }')/ "
				WANT+="$(expected $n)/ "
			done
			tell "$driver" every=0
			is "$mode, $manner, $driver: just the reads fail whose sectors do" "$GOT" "$WANT"
		done
		behave
		check "$mode, $manner: then the data is there" cmp -n 65536 "$WORK/data" \
			<(dd if=$MAP bs=2048 count=32 iflag=direct status=none)
	done
done

### Writes that fail

# Of 64 KiB and of 256 KiB, which several CPUs may share. Below nothing changes.
for mode in one two; do
	create $mode
	head -c 1M /dev/urandom >"$WORK/below"
	dd if="$WORK/below" of="$DISK" bs=64k oflag=direct conv=notrunc status=none
	for manner in now later; do
		for driver in $(drivers_of $mode); do
			for size in 65536 262144; do
				FAILED=0
				for n in 1 2 $((size / 1024)) $((size / 512)); do
					tell "$driver" manner=$manner requests=0 every="$n"
					dd if="$WORK/data" of=$MAP bs=$size count=1 oflag=direct conv=notrunc \
						status=none 2>/dev/null || FAILED=$((FAILED + 1))
					tell "$driver" every=0
				done
				behave
				is "$mode, $manner: $driver fails writes of $size bytes" $FAILED 4
				check "... of which nothing is written" cmp -n 1048576 "$WORK/below" \
					<(dd if="$DISK" bs=64k count=16 iflag=direct status=none)
			done
		done
	done
	dd if="$WORK/data" of=$MAP bs=256k count=1 oflag=direct conv=notrunc status=none
	check "$mode: a good one is" cmp -n 262144 "$WORK/data" \
		<(dd if=$MAP bs=64k count=4 iflag=direct status=none)
	refute "... encrypted" cmp -s -n 512 "$WORK/data" "$DISK"
done

### A driver that waits until it is told

for mode in one two; do
	create $mode
	rm -f "$WORK/model"
	io_is_good "$mode: works" --count 20
	for driver in $(drivers_of $mode); do
		tell "$driver" manner=hold
		# Reads alone: a write has its submitter wait.
		io --count 64 --reads 100 --max 65536 >"$WORK/held" &
		HELD=$!
		check "$mode, $driver: sixteen reads wait" wait_for 30 is_held "$driver" 16
		BUSY=$(word $DEV crypt_errors)
		is "... and status doesn't" "$BUSY" 0
		refute "... the driver cannot be unloaded" rmmod sse_faulty
		refute "... nor the module" rmmod dm_sse
		dmsetup suspend $DEV &
		SUSPEND=$!
		refute "... a suspend waits" wait_for 1 ended $SUSPEND
		kill -TERM $SUSPEND
		check "... and can be given up" wait_for 30 ended $SUSPEND
		wait $SUSPEND 2>/dev/null
		like "... the device is active then" "$(dmsetup status $DEV)" ' sse active '
		check "... the reads wait on" is_held "$driver" 16
		dmsetup suspend $DEV &
		SUSPEND=$!
		refute "... another suspend waits" wait_for 1 ended $SUSPEND
		tell "$driver" manner=reverse
		wait $SUSPEND
		is "... until the last one is answered" "$? $(told "$driver" held)" "0 0"
		dmsetup resume $DEV
		tell "$driver" manner=now
		wait $HELD
		like "... each read has its answer and its data" "$(cat "$WORK/held")" "$GOOD"

		tell "$driver" manner=hold
		# Behind what the model is about.
		dd if="$WORK/data" of=$MAP bs=256k count=1 seek=8 oflag=direct conv=notrunc status=none &
		HELD=$!
		check "$mode, $driver: a write waits" wait_for 30 is_held "$driver" 1
		dmsetup suspend --noflush --nolockfs $DEV &
		SUSPEND=$!
		refute "... a suspend without flush waits" wait_for 1 ended $SUSPEND
		tell "$driver" manner=later
		wait $SUSPEND
		is "... until it is answered" "$?" 0
		dmsetup resume $DEV
		wait $HELD
		is "... as it is" $? 0
		check "... with its data" cmp -n 262144 "$WORK/data" \
			<(dd if=$MAP bs=256k count=1 skip=8 iflag=direct status=none)
		tell "$driver" manner=now
		io_is_good "... and all is well" --count 20
	done

	# Whoever waits may be killed; what it waits for is answered all the same.
	tell xts manner=hold
	"$AIOCHECK" --size $BYTES --reads 100 --max 65536 $MAP "$WORK/model" >/dev/null 2>&1 &
	HELD=$!
	wait_for 30 is_held xts 16
	kill -KILL $HELD
	tell xts manner=now
	check "$mode: killed, it ends when they do" wait_for 30 ended $HELD
	wait $HELD 2>/dev/null
	is "... and none waits on" "$(told xts held)" 0
	io_is_good "... and all is well" --count 20
done

# Removed by force: the reads come to their end first.
tell xts manner=hold
io --count 64 --reads 100 --max 65536 >"$WORK/held" &
HELD=$!
wait_for 30 is_held xts 16
dmsetup remove --force $DEV >/dev/null 2>&1 &
REMOVE=$!
refute "removal by force waits for a driver" wait_for 1 ended $REMOVE
tell xts manner=now
wait $REMOVE
wait $HELD
like "... and each has its answer" "$(cat "$WORK/held")" ' other_errors=0 wrong=0 lost=0 twice=0 '
dm_remove $DEV

### A lease that ends meanwhile

create two "key_lease error"
rm -f "$WORK/model"
io_is_good "key_lease: works" --count 20
tell adiantum manner=hold
io --count 64 --reads 100 --max 65536 >"$WORK/held" &
HELD=$!
wait_for 30 is_held adiantum 16
keyctl revoke "$(keyctl search @s logon dmsse:crypto)"
is_state() {
	[[ $(dmsetup status $DEV) = *" sse $1 "* ]]
}
check "key_lease: it lapses while reads wait" wait_for 30 is_state lapsing
drop_key crypto
load_key crypto 64
dmsetup message $DEV 0 key set inner "$XTS" &
SET=$!
refute "... a key that comes waits" wait_for 1 ended $SET
refute "... the keys are not wiped under them" grep -q no-key <(dmsetup status $DEV)
tell adiantum manner=reverse
wait $SET
is "... until they have ended" $? 0
tell adiantum manner=now
wait $HELD
VERDICT=$(cat "$WORK/held")
like "... each has one answer" "$VERDICT" ' write_errors=0 other_errors=0 wrong=0 lost=0 twice=0 refused=0 '
is "... some before the end, some after" "$(($(number reads) >= 16 && $(number read_errors) > 0))" 1
dmsetup message $DEV 0 key set outer "$OUTER"
check "... and with both keys I/O passes" wait_for 30 is_state active
io_is_good "... all is well" --count 20
dm_remove $DEV

### Others, with a driver of their own

# All have their reads decrypted by workers, which are the same for all.
dm_remove $DEV
others_go_on() {
	dd if=/dev/mapper/dmsse-before bs=64k count=16 iflag=direct status=none 2>/dev/null |
		cmp -s -n 1048576 "$WORK/data" - &
	OTHER=$!
	check "... which holds up nobody who has another" wait_for 30 ended $OTHER
	# So that there is an end.
	ended $OTHER || tell adiantum manner=now
	wait $OTHER
	is "... and who has its data" $? 0
}

if grep -q . /sys/module/dm_sse/parameters/policy 2>/dev/null; then
	FORCED=$(cat /sys/module/dm_sse/parameters/policy)
	echo spread >/sys/module/dm_sse/parameters/policy
	# What a driver is like is seen when a table is made.
	tell adiantum manner=later
	create two
	rm -f "$WORK/model"
	io_is_good "reads by workers: works" --count 20
	tell adiantum manner=hold
	io --count 64 --reads 100 --max 65536 >"$WORK/held" &
	HELD=$!
	check "reads wait for their driver" wait_for 30 is_held adiantum 16
	others_go_on
	tell adiantum manner=now
	wait $HELD
	like "... and each of them has its answer" "$(cat "$WORK/held")" "$GOOD"
	tell adiantum manner=hold
	dd if="$WORK/data" of=$MAP bs=256k count=1 seek=8 oflag=direct conv=notrunc status=none &
	HELD=$!
	check "a write waits for its driver" wait_for 30 is_held adiantum 1
	others_go_on
	tell adiantum manner=now
	wait $HELD
	is "... and has its answer" $? 0
	dm_remove $DEV
	echo "$FORCED" >/sys/module/dm_sse/parameters/policy
else
	for name in works reads "holds up nobody" data answer "a write" "holds up nobody" data answer; do
		skip "$name" "the policy cannot be set"
	done
fi

### While a table is made, and keys

dm_remove $DEV
tell xts manner=hold
dmsetup create $DEV --table "$(line "$XTS" "")" &
CREATE=$!
at_exit "dm_remove $DEV"
check "a table waits for the driver" wait_for 30 is_held xts 1
refute "... as long as it takes" wait_for 1 ended $CREATE
tell xts manner=now
wait $CREATE
is "... and is made then" $? 0
rm -f "$WORK/model"
io_is_good "... and works" --count 20
dm_remove $DEV

tell xts every=1
create one
refute "a driver that always fails: made, but nothing can be written" \
	dd if="$WORK/data" of=$MAP bs=4k count=1 oflag=direct status=none
tell xts every=0
rm -f "$WORK/model"
io_is_good "... until it works again" --count 20

# Errors that are the driver's are the caller's.
errno_of create dmsse-other >/dev/null
at_exit "dm_remove dmsse-other"
for driver in xts adiantum; do
	for error in 12:ENOMEM 19:ENODEV 22:EINVAL; do
		for knob in init_error setkey_error; do
			dmesg_mark
			tell $driver $knob=${error%:*}
			GOT=$(errno_of load dmsse-other "$(line "$XTS" "outer capi:adiantum(xchacha12,aes)-plain64 $OUTER 0")")
			tell $driver $knob=0
			is "$driver, $knob: a table fails with ${error#*:}" "$GOT" "${error#*:}"
			is "... and says why in one line" "$(dmesg_since | grep -c '^dm-sse: ')" 1
		done
	done
done
is "... and then goes well" \
	"$(errno_of load dmsse-other "$(line "$XTS" "outer capi:adiantum(xchacha12,aes)-plain64 $OUTER 0")")" 0
dm_remove dmsse-other

dmsetup suspend $DEV
TABLE=$(dmsetup table $DEV)
for knob in init_error setkey_error; do
	tell xts $knob=22
	is "$knob: key set fails" "$(errno_of message $DEV "key set $XTS_OTHER")" EINVAL
	tell xts $knob=0
	is "... and the table is as it was" "$(dmsetup table $DEV) $(word $DEV inner)" "$TABLE keyed"
	dmsetup resume $DEV
	io_is_good "... and the old key in place" --count 20
	dmsetup suspend $DEV
done
tell xts extra=512
is "a driver that wants more than was laid out" "$(errno_of message $DEV "key set $XTS_OTHER")" EAGAIN
is "... leaves the table as it was" "$(dmsetup table $DEV) $(word $DEV inner)" "$TABLE keyed"
dmsetup resume $DEV
io_is_good "... and the old key in place" --count 20
dmsetup load $DEV --table "$(line "$XTS_OTHER" "")"
dmsetup suspend $DEV
check "... but another table has room for it" dmsetup resume $DEV
io_is_good "... and works" --count 50
tell xts extra=0
dmsetup suspend $DEV
is "a driver that wants less" "$(errno_of message $DEV "key set $XTS")" 0
dmsetup resume $DEV
io_is_good "... is fine" --count 20
dm_remove $DEV

### One that was there before

dmsetup suspend dmsse-before
is "a device of before takes a key" "$(errno_of message dmsse-before "key set $XTS")" 0
dmsetup resume dmsse-before
is "... for its own driver" "$(word dmsse-before inner_driver)" "$BEFORE"
check "... and has its data" cmp -n 1048576 "$WORK/data" \
	<(dd if=/dev/mapper/dmsse-before bs=64k count=16 iflag=direct status=none)
dm_remove dmsse-before

check "nobody holds the drivers" wait_for 10 rmmod sse_faulty
DMSSE_UNDO=("${DMSSE_UNDO[@]/#rmmod sse_faulty/:}")
DMSSE_UNDO=("${DMSSE_UNDO[@]/#behave/:}")

done_testing
