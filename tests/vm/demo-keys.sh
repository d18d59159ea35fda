# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# The act of tests/vm/demo.sh about keys, which sources it: a disk under a customer's
# key, in a token, that is rotated and taken away while something works on it.
#
# The workload is a virtual machine's, seen from below: records of 64 KiB, one
# after the other, round and round, each read back. It ends with the first
# error, and says when.

disk=/dev/vdc
map=/dev/mapper/vm3
record=65536 slots=64

now() {
	echo "${EPOCHREALTIME/./}"
}

# The record of this number; it has its place, too.
content() {
	yes "the customer has this in record $1" | head -c $record
}

write_record() {
	content "$1" | dd of=$map bs=$record seek=$(($1 % slots)) iflag=fullblock oflag=direct,dsync \
		conv=notrunc status=none
}

read_record() {
	dd if=$map bs=$record skip=$(($1 % slots)) count=1 iflag=direct status=none
}

# Is the record of this number where it belongs?
holds() {
	read_record "$1" | cmp -s - <(content "$1")
}

# From where the last one stopped. $WORK/done has the last record that was
# written and found right, $WORK/error what went wrong and when.
work() {
	local n

	n=$(cat "$WORK/done")
	until [ -e "$WORK/stop" ]; do
		n=$((n + 1))
		if ! write_record "$n" 2>"$WORK/dd" || ! holds "$n" 2>>"$WORK/dd"; then
			echo "$(now) $(cat "$WORK/dd")" >"$WORK/error.new"
			mv "$WORK/error.new" "$WORK/error"
			return
		fi
		# Whole at any time.
		echo "$n" >"$WORK/done.new"
		mv "$WORK/done.new" "$WORK/done"
	done
}

worker=
start_work() {
	diag "(a workload writes records to $map, and reads each back)"
	# Not by the workload itself: whoever waits for it would take what the one
	# before left for its words, and have it stopped before it begins.
	rm -f "$WORK/stop" "$WORK/error"
	work &
	worker=$!
}

stop_work() {
	: >"$WORK/stop"
	[ -z "$worker" ] || wait "$worker"
	worker=
}
at_exit 'stop_work || :'

has_done() {
	[ "$(cat "$WORK/done")" -ge "$1" ] || [ -e "$WORK/error" ]
}

# Waits until so many more records are done.
await() {
	wait_for 60 has_done $(($(cat "$WORK/done") + $1)) || bail "the workload stands still"
}

all_intact() {
	local last n

	last=$(cat "$WORK/done")
	for ((n = last; n > 0 && n > last - slots + 1; n--)); do
		holds "$n" || return
	done
}

act "A customer's key: RSA-3072 in an HSM, here a token of SoftHSM2"
mkdir "$WORK/tokens"
echo "directories.tokendir = $WORK/tokens" >"$WORK/softhsm2.conf"
export SOFTHSM2_CONF=$WORK/softhsm2.conf
try softhsm2-util --init-token --free --label customer --so-pin 87654321 --pin 123456 ||
	bail "no token"
import() {
	must softhsm2-util --import "$DEMO_DIR/customer-$1.pem" --token customer --pin 123456 \
		--label disks --id "$1"
}
import 01
mkdir -p /etc/dm-sse
diag "\$ echo PIN > /etc/dm-sse/customer.pin"
(umask 077 && echo 123456 >/etc/dm-sse/customer.pin)
must ssesetup des create customer --type customer --lease 1h --key 'pkcs11:token=customer;object=disks' --identity file:/etc/dm-sse/customer.pin

act "... and a disk under it: LUKS2, its key wrapped by the customer's"
must ssesetup format --batch-mode --des customer $disk
must ssesetup open $disk vm3
echo 0 >"$WORK/done"
start_work
await 3

act "A new version of the key: rotated while the disk is in use"
head -c 2M $disk >"$WORK/old-header"
import 02
before=$(cat "$WORK/done")
must ssesetup des rotate customer
await 3
check "the workload went on ($before records before the rotation, $(cat "$WORK/done") now)" \
	[ "$(cat "$WORK/done")" -gt "$before" ]
refute "... without an error" [ -e "$WORK/error" ]
must ssesetup des where-used customer
like "the disk's key is wrapped by version 02, and by no other" \
	"$(ssesetup des where-used customer | grep -o 'version .. of' | tr '\n' ' ')" '^version 02 of $'

act "The customer destroys the old version"
stop_work
must ssesetup close vm3
for type in privkey pubkey; do
	must pkcs11-tool --module /usr/lib/softhsm/libsofthsm2.so --token-label customer --login --pin 123456 --delete-object --type $type --label disks --id 01
done
if try ssesetup open --header "$WORK/old-header" $disk vm3; then
	fail "a copy of the header from before opens nothing"
else
	ok "a copy of the header from before opens nothing"
fi
must ssesetup open $disk vm3
check "the disk still opens, every record is there" all_intact
start_work
await 3

act "The key is taken away, under the running workload"
started=$(now)
must ssesetup des disable customer --now --batch-mode
wait_for 60 [ -e "$WORK/error" ] || bail "the workload goes on"
stop_work
read -r when what <"$WORK/error"
diag "$what"
like "I/O fails $(((when - started) / 1000)) ms after the command was typed" "$what" \
	'Input/output error'
diag "\$ ssesetup status vm3 | grep -E 'key in|state|reason'"
diag "$(ssesetup status vm3 | grep -E 'key in|state|reason')"
is "the kernel has wiped the key" "$(word vm3 inner)" no-key
refute "nothing can be read any more" read_record 1

act "... and given back"
must ssesetup des enable customer
check "every record that was written is there" all_intact
start_work
await 3
stop_work
refute "the workload goes on where it was" [ -e "$WORK/error" ]
must ssesetup close vm3

act "Who used the key, and when"
diag "\$ grep unwrap /var/log/dm-sse/audit.jsonl | tail -n 1"
diag "$(grep '"event":"unwrap"' /var/log/dm-sse/audit.jsonl | tail -n 1)"
log=/var/log/dm-sse/audit.jsonl
is "each use of a key was recorded before it happened, and how it ended" \
	"$(grep -c '"phase":"intent"' $log)" "$(grep -c '"phase":"result"' $log)"
