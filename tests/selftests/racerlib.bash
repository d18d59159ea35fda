# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# The helper racer, for the scripts that use it. Sourced after lib.sh:
#
#	racer_start ARGS...	it waits for orders then
#	order WORDS...		what to do; fails if anything was wrong so far
#	racer_end		sets RACER_RC; what it said is in $WORK/racer
#	nap MILLISECONDS	without a process

RACER=$(tool racer) || skip_all "the helper racer is not built"

mkfifo "$WORK/never"
exec {NEVER}<>"$WORK/never"

nap() {
	local seconds

	printf -v seconds '%d.%03d' $(($1 / 1000)) $(($1 % 1000))
	read -rt "$seconds" -u "$NEVER" || :
}

racer_start() {
	rm -f "$WORK/orders" "$WORK/answers"
	mkfifo "$WORK/orders" "$WORK/answers"
	"$RACER" "$@" <"$WORK/orders" >"$WORK/answers" 2>"$WORK/racer" {NEVER}>&- &
	RACER_PID=$!
	at_exit "kill -KILL $RACER_PID 2>/dev/null || :"
	exec {ORDERS}>"$WORK/orders" {ANSWERS}<"$WORK/answers"
	order look
}

order() {
	local answer=

	echo "$*" >&"$ORDERS"
	read -r answer <&"$ANSWERS"
	[ "$answer" = ok ]
}

racer_end() {
	exec {ORDERS}>&- {ANSWERS}<&-
	wait "$RACER_PID"
	# For the script that sources this file.
	# shellcheck disable=SC2034
	RACER_RC=$?
}
