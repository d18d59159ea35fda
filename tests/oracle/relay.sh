# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# relay PROG ARGS... runs one of the programs here and makes KTAP of its lines
# (kern.h has the format). To be sourced after lib.sh.

# The loop has to count results in this shell.
shopt -s lastpipe

relay() {
	local kind desc detail before=$TAP_N end=none status name=${1##*/}

	"$@" 2>&1 | while IFS=$'\t' read -r kind desc detail; do
		case $kind in
		ok)	ok "$desc" ;;
		fail)	fail "$desc" "$detail" ;;
		skip)	skip "$desc" "$detail" ;;
		diag)	diag "$desc" ;;
		end)	end=$desc ;;
		*)	fail "$name keeps to its format" "$kind $desc $detail" ;;
		esac
	done
	status=${PIPESTATUS[0]}
	# Neither a program that stops early nor one that does nothing is a pass.
	if [ "$end" = $((TAP_N - before)) ] && [ "$end" -gt 0 ] && [ "$status" -lt 2 ]; then
		ok "$name came to its end"
	else
		fail "$name came to its end" \
			"$((TAP_N - before)) results, it says $end; exit code $status"
	fi
}
