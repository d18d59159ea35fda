#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A device with key_lease: I/O passes while the keyring's keys are valid, and no
# longer; with another key it comes back, and nothing was lost meanwhile.
#
# argv: how often it is to lapse and come back under load, in each mode: 15, or
# with DMSSE_FULL=1 50 times.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

need_cmd fio pkill
load_module
make_disk DISK 16 null
SECTORS=$(sectors "$DISK")
DEV=dmsse-lease
MAP=/dev/mapper/$DEV
[ "${DMSSE_FULL:-0}" = 1 ] && LAPSES=50 || LAPSES=15
LAPSES=${1:-$LAPSES}

head -c 2M /dev/urandom >"$WORK/data"
key_hex 64 lease | hex_to_bin >"$WORK/inner"
key_hex 32 lease-outer | hex_to_bin >"$WORK/outer"
HEX=$(key_hex 64 lease)

# Does it hold so many, or more?
holds_bios() {
	local held

	held=$(word $DEV held_bios)
	[ "${held:-0}" -ge "$1" ]
}

### Keys that come and go

declare -A ID=()
drop_keys() {
	local id

	for id in "${ID[@]}"; do
		keyctl unlink "$id" @s 2>/dev/null
	done
	:
}
at_exit drop_keys

# NAME [SECONDS]: another key under the same name, inner or outer, with the same
# bytes.
new_key() {
	[ -z "${ID[$1]:-}" ] || keyctl unlink "${ID[$1]}" @s 2>/dev/null
	ID[$1]=$(keyctl padd logon "dmsse:lease-$1" @s <"$WORK/$1") || bail "can't add a key"
	[ -z "${2:-}" ] || keyctl timeout "${ID[$1]}" "$2"
}

# HOW NAME
end_key() {
	case $1 in
	expired) keyctl timeout "${ID[$2]}" 1 ;;
	revoked) keyctl revoke "${ID[$2]}" ;;
	invalidated) keyctl invalidate "${ID[$2]}" ;;
	esac
}

INNER=:64:logon:dmsse:lease-inner
OUTER=:32:logon:dmsse:lease-outer
ADIANTUM='capi:adiantum(xchacha12,aes)-plain64'

# MODE [DEVICE]
create() {
	dm_remove $DEV
	new_key inner
	sse_create $DEV "$(table "$@")" || bail "no device"
}

table() {
	sse_line "${2:-$DISK}" aes-xts-plain64 "$INNER" 0 0 "key_lease $1"
}

set_key() {
	new_key inner
	dmsetup message $DEV 0 key set $INNER
}

# LAYER REFERENCE
set_layer_key() {
	new_key "$1"
	dmsetup message $DEV 0 key set "$1" "$2"
}

### What there is to be seen

state() {
	local -a words

	read -ra words < <(dmsetup status $DEV)
	echo "${words[3]}"
}

state_is() {
	[ "$(state)" = "$1" ]
}

word_is() {
	[ "$(word $DEV "$1")" = "$2" ]
}

events() {
	dmsetup info -c --noheadings -o events $DEV | tr -d ' '
}

said() {
	dmesg_since | grep '^dm-sse: '
}

# Direct, so that no cached page stands in for a decrypted one.
write_data() {
	dd if="$WORK/data" of=$MAP bs=1M oflag=direct conv=notrunc status=none
}

read_data() {
	dd if=$MAP bs=64k count=32 iflag=direct status=none | cmp -s - "$WORK/data"
}

# One bio: a suspended device would have another one wait.
read_begin() {
	dd if=$MAP bs=64k count=1 iflag=direct status=none | cmp -s - <(head -c 64k "$WORK/data")
}

# One sector; prints what went wrong.
read_sector() {
	dd if=$MAP of=/dev/null bs=4k count=1 iflag=direct 2>&1 | grep -o 'Input/output error'
}

MONITOR=
if command -v udevadm >/dev/null && [ -e /proc/net/netlink ]; then
	udevadm monitor --kernel --property >"$WORK/uevents" 2>/dev/null &
	MONITOR=$!
	at_exit "kill $MONITOR 2>/dev/null; wait $MONITOR 2>/dev/null || :"
	wait_for 10 grep -q KERNEL "$WORK/uevents"
fi

# How many uevents had these lines?
uevents() {
	awk -v want="$*" '
		BEGIN { RS = ""; wanted = split(want, line, " ") }
		{
			for (found = i = 1; i <= wanted; i++)
				found = found && index("\n" $0 "\n", "\n" line[i] "\n")
			n += found
		}
		END { print n + 0 }' "$WORK/uevents"
}

# COUNT LINE...
uevents_are() {
	local count=$1

	shift
	[ "$(uevents "$@")" -ge "$count" ]
}

### A lease that is valid

for mode in error queue; do
	create $mode
	like "$mode: the table says so" "$(dmsetup table $DEV)" " 2 key_lease $mode\$"
	like "$mode: the words of the status" "$(dmsetup status $DEV)" \
		" active layers:1 inner:keyed inner_driver:[^ ]* key_lease:$mode lease_seconds:-( held_bios:0)? read_bios:"
	unlike "$mode: no reason without a lapse" "$(dmsetup status $DEV)" lapse_reason
	keyctl timeout "${ID[inner]}" 3000
	like "$mode: seconds that are left" "$(word $DEV lease_seconds)" '^(30|29)[0-9][0-9]$'
	dm_try message $DEV 0 key set $INNER
	is "$mode: key set while the lease is valid and the device active" "$DM_ERRNO" EBUSY
	dm_try message $DEV 0 key wipe
	is "$mode: key wipe likewise" "$DM_ERRNO" EBUSY
done
dm_remove $DEV
sse_create $DEV "$(sse_line "$DISK" aes-xts-plain64 $INNER)"
unlike "without the option there are no such words" "$(dmsetup status $DEV)" 'lease|held'
end_key revoked inner
sleep 2
is "and no lapse" "$(state) $(read_sector)" "active "

### Each way to lose a key, without I/O

# Left to itself the keyring keeps one that has expired for minutes, with its bytes.
key_is_gone() {
	! grep -q "^$(printf %08x "${ID[$1]}") " /proc/keys
}

for mode in error queue; do
	for how in expired revoked invalidated; do
		name="$mode, $how"
		create $mode
		write_data
		[ -z "$MONITOR" ] || BEFORE=$(uevents DM_SSE_STATE=lapsed DM_SSE_REASON=$how)
		EVENTS=$(events)
		dmesg_mark
		end_key $how inner
		check "$name: dmsetup wait learns of it" timeout 60 dmsetup wait $DEV "$EVENTS"
		if [ $how = expired ]; then
			check "$name: the keyring has it no longer" wait_for 20 key_is_gone inner
		fi
		like "$name: status" "$(dmsetup status $DEV)" \
			" lapsed layers:1 inner:no-key .* key_lease:$mode lease_seconds:0( held_bios:0)? lapse_reason:$how "
		like "$name: log" "$(said)" "key $how: I/O (fails|waits) until the message 'key set'"
		is "$name: in one line" "$(said | wc -l)" 1
		if [ -n "$MONITOR" ]; then
			check "$name: uevent" wait_for 10 uevents_are $((BEFORE + 1)) ACTION=change \
				DM_SSE_STATE=lapsed DM_SSE_REASON=$how
			BEFORE=$(uevents DM_SSE_STATE=active)
		else
			skip "$name: uevent" "no udevadm, or no netlink"
		fi

		if [ $mode = error ]; then
			is "$name: a read fails" "$(read_sector)" "Input/output error"
			refute "$name: and so does a write" write_data
		else
			read_data &
			READ=$!
			check "$name: a read waits" wait_for 20 word_is held_bios 1
		fi
		check "$name: a flush passes" timeout 60 blockdev --flushbufs $MAP

		dm_try message $DEV 0 key set $INNER
		unlike "$name: the old key is refused" "$DM_ERRNO" '^0$'
		check "$name: another one is taken, without a suspend" set_key
		check "$name: dmsetup wait learns of that" timeout 60 dmsetup wait $DEV $((EVENTS + 1))
		is "$name: the device is active" "$(state)" active
		is "$name: two events in all" "$(events)" $((EVENTS + 2))
		if [ -n "$MONITOR" ]; then
			check "$name: uevent" wait_for 10 uevents_are $((BEFORE + 1)) ACTION=change \
				DM_SSE_STATE=active
		else
			skip "$name: uevent" "no udevadm, or no netlink"
		fi
		if [ $mode = error ]; then
			check "$name: the data is back" read_data
		else
			wait "$READ"
			is "$name: the read goes on and has the right data" $? 0
			check "$name: nothing waits any more" wait_for 10 word_is held_bios 0
		fi
	done
done

# No watchdog is needed for that: the check is in the way of each bio.
for how in revoked invalidated; do
	FAILED=0
	for i in 1 2 3 4 5; do
		create error
		end_key $how inner
		[ "$(read_sector)" = "Input/output error" ] || FAILED=$i
	done
	is "the very next read fails once the key is $how" $FAILED 0
done

### Suspend

create error
write_data
dmsetup suspend $DEV
end_key revoked inner
check "a suspended device lapses as well" wait_for 20 state_is lapsed
dmesg_mark
dm_try resume $DEV
is "it cannot be resumed" "$DM_ERRNO" ENOKEY
like "... and the log says why" "$(said)" "cannot resume, key revoked: send the message 'key set <reference>' first"
EVENTS=$(events)
check "but it takes a key" set_key
is "and is suspended then" "$(state)" suspended
check "it is resumed" dmsetup resume $DEV
is "and active" "$(state)" active
check "with its data" read_data
check "of which dmsetup wait learns" timeout 60 dmsetup wait $DEV "$EVENTS"

# Before the watchdog could see it.
dmsetup suspend $DEV
end_key invalidated inner
dm_try resume $DEV
is "a resume looks at the key itself" "$DM_ERRNO" ENOKEY
set_key
dmsetup resume $DEV

create error
end_key revoked inner
wait_for 20 state_is lapsed
check "a device that has lapsed is suspended" dmsetup suspend $DEV
is "it has still lapsed" "$(state)" lapsed
set_key
check "and is resumed with another key" dmsetup resume $DEV
is "to be active" "$(state)" active

### Key wipe

create error
write_data
dmsetup suspend $DEV
dmsetup message $DEV 0 key wipe
is "a key that was wiped" "$(state)" no-key
like "has no seconds left or right" "$(word $DEV lease_seconds)" '^-$'
end_key revoked inner
sleep 2
is "doesn't lapse" "$(state)" no-key
check "another one takes its place" set_key
end_key revoked inner
check "and that one does" wait_for 20 state_is lapsed
check "key wipe after a lapse" dmsetup message $DEV 0 key wipe
is "makes no difference" "$(state)" lapsed
set_key
check "resume" dmsetup resume $DEV
check "the data is back" read_data
end_key revoked inner
wait_for 20 state_is lapsed
check "key wipe after a lapse, not suspended" dmsetup message $DEV 0 key wipe
is "makes no difference either" "$(state)" lapsed
check "removal after a lapse" dmsetup remove $DEV

### Renewal

create error
keyctl timeout "${ID[inner]}" 15
dm_remove $DEV
sse_create $DEV "$(table error)"
like "a lease of 15 seconds" "$(word $DEV lease_seconds)" '^([0-9]|1[0-5])$'
keyctl timeout "${ID[inner]}" 3000 || bail "renewed too late"
sleep 19
is "goes on when it is renewed" "$(state) $(read_sector)" "active "
like "with its seconds" "$(word $DEV lease_seconds)" '^29[0-9][0-9]$'
keyctl timeout "${ID[inner]}" 0
is "a lease without end" "$(word $DEV lease_seconds)" -
drop_keys
sleep 2
is "a key that only leaves the keyring is valid" "$(state)" active
new_key inner
keyctl revoke "${ID[inner]}"
sleep 2
is "and another of the same name is none of its business" "$(state)" active

### Two layers

LAYERS="key_lease queue outer $ADIANTUM $OUTER 0"
dm_remove $DEV
new_key inner
new_key outer 3000
sse_create $DEV "$(sse_line "$DISK" aes-xts-plain64 $INNER 0 0 "$LAYERS")" || bail "no two layers"
like "two layers: the shorter lease counts" "$(word $DEV lease_seconds)" '^(30|29)[0-9][0-9]$'
write_data
dmesg_mark
end_key revoked outer
check "two layers: one key is enough" wait_for 20 state_is lapsed
like "two layers: both are wiped" "$(dmsetup status $DEV)" ' inner:no-key .* outer:no-key '
like "two layers: the log says which" "$(said)" 'outer layer: key revoked: '
read_data &
READ=$!
wait_for 20 word_is held_bios 1
check "two layers: the first key" set_layer_key inner $INNER
is "two layers: is not enough" "$(state) $(word $DEV inner) $(word $DEV held_bios)" "lapsed keyed 1"
end_key revoked inner
check "two layers: and is wiped if it ends before the second" wait_for 20 word_is inner no-key
check "two layers: the second key first" set_layer_key outer $OUTER
is "two layers: isn't enough either" "$(state)" lapsed
check "two layers: both" set_layer_key inner $INNER
check "two layers: are" wait_for 10 state_is active
wait "$READ"
is "two layers: the read that waited has the right data" $? 0
end_key invalidated inner
check "two layers: the other key" wait_for 20 word_is lapse_reason invalidated
is "two layers: makes both lapse, too" "$(state)" lapsed
dm_remove $DEV

### Reads under way

# A minute is more than is needed: they are let go by a suspend of the device below.
let_go() {
	sleep 1
	dmsetup suspend dmsse-slow && dmsetup resume dmsse-slow
}

if have_module dm-delay; then
	dm_create dmsse-slow "0 $SECTORS delay $DISK 0 60000 $DISK 0 0" || bail "no delay"
	SLOW=/dev/mapper/dmsse-slow
	create error "$SLOW"
	dd if="$WORK/data" of=$MAP bs=64k count=1 oflag=direct status=none
	read_begin &
	READ=$!
	wait_for 20 word_is read_bios 1
	end_key revoked inner
	is "a read fails while another is under way" "$(read_sector)" "Input/output error"
	like "the lease is lapsing" "$(dmsetup status $DEV)" ' lapsing .* inner:keyed .* lapse_reason:revoked '
	timeout -s INT 1 dmsetup message $DEV 0 key set $INNER
	is "a key that comes too early waits, and can be given up" $? 124
	let_go &
	GOES=$!
	check "another one waits for its end" set_key
	wait "$READ"
	is "which has the right data" $? 0
	is "then the device is active" "$(state)" active
	wait $GOES
	dm_remove $DEV

	create error "$SLOW"
	dd if=$MAP of=/dev/null bs=4k count=1 iflag=direct status=none &
	READ=$!
	wait_for 20 word_is read_bios 1
	end_key revoked inner
	wait_for 20 state_is lapsing
	let_go &
	GOES=$!
	check "suspend while the lease lapses" timeout 60 dmsetup suspend $DEV
	check "ends it" wait_for 10 state_is lapsed
	wait "$READ"
	wait $GOES
	check "removal" dmsetup remove $DEV
	dm_remove dmsse-slow
else
	skip "reads under way" "no dm-delay"
fi

### Bios that wait

hold_read() {
	read_begin &
	READ=$!
	wait_for 20 word_is held_bios 1
}

create queue
write_data
end_key revoked inner
wait_for 20 state_is lapsed
hold_read
timeout 3 dmsetup suspend $DEV
is "a suspend with flush waits for them, and can be given up" $? 124
is "then they wait on" "$(state) $(word $DEV held_bios)" "lapsed 1"
(timeout 60 dmsetup suspend $DEV) &
SUSPEND=$!
sleep 1
check "or a key comes" set_key
wait $SUSPEND
is "and it comes to its end" $? 0
wait "$READ"
is "as they do, with the right data" $? 0
is "the device is suspended" "$(state)" suspended
dmsetup resume $DEV
end_key revoked inner
wait_for 20 state_is lapsed

# Those that are cut included.
hold_read
dd if="$WORK/data" of=$MAP bs=2M seek=2 oflag=direct conv=notrunc status=none &
WRITE=$!
# At least a read and eight pieces of 256 KiB: how many pages a bio has depends on
# which of them happen to be neighbours.
check "long writes wait in pieces" wait_for 20 holds_bios 9
check "a suspend without flush doesn't wait for them" timeout 60 dmsetup suspend --noflush $DEV
is "they are device-mapper's then" "$(state) $(word $DEV held_bios)" "lapsed 0"
new_key inner
dmsetup load $DEV --table "$(table queue)"
check "another table" timeout 60 dmsetup resume $DEV
wait "$READ"
is "serves the reads" $? 0
wait $WRITE
is "and the writes" $? 0
check "which have arrived" cmp -s "$WORK/data" \
	<(dd if=$MAP bs=2M skip=2 count=1 iflag=direct status=none)
end_key revoked inner
wait_for 20 state_is lapsed

hold_read
timeout 60 dmsetup suspend --noflush $DEV
dm_try resume $DEV
is "without a key no resume" "$DM_ERRNO" ENOKEY
set_key
check "the same table with a key" timeout 60 dmsetup resume $DEV
wait "$READ"
is "serves the reads, too" $? 0
end_key revoked inner
wait_for 20 state_is lapsed

hold_read
timeout 60 dmsetup remove --force $DEV >/dev/null 2>&1
unlike "remove --force doesn't wait for them" $? '^(124|137)$'
wait "$READ"
unlike "it ends them with an error" $? '^0$'
dm_remove $DEV

if have_module dm-log-writes; then
	make_disk MEMORY 8 null irqmode=0
	make_disk WRITELOG 8
	dm_create dmsse-log "0 $(sectors "$MEMORY") log-writes $MEMORY $WRITELOG" || bail "no log-writes"
	create queue /dev/mapper/dmsse-log
	end_key revoked inner
	wait_for 20 state_is lapsed
	ORDER="5 2 7 0 3 6 1 4" N=0
	for i in $ORDER; do
		dd if="$WORK/data" of=$MAP bs=4k skip="$i" seek="$i" count=1 oflag=direct \
			conv=notrunc status=none &
		N=$((N + 1))
		wait_for 20 word_is held_bios $N
	done
	set_key
	check "eight writes go on" wait_for 20 word_is held_bios 0
	for pid in $(jobs -p); do
		[ "$pid" = "$MONITOR" ] || wait "$pid"
	done
	check "with the right data" cmp -s <(head -c 32k "$WORK/data") \
		<(dd if=$MAP bs=4k count=8 iflag=direct status=none)
	dm_remove $DEV
	dm_remove dmsse-log
	# The log: a sector about itself, then for each write one about it, and its data.
	GOT='' at=1
	for ((i = 0; i < 64; i++)); do
		read -r sector count flags _ < <(od -An -v -tu8 -w32 -j $((at * 512)) -N 32 "$WRITELOG")
		[ "$count" = 8 ] || [ "$flags" != 0 ] || break
		[ "$count" != 8 ] || GOT+="$((sector / 8)) "
		at=$((at + 1 + count))
	done
	is "in the order in which they came" "$GOT" "$ORDER "
else
	skip "eight writes go on" "no dm-log-writes"
	skip "with the right data" "no dm-log-writes"
	skip "in the order in which they came" "no dm-log-writes"
fi

### Another lapse while they go on

# On a device that encrypts where it sends bios on, so that this takes some time.
dm_remove $DEV
new_key inner
sse_create $DEV "$(sse_line "$DISK" aes-xts-plain64 "$INNER" 0 0 "key_lease queue no_write_workqueue")" ||
	bail "no device"
WRITERS=()

# Seven of 2 MiB, each in pieces
write_all() {
	local i

	WRITERS=()
	for i in 0 1 2 3 4 5 6; do
		dd if="$WORK/data" of=$MAP bs=2M seek=$i oflag=direct conv=notrunc status=none &
		WRITERS+=($!)
	done
}

all_wait() {
	local held

	held=$(word $DEV held_bios)
	[ "${held:-0}" -gt 7 ] && [ "$held" = "$BEFORE" ] && return
	BEFORE=$held
	return 1
}

all_ended() {
	local pid

	for pid in "${WRITERS[@]}"; do
		! kill -0 "$pid" 2>/dev/null || return
	done
}

# Another key, which ends $1 milliseconds later, when some of them may have had it.
renew_and_revoke() {
	new_key inner
	{
		sleep "0.00$1"
		keyctl revoke "${ID[inner]}"
	} &
	dmsetup message $DEV 0 key set $INNER 2>/dev/null
	wait $!
	wait_for 20 state_is lapsed
}

# Tries until some have gone on and some have not.
TRIES=0 REST=0
end_key revoked inner
wait_for 20 state_is lapsed
while [ $TRIES -lt 60 ]; do
	BEFORE=0
	write_all
	wait_for 20 all_wait || break
	while [ $TRIES -lt 60 ]; do
		TRIES=$((TRIES + 1))
		renew_and_revoke $((TRIES * 3 % 10))
		REST=$(word $DEV held_bios)
		[ "$REST" = "$BEFORE" ] || break
	done
	[ "$REST" = 0 ] || break
	wait "${WRITERS[@]}"
done
if [ "$REST" -gt 0 ] && [ "$REST" -lt "$BEFORE" ]; then
	check "a lease that lapses again: the others wait on" state_is lapsed
	diag "$REST of $BEFORE, the try number $TRIES"
else
	skip "a lease that lapses again: the others wait on" "it never did in between"
fi
set_key
check "and go on as well" wait_for 20 word_is held_bios 0
check "each comes to its end" wait_for 60 all_ended || bail "one is lost"
FAILED=0
for pid in "${WRITERS[@]}"; do
	wait "$pid" || FAILED=$((FAILED + 1))
done
is "none fails" $FAILED 0
check "and all have arrived" cmp -s <(dd if=$MAP bs=2M count=7 iflag=direct status=none) \
	<(for i in 0 1 2 3 4 5 6; do cat "$WORK/data"; done)
dm_remove $DEV

### Clocks that jump

# Seconds by which the wall clock is to move. It is put right at the end.
set_clock() {
	date -s "@$(($(date +%s) + $1))" >/dev/null
}

up() {
	cut -d . -f 1 /proc/uptime
}

if [ -n "${DMSSE_RIG:-}" ]; then
	STARTED=$(($(date +%s) - $(up)))
	at_exit "date -s @\$(($STARTED + \$(up))) >/dev/null"

	# That it has ended tells something only if it wasn't over by then.
	for lease in 6 12 24; do
		create error
		BEGUN=$(up)
		keyctl timeout "${ID[inner]}" $lease
		dm_remove $DEV
		sse_create $DEV "$(table error)"
		set_clock -86400
		sleep 1
		STATE=$(state)
		if [ "$STATE" = active ] || [ $(($(up) - BEGUN)) -lt $((lease - 2)) ]; then
			break
		fi
		diag "a lease of $lease s was too short"
		date -s "@$((STARTED + $(up)))" >/dev/null
	done
	is "a clock set back by a day: a lease of seconds goes on" "$STATE" active
	check "but is no longer" wait_for $((lease + 20)) state_is lapsed
	is "as if it had expired" "$(word $DEV lapse_reason)" expired
	dmesg_mark
	dm_try message $DEV 0 key set $INNER
	is "the keyring's key hasn't, but is refused" "$DM_ERRNO" EKEYEXPIRED
	like "... with a reason" "$(said)" 'key had expired before the clock was set back: renew it'
	keyctl timeout "${ID[inner]}" 3000
	check "until it is renewed" dmsetup message $DEV 0 key set $INNER
	like "for that long" "$(state) $(word $DEV lease_seconds)" '^active (30|29)[0-9][0-9]$'

	# Renewed at about the time at which the clock was set, before or after.
	keyctl timeout "${ID[inner]}" 5000
	set_clock -86400
	sleep 2
	like "renewed before the clock is set back" "$(state) $(word $DEV lease_seconds)" \
		'^active (50|49)[0-9][0-9]$'
	set_clock -86400
	keyctl timeout "${ID[inner]}" 7000
	sleep 2
	like "renewed after that" "$(state) $(word $DEV lease_seconds)" '^active (70|69)[0-9][0-9]$'

	set_clock 86400
	check "a clock set forward: the lease ends" wait_for 20 state_is lapsed
	set_key
	keyctl timeout "${ID[inner]}" 3000
	sleep 2
	like "another key has its own time" "$(state) $(word $DEV lease_seconds)" \
		'^active (30|29)[0-9][0-9]$'
	date -s "@$((STARTED + $(up)))" >/dev/null
	dm_remove $DEV
else
	skip "clocks that jump" "not on a machine that needs its clock (DMSSE_RIG=)"
fi

### Often, under load

# RUNTIME [ARGUMENT...]
load() {
	fio --name=load --filename=$MAP --size=4M --rw=randwrite --bs=4k --ioengine=libaio \
		--direct=1 --iodepth=8 --verify=crc32c --verify_fatal=1 --verify_backlog=32 \
		--rate_iops=500 --loops=1000 --time_based --runtime="$1" "${@:2}" \
		>>"$WORK/load" 2>&1
}

# fio goes on when I/O fails, but not for ever.
load_again_and_again() {
	until [ -e "$WORK/enough" ]; do
		load 5 --continue_on_error=io
	done
}

# MODE
load_start() {
	rm -f "$WORK/load" "$WORK/enough"
	case $1 in
	error) load_again_and_again & ;;
	queue) load 600 & ;;
	esac
	LOAD=$!
	at_exit "pkill -KILL -P $LOAD; kill -KILL $LOAD 2>/dev/null; wait $LOAD 2>/dev/null || :"
	BIOS=0
	wait_for 30 load_moves || bail "no load: $(tail "$WORK/load")"
}

load_moves() {
	local now

	kill -0 "$LOAD" 2>/dev/null || return 1
	now=$(word $DEV write_bios)
	[ "${now:-0}" -gt "$((BIOS + 20))" ] && BIOS=$now
}

load_stop() {
	: >"$WORK/enough"
	pkill -INT -P "$LOAD"
	wait "$LOAD" 2>/dev/null
	if grep -qi -e 'verify: bad' -e 'verify failed' "$WORK/load"; then
		fail "$1: all that was written is right"
		diag "$(grep -i verify "$WORK/load" | head -20)"
	else
		ok "$1: all that was written is right"
	fi
}

# Every 20th by time. There is an event for each lapse and for each return.
lapse_and_return() {
	local how=revoked

	[ $(($1 % 2)) = 0 ] || how=invalidated
	[ $(($1 % 20)) != 19 ] || how=expired
	end_key $how inner
	timeout 60 dmsetup wait $DEV $((2 * $1)) || return
	[[ $(dmsetup status $DEV) = *" lapsed "*" lapse_reason:$how "* ]] || return
	set_key && timeout 60 dmsetup wait $DEV $((2 * $1 + 1)) || return
	[[ $(dmsetup status $DEV) = *" sse active "* ]]
}

for mode in error queue; do
	create $mode
	load_start $mode
	FAILED=
	for ((i = 0; i < LAPSES; i++)); do
		lapse_and_return $i || { FAILED="the $i. time: $(dmsetup status $DEV)"; break; }
	done
	is "$mode: lapse and return $LAPSES times under load" "$FAILED" ""
	BIOS=$(word $DEV write_bios)
	check "$mode: the load goes on" wait_for 60 load_moves
	load_stop "$mode"
	if [ $mode = queue ]; then
		unlike "queue: no I/O failed" "$(cat "$WORK/load")" 'err= *[1-9]|Input/output'
	fi
	is "$mode: no errors but ours" "$(word $DEV crypt_errors) $(word $DEV io_errors)" "0 0"
done

# Many at once, in all states, and gone all at once.
for ((i = 0; i < 20; i++)); do
	dm_create "dmsse-many$i" "0 64 sse aes-xts-plain64 $INNER 0 $DISK $((i * 64)) 2 key_lease error"
done
end_key revoked inner
_all_lapsed() {
	[ "$(dmsetup status | grep -c '^dmsse-many.* lapsed ')" = 20 ]
}
check "twenty devices lapse by one key" wait_for 30 _all_lapsed
FAILED=0
for ((i = 0; i < 20; i++)); do
	[ $((i % 2)) = 0 ] || dmsetup suspend "dmsse-many$i" || FAILED=1
	dmsetup remove "dmsse-many$i" || FAILED=1
done
is "and are removed" $FAILED 0

# A table that isn't the device's yet has a lease, too, and nobody hears of it.
create error
EVENTS=$(events)
new_key outer
dmsetup load $DEV --table "$(sse_line "$DISK" "$ADIANTUM" $OUTER 0 0 'key_lease error')"
end_key revoked outer
sleep 2
is "a table that isn't resumed lapses in silence" "$(state) $(events)" "active $EVENTS"
dmsetup suspend $DEV
dm_try resume $DEV
is "and cannot be resumed" "$DM_ERRNO" ENOKEY
dm_remove $DEV

### No key in any of this

leaks() {
	tr -d ' :' | grep -aiq -e "${HEX:0:32}" -e "${HEX:64:32}"
}
dmesg | leaks
is "no key in the kernel log" $? 1
if [ -n "$MONITOR" ]; then
	leaks <"$WORK/uevents"
	is "no key in uevents" $? 1
else
	skip "no key in uevents" "no udevadm, or no netlink"
fi

done_testing
