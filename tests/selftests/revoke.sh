#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A key is taken away, and its disks go away with it: without anybody's help,
# when the lease ends, and not before. All causes at once, each with a disk of
# either mode under fio:
#
#	disabled	the set was disabled
#	deleted		the file of the key was removed
#	destroyed	the key was destroyed in its token
#	pulled		the token was pulled
#	unreachable	whoever holds the key doesn't answer any more
#	now		the set was disabled with --now
#	kept		nothing happens; later the one who renews is killed
#
# The delay between the cause and the first I/O that failed or was held is
# printed. It isn't judged: leases are as long as this machine needs to renew
# them in time. At the end one set lapses and returns under load, again and
# again.
#
#	revoke.sh [TIMES [CAUSE...]]	default: 100; 5 where the kernel is emulated;
#					all causes; kept has to be among them

. "$(dirname "$0")/lib.sh"
. "$DMSSE_DIR/deslib.bash"
need_cmd fio
need_hsm
need_shim

CAUSES=("${@:2}")
[ ${#CAUSES[@]} -gt 0 ] || CAUSES=(disabled deleted destroyed pulled unreachable now kept)
DISKS=()
for cause in "${CAUSES[@]}"; do
	DISKS+=("dmsse-$cause-error" "dmsse-$cause-queue")
done
has() {
	[[ " ${CAUSES[*]} " = *" $1 "* ]]
}
# More than anything should ever take, but for the end of a lease.
LONG=240

# Its set is named like the cause.
set_of() {
	local set=${1#dmsse-}

	echo "${set%-*}"
}

### A set for each cause, with a disk of each mode

pem main
for token in gone pulled far; do
	hsm_token "$token"
	hsm_key "$token" disks 01 "$KEYS/main.pem"
done

key_of() {
	case $1 in
	destroyed)	hsm_uri gone disks ;;
	pulled)		hsm_uri pulled disks ;;
	unreachable)	shim_uri far disks ;;
	*)		echo "file:$KEYS/$1.pem" ;;
	esac
}

make_set() {
	local uri args=()

	uri=$(key_of "$1")
	case $uri in
	file:*)	cp -p "$KEYS/main.pem" "${uri#file:}" ;;
	*)	args+=(--identity "file:$PINFILE") ;;
	esac
	"$SSESETUP" des create "$1" --type customer --key "$uri" --lease 1h --kek-timeout 120 "${args[@]}"
}

# NAME: the mode is the set's at the moment.
make_disk_of() {
	local set mode=${1##*-}

	set=$(set_of "$1")
	sed -i "s/^on-lapse = .*/on-lapse = $mode/" "/etc/dm-sse/des/$set.conf"
	truncate -s 16M "$WORK/$1.img"
	"$SSESETUP" format -q "$WORK/$1.img" --des "$set" &&
		"$SSESETUP" open "$WORK/$1.img" "$1" &&
		put "$1" 2 "$1" &&
		[[ $(dmsetup table "$1") = *" key_lease $mode"* ]]
}

for cause in "${CAUSES[@]}"; do
	check "$cause: a set" make_set "$cause"
done
for disk in "${DISKS[@]}"; do
	check "${disk#dmsse-}: a disk" make_disk_of "$disk"
done
[ "$TAP_FAILED" = 0 ] || bail "no disks"

### Load

declare -A FIO=()

# NAME [OPTION...]: what it writes is read again and compared while it runs.
start_fio() {
	fio --name="$1" --filename="/dev/mapper/$1" --offset=4M --size=4M --rw=randwrite --bs=4k \
		--direct=1 --ioengine=psync --thinktime=100ms --time_based --runtime=3600 \
		--verify=crc32c --verify_backlog=8 --verify_fatal=1 --output="$WORK/$1.fio" \
		"${@:2}" >/dev/null 2>&1 </dev/null &
	FIO[$1]=$!
}

stop_fio() {
	local name

	for name in "${!FIO[@]}"; do
		kill -INT "${FIO[$name]}" 2>/dev/null
	done
	for name in "${!FIO[@]}"; do
		wait "${FIO[$name]}" 2>/dev/null
		unset "FIO[$name]"
	done
}
# What waits for a key can't be killed before it is told that none will come.
kill_fio() {
	local disk

	[ ${#FIO[@]} -gt 0 ] || return 0 # or "wait" would have no arguments
	kill -KILL "${FIO[@]}" 2>/dev/null
	for disk in "${DISKS[@]}"; do
		state_is "$disk" active || timeout 60 dmsetup remove --force "$disk"
	done
	wait "${FIO[@]}" 2>/dev/null
	return 0
}
at_exit kill_fio

fio_error() {
	sed -n 's/.*err= *\([0-9]*\).*/\1/p' "$WORK/$1.fio" | sort -n | tail -n 1
}

runs() {
	kill -0 "${FIO[$1]}" 2>/dev/null
}

### Who renews: a loop in the place of the timer

renewer() {
	trap 'exit 0' TERM
	while :; do
		"$SSESETUP" lease renew --all >"$WORK/renew.log" 2>&1 </dev/null
		sleep 0.2
	done
}
RENEWER=
start_renewer() {
	renewer &
	RENEWER=$!
}
kill_renewer() {
	[ -z "$RENEWER" ] || kill -KILL "$RENEWER" 2>/dev/null
	wait "$RENEWER" 2>/dev/null
	RENEWER=
}
# The last round of one that was killed goes on without it.
round_over() {
	! pgrep -f "^$SSESETUP lease renew --all" >/dev/null
}
at_exit 'kill_renewer; wait_for 60 round_over'

set_lease() {
	sed -i "s/^lease = .*/lease = ${1}s/" /etc/dm-sse/des/*.conf
}

for disk in "${DISKS[@]}"; do
	start_fio "$disk"
done
check "all leases are renewed" renew_at_once
STARTED=$SECONDS
check "... again, under load" renew_at_once
ROUND=$((SECONDS - STARTED + 1))
# A provider that hangs makes a round twice as long.
LEASE=$((3 * ROUND + 3))
! has unreachable ||
	sed -i "s/^key-timeout = .*/key-timeout = ${ROUND}s/" /etc/dm-sse/des/unreachable.conf
set_lease "$LEASE"
diag "a round of renewals takes up to $ROUND s; leases are of $LEASE s"

### As long as the key can be used, disks stay

all_active() {
	local disk

	for disk in "${DISKS[@]}"; do
		state_is "$disk" active || return
	done
}
# One that had lapsed for a moment is active again, but fio has seen it.
all_undisturbed() {
	local disk

	for disk in "${DISKS[@]}"; do
		runs "$disk" || return
	done
	all_active
}
start_renewer
# On a machine that stalls now and then even that may be too short: then it is
# begun anew with more. What isn't renewed at all lapses each time.
for tries in 1 2 3; do
	sleep $((2 * LEASE))
	! all_undisturbed || break
	diag "leases of $LEASE s were too short"
	LEASE=$((2 * LEASE))
	set_lease "$LEASE"
	wait_for $LONG all_active
	for disk in "${DISKS[@]}"; do
		runs "$disk" || start_fio "$disk"
	done
done
[ "$tries" = 1 ] || diag "leases are of $LEASE s now"
LONG=$((LONG + 4 * LEASE))
for disk in "${DISKS[@]}"; do
	check "${disk#dmsse-}: renewed over two leases" state_is "$disk" active
done
for disk in "${DISKS[@]}"; do
	runs "$disk" || fail "${disk#dmsse-}: fio runs" "$(cat "$WORK/$disk.fio")"
done

### The causes

declare -A CAUSE_AT=() END_AT=()

take_away() {
	case $1 in
	disabled)	"$SSESETUP" des disable "$1" -q ;;
	deleted)	mv "$KEYS/$1.pem" "$WORK/$1.away" ;;
	destroyed)	pkcs11-tool --module "$HSM_MODULE" --token-label gone --login --pin "$PIN" \
				--delete-object --type privkey --label disks ;;
	pulled)		mkdir "$WORK/pocket" && mv "$(token_dir pulled)" "$WORK/pocket/" ;;
	unreachable)	: >"$WORK/shim/hang-C_Decrypt" ;;
	now)		"$SSESETUP" des disable "$1" --now -q ;;
	esac
}

# SoftHSM2 has a directory for each token, which has the label inside.
token_dir() {
	grep -l -r -a "$1" "$WORK/tokens" --include=token.object | head -n 1 | xargs dirname
}

# The first sign: fio of a disk in mode error has given up, one in mode queue waits.
look() {
	local name held

	while IFS=: read -r name held; do
		[ -z "${END_AT[$name]:-}" ] || continue
		case $name in
		*-error)	runs "$name" || END_AT[$name]=$EPOCHREALTIME ;;
		*-queue)	[ "${held:-0}" = 0 ] || END_AT[$name]=$EPOCHREALTIME ;;
		esac
	done < <(dmsetup status --target sse | awk '{
		held = 0
		for (i = 5; i <= NF; i++)
			if ($i ~ /^held_bios:/)
				held = substr($i, 11)
		print $1 held }')
}

# DISK...: until all of them have ended.
watch_until_gone() {
	local until=$((SECONDS + LONG)) disk

	for disk; do
		until [ -n "${END_AT[$disk]:-}" ]; do
			[ "$SECONDS" -lt "$until" ] || return 1
			look
			sleep 0.05
		done
	done
}

delay() {
	awk -v from="${CAUSE_AT[$1]}" -v to="${END_AT[$1]}" 'BEGIN {printf "%.1f", to - from}'
}

# DISK REASON
judge_gone() {
	local what=${1#dmsse-}

	if [ -z "${END_AT[$1]:-}" ]; then
		fail "$what: goes away" "$(dmsetup status "$1")"
		return
	fi
	ok "$what: goes away"
	diag "$what: $(delay "$1") s after the cause, lease of $LEASE s"
	check "... by itself: $2" wait_for $LONG lapsed_for "$1" "$2"
	if [ "${1##*-}" = error ]; then
		is "... fio has an I/O error" "$(fio_error "$1")" 5
		unset "FIO[$1]"
	else
		check "... fio waits" runs "$1"
	fi
}

lapsed_for() {
	state_is "$1" lapsed && [ "$(word "$1" lapse_reason)" = "$2" ]
}

look
is "nothing was lost before the causes" "${#END_AT[@]}" 0
GONE=()
for cause in "${CAUSES[@]}"; do
	[ "$cause" != kept ] || continue
	look
	for mode in error queue; do
		disk=dmsse-$cause-$mode
		GONE+=("$disk")
		CAUSE_AT[$disk]=$EPOCHREALTIME
		[ -z "${END_AT[$disk]:-}" ] || fail "$cause-$mode: not before its cause"
	done
	take_away "$cause" >"$WORK/cause.out" 2>&1 || fail "$cause: taken away" "$(cat "$WORK/cause.out")"
done
watch_until_gone "${GONE[@]}"
for disk in "${GONE[@]}"; do
	case $disk in
	dmsse-now-*)	judge_gone "$disk" revoked ;;
	*)		judge_gone "$disk" expired ;;
	esac
done
for mode in error queue; do
	check "kept-$mode: a provider that hangs doesn't hold back another set" \
		state_is "dmsse-kept-$mode" active
	check "... fio runs" runs "dmsse-kept-$mode"
done

# Nobody can bring them back while the cause is there.
renewal_says() {
	has "$1" || return 0
	sse lease renew "dmsse-$1-error"
	like "$1: renewal says $2" "$RC $OUT" "^2 .*$3"
}
renewal_says deleted "what is missing" "deleted.pem"
renewal_says destroyed "so" "gone"
renewal_says pulled "so" "token pulled isn't there"
renewal_says unreachable "that it gave up in time" "$ROUND s"
renewal_says disabled "so" "is disabled: 'ssesetup des enable disabled'"
for disk in "${GONE[@]}"; do
	check "${disk#dmsse-}: stays away" state_is "$disk" lapsed
done

### The return

bring_back() {
	case $1 in
	disabled | now)	"$SSESETUP" des enable "$1" ;;
	deleted)	mv "$WORK/$1.away" "$KEYS/$1.pem" ;;
	destroyed)	pkcs11-tool --module "$HSM_MODULE" --token-label gone --login --pin "$PIN" \
				--delete-object --type pubkey --label disks &&
			hsm_key gone disks 01 "$KEYS/main.pem" ;;
	pulled)		mv "$WORK"/pocket/* "$WORK/tokens/" ;;
	unreachable)	rm "$WORK/shim/hang-C_Decrypt" ;;
	esac
}

for cause in "${CAUSES[@]}"; do
	[ "$cause" = kept ] || check "$cause: the key is back" bring_back "$cause"
done
is_back() {
	state_is "$1" active
}
for disk in "${GONE[@]}"; do
	check "... and so is ${disk#dmsse-}" wait_for $LONG is_back "$disk"
	check "... nothing is lost" holds "$disk" 2 "$disk"
	[ "${disk##*-}" = error ] || check "... what waited went on" runs "$disk"
done
check "... renewal has nothing to complain of" wait_for $LONG renew_at_once

### The one who renews is killed

for mode in error queue; do
	CAUSE_AT[dmsse-kept-$mode]=$EPOCHREALTIME
done
kill_renewer
watch_until_gone dmsse-kept-error dmsse-kept-queue
for mode in error queue; do
	judge_gone "dmsse-kept-$mode" expired
done
check "the last round of renewals is over" wait_for $LONG round_over
for disk in "${DISKS[@]}"; do
	wait_for $LONG state_is "$disk" lapsed || fail "${disk#dmsse-}: nobody renewed it"
done
set_lease 3600
right "one renewal brings all of them back" lease renew --all
for disk in "${DISKS[@]}"; do
	check "${disk#dmsse-}: is back" state_is "$disk" active
	check "... nothing is lost" holds "$disk" 2 "$disk"
	check "... its lapse is in the audit" \
		grep -q "\"event\":\"lapse\".*\"mapping\":\"$disk\"" /var/log/dm-sse/audit.jsonl
done
sleep 1
for disk in "${DISKS[@]}"; do
	[[ $disk != *-queue ]] || check "${disk#dmsse-}: fio goes on" runs "$disk"
done
stop_fio
for disk in "${DISKS[@]}"; do
	[[ $disk != *-queue ]] || is "${disk#dmsse-}: without an error" "$(fio_error "$disk")" 0
done

### Lapse and return, again and again

TIMES=100
! grep -qi "model name.*QEMU TCG" /proc/cpuinfo || TIMES=5
TIMES=${1:-$TIMES}
for disk in "${DISKS[@]}"; do
	[[ $disk = dmsse-kept-* ]] || "$SSESETUP" close "$disk" || fail "close $disk"
done
declare -A WRITTEN=()
for disk in dmsse-kept-error dmsse-kept-queue; do
	WRITTEN[$disk]=$(word "$disk" write_bios)
done
has_begun() {
	[ "$(word "$1" write_bios)" -gt "${WRITTEN[$1]}" ]
}
start_fio dmsse-kept-queue --thinktime=2ms
start_fio dmsse-kept-error --thinktime=2ms --continue_on_error=all --verify=0
# One that is stopped as it starts tells of no result.
for disk in "${!WRITTEN[@]}"; do
	check "${disk#dmsse-}: fio has begun" wait_for $LONG has_begun "$disk"
done
FLAPS=0
flap() {
	"$SSESETUP" des disable kept --now -q || return
	wait_for $LONG state_is dmsse-kept-queue lapsed || return
	wait_for $LONG state_is dmsse-kept-error lapsed || return
	"$SSESETUP" des enable kept || return
	wait_for $LONG state_is dmsse-kept-queue active || return
	wait_for $LONG state_is dmsse-kept-error active
}
while [ $FLAPS -lt "$TIMES" ]; do
	flap >"$WORK/flap.out" 2>&1 || break
	FLAPS=$((FLAPS + 1))
done
[ $FLAPS = "$TIMES" ] || diag "$(cat "$WORK/flap.out")"
is "lapsed and returned under load, times" "$FLAPS" "$TIMES"
check "fio goes on, mode queue" runs dmsse-kept-queue
check "... mode error" runs dmsse-kept-error
stop_fio
is "... without an error, mode queue" "$(fio_error dmsse-kept-queue)" 0
check "nothing is lost, mode queue" holds dmsse-kept-queue 2 dmsse-kept-queue
check "... mode error" holds dmsse-kept-error 2 dmsse-kept-error
is "nothing is held any more" "$(word dmsse-kept-queue held_bios)" 0
for disk in dmsse-kept-error dmsse-kept-queue; do
	right "close" close "$disk"
done

done_testing
