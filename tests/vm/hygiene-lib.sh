# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What the scripts of tests/vm/hygiene in the guest agree on.
# shellcheck disable=SC2034

# A file system of the host's making, which the host reads while the guest is stopped.
STATE=/srv/state
declare -A KEPT=(
	[etc]=/etc/dm-sse [lib]=/var/lib/dm-sse [log]=/var/log/dm-sse
	[tokens]=/var/lib/softhsm/tokens [systemd]=/var/lib/systemd
)
PLATFORM_DISK=/dev/vdb
CUSTOMER_DISK=/dev/vdc
DOUBLE_DISK=/dev/vdd
VENDOR_DISK=/dev/vde
PASSPHRASE_DISK=/dev/vdf
SCRATCH_DISK=/dev/vdg
SWAP_DISK=/dev/vdh

mount_state() {
	local dir

	mkdir -p "$STATE"
	modprobe -q ext4
	mount -t ext4 /dev/vda "$STATE" || bail "no state"
	at_exit "umount $STATE"
	for dir in "${!KEPT[@]}"; do
		mkdir -p "${KEPT[$dir]}"
		mount --bind "$STATE/$dir" "${KEPT[$dir]}" || bail "no ${KEPT[$dir]}"
		at_exit "umount ${KEPT[$dir]}"
	done
	mkdir -p /run/cryptsetup
}

# at NAME [WORD...]: has the host stop the guest and look at its memory.
at() {
	# What the kernel frees when nobody looks at it any more.
	sync
	sleep 1
	echo "at $*" >&"$serial"
	read -r -u "$serial" _ || bail "the host is gone"
}

# known SECRET FILE: where in memory the page cache has a file with a secret in it, for
# the host to know.
known() {
	local page

	for page in $("$PAGEOF" "$2"); do
		echo "known $1 $page" >&"$serial"
	done
}

meet_host() {
	PAGEOF=$(tool pageof) || bail "no pageof"
	exec {serial}<>/dev/ttyS1
	stty -F /dev/ttyS1 raw -echo
}

# With a udev that keeps a database, as a host has.
hear_uevents() {
	local rules=${SSESETUP%/bin/*}/src/userspace-tools/udev/57-dm-sse.rules

	mkdir -p /run/udev/rules.d
	cp "$rules" /run/udev/rules.d/ || bail "no rules"
	/lib/systemd/systemd-udevd --daemon || bail "no udev"
	stdbuf -oL udevadm monitor --kernel --udev --property >"$WORK/uevents" 2>&1 &
	UDEVADM=$!
	at_exit 'udevadm control --exit 2>/dev/null || :'
}

# All that anybody may read without looking into memory.
tell_all() {
	local disk

	udevadm trigger --action=change --subsystem-match=block --settle
	kill "$UDEVADM"
	wait "$UDEVADM"
	echo "--- uevents"
	cat "$WORK/uevents"
	echo "--- udev"
	udevadm info --export-db
	cat /run/udev/data/*
	# Or it looks at what is to be closed.
	udevadm control --exit
	echo "--- log"
	dmesg
	echo "--- device-mapper"
	dmsetup table --showkeys
	dmsetup status
	dmsetup info
	echo "--- ssesetup"
	for disk in platform customer double; do
		"$SSESETUP" status "$disk"
		"$SSESETUP" status --json "$disk"
	done
	for disk in "$PLATFORM_DISK" "$CUSTOMER_DISK" "$STATE/lib/double.header"; do
		"$SSESETUP" dump "$disk"
		cryptsetup luksDump "$disk"
	done
	"$SSESETUP" list
	"$SSESETUP" des show platform
	"$SSESETUP" metrics
	"$SSESETUP" check
	"$SSESETUP" key list
	echo "--- proc"
	cat /proc/keys /proc/key-users /proc/crypto /proc/modules /proc/mounts
	cat /proc/[0-9]*/{cmdline,environ,status,maps,mountinfo} | tr '\0' ' '
	echo "--- ima"
	cat /sys/kernel/security/ima/ascii_runtime_measurements
	echo "--- end"
}

# A key in the kernel, its schedules, and a secret in a process: what must be found.
plant() {
	read -r planted <"$STATE/dump/plant.text"
	check "a key is planted in a keyring" add_key user dmsse-plant <"$STATE/dump/plant.key"
	add_key logon dmsse-plant:key <"$STATE/dump/plant.key"
	known plant "$STATE/dump/plant.text"
	known plant "$STATE/dump/plant.key"
	dm_create plant "0 $(sectors "$SCRATCH_DISK") crypt aes-xts-plain64 :64:logon:dmsse-plant:key 0 $SCRATCH_DISK 0"
}

uproot() {
	planted=
	dm_remove plant
	unlink_key user dmsse-plant
	unlink_key logon dmsse-plant:key
}

# The helper dies at all sorts of times, and so does a shell that holds a secret.
dump_cores() {
	local n signal

	rm -rf "$STATE/cores"
	mkdir "$STATE/cores"
	echo "$STATE/cores/core.%e.%p" >/proc/sys/kernel/core_pattern
	ulimit -c unlimited
	# shellcheck disable=SC2016
	bash -c 'read -r planted <"$1"; kill -SEGV $$; echo "$planted"' - "$STATE/dump/plant.text"
	check "a shell leaves a core" compgen -G "$STATE/cores/core.bash.*"
	for n in {1..8}; do
		signal=$((n % 2 ? 11 : 6))
		"$SSESETUP" open "$CUSTOMER_DISK" customer &
		sleep "0.$((n * 5 % 9))$((n * 3 % 10))"
		kill "-$signal" $! 2>/dev/null
		wait $!
		"$SSESETUP" close -q customer
	done
	# With the disk's key in its hands, waiting for a lock.
	hold_opening
	kill -SEGV "$OPENING"
	let_go
	diag "cores: $(cd "$STATE/cores" && echo *)"
	sync
}

# Sets OPENING: ssesetup, which has the key of a disk and waits for the lock of its set.
hold_opening() {
	exec {lock}>/run/dm-sse/locks/des-customer
	flock "$lock"
	"$SSESETUP" open "$CUSTOMER_DISK" customer {lock}>&- &
	OPENING=$!
	wait_for 60 waits_for_lock || fail "ssesetup waits for a lock"
}

waits_for_lock() {
	grep -q flock "/proc/$OPENING/stack" 2>/dev/null || grep -qE "^[0-9]+: -> FLOCK .* $OPENING " /proc/locks
}

let_go() {
	exec {lock}>&-
	wait "$OPENING"
	"$SSESETUP" close -q customer
}

# All memory that may be swapped is, of a helper with a key in its hands.
swap_out() {
	local group=/sys/fs/cgroup/hygiene shell

	if ! mkswap "$SWAP_DISK" >/dev/null || ! swapon "$SWAP_DISK"; then
		bail "no swap"
	fi
	at_exit "swapoff $SWAP_DISK"
	echo +memory >/sys/fs/cgroup/cgroup.subtree_control
	mkdir "$group" || bail "no control group"
	at_exit "rmdir $group"
	echo 0 >"$group/cgroup.procs"
	# shellcheck disable=SC2016
	mkfifo "$WORK/never"
	bash -c 'read -r planted <"$1"; read -r <>"$2"; echo "$planted"' - \
		"$STATE/dump/plant.text" "$WORK/never" &
	shell=$!
	hold_opening
	grep -E 'VmLck|VmSwap' "/proc/$OPENING/status" | sed 's/^/# before: /'
	while echo 4M >"$group/memory.reclaim"; do :; done 2>/dev/null
	grep -E 'VmLck|VmSwap' "/proc/$OPENING/status" | sed 's/^/# after: /'
	check "the helper was swapped out" grep -E 'VmSwap:[[:space:]]+[1-9]' "/proc/$OPENING/status"
	sync
	at swapped
	kill "$shell"
	wait "$shell"
	kill "$OPENING"
	let_go
	echo 0 >/sys/fs/cgroup/cgroup.procs
}
