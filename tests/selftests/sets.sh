#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Disk encryption sets where it takes a kernel: disks that are open, two layers
# whose inner header is under the outer one, and disabling. The rest is tested on
# images without a kernel (userspace-tools/tests/run_des).

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

need_cmd openssl dmsetup
need_module loop
command -v "$SSESETUP" >/dev/null || skip_all "no ssesetup (SSESETUP=$SSESETUP)"
load_module
own_state
have_module adiantum || have_module xchacha20 || :

MAP=dmsse-sets
KEYS=$DMSSE_TMP/keys
make_disk DISK 32
mkdir -p "$KEYS/versions" || bail "no directory"
at_exit "rm -rf '$KEYS'"
for name in $MAP $MAP-platform; do
	at_exit "dm_remove $name"
done

new_version() {
	openssl genrsa -out "$KEYS/versions/$1.pem" 2048 2>/dev/null &&
		chmod 600 "$KEYS/versions/$1.pem"
}

sse() {
	"$SSESETUP" "$@" </dev/null
}

state() {
	sse status "$MAP" | sed -n 's/^ *state: *//p'
}

lapsed() {
	[ "$(state)" = lapsed ]
}

reads() {
	dd if="/dev/mapper/$MAP" of=/dev/null bs=4096 count=1 iflag=direct status=none
}

no_peel_left() {
	! dmsetup ls | grep -q '^dm-sse-peel'
}

new_version 1 || bail "no key"
check "a set of two layers" sse des create both --type platform-and-customer \
	--key "file:$KEYS/versions"
check "its disk" sse format -q --des both "$DISK"

# Where it is used
used=$(sse des where-used both)
like "the disk is listed, not open" "$used" "^$(losetup -nO BACK-FILE "$DISK")"
unlike "... not open" "$used" "open as"
like "the outer layer's key" "$used" "version 1 of platform:both, layer outer"
like "the inner layer's key" "$used" "version 1 of file:$KEYS/versions, layer inner"
check "nothing is left of looking" no_peel_left
check "the disk is opened" sse open "$DISK" "$MAP"
like "and listed as open" "$(sse des where-used both)" "open as: *$MAP"
like "in JSON too" "$(sse des where-used both --json)" "\"mapping\": \"$MAP\""
is "renamed it isn't this disk's" "$(dmsetup rename "$MAP" "$MAP-platform" >/dev/null &&
	sse des where-used both | grep -c 'open as'; dmsetup rename "$MAP-platform" "$MAP")" 0

# Which keys are needed
new_version 2 || bail "no key"
is "no previous key" "$(sse des show both | sed -n 's/^ *previous keys: *//p')" none
check "rotated, while open" sse des rotate both
like "the new version is active" "$(sse des show both)" "active key:[^:]*file:[^,]*version 2,"
is "and the old isn't needed" "$(sse des show both | sed -n 's/^ *previous keys: *//p')" none

# Disabled and enabled
check "reads before" reads
check "disabled, but not at once" sse -q des disable both
check "reads until the lease ends" reads
refute "opens no more" sse open "$DISK" "$MAP-platform"
like "its inner header isn't read" "$(sse des where-used both)" "problem: .*is disabled"
check "at once" sse -q des disable both --now
check "lapses" wait_for 30 lapsed
refute "reads no more" reads
refute "renews no more" sse lease renew "$MAP"
check "enabled" sse des enable both
is "the disk is back" "$(state)" active
check "and reads" reads
check "closed" sse close "$MAP"
unlike "listed as not open" "$(sse des where-used both)" "open as"

# It can't be deleted, and then it can
refute "a set with a disk isn't deleted" sse -q des delete both
check "the disk is forgotten" sse -q des forget both "$DISK"
check "the set is deleted" sse -q des delete both
refute "the disk opens no more" sse open "$DISK" "$MAP"
like "and it says whose identity is missing" "$(sse open "$DISK" "$MAP" 2>&1)" \
	"both .*no identity"

# All of it is in the audit
program=$(tool test_audit) || bail "test_audit, of ssesetup's tests, isn't there"
check "records of all that" "$program" /var/log/dm-sse/audit.jsonl
like "the file is append-only" "$(lsattr /var/log/dm-sse/audit.jsonl 2>&1)" "^-*a-|not supported"
check "the lapse is noted" grep -q '"phase":"note","event":"lapse"' /var/log/dm-sse/audit.jsonl

done_testing
