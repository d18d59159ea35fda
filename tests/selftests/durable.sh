#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What ssesetup keeps on a host is on the medium when a command ends, whatever its file
# system makes of it: each name that was made, or moved, has its directory synced after
# that, and a file is synced before it gets the name that is looked for. Names that are
# made in a directory that isn't there after a power cut are lost with it.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

need_ssesetup
need_cmd openssl cryptsetup
need_module loop
load_module
SHIM=$(tool sync_shim.so) || skip_all "the helper sync_shim.so is not built"
SHIM=$(readlink -f "$SHIM")
own_state
mount -t tmpfs -o mode=0755 dmsse-state /var/lib || bail "/var/lib can't be covered"
at_exit "umount /var/lib"

close_cut() {
	[ ! -b /dev/mapper/dmsse-durable ] || "$SSESETUP" close dmsse-durable
}
at_exit close_cut

# Of what the shim has told: names without a sync of their directory, files that were
# not synced before they were moved, and directories that something was made durable in
# before they were.
not_durable() {
	awk -v files="$WORK/files/" '
		# /run is for as long as the machine runs, and so are locks.
		function kept(path) {
			return (path ~ /^\/(etc|var\/lib|var\/log)\/dm-sse/ || index(path, files) == 1) &&
				path !~ /\.?lock$/
		}
		function parent(path) {
			sub(/\/[^\/]*$/, "", path)
			return path == "" ? "/" : path
		}
		$1 == "sync" {
			if (dir[$2] && ($2 in open))
				print $2 " was not durable when something in it was"
			for (path in open)
				if (parent(path) == $2)
					delete open[path]
			synced[$2] = 1
		}
		$1 == "link" {link[$2] = 1}
		$1 == "dir" {dir[$2] = 1}
		# Links say whose an open mapping is, and none is open after a power cut.
		$1 == "name" && kept($2) && !link[$2] {open[$2] = 1}
		$1 == "from" {
			delete open[$2]
			if (link[$2])
				link[$3] = 1
			else if (!synced[$2] && kept($3))
				print $3 " was moved before it was synced"
		}
		END {
			for (path in open)
				print path " is not durable"
		}' "$1" | sort
}

# DESC ARGUMENTS...: as if it were the last thing before the power fails.
durable() {
	local desc=$1 out rc

	shift
	rm -f "$WORK/told"
	out=$(SYNC_SHIM=$WORK/told LD_PRELOAD=$SHIM "$SSESETUP" "$@" </dev/null 2>&1)
	rc=$?
	if [ $rc != 0 ]; then
		fail "$desc" "exit code $rc: $out"
		return
	fi
	is "$desc" "$(not_durable "$WORK/told")" ""
	NAMES=$((NAMES + $(grep -c '^name ' "$WORK/told")))
}

NAMES=0

# A version of the customer's key: NAME DATE
pem() {
	openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 \
		-out "$WORK/keys/$1.pem" 2>/dev/null || bail "openssl makes no key"
	chmod 600 "$WORK/keys/$1.pem"
	touch -d "$2" "$WORK/keys/$1.pem"
}

mkdir -m 700 "$WORK/keys" "$WORK/files"
pem a 2026-01-01
make_disk ONE 12
make_disk TWO 16
make_disk NEW 16
make_disk OLD 16

durable "the first disk makes the platform's key" format -q "$ONE"
durable "a customer's set" des create both --type platform-and-customer --key "file:$WORK/keys"
durable "a disk with two layers, and a header elsewhere" format -q --des both \
	--header "$WORK/files/header" "$TWO"
durable "a disk that is opened" open "$ONE" dmsse-durable
durable "a rotation" des rotate platform --destroy-old
close_cut
pem b 2026-01-02
durable "a rotation of both keys" des rotate both
durable "a backup" header backup "$ONE" --header-backup-file "$WORK/files/backup"
durable "a backup of two headers" header backup "$TWO" --header "$WORK/files/header" \
	--header-backup-file "$WORK/files/both"
durable "its restoring" header restore -q "$ONE" --header-backup-file "$WORK/files/backup"
durable "a copy" copy -q "$ONE" "$NEW"
durable "a set that is changed" des update both --owner somebody
durable "a set that is disabled" des disable -q both
durable "a disk that is encrypted in place" encrypt -q "$OLD" --reduce-device-size 4M
durable "... and decrypted" decrypt -q "$OLD" --header "$WORK/files/old"
check "many names were made" [ "$NAMES" -gt 40 ]
diag "$NAMES names were made"
done_testing
