# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Guests in QEMU, for the selftests about them. It is sourced after lib.sh
# and examples.bash.
#
#	need_guests_rst		where guests.rst is, to GUESTS_RST; skip_all if it is missing
#	need_hook		the hook for libvirt, to HOOK; skip_all if it is missing
#	example NAME FILE	the literal block of that name
#	need_qemu		skip_all if it is missing, or what assembles guests
#	boot_sector NAME	$WORK/NAME.bin, of NAME.S
#	put_boot_sector NAME DEVICE
#	guest NAME ARG...	starts QEMU; what the guest says goes to $WORK/NAME.log
#	disk_of DEVICE [OPTS]	sets DISK_ARGS: QEMU's arguments for a disk as guests.rst
#				has it
#	qmp NAME COMMAND [ARGUMENTS]	succeeds if QEMU does; sets ANSWER
#	status_is NAME STATUS	QEMU's idea of it: running, io-error...
#	events NAME EVENT	how many there were
#	quit NAME
#
# Of guest.S:
#
#	writes NAME		number of the last write that is done
#	goes_on NAME		wait until it has done some more
#	content NAME		has it met no error, and found what it wrote?
#	all_there NAME FILE	is what it wrote last what FILE, a disk, has?

need_guests_rst() {
	GUESTS_RST=${DMSSE_RST:-$(find_document guests.rst)} ||
		skip_all "guests.rst is not here (DMSSE_RST=)"
}

need_hook() {
	local file

	HOOK=${DMSSE_HOOK:-}
	for file in "$DMSSE_DIR/../../userspace-tools/libvirt/qemu" /etc/libvirt/hooks/qemu.d/dm-sse; do
		[ -n "$HOOK" ] || [ ! -x "$file" ] || HOOK=$file
	done
	[ -n "$HOOK" ] || skip_all "the hook is not here (DMSSE_HOOK=)"
}

example() {
	awk -v name="$1" '
		/^\.\. test: / { found = $3 == name; next }
		found && /^  / { sub("  ", ""); print; inside = 1; next }
		found && inside && NF { exit }' "$2"
}

need_qemu() {
	need_guests_rst
	need_cmd qemu-system-x86_64 as ld od
}

boot_sector() {
	as --32 -o "$WORK/$1.o" "$DMSSE_DIR/$1.S" || bail "$1.S isn't assembled"
	ld -m elf_i386 -Ttext 0x7c00 --oformat binary -o "$WORK/$1.bin" "$WORK/$1.o" ||
		bail "$1 isn't linked"
}

put_boot_sector() {
	dd if="$WORK/$1.bin" of="$2" bs=4096 conv=sync,nocreat oflag=direct status=none
}

declare -A QEMU=() QMP=()
QMP_ID=0
# Longer than anything should ever take.
PATIENCE=240

# QEMU shuts down when its monitor does, so this end stays open.
guest() {
	local name=$1 fd

	shift
	rm -f "$WORK/$name.in"
	mkfifo "$WORK/$name.in"
	exec {fd}<>"$WORK/$name.in"
	QMP[$name]=$fd
	: >"$WORK/$name.log"
	qemu-system-x86_64 -nodefaults -no-user-config -M pc -accel tcg -m 16 -display none \
		-chardev "file,id=log,path=$WORK/$name.log" \
		-device isa-debugcon,chardev=log,iobase=0xe9 \
		-qmp stdio "$@" <&"$fd" >"$WORK/$name.qmp" 2>"$WORK/$name.err" &
	QEMU[$name]=$!
	at_exit "quit $name"
	if ! wait_for "$PATIENCE" grep -q '"QMP"' "$WORK/$name.qmp"; then
		diag "$(cat "$WORK/$name.err")"
		return 1
	fi
	qmp "$name" qmp_capabilities
}

# shellcheck disable=SC2034 # for the script that sources this file
disk_of() {
	mapfile -t DISK_ARGS < <(example qemu "$GUESTS_RST" | sed -e "s|/dev/mapper/vm1|$1|" \
		-e "s|aio=native|aio=${AIO:-native}|" \
		-e "s|logical_block_size=4096,physical_block_size=4096|${2:-logical_block_size=512,physical_block_size=4096}|" |
		tr ' ' '\n')
	[ ${#DISK_ARGS[@]} = 4 ] || bail "guests.rst has no options for QEMU"
}

qmp() {
	local id=id$((++QMP_ID))

	printf '{"execute": "%s", "id": "%s"%s}\n' "$2" "$id" "${3:+, \"arguments\": $3}" \
		>&"${QMP[$1]}"
	ANSWER=
	wait_for "$PATIENCE" grep -q "\"id\": \"$id\"" "$WORK/$1.qmp" || return
	ANSWER=$(grep "\"id\": \"$id\"" "$WORK/$1.qmp")
	[[ $ANSWER == *'"return"'* ]] || { echo "$ANSWER"; return 1; }
}

status_is() {
	qmp "$1" query-status && [[ $ANSWER == *"\"status\": \"$2\""* ]]
}

events() {
	grep -c "\"event\": \"$2\"" "$WORK/$1.qmp"
}

more_events() {
	[ "$(events "$1" "$2")" -gt "$3" ]
}

# One that doesn't go when it is told to is killed.
quit() {
	local fd=${QMP[$1]:-}

	[ -n "$fd" ] || return 0
	echo '{"execute": "quit"}' >&"$fd"
	wait_for 30 _gone "${QEMU[$1]}" || kill -KILL "${QEMU[$1]}"
	wait "${QEMU[$1]}" 2>/dev/null
	exec {fd}>&-
	unset "QMP[$1]" "QEMU[$1]"
}

# The last line may be incomplete.
writes() {
	local last

	last=$(tail -c 18 "$WORK/$1.log" | grep -aE '^[0-9a-f]{8}$' | tail -n 1)
	echo $((16#${last:-0}))
}

past() {
	[ "$(writes "$1")" -gt "$2" ]
}

goes_on() {
	wait_for "$PATIENCE" past "$1" $(($(writes "$1") + ${2:-5}))
}

content() {
	! grep -aE '^[EL]' "$WORK/$1.log"
}

# The slots hold the last 32 numbers, all of each slot, and none before the one
# that the guest has spoken of last.
all_there() {
	local last

	last=$(writes "$1")
	dd if="$2" bs=128k skip=8 count=1 iflag=direct status=none | od -An -v -tu4 -w4 |
		awk -v last="$last" '
			NR % 1024 == 1 { n = $1; slot = (NR - 1) / 1024; if (n > newest) newest = n }
			$1 != n { print "slot", slot, "has", n, "and", $1; bad = 1 }
			NR % 1024 == 1 && n % 32 != slot { print "slot", slot, "has", n; bad = 1 }
			NR % 1024 == 1 { seen[n] = 1 }
			END {
				for (n = newest; n > newest - 32 && !bad; n--)
					if (!(n in seen)) {
						print n, "is lost, the newest is", newest
						bad = 1
					}
				if (newest < last || newest > last + 1) {
					print "the newest is", newest, "and not", last
					bad = 1
				}
				exit bad || NR != 32768
			}'
}
