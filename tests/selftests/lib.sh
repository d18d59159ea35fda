# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Common part of the dm-sse selftests. It is sourced, never run:
#
#	. "$(dirname "$0")/lib.sh"
#
# A test is a bash script that prints KTAP and exits 0 (all passed), 1 (a
# failure) or 4 (all skipped). It runs as root on the kernel it tests: in the
# VM rig, on UML, or under kselftest's runner. What it is given:
#
#	DMSSE_MODULE	path of dm-sse.ko; without it the module is modprobed
#	SSESETUP	path of ssesetup; default: the one in PATH
#	DMSSE_TOOLS	directory of the compiled helpers; default: next to the script
#	DMSSE_TMP	writable scratch directory, best a tmpfs
#	DMSSE_TARGET	target under test; "crypt" runs a script against dm-crypt,
#			to tell a wrong test from a wrong module
#	DMSSE_LAYERS	2: sse_line puts a layer of Adiantum around each device
#	DMSSE_POLICY	here or spread: the module is loaded with this parameter policy
#
# Reporting:
#	plan N			N results will follow (before the first one)
#	done_testing		the plan, when it is only known at the end
#	ok DESC
#	fail DESC [DETAIL]
#	skip DESC REASON
#	check DESC CMD...	ok if CMD succeeds; else its output is shown
#	refute DESC CMD...	ok if CMD fails
#	is DESC GOT WANT	equal strings
#	like DESC GOT ERE	GOT matches the extended regular expression
#	unlike DESC GOT ERE	... doesn't
#	diag TEXT		a diagnostic line
#	skip_all REASON		ends the script with exit code 4
#	bail REASON		ends the script with exit code 1
#
# One result is added to every script by this file: that the script left
# nothing behind and that the kernel had nothing to complain about. plan()
# counts it in.
#
# Resources (everything made is undone at exit, in reverse order):
#	at_exit CMD
#	need_cmd PROG...	skip_all if missing
#	need_module MOD...
#	load_module, unload_module
#	reload_module PARAM=VALUE...
#	open_trace	sets TRACE, a directory of trace events of its own
#	make_disk VAR MIB [loop|null|brd|scsi] [ATTR=VALUE...]
#	load_key NAME BYTES [SEED]	sets REF, the key's table reference
#	key_hex BYTES SEED		the same key in hex, for comparison
#	drop_key NAME
#	add_key TYPE DESCRIPTION	any key into the session keyring, from stdin
#	unlink_key TYPE DESCRIPTION
#	sse_line DEV [CIPHER [REF [IV_OFFSET [START [OPTS]]]]]
#	sse_create NAME TABLE		the table may also come from sse_line
#	set_keys NAME REF		after "key wipe"
#	crypt_create NAME TABLE
#	dm_create NAME TABLE
#	dm_remove NAME
#	dm_try DMSETUP-ARGS...		sets DM_ERRNO ("0", "EINVAL"...), DM_OUT
#	tool NAME			path of a compiled helper
#	own_state			disk encryption sets, keys and audit of the script's own
#
# Refusals, by the hundred:
#	need_dmbatch			sets DMBATCH; skip_all if it is missing
#	split ENTRY			fields between " | " go to FIELD
#	batch COMMAND NAME...		a command for dmbatch, for later
#	add_case ERRNO ERE TITLE	what the load or message after the next
#					"batch mark $CASE_MARK${#TITLE[@]}" must come to
#	run_refusals			runs the batch and judges the cases
#
# ssesetup:
#	need_ssesetup			skip_all if it is missing
#	sse ARGS...			runs it; sets OUT and RC
#	right DESC ARGS...		... which must end with 0
#	wrong CODE ERE ARGS...		... with this exit code, and say this
#	STDIN is the file for its standard input, the array AS a command in front.
#
# Looking:
#	dmesg_mark, dmesg_since		kernel lines since the last mark
#	dmesg_judge			now, since the log has no room for all that is to come
#	kver_ge MAJOR.MINOR
#	sectors DEV			size in 512-byte sectors
#	queue DEV LIMIT...		limits of its queue, as in sysfs
#	word NAME WORD			value of WORD in NAME's INFO status
#	wait_for SECONDS CMD...		poll until CMD succeeds

set -u
export LC_ALL=C

DMSSE_SCRIPT=$(readlink -f "$0")
DMSSE_DIR=$(dirname "$DMSSE_SCRIPT")
DMSSE_NAME=$(basename "$DMSSE_SCRIPT" .sh)
DMSSE_TARGET=${DMSSE_TARGET:-sse}
SSESETUP=${SSESETUP:-ssesetup}
case ":$PATH:" in
*:/usr/sbin:*) ;;
*) PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin ;;
esac

# Programs write a complaint in pieces, and a result of ours that comes between
# two of them would not start its line: complaints become whole diagnostic lines.
_whole_lines() {
	local line

	while IFS= read -r line || [ -n "$line" ]; do
		echo "# $line"
	done
}

# A session keyring of our own: the keys a test loads are possessed by it and
# its children, by nobody else, and go away with it.
if [ -z "${DMSSE_SESSION:-}" ] && [ "$(id -u)" = 0 ] && command -v keyctl >/dev/null; then
	export DMSSE_SESSION=1
	# Whoever stops us must not stop what still has to be told. It becomes a child of the
	# script's that bash knows nothing of, for which "wait" without arguments may wait.
	exec 3> >(trap '' INT TERM HUP; _whole_lines 2>/dev/null)
	export DMSSE_STDERR=$!
	# keyctl's own word on it is dropped, the test's stderr is not.
	# shellcheck disable=SC2016
	exec keyctl session dmsse-selftest "$BASH" -c 'exec "$BASH" "$@" 2>&3 3>&-' \
		- "$DMSSE_SCRIPT" "$@" 2>/dev/null
fi

TAP_N=0
TAP_PLAN=
TAP_FAILED=0
TAP_SKIPPED=0
TAP_OVER=

echo "TAP version 13"

diag() {
	local text=$*

	echo "# ${text//$'\n'/$'\n# '}"
}

# Text from the kernel or a tool may contain '#', which KTAP reads as a directive.
_tap() {
	TAP_N=$((TAP_N + 1))
	echo "$1 $TAP_N - ${2//#/}${3:+ # $3}"
}

ok() {
	_tap ok "$1"
}

fail() {
	TAP_FAILED=$((TAP_FAILED + 1))
	_tap "not ok" "$1"
	[ -z "${2:-}" ] || diag "$2"
}

skip() {
	TAP_SKIPPED=$((TAP_SKIPPED + 1))
	_tap ok "$1" "SKIP $2"
}

check() {
	local desc=$1 rc

	shift
	# Not in a subshell: CMD may register clean-up work or set variables.
	"$@" >"$WORK/check.out" 2>&1
	rc=$?
	if [ "$rc" = 0 ]; then
		ok "$desc"
	else
		fail "$desc" "$(printf '%q ' "$@"): exit code $rc"
		[ ! -s "$WORK/check.out" ] || diag "$(tail -n 40 "$WORK/check.out")"
		return 1
	fi
}

refute() {
	local desc=$1

	shift
	if "$@" >"$WORK/check.out" 2>&1; then
		fail "$desc" "succeeded: $(printf '%q ' "$@")"
		[ ! -s "$WORK/check.out" ] || diag "$(tail -n 40 "$WORK/check.out")"
		return 1
	fi
	ok "$desc"
}

is() {
	if [ "$2" = "$3" ]; then
		ok "$1"
	else
		fail "$1" "got:  $2"
		diag "want: $3"
		return 1
	fi
}

like() {
	if [[ $2 =~ $3 ]]; then
		ok "$1"
	else
		fail "$1" "got:  $2"
		diag "want: /$3/"
		return 1
	fi
}

unlike() {
	if [[ $2 =~ $3 ]]; then
		fail "$1" "got: $2"
		diag "must not match: /$3/"
		return 1
	fi
	ok "$1"
}

plan() {
	TAP_PLAN=$(($1 + 1))
	echo "1..$TAP_PLAN"
}

done_testing() {
	TAP_PLAN=$((TAP_N + 1))
	TAP_LATE=1
}

skip_all() {
	TAP_OVER=skip
	[ -n "$TAP_PLAN" ] || echo "1..0 # SKIP $1"
	diag "skipped: $1"
	exit 4
}

bail() {
	TAP_OVER=bail
	echo "Bail out! $1"
	exit 1
}

### Clean-up

DMSSE_UNDO=()
TAP_LATE=

at_exit() {
	DMSSE_UNDO+=("$1")
}

# What the kernel says only if something is wrong, one expression a line.
_not_ours=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/not-ours.awk
_complaints=$(grep -v -e '^#' -e '^$' "$(dirname "${BASH_SOURCE[0]}")/complaints") || exit 1

_snapshot() {
	{
		[ ! -e /dev/mapper/control ] || dmsetup ls 2>/dev/null | awk 'NF > 1 {print "dm", $1}'
		losetup -n -O NAME 2>/dev/null | sed 's/^/loop /'
		find /sys/kernel/config/nullb -mindepth 1 -maxdepth 1 -type d -printf 'null_blk %f\n' 2>/dev/null
		awk '{print "mount", $2}' /proc/mounts
		awk '/dmsse[-:]/ {print "key", $8, $9}' /proc/keys 2>/dev/null
		awk 'NR > 1 {print "swap", $1}' /proc/swaps
		awk '$1 == "dm_sse" || $1 == "brd" || $1 == "scsi_debug" {print "module", $1}' /proc/modules 2>/dev/null
	} | sort
}

_left_over() {
	_snapshot >"$WORK/after"
	comm -13 "$WORK/before" "$WORK/after" >"$WORK/left"
	[ ! -s "$WORK/left" ]
}

# What is on its way through _whole_lines, unless a program that was left behind
# holds it open.
_last_lines() {
	exec 2>/dev/null
	[ -z "${DMSSE_STDERR:-}" ] || wait_for 2 _gone "$DMSSE_STDERR"
}

_gone() {
	! kill -0 "$1" 2>/dev/null
}

_on_exit() {
	local rc=$? i jobs

	trap - EXIT
	trap '' INT TERM HUP
	for ((i = ${#DMSSE_UNDO[@]} - 1; i >= 0; i--)); do
		eval "${DMSSE_UNDO[i]}" >"$WORK/undo.out" 2>&1 ||
			diag "clean-up: ${DMSSE_UNDO[i]}: $(tail -n 3 "$WORK/undo.out")"
	done
	cd / || :

	_last_lines
	if [ -n "$TAP_OVER" ]; then
		rm -rf "$WORK"
		exit "$rc"
	fi

	# Keys and loop devices go away in the background.
	if ! wait_for 10 _left_over; then
		fail "nothing left behind, no complaint from the kernel" "$(cat "$WORK/left")"
	elif jobs=$(jobs -p) && [ -n "$jobs" ]; then
		fail "nothing left behind, no complaint from the kernel" "processes: $jobs"
	elif dmesg_judge && [ -s "$WORK/complaints" ]; then
		fail "nothing left behind, no complaint from the kernel" "$(head -n 20 "$WORK/complaints")"
	else
		ok "nothing left behind, no complaint from the kernel"
	fi
	rm -rf "$WORK"

	[ -z "$TAP_LATE" ] || echo "1..$TAP_N"
	if [ "$TAP_N" != "${TAP_PLAN:-none}" ]; then
		diag "$TAP_N results, planned ${TAP_PLAN:-none}: the script ended early"
		exit 1
	fi
	diag "$DMSSE_NAME: $((TAP_N - TAP_FAILED - TAP_SKIPPED)) passed, $TAP_FAILED failed, $TAP_SKIPPED skipped, $SECONDS s"
	[ "$TAP_FAILED" = 0 ] || exit 1
	# The result every script gets for free doesn't make a run out of nothing.
	[ "$TAP_SKIPPED" -lt $((TAP_N - 1)) ] || exit 4
	exit 0
}

wait_for() {
	local tries=$(($1 * 10))

	shift
	until "$@"; do
		[ $((tries -= 1)) -gt 0 ] || return 1
		sleep 0.1
	done
}

### What the kernel says

# A mark in the kernel log itself has no race with lines that are written at
# the same time, and doesn't depend on clocks.
DMSSE_MARK=start

dmesg_mark() {
	DMSSE_MARK=${1:-m$((++DMSSE_MARKS))}
	echo "<6>dm-sse-selftest: $DMSSE_NAME.$$: mark $DMSSE_MARK" >/dev/kmsg
}

dmesg_since() {
	dmesg -t | awk -v mark="dm-sse-selftest: $DMSSE_NAME.$$: mark ${1:-$DMSSE_MARK}" '
		seen && !/^dm-sse-selftest: / { print }
		$0 == mark { seen = 1 }
		END { if (!seen) print "BUG: mark lost: " mark }'
}
DMSSE_MARKS=0
DMSSE_JUDGED=start

dmesg_judge() {
	local mark=judged$((++DMSSE_MARKS))

	dmesg_mark "$mark"
	dmesg_since "$DMSSE_JUDGED" | awk -f "$_not_ours" |
		grep -E "$_complaints" >>"$WORK/complaints"
	DMSSE_JUDGED=$mark
}

kver_ge() {
	local have

	have=$(uname -r)
	[ "$(printf '%s\n%s\n' "$1" "${have%%-*}" | sort -V | head -n 1)" = "$1" ]
}

sectors() {
	blockdev --getsz "$1"
}

# Where there is no udev, /dev/mapper has no links to the kernel's names.
queue() {
	local node

	node=$(stat -L -c '0x%t 0x%T' "$1")
	(cd "/sys/dev/block/$((${node% *})):$((${node#* }))/queue" && shift && cat -- "$@")
}

word() {
	dmsetup status "$1" | tr ' ' '\n' | sed -n "s/^$2://p"
}

### Programs and modules

need_cmd() {
	local prog

	for prog in "$@"; do
		command -v "$prog" >/dev/null || skip_all "no program $prog"
	done
}

have_module() {
	modprobe -q "$1" 2>/dev/null || [ -d "/sys/module/${1//-/_}" ]
}

need_module() {
	local mod

	for mod in "$@"; do
		have_module "$mod" || skip_all "kernel $(uname -r) has no module $mod"
	done
}

tool() {
	local dir

	for dir in ${DMSSE_TOOLS:+"$DMSSE_TOOLS"} "$DMSSE_DIR" "$DMSSE_DIR/../oracle"; do
		if [ -x "$dir/$1" ]; then
			echo "$dir/$1"
			return
		fi
	done
	command -v "$1"
}

_insert_module() {
	local dep

	if [ -z "${DMSSE_MODULE:-}" ]; then
		modinfo dm-sse >/dev/null 2>&1 ||
			skip_all "no dm-sse for kernel $(uname -r): install it or set DMSSE_MODULE"
		modprobe dm-sse "$@"
		return
	fi
	for dep in $(modinfo -F depends "$DMSSE_MODULE" | tr ',' ' '); do
		modprobe "$dep" || return
	done
	insmod "$DMSSE_MODULE" "$@"
}

unload_module() {
	[ ! -d /sys/module/dm_sse ] || rmmod dm_sse
}

_load_module() {
	modprobe -q dm-mod
	_insert_module ${DMSSE_POLICY:+"policy=$DMSSE_POLICY"} "$@" || bail "can't load dm-sse: $(dmesg -t | tail -n 3)"
}

# A module that is there already stays, and stays afterwards.
load_module() {
	if [ "$DMSSE_TARGET" != sse ]; then
		need_module "dm-$DMSSE_TARGET"
	elif [ ! -d /sys/module/dm_sse ]; then
		at_exit unload_module
		_load_module
	fi
	if [ "${DMSSE_LAYERS:-1}" = 2 ]; then
		load_key outer-layer 32
		OUTER_REF=$REF
		OUTER_CIPHER='capi:adiantum(xchacha12,aes)-plain64'
	fi
}

# With other parameters; without any, as it was.
reload_module() {
	unload_module || bail "dm-sse is in use"
	_load_module "$@"
}

### Trace events

# Sets TRACE: a directory of trace events for this script alone. Where the kernel
# has none, nothing in it can be written to.
open_trace() {
	TRACE=/sys/kernel/tracing
	if [ ! -d $TRACE/instances ] && mount -t tracefs tracefs $TRACE 2>/dev/null; then
		at_exit "umount $TRACE"
	fi
	TRACE=$TRACE/instances/dmsse
	if mkdir $TRACE 2>/dev/null; then
		at_exit "rmdir $TRACE"
	fi
}

### Disks

# null is null_blk with memory behind it, which has knobs for nearly everything
# (ATTR=VALUE are its configfs attributes); for scsi they are scsi_debug's
# parameters, for loop losetup's long options. brd and scsi exist once.
make_disk() {
	local -n _disk=$1
	local mib=$2 kind=${3:-loop} file attr dir args=()

	shift $(($# < 3 ? $# : 3))
	DMSSE_DISKS=$((DMSSE_DISKS + 1))
	case $kind in
	loop)
		need_module loop
		for attr in "$@"; do
			args+=("--$attr")
		done
		file=$WORK/disk$DMSSE_DISKS
		truncate -s "${mib}M" "$file"
		_disk=$(losetup -f --show "${args[@]}" "$file") || bail "losetup failed"
		at_exit "losetup -d $_disk; rm -f $file"
		;;
	null)
		_null_blk
		dir=/sys/kernel/config/nullb/dmsse$DMSSE_DISKS
		mkdir "$dir" || bail "no null_blk device"
		at_exit "rmdir $dir"
		for attr in "size=$mib" memory_backed=1 "$@" power=1; do
			echo "${attr#*=}" >"$dir/${attr%%=*}" || bail "null_blk: can't set $attr"
		done
		# 6.1 names the device after its index, later kernels after the directory.
		_disk=/dev/dmsse$DMSSE_DISKS
		[ -b "$_disk" ] || _disk=/dev/nullb$(cat "$dir/index")
		wait_for 5 test -b "$_disk" || bail "no $_disk"
		;;
	brd)
		[ ! -d /sys/module/brd ] || rmmod brd || bail "brd is in use"
		need_cmd modprobe
		modprobe brd rd_nr=1 rd_size=$((mib * 1024)) "$@" || skip_all "no module brd"
		at_exit "rmmod brd"
		_disk=/dev/ram0
		wait_for 5 test -b "$_disk" || bail "no $_disk"
		;;
	scsi)
		[ ! -d /sys/module/scsi_debug ] || rmmod scsi_debug || bail "scsi_debug is in use"
		modprobe -q sd_mod
		modprobe scsi_debug "dev_size_mb=$mib" delay=0 "$@" || skip_all "no module scsi_debug"
		at_exit "rmmod scsi_debug"
		wait_for 20 _scsi_debug_disk >/dev/null || bail "no scsi_debug disk"
		_disk=$(_scsi_debug_disk)
		;;
	*)
		bail "make_disk: unknown backing $kind"
		;;
	esac
}
DMSSE_DISKS=0

_scsi_debug_disk() {
	local dir

	for dir in /sys/bus/pseudo/drivers/scsi_debug/adapter*/host*/target*/*:*/block/*; do
		[ -b "/dev/${dir##*/}" ] && echo "/dev/${dir##*/}" && return
	done
	return 1
}

_null_blk() {
	if [ ! -d /sys/module/null_blk ]; then
		modprobe -q null_blk nr_devices=0 || skip_all "no module null_blk"
	fi
	if ! mountpoint -q /sys/kernel/config; then
		mount -t configfs configfs /sys/kernel/config || skip_all "no configfs"
		at_exit "umount /sys/kernel/config"
	fi
}

### Keys

# The bytes of test key SEED: SHA-512("dmsse:SEED:0"), SHA-512("dmsse:SEED:1")...
# cut to length.
key_hex() {
	local i hex=

	for ((i = 0; ${#hex} < 2 * $1; i++)); do
		hex+=$(printf 'dmsse:%s:%s' "$2" "$i" | sha512sum | cut -d ' ' -f 1)
	done
	echo "${hex:0:$((2 * $1))}"
}

hex_to_bin() {
	# shellcheck disable=SC2059
	printf "$(sed 's/../\\x&/g')"
}

# The payload of the key comes from stdin. By its number a key can be unlinked
# when it is revoked, too.
add_key() {
	local id

	id=$(keyctl padd "$1" "$2" @s) || bail "can't add key $2"
	at_exit "keyctl unlink $id @s 2>/dev/null || :"
}

unlink_key() {
	local id

	id=$(keyctl search @s "$1" "$2" 2>/dev/null) || return 0
	keyctl unlink "$id" @s
}

# As a logon key, which nobody can read back, and as a user key for the tests
# that must. SEED is NAME unless given: keys of the same seed have equal bytes.
load_key() {
	local name=$1 bytes=$2 seed=${3:-$1}

	key_hex "$bytes" "$seed" | hex_to_bin >"$WORK/key"
	add_key logon "dmsse:$name" <"$WORK/key"
	add_key user "dmsse-user:$name" <"$WORK/key"
	rm "$WORK/key"
	# For the script that sources this file.
	# shellcheck disable=SC2034
	REF=:$bytes:logon:dmsse:$name
}

drop_key() {
	unlink_key logon "dmsse:$1"
	unlink_key user "dmsse-user:$1"
}

# What ssesetup keeps on a host, empty, and gone afterwards.
own_state() {
	local dir

	for dir in /etc/dm-sse /var/lib/dm-sse /var/log/dm-sse /run/dm-sse; do
		mkdir -p "$dir"
		mount -t tmpfs -o mode=0700 dmsse-state "$dir" ||
			bail "no directory of the test's own over $dir"
		at_exit "umount $dir"
	done
	mkdir -p /run/cryptsetup
	at_exit "keyctl unlink \$(keyctl search @u keyring dm-sse) @u 2>/dev/null || :"
}

### Device-mapper

sse_line() {
	local dev=$1 cipher=${2:-aes-xts-plain64} ref=${3:-${REF:-}} iv=${4:-0} start=${5:-0}
	local opts=${6:-} count

	[ "${DMSSE_LAYERS:-1}" = 1 ] || opts+=" outer $OUTER_CIPHER $OUTER_REF $iv"
	# shellcheck disable=SC2086
	count=$(set -- $opts && echo $#)
	[ "$count" = 0 ] && opts= || opts=" $count ${opts# }"
	echo "0 $(($(sectors "$dev") - start)) $DMSSE_TARGET $cipher $ref $iv $dev $start$opts"
}

dm_create() {
	# Registered first: a failed create may leave a device without a table.
	at_exit "dm_remove $1"
	dmsetup create "$1" --table "$2"
}

sse_create() {
	dm_create "$@"
}

# NAME REF: the message that gives a device of sse_line's its key back, and its
# outer key.
set_keys() {
	if [ "${DMSSE_LAYERS:-1}" = 1 ]; then
		dmsetup message "$1" 0 key set "$2"
	else
		dmsetup message "$1" 0 key set inner "$2" &&
			dmsetup message "$1" 0 key set outer "$OUTER_REF"
	fi
}

crypt_create() {
	dm_create "$@"
}

dm_remove() {
	dmsetup info "$1" >/dev/null 2>&1 || return 0
	# A process that looks at new block devices may hold it for a moment.
	wait_for 3 dmsetup remove "$1" 2>/dev/null && return
	dmsetup remove --force "$1"
}

declare -A _strerror=(
	["Invalid argument"]=EINVAL
	["Required key not available"]=ENOKEY
	["Key has been revoked"]=EKEYREVOKED
	["Key has expired"]=EKEYEXPIRED
	["Key was rejected by service"]=EKEYREJECTED
	["No such file or directory"]=ENOENT
	["Operation not supported"]=EOPNOTSUPP
	["Device or resource busy"]=EBUSY
	["Permission denied"]=EACCES
	["Operation not permitted"]=EPERM
	["No such device or address"]=ENXIO
	["No such device"]=ENODEV
	["Cannot allocate memory"]=ENOMEM
	["Numerical result out of range"]=ERANGE
	["Block device required"]=ENOTBLK
	["Input/output error"]=EIO
	["Read-only file system"]=EROFS
	["File exists"]=EEXIST
	["Argument list too long"]=E2BIG
)

# dmsetup exits with 1 whatever happened; the errno is in what it prints.
# shellcheck disable=SC2034
dm_try() {
	local text

	if DM_OUT=$(dmsetup "$@" 2>&1); then
		DM_ERRNO=0
		return 0
	fi
	text=$(sed -n 's/.* ioctl.* failed: //p' <<<"$DM_OUT" | head -n 1)
	DM_ERRNO=${_strerror[${text:-none}]:-"unknown: $text"}
	return 1
}

### ssesetup

AS=()

need_ssesetup() {
	command -v "$SSESETUP" >/dev/null || skip_all "no ssesetup (SSESETUP=$SSESETUP)"
	SSESETUP=$(command -v "$SSESETUP")
}

sse() {
	OUT=$("${AS[@]}" "$SSESETUP" "$@" 2>&1 <"${STDIN:-/dev/null}")
	RC=$?
}

right() {
	local desc=$1

	shift
	sse "$@"
	if [ "$RC" = 0 ]; then
		ok "$desc"
	else
		fail "$desc" "ssesetup $*: exit code $RC: $OUT"
		return 1
	fi
}

wrong() {
	local want=$1 ere=$2 desc

	shift 2
	desc="ssesetup $*"
	sse "$@"
	if [ "$RC" != "$want" ]; then
		fail "${desc:0:100}" "exit code $RC, not $want: $OUT"
	elif ! [[ $OUT =~ $ere ]]; then
		fail "${desc:0:100}" "doesn't say '$ere': $OUT"
	else
		ok "${desc:0:100} ends with $want"
	fi
}

### Refusals

# One pass of dmbatch runs all, then the kernel log is cut up at the marks.
WANT_ERRNO=() WANT_TEXT=() TITLE=() GOT_ERRNO=() FIELD=()
CASE_MARK="dm-sse-selftest: $DMSSE_NAME.$$: case "

need_dmbatch() {
	DMBATCH=$(tool dmbatch) || skip_all "the helper dmbatch is not built"
	shopt -s extglob
}

# Fields are separated by " | ", since expressions may contain "|" alone.
# Leaves them in FIELD, without a shell of its own for each.
split() {
	local rest="${1/% |/ | } | " i

	for ((i = 0; i < 4; i++)); do
		# For the script that sources this file.
		# shellcheck disable=SC2034
		FIELD[i]=${rest%% | *}
		[[ $rest = *" | "* ]] && rest=${rest#* | }
	done
}

batch() {
	local IFS=$'\t'

	echo "$*" >>"$WORK/batch"
}

add_case() {
	WANT_ERRNO+=("$1")
	WANT_TEXT+=("$2")
	TITLE+=("$3")
}

# Keys and long words of a script's, HEX and LONG, don't make good titles.
_case_title() {
	CASE_TITLE=$1
	if [ -n "${HEX:-}" ]; then
		CASE_TITLE=${CASE_TITLE//$HEX/HEX}
		CASE_TITLE=${CASE_TITLE//${HEX^^}/HEX}
		CASE_TITLE=${CASE_TITLE//${HEX:0:64}/HALF-HEX}
	fi
	[ -z "${LONG:-}" ] || CASE_TITLE=${CASE_TITLE//$LONG/LONG}
}

run_refusals() {
	local i said lines

	"$DMBATCH" <"$WORK/batch" >"$WORK/answers"
	paste "$WORK/batch" "$WORK/answers" | awk -F '\t' '$1 == "load" || $1 == "message" { print $NF }' >"$WORK/errnos"
	mapfile -t GOT_ERRNO <"$WORK/errnos"
	dmesg -t | awk -v mark="$CASE_MARK" -v dir="$WORK" '
		index($0, mark) == 1 { file = dir "/case" substr($0, length(mark) + 1); next }
		/^dm-sse-selftest/ { file = "" }
		file && /^dm-sse: / { print > file }'

	for ((i = 0; i < ${#TITLE[@]}; i++)); do
		_case_title "${TITLE[i]}"
		lines=$(cat "$WORK/case$i" 2>/dev/null)
		said=${lines#dm-sse: +([0-9]):+([0-9]): }
		if [[ ! ${GOT_ERRNO[i]} =~ ^(${WANT_ERRNO[i]})$ ]]; then
			fail "$CASE_TITLE" "errno ${GOT_ERRNO[i]}, want ${WANT_ERRNO[i]}"
			diag "$lines"
		elif [ -z "$lines" ] || [ "${lines/$'\n'/}" != "$lines" ]; then
			fail "$CASE_TITLE" "one line wanted in the kernel log, there are:"
			diag "$lines"
		elif [ "$said" = "$lines" ] || [[ ! $said =~ ${WANT_TEXT[i]} ]]; then
			fail "$CASE_TITLE" "said: $lines"
			diag "want: ${WANT_TEXT[i]}"
		else
			ok "$CASE_TITLE: ${WANT_ERRNO[i]}"
		fi
	done
}

### Start

[ "$(id -u)" = 0 ] || skip_all "needs root"
need_cmd dmsetup losetup keyctl blockdev modinfo

# Where no udev makes the nodes of dm devices, libdevmapper does.
[ -S /run/udev/control ] || export DM_DISABLE_UDEV=1

if [ -z "${DMSSE_TMP:-}" ]; then
	DMSSE_TMP=/tmp
	[ ! -w /dev/shm ] || DMSSE_TMP=/dev/shm
fi
WORK=$(mktemp -d "$DMSSE_TMP/dmsse-$DMSSE_NAME.XXXXXX") || exit 1
trap _on_exit EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

modprobe -q dm-mod
_snapshot >"$WORK/before"
dmesg_mark start
