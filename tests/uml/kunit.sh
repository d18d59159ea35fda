#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Inside User Mode Linux, or another guest: loads a module built with DMSSE_KUNIT=y,
# which runs its suites, and gives one line for each case of each of them.
#
# argv: a seed for the random cases (0: by chance) and how many of these.

set -u
results=/sys/kernel/debug/kunit
suites=(dmsse-words dmsse-spec dmsse-table dmsse-refusal dmsse-message dmsse-iv dmsse-crypt
	dmsse-lease dmsse-policy dmsse-spread dmsse-recycle dmsse-bounce)
seed=${1:-0}
rounds=${2:-2000}

echo "TAP version 13"
# What it wants is built in here, and in modules elsewhere.
for module in $(modinfo -F depends "${DMSSE_MODULE:?}" | tr ',' ' '); do
	modprobe -q "$module"
done
if ! insmod "$DMSSE_MODULE" test_seed="$seed" test_rounds="$rounds"; then
	echo "1..1"
	echo "not ok 1 - the module can be loaded"
	exit 1
fi

for suite in "${suites[@]}"; do
	if [ ! -r "$results/$suite/results" ]; then
		echo "missing $suite"
		continue
	fi
	sed 's/^/log /' "$results/$suite/results"
	echo "end $suite"
done | awk '
	function report(good, name) {
		printf "%sok %d - kunit: %s %s\n", good ? "" : "not ", ++n, suite, name
		if (!good)
			bad++
		leaves++
	}
	$1 == "missing" { suite = $2; report(0, "has run"); next }
	$1 == "end" {
		if (leaves == 0 || !suite_good)
			report(0, "as a whole")
		leaves = suite_good = 0
		next
	}
	{ sub(/^log /, ""); match($0, /^ */); depth = RLENGTH }
	/^ *# Subtest: / {
		if (depth == 4)
			suite = $3
		else
			parameterised = $3
		next
	}
	/^ *(not )?ok [0-9]+/ {
		good = $1 == "ok"
		name = $0
		sub(/^ *(not )?ok [0-9]+ */, "", name)
		if (depth >= 8) {
			report(good, parameterised ": " name)
			inner += !good
		} else if (depth == 4) {
			if (parameterised == "" || (!good && !inner))
				report(good, name)
			parameterised = ""
			inner = 0
		} else {
			suite_good = good
		}
		next
	}
	/KTAP version|^ *1\.\.|Totals:| pass:[0-9]+ / { next }
	{ print "# " $0 }
	END {
		printf "1..%d\n", n
		exit bad > 0
	}'
verdict=$?
rmmod dm-sse || { echo "# dm-sse can not be unloaded"; verdict=1; }
exit "$verdict"
