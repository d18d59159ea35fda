#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A Linux guest in QEMU, whose two disks are devices of one layer and of two, given to
# it as guests.rst has it, with sectors of 4096 bytes and discards. It makes a file
# system, fills it, trims it and checks it, and writes patterns; when it is gone the
# host looks at both through dm-crypt.
#
# Its kernel is DMSSE_GUEST_KERNEL, <root>/boot/vmlinuz-<version>, whose modules are in
# <root>/lib/modules; by default one that tests/vm/kernel has unpacked, or the host's.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=examples.bash
. "$DMSSE_DIR/examples.bash"
# shellcheck source-path=SCRIPTDIR source=guest.bash
. "$DMSSE_DIR/guest.bash"
need_qemu
need_cmd busybox mkfs.ext4 e2fsck ldd modprobe
grep -qw ext4 /proc/filesystems || need_module ext4

# Where QEMU has to emulate in an emulated machine, Linux takes too long to boot.
[ "${DMSSE_RIG:-}" = uml ] || [ -w /dev/kvm ] ||
	skip_all "a guest that emulates a guest would take too long"

find_kernel() {
	local image cached=${XDG_CACHE_HOME:-$HOME/.cache}/dm-sse/kernels

	for image in ${DMSSE_GUEST_KERNEL:+"$DMSSE_GUEST_KERNEL"} "$cached"/*/root/boot/vmlinuz-* \
		/boot/vmlinuz-*; do
		KVER=${image##*/vmlinuz-}
		KROOT=${image%/boot/*}
		KERNEL=$image
		# Not compressed it is started sooner.
		[ ! -r "${KROOT%/root}/vmlinux" ] || KERNEL=${KROOT%/root}/vmlinux
		[ ! -r "$KERNEL" ] || [ ! -d "$KROOT/lib/modules/$KVER" ] || return 0
	done
	return 1
}
find_kernel || skip_all "no kernel for a guest (DMSSE_GUEST_KERNEL=)"

# A root of busybox, the programs about ext4 with their libraries, and modules.
initramfs() {
	local root=$WORK/root word file

	mkdir -p "$root"/{bin,dev,proc,sys,lib/modules}
	cp -L "$(command -v busybox)" "$root/bin/busybox" || return
	for file in mkfs.ext4 e2fsck; do
		file=$(command -v "$file")
		cp -L --parents "$file" "$root" || return
		ldd "$file" | grep -oE '/[^ ]+' | xargs -r -I @ cp -L --parents @ "$root" || return
	done
	for file in virtio_pci virtio_blk ext4 crc32c_generic; do
		modprobe -d "$KROOT" -S "$KVER" --show-depends "$file" || return
	done >"$WORK/depends"
	while read -r word file _; do
		if [ "$word" != insmod ] || [ -e "$root/lib/modules/$(basename "$file" .xz)" ]; then
			continue
		fi
		case $file in
		*.xz)	xz -dc "$file" >"$root/lib/modules/$(basename "$file" .xz)" ;;
		*)	cp "$file" "$root/lib/modules/" ;;
		esac || return
		basename "$file" .xz >>"$root/lib/modules/order"
	done <"$WORK/depends"
	cp "$DMSSE_DIR/guest-linux.init" "$root/init" && chmod 755 "$root/init" || return
	(cd "$root" && find . | busybox cpio -o -H newc -R 0:0) >"$WORK/initramfs" 2>/dev/null
}
check "a root for the guest" initramfs || bail "no initramfs"

### Its disks

load_module
need_module dm-crypt
modprobe -q adiantum
load_key inner 64
INNER_REF=$REF
load_key outer 32
OUTER_REF=$REF
OUTER='capi:adiantum(xchacha12,aes)-plain64'
make_disk ONE 48
make_disk TWO 16
sse_create dmsse-one "$(sse_line "$ONE" aes-xts-plain64 "$INNER_REF" 0 0 'allow_discards sector_size:4096')"
sse_create dmsse-two "0 $(sectors "$TWO") sse aes-xts-plain64 $INNER_REF 0 $TWO 0 6 allow_discards sector_size:4096 outer $OUTER $OUTER_REF 0"
# What a discard gives back must have been there.
dd if=/dev/urandom of=/dev/mapper/dmsse-two bs=1M oflag=direct status=none 2>/dev/null
allocated() {
	du -k "$(losetup -n -O BACK-FILE "$1")" | cut -f 1
}
BEFORE=$(allocated "$TWO")

### The guest

LOG=$WORK/console
: >"$LOG"
disk_of /dev/mapper/dmsse-one logical_block_size=4096,physical_block_size=4096
ARGS=("${DISK_ARGS[@]}")
disk_of /dev/mapper/dmsse-two logical_block_size=4096,physical_block_size=4096
for arg in "${DISK_ARGS[@]}"; do
	arg=${arg/node-name=disk/node-name=second}
	ARGS+=("${arg/drive=disk/drive=second}")
done
started=$SECONDS
check "QEMU starts" guest linux -m 256 -kernel "$KERNEL" -initrd "$WORK/initramfs" \
	-append "console=ttyS0 panic=-1 mitigations=off quiet" -no-reboot \
	-chardev "file,id=console,path=$LOG" -device isa-serial,chardev=console "${ARGS[@]}" ||
	bail "no guest"
said() {
	tr -d '\r' <"$LOG" | sed -n 's/^@@ //p'
}
ended() {
	said | grep -qx end || ! kill -0 "${QEMU[linux]}" 2>/dev/null
}
check "the guest comes to its end" wait_for 1200 ended
wait_for 30 _gone "${QEMU[linux]}"
quit linux
diag "the guest took $((SECONDS - started)) s"
said | grep -q . || diag "$(tail -n 30 "$LOG")"
for disk in vda vdb; do
	is "$disk has sectors of 4096 bytes, and takes discards" "$(said | grep "^$disk ")" \
		"$disk 4096 4096 discards"
done
for what in mkfs mount fill reread again trim after-trim rest umount fsck patterns discard flush; do
	is "guest: $what" "$(said | grep -E "ok $what\>")" "ok $what"
done

### What the host finds

for name in dmsse-one dmsse-two; do
	is "$name: no error was counted" "$(word $name crypt_errors) $(word $name io_errors)" "0 0"
	check "$name: there were discards" test "$(word $name discard_bios)" -gt 0
	dm_remove $name
done
check "the image has given back what was discarded" test $((BEFORE - $(allocated "$TWO"))) -ge 4096
dm_create dmsse-one "0 $(sectors "$ONE") crypt aes-xts-plain64 $INNER_REF 0 $ONE 0 1 sector_size:4096"
check "the checker finds no fault through dm-crypt" e2fsck -fn /dev/mapper/dmsse-one
mkdir "$WORK/mnt"
mount -o ro /dev/mapper/dmsse-one "$WORK/mnt"
at_exit "! mountpoint -q $WORK/mnt || umount $WORK/mnt"
content() {
	yes "the content of $1" | head -c 524288
}
filled() {
	local i

	for i in 0 1 2 3 4 5 8 9 10 11 12 13 14 15; do
		cmp <(content "file-$i") "$WORK/mnt/file-$i" || return
	done
	[ ! -e "$WORK/mnt/file-6" ]
}
check "all files have what the guest wrote" filled
umount "$WORK/mnt"
dm_create dmsse-outer "0 $(sectors "$TWO") crypt $OUTER $OUTER_REF 0 $TWO 0 1 sector_size:4096"
dm_create dmsse-two "0 $(sectors "$TWO") crypt aes-xts-plain64 $INNER_REF 0 /dev/mapper/dmsse-outer 0 1 sector_size:4096"
has_patterns() {
	local at

	for at in 0 8 16; do
		cmp <(content raw) <(dd if=/dev/mapper/dmsse-two bs=128k skip=$at count=4 iflag=direct status=none) ||
			return
	done
}
check "the patterns are on the other" has_patterns

done_testing
