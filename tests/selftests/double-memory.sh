#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What a second layer costs in memory: nothing. Pages and bios that are
# allocated while writes, or reads, go through a device are counted by kprobes
# on the kernel's allocators, and those that writes have had before on the
# function that is asked for each of them first; with two layers there are as
# many as with one. Two stacked dm-crypt devices need twice what one does.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

load_module
need_module dm-crypt
TRACE=/sys/kernel/tracing
if [ ! -e $TRACE/kprobe_events ] && mount -t tracefs tracefs $TRACE 2>/dev/null; then
	at_exit "umount $TRACE"
fi
[ -w $TRACE/kprobe_events ] || skip_all "no kprobe events"
[ -e $TRACE/kprobe_profile ] || skip_all "no kprobe_profile"

load_key inner 64
REF64=$REF
load_key outer 32
REF32=$REF
A='capi:adiantum(xchacha12,aes)-plain64'
# Its memory is there once it was written to.
make_disk DISK 4 null
dd if=/dev/zero of="$DISK" bs=1M oflag=direct conv=notrunc status=none 2>/dev/null

probe() {
	local name=$1 symbol

	shift
	for symbol in "$@"; do
		if echo "p:dmsse/$name $symbol" >>$TRACE/kprobe_events 2>/dev/null; then
			at_exit "echo '-:dmsse/$name' >>$TRACE/kprobe_events"
			at_exit "echo 0 >$TRACE/events/dmsse/$name/enable"
			echo 1 >"$TRACE/events/dmsse/$name/enable"
			return
		fi
	done
	skip_all "no kprobe on $*"
}

# 6.10 renamed the page allocator.
probe pages __alloc_pages_noprof __alloc_pages
probe bios bio_alloc_bioset
probe bounces dmsse_recycle_take

hits() {
	awk -v name="$1" '$1 == name { print $2 }' $TRACE/kprobe_profile
}

COUNT=512

# VAR DEVICE DD-ARGS...: of COUNT I/Os each needs, rounded, "PAGES BIOS BOUNCES":
# pages and bios that are allocated, and bounce pages, wherever they are from.
# The rest of the system allocates as well, but not for each of so many.
measure() {
	local -n _per=$1
	local device=$2 what before=()

	shift 2
	blockdev --flushbufs "$device"
	for what in pages bios bounces; do
		before+=("$(hits $what)")
	done
	dd "$@" count=$COUNT status=none || bail "dd $*"
	_per=
	for what in pages bios bounces; do
		_per+=" $((($(hits $what) - before[0] + COUNT / 2) / COUNT))"
		before=("${before[@]:1}")
	done
	_per=${_per# }
}

# VAR DEVICE: of writes and of reads of 4 KiB.
writes() {
	measure "$1" "$2" if=/dev/zero of="$2" bs=4096 oflag=direct conv=notrunc
	diag "$1: pages, bios and bounce pages per write: ${!1}"
}

reads() {
	measure "$1" "$2" if="$2" of=/dev/null bs=4096 iflag=direct
	diag "$1: pages, bios and bounce pages per read: ${!1}"
}

SECTORS=$(sectors "$DISK")
MAP=/dev/mapper/dmsse-memory
# Used by their names.
# shellcheck disable=SC2034
declare BASE_W4 BASE_R4 ONE_W4 ONE_R4 TWO_W4 TWO_R4 CRYPT_W4 STACK_W4

# What a device needs that does nothing: the disk itself allocates, too.
dm_create dmsse-memory "0 $SECTORS linear $DISK 0" || bail "no linear"
writes BASE_W4 $MAP
reads BASE_R4 $MAP
dm_remove dmsse-memory
dm_create dmsse-memory "0 $SECTORS sse aes-xts-plain64 $REF64 0 $DISK 0 1 sector_size:4096" || bail "no device"
writes ONE_W4 $MAP
reads ONE_R4 $MAP
dm_remove dmsse-memory
dm_create dmsse-memory "0 $SECTORS sse aes-xts-plain64 $REF64 0 $DISK 0 5 sector_size:4096 outer $A $REF32 0" || bail "no device"
writes TWO_W4 $MAP
reads TWO_R4 $MAP
dm_remove dmsse-memory
dm_create dmsse-memory "0 $SECTORS crypt aes-xts-plain64 $REF64 0 $DISK 0 1 sector_size:4096" || bail "no dm-crypt"
writes CRYPT_W4 $MAP
dm_remove dmsse-memory
dm_create dmsse-below "0 $SECTORS crypt $A $REF32 0 $DISK 0 1 sector_size:4096" || bail "no dm-crypt"
dm_create dmsse-memory "0 $SECTORS crypt aes-xts-plain64 $REF64 0 /dev/mapper/dmsse-below 0 1 sector_size:4096" ||
	bail "no dm-crypt on dm-crypt"
writes STACK_W4 $MAP
dm_remove dmsse-memory
dm_remove dmsse-below

# VAR: pages of it that the device below has no part in.
pages() {
	local -n _of=$1
	local base=$BASE_W4

	[[ $1 = *_W4 ]] || base=$BASE_R4
	echo $((${_of%% *} - ${base%% *}))
}

# VAR
bios() {
	cut -d ' ' -f 2 <<<"${!1}"
}

bounces() {
	cut -d ' ' -f 3 <<<"${!1}"
}

is "a write with one layer takes one bounce page" "$(bounces ONE_W4)" 1
is "... which is that of an earlier write" "$(pages ONE_W4)" 0
is "a write with two layers takes as many pages and bios" "$TWO_W4" "$ONE_W4"
is "a read with one layer takes no page" "$(pages ONE_R4) $(bounces ONE_R4)" "0 0"
is "a read with two layers takes as many pages and bios" "$TWO_R4" "$ONE_R4"
is "a device takes no bios but device-mapper's own clones" "$(bios ONE_W4) $(bios ONE_R4)" \
	"$(bios BASE_W4) $(bios BASE_R4)"
is "a write to dm-crypt on dm-crypt takes twice the pages of one dm-crypt" \
	"$(pages STACK_W4)" $((2 * $(pages CRYPT_W4)))
is "... and twice its bios" "$(bios STACK_W4)" $((2 * $(bios CRYPT_W4)))
is "a write with two layers takes half the pages of the stack" \
	$((2 * $(bounces TWO_W4))) "$(pages STACK_W4)"
is "... and a quarter of its bios" $((4 * $(bios TWO_W4))) "$(bios STACK_W4)"

done_testing
