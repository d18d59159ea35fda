# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# The act of tests/vm/demo.sh about encryption at host, which sources it after
# demo-keys.sh: a virtual machine whose disk is network storage with a cache on the
# host. What it writes is looked for everywhere below, and the key is taken away
# under it and given back.

# The guest's helpers look for what they need beside themselves.
DMSSE_DIR=$(cd "$(dirname "$0")/../selftests" && pwd)
# shellcheck source-path=SCRIPTDIR source=../selftests/examples.bash
. "$DMSSE_DIR/examples.bash"
# shellcheck source-path=SCRIPTDIR source=../selftests/guest.bash
. "$DMSSE_DIR/guest.bash"
# shellcheck source-path=SCRIPTDIR source=../selftests/wire.bash
. "$DMSSE_DIR/wire.bash"
need_guests_rst

act "Storage in another network namespace: a file, served over NBD"
far=$WORK/far
truncate -s 24M "$far"
far_network
far_nbd "$far"
must nbd-client -c $FAR_DISK
need_module loop dm-writecache
truncate -s 24M "$WORK/ssd"
ssd=$(losetup -f --show "$WORK/ssd")
at_exit "losetup -d $ssd"
at_exit "ssesetup close -q vm4 >/dev/null 2>&1 || :"

act "A set whose disks wait for their key, and a disk of it with a cache"
must ssesetup des create guests --type customer --on-lapse queue --lease 1h --kek-timeout 120 --key 'pkcs11:token=customer;object=disks' --identity file:/etc/dm-sse/customer.pin
must ssesetup format --batch-mode --des guests $FAR_DISK
capture vm4
must ssesetup open --cache "$ssd,writecache" $FAR_DISK vm4
must lsblk -o NAME,TYPE,SIZE $FAR_DISK "$ssd"
must ssesetup check vm4

act "A virtual machine on it (so small that its system is one boot sector)"
boot_sector guest
put_boot_sector guest /dev/mapper/vm4
AIO=threads disk_of /dev/mapper/vm4
diag "\$ qemu-system-x86_64 ... ${DISK_ARGS[*]}"
guest vm4 "${DISK_ARGS[@]}" || bail "no guest"
check "it writes, and reads what it wrote" goes_on vm4 40

act "The key is taken away under it"
must ssesetup des disable guests --now --batch-mode
waits() {
	[ "$(word vm4 held_bios)" -gt 0 ]
}
check "its I/O waits" wait_for "$PATIENCE" waits
before=$(writes vm4)
is "the kernel has wiped the key" "$(word vm4 inner)" no-key
sleep 3
is "and it stands still: $before writes, then and now" "$(writes vm4)" "$before"

act "... and given back"
must ssesetup des enable guests
check "the virtual machine goes on by itself" goes_on vm4 40
check "... and has seen no error, and lost nothing" content vm4
quit vm4
last=$(writes vm4)
[ $((last & 255)) != 10 ] || last=$((last - 1))

act "What has left the host, and what its cache has"
# What the boot sector begins with, and what the last writes are full of: the
# number 16 times. The search is by lines, so that it can't be one with a newline.
number=$(printf '\\x%02x\\x%02x\\x%02x\\x%02x' $((last & 255)) $((last >> 8 & 255)) \
	$((last >> 16 & 255)) $((last >> 24)))
code=$(head -c 64 "$WORK/guest.bin" | od -An -v -tx1 | tr -d ' \n' | sed 's/../\\x&/g')
found() {
	LC_ALL=C grep -qaP "$1" "$2"
}
check "64 bytes of its system are found on the mapping" found "$code" /dev/mapper/vm4
check "... and 64 bytes of what it wrote last" found "($number){16}" /dev/mapper/vm4
must ssesetup close vm4
end_capture
sync "$ssd"
not_empty() {
	[ "$(tr -d '\0' <"$1" | wc -c)" -gt 65536 ]
}
for where in "$CAPTURE" "$far" "$WORK/ssd"; do
	case $where in
	"$CAPTURE")	what='what went over the wire' ;;
	"$far")		what='what the storage has' ;;
	*)		what='what the cache has' ;;
	esac
	check "something is in $what" not_empty "$where"
	refute "the same search finds the system in nothing of it" found "$code" "$where"
	refute "... nor what was written" found "($number){16}" "$where"
done
