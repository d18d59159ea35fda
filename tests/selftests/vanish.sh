#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What is below goes away under load, or a part of it: a device that shrinks, one
# that is taken out, a server that is gone; and so do keys. Each I/O gets one answer,
# what can be read is right, nothing hangs, and what comes back works.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

need_cmd pkill
AIOCHECK=$(tool aiocheck) || skip_all "the helper aiocheck is not built"
load_module
have_module adiantum || :
load_key vanish 64
XTS=$REF
load_key vanish-outer 32
OUTER=$REF
DEV=dmsse-vanish
MAP=/dev/mapper/$DEV
BELOW=/dev/mapper/dmsse-below
BYTES=$((1 << 20))
make_disk DISK 16 null
SECTORS=$(sectors "$DISK")
if [ "${DMSSE_FULL:-0}" = 1 ]; then
	TIMES=10
	RINGS=("revoke the keyring" "clear the keyring" "invalidate the keyring")
	KEYS=("revoke the key" "invalidate the key" "expire the key")
else
	TIMES=2
	RINGS=("revoke the keyring")
	KEYS=("revoke the key")
fi

# DEVICE SECTORS [OPTIONS]
table() {
	local -a words

	read -ra words <<<"outer capi:adiantum(xchacha12,aes)-plain64 $OUTER 0 ${3:-}"
	echo "0 $2 sse aes-xts-plain64 $XTS 0 $1 0 ${#words[@]} ${words[*]}"
}

io() {
	"$AIOCHECK" --size $BYTES --max 262144 "$@" $MAP "$WORK/model" 2>&1
}

GOOD=' read_errors=0 write_errors=0 other_errors=0 wrong=0 lost=0 twice=0 refused=0 '
ANSWERED=' other_errors=0 wrong=0 lost=0 twice=0 '

# DEVICE SECTORS [OPTIONS]: one that has its data.
create() {
	dm_remove $DEV
	dm_create $DEV "$(table "$@")" || bail "no device"
	rm -f "$WORK/model"
	like "$NAME: works" "$(io --count 20)" "$GOOD"
}

is_busy() {
	local now

	now=$(word $DEV read_bios)
	kill -0 $LOAD 2>/dev/null && [ "${now:-0}" -gt $((BIOS + 40)) ]
}

load_goes_on() {
	BIOS=$(word $DEV read_bios)
	wait_for 60 is_busy
}

load_start() {
	# Not by way of a function, whose process would be another.
	"$AIOCHECK" --size $BYTES --max 262144 --count 0 $MAP "$WORK/model" >"$WORK/load" 2>&1 &
	LOAD=$!
	at_exit "kill -TERM $LOAD 2>/dev/null; wait $LOAD 2>/dev/null || :"
	load_goes_on || bail "no load: $(cat "$WORK/load")"
}

ended() {
	! kill -0 "$1" 2>/dev/null
}

has_errors() {
	[ "$(word $DEV io_errors)" -gt 20 ]
}

# Of what the load said at its end.
number() {
	sed -n "s/^\(.* \)\?$1=\([0-9]*\).*/\2/p" "$WORK/load"
}

# [WORDS OF THE VERDICT]
load_stop() {
	kill -TERM $LOAD
	if ! check "$NAME: the load comes to its end" wait_for 120 ended $LOAD; then
		bail "it hangs: $(cat /proc/$LOAD/stack)"
	fi
	wait $LOAD
	like "$NAME: each I/O has one answer" "$(cat "$WORK/load")" "${1:-$ANSWERED}"
}

### A device that gets smaller, and larger again

below() {
	echo "0 $1 linear $DISK 0"
}

# From now on it is this, whatever I/O is under way.
put_below() {
	dmsetup load dmsse-below --table "$1"
	dmsetup suspend --noflush --nolockfs dmsse-below
	dmsetup resume dmsse-below
}

# ... than BEFORE
more_errors() {
	[ "$(word $DEV io_errors)" -gt "$BEFORE" ]
}

dm_create dmsse-below "$(below "$SECTORS")" || bail "no linear"
NAME="shorter below"
create $BELOW "$SECTORS"
load_start
FAILED=0
for ((i = 0; i < TIMES; i++)); do
	BEFORE=$(word $DEV io_errors)
	put_below "$(below $((1024 + i * 8)))"
	wait_for 60 more_errors || FAILED=1
	put_below "$(below "$SECTORS")"
	load_goes_on || FAILED=1
done
is "$NAME, $TIMES times: what is beyond fails, and then goes on" $FAILED 0
load_stop
is "$NAME: there were errors of reads and of writes" \
	"$(($(number read_errors) > 0 && $(number write_errors) > 0))" 1
like "$NAME: then all is there" "$(io --count 100)" "$GOOD"

# What is before the end works, what is behind fails, what crosses it fails as a whole.
dmsetup suspend dmsse-below
dmsetup load dmsse-below --table "$(below 2052)"
dmsetup resume dmsse-below
check "$NAME: the last sector there is" dd if=$MAP of=/dev/null bs=512 skip=2051 count=1 iflag=direct status=none
refute "$NAME: the first that isn't" dd if=$MAP of=/dev/null bs=512 skip=2052 count=1 iflag=direct
refute "$NAME: a read across the end" dd if=$MAP of=/dev/null bs=4096 skip=256 count=1 iflag=direct
dm_try load $DEV --table "$(table $BELOW "$SECTORS")"
is "$NAME: a table that is longer" "$DM_ERRNO" EINVAL
check "$NAME: leaves that which is there" dd if=$MAP of=/dev/null bs=4096 count=16 iflag=direct status=none
# It may be cut to what there is.
dmsetup load $DEV --table "$(table $BELOW 2048)"
dmsetup suspend $DEV
check "$NAME: a table that fits" dmsetup resume $DEV
is "$NAME: has its size" "$(sectors $MAP)" 2048
dmsetup load dmsse-below --table "$(below "$SECTORS")"
dmsetup suspend dmsse-below
dmsetup resume dmsse-below
dmsetup load $DEV --table "$(table $BELOW "$SECTORS")"
dmsetup suspend $DEV
dmsetup resume $DEV
like "$NAME: all of it again" "$(io --count 50)" "$GOOD"

### One that is replaced by errors

NAME="errors below"
load_start
FAILED=0
for ((i = 0; i < TIMES; i++)); do
	BEFORE=$(word $DEV io_errors)
	put_below "0 $SECTORS error"
	wait_for 60 more_errors || FAILED=1
	put_below "$(below "$SECTORS")"
	load_goes_on || FAILED=1
done
is "$NAME, $TIMES times: all fails, and then goes on" $FAILED 0
load_stop
like "$NAME: then all is there" "$(io --count 100)" "$GOOD"
is "$NAME: no error of a cipher" "$(word $DEV crypt_errors)" 0
dm_remove $DEV
dm_remove dmsse-below

### A file that is cut off

NAME="a loop device"
make_disk LOOP 16
create "$LOOP" "$(sectors "$LOOP")"
FILE=$(losetup -n -O BACK-FILE "$LOOP")
load_start
# Half of what the load is for.
truncate -s $((BYTES / 2)) "$FILE"
losetup -c "$LOOP"
check "$NAME shrinks: its I/O fails" wait_for 60 has_errors
# A lazy removal: it stays while somebody has it.
losetup -d "$LOOP"
check "$NAME is detached: it stays" dd if=$MAP of=/dev/null bs=4k count=1 iflag=direct status=none
# Where the file was cut off and has grown again, its data are lost.
load_stop ' other_errors=0 wrong=[0-9]+ lost=0 twice=0 '
dm_remove $DEV
# The undoing of make_disk's has nothing to do any more.
rm -f "$FILE"

### Disks that are taken out

# What is left is a device whose I/O fails, with what the disk says, and which can be
# removed.
after_the_end() {
	check "$NAME: I/O fails" wait_for 120 has_errors
	load_stop ' other_errors=[0-9]+ wrong=0 lost=0 twice=0 '
	refute "$NAME: so do reads" dd if=$MAP of=/dev/null bs=4k count=1 iflag=direct
	refute "$NAME: and writes" dd if=/dev/zero of=$MAP bs=4k count=1 oflag=direct
	like "$NAME: status" "$(dmsetup status $DEV)" ' sse active .* inner:keyed '
	dmsetup suspend $DEV
	dm_try message $DEV 0 key wipe
	is "$NAME: the keys can be wiped" "$DM_ERRNO" 0
	check "$NAME: the device is removed" timeout 60 dmsetup remove $DEV
}

NAME="null_blk"
make_disk GONE 16 null
create "$GONE" "$(sectors "$GONE")"
load_start
echo 0 >"/sys/kernel/config/nullb/dmsse$DMSSE_DISKS/power"
after_the_end

if modprobe -n -q scsi_debug 2>/dev/null && modinfo scsi_debug >/dev/null 2>&1; then
	NAME="SCSI"
	make_disk SCSI 16 scsi delay=1
	create "$SCSI" "$(sectors "$SCSI")"
	load_start
	echo 1 >"/sys/block/${SCSI##*/}/device/delete"
	after_the_end
else
	for ((i = 0; i < 9; i++)); do
		skip "a SCSI disk" "no scsi_debug"
	done
fi

if command -v nbd-server >/dev/null && command -v nbd-client >/dev/null && have_module nbd; then
	for how in disconnect kill; do
		NAME="NBD, $how"
		truncate -s 16M "$WORK/nbd.img"
		printf '%s\n' '[generic]' "unixsock = $WORK/nbd.sock" 'allowlist = false' '[disk]' \
			"exportname = $WORK/nbd.img" >"$WORK/nbd.conf"
		nbd-server -C "$WORK/nbd.conf" -p "$WORK/nbd.pid" >"$WORK/nbd.log" 2>&1 ||
			bail "no nbd-server: $(cat "$WORK/nbd.log")"
		at_exit "kill \$(cat $WORK/nbd.pid) 2>/dev/null || :"
		wait_for 60 test -S "$WORK/nbd.sock" || bail "no nbd-server"
		nbd-client -unix "$WORK/nbd.sock" /dev/nbd0 -N disk -timeout 5 >"$WORK/nbd.out" 2>&1 ||
			bail "no connection: $(cat "$WORK/nbd.out" "$WORK/nbd.log")"
		at_exit "nbd-client -d /dev/nbd0 >/dev/null 2>&1 || :"
		create /dev/nbd0 "$(sectors /dev/nbd0)"
		load_start
		case $how in
		disconnect) nbd-client -d /dev/nbd0 >/dev/null 2>&1 ;;
		# Those that serve a connection are its children.
		kill)
			pkill -KILL -P "$(cat "$WORK/nbd.pid")"
			kill -KILL "$(cat "$WORK/nbd.pid")"
			;;
		esac
		after_the_end
		kill "$(cat "$WORK/nbd.pid")" 2>/dev/null
		nbd-client -d /dev/nbd0 >/dev/null 2>&1
		rm -f "$WORK/nbd.sock"
	done
else
	for ((i = 0; i < 18; i++)); do
		skip "a network block device" "no nbd"
	done
fi

### Keys, of a device without a lease: they have been copied

NAME="no lease"
RING=
new_ring() {
	[ -z "$RING" ] || keyctl unlink "$RING" @s 2>/dev/null
	RING=$(keyctl newring dmsse-ring @s)
	at_exit "keyctl unlink $RING @s 2>/dev/null || :"
	KEY=$(key_hex 64 vanish | hex_to_bin | keyctl padd logon dmsse:ring "$RING")
}

away() {
	case $1 in
	"revoke the key") keyctl revoke "$KEY" ;;
	"invalidate the key") keyctl invalidate "$KEY" ;;
	"expire the key")
		keyctl timeout "$KEY" 1
		sleep 2
		;;
	"revoke the keyring") keyctl revoke "$RING" ;;
	"clear the keyring") keyctl clear "$RING" ;;
	"invalidate the keyring") keyctl invalidate "$RING" ;;
	esac
}

XTS=:64:logon:dmsse:ring
for how in "${KEYS[@]}" "${RINGS[@]}"; do
	new_ring
	dm_remove $DEV
	at_exit "dm_remove $DEV"
	dmsetup create $DEV --notable
	dmsetup load $DEV --table "$(table "$DISK" "$SECTORS")"
	away "$how"
	check "$NAME, $how between load and resume: it is resumed" dmsetup resume $DEV
	rm -f "$WORK/model"
	like "$NAME, $how: it works" "$(io --count 20)" "$GOOD"
	dmsetup suspend $DEV
	dm_try message $DEV 0 key set inner "$XTS"
	like "$NAME, $how: it isn't set again" "$DM_ERRNO" '^(ENOKEY|EKEYREVOKED|EKEYEXPIRED)$'
	check "$NAME, $how: and stays as it is" dmsetup resume $DEV
	like "$NAME, $how: with its data" "$(io --count 20)" "$GOOD"
done

### ... and of one with a lease

NAME="key_lease"
is_state() {
	[[ $(dmsetup status $DEV) = *" sse $1 "* ]]
}
for how in "revoke the key" "${RINGS[@]}"; do
	new_ring
	dm_remove $DEV
	dmsetup create $DEV --notable
	dmsetup load $DEV --table "$(table "$DISK" "$SECTORS" "key_lease error")"
	away "$how"
	dm_try resume $DEV
	if [ "$how" = "revoke the key" ]; then
		is "$NAME, $how between load and resume: no resume" "$DM_ERRNO" ENOKEY
		new_ring
		wait_for 30 is_state lapsed
		dmsetup message $DEV 0 key set inner "$XTS"
		dmsetup message $DEV 0 key set outer "$OUTER"
		check "... but with another key" dmsetup resume $DEV
	else
		is "$NAME, $how between load and resume: the key is valid" "$DM_ERRNO" 0
	fi
	rm -f "$WORK/model"
	like "$NAME, $how: it works" "$(io --count 20)" "$GOOD"
done

# Under load: first the keyring, then the key. In one mode what comes then fails, in
# the other it waits.
for mode in error queue; do
	NAME="key_lease $mode under load"
	new_ring
	create "$DISK" "$SECTORS" "key_lease $mode"
	load_start
	FAILED=''
	for how in "${RINGS[@]}"; do
		new_ring
		keyctl link "$KEY" @s
		dmsetup suspend $DEV
		dmsetup message $DEV 0 key set inner "$XTS" || FAILED+=" $how: no key"
		dmsetup resume $DEV
		away "$how"
		load_goes_on || FAILED+=" $how: no I/O"
		is_state active || FAILED+=" $how: not active"
		keyctl invalidate "$KEY"
		wait_for 30 is_state lapsed || FAILED+=" $how: no lapse"
		new_ring
		{ dmsetup message $DEV 0 key set inner "$XTS" &&
			dmsetup message $DEV 0 key set outer "$OUTER"; } || FAILED+=" $how: no other key"
		load_goes_on || FAILED+=" $how: no I/O afterwards"
	done
	is "$NAME: it lasts as long as the key, and goes on with another" "$FAILED" ""
	load_stop
	if [ $mode = queue ]; then
		like "$NAME: no I/O has failed" "$(cat "$WORK/load")" "$GOOD"
	else
		is "$NAME: some I/O has failed" $(($(number read_errors) + $(number write_errors) > 0)) 1
	fi
	is "$NAME: no error of a cipher or of the device below" \
		"$(word $DEV crypt_errors) $(word $DEV io_errors)" "0 0"
	dm_remove $DEV
done

done_testing
