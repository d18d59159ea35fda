#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The power fails while a header is restored: cryptsetup writes it from its beginning to
# its end, metadata before keys, over those that were in use. Wherever it is cut off, the
# same command begins anew, and the disk has its data.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=deslib.bash
. "$(dirname "$0")/deslib.bash"

MAP=dmsse-restore
BACKUP=$WORK/backup

# Is it open to whoever has the set's key? It is closed then.
opens() {
	"$SSESETUP" open "$1" "$MAP" </dev/null >"$WORK/said" 2>&1 || return
	"$SSESETUP" close "$MAP"
}

# NAME FORMAT-OPTION...: cut off after so many of the backup's bytes.
cut_off() {
	local name=$1 bytes closed=0 opened=0 bad="" IMAGE

	shift
	image IMAGE 12
	rm -f "$BACKUP" "$BACKUP.inner"
	right "$name: a disk" format -q "$IMAGE" "$@"
	right "... opens" open "$IMAGE" "$MAP"
	put "$MAP" 4 "$name"
	right "... closes" close "$MAP"
	right "... has a backup" header backup "$IMAGE" --header-backup-file "$BACKUP"
	# The second rotation takes the keyslot that the first has left.
	right "... gets another key" des rotate platform
	right "... and another" des rotate platform
	cp --sparse=always "$IMAGE" "$WORK/rotated"
	for bytes in 4096 16384 32768 36864 65536 100352 200704 262144 327680 524288 1048576 2097152; do
		cp --sparse=always "$WORK/rotated" "$IMAGE"
		dd if="$BACKUP" of="$IMAGE" bs=512 count=$((bytes / 512)) conv=notrunc status=none
		if opens "$IMAGE"; then
			opened=$((opened + 1))
		else
			closed=$((closed + 1))
		fi
		sse header restore -q "$IMAGE" --header-backup-file "$BACKUP"
		if [ "$RC" != 0 ]; then
			bad+="$bytes bytes: not restored: $OUT"$'\n'
			continue
		fi
		sse open "$IMAGE" "$MAP"
		if [ "$RC" != 0 ]; then
			bad+="$bytes bytes: doesn't open: $OUT"$'\n'
			continue
		fi
		holds "$MAP" 4 "$name" >"$WORK/said" || bad+="$bytes bytes: $(cat "$WORK/said")"$'\n'
		"$SSESETUP" close "$MAP"
	done
	is "... wherever it was cut off, it can be restored, and has its data" "$bad" ""
	diag "$name: $opened of $((opened + closed)) open without being restored"
}

cut_off "one layer"
cut_off "two layers" --double
done_testing
