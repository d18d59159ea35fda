#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The examples of dm-sse.rst do what they say.
#
# An example is a literal block behind a comment that names it:
#
#	.. test: NAME
#
#	::
#
#	  # a command
#	  what it prints
#
# Lines that begin with "# " are commands, run in order by one shell in which
# $DEV is a block device of 64 MiB. Other lines are what the command above them
# must print, lines as shell patterns in which "..." stands for anything; a line
# of nothing but "..." for any number of lines. A command without such lines
# must print nothing. Each must succeed.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

RST=${DMSSE_RST:-}
for dir in "$DMSSE_DIR/../.." "$DMSSE_DIR/../../../.."; do
	[ -n "$RST" ] || [ ! -r "$dir/Documentation/admin-guide/device-mapper/dm-sse.rst" ] ||
		RST=$dir/Documentation/admin-guide/device-mapper/dm-sse.rst
done
[ -n "$RST" ] || skip_all "dm-sse.rst is not here (DMSSE_RST=)"

# The tools of the examples are those of the user who follows them.
need_cmd mkfs.ext4
load_module
have_module dm-crypt || skip_all "the examples use dm-crypt"
make_disk DEV 64
# A device of the example that fails half way.
at_exit "for map in \$(dmsetup ls | awk 'NF > 1 && \$1 ~ /^vm[0-9]/ { print \$1 }'); do dm_remove \$map; done"
at_exit "keyctl purge -p logon dmsse: >/dev/null 2>&1 || :"

# NAME, then "C command" and "O output" lines.
awk '
	/^\.\. test: / { name = $3; state = 1; next }
	state == 1 && /^::/ { state = 2; next }
	state == 1 && /::$/ { state = 2; next }
	state == 2 && /^[ \t]*$/ { next }
	state == 2 && /^[ \t]/ { state = 3; match($0, /^[ \t]+/); indent = RLENGTH; print "N " name }
	state == 3 && /^[^ \t]/ { state = 0 }
	state == 3 {
		line = substr($0, indent + 1)
		if (line ~ /^# /)
			print "C " substr(line, 3)
		else if (line != "")
			print "O " line
	}' "$RST" >"$WORK/examples"

# Do the lines in FILE match the patterns? "..." alone takes any number.
matches() {
	local -a got want
	local i=0 pattern

	mapfile -t got <"$1"
	shift
	want=("$@")
	while [ "${#want[@]}" -gt 0 ]; do
		if [ "${want[0]}" = ... ]; then
			want=("${want[@]:1}")
			[ "${#want[@]}" -gt 0 ] || return 0
			while [ "$i" -lt "${#got[@]}" ]; do
				matches <(printf '%s\n' "${got[@]:i}") "${want[@]}" && return 0
				i=$((i + 1))
			done
			return 1
		fi
		[ "$i" -lt "${#got[@]}" ] || return 1
		pattern=$(sed 's/[][*?\\]/\\&/g; s/\.\.\./*/g' <<<"${want[0]}")
		# shellcheck disable=SC2053
		[[ ${got[i]} == $pattern ]] || return 1
		i=$((i + 1))
		want=("${want[@]:1}")
	done
	[ "$i" = "${#got[@]}" ]
}

COUNT=0 NAME='' CMD='' WANT=()

run_cmd() {
	local rc

	[ -n "$CMD" ] || return 0
	COUNT=$((COUNT + 1))
	eval "$CMD" >"$WORK/output" 2>&1
	rc=$?
	if [ "$rc" = 0 ] && matches "$WORK/output" "${WANT[@]}"; then
		ok "$NAME: $CMD"
	else
		fail "$NAME: $CMD" "exit code $rc, printed:"
		diag "$(cat "$WORK/output")"
		diag "want: $(printf '%s\n' "${WANT[@]}")"
	fi
	CMD='' WANT=()
}

while IFS= read -r line <&4; do
	case $line in
	N\ *) run_cmd; NAME=${line#N } ;;
	C\ *) run_cmd; CMD=${line#C } ;;
	O\ *) WANT+=("${line#O }") ;;
	esac
done 4<"$WORK/examples"
run_cmd

[ "$COUNT" -gt 0 ] || fail "dm-sse.rst has examples" "none marked by '.. test: NAME'"
done_testing
