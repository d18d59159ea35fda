#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Rotation and assignment, on images: headers are all that either touches, so
# neither the kernel's part nor device-mapper is needed. KTAP.
#
#	rotate.sh BUILD ROOT
#
# BUILD: where "make all tests ROOT=..." put its programs. What is below ROOT is
# removed first. ROTATE_DISKS: how many disks rotate in one call (default 40).

set -u
export LC_ALL=C
umask 077

build=$1
root=$2
here=$(cd "$(dirname "$0")" && pwd)
# Thousands of writes that are waited for: best in memory.
[ -w /dev/shm ] && TMPDIR=${TMPDIR:-/dev/shm}
work=$(mktemp -d "${TMPDIR:-/tmp}/rotate-tests.XXXXXX") || exit 1
disks=${ROTATE_DISKS:-40}
softhsm=/usr/lib/softhsm/libsofthsm2.so
n=0
failed=0

trap 'rm -rf "$work"' EXIT

report()
{
	n=$((n + 1))
	echo "$1 $n - ${2//#/}"
	[ "$1" = ok ] && return
	failed=$((failed + 1))
	[ -z "${3:-}" ] || while IFS= read -r line; do
		echo "# $line"
	done <<<"$3"
}

# A test holds if its command succeeds.
holds()
{
	local what=$1 out

	shift
	if out=$("$@" 2>&1); then
		report ok "$what"
	else
		report "not ok" "$what" "failed: $*"$'\n'"$out"
	fi
}

is()
{
	if [ "$2" = "$3" ]; then
		report ok "$1"
	else
		report "not ok" "$1" "is   '$2'"$'\n'"not  '$3'"
	fi
}

# "says WHAT CODE ERE COMMAND...": the exit code, and what is said.
says()
{
	local what=$1 code=$2 ere=$3 rc

	shift 3
	out=$("$@" 2>&1 </dev/null)
	rc=$?
	if [ $rc != "$code" ]; then
		report "not ok" "$what" "exit code $rc, not $code: $*"$'\n'"$out"
	elif ! [[ $out =~ $ere ]]; then
		report "not ok" "$what" "doesn't say '$ere': $*"$'\n'"$out"
	elif [[ $out =~ Sanitizer|"runtime error:" ]]; then
		report "not ok" "$what" "$out"
	else
		report ok "$what"
	fi
}

sse()
{
	"$build/ssesetup" "$@"
}

# No TPM takes its time here: bare keys, in files.
mkdir "$work/bin" "$work/i" "$work/keys"
printf '#!/bin/sh\nexit 1\n' >"$work/bin/systemd-creds"
chmod 700 "$work/bin/systemd-creds"
export PATH=$work/bin:$PATH

fresh()
{
	rm -rf "$root" "$work/i"
	mkdir -p "$root/run" "$work/i"
}

# A disk of a set: format NAME SET
format()
{
	truncate -s 4M "$work/i/$1"
	sse format --batch-mode "$work/i/$1" --des "$2" >"$work/out" 2>&1 || {
		report "not ok" "format $*" "$(cat "$work/out")"
		return 1
	}
}

# One that has a person's passphrase in its keyslot 0 as well.
passphrase=$work/passphrase
printf 'a passphrase of somebody' >"$passphrase"

luks_format()
{
	truncate -s 20M "$work/i/$1"
	cryptsetup luksFormat --batch-mode --type luks2 --pbkdf pbkdf2 \
		--pbkdf-force-iterations 1000 --cipher aes-xts-plain64 --key-size 512 \
		--sector-size 4096 --key-file "$passphrase" "$work/i/$1" >"$work/out" 2>&1 ||
		report "not ok" "luksFormat $1" "$(cat "$work/out")"
}

passphrase_opens()
{
	cryptsetup open --test-passphrase --key-file "$passphrase" "$@"
}

# What opens a disk, as "SET VERSION".
opened()
{
	"$build/unlock" "$work/i/$1" 2>&1
}

all_opened()
{
	local name bad=0

	for name in "$work"/i/*; do
		[ "$(opened "${name##*/}")" = "$1" ] && continue
		echo "$name: $(opened "${name##*/}")"
		bad=1
	done
	return $bad
}

tokens()
{
	cryptsetup luksDump "$work/i/$1" | sed -n '/^Tokens:/,/^Digests:/p' | grep -c dm-sse
}

keyslots()
{
	cryptsetup luksDump "$work/i/$1" | sed -n '/^Keyslots:/,/^Tokens:/p' | grep -cE '^  [0-9]+: luks2'
}

# A customer's key with versions: pem SET VERSION
pem()
{
	mkdir -p "$work/keys/$1"
	openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 \
		-out "$work/keys/$1/$2.pem" 2>/dev/null
	# Versions are told apart by age.
	touch -d "2026-01-01 00:00:00 UTC + $(printf '%d' "'$2") hours" "$work/keys/$1/$2.pem"
}

# The error in "des show".
last_error()
{
	sse des show "$1" --json | sed -n 's/^ *"last-error": "\(.*\)".*/\1/p'
}

active_version()
{
	sse des show "$1" --json | sed -n '/"active-key"/,/}/s/.*"version": "\(.*\)".*/\1/p'
}

echo "TAP version 13"

### The platform's key

fresh
for name in a b c; do
	format $name platform
done
is "a new disk is on version 1" "$(opened a)" "platform 1"
sum=$(sha256sum "$work/i/a")
says "a version that isn't there" 2 "has no version '7'" sse des rotate platform --to 7
is "... changes no disk" "$(sha256sum "$work/i/a")" "$sum"
cp "$work/i/a" "$work/snapshot"
says "one call moves all disks" 0 '^3 disks: 3 moved to version 2, 0 were there, 0 failed\.$' \
	sse des rotate platform
holds "... to the new version" all_opened "platform 2"
is "... with one token each" "$(tokens a) $(tokens b) $(tokens c)" "1 1 1"
is "... and one keyslot" "$(keyslots a) $(keyslots b) $(keyslots c)" "1 1 1"
is "... the old version is kept" "$(cd "$root/var/lib/dm-sse/platform/platform" && echo *.key)" \
	"1.key 2.key"
cp "$work/i/a" "$work/a"
cp "$work/snapshot" "$work/i/a"
is "... for a snapshot that needs it" "$(opened a)" "platform 1"
cp "$work/a" "$work/i/a"
says "--auto destroys nothing" 1 '--auto destroys nothing' sse des rotate --auto --destroy-old
sum=$(sha256sum "$work"/i/*)
says "to where they are: nothing to do" 0 '^3 disks: 0 moved to version 2, 3 were there, 0 failed\.$' \
	sse des rotate platform --to 2
is "... and nothing is written" "$(sha256sum "$work"/i/*)" "$sum"
format d platform
is "a disk made after that is on it too" "$(opened d)" "platform 2"
says "the next rotation makes version 3" 0 '4 moved to version 3' \
	sse des rotate platform --destroy-old
is "... and destroys the others on request" "$(ls "$root/var/lib/dm-sse/platform/platform")" "3.key"
is "each disk's rotation is in the audit" "$(grep -c '"phase":"result","event":"rotate","outcome":"ok"' \
	"$root/var/log/dm-sse/audit.jsonl")" 7
is "... and the key's end" "$(grep -c '"phase":"result","event":"key-destroy","outcome":"ok"' \
	"$root/var/log/dm-sse/audit.jsonl")" 1

### A customer's key in files: there and back

fresh
pem cust a
sse des create cust --type customer --key "file:$work/keys/cust" >/dev/null 2>&1
format a cust
format b cust
luks_format c
says "a foreign volume comes into a set by its passphrase" 0 '' \
	sse assign "$work/i/c" --des cust --key-file "$passphrase"
is "... under the set's key" "$(opened c)" "cust a"
is "... and keeps its keyslot" "$(keyslots c)" 2
pem cust b
says "the newest version of a customer's key" 0 '3 moved to version b' sse des rotate cust
holds "... opens all" all_opened "cust b"
is "... with one token" "$(tokens c)" 1
is "... and a passphrase's keyslot is left alone" "$(keyslots c)" 2
holds "... which opens" passphrase_opens "$work/i/c"
says "back to the old version" 0 '3 moved to version a' sse des rotate cust --to a --parallel 1
holds "... opens all" all_opened "cust a"
is "the set's active version" "$(active_version cust)" a
holds "no version of a customer's key is destroyed" test -s "$work/keys/cust/b.pem"

### Detached headers

truncate -s 4M "$work/i/data"
sse format --batch-mode "$work/i/data" --header "$work/header" --des cust
is "a detached header gets the newest version" "$("$build/unlock" "$work/i/data" "$work/header")" "cust b"
says "... and with the others another" 0 '1 moved to version a, 3 were there' sse des rotate cust --to a
says "... and again" 0 '4 moved to version b' sse des rotate cust
is "... and opens" "$("$build/unlock" "$work/i/data" "$work/header")" "cust b"
is "... and its data aren't" "$(tr -d '\0' <"$work/i/data" | wc -c)" 0

### A disk that fails

fresh
for name in a b c d; do
	format $name platform
done
cp "$work/i/b" "$work/b"
dd if=/dev/zero of="$work/i/b" bs=64K count=1 conv=notrunc status=none
mv "$work/i/c" "$work/c"
says "disks that fail" 4 '4 disks: 2 moved to version 2, 0 were there, 2 failed' \
	sse des rotate platform --destroy-old
fail_out=$out
is "... are named, once" "$(grep -c "^$work/i/[bc]: " <<<"$fail_out")" 2
is "... and the others have moved" "$(opened a), $(opened d)" "platform 2, platform 2"
is "the old version stays" "$(echo "$root"/var/lib/dm-sse/platform/platform/*.key)" \
	"$(printf "$root/var/lib/dm-sse/platform/platform/%s.key " 1 2 | sed 's/ $//')"
holds "the set's state has the error" grep -q 'of 4 disks failed' <<<"$(last_error platform)"
mv "$work/c" "$work/i/c"
cp "$work/b" "$work/i/b"
says "calling again moves the rest to the same version" 0 \
	'2 moved to version 2, 2 were there, 0 failed' sse des rotate platform --destroy-old
holds "... all open" all_opened "platform 2"
is "... the error is gone" "$(last_error platform)" ""
is "... and so is the old version" "$(ls "$root/var/lib/dm-sse/platform/platform")" "2.key"

# Another disk in the place of one that the register knows.
cp "$work/i/a" "$work/i/b"
says "another disk in its place is told" 4 "$work/i/b: There is another disk now" sse des rotate platform
cp "$work/b" "$work/i/b"

### By itself

fresh
pem auto a
pem manual a
pem bad a
sse des create auto --type customer --key "file:$work/keys/auto" --auto-rotate >/dev/null 2>&1
sse des create bad --type customer --key "file:$work/keys/bad" --auto-rotate >/dev/null 2>&1
sse des create manual --type customer --key "file:$work/keys/manual" >/dev/null 2>&1
format auto auto
format manual manual
format bad bad
says "nothing new, nothing done" 0 '^$' sse des rotate --auto
pem auto b
pem manual b
pem bad b
rm "$work/keys/bad/a.pem"
says "a set that can't" 2 'bad: .*gone|/bad: .*' sse des rotate --auto
is "... keeps no other back" "$(opened auto)" "auto b"
is "... and who doesn't want it isn't rotated" "$(opened manual)" "manual a"
says "it isn't tried again by itself" 1 "Set bad is not rotated: its last rotation failed" \
	sse des rotate --auto
says "--auto and a name" 1 'no NAME beside it' sse des rotate auto --auto
says "--auto and --to" 1 'is for one set' sse des rotate --auto --to b
says "neither" 1 'Which set' sse des rotate
says "no disk at a time" 1 'must be 1 to 16' sse des rotate auto --parallel 0
says "a set that isn't" 4 'no disk encryption set absent' sse des rotate absent
sse des disable auto --batch-mode >/dev/null 2>&1
says "a set that is disabled" 2 'is disabled' sse des rotate auto

### Many disks, several at a time

fresh
for ((i = 0; i < disks; i++)); do
	format "$i" platform
done
before=$(date +%s%N)
says "$disks disks, 4 at a time" 0 "^.*$disks disks: $disks moved to version 2, 0 were there, 0 failed" \
	sse des rotate platform --parallel 4
echo "# $disks disks took $((($(date +%s%N) - before) / 1000000)) ms"
holds "... all open" all_opened "platform 2"

# Two at a time: one of them is told so, and nothing else happens.
sse des rotate platform >"$work/one" 2>&1 &
one=$!
sse des rotate platform >"$work/two" 2>&1
rc_two=$?
wait $one
rc_one=$?
if [ $((rc_one + rc_two)) = 5 ]; then
	holds "of two rotations of a set one waits for nothing" \
		grep -qh 'A rotation of set platform is running' "$work/one" "$work/two"
else
	is "of two rotations one after the other both are right" "$rc_one $rc_two" "0 0"
fi
holds "... all disks are on one version" all_opened "$(opened 0)"

### Interrupted

sse des rotate platform --parallel 1 >"$work/int" 2>&1 &
pid=$!
until grep -q '"event":"rotate"' <<<"$(tail -n 20 "$root/var/log/dm-sse/audit.jsonl")" ||
	! kill -0 $pid 2>/dev/null; do
	:
done
kill -INT $pid 2>/dev/null
wait $pid
rc=$?
if [ $rc = 1 ]; then
	holds "Ctrl-C: the disks in hand are finished, the others named as not tried" \
		grep -q ' not tried\.$' "$work/int"
	holds "... it says how to go on" grep -q 'goes on where this stopped' "$work/int"
else
	is "Ctrl-C that came too late" $rc 0
fi
for ((i = 0; i < disks; i++)); do
	[[ $(opened $i) == "platform "* ]] || report "not ok" "disk $i opens" "$(opened $i)"
done
says "calling again finishes it" 0 ' 0 failed' sse des rotate platform
holds "... all open" all_opened "$(opened 0)"

# What was killed is gone when nobody has a lock of its any more.
settle()
{
	local lock

	for lock in "$root"/run/dm-sse/locks/*; do
		[ ! -e "$lock" ] || flock "$lock" true
	done
}

### Killed, at any time: each disk opens, and the next call finishes

fresh
for name in a b c d; do
	format $name platform
done
lost=
for ((i = 0; i < 50; i++)); do
	setsid "$build/ssesetup" des rotate platform --parallel 2 >"$work/out" 2>&1 &
	pid=$!
	sleep "0.$(printf '%03d' $((RANDOM % 300)))"
	kill -KILL -- -$pid 2>/dev/null
	wait $pid 2>/dev/null
	settle
	for name in a b c d; do
		[[ $(opened $name) == "platform "* ]] ||
			lost+="round $i: $name: $(opened $name)"$'\n'
	done
done
is "killed 50 times, no disk is lost" "$lost" ""
says "... and the next call finishes" 0 '^.*4 disks: .* 0 failed' sse des rotate platform
holds "... all open" all_opened "$(opened a)"
is "... with one token" "$(tokens a) $(tokens b) $(tokens c) $(tokens d)" "1 1 1 1"
is "... and one keyslot" "$(keyslots a) $(keyslots b) $(keyslots c) $(keyslots d)" "1 1 1 1"

### Power cuts, at every write of the header, and in the middle of it

shim=$work/powercut.so
${CC:-cc} -O2 -shared -fPIC -o "$shim" "$here/shim/powercut.c" -ldl ||
	report "not ok" "the shim is built"

# "cut N COMMAND...": the power fails at the Nth write to disk a.
cut()
{
	local at=$1

	shift
	POWERCUT_FILE=$work/i/a POWERCUT_AT=$at LD_PRELOAD=$shim setsid -f -w "$build/ssesetup" "$@" \
		>"$work/out" 2>&1
	settle
}

count()
{
	rm -f "$work/count"
	POWERCUT_FILE=$work/i/a POWERCUT_COUNT=$work/count LD_PRELOAD=$shim setsid -f -w \
		"$build/ssesetup" "$@" >"$work/out" 2>&1
	wc -l <"$work/count"
}

fresh
pem cut a
pem cut b
sse des create cut --type customer --key "file:$work/keys/cut" >/dev/null 2>&1
luks_format a
sse assign "$work/i/a" --des cut --key-file "$passphrase"
sse des rotate cut --to a >/dev/null
cp "$work/i/a" "$work/a"
writes=$(count des rotate cut --to b)

# The keyslot that a token announces and doesn't have yet; "" if none does.
announced_slot()
{
	local id

	for id in 0 1; do
		cryptsetup token export --token-id $id "$work/i/a" 2>/dev/null |
			grep -oE '"pending[-_]keyslot": *"?[0-9]+' | grep -oE '[0-9]+$'
	done
}

# Writes at which a cut leaves an announcement, without and with its keyslot.
announced=() made=()
is "the writes of a rotation are seen" "$((writes >= 20))" 1
for torn in "" 1; do
	export POWERCUT_TORN=$torn
	[ "$torn" ] || unset POWERCUT_TORN
	bad="" versions=""
	for ((i = 1; i <= writes; i++)); do
		cp "$work/a" "$work/i/a"
		cut "$i" des rotate cut --to b
		got=$(opened a)
		versions+=" ${got##* }"
		if [ ! "$torn" ] && [ "$(announced_slot)" ]; then
			[ "$(keyslots a)" = 3 ] && made+=("$i") || announced+=("$i")
		fi
		[[ $got == "cut "[ab] ]] || bad+="write $i: $got"$'\n'
		passphrase_opens "$work/i/a" 2>/dev/null ||
			bad+="write $i: the passphrase doesn't open it"$'\n'
		sse des rotate cut --to b >"$work/out" 2>&1 ||
			bad+="write $i: not finished: $(cat "$work/out")"$'\n'
		[ "$(opened a) $(tokens a) $(keyslots a)" = "cut b 1 2" ] ||
			bad+="write $i, finished: $(opened a), $(tokens a) tokens, $(keyslots a) keyslots"$'\n'
	done
	is "power cuts at each of $writes writes${torn:+, torn}" "$bad" ""
	is "... some before the move, some after" "$([[ $versions == *" a "* ]] && echo a)$(
		[[ $versions == *" b "* ]] && echo b)" ab
done
unset POWERCUT_TORN

# The same with a keyslot of somebody else's where ours was going to be.
bad="" taken=0
for i in "${announced[@]}"; do
	cp "$work/a" "$work/i/a"
	cut "$i" des rotate cut --to b
	printf 'somebody new' >"$work/new"
	cryptsetup luksAddKey --batch-mode --pbkdf pbkdf2 --pbkdf-force-iterations 1000 \
		--key-slot "$(announced_slot)" --key-file "$passphrase" "$work/i/a" "$work/new" || continue
	taken=$((taken + 1))
	sse des rotate cut --to b >"$work/out" 2>&1 || bad+="write $i: $(cat "$work/out")"$'\n'
	cryptsetup open --test-passphrase --key-file "$work/new" "$work/i/a" 2>/dev/null ||
		bad+="write $i: somebody's keyslot is gone"$'\n'
	[ "$(opened a) $(tokens a)" = "cut b 1" ] || bad+="write $i: $(opened a), $(tokens a) tokens"$'\n'
done
is "somebody took the announced keyslot after a cut, more than once" "$((taken > 1))" 1
is "... and keeps it" "$bad" ""

# Without the key that would tell, both stay.
bad=
for i in "${made[@]}"; do
	cp "$work/a" "$work/i/a"
	cut "$i" des rotate cut --to b
	mv "$work/keys/cut/b.pem" "$work/b.pem"
	sse des rotate cut --to a >"$work/out" 2>&1 || bad+="write $i: $(cat "$work/out")"$'\n'
	grep -q 'may be its own or not' "$work/out" || bad+="write $i: nothing is said"$'\n'
	[ "$(tokens a) $(keyslots a)" = "2 3" ] || bad+="write $i: $(tokens a) tokens, $(keyslots a)"$'\n'
	mv "$work/b.pem" "$work/keys/cut/b.pem"
	sse des rotate cut --to b >"$work/out" 2>&1 || bad+="write $i: $(cat "$work/out")"$'\n'
	[ "$(opened a) $(tokens a) $(keyslots a)" = "cut b 1 2" ] ||
		bad+="write $i, with the key: $(opened a), $(tokens a) tokens, $(keyslots a) keyslots"$'\n'
done
is "a leftover that can't be told is met" "$((${#made[@]} > 0))" 1
is "... is kept, and told once the key is there" "$bad" ""

### Assignment

fresh
pem one a
pem two a
sse des create one --type customer --key "file:$work/keys/one" --owner "Tenant One" >/dev/null 2>&1
sse des create two --type customer --key "file:$work/keys/two" >/dev/null 2>&1
sse des create both --type platform-and-customer --key "file:$work/keys/two" >/dev/null 2>&1
sse des create other --type platform >/dev/null 2>&1
format a platform
says "to which set" 1 'To which set' sse assign "$work/i/a"
says "to a set that isn't" 4 'no disk encryption set absent' sse assign "$work/i/a" --des absent
says "a key file for a disk of a set" 1 'for disks of no set' \
	sse assign "$work/i/a" --des one --key-file "$passphrase"
says "from the platform's key to another of its" 0 '' sse assign "$work/i/a" --des other
is "... opens" "$(opened a)" "other 1"
says "from the platform's key to a customer's" 0 '' sse assign "$work/i/a" --des one
is "... opens" "$(opened a)" "one a"
is "... with one token and one keyslot" "$(tokens a) $(keyslots a)" "1 1"
holds "... the register knows it" grep -q "$work/i/a" <<<"$(sse des where-used one)"
says "from one customer's key to another's" 0 '' sse assign "$work/i/a" --des two
is "... opens" "$(opened a)" "two a"
says "the same set: nothing to do" 0 'belongs to set two already' sse assign "$work/i/a" --des two
sum=$(sha256sum "$work/i/a")
says "from a customer's key to the platform's" 1 "does not go back under the platform's.*ssesetup copy" \
	sse assign "$work/i/a" --des platform
says "to a set of two layers" 1 'has one layer.*ssesetup copy' sse assign "$work/i/a" --des both
is "... changes nothing" "$(sha256sum "$work/i/a")" "$sum"
sse des disable two --batch-mode >/dev/null 2>&1
says "from a set that is disabled" 2 'two is disabled' sse assign "$work/i/a" --des one
sse des enable two >/dev/null 2>&1
luks_format b
says "a foreign volume with a wrong passphrase" 2 'opens no keyslot' \
	sse assign "$work/i/b" --des one --key-file /etc/hostname
is "... is left as it was" "$(tokens b)" 0
format c one
writes=$(cp "$work/i/c" "$work/i/a"; sse assign "$work/i/a" --des one >/dev/null; cp "$work/i/a" "$work/a"
	count assign "$work/i/a" --des two)
bad="" sets=""
for ((i = 1; i <= writes; i++)); do
	cp "$work/a" "$work/i/a"
	sse assign "$work/i/a" --des one >/dev/null
	cut "$i" assign "$work/i/a" --des two
	got=$(opened a)
	sets+=" $got"
	[[ $got == "one a" || $got == "two a" ]] || bad+="write $i: $got"$'\n'
	sse assign "$work/i/a" --des two >"$work/out" 2>&1 || bad+="write $i: $(cat "$work/out")"$'\n'
	[ "$(opened a) $(tokens a) $(keyslots a)" = "two a 1 1" ] ||
		bad+="write $i, finished: $(opened a), $(tokens a) tokens, $(keyslots a) keyslots"$'\n'
done
is "power cuts at each of $writes writes of an assignment" "$bad" ""
is "... some before, some after" "$([[ $sets == *one* ]] && echo one) $([[ $sets == *two* ]] && echo two)" "one two"

# A register that was not told.
cp "$work/a" "$work/i/a"
sse assign "$work/i/a" --des one >/dev/null
cp -r "$root/var/lib/dm-sse/disks" "$work/disks"
sse assign "$work/i/a" --des two >/dev/null
cp "$work/disks"/* "$root/var/lib/dm-sse/disks"
says "a disk that went to another set meanwhile" 0 '1 of another set' sse des rotate one
holds "... is found there" grep -q "$work/i/a" <<<"$(sse des where-used two)"

### A provider that hangs

fresh
cat >"$work/bin/systemd-creds" <<FAKE
#!/bin/bash
# Seals by doing nothing, up to a number of times; then hangs.
case " \$* " in
*" encrypt "*) exec cat ;;
esac
echo x >>"$work/calls"
[ "\$(wc -l <"$work/calls")" -le "\$(cat "$work/allowed")" ] || exec sleep 1000
exec cat
FAKE
: >"$work/calls"
echo 1000 >"$work/allowed"
sse des create slow --type platform --kek-timeout 1 >/dev/null 2>&1
for ((i = 0; i < 12; i++)); do
	format "$i" slow
done
: >"$work/calls"
# The caller proves both versions; what its workers need is the first to hang.
echo 3 >"$work/allowed"
says "a provider that hangs" 2 'did not answer within 1 s' sse des rotate slow --parallel 2
is "... makes no more disks wait than were begun" "$(grep -c 'did not answer' <<<"$out")" \
	"$(grep -c "^$work/i/" <<<"$out")"
echo 1000 >"$work/allowed"
says "... when it is back, the rest is moved" 0 ' 0 failed' sse des rotate slow
holds "... all open" all_opened "$(opened 0)"
printf '#!/bin/sh\nexit 1\n' >"$work/bin/systemd-creds"

### SoftHSM

fresh
if [ -e "$softhsm" ] && command -v pkcs11-tool softhsm2-util >/dev/null; then
	mkdir "$work/tokens"
	printf 'directories.tokendir = %s\nobjectstore.backend = file\n' "$work/tokens" >"$work/softhsm.conf"
	export SOFTHSM2_CONF=$work/softhsm.conf
	printf 4321 >"$work/pin"
	softhsm2-util --init-token --free --label rotate --pin 4321 --so-pin 8765 >/dev/null
	for id in 01 02; do
		pkcs11-tool --module $softhsm --login --pin 4321 --token-label rotate --keypairgen \
			--key-type rsa:2048 --label kek --id $id >/dev/null 2>&1
	done
	sse des create hsm --type customer --identity "file:$work/pin" \
		--key "pkcs11:token=rotate;object=kek?module-path=$softhsm" >"$work/out" 2>&1 ||
		report "not ok" "a set with a key in SoftHSM" "$(cat "$work/out")"
	for name in a b c; do
		format $name hsm
	done
	newest=$(opened a)
	newest=${newest##* }
	versions=$(sse des show hsm --json | grep -oE '"version": *"[^"]*"' | sort -u)
	old=$([ "$newest" = 01 ] && echo 02 || echo 01)
	says "to another version in an HSM" 0 "3 moved to version $old" sse des rotate hsm --to "$old" --parallel 2
	holds "... all open" all_opened "hsm $old"
	says "... and to the newest" 0 "3 moved to version $newest" sse des rotate hsm
	holds "... all open" all_opened "hsm $newest"
	printf 1111 >"$work/pin"
	says "a wrong PIN is tried once, and no disk is touched" 2 'no disk of set hsm is touched|PIN' \
		sse des rotate hsm --to "$old" --parallel 2
	printf 4321 >"$work/pin"
	says "... and the token isn't locked by it" 0 "3 moved" sse des rotate hsm --to "$old"
else
	n=$((n + 1))
	echo "ok $n - rotation in an HSM # SKIP no SoftHSM"
fi

echo "1..$n"
[ $failed = 0 ]
