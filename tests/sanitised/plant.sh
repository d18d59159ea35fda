#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# In a guest whose module is built with DMSSE_PLANT=y: a bug of one class happens,
# and the kernel's log has the very report, with the name of the function that did
# it. As with any complaint of the kernel, the script's last result is a failure:
# tests/sanitised/planted, which calls this, wants it so.
#
# argv: the class, see dm-sse/plant.c; or DMSSE_PLANT.

# shellcheck source-path=SCRIPTDIR source=../selftests/lib.sh
. "$(dirname "$0")/../selftests/lib.sh"

CLASS=${1:-${DMSSE_PLANT:?}}
PLANT=/sys/module/dm_sse/parameters/plant
LEAKS=/sys/kernel/debug/kmemleak

# What the kernel says first of a bug, and where else than in that line the function
# is named: if it is, FIRST has it.
case $CLASS in
slab-bounds)	FIRST='BUG: KASAN: slab-out-of-bounds in plant_slab_bounds' ;;
use-after-free)	FIRST='BUG: KASAN: slab-use-after-free in plant_use_after_free' ;;
stack-bounds)	FIRST='BUG: KASAN: stack-out-of-bounds in plant_stack_bounds' ;;
kfence)		FIRST='BUG: KFENCE: use-after-free read in plant_kfence' ;;
lock-inversion)	FIRST='WARNING: possible circular locking dependency detected' ;;
sleep-in-atomic) FIRST='BUG: sleeping function called from invalid context' ;;
rcu-dereference) FIRST='WARNING: suspicious RCU usage' ;;
preemptible)	FIRST='BUG: using smp_processor_id\(\) in preemptible' ;;
scatterlist)	FIRST='kernel BUG at .*scatterlist\.h|BUG: failure at .*scatterlist\.h.*/sg_page' ;;
timer-freed)	FIRST='ODEBUG: free active \(active state 0\).*timer_list' ;;
timer-twice)	FIRST='ODEBUG: init active \(active state 0\).*timer_list' ;;
list)		FIRST='list_del corruption' ;;
leak)		FIRST='kmemleak: [0-9]+ new suspected memory leaks' ;;
shift)		FIRST='UBSAN: shift-out-of-bounds in .*plant\.c' ;;
array-bounds)	FIRST='UBSAN: array-index-out-of-bounds in .*plant\.c' ;;
page)		FIRST='pagealloc: memory corruption' ;;
race)		FIRST='BUG: KCSAN: data-race in plant_race.* / plant_race' ;;
warning)	FIRST='WARNING: CPU: .* plant_warning' ;;
*)		bail "no class $CLASS" ;;
esac
FUNCTION=plant_${CLASS//-/_}

load_module
[ -e $PLANT ] || skip_all "the module isn't built with DMSSE_PLANT=y"
plan 2

# kmemleak doesn't name blocks younger than five seconds.
look_for_leaks() {
	[ -w $LEAKS ] || return
	sleep 6
	echo scan >$LEAKS
	echo scan >$LEAKS
}

[ "$CLASS" != leak ] || echo clear >$LEAKS
dmesg_mark
echo "$CLASS" >$PLANT
[ "$CLASS" != leak ] || look_for_leaks

SAID=$(dmesg_since)
if line=$(grep -m 1 -E "$FIRST" <<<"$SAID"); then
	ok "$CLASS: $line"
else
	fail "$CLASS: is reported as it should" "$SAID"
fi
[ "$CLASS" != leak ] || SAID=$(cat $LEAKS)
if grep -q "\<$FUNCTION" <<<"$SAID"; then
	ok "$CLASS: ... with the function's name"
else
	fail "$CLASS: ... with the function's name" "$SAID"
fi
