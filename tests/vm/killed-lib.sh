# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What the scripts of tests/vm/killed agree on; sourced after lib.sh.
#
# A host has four disks: what it keeps in /etc and /var, one disk under the platform's
# key, one with two layers under the platform's and a customer's, and one that is empty.
# They go by names of device-mapper, which stay the same wherever their files are.
# shellcheck disable=SC2034

STATE=/srv/state
# In the last there is what systemd-creds seals the platform's key with.
declare -A KEPT=(
	[etc]=/etc/dm-sse [lib]=/var/lib/dm-sse [log]=/var/log/dm-sse [systemd]=/var/lib/systemd
)
IMAGES=(state one two new)
DATA_MIB=8

need_cmd openssl mkfs.ext4
need_ssesetup
need_module loop
load_module

# NAME DEVICE
add_disk() {
	dmsetup create "vm-$1" --table "0 $(sectors "$2") linear $2 0"
}

# What a host finds after it was started: nothing is open, /run is empty.
host_up() {
	local dir

	mkdir -p "$STATE" /run/cryptsetup /run/dm-sse
	mount -t tmpfs -o mode=0700 dmsse-state /run/dm-sse &&
		mount -t ext4 /dev/mapper/vm-state "$STATE" || return
	for dir in "${!KEPT[@]}"; do
		mkdir -p "$STATE/$dir" "${KEPT[$dir]}"
		chmod 700 "$STATE/$dir"
		mount --bind "$STATE/$dir" "${KEPT[$dir]}" || return
	done
}

host_down() {
	local dir name

	for name in one two new; do
		[ ! -b "/dev/mapper/data-$name" ] || "$SSESETUP" close "data-$name"
	done
	for dir in "${KEPT[@]}" /run/dm-sse "$STATE"; do
		! mountpoint -q "$dir" || umount "$dir"
	done
	for name in "${IMAGES[@]}"; do
		dm_remove "vm-$name"
	done
	keyctl unlink "$(keyctl search @u keyring dm-sse)" @u 2>/dev/null || :
}
at_exit host_down

ssesetup() {
	"$SSESETUP" "$@" </dev/null
}

# Another for each disk, and never zeros.
pattern() {
	head -c "${DATA_MIB}M" /dev/zero |
		openssl enc -aes-128-ctr -K "$(key_hex 16 "$1")" -iv 00000000000000000000000000000000
}

# The number of its set's key that each layer of a disk needs.
versions() {
	ssesetup dump "/dev/mapper/vm-$1" 2>/dev/null | sed -n 's/^[[:space:]]\+Version: *//p' | tr '\n' ' '
}

# NAME: writes what has to stay.
fill() {
	pattern "$1" | dd of="/dev/mapper/data-$1" bs=1M iflag=fullblock oflag=direct conv=notrunc,nocreat status=none
}

# NAME [OF]: has it the data, of the disk OF?
holds() {
	[ "$(dd if="/dev/mapper/data-$1" bs=1M count=$DATA_MIB iflag=direct status=none | sha256sum)" = \
		"$(pattern "${2:-$1}" | sha256sum)" ]
}
