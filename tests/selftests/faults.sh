#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Memory that is not to be had: each allocation that the module can cause fails once,
# and then all of them at a time. What is to be made is then made or not, nothing of
# it stays behind, and what was there works; I/O goes on with what is in reserve.
#
# It needs a kernel with fault injection. What may fail is bounded to what has the
# module on its stack: nobody else fails, whoever runs beside the test. With
# DMSSE_FULL=1 there are more kinds of tables.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

FAULTS=/sys/kernel/debug
for file in $FAULTS/failslab/require-start $FAULTS/fail_page_alloc/require-start \
	/proc/thread-self/fail-nth; do
	[ -e "$file" ] || skip_all "no fault injection with a filter of stacks in kernel $(uname -r)"
done
BIOGEN=${DMSSE_TEST_MODULES:-}/sse_biogen.ko
DMBATCH=$(tool dmbatch) || skip_all "the helper dmbatch is not built"
AIOCHECK=$(tool aiocheck) || skip_all "the helper aiocheck is not built"
need_cmd awk
[ ! -d /sys/module/dm_sse ] || [ "$(cat /sys/module/dm_sse/refcnt)" = 0 ] ||
	skip_all "dm-sse is in use"
load_module
have_module adiantum || :

### What fails

# NAME=VALUE...: of both kinds of allocations.
faults() {
	local dir pair

	for dir in failslab fail_page_alloc; do
		for pair; do
			echo "${pair#*=}" >"$FAULTS/$dir/${pair%%=*}" || bail "$dir: can't set $pair"
		done
	done
}

no_faults() {
	faults probability=0 interval=1 times=1 space=0 verbose=1 task-filter=Y \
		verbose_ratelimit_interval_ms=5000 require-start=0 \
		require-end=0xffffffffffffffff stacktrace-depth=32
}

# Of text that lies in pages of its own, so the rest of the last page is nobody's,
# and the page behind it is none.
module_text() {
	local first last

	read -r first last < <(awk '$4 == "[dm_sse]" && tolower($2) == "t" { print $1 }' /proc/kallsyms |
		sort | sed -n '1p;$p' | tr '\n' ' ')
	[ "$((16#${first:-0}))" != 0 ] || bail "the module's symbols have no addresses"
	faults "require-start=$(printf '0x%x' $((16#$first & ~4095)))" \
		"require-end=$(printf '0x%x' $(((16#$last | 4095) + 1)))"
}

# A function of the kernel.
kernel_text() {
	local first next

	read -r first next < <(awk '$4 == "" && tolower($2) == "t" || $4 == "" && $2 == "W" { print $1, $3 }' /proc/kallsyms |
		sort -k 1,1 -u | awk -v name="$1" 'found { print found, $1; exit } $2 == name { found = $1 }')
	[ -n "${next:-}" ] || bail "no symbol $1"
	faults "require-start=0x$first" "require-end=0x$next"
}

at_exit no_faults
no_faults
echo N >$FAULTS/failslab/ignore-gfp-wait
echo N >$FAULTS/fail_page_alloc/ignore-gfp-wait
echo N >$FAULTS/fail_page_alloc/ignore-gfp-highmem
echo 0 >$FAULTS/fail_page_alloc/min-order
at_exit "echo Y >$FAULTS/failslab/ignore-gfp-wait; echo Y >$FAULTS/fail_page_alloc/ignore-gfp-wait"
at_exit "echo Y >$FAULTS/fail_page_alloc/ignore-gfp-highmem; echo 1 >$FAULTS/fail_page_alloc/min-order"
# Where each of them was is in the log; the module's functions are what counts.
faults verbose=2 verbose_ratelimit_interval_ms=0
module_text

### Calls

coproc DM { exec "$DMBATCH"; }
DM_IN=${DM[1]} DM_OUT=${DM[0]}
at_exit "exec {DM_IN}>&-; wait $DM_PID"

# FIELD...: sets ERRNO, and HIT if the call begins with "nth".
ask() {
	local line IFS=$'\t'

	echo "$*" >&"$DM_IN"
	IFS= read -r line <&"$DM_OUT" || bail "dmbatch is gone"
	if [ "$1" = nth ]; then
		IFS=$'\t' read -r ERRNO HIT ANSWER <<<"$line"
	else
		IFS=$'\t' read -r ERRNO ANSWER <<<"$line"
	fi
}

good() {
	ask "$@"
	[ "$ERRNO" = 0 ] || bail "$*: $ERRNO"
}

: >"$WORK/sites"
# The module's functions in the stacks of what was made to fail, from the log.
note_sites() {
	dmesg_since | sed -n 's/^ *\[<[0-9a-f]*>\] \([a-z][a-z0-9_.]*\)+0x.*\[dm_sse\]$/\1/p' |
		sed 's/\..*//' | sort -u >>"$WORK/sites"
	dmesg_judge
}

nothing() {
	:
}

drop_table() {
	good clear $DEV
}

# DESCRIPTION LEAST UNDO CALL...: the first allocation of the call fails, then the
# second, until it has none left; LEAST of these must have made it fail. After a
# failure the state is that before it; after a success, whether or not something has
# failed, UNDO undoes it. There may be another one that failed and could be spared:
# such are the checkers', which they need more of at one time than at another. Then
# what is the tenth this time was the ninth before, and is left out; so if there were
# fewer than LEAST it begins anew, at most twice.
each_site() {
	local what=$1 least=$2 undo=$3 n failed=0 spared wrong='' before sweep
	shift 3

	dmesg_mark
	$STATE
	before=$NOW
	for sweep in 1 2 3; do
		[ "$sweep" = 1 ] || [ "$failed" -lt "$least" ] || break
		failed=0 spared=0
		one_sweep "$@"
		note_sites
		dmesg_mark
		diag "$what: $n calls, $failed failed, $spared did without"
	done
	is "$what: ENOMEM, and all as it was" "${wrong:0:800}" ""
	is "$what: at least $least allocations may fail" $((failed >= least)) 1
}

# NAME...: is one of these functions of the module not among those that had no memory?
some_are_missing() {
	local name

	sort -u "$WORK/sites" >"$WORK/all"
	for name; do
		grep -qx "$name" "$WORK/all" || return 0
	done
	return 1
}

# Of each_site(), whose variables it has.
one_sweep() {
	for ((n = 1; n < 3000; n++)); do
		ask nth $n "$@"
		case $ERRNO,$HIT in
		ENOMEM,hit)
			failed=$((failed + 1))
			$STATE
			[ "$NOW" = "$before" ] || wrong+=" $n: $NOW"
			;;
		0,hit)
			spared=$((spared + 1))
			$undo
			;;
		0,missed)
			$undo
			break
			;;
		*)
			wrong+=" $n: $ERRNO ($HIT)"
			[ "$HIT" = hit ] || break
			;;
		esac
	done
}

### What there is

make_disk DISK 8 null
BYTES=$(blockdev --getsize64 "$DISK")
SECTORS=$((BYTES / 512))
DEV=dmsse-faults
MAP=/dev/mapper/$DEV
BELOW=/dev/mapper/dmsse-below
ADIANTUM='capi:adiantum(xchacha12,aes)-plain64'
load_key one 64
ONE=$REF
load_key other 64 one
OTHER=$REF
load_key outer 32
OUTER=$REF
load_key outer-other 32 outer
OUTER_OTHER=$REF

declare -A TABLE=(
	["one layer"]="0 $SECTORS sse aes-xts-plain64 $ONE 0 $BELOW 0"
	["two layers"]="0 $SECTORS sse aes-xts-plain64 $ONE 0 $BELOW 0 4 outer $ADIANTUM $OUTER 0"
	["key_lease error"]="0 $SECTORS sse aes-xts-plain64 $ONE 0 $BELOW 0 2 key_lease error"
	["two layers, all options"]="0 $SECTORS sse aes-xts-plain64 $ONE 8 $BELOW 0 12 allow_discards sector_size:4096 iv_large_sectors same_cpu_crypt no_read_workqueue no_write_workqueue outer $ADIANTUM $OUTER 8 key_lease queue"
	["cryptd"]="0 $SECTORS sse capi:cryptd(xts(ecb(aes-generic)))-plain64 $ONE 0 $BELOW 0"
	["essiv"]="0 $SECTORS sse capi:essiv(cbc(aes),sha256)-plain64 :32:logon:dmsse:outer 0 $BELOW 0"
)
VARIANTS=("one layer" "two layers, all options")
[ "${DMSSE_FULL:-0}" != 1 ] || VARIANTS+=("two layers" "key_lease error" "cryptd" "essiv")

dm_create dmsse-below "0 $SECTORS linear $DISK 0" || bail "no linear"
at_exit "dm_remove $DEV"

# What a failed call must leave alone: tables, state, keys, and the module's users.
# Sets NOW, without any program, since it is looked at after each.
device_state() {
	local refcnt

	good table $DEV
	NOW=$ANSWER
	good inactive $DEV
	NOW+=" / $ANSWER"
	good status $DEV
	NOW+=" / ${ANSWER%% read_bios*}"
	read -r refcnt </sys/module/dm_sse/refcnt
	NOW+=" / $refcnt"
}

STATE=device_state

# Of a keyring's key, and of the device below.
users() {
	awk '/ dmsse:/ { sub(/:$/, "", $9); print $9, $3 }' /proc/keys | sort | tr '\n' ' '
	dmsetup info -c --noheadings -o open dmsse-below
}

# The keyring takes its time.
users_are_as_before() {
	[ "$(users)" = "$USERS" ]
}

free_kib() {
	awk '/^(MemFree|Buffers|Cached|SReclaimable):/ { sum += $2 } END { print sum }' /proc/meminfo
}

io() {
	"$AIOCHECK" --max 262144 --size "$BYTES" "$@"
}

# DESCRIPTION OPTION...: all goes well.
io_is_good() {
	local what=$1
	shift

	io "$@" >"$WORK/io" 2>&1
	like "$what" "$(cat "$WORK/io")" \
		'^reads=[0-9]+ writes=[0-9]+ read_errors=0 write_errors=0 other_errors=0 wrong=0 lost=0 twice=0 refused=0 '
}

# TABLE: a device, of which nothing was written yet.
appear() {
	good create $DEV
	good load $DEV "${TABLE[$1]}"
	good resume $DEV
	# Where no udev makes nodes.
	dmsetup mknodes
	rm -f "$WORK/model"
}

# What the first table of its kind makes the crypto API set up stays.
sse_create $DEV "${TABLE["two layers"]}" || bail "no device"
dm_remove $DEV
USERS=$(users)

### The module

# Its initialisation, by its caller, since it has no addresses yet.
module_state() {
	[ -d /sys/module/dm_sse ] && NOW=loaded || NOW=
}

# One for each workqueue, under either of the names that kernels give them.
no_rescuers() {
	! cat /proc/[0-9]*/comm 2>/dev/null | grep -qE '^(kworker/R-)?dmsse'
}

no_module() {
	good rmmod dm_sse
}

load_sites() {
	each_site "$1" 10 no_module insmod "${DMSSE_MODULE:-$(modinfo -n dm-sse)}" ""
}

unload_module
kernel_text do_one_initcall
STATE=module_state
load_sites "loading the module"
# As said of each_site(), one may have been left out by chance: several times in a row,
# if the log tells of a single allocation of it.
INIT_NAMES=(dmsse_recycle_init dmsse_leases_init)
for ((again = 0; again < 20; again++)); do
	some_are_missing "${INIT_NAMES[@]}" || break
	load_sites "loading the module once more"
done
check "... and nothing of it stays" wait_for 10 no_rescuers
_load_module
module_text
STATE=device_state

### Tables

FREE=$(free_kib)
for variant in "${VARIANTS[@]}"; do
	# Once for each site is enough to know where it is: the log takes its time.
	case $variant in
	"one layer") faults verbose=0 ;;
	*) faults verbose=2 ;;
	esac
	good create $DEV
	each_site "table, $variant" 60 drop_table load $DEV "${TABLE[$variant]}"
	check "... of which nobody has anything" wait_for 20 users_are_as_before
	good remove $DEV
	appear "$variant"
	io_is_good "... and which then works" --block 4096 $MAP "$WORK/model"
	good remove $DEV
done
# Some forty of each kind had all of the 64 pages in reserve: leaking them would take
# 20 MiB. Caches and checkers take some as well.
AFTER=$(free_kib)
is "memory is where it was, to 16 MiB ($FREE KiB, $AFTER KiB)" "$((FREE - AFTER < 16384))" 1

### A table for a device that has one, which is in use

faults verbose=0

is_busy() {
	[ "$(word $DEV read_bios)" -gt 20 ]
}

for variant in "${VARIANTS[@]}"; do
	appear "two layers"
	"$AIOCHECK" --count 0 --depth 4 --size "$BYTES" $MAP "$WORK/model" >"$WORK/load" 2>&1 &
	LOAD=$!
	wait_for 60 is_busy || bail "no load"
	each_site "another table, $variant" 12 drop_table load $DEV "${TABLE[$variant]}"
	kill $LOAD
	wait $LOAD
	like "... while the old one goes on" "$(cat "$WORK/load")" \
		'read_errors=0 write_errors=0 other_errors=0 wrong=0 lost=0 twice=0'
	io_is_good "... and afterwards" --block 4096 $MAP "$WORK/model"
	good remove $DEV
done
check "then nobody has anything" wait_for 20 users_are_as_before

### Messages

old_inner() {
	good message $DEV "key set inner $ONE"
}

old_outer() {
	good message $DEV "key set outer $OUTER"
}

old_only() {
	good message $DEV "key set $ONE"
}

old_both() {
	old_inner
	old_outer
}

create() {
	appear "$1"
	io_is_good "$1: works" --block 4096 $MAP "$WORK/model"
	good suspend $DEV
}

resume() {
	good resume $DEV
	io_is_good "$1" --block 4096 $MAP "$WORK/model"
}

faults verbose=2
create "one layer"
each_site "key set" 5 old_only message $DEV "key set $OTHER"
resume "... and the old key is in place"
good suspend $DEV
good message $DEV "key wipe"
each_site "key wipe, of none" 0 nothing message $DEV "key wipe"
good message $DEV "key set $ONE"
each_site "key wipe" 0 old_only message $DEV "key wipe"
resume "... and it works again with a key"
good remove $DEV

create "two layers, all options"
each_site "key set inner" 7 old_inner message $DEV "key set inner $OTHER"
each_site "key set outer" 7 old_outer message $DEV "key set outer $OUTER_OTHER"
each_site "key wipe of two" 0 old_both message $DEV "key wipe"
resume "... and the old keys are in place"
good suspend $DEV

### Suspend, resume, status, remove

each_site "resume" 0 nothing resume $DEV
each_site "suspend" 0 nothing suspend $DEV
each_site "resume again" 0 nothing resume $DEV
each_site "status" 0 nothing status $DEV
each_site "table line" 0 nothing table $DEV
io_is_good "it works" --block 4096 $MAP "$WORK/model"
remade() {
	good create $DEV
}
users_state() {
	NOW=$(users)
}
STATE=users_state
each_site "remove" 0 remade remove $DEV
STATE=device_state
good remove $DEV
check "then nobody has anything" wait_for 20 users_are_as_before

### A lease

appear "key_lease error"
io_is_good "key_lease: works" $MAP "$WORK/model"
is_state() {
	ask status $DEV
	[[ $ANSWER = *" sse $1 "* ]]
}

no_key() {
	keyctl revoke "$(keyctl search @s logon dmsse:one)"
	wait_for 30 is_state lapsed || bail "the lease does not lapse"
}

# Whatever a lapse takes, the event included, is not to be had; nor is it missed.
faults task-filter=N probability=100 times=-1 verbose=0
dmesg_mark
check "without any memory it lapses" no_key
refute "... and I/O fails" dd if=$MAP of=/dev/null bs=4k count=1 iflag=direct
drop_key one
load_key one 64
ask message $DEV "key set $ONE"
is "... key set fails" "$ERRNO" ENOMEM
check "... and leaves it lapsed" is_state lapsed
faults probability=0 verbose=2 task-filter=Y
lapse_again() {
	no_key
	drop_key one
	load_key one 64
}
each_site "key set after a lapse" 5 lapse_again message $DEV "key set $ONE"
good message $DEV "key set $ONE"
io_is_good "... and I/O passes" $MAP "$WORK/model"
good remove $DEV

### I/O

# In the submitter: each of its allocations, those of all the I/Os of a run.
each_io() {
	local what=$1 n hits=0 wrong='' verdict total=0
	shift

	for ((n = 1; n < 200; n++)); do
		echo 2 >/proc/sys/vm/drop_caches # which has the piles of pages drained
		verdict=$(io --nth $n --count 60 "$@" $MAP "$WORK/model" 2>&1)
		[[ $verdict =~ hits=([0-9]+)$ ]] && hits=${BASH_REMATCH[1]} || hits=0
		total=$((total + hits))
		[[ $verdict = *" read_errors=0 write_errors=0 other_errors=0 wrong=0 lost=0 twice=0 refused=0 "* ]] ||
			wrong+=" $n: $verdict"
		[ "$hits" != 0 ] || break
	done
	diag "$what: up to $n allocations, $total failed"
	is "$what: each has its answer and its data" "${wrong:0:800}" ""
	is "$what: something has failed" $((total >= 8)) 1
}

for variant in "${VARIANTS[@]}"; do
	appear "$variant"
	faults verbose=0
	io_is_good "I/O, $variant: works" $MAP "$WORK/model"
	each_io "I/O, $variant"

	# Wherever it runs: some, and then no memory at all for as long as it takes.
	for every in 7 3 2 1; do
		before=$(word $DEV bounce_waits)
		echo 2 >/proc/sys/vm/drop_caches
		faults task-filter=N probability=100 times=-1 interval=$every
		io_is_good "I/O, $variant, without each $every. allocation" --count 500 $MAP "$WORK/model"
		faults probability=0 interval=1 task-filter=Y
	done
	is "... for which the reserve was needed" $(($(word $DEV bounce_waits) > before)) 1
	is "... and nothing has failed" "$(word $DEV crypt_errors) $(word $DEV io_errors)" "0 0"
	good remove $DEV
done
check "then nobody has anything" wait_for 20 users_are_as_before

### Sectors in pieces

# With no_read_workqueue no read goes to a worker but one that stops for want of memory.
make_disk PIECES 8
# DESCRIPTION: of any shape, through buffers that hold a sector. Sets QUEUED.
shapes() {
	local parameters=/sys/module/sse_biogen/parameters before

	before=$(word $DEV queued_bios)
	dmesg_mark
	insmod "$BIOGEN" device=$MAP count=200
	is "$1" "$(cat $parameters/bios) $(cat $parameters/errors)" "200 0"
	QUEUED=$(($(word $DEV queued_bios) - before))
	dmesg_since | sed -n 's/^sse_biogen: /# &/p'
	rmmod sse_biogen
}

for driver in 'xts(ecb(aes-generic))' 'cryptd(xts(ecb(aes-generic)))'; do
	name="sectors in pieces, $driver"
	if [ ! -e "$BIOGEN" ]; then
		for what in "" ", without memory" ", workers" ", errors"; do
			skip "$name$what" "no test module sse_biogen (DMSSE_TEST_MODULES)"
		done
		continue
	fi
	sse_create $DEV "0 16384 sse capi:$driver-plain64 $ONE 0 $PIECES 0 2 sector_size:4096 no_read_workqueue" ||
		bail "no device"
	shapes "$name"
	ENOUGH=$QUEUED
	faults task-filter=N probability=100 times=-1 verbose=0
	shapes "... without memory"
	faults probability=0 task-filter=Y
	case $driver in
	cryptd*)	is "... which a worker goes on with" $((ENOUGH > 0 && QUEUED > 0)) 1 ;;
	*)		is "... which alone makes a worker wait" "$ENOUGH $((QUEUED > 0))" "0 1" ;;
	esac
	is "... and nothing has failed" "$(word $DEV crypt_errors) $(word $DEV io_errors)" "0 0"
	dm_remove $DEV
done

### Errors of the device below, on their way up

appear "two layers"
io_is_good "I/O works" $MAP "$WORK/model"
if [ -e $FAULTS/fail_make_request/times ]; then
	NODE=/sys/dev/block/$(dmsetup info -c --noheadings -o major,minor --separator : dmsse-below)
	for pair in interval=1 space=0 task-filter=N verbose=0 probability=100; do
		echo "${pair#*=}" >"$FAULTS/fail_make_request/${pair%%=*}"
	done
	at_exit "echo 0 >$FAULTS/fail_make_request/probability"
	for every in 1 2 7; do
		before=$(word $DEV io_errors)
		echo $every >$FAULTS/fail_make_request/interval
		echo 40 >$FAULTS/fail_make_request/times
		echo 1 >"$NODE/make-it-fail"
		verdict=$(io --count 600 $MAP "$WORK/model" 2>&1)
		echo 0 >"$NODE/make-it-fail"
		like "each $every. request fails: each has its answer" "$verdict" \
			' read_errors=[0-9]+ write_errors=[0-9]+ other_errors=0 wrong=0 lost=0 twice=0 refused=0 '
		is "... forty have failed" $(($(word $DEV io_errors) - before)) 40
	done
	io_is_good "... and then works" $MAP "$WORK/model"
else
	for ((i = 0; i < 7; i++)); do
		skip "errors of the device below" "no fail_make_request"
	done
fi
good remove $DEV

### What has failed

CALL_NAMES=(sse_ctr dmsse_bounce_pool_init dmsse_stack_init dmsse_layer_init dmsse_layer_alloc_tfm
	dmsse_lease_create dmsse_key_set dmsse_crypt_measure dmsse_handle_message)

# By chance, as when the module was loaded.
faults verbose=2
for ((again = 0; again < 20; again++)); do
	some_are_missing "${CALL_NAMES[@]}" || break
	good create $DEV
	each_site "a table once more" 60 drop_table load $DEV "${TABLE["two layers, all options"]}"
	good remove $DEV
done
sort -u "$WORK/sites" >"$WORK/all"
diag "functions of the module without memory: $(tr '\n' ' ' <"$WORK/all")"
for name in "${INIT_NAMES[@]}" "${CALL_NAMES[@]}"; do
	check "$name has had none" grep -qx "$name" "$WORK/all"
done

done_testing
