#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# ssesetup, every command with right and wrong use on real devices:
#
#	key file or pipe -> ssesetup key load -> @u -> ssesetup open -> /dev/mapper
#
# lib.sh gives the script a session keyring without a link to @u, as services
# and many logins have it. Wrong calls that need no device are in
# ssesetup.calls.

. "$(dirname "$0")/lib.sh"

need_ssesetup
load_module

MAP=dmsse-setup
DESC=dmsse:setup
make_disk DISK 16
make_disk OTHER 8
FILE=$WORK/disk.img
KEYFILE=$WORK/key
key_hex 64 setup | hex_to_bin >"$KEYFILE"
chmod 600 "$KEYFILE"

# Whatever happens: no mapping, and no key in @u, stays.
clean_keys() {
	local desc

	for desc in dmsse:setup dmsse:other dmsse:short dmsse:halves dmsse:pipe dmsse:outer \
		dmsse:common; do
		"$SSESETUP" key unlink "$desc" 2>/dev/null
		"$SSESETUP" key unlink "user:$desc" 2>/dev/null
	done
	return 0
}
at_exit clean_keys
for name in "$MAP" "$MAP-2" "$MAP-linear" "$MAP-crypt" "$MAP-below"; do
	at_exit "dm_remove $name"
done

open_right() {
	local desc=$1

	shift
	right "$desc" open --type plain "$DISK" "$MAP" --key-desc "$DESC" "$@"
}

close_right() {
	right "close" close "$MAP"
	refute "the mapping is gone" test -e "/dev/mapper/$MAP"
}

table_is() {
	is "table: $1" "$(dmsetup table "$MAP" | sed 's/ [0-9]*:[0-9]* / DEV /')" "$1"
}

sha() {
	dd if="$1" bs=64k iflag=direct status=none ${2:+count="$2"} | sha256sum
}

### Calls that are wrong whatever the kernel

CALLS=$WORK/calls
mkdir -p "$CALLS/dir"
cp "$KEYFILE" "$CALLS/key"
head -c 300 /dev/urandom >"$CALLS/long"
: >"$CALLS/empty"
# shellcheck source=/dev/null
. "$DMSSE_DIR/ssesetup.calls"

### Keys

right "key load from a file" key load "$DESC" --key-file "$KEYFILE"
like "... prints serial and reference" "$OUT" "^[0-9]+ :64:logon:$DESC\$"
is "... and is in @u" "$(keyctl search @u logon "$DESC")" "${OUT%% *}"
refute "... not in the session" keyctl search @s logon "$DESC"
right "key list" key list
like "... has it, with its size" "$OUT" "logon +64 +never +[^ ]+ +$DESC"
unlike "... and nothing of its bytes" "$OUT" "$(key_hex 64 setup | head -c 16)"
wrong 5 "exists already in keyring @u.*--replace" key load "$DESC" --key-file "$KEYFILE"
right "key load --replace, expiring" key load "$DESC" -d "$KEYFILE" --replace --timeout 1000
right "key list" key list
like "... shows the time left" "$OUT" "logon +64 +1[67]m +[^ ]+ +$DESC"
right "key revoke" key revoke "$DESC"
right "key list" key list
like "... shows that" "$OUT" "revoked +[^ ]+ +$DESC"
wrong 2 "revoked" open --type plain "$DISK" "$MAP" --key-desc "$DESC"
right "key load after revocation" key load "$DESC" -d "$KEYFILE"
right "key unlink" key unlink "$DESC"
refute "... out of @u" keyctl search @u logon "$DESC"

OUT=$("$SSESETUP" key load user:dmsse:other --keyring @s <"$KEYFILE" 2>&1)
is "key load from a pipe, user type, session keyring" \
	"$(keyctl pipe "$(keyctl search @s user dmsse:other)" | sha256sum)" \
	"$(sha256sum <"$KEYFILE")"
right "key unlink of a user key" key unlink user:dmsse:other
head -c 1 /dev/urandom >"$WORK/offset"
cat "$KEYFILE" >>"$WORK/offset"
echo >>"$WORK/offset"
chmod 600 "$WORK/offset"
"$SSESETUP" key load user:dmsse:other --keyring @s --keyfile-offset 1 --keyfile-size 64 \
	-d "$WORK/offset" >/dev/null
is "--keyfile-offset and --keyfile-size" \
	"$(keyctl pipe "$(keyctl search @s user dmsse:other)" | sha256sum)" \
	"$(sha256sum <"$KEYFILE")"
keyctl purge user dmsse:other >/dev/null
tail -c +2 "$WORK/offset" >"$CALLS/key65"
OUT=$("$SSESETUP" key load user:dmsse:other --keyring @s -d "$CALLS/key65" 2>&1)
like "a newline in the key is told" "$OUT" "ends with a newline.*--keyfile-size 64"
like "a key file that others can read is told" "$OUT" "can be used by others"
keyctl purge user dmsse:other >/dev/null

### What other processes see while ssesetup holds a key

mkfifo "$WORK/fifo"
ulimit -c unlimited
(cd "$WORK" && exec "$SSESETUP" --debug key load dmsse:pipe) <"$WORK/fifo" >"$WORK/pipe.out" 2>&1 &
PID=$!
exec {PIPE}>"$WORK/fifo"
head -c 32 "$KEYFILE" >&"$PIPE"
locked() {
	awk '/^VmLck:/ { exit !($2 > 0) }' "/proc/$PID/status"
}
check "the key is in locked memory" wait_for 20 locked
check "... which is left out of dumps and children" \
	awk '/^VmFlags:/ && / lo/ && / dd/ && / dc/ { found = 1 } END { exit !found }' \
	"/proc/$PID/smaps"
is "core dumps are off" "$(awk '/^Max core file size/ { print $5, $6 }' "/proc/$PID/limits")" "0 0"
is "the umask is 077" "$(awk '/^Umask:/ { print $2 }' "/proc/$PID/status")" 0077
BYTES=$(head -c 16 "$KEYFILE" | od -An -tx1 | tr -d ' \n')
seen() {
	cat /proc/[0-9]*/"$1" 2>/dev/null | od -An -v -tx1 | tr -d ' \n' | grep -q "$BYTES"
}
refute "the key is in no command line" seen cmdline
refute "the key is in no environment" seen environ
kill -SEGV "$PID"
wait "$PID" 2>/dev/null
is "killed by SIGSEGV" $? 139
is "... it leaves no core" "$(find "$WORK" -maxdepth 1 -name 'core*')" ""
refute "... and no key" keyctl search @u logon dmsse:pipe
exec {PIPE}>&-
ulimit -c 0

# Who isn't root sees it best: the files of a process that can be dumped are
# its user's, the others root's.
if command -v setpriv >/dev/null; then
	setpriv --reuid 65534 --regid 65534 --clear-groups "$SSESETUP" key load dmsse:pipe \
		<"$WORK/fifo" >/dev/null 2>&1 &
	PID=$!
	exec {PIPE}>"$WORK/fifo"
	check "the process of another user locks the key" wait_for 20 locked
	is "... and can't be looked into" "$(stat -c %u "/proc/$PID/environ")" 0
	exec {PIPE}>&-
	wait "$PID" 2>/dev/null

	AS=(setpriv --reuid 65534 --regid 65534 --clear-groups)
	for command in "close x" "status x" "resize x" "suspend x" "resume x" \
		"open --type plain --key-desc a:b $DISK x"; do
		# shellcheck disable=SC2086
		wrong 2 "needs root" $command
	done
	AS=()
else
	skip "as another user" "no setpriv"
fi

OUT=$("$SSESETUP" --debug key load "$DESC" -d "$KEYFILE" 2>&1)
unlike "--debug shows no key" "$(od -An -v -tx1 <<<"$OUT" | tr -d ' \n')" "$BYTES"
unlike "... nor in hex" "$OUT" "$BYTES"

### Opening

refute "dmsetup doesn't find a key in @u" dmsetup create "$MAP" --table "0 8 $(
	sse_line "$DISK" aes-xts-plain64 ":64:logon:$DESC" | cut -d ' ' -f 3-)"
dm_remove "$MAP"
open_right "ssesetup does"
table_is "0 32768 sse aes-xts-plain64 :64:logon:$DESC 0 DEV 0"
is "UUID" "$(dmsetup info -c --noheadings -o uuid "$MAP")" "DMSSE-PLAIN-$MAP"
check "the node is there" test -b "/dev/mapper/$MAP"
refute "nothing was linked to the session" keyctl search @s logon "$DESC"
head -c $((1024 * 1024)) /dev/urandom >"$WORK/data"
dd if="$WORK/data" of="/dev/mapper/$MAP" bs=64k oflag=direct status=none
right "status" status "$MAP"
for ere in "^/dev/mapper/$MAP is active\." 'type:    PLAIN' 'cipher:  aes-xts-plain64' \
	'keysize: 512 bits' 'key location: keyring' "key description: logon:$DESC" \
	'key in keyring: yes' "device:  $DISK" 'loop:    /' 'sector size:  512' \
	'offset:  0 sectors' 'size:    32768 sectors' 'mode:    read/write' 'state:   active' \
	'layers: 1' 'inner: keyed' 'write sectors: 2048' 'io errors: 0'; do
	like "... says $ere" "$OUT" "$ere"
done
right "status by path" status "/dev/mapper/$MAP"
exec {HOLD}<"/dev/mapper/$MAP"
right "status of a device in use" status "$MAP"
like "... says so" "$OUT" "is active and is in use\."
wrong 5 "still in use.*--deferred" close "$MAP"
wrong 1 "No deferred close" close --cancel-deferred "$MAP"
right "close --deferred" close --deferred "$MAP"
right "status" status "$MAP"
like "... tells it" "$OUT" "closed when its last user"
right "close --cancel-deferred" close --cancel-deferred "$MAP"
right "close --deferred again" close --deferred "$MAP"
exec {HOLD}<&-
gone() {
	! dmsetup info "$MAP" >/dev/null 2>&1
}
check "... happens with the last user" wait_for 20 gone

# dm-crypt must read what was written.
crypt_create "$MAP-crypt" "0 32768 crypt aes-xts-plain64 $(key_hex 64 setup) 0 $DISK 0"
is "dm-crypt reads the same" "$(sha "/dev/mapper/$MAP-crypt" 16)" "$(sha256sum <"$WORK/data")"
dm_remove "$MAP-crypt"

open_right "open again"
is "... the data are there" "$(sha "/dev/mapper/$MAP" 16)" "$(sha256sum <"$WORK/data")"
wrong 5 "Device $MAP already exists" open --type plain "$OTHER" "$MAP" --key-desc "$DESC"
wrong 5 "$DISK is in use: used by $MAP.*--shared" \
	open --type plain "$DISK" "$MAP-2" --key-desc "$DESC"
wrong 5 "would overlap with $MAP" \
	open --type plain --shared --offset 8 --size 8 "$DISK" "$MAP-2" --key-desc "$DESC"
right "remove is close" remove "$MAP"

open_right "options for the target" --allow-discards --perf-same_cpu_crypt \
	--perf-submit_from_crypt_cpus --perf-no_read_workqueue --perf-no_write_workqueue \
	--sector-size 4096 --iv-large-sectors --offset 16 --skip 32 --size 1024 --key-size 512
WORDS=" $(dmsetup table "$MAP") "
for word in allow_discards same_cpu_crypt submit_from_crypt_cpus no_read_workqueue \
	no_write_workqueue sector_size:4096 iv_large_sectors; do
	like "... $word" "$WORDS" " $word "
done
like "... size, offsets" "$WORDS" " 0 1024 sse [^ ]+ [^ ]+ 32 [0-9:]+ 16 7 "
right "status" status "$MAP"
like "... shows them" "$OUT" "skipped: 32.*sector size:  4096.*offset:  16 sectors.*flags:   allow_disc"
right "a second one that doesn't overlap" open --type plain --shared "$DISK" "$MAP-2" \
	--key-desc "$DESC" --offset 1040 --device-size 4K
right "close" close "$MAP-2"
close_right

open_right "open --readonly" --readonly
is "... is read-only" "$(blockdev --getro "/dev/mapper/$MAP")" 1
right "status" status "$MAP"
like "... says so" "$OUT" "mode:    readonly"
right "resize keeps it so" resize --size 2048 "$MAP"
is "... read-only" "$(blockdev --getro "/dev/mapper/$MAP")" 1
close_right
if kver_ge 6.10; then
	open_right "open --perf-high_priority" --perf-high_priority
	close_right
else
	wrong 1 "high_priority.*6\.10" open --type plain "$DISK" "$MAP" --key-desc "$DESC" \
		--perf-high_priority
fi
head -c 32 "$KEYFILE" | "$SSESETUP" key load dmsse:short >/dev/null
if have_module adiantum; then
	right "adiantum, the size taken from the key" open --type plain "$DISK" "$MAP" \
		-c xchacha12,aes-adiantum-plain64 --key-desc dmsse:short
	table_is "0 32768 sse xchacha12,aes-adiantum-plain64 :32:logon:dmsse:short 0 DEV 0"
	close_right
else
	skip "adiantum" "not in this kernel"
fi
right "the reference that key load prints" open --type plain "$DISK" "$MAP" \
	--key-desc :32:logon:dmsse:short
close_right

### Regular files

truncate -s 4M "$FILE"
right "open a regular file" open --type plain "$FILE" "$MAP" --key-desc "$DESC"
right "status" status "$MAP"
like "... shows the file" "$OUT" "loop:    $FILE"
wrong 5 "already behind /dev/loop" open --type plain "$FILE" "$MAP-2" --key-desc "$DESC"
truncate -s 6M "$FILE"
right "resize after the file has grown" resize "$MAP"
is "... has its size" "$(sectors "/dev/mapper/$MAP")" 12288
close_right
no_loop() {
	! losetup -n -O BACK-FILE | grep -qF "$FILE"
}
check "the loop device went with it" wait_for 20 no_loop

### Resizing

open_right "open" --size 4096
dd if="$WORK/data" of="/dev/mapper/$MAP" bs=64k oflag=direct status=none
right "resize to the whole device" resize "$MAP"
is "... size" "$(sectors "/dev/mapper/$MAP")" 32768
is "... data" "$(sha "/dev/mapper/$MAP" 16)" "$(sha256sum <"$WORK/data")"
right "resize --device-size" resize --device-size 2M "$MAP"
is "... size" "$(sectors "/dev/mapper/$MAP")" 4096
right "resize to the same size" -v resize --size 4096 "$MAP"
like "... does nothing" "$OUT" "has 4096 sectors already"
wrong 1 "would have 32769 sectors.* only 32768" resize --size 32769 "$MAP"
"$SSESETUP" key unlink "$DESC"
wrong 2 "No key.*goes on working" resize --size 8192 "$MAP"
is "... and it does" "$(sectors "/dev/mapper/$MAP") $(word "$MAP" inner)" "4096 keyed"
right "status without the key" status "$MAP"
like "... tells that" "$OUT" "key in keyring: no"
"$SSESETUP" key load "$DESC" -d "$KEYFILE" >/dev/null

### Suspending

right "suspend" suspend "$MAP"
like "... wipes the key" "$(dmsetup status "$MAP")" " sse no-key "
is "... suspends" "$(dmsetup info -c --noheadings -o suspended "$MAP")" Suspended
right "status of a suspended mapping" status "$MAP"
like "... says so" "$OUT" "mode:    read/write \(suspended\).*state:   no-key"
wrong 1 "already suspended" suspend "$MAP"
wrong 1 "is suspended: 'ssesetup resume" resize "$MAP"
"$SSESETUP" key unlink "$DESC"
wrong 2 "No key.*stays suspended" resume "$MAP"
"$SSESETUP" key load "$DESC" -d "$KEYFILE" >/dev/null
wrong 1 "has 256 bits, but 512.*stays suspended" resume --key-desc dmsse:short "$MAP"
wrong 1 "has a key of 512 bits, --key-desc says 256" \
	resume --key-desc :32:logon:dmsse:short "$MAP"
printf '%64s' '' | "$SSESETUP" key load dmsse:halves >/dev/null
wrong 1 "halves of an XTS key must differ.*stays suspended" resume --key-desc dmsse:halves "$MAP"
like "... still without a key" "$(dmsetup status "$MAP")" " sse no-key "
right "resume" resume "$MAP"
is "... the data are there" "$(sha "/dev/mapper/$MAP" 16)" "$(sha256sum <"$WORK/data")"
wrong 1 "is not suspended" resume "$MAP"
dmsetup suspend "$MAP"
right "suspend what dmsetup has suspended" suspend "$MAP"
like "... wipes the key" "$(dmsetup status "$MAP")" " sse no-key "
"$SSESETUP" key load dmsse:other -d "$KEYFILE" >/dev/null
right "resume with a key of another name" resume --key-desc dmsse:other "$MAP"
like "... which is in the table" "$(dmsetup table "$MAP")" ":64:logon:dmsse:other"
dmsetup suspend "$MAP"
right "resume what dmsetup has suspended" resume "$MAP"
right "suspend" suspend "$MAP"
right "close a suspended mapping" close "$MAP"

### Two layers

# Without a header, data of the last mapping could be taken for one.
dd if=/dev/zero of="$DISK" bs=64k count=2 conv=notrunc status=none
OUTER=$(key_hex 32 outer)
hex_to_bin <<<"$OUTER" | "$SSESETUP" key load dmsse:outer >/dev/null
head -c 32 "$KEYFILE" | "$SSESETUP" key load dmsse:common >/dev/null

# CIPHER IV_OFFSET START: two dm-crypt devices, the inner one as $MAP-crypt.
stack() {
	crypt_create "$MAP-below" "0 $((32768 - $3)) crypt $1 $OUTER 0 $DISK $3" &&
		crypt_create "$MAP-crypt" "0 $((32768 - $3 - $2)) crypt aes-xts-plain64 $(key_hex 64 setup) 0 /dev/mapper/$MAP-below $2"
}
unstack() {
	dm_remove "$MAP-crypt"
	dm_remove "$MAP-below"
}

have_module adiantum
# PAIR-OPTION OUTER-CIPHER IV_OFFSET START
for pair in "--double xchacha12,aes-adiantum-plain64 0 0" \
	"--double=adiantum xchacha12,aes-adiantum-plain64 64 8" \
	"--double=fips aes-cbc-essiv:sha256 0 0"; do
	read -r option outer skip start <<<"$pair"
	open_right "open $option" "$option" --outer-key-desc dmsse:outer --outer-skip "$skip" \
		--offset $((start + skip))
	table_is "0 $((32768 - start - skip)) sse aes-xts-plain64 :64:logon:$DESC 0 DEV $((start + skip)) 4 outer $outer :32:logon:dmsse:outer $skip"
	dd if="$WORK/data" of="/dev/mapper/$MAP" bs=64k oflag=direct conv=notrunc status=none
	close_right
	check "two dm-crypt devices are set up" stack "$outer" "$skip" "$start"
	is "... and read the same" "$(sha "/dev/mapper/$MAP-crypt" 16)" "$(sha256sum <"$WORK/data")"
	unstack
done

open_right "open with ciphers of one's own" --outer-cipher 'capi:xts(serpent)-plain64' \
	--outer-key-desc dmsse:outer --sector-size 4096
dd if="$WORK/data" of="/dev/mapper/$MAP" bs=64k oflag=direct conv=notrunc status=none
right "status" status "$MAP"
for ere in '  cipher:  aes-xts-plain64' '  keysize: 512 bits' "  key description: logon:$DESC" \
	'  outer cipher:  capi:xts\(serpent\)-plain64' '  outer keysize: 256 bits' \
	'  outer key description: logon:dmsse:outer' '  outer key in keyring: yes' \
	'  layers: 2' '  inner: keyed' '  outer: keyed'; do
	like "... says $ere" "$OUT" "$ere"
done
right "resize keeps both layers" resize --size 16384 "$MAP"
like "... as the table shows" "$(dmsetup table "$MAP")" "^0 16384 sse .* outer capi:xts"
right "suspend" suspend "$MAP"
like "... wipes both keys" "$(dmsetup status "$MAP")" "inner:no-key .* outer:no-key"
wrong 1 "has a key of 256 bits, --outer-key-desc says 512" \
	resume --outer-key-desc :64:logon:dmsse:outer "$MAP"
wrong 1 "part in common.*stays suspended" resume --outer-key-desc dmsse:common "$MAP"
"$SSESETUP" key unlink dmsse:outer
wrong 2 "No key 'dmsse:outer'.*stays suspended" resume "$MAP"
hex_to_bin <<<"$OUTER" | "$SSESETUP" key load dmsse:outer >/dev/null
right "resume takes both keys again" resume "$MAP"
is "... the data are there" "$(sha "/dev/mapper/$MAP" 16)" "$(sha256sum <"$WORK/data")"
close_right

wrong 1 "kernel says: .*part in common" open --type plain "$DISK" "$MAP" --key-desc "$DESC" \
	--double --outer-key-desc dmsse:common
wrong 1 "kernel says: .*allow_same_cipher" open --type plain "$DISK" "$MAP" --key-desc "$DESC" \
	--outer-cipher 'capi:xts(aes)-plain64' --outer-key-desc dmsse:outer
open_right "--allow-same-cipher allows it" --outer-cipher 'capi:xts(aes)-plain64' \
	--outer-key-desc dmsse:outer --allow-same-cipher
close_right
open_right "one layer" --sector-size 512
right "suspend it" suspend "$MAP"
wrong 1 "has one layer: its key is named with --key-desc" \
	resume --outer-key-desc dmsse:outer "$MAP"
right "resume it" resume "$MAP"
close_right

### The module

if [ "$DMSSE_TARGET" = sse ] && unload_module 2>/dev/null; then
	MODPROBE=$(cat /proc/sys/kernel/modprobe)
	at_exit "echo $MODPROBE >/proc/sys/kernel/modprobe"
	RELEASE=$(uname -r | sed 's/[.+]/\\&/g')
	echo /bin/false >/proc/sys/kernel/modprobe
	wrong 4 "module dm-sse is not loaded.*kernel $RELEASE" \
		open --type plain "$DISK" "$MAP" --key-desc "$DESC"
	echo "$MODPROBE" >/proc/sys/kernel/modprobe
	if modprobe -n -q dm-sse; then
		open_right "open loads the module"
		close_right
	else
		skip "open loads the module" "dm-sse is not installed for modprobe"
	fi
	load_module
else
	skip "loading the module" "it can't be unloaded here"
fi

### What the kernel and the devices have to say

wrong_open() {
	local want=$1 ere=$2 dev=$3

	shift 3
	wrong "$want" "$ere" open --type plain "$dev" "$MAP" --key-desc "$DESC" "$@"
}

for command in close status resize suspend resume; do
	case $command in
	status) wrong 4 "/dev/mapper/$MAP is inactive" status "$MAP" ;;
	*) wrong 4 "Device $MAP is not active" $command "$MAP" ;;
	esac
done
wrong 4 "code -4 \(wrong device" -v close "$MAP"
dm_create "$MAP-linear" "0 1024 linear $OTHER 0"
crypt_create "$MAP-crypt" "0 1024 crypt aes-xts-plain64 $(key_hex 64 setup) 0 /dev/mapper/$MAP-linear 0"
for command in close status resize suspend resume; do
	wrong 4 "not a mapping of target sse, but of linear" $command "$MAP-linear"
	wrong 4 "but of crypt.*Use cryptsetup" $command "$MAP-crypt"
done
sse --debug status "$MAP-crypt"
unlike "the key of a crypt mapping is not shown" "$OUT" "$(key_hex 64 setup)"
wrong_open 5 "$OTHER is in use: used by $MAP-linear" "$OTHER"
dm_remove "$MAP-crypt"
dm_remove "$MAP-linear"

wrong_open 4 "/dev/dmsse-absent does not exist" /dev/dmsse-absent
wrong_open 4 "/dev/null is neither a block device nor a regular file" /dev/null
wrong_open 4 "neither a block device nor a regular file" "$WORK"
: >"$WORK/tiny"
wrong_open 4 "is too small for a disk" "$WORK/tiny"
wrong_open 1 "Offset 32768 is beyond the end of device .* 32768 sectors" "$DISK" --offset 32768
wrong_open 1 "only 32760 behind the offset" "$DISK" --offset 8 --size 32768
truncate -s $((4 * 1024 * 1024 + 512)) "$FILE"
wrong_open 1 "not a multiple of the.*--size 8192 leaves out the rest" "$FILE" --sector-size 4096
check "no loop device is left by a refusal" wait_for 20 no_loop
wrong 2 "No key 'dmsse:none' of type logon" open --type plain "$DISK" "$MAP" --key-desc dmsse:none
wrong 2 "There is a key of type logon of that name: logon:$DESC" \
	open --type plain "$DISK" "$MAP" --key-desc "user:$DESC"
wrong 2 "No key" open --type plain "$DISK" "$MAP" --key-desc "$DESC" --keyring @s
wrong 1 "There is no keyring 'dmsse-ring'" \
	open --type plain "$DISK" "$MAP" --key-desc "$DESC" --keyring dmsse-ring
wrong_open 1 "has 512 bits, but 256 are asked for" "$DISK" --key-size 256
wrong_open 1 "takes a key of 128, 192 or 256 bits, not of 512" "$DISK" -c aes-cbc-essiv:sha256
wrong 1 "kernel says: .*two halves of an XTS key must differ" \
	open --type plain "$DISK" "$MAP" --key-desc dmsse:halves
wrong_open 1 "kernel says: .*not available.*spelling" "$DISK" -c nosuch-xts-plain64
wrong_open 1 "kernel says: .*not available" "$DISK" -c aes-xtc-plain64
wrong 1 "kernel says: .*not available" open --type plain "$DISK" "$MAP" \
	-c aes-cbc-essiv:sha257 --key-desc dmsse:short
wrong_open 1 "kernel says: .*insecure_ciphers=1" "$DISK" -c serpent-ecb
wrong 1 "kernel says: .*insecure_ciphers=1" open --type plain "$DISK" "$MAP" -c cipher_null-ecb
wrong_open 1 "bytes but the cipher takes" "$DISK" -c twofish-cbc-plain64
refute "no refusal left a mapping" dmsetup info "$MAP"

"$SSESETUP" key load dmsse:other -d "$KEYFILE" --replace --timeout 1 >/dev/null
sleep 2
wrong 2 "'dmsse:other' of type logon has expired" \
	open --type plain "$DISK" "$MAP" --key-desc dmsse:other

# What was on a device is not lost by a slip of the finger.
printf 'LUKS\xba\xbe' | dd of="$DISK" conv=notrunc status=none
wrong_open 1 "holds a LUKS header.*--batch-mode" "$DISK"
open_right "--readonly needs no leave" --readonly
close_right
open_right "--batch-mode is leave" --batch-mode
close_right
dd if=/dev/zero of="$DISK" bs=64k count=2 conv=notrunc status=none
printf 'LABELONE' | dd of="$DISK" bs=512 seek=1 conv=notrunc status=none
wrong_open 1 "holds an LVM physical volume" "$DISK"
dd if=/dev/zero of="$DISK" bs=64k count=2 conv=notrunc status=none
if command -v mkfs.ext4 >/dev/null; then
	mkfs.ext4 -q -F "$DISK"
	wrong_open 1 "holds an ext2, ext3 or ext4 file system" "$DISK"
else
	skip "a disk with ext4" "no mkfs.ext4"
fi
dd if=/dev/zero of="$DISK" bs=64k count=2 conv=notrunc status=none

blockdev --setro "$OTHER"
right "a read-only device" open --type plain "$OTHER" "$MAP" --key-desc "$DESC"
like "... is told" "$OUT" "is read-only, and so is the mapping"
is "... opens read-only" "$(blockdev --getro "/dev/mapper/$MAP")" 1
close_right
blockdev --setrw "$OTHER"

sse -v open --type plain "$DISK" "$MAP" --key-desc "$DESC"
is "--verbose tells success" "$RC $OUT" "0 Command successful."
close_right
sse --debug open --type plain "$DISK" "$MAP" --key-desc "$DESC"
like "--debug shows the table" "$OUT" "# Table: 0 32768 sse aes-xts-plain64 :64:logon:$DESC 0"
unlike "... and no key" "$OUT" "$(key_hex 64 setup | head -c 16)"
close_right
"$SSESETUP" --version >/dev/full 2>"$WORK/err"
is "output that can't be written is an error" "$?" 4

done_testing
