#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Generated table lines and messages: tablefuzz.c says what has to hold of each. On
# a kernel with KCOV it goes where the module hasn't been yet, and what was reached
# of the files that read lines is told, with what wasn't.
#
#	DMSSE_LINES	how many; default 20000, or fewer where each takes long; with
#			DMSSE_FULL=1 a million, or as many times more
#	DMSSE_SEED	which; 0, the default: others each time
#	DMSSE_KEEP	1: those that reached something new are shown, for tablefuzz.corpus

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

FUZZ=$(tool tablefuzz) || skip_all "the helper tablefuzz is not built"
[ "$DMSSE_TARGET" = sse ] || skip_all "is about the parser of the target sse"

LINES_=20000
if [ -w /sys/kernel/debug/kcov ]; then
	# So does a kernel with checkers.
	LINES_=5000
elif grep -q 'QEMU TCG' /proc/cpuinfo; then
	LINES_=4000
fi
[ "${DMSSE_FULL:-0}" != 1 ] || LINES_=$((LINES_ * 50))
LINES_=${DMSSE_LINES:-$LINES_}
SEED=${DMSSE_SEED:-0}
[ "$SEED" != 0 ] || SEED=$((SRANDOM))
CORPUS=$DMSSE_DIR/tablefuzz.corpus

# A refused line is three in the log. On a serial console they would take the time,
# and tablefuzz reads them; a complaint it shows itself.
quiet() {
	local level

	level=$(cut -f 1 /proc/sys/kernel/printk)
	at_exit "dmesg -n $level"
	dmesg -n 2
}

# FILE...: of their lines that have code, how many were reached. Points are where the
# compiler put a call at a branch; a line is reached if one of its points is.
report_cover() {
	awk -v files="$*" '
		BEGIN {
			split(files, list)
			for (i in list)
				wanted[list[i]] = 1
		}
		{ at = $0; sub(/.*\//, "", at); sub(/ .*/, "", at) }
		{ file = at; sub(/:.*/, "", file) }
		!(file in wanted) || at !~ /:[1-9]/ { next }
		FILENAME == ARGV[1] { all[at] = 1; next }
		{ reached[at] = 1 }
		END {
			for (at in all) {
				n++
				if (at in reached)
					m++
				else
					missing = missing " " at
			}
			printf "%d %d %d%s\n", m, n, n ? 100 * m / n : 0, missing
		}' "$WORK/all" "$WORK/reached"
}

# Where the module's sources are in lines, by addresses on standard input.
to_lines() {
	addr2line -j .text -e "$DMSSE_MODULE"
}

tell_cover() {
	local files m n percent missing

	# What is noted is where a call returns to: one less is in it.
	objdump -dr --no-show-raw-insn -j .text "$DMSSE_MODULE" | "$DMSSE_DIR/kcov-points.pl" |
		sort -u >"$WORK/there"
	# A call that isn't found as the instructions stand is found when it is made.
	sort -u "$WORK/points" | comm -13 "$WORK/there" - >"$WORK/unknown"
	if [ $(($(wc -l <"$WORK/unknown") * 50)) -le "$(wc -l <"$WORK/points")" ]; then
		ok "what was reached is where the module has points"
	else
		fail "what was reached is where the module has points" "not: $(tr '\n' ' ' <"$WORK/unknown")"
	fi
	cat "$WORK/unknown" >>"$WORK/there"
	while read -r at; do printf '%x\n' $((0x$at - 1)); done <"$WORK/there" | to_lines >"$WORK/all"
	while read -r at; do printf '%x\n' $((0x$at - 1)); done <"$WORK/points" | to_lines >"$WORK/reached"
	for files in "$TEXT" layer.c key.c; do
		# shellcheck disable=SC2086 # words
		read -r m n percent missing < <(report_cover $files)
		diag "$files: $m of $n lines with a branch reached, $percent %"
		[ -z "$missing" ] || diag "$files: not reached: $(tr ' ' '\n' <<<"$missing" | sort -V | tr '\n' ' ')"
		# What takes a broken machine or another kernel is beyond a line.
		if [ "$n" -gt 0 ] && [ "$percent" -ge "${WANTED[$files]}" ]; then
			ok "$percent % of $files are reached, at least ${WANTED[$files]} %"
		else
			fail "$percent % of $files are reached, at least ${WANTED[$files]} %"
		fi
	done
}
# What is text only, as one: see table.h.
TEXT="table.c options.c spec.c keyref.c message.c words.c"
declare -A WANTED=([$TEXT]=90 [layer.c]=70 [key.c]=70)

need_cmd dmesg
load_module
make_disk DISK 4
quiet
args=(--lines "$LINES_" --seed "$SEED" --points "$WORK/points"
	--disk "$((16#$(stat -L -c %t "$DISK"))):$((16#$(stat -L -c %T "$DISK")))"
	--path "$DISK" --sectors "$(sectors "$DISK")")
[ ! -e "$CORPUS" ] || args+=(--corpus "$CORPUS")
[ -z "${DMSSE_KEEP:-}" ] || args+=(--keep "$WORK/kept")

at_exit 'keyctl clear @s'
for dev in dmsse-fuzz1 dmsse-fuzz2 dmsse-fuzz-live dmsse-fuzz; do
	at_exit "dm_remove $dev"
done
at_exit "echo '$(cat /proc/sys/kernel/modprobe)' >/proc/sys/kernel/modprobe"
n=0
while IFS= read -r line; do
	case $line in
	"ok - "*)	ok "${line#ok - }"; n=$((n + 1)) ;;
	"not ok - "*)	fail "${line#not ok - }"; n=$((n + 1)) ;;
	*)		diag "${line#\# }" ;;
	esac
done < <(SECONDS=0; "$FUZZ" "${args[@]}"; echo "# ended with $? after $SECONDS s")
is "it came to its end" "$n" 3
[ -z "${DMSSE_KEEP:-}" ] || diag "$(sed 's/^/kept: /' "$WORK/kept")"

# What it said filled the log, in which the end looks for the mark of the start.
dmesg_mark start
if [ -s "$WORK/points" ] && command -v addr2line objdump perl >/dev/null; then
	tell_cover
else
	skip "what was reached of $TEXT, layer.c and key.c" "no KCOV in this kernel"
fi
done_testing
