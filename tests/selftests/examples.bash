# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Runs the examples of a document. It is sourced after lib.sh.
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
# Lines that begin with "# " are commands, run in order by one shell; one that
# ends in "\" goes on in the next line. Other lines are what the command above
# them must print, lines as shell patterns in which "..." stands for anything; a
# line of nothing but "..." for any number of lines. A command without such lines
# must print nothing. Each must succeed.

# find_document PATH: prints where it is, below the tree that this script is in.
find_document() {
	local dir

	for dir in "$DMSSE_DIR/../.." "$DMSSE_DIR/../../../.."; do
		if [ -r "$dir/Documentation/$1" ]; then
			echo "$dir/Documentation/$1"
			return
		fi
	done
	return 1
}

# NAME, then "C command" and "O output" lines.
_list_examples() {
	awk '
		/^\.\. test: / { name = $3; state = 1; next }
		state == 1 && /^::/ { state = 2; next }
		state == 1 && /::$/ { state = 2; next }
		state == 2 && /^[ \t]*$/ { next }
		state == 2 && /^[ \t]/ {
			state = 3
			match($0, /^[ \t]+/)
			indent = RLENGTH
			print "N " name
		}
		state == 3 && /^[^ \t]/ { state = 0 }
		state == 3 {
			line = substr($0, indent + 1)
			if (more != "") {
				sub(/^[ \t]+/, "", line)
				line = more line
				more = ""
			}
			if (line ~ /^# .*\\$/)
				more = substr(line, 1, length(line) - 1)
			else if (line ~ /^# /)
				print "C " substr(line, 3)
			else if (line != "")
				print "O " line
		}' "$1"
}

# Do the lines in FILE match the patterns? "..." alone takes any number.
_matches() {
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
				_matches <(printf '%s\n' "${got[@]:i}") "${want[@]}" && return 0
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

EXAMPLES=0 NAME='' CMD='' WANT=()

_run_example() {
	local rc

	[ -n "$CMD" ] || return 0
	EXAMPLES=$((EXAMPLES + 1))
	eval "$CMD" >"$WORK/output" 2>&1
	rc=$?
	if [ "$rc" = 0 ] && _matches "$WORK/output" "${WANT[@]}"; then
		ok "$NAME: $CMD"
	else
		fail "$NAME: $CMD" "exit code $rc, printed:"
		diag "$(cat "$WORK/output")"
		diag "want: $(printf '%s\n' "${WANT[@]}")"
	fi
	CMD='' WANT=()
}

# run_examples FILE
run_examples() {
	local line

	_list_examples "$1" >"$WORK/examples"
	while IFS= read -r line <&4; do
		case $line in
		N\ *) _run_example; NAME=${line#N } ;;
		C\ *) _run_example; CMD=${line#C } ;;
		O\ *) WANT+=("${line#O }") ;;
		esac
	done 4<"$WORK/examples"
	_run_example
	[ "$EXAMPLES" -gt 0 ] || fail "$1 has examples" "none marked by '.. test: NAME'"
}
