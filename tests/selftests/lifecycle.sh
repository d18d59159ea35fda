#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Devices come and go by the hundred, the module with them, and nothing is
# left behind.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

DMBATCH=$(tool dmbatch) || skip_all "the helper dmbatch is not built"
[ ! -d /sys/module/dm_sse ] || [ "$(cat /sys/module/dm_sse/refcnt)" = 0 ] ||
	skip_all "dm-sse is in use"
load_module
load_key life 64
make_disk DISK 64 null
SECTORS=$(sectors "$DISK")
MAP=/dev/mapper/dmsse-life

cycle() {
	printf '%s\tdmsse-life%s\t%s\n' create "$1" "" load "$1" \
		"0 1024 sse aes-xts-plain64 $REF 0 $DISK $(((${2:-0} * 1024) % (SECTORS - 1024)))" \
		resume "$1" "" suspend "$1" "" resume "$1" "" remove "$1" ""
}

# Objects in use. A shrunk cache has none that are only kept at hand, save in the
# slabs that CPUs have taken since: so there is no process between that and the
# look. The files for it are open all the time: each that is opened costs an object,
# which is freed by kfree_rcu() and thus seconds after it is closed.
SHRINK=()
for dir in /sys/kernel/slab/kmalloc-* /sys/kernel/slab/bio-* /sys/kernel/slab/dm_* \
	/sys/kernel/slab/key_jar /sys/kernel/slab/pool_workqueue; do
	[ -e "$dir/shrink" ] || continue
	exec {fd}>"$dir/shrink"
	SHRINK+=("$fd")
done

count_objects() {
	local fd
	local -a slabs

	for fd in "${SHRINK[@]}"; do
		echo 1 >&"$fd"
	done 2>/dev/null
	mapfile -t slabs </proc/slabinfo
	printf '%s\n' "${slabs[@]}" |
		awk '$1 ~ /^(kmalloc-|bio-|dm_|key_jar|pool_workqueue)/ { print $1, $2 }'
}

# BEFORE AFTER
grown() {
	join "$1" "$2" | awk '$3 - $2 >= 50'
}

# FILE LOOKS [BEFORE]: of so many looks, a second apart, the least of each cache is
# next to the truth. Fewer will do if by then none has grown since BEFORE.
objects() {
	local i

	: >"$1"
	for ((i = 0; i < $2; i++)); do
		sleep 1
		count_objects >"$WORK/now"
		sort -k 1,1 -k 2,2n "$1" "$WORK/now" | sort -s -u -k 1,1 >"$WORK/least"
		mv "$WORK/least" "$1"
		[ -z "${3:-}" ] || [ -n "$(grown "$3" "$1")" ] || break
	done
}

free_kib() {
	awk '/^(MemFree|Buffers|Cached|SReclaimable):/ { sum += $2 } END { print sum }' /proc/meminfo
}

# How many of the batch have failed; behind the errno may be what was asked for.
failures() {
	"$DMBATCH" | cut -f 1 | grep -c -v '^0$'
}

# IMA may note each table that it hasn't seen before, and keeps that: the first
# twenty are all there are.
run_cycles() {
	local i

	for ((i = 0; i < $1; i++)); do
		cycle 0 "$((i % 20))"
	done | failures
}

# Refused as late as can be, when only the key is missing. Not more of them: each
# takes three lines of the kernel log, whose beginning must stay.
run_refusals() {
	local i

	for ((i = 0; i < $1; i++)); do
		printf '%s\tdmsse-life0\t%s\n' create "" \
			load "0 1024 sse aes-xts-plain64 :64:logon:dmsse:none 0 $DISK 0" remove ""
	done | "$DMBATCH" | grep -c '^ENOKEY'
}

# The first ones fill caches. Then two rounds: slabs are shared with all of the
# kernel and one may grow for a reason of its own, but a leak shows in both, by 100
# objects, however long one waits.
is "20 create and remove cycles to warm up" "$(run_cycles 20)" 0
is "10 refusals likewise" "$(run_refusals 10)" 10
objects "$WORK/slab0" 8
FREE1=$(free_kib)
for round in 1 2; do
	is "100 create and remove cycles, round $round" "$(run_cycles 100)" 0
	is "100 refusals, round $round" "$(run_refusals 100)" 100
	objects "$WORK/slab$round" 15 "$WORK/slab$((round - 1))"
done
FREE2=$(free_kib)
for fd in "${SHRINK[@]}"; do
	exec {fd}>&-
done
GROWN=$(join -o 0,1.2,1.3,2.3 <(grown "$WORK/slab0" "$WORK/slab1") <(grown "$WORK/slab1" "$WORK/slab2"))
is "no slab grew by an object per cycle or refusal" "$GROWN" ""
# A bounce reserve is 256 KiB a device: leaking them would take 50 MiB.
is "memory is where it was, to 20 MiB ($FREE1 KiB, $FREE2 KiB)" "$((FREE1 - FREE2 < 20480))" 1
is "the module has no users" "$(cat /sys/module/dm_sse/refcnt)" 0

### Fifty at once

dmesg_mark
for ((i = 0; i < 50; i++)); do
	cycle "$i" "$i" | head -n 3
done >"$WORK/batch"
is "50 devices at once" "$(failures <"$WORK/batch")" 0
dmsetup mknodes
for ((i = 0; i < 50; i++)); do
	at_exit "dm_remove dmsse-life$i"
done
is "the module has as many users" "$(cat /sys/module/dm_sse/refcnt)" 50
head -c 512K /dev/urandom >"$WORK/data"
for i in 0 24 49; do
	dd if="$WORK/data" of="$MAP$i" bs=64k oflag=direct conv=notrunc status=none
done
for i in 0 24 49; do
	check "device $i has its data" cmp "$WORK/data" <(dd if="$MAP$i" bs=64k iflag=direct status=none)
done
refute "the module can't be unloaded" rmmod dm_sse
for ((i = 0; i < 50; i++)); do
	printf 'remove\tdmsse-life%s\t\n' "$i"
done | failures >"$WORK/failed"
dmsetup mknodes
is "all are removed" "$(cat "$WORK/failed")" 0
is "the module has no users again" "$(cat /sys/module/dm_sse/refcnt)" 0

### The module

FAILED=0
for ((i = 0; i < 3; i++)); do
	reload_module || FAILED=1
done
is "unload and load, three times" "$FAILED" 0
# One for each workqueue, under either of the names that kernels give them.
rescuers() {
	cat /proc/[0-9]*/comm 2>/dev/null | grep -cE '^(kworker/R-)?dmsse'
}
is "the workqueues have their threads" "$(($(rescuers) > 0))" 1
unload_module
# A thread that was stopped may be seen until it is gone.
_no_rescuers() {
	[ "$(rescuers)" = 0 ]
}
check "no workqueue is left" wait_for 10 _no_rescuers
refute "no target is left" sh -c "dmsetup targets | grep -q '^sse '"

# Device-mapper asks for it by name. Where it isn't installed, modprobe is told
# how to get it.
if ! modinfo dm-sse >/dev/null 2>&1; then
	mkdir -p /run/modprobe.d
	echo "install dm-sse /sbin/insmod $DMSSE_MODULE" >/run/modprobe.d/dmsse-selftest.conf
	at_exit "rm -f /run/modprobe.d/dmsse-selftest.conf"
fi
check "a table loads the module by itself" sse_create dmsse-life0 "$(sse_line "$DISK" aes-xts-plain64 "$REF")"
check "it is loaded" test -d /sys/module/dm_sse
dm_remove dmsse-life0

### The parameter for benchmarks

load_key ecb 32
INSECURE="0 1024 sse aes-ecb $REF 0 $DISK 0"
NULL="0 1024 sse cipher_null-ecb - 0 $DISK 0"
is "insecure_ciphers is off" "$(cat /sys/module/dm_sse/parameters/insecure_ciphers)" N
dm_try create dmsse-life0 --table "$INSECURE"
is "ecb is refused" "$DM_ERRNO" EINVAL
dm_try create dmsse-life0 --table "$NULL"
is "cipher_null is refused" "$DM_ERRNO" EINVAL
sh -c 'echo 1 >/sys/module/dm_sse/parameters/insecure_ciphers' 2>/dev/null
is "the parameter can't be changed later" "$(cat /sys/module/dm_sse/parameters/insecure_ciphers)" N

dmesg_mark
reload_module insecure_ciphers=1
like "with insecure_ciphers=1 the module warns" "$(dmesg_since | grep '^dm-sse: ')" insecure
check "ecb is taken" sse_create dmsse-life0 "$INSECURE"
like "... and status says so, last" "$(dmsetup status dmsse-life0)" ' insecure$'
dm_remove dmsse-life0
if have_module crypto_null; then
	check "cipher_null is taken" sse_create dmsse-life0 "$NULL"
	like "... and status says so, last" "$(dmsetup status dmsse-life0)" ' insecure$'
	is "... and table shows no key" "$(dmsetup table dmsse-life0 | cut -d ' ' -f 5)" -
	dd if="$WORK/data" of=${MAP}0 bs=64k count=4 oflag=direct conv=notrunc status=none
	check "... and the disk holds plaintext" cmp -n 262144 "$WORK/data" "$DISK"
	dm_remove dmsse-life0
else
	for name in "cipher_null is taken" "... and status" "... and table" "... and the disk"; do
		skip "$name" "no cipher_null"
	done
fi
sse_create dmsse-life0 "$(sse_line "$DISK" aes-xts-plain64 ":64:logon:dmsse:life")"
unlike "a good cipher isn't called insecure" "$(dmsetup status dmsse-life0)" insecure
dm_remove dmsse-life0
reload_module

done_testing
