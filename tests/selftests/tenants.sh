#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Whom a disk must not open for: another tenant, another key behind the same
# URI, a token that was cut off, changed, or carried from another disk, a header
# from before a rotation, a PIN that is wrong or locked. Each refusal says why.
# And the audit: everything that a key is used for is in it, before and after,
# and what can't be written down isn't done.

. "$(dirname "$0")/lib.sh"
. "$DMSSE_DIR/deslib.bash"
need_hsm
need_shim
need_cmd perl

MAP=dmsse-tenants
AUDIT=/var/log/dm-sse/audit.jsonl
image DISK 8
image OTHER 8
pem mine
pem theirs
cp -p "$KEYS/mine.pem" "$KEYS/kept.pem"

conf() {
	echo "/etc/dm-sse/des/$1.conf"
}

opens() {
	right "$1" open "$DISK" "$MAP" "${@:2}" && right "close" close "$MAP"
}

right "a set" des create cust --type customer --key "file:$KEYS/mine.pem" --owner "Mine AG" \
	--kek-timeout 120
right "another one with the same key" des create cust2 --type customer --key "file:$KEYS/mine.pem"
right "a disk" format -q "$DISK" --des cust
right "open" open "$DISK" "$MAP"
put "$MAP" 1 mine
right "close" close "$MAP"
ID=$(sed -n 's/^id = //p' "$(conf cust)")
ID2=$(sed -n 's/^id = //p' "$(conf cust2)")

### Another tenant

mv "$(conf cust)" "$WORK/cust.conf"
wrong 2 "belongs to disk encryption set cust \(id $ID, of Mine AG\).*no identity.*missing here" open "$DISK" "$MAP"
wrong 2 "belongs to disk encryption set cust" assign "$DISK" --des cust2
wrong 2 "belongs to disk encryption set cust" copy -q "$DISK" "$OTHER" --des platform
right "another set of the same name" des create cust --type customer --key "file:$KEYS/mine.pem"
wrong 2 "another disk encryption set that is called cust too: id $ID, of Mine AG,.*no identity" open "$DISK" "$MAP"
wrong 2 "another disk encryption set that is called cust too" assign "$DISK" --des cust2
cp "$WORK/cust.conf" "$(conf cust)"
opens "with a copy of the set's file it opens"
right "a disk of the platform's" format -q "$OTHER"
mkdir "$WORK/away"
mv /var/lib/dm-sse/des /var/lib/dm-sse/platform "$WORK/away/"
wrong 2 "another disk encryption set that is called platform too" open "$OTHER" "$MAP"
rm -rf /var/lib/dm-sse/des
cp -a "$WORK/away/des" /var/lib/dm-sse/
wrong 2 "" open "$OTHER" "$MAP"
like "the platform's key of another host doesn't open it" "$OUT" "platform"
rm -rf /var/lib/dm-sse/platform
mv "$WORK/away/platform" /var/lib/dm-sse/
right "its own does" open "$OTHER" "$MAP"
right "close" close "$MAP"

### Another key behind the same URI

cp -p "$KEYS/theirs.pem" "$KEYS/mine.pem"
wrong 2 "not the one that wrapped \(fingerprint sha256:[0-9a-f]{64}, not sha256:[0-9a-f]{64}\)" open "$DISK" "$MAP"
cp -p "$KEYS/kept.pem" "$KEYS/mine.pem"
opens "with the right one it opens"
hsm_token tenant
hsm_key tenant disks 01 "$KEYS/mine.pem"
right "a set with a token" des create hsm --type customer --key "$(shim_uri tenant disks)" \
	--identity "file:$PINFILE" --kek-timeout 120
right "its disk" format -q "$OTHER" --des hsm
pkcs11_delete() {
	local type

	for type in privkey pubkey; do
		pkcs11-tool --module "$HSM_MODULE" --token-label tenant --login --pin "$PIN" \
			--delete-object --type "$type" --label disks >/dev/null 2>&1
	done
}
pkcs11_delete
hsm_key tenant disks 01 "$KEYS/theirs.pem"
wrong 2 "not the one that wrapped" open "$OTHER" "$MAP"
pkcs11_delete
hsm_key tenant disks 01 "$KEYS/mine.pem"
right "with the right key it opens" open "$OTHER" "$MAP"
right "close" close "$MAP"

### PINs

logins() {
	[ ! -e "$WORK/shim/logins" ] || wc -l <"$WORK/shim/logins"
}
echo 0000 >"$WORK/nopin"
chmod 600 "$WORK/nopin"
sed -i "s|^identity = .*|identity = file:$WORK/nopin|" "$(conf hsm)"
: >"$WORK/shim/logins"
wrong 2 "Token tenant: the PIN from file:$WORK/nopin is wrong.*isn't tried again" open "$OTHER" "$MAP"
unlike "... and isn't repeated" "$OUT" "0000"
is "... was tried once" "$(logins)" 1
sed -i "s|^identity = .*|identity = file:$WORK/gone|" "$(conf hsm)"
wrong 2 "no identity for pkcs11:.*gone: No such file" open "$OTHER" "$MAP"
sed -i "s|^identity = .*|identity = file:$PINFILE|" "$(conf hsm)"
: >"$WORK/shim/logins"
echo 0x40000 >"$WORK/shim/flags"
wrong 2 "the PIN is locked.*security officer" open "$OTHER" "$MAP"
echo 0x20000 >"$WORK/shim/flags"
wrong 2 "one more wrong PIN locks it, so none is tried" open "$OTHER" "$MAP"
rm "$WORK/shim/flags"
is "... the right PIN wasn't tried either" "$(logins)" 0
echo 0xA4 >"$WORK/shim/fail-C_Login"
wrong 2 "the PIN is locked" open "$OTHER" "$MAP"
rm "$WORK/shim/fail-C_Login"
right "unlocked, it opens" open "$OTHER" "$MAP"
right "close" close "$MAP"

### Tokens that were tampered with

cp "$DISK" "$WORK/good.img"

# FILE SED: changes its token by hand.
tamper() {
	local json

	json=$(token_of "$1" | sed -E "$2")
	cryptsetup token remove --token-id 0 "$1" &&
		cryptsetup token import --token-id 0 --json-file - "$1" <<<"$json"
}
# CODE ERE SED: a refusal, after which the disk is as before.
tampered() {
	check "tamper: ${3:0:50}" tamper "$DISK" "$3"
	wrong "$1" "$2" open "$DISK" "$MAP"
	cp "$WORK/good.img" "$DISK"
}
tampered 4 "'wrapped' isn't base64 of at most 512 bytes: it was cut off or changed" 's/("wrapped":"[^"]{100})[^"]*/\1A/'
tampered 2 "" 's/("wrapped":"[^"]{100})[^"]*/\1/'
tampered 4 "'wrapped' is empty" 's/("wrapped":")[^"]*/\1/'
tampered 2 "" 's/("wrapped":"[^"]{40})A/\1B/; t; s/("wrapped":"[^"]{40})./\1A/'
tampered 2 "" 's/("wrapped":")[^"]{8}/\1AAAAAAAA/'
tampered 2 "isn't the one that the token was made for" 's/("check":")[^"]{4}/\1AAAA/'
tampered 4 "'check' has 30 bytes; 32 are right" 's/("check":"[^"]{40})[^"]*/\1/'
tampered 2 "not the one that wrapped" 's/("fingerprint":"sha256:)[^"]{4}/\10000/'
tampered 4 "is of version 2; this ssesetup knows version 1" 's/("dm-sse-version":)1/\12/'
tampered 4 "'dm-sse-version' is of type string; int is right" 's/("dm-sse-version":)1/\1"1"/'
tampered 4 "'des-id' is missing" 's/"des-id":"[^"]*",//'
tampered 4 "'wrapping' is 'ROT13'" 's/RSA-OAEP-256/ROT13/'
tampered 2 "" 's/RSA-OAEP-256/RSA-OAEP/'
tampered 4 "'des' is '../../x'" 's/"des":"cust"/"des":"..\/..\/x"/'
tampered 4 "'layer' is 'middle'" 's/"layer":"single"/"layer":"middle"/'
tampered 1 "inner header of a disk with two layers" 's/"layer":"single"/"layer":"inner"/'
tampered 2 "" 's/"layer":"single"/"layer":"outer"/'
tampered 2 "another disk encryption set that is called cust2 too: id $ID" 's/"des":"cust"/"des":"cust2"/'
tampered 2 "wrapped secret is another disk's \(or set's, or layer's\)" "s/\"des\":\"cust\"/\"des\":\"cust2\"/; s/$ID/$ID2/"
check "a token that points elsewhere" tamper "$DISK" 's|"uri":"[^"]*"|"uri":"file:/dev/null"|'
opens "... is opened with the set's key all the same"
cp "$WORK/good.img" "$DISK"
check "fields of a later revision" tamper "$DISK" 's/"created"/"mood":{"today":"fine"},"created"/'
opens "... are ignored"
right "... and kept" repair -q "$DISK"
like "... in the header" "$(token_of "$DISK")" '"mood":\{"today":"fine"\}'
cp "$WORK/good.img" "$DISK"

# The wrapped secret of another disk: same set, same key.
image THIRD 8
right "another disk of the set" format -q "$THIRD" --des cust
STOLEN=$(field "$(token_of "$THIRD")" wrapped)
tampered 2 "wrapped secret is another disk's" "s|\"wrapped\":\"[^\"]*|\"wrapped\":\"$STOLEN|"
STOLEN_CHECK=$(field "$(token_of "$THIRD")" check)
tampered 2 "wrapped secret is another disk's" \
	"s|\"wrapped\":\"[^\"]*|\"wrapped\":\"$STOLEN|; s|\"check\":\"[^\"]*|\"check\":\"$STOLEN_CHECK|"
# ... or layer: both of the outer one's key.
truncate -s 8M "$WORK/two"
right "a disk of two layers" format -q "$WORK/two" --double --header "$WORK/two.hdr"
STOLEN=$(field "$(token_of "$WORK/two.hdr")" wrapped)
check "the outer layer's secret for the inner one's" tamper "$WORK/two.hdr.inner" \
	"s|\"wrapped\":\"[^\"]*|\"wrapped\":\"$STOLEN|"
wrong 2 "wrapped secret is another disk's \(or set's, or layer's\)" open "$WORK/two" "$MAP" --header "$WORK/two.hdr"
right "... which isn't used any more" des forget -q platform "$WORK/two" --header "$WORK/two.hdr"
opens "untouched, the disk opens"
refute "no refusal left a mapping" dmsetup info "$MAP"

### A header from before a rotation

mkdir "$KEYS/versions"
cp -p "$KEYS/mine.pem" "$KEYS/versions/2024.pem"
right "a set whose key has versions" des create versions --type customer --key "file:$KEYS/versions"
right "its disk" format -q "$DISK" --des versions
right "open" open "$DISK" "$MAP"
put "$MAP" 1 versions
right "close" close "$MAP"
cp "$DISK" "$WORK/old.img"
right "header backup" header backup "$DISK" --header-backup-file "$WORK/old.hdr"
cp -p "$KEYS/theirs.pem" "$KEYS/versions/2025.pem"
right "rotate" des rotate versions
like "... moves it" "$OUT" "1 moved"
like "... to the new version" "$(token_of "$DISK" "$(cryptsetup luksDump "$DISK" |
	sed -n 's/^ *\([0-9]*\): dm-sse$/\1/p')")" '"version":"2025"'
is "... one keyslot" "$(cryptsetup luksDump "$DISK" | grep -c '^ *[0-9]*: luks2')" 1
right "the old header comes back" header restore -q "$DISK" --header-backup-file "$WORK/old.hdr"
like "... which is told" "$OUT" "from before a rotation.*version 2024.*still there"
opens "while the old version is there it opens"
sse des show versions
like "... and the set says that it needs that" "$OUT" "2024"
right "rotate moves it once more" des rotate versions
opens "... it opens"
rm "$KEYS/versions/2024.pem"
opens "the old version is gone, and the disk opens"
right "the old header comes back" header restore -q "$DISK" --header-backup-file "$WORK/old.hdr"
like "... which is told" "$OUT" "from before a rotation.*2024.*no longer there.*Only a recovery key"
wrong 2 "Version 2024 of the key .* is gone" open "$DISK" "$MAP"
cp "$WORK/old.img" "$DISK"
wrong 2 "Version 2024 of the key .* is gone" open "$DISK" "$MAP"
right "a disk of the platform's" format -q "$OTHER"
cp "$OTHER" "$WORK/old.img"
right "rotate the platform's key" des rotate platform
right "... the disk opens" open "$OTHER" "$MAP"
right "close" close "$MAP"
cp "$WORK/old.img" "$OTHER"
right "a disk from before that opens: the old version is kept" open "$OTHER" "$MAP"
right "close" close "$MAP"
right "... until it is destroyed" des rotate platform --destroy-old
cp "$WORK/old.img" "$OTHER"
wrong 2 "ersion 1" open "$OTHER" "$MAP"

### The audit

# Every intent has its result, every result its intent.
pairs() {
	perl -MJSON::PP -ne '
		my $r = decode_json($_);
		die "line $.: no $_\n" for grep { !defined $r->{$_} } qw(time id phase event uid pid command host);
		if ($r->{phase} eq "intent") {
			die "line $.: twice\n" if $open{$r->{id}};
			$open{$r->{id}} = $r->{event};
		} elsif ($r->{phase} eq "result") {
			die "line $.: no intent\n" unless ($open{$r->{id}} // "") eq $r->{event};
			die "line $.: no outcome\n" unless $r->{outcome} =~ /^(ok|failed)$/;
			die "line $.: no reason\n" if $r->{outcome} eq "failed" && !$r->{code};
			delete $open{$r->{id}};
		}
		END { die "no result: " . join(" ", values %open) . "\n" if %open }' <"$AUDIT"
}
recorded() {
	grep -q "\"event\":\"$1\"" "$AUDIT"
}
cp "$WORK/good.img" "$DISK"
right "a recovery key" format -q "$OTHER" --des cust --recovery-key
right "assign" assign "$DISK" --des cust2
right "copy" copy -q "$DISK" "$OTHER" --des platform
right "open" open "$DISK" "$MAP"
right "renew" lease renew "$MAP"
right "disable" des disable cust2 --now -q
wait_for 60 state_is "$MAP" lapsed
right "enable" des enable cust2
right "close" close "$MAP"
right "update" des update cust2 --owner Ours
right "forget" des forget cust2 "$DISK" -q
right "delete" des delete cust2 -q
for event in wrap unwrap format open close rotate renew lapse copy header-backup header-restore \
	repair recovery-key assign des-create des-update des-delete des-enable des-disable des-forget \
	key-create key-destroy; do
	check "in the audit: $event" recorded "$event"
done
check "intents and results come in pairs" pairs
like "a refusal has its reason" "$(grep '"event":"unwrap"' "$AUDIT" | grep '"outcome":"failed"' | head -n 1)" '"code":2,"reason":"'
like "who, which disk, which key, which version" "$(grep '"event":"unwrap"' "$AUDIT" | tail -n 1)" \
	'"uid":0,.*"command":"[a-z ]+".*"des":"[a-z0-9]+".*"device":".*"uuid":".*"layer":"[a-z]+","key":"[a-z0-9]+:.*"key-version":"'
is "root's alone" "$(stat -c %a "$AUDIT")" 600

# What can't be written down isn't done.
right "a disk in a token" format -q "$OTHER" --des hsm
right "open it" open "$OTHER" "$MAP"
: >"$WORK/shim/logins"
mount -o remount,ro /var/log/dm-sse
wrong 4 "audit record can't be written, and without it no key is used.*Read-only" open "$THIRD" "$MAP-2"
wrong 4 "without it no key is used" lease renew "$MAP"
wrong 4 "without it no key is used" format -q "$DISK" --des cust
is "... no key was used" "$(logins)" 0
right "a disk can be closed all the same" close "$MAP"
like "... with a warning" "$OUT" "audit record can't be written"
echo "audit = best-effort" >/etc/dm-sse/dm-sse.conf
right "audit = best-effort opens it" open "$OTHER" "$MAP"
like "... with a warning" "$OUT" "WARNING: The audit record can't be written"
right "close" close "$MAP"
mount -o remount,rw /var/log/dm-sse
echo "audit = never" >/etc/dm-sse/dm-sse.conf
wrong 1 "line 1: audit takes required or best-effort" open "$OTHER" "$MAP"
echo "adit = required" >/etc/dm-sse/dm-sse.conf
wrong 1 "line 1: unknown key 'adit'" open "$OTHER" "$MAP"
rm /etc/dm-sse/dm-sse.conf
# Where the filesystem can, the file is append-only.
chattr -a "$AUDIT" 2>/dev/null
chmod 666 "$AUDIT"
wrong 2 "can be written by others" open "$OTHER" "$MAP"
chmod 600 "$AUDIT"
umount /var/log/dm-sse
mount -t tmpfs -o mode=700,size=8k dm-sse-selftest /var/log/dm-sse
head -c 16k /dev/zero >/var/log/dm-sse/full 2>/dev/null
wrong 4 "without it no key is used.*No space" open "$OTHER" "$MAP"
rm /var/log/dm-sse/full
right "with room again it opens" open "$OTHER" "$MAP"
right "close" close "$MAP"
printf '{"cut off' >>"$AUDIT"
right "a record that was cut off" open "$OTHER" "$MAP"
right "close" close "$MAP"
is "... doesn't spoil the next" "$(tail -n +2 "$AUDIT" | grep -c '^{.*}$' | awk '{print ($1 > 3)}')" 1

done_testing
