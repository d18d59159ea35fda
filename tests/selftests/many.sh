#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Many disks of a set through ssesetup, $DMSSE_MANY of them (20; 200 with
# DMSSE_FULL=1): opened, listed, measured, renewed, rotated, revoked and closed. What
# looks at all of them reads in proportion to how many they are, and what is about
# one of them reads no more for there being others. How long each took is told.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=deslib.bash
. "$DMSSE_DIR/deslib.bash"
need_cmd jq

if [ "${DMSSE_FULL:-0}" = 1 ]; then
	MANY=${DMSSE_MANY:-200}
else
	MANY=${DMSSE_MANY:-20}
fi
HALF=$((MANY / 2))
AUDIT=/var/log/dm-sse/audit.jsonl
[ "$MANY" -ge 20 ] || bail "DMSSE_MANY is for 20 and more"

ssesetup() {
	"$SSESETUP" "$@" </dev/null
}

# Milliseconds since the last call.
lap() {
	local now=${EPOCHREALTIME/./}

	LAP=$(((now - LAP_BEGIN) / 1000))
	LAP_BEGIN=$now
}
LAP_BEGIN=${EPOCHREALTIME/./}

# Calls of read() and the like that a command made, to READS: the kernel adds a
# child's to those of who waits for it.
counts_reads() {
	[ -r /proc/$$/io ]
}

reads_of() {
	local before after

	before=$(sed -n 's/^syscr: //p' /proc/$$/io)
	"$@" >/dev/null
	after=$(sed -n 's/^syscr: //p' /proc/$$/io)
	READS=$((after - before))
}

# What looks at all disks, with as many open as there are; twice as many may take
# twice as much, and what a process reads to begin with. Not four times as much.
LOOKS=("list --json" metrics "check --all" "lease renew --all" "des where-used gold" "des show gold")
declare -A AT_HALF=()

look_at_half() {
	local look

	for look in "${LOOKS[@]}"; do
		# shellcheck disable=SC2086
		reads_of ssesetup $look
		AT_HALF[$look]=$READS
	done
	reads_of ssesetup status dmsse-many-1
	AT_HALF[status]=$READS
}

compare_with_half() {
	local look

	for look in "${LOOKS[@]}"; do
		lap
		# shellcheck disable=SC2086
		reads_of ssesetup $look
		lap
		diag "$look: $LAP ms, $READS reads; with $HALF disks ${AT_HALF[$look]} reads"
		is "$look reads no more than in proportion" \
			"$((READS <= 5 * AT_HALF[$look] / 2 + 20))" 1
	done
	reads_of ssesetup status dmsse-many-1
	diag "status: $READS reads, with $HALF disks ${AT_HALF[status]}"
}

### Opened

right "a set" des create gold --type platform --lease 1h --kek-timeout 120
right "another" des create silver --type platform --lease 1h --kek-timeout 120

set_of() {
	[ $(($1 % 10)) = 9 ] && echo silver || echo gold
}

format_and_open() {
	local image=$WORK/many-$1

	truncate -s 3M "$image"
	ssesetup format -q "$image" --des "$(set_of "$1")" && ssesetup open "$image" "dmsse-many-$1"
}

open_some() {
	local i

	for ((i = $1; i < $2; i++)); do
		format_and_open "$i" || return
	done
}

lap
check "the first ten" open_some 0 10 || bail "no disks"
lap
diag "the first ten are formatted and opened in $((LAP / 10)) ms each"
check "those up to $HALF" open_some 10 $HALF
! counts_reads || look_at_half
check "the others" open_some $HALF $((MANY - 10))
lap
check "the last ten" open_some $((MANY - 10)) "$MANY"
lap
diag "the last ten are formatted and opened in $((LAP / 10)) ms each"

for i in 0 $HALF $((MANY - 1)); do
	put "dmsse-many-$i" 1 "many-$i"
done
hold_all() {
	for i in 0 $HALF $((MANY - 1)); do
		holds "dmsse-many-$i" 1 "many-$i" || return
	done
}
check "the first, one in the middle and the last have their data" hold_all

### Looked at

in_state() {
	[ "$(dmsetup status --target sse | awk -v state="$1" '$5 == state' | wc -l)" = "$2" ]
}
check "all are active" in_state active "$MANY"
is "all are listed" "$(ssesetup list --json | jq '[.disks[] | select(.state == "active")] | length')" "$MANY"
ssesetup metrics >"$WORK/metrics"
is "all are in the metrics" "$(grep -c '^dm_sse_disk_info{' "$WORK/metrics")" "$MANY"
is "... and of the set" "$(sed -n 's/^dm_sse_des_disks{des="gold"} //p' "$WORK/metrics")" $((MANY * 9 / 10))
is "each has a key of its own" "$(grep -c 'dmsse:dmsse-many-' /proc/keys)" "$MANY"
status_of_all() {
	local i

	for ((i = 0; i < MANY; i++)); do
		ssesetup status "dmsse-many-$i" | grep -q 'state: *active' || return
	done
}
lap
check "each tells its status" status_of_all
lap
diag "status: $((LAP / MANY)) ms each"
# Of keys that are others' "key list" tells.
add_keys() {
	local i

	for ((i = $1; i < $2; i++)); do
		echo "$i" | add_key user "dmsse-user:many-$i"
	done
}
if counts_reads; then
	compare_with_half
	add_keys 0 "$MANY"
	reads_of ssesetup key list
	few=$READS
	add_keys "$MANY" $((3 * MANY))
	is "key list has all" "$(ssesetup key list | grep -c 'dmsse-user:many-')" $((3 * MANY))
	reads_of ssesetup key list
	diag "key list: $READS reads for $((4 * MANY)) keys, $few for $((2 * MANY))"
	is "... and reads no more than in proportion" "$((READS <= 5 * few / 2 + 20))" 1
	keyctl purge -p user dmsse-user:many- >/dev/null
else
	skip "what looks at all disks reads no more than in proportion" "this kernel counts no reads"
fi

### Renewed, rotated

left() {
	dmsetup status --target sse | sed -n 's/.* lease_seconds:\([0-9]*\) .*/\1/p' | sort -n | head -n 1
}
before=$(grep -c '"renew"' "$AUDIT")
sleep 3
least=$(left)
lap
right "all leases are renewed" lease renew --all
lap
diag "renewed in $((LAP / MANY)) ms each"
check "... of all" test "$(left)" -gt "$least"
is "... and the audit has each, before and after" "$(($(grep -c '"renew"' "$AUDIT") - before))" $((2 * MANY))
lap
right "all of a set are rotated" des rotate gold
lap
diag "rotated in $((LAP * 10 / 9 / MANY)) ms each"
is "... none is behind" "$(ssesetup list --json |
	jq -r '.disks[] | select(.des == "gold") | .layers[0]."key-version"' | sort | uniq -c | wc -l)" 1
check "nothing is lost by it" hold_all

### Revoked, and closed without a key

right "a set is disabled" des disable -q --now gold
check "all its disks lapse" wait_for 60 in_state lapsed $((MANY * 9 / 10))
check "those of the other don't" in_state active $((MANY / 10))
right "enabled" des enable gold
check "all are back" wait_for 60 in_state active "$MANY"
check "... with their data" hold_all
right "disabled again" des disable -q --now gold
check "all its disks lapse again" wait_for 60 in_state lapsed $((MANY * 9 / 10))

close_some() {
	local i

	for ((i = $1; i < $2; i++)); do
		ssesetup close "dmsse-many-$i" || return
	done
}
if counts_reads; then
	reads_of close_some 0 5
	diag "closed without a key: $((READS / 5)) reads each, while there are $MANY"
	FIRST=$READS
else
	check "disks without a key are closed" close_some 0 5
fi
lap
check "more of them" close_some 5 $((MANY - 6))
lap
diag "closed in $((LAP / (MANY - 11))) ms each"
if counts_reads; then
	reads_of close_some $((MANY - 6)) $((MANY - 1))
	diag "closed without a key: $((READS / 5)) reads each, while there are 5"
	# The keys that are left are looked through once for each layer.
	is "one among many takes few more reads than one among few" \
		"$((FIRST <= READS + 5 * (2 * MANY + 20)))" 1
else
	check "the last ones" close_some $((MANY - 6)) $((MANY - 1))
fi
check "and the last" close_some $((MANY - 1)) "$MANY"
is "no mapping is left" "$(dmsetup ls | grep -c dmsse-many)" 0
is "no key is left" "$(grep -c 'dmsse:dmsse-many-' /proc/keys)" 0

done_testing
