#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Eight submitters race for sectors while the device is suspended and resumed,
# loses its keys and gets others, has another table, grows, and goes away, at
# random. Whatever happens, a read returns what was written last, or fails: the
# helper racer has the history of each sector. What is on the disk in the end is
# what dm-crypt reads.
#
# Rounds take turns: in a calm one nothing happens that may fail a request, and so
# none may fail; in a wild one all things happen at the same time.
#
#	DMSSE_RACES	seconds, 20, or with DMSSE_FULL=1 600
#	DMSSE_SEED	of all that is random, but for time
#	DMSSE_ROUND	only this round of those there would be

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=racerlib.bash
. "$DMSSE_DIR/racerlib.bash"

need_cmd dmsetup keyctl blkdiscard
need_module dm-crypt
DMBATCH=$(tool dmbatch) || skip_all "the helper dmbatch is not built"
[ "${DMSSE_FULL:-0}" = 1 ] && RACES=600 || RACES=20
RACES=${DMSSE_RACES:-$RACES}
SEED=${DMSSE_SEED:-$RANDOM}
diag "DMSSE_SEED=$SEED DMSSE_RACES=$RACES"

OURS=
[ -d /sys/module/dm_sse ] || OURS=yes
load_module

DEV=dmsse-races
MAP=/dev/mapper/$DEV
LOWER=dmsse-races-below
BELOW=/dev/mapper/$LOWER
INNER=:64:logon:dmsse:races-inner
OUTER=:32:logon:dmsse:races-outer
ADIANTUM='capi:adiantum(xchacha12,aes)-plain64'

# Two disks that complete requests in different contexts, and whose sectors are
# written whole, which is what those of the device have to be.
[ "$RACES" -lt 120 ] && MIB=4 || MIB=16
make_disk SMALL "$MIB" null discard=1
make_disk LARGE "$MIB" null discard=1 blocksize=4096 irqmode=2 completion_nsec=100000
SECTORS=$(sectors "$SMALL")

# Layers, on a host without Adiantum's modules loaded.
have_module adiantum || have_module xchacha20 || :

### Keys

# Those that dm-crypt has never end; they have the same bytes.
load_key races-crypt-inner 64 races-inner
CRYPT_INNER=$REF
load_key races-crypt-outer 32 races-outer
CRYPT_OUTER=$REF
key_hex 64 races-inner | hex_to_bin >"$WORK/inner"
key_hex 32 races-outer | hex_to_bin >"$WORK/outer"

# LAYER
key_id() {
	cat "$WORK/id.$1"
}

# LAYER: another key of the same name and bytes. The old one is known by its number,
# since one that has ended isn't found by its name.
new_key() {
	[ ! -s "$WORK/id.$1" ] || keyctl unlink "$(key_id "$1")" @s 2>/dev/null
	keyctl padd logon "dmsse:races-$1" @s <"$WORK/$1" >"$WORK/id.$1"
}

new_keys() {
	new_key inner && new_key outer
}

drop_keys() {
	keyctl unlink "$(key_id inner)" @s
	keyctl unlink "$(key_id outer)" @s
}
at_exit drop_keys

### Tables

# The options of a table, without those that a round has in all of its tables.
random_options() {
	local mode

	OPTIONS=
	for mode in same_cpu_crypt no_read_workqueue no_write_workqueue submit_from_crypt_cpus; do
		[ $((RANDOM % 3)) != 0 ] || OPTIONS+=" $mode"
	done
	[ "$DMSSE_TARGET" = sse ] || return
	[ $((RANDOM % 2)) != 0 ] || ! kver_6_10 || OPTIONS+=" high_priority"
	case $MODE.$((RANDOM % 4)) in
	*.0) ;;
	wild.1 | wild.2) OPTIONS+=" key_lease error" ;;
	*) OPTIONS+=" key_lease queue" ;;
	esac
}

kver_ge 6.10 && NEW=yes || NEW=
kver_6_10() {
	[ -n "$NEW" ]
}

# Sets TABLE: all of the device below, whose size is $LENGTH.
table() {
	local opts="allow_discards $OPTIONS" words

	[ "$UNIT" = 512 ] || opts+=" sector_size:$UNIT"
	[ "$LAYERS" = 1 ] || opts+=" outer $ADIANTUM $OUTER 0"
	read -ra words <<<"$opts"
	TABLE="0 $LENGTH $DMSSE_TARGET aes-xts-plain64 $INNER 0 $BELOW 0 ${#words[@]} ${words[*]}"
}

# NAME PATH: the same as dm-crypt has it, in $1
crypt_of() {
	local below=$2 opts=

	[ "$UNIT" = 512 ] || opts=" 1 sector_size:$UNIT"
	if [ "$LAYERS" = 2 ]; then
		crypt_create "$1-outer" "0 $(sectors "$below") crypt $ADIANTUM $CRYPT_OUTER 0 $below 0$opts" ||
			return
		below=/dev/mapper/$1-outer
	fi
	crypt_create "$1" "0 $(sectors "$below") crypt aes-xts-plain64 $CRYPT_INNER 0 $below 0$opts"
}

crypt_gone() {
	dm_remove "$1"
	dm_remove "$1-outer"
}

### Actors

# Each is a process with a dmbatch of its own, which ends at $END, but not before
# it has had three turns. What it did goes to $WORK/done, one line a turn; what it
# should not have met with, to $WORK/unexpected.
actor() {
	local turns=0 fd

	ACTOR=$1
	RANDOM=$(((SEED + $2 * 7919 + ROUND * 104729) % 32768))
	{ coproc DM { exec "$DMBATCH"; }; } 2>/dev/null
	DM_RUNS=$DM_PID
	while [ $SECONDS -lt "$END" ] || [ $turns -lt 3 ] || is_needed; do
		"act_$ACTOR"
		turns=$((turns + 1))
	done
	echo "$ACTOR $turns" >>"$WORK/done"
	fd=${DM[1]}
	exec {fd}>&-
	wait "$DM_RUNS"
}

# Who mends is, by whoever hasn't come to an end: a suspend waits for what waits for a key.
is_needed() {
	[ "$ACTOR" = mend ] && [ ! -e "$WORK/ended" ]
}

# ERRNOS COMMAND NAME [TEXT]: these errnos, or none, are right
dm() {
	local expected=$1

	shift
	printf '%s\t%s\t%s\n' "$1" "$2" "${3:-}" >&"${DM[1]}"
	IFS=$'\t' read -r DM_ERRNO DM_OUT <&"${DM[0]}"
	[ "$DM_ERRNO" != 0 ] || return 0
	[[ $DM_ERRNO =~ ^($expected)$ ]] || echo "$ACTOR: $*: $DM_ERRNO" >>"$WORK/unexpected"
	return 1
}

# What a device may say that has no key; that isn't suspended; that has been taken away,
# or whose table is another at this moment.
NO_KEY='ENOKEY|EKEYREVOKED|EKEYEXPIRED'
NOT_NOW='EBUSY'
ELSE='NONE'
if [ "$DMSSE_TARGET" = crypt ]; then
	NO_KEY='EAGAIN'
	NOT_NOW='EINVAL'
fi

suspend() {
	local flags=$1

	[ "$flags" != random ] || flags=$((RANDOM % 4))
	case $flags in
	1) flags=noflush ;;
	2) flags=nolockfs ;;
	3) flags='noflush nolockfs' ;;
	*) flags= ;;
	esac
	dm "EINVAL|$ELSE" suspend "$DEV" "$flags"
}

key_messages() {
	if [ "$LAYERS" = 1 ]; then
		dm "$NOT_NOW|$NO_KEY|$ELSE" message "$DEV" "key set $INNER"
	else
		dm "$NOT_NOW|$NO_KEY|$ELSE" message "$DEV" "key set inner $INNER"
		dm "$NOT_NOW|$NO_KEY|$ELSE" message "$DEV" "key set outer $OUTER"
	fi
}

wipe() {
	local layer=

	if [ "$LAYERS" = 2 ]; then
		case $((RANDOM % 3)) in
		0) layer=' inner' ;;
		1) layer=' outer' ;;
		esac
	fi
	dm "$NOT_NOW|$ELSE" message "$DEV" "key wipe$layer"
}

# With whatever it takes. A key may have ended again by the time it is resumed.
resume() {
	until dm "$NO_KEY|$ELSE" resume "$DEV"; do
		[ "$MODE" = calm ] || return
		key_messages
		nap 20
	done
}

load() {
	random_options
	table
	until dm "$NO_KEY|$ELSE" load "$DEV" "$TABLE"; do
		[ "$MODE" = calm ] || return
		nap 20
	done
}

### ... in calm rounds

grow() {
	[ "$LENGTH" -lt "$SECTORS" ] || return
	LENGTH=$((LENGTH + SECTORS / 16))
	[ "$LENGTH" -le "$SECTORS" ] || LENGTH=$SECTORS
	# Device-mapper refuses and drops a table if another one resumes the device just
	# then, and the other may be who is told.
	until [ "$(sectors $BELOW)" = "$LENGTH" ]; do
		dm "$ELSE" load $LOWER "0 $LENGTH linear $DISK 0"
		dm "EINVAL|$ELSE" suspend $LOWER
		dm "EINVAL|$ELSE" resume $LOWER
	done
	load
	suspend random
	resume
	order size $((LENGTH / (UNIT / 512)))
	echo "growth 1" >>"$WORK/done"
}

# One after the other: nobody shall resume it, and have it wiped at that moment.
act_control() {
	case $((RANDOM % 10)) in
	0)
		suspend random
		nap $((RANDOM % 50))
		resume
		;;
	1 | 2)
		suspend random
		wipe
		dm "$NO_KEY" resume "$DEV"
		nap $((RANDOM % 50))
		key_messages
		resume
		echo "wipe 1" >>"$WORK/done"
		;;
	3 | 4)
		load
		suspend random
		nap $((RANDOM % 20))
		resume
		;;
	5 | 6)
		# Refused, unless there is nothing to lose any more.
		wipe
		load
		wipe
		dm "$ELSE" clear "$DEV"
		;;
	7)
		grow
		;;
	8 | 9)
		await_lapse
		suspend random
		[ $((RANDOM % 2)) = 0 ] || load
		resume
		;;
	esac
	nap $((RANDOM % 100))
}

# Some requests wait by then, if the table is one with a lease.
await_lapse() {
	local i

	for ((i = 0; i < 50; i++)); do
		dm "$ELSE" status "$DEV"
		[[ $DM_OUT != *" lapsed "* ]] || break
		nap 10
	done
	nap $((RANDOM % 30))
}

# The device below has nobody else that would suspend it, but for grow().
act_below() {
	dm "EINVAL|$ELSE" suspend $LOWER noflush
	nap $((RANDOM % 20))
	dm "EINVAL|$ELSE" resume $LOWER
	nap $((RANDOM % 300))
}

act_lease() {
	local layer=inner id

	[ "$LAYERS" = 1 ] || [ $((RANDOM % 2)) = 0 ] || layer=outer
	id=$(key_id $layer)
	case $((RANDOM % 10)) in
	[0-3]) keyctl revoke "$id" ;;
	[4-6]) keyctl invalidate "$id" ;;
	7) keyctl timeout "$id" 1; nap 1100 ;;
	8) keyctl timeout "$id" 2; nap $((RANDOM % 1000)); keyctl timeout "$id" 3000 ;;
	9) keyctl unlink "$id" @s ;;
	esac 2>/dev/null
	nap $((RANDOM % 150))
	new_key $layer
	nap $((RANDOM % 50))
	if [ $((RANDOM % 3)) = 0 ]; then
		# One that ends while requests that waited for it go on.
		keyctl revoke "$(key_id $layer)" &
		key_messages
		wait $!
		new_key $layer
	fi
	key_messages
	nap $((RANDOM % 100))
}

act_status() {
	dm "$ELSE" status "$DEV"
	[[ ! $DM_OUT =~ crypt_errors:[1-9] ]] || echo "status: $DM_OUT" >>"$WORK/unexpected"
	dm "$ELSE" table "$DEV"
	dm "$ELSE" inactive "$DEV"
	nap $((RANDOM % 20))
}

### ... in wild ones

act_suspend() {
	suspend random
	nap $((RANDOM % 30))
	dm "EINVAL|$NO_KEY|$ELSE" resume "$DEV"
	nap $((RANDOM % 100))
}

act_wipe() {
	suspend random
	wipe
	nap $((RANDOM % 20))
	key_messages
	dm "EINVAL|$NO_KEY|$ELSE" resume "$DEV"
	nap $((RANDOM % 200))
}

act_reload() {
	load
	[ $((RANDOM % 3)) = 0 ] || suspend random
	dm "EINVAL|$NO_KEY|$ELSE" resume "$DEV"
	nap $((RANDOM % 100))
}

# A table of errors, here or below.
act_error() {
	local dev=$DEV

	[ $((RANDOM % 2)) = 0 ] || dev=$LOWER
	dm "$ELSE" load "$dev" "0 $LENGTH error"
	dm "EINVAL|$ELSE" suspend "$dev" noflush
	dm "EINVAL|$NO_KEY|$ELSE" resume "$dev"
	nap $((RANDOM % 30))
	if [ "$dev" = $LOWER ]; then
		dm "$ELSE" load $LOWER "0 $LENGTH linear $DISK 0"
		dm "EINVAL|$ELSE" suspend $LOWER
		dm "$ELSE" resume $LOWER
	else
		act_mend
	fi
	nap $((RANDOM % 1000))
}

# Things can come to a standstill that only another one ends. So here is one.
act_mend() {
	if dm "$ELSE" status "$DEV"; then
		case $DM_OUT in
		*" $DMSSE_TARGET "*) key_messages ;;
		*) load ;;
		esac
		dm "EINVAL|$NO_KEY|$ELSE" resume "$DEV"
	fi
	nap $((RANDOM % 200))
}

create() {
	random_options
	table
	until dmsetup create $DEV --table "$TABLE" 2>/dev/null; do
		[ "${1:-}" != once ] || return
		nap 50
		random_options
		table
	done
}

is_gone() {
	! dmsetup info $DEV >/dev/null 2>&1
}

act_remove() {
	local how=$((RANDOM % 3))

	case $how in
	0) dmsetup remove --deferred $DEV ;;
	1) dmsetup remove --force $DEV ;;
	esac >/dev/null 2>&1
	order halt
	if [ $how != 0 ]; then
		until dmsetup remove $DEV 2>/dev/null; do
			nap 20
		done
	fi
	wait_for 60 is_gone || echo "remove: it is still there" >>"$WORK/unexpected"
	nap $((RANDOM % 200))
	create
	order go
	nap $((RANDOM % 1500))
}

### Rounds

# As it should be, so that what is under way can end.
settle() {
	new_keys
	OPTIONS=
	table
	dmsetup load $LOWER --table "0 $LENGTH linear $DISK 0"
	dmsetup resume --noflush $LOWER || return
	if is_gone; then
		create once
		return
	fi
	dmsetup load $DEV --table "$TABLE" && dmsetup resume --noflush --nolockfs $DEV
}

start_actors() {
	local actor n=0 mender=

	ACTORS=()
	rm -f "$WORK/ended"
	for actor; do
		actor "$actor" $((n += 1)) 2>"$WORK/actor.$actor" &
		ACTORS+=($!)
		[ "$actor" != mend ] || mender=$!
	done
	at_exit "kill ${ACTORS[*]} 2>/dev/null || :"
	for actor in "${ACTORS[@]}"; do
		[ "$actor" = "$mender" ] || wait "$actor"
	done
	: >"$WORK/ended"
	[ -z "$mender" ] || wait "$mender"
}

configure() {
	RANDOM=$(((SEED + ROUND * 31) % 32768))
	LAYERS=1 UNIT=512 DISK=$SMALL POLICY=
	if [ "$DMSSE_TARGET" = sse ]; then
		LAYERS=$((1 + RANDOM % 2))
		[ -z "$OURS" ] || [ -n "${DMSSE_POLICY:-}" ] ||
			case $((RANDOM % 4)) in
			0) POLICY=policy=spread ;;
			1) POLICY=policy=here ;;
			esac
	fi
	if [ $((RANDOM % 2)) = 0 ]; then
		UNIT=4096
		DISK=$LARGE
	fi
	LENGTH=$SECTORS
	[ "$MODE" = wild ] || LENGTH=$((SECTORS / 2))
	ROUND_NAME="round $ROUND, $MODE, $LAYERS x $UNIT${POLICY:+, $POLICY}"
}

# All there is to be seen without a failure is seen by now.
said() {
	head -n 60 "$WORK/racer"
}

# MODE SECONDS
round() {
	local opts=() actors leases

	MODE=$1
	configure
	[ -z "$POLICY" ] || reload_module "$POLICY"
	rm -f "$WORK/unexpected" "$WORK/done"
	dmesg_mark
	blkdiscard -f "$DISK" 2>/dev/null || bail "no discards on $DISK"
	if [ "$MODE" = calm ]; then
		ELSE=NONE
		actors='control below status'
		leases=lease
	else
		ELSE='ENXIO|EINVAL|EBUSY|ENOKEY'
		opts=(--errors --loose-discards)
		actors='suspend wipe reload error mend remove status'
		leases=lease
	fi
	[ "$DMSSE_TARGET" = sse ] && actors+=" $leases"

	new_keys || bail "no keys"
	crypt_of dmsse-races-crypt "$DISK" || bail "no dm-crypt"
	dm_create $LOWER "0 $LENGTH linear $DISK 0" || bail "no linear"
	at_exit "dm_remove $DEV"
	create once || bail "no device"
	racer_start --think 3000 --patience 120 --unit "$UNIT" --size $((LENGTH / (UNIT / 512))) --max $((SECTORS / (UNIT / 512))) \
		--base /dev/mapper/dmsse-races-crypt --seed $((SEED + ROUND)) "${opts[@]}" $MAP ||
		bail "no racer: $(said)"
	crypt_gone dmsse-races-crypt

	order go
	END=$((SECONDS + $2))
	# shellcheck disable=SC2086 # words
	start_actors $actors
	is "$ROUND_NAME: nothing happened that should not" \
		"$(sort "$WORK/unexpected" 2>/dev/null | uniq -c | sort -rn | head -n 20)" ""
	# What has grown, has in the actor only.
	LENGTH=$(sectors $BELOW)
	check "$ROUND_NAME: the device can be had in the end" settle
	check "$ROUND_NAME: every request was answered, and each read right" order halt
	unlike "$ROUND_NAME: no error of a cipher" "$(dmsetup status $DEV)" 'crypt_errors:[1-9]'
	check "$ROUND_NAME: so is all that the device holds" order check $MAP
	dm_remove $DEV
	crypt_of dmsse-races-crypt "$BELOW"
	check "$ROUND_NAME: dm-crypt says the same" order check /dev/mapper/dmsse-races-crypt
	crypt_gone dmsse-races-crypt
	check "$ROUND_NAME: no plaintext on the disk" order raw $BELOW
	order report
	racer_end
	is "$ROUND_NAME: nothing else" "$RACER_RC" 0 || diag "$(said)"
	like "$ROUND_NAME: requests met others" "$(cat "$WORK/racer")" ' [1-9][0-9]* met others'
	echo "lapses $(dmesg_since | grep -c ': I/O \(fails\|waits\) until')" >>"$WORK/done"
	diag "$(awk '{ n[$1] += $2 } END { for (a in n) printf "%s %s ", a, n[a] }' "$WORK/done")"
	diag "$(grep -E '^racer: [0-9]+ ' "$WORK/racer" | sed 's/^racer: //' | tr '\n' ';')"
	cat "$WORK"/actor.* | sort | uniq -c | sort -rn | head -n 5 >"$WORK/complaints"
	[ ! -s "$WORK/complaints" ] || diag "$(cat "$WORK/complaints")"
	dm_remove $LOWER
	[ -z "$POLICY" ] || reload_module
}

ROUNDS=$((RACES / 30))
[ "$ROUNDS" -ge 2 ] || ROUNDS=2
for ((ROUND = 1; ROUND <= ROUNDS; ROUND++)); do
	[ "$ROUND" = "${DMSSE_ROUND:-$ROUND}" ] || continue
	[ $((ROUND % 2)) = 1 ] && MODE=calm || MODE=wild
	round "$MODE" $((RACES / ROUNDS))
done

done_testing
