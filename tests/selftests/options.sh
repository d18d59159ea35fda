#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Each option, alone and mixed: taken, shown, and the data is right, as dm-crypt
# with the same sector size and IVs reads it. Those for the read workqueue say
# which one it is.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

load_module
need_module dm-crypt
load_key options 64
make_disk DISK 4 null
MAP=/dev/mapper/dmsse-options
head -c 1M /dev/urandom >"$WORK/data"

MIXES="
allow_discards
same_cpu_crypt
submit_from_crypt_cpus
no_read_workqueue
no_write_workqueue
sector_size:512
sector_size:1024
sector_size:2048
sector_size:4096
sector_size:1024 iv_large_sectors
sector_size:2048 iv_large_sectors
sector_size:4096 iv_large_sectors
no_read_workqueue no_write_workqueue
same_cpu_crypt submit_from_crypt_cpus
allow_discards same_cpu_crypt submit_from_crypt_cpus no_read_workqueue no_write_workqueue sector_size:4096 iv_large_sectors
"
if kver_ge 6.10; then
	MIXES+="high_priority
high_priority same_cpu_crypt
high_priority no_read_workqueue sector_size:4096
"
fi

write_data() {
	dd if="$WORK/data" of=$MAP bs=128k oflag=direct conv=notrunc status=none
}

holds_data() {
	dd if=$MAP bs="$1" count=$((1048576 / $1)) iflag=direct status=none | cmp -s - "$WORK/data"
}

while IFS= read -r opts; do
	[ -n "$opts" ] || continue
	line=$(sse_line "$DISK" aes-xts-plain64 "$REF" 8 16 "$opts")
	if ! dm_try create dmsse-options --table "$line"; then
		fail "$opts: data is right, dm-crypt agrees" "$DM_OUT"
		skip "$opts: shown by table" "no device"
		dm_remove dmsse-options
		continue
	fi
	wrong=
	write_data || wrong="can't write"
	holds_data 4096 || wrong="reads of 4096 bytes give something else"
	holds_data 131072 || wrong="reads of 128 KiB give something else"
	shown=$(dmsetup table dmsse-options)
	dm_remove dmsse-options
	crypt_create dmsse-options "${line/ $DMSSE_TARGET / crypt }" >/dev/null 2>&1 || wrong="no dm-crypt device"
	holds_data 131072 || wrong="dm-crypt reads something else"
	dm_remove dmsse-options
	is "$opts: data is right, dm-crypt agrees" "$wrong" ""
	missing=
	# What is 512 by default isn't shown.
	for opt in ${opts/sector_size:512/}; do
		[[ " $shown " = *" $opt "* ]] || missing+=" $opt"
	done
	is "$opts: shown by table" "$missing" ""
done <<<"$MIXES"

### Where reads are decrypted

# This disk completes in a timer's interrupt, where nothing can be decrypted. The
# kernel's trace events name the workqueue that a read goes to.
open_trace
EVENT=$TRACE/events/workqueue/workqueue_queue_work/enable
make_disk TIMER 4 null irqmode=2
# Once for all: the kernel patches its code for this.
[ ! -w $EVENT ] || echo 1 >$EVENT

# POLICY OPTIONS WORKQUEUE
decrypted_by() {
	local queues name="policy $1, options '$2': reads are decrypted by $3"

	if [ ! -w $EVENT ]; then
		skip "$name" "no trace events of workqueues"
		return
	fi
	echo "$1" >/sys/module/dm_sse/parameters/policy
	sse_create dmsse-options "$(sse_line "$TIMER" aes-xts-plain64 "$REF" 0 0 "$2")" || bail "no device"
	echo 1 >$TRACE/tracing_on
	: >$TRACE/trace
	dd if=$MAP of=/dev/null bs=64k count=4 iflag=direct status=none
	echo 0 >$TRACE/tracing_on
	queues=$(grep -F '[dm_sse]' $TRACE/trace | grep -o ' workqueue=[^ ]*' | sort -u | tr -d '\n')
	is "$name" "$queues" " workqueue=$3"
	dm_remove dmsse-options
}
kver_ge 6.9 && SOON=events_bh || SOON=dmsse_hi
kver_ge 6.9 && SOON_SAME=events_bh || SOON_SAME=dmsse_cpu_hi
decrypted_by here "" "$SOON"
decrypted_by here same_cpu_crypt "$SOON_SAME"
decrypted_by spread "" dmsse
decrypted_by spread same_cpu_crypt dmsse_cpu
decrypted_by spread no_write_workqueue dmsse
decrypted_by spread no_read_workqueue "$SOON"
decrypted_by spread "same_cpu_crypt no_read_workqueue" "$SOON_SAME"
if kver_ge 6.10; then
	decrypted_by spread high_priority dmsse_hi
	decrypted_by spread "high_priority same_cpu_crypt" dmsse_cpu_hi
fi
echo auto >/sys/module/dm_sse/parameters/policy
[ ! -w $EVENT ] || echo 0 >$EVENT

### Refused

refused() {
	dmesg_mark
	dm_try create dmsse-options --table "$(sse_line "$DISK" aes-xts-plain64 "$REF" 0 0 "$1")"
	is "$1 is refused" "$DM_ERRNO" EOPNOTSUPP
	like "... and the kernel log says why" "$(dmesg_since | grep '^dm-sse: ')" "$2"
	dm_remove dmsse-options
}
refused integrity:32:aead 'integrity.* not supported'
refused integrity_key_size:32 'integrity.* not supported'
kver_ge 6.10 || refused high_priority "high_priority. needs Linux 6.10"

### Swap

# A hog in a cgroup of 24 MiB touches 40 MiB twice and checks them. Memory is
# what limit_swap_bios and the bounce reserve are about.
CGROUP=/sys/fs/cgroup/dmsse-swap
if [ -w /sys/fs/cgroup/cgroup.subtree_control ] && grep -q memory /sys/fs/cgroup/cgroup.controllers &&
	[ "$(cat /proc/sys/vm/swappiness)" != 0 ]; then
	make_disk SWAP 64 loop
	sse_create dmsse-options "$(sse_line "$SWAP" aes-xts-plain64 "$REF" 0 0 sector_size:4096)"
	mkswap $MAP >/dev/null 2>&1
	check "swapon" swapon $MAP
	at_exit "swapoff $MAP 2>/dev/null || :"
	echo +memory >/sys/fs/cgroup/cgroup.subtree_control
	mkdir $CGROUP
	at_exit "rmdir $CGROUP"
	echo $((24 << 20)) >$CGROUP/memory.max
	# shellcheck disable=SC2016
	sh -c 'echo $$ >'$CGROUP'/cgroup.procs
		exec perl -e '\''my @p = map { chr(65 + $_ % 26) x 65536 } 0..639;
		for (1..2) { for my $i (0..$#p) {
		exit 1 if $p[$i] ne chr(65 + $i % 26) x 65536 } }'\'
	is "a program larger than its memory finds its data in swap" $? 0
	is "it was written to the device" "$(($(word dmsse-options write_sectors) > 8192))" 1
	is "it was read from the device" "$(($(word dmsse-options read_sectors) > 8192))" 1
	check "swapoff" swapoff $MAP
	dm_remove dmsse-options
else
	for name in swapon "a program larger than its memory finds its data in swap" \
		"it was written to the device" "it was read from the device" swapoff; do
		skip "$name" "no cgroup2 with memory control"
	done
fi

done_testing
