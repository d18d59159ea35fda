#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The platform's key and the TPM: sealed to it where there is one, and to the
# host's key where there is none; opened by that TPM, whatever was booted, and by
# no other. The TPMs are swtpm's, by way of the kernel's proxy.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

need_ssesetup
need_cmd swtpm systemd-creds
[ ! -e /dev/tpmrm0 ] || skip_all "there is a TPM, which is not for tests"
need_module tpm_vtpm_proxy loop
[ -c /dev/vtpmx ] || skip_all "no /dev/vtpmx"
for lib in libtss2-esys libtss2-rc libtss2-tcti-device; do
	ldconfig -p | grep -q "$lib\.so" || skip_all "no $lib, which systemd-creds needs"
done
at_exit "modprobe -q -r tpm_vtpm_proxy || :"
load_module
own_state

MAP=dmsse-tpm
KEYS=/var/lib/dm-sse/platform/platform
DISK=$WORK/disk
truncate -s 20M "$DISK"
at_exit "$SSESETUP close $MAP 2>/dev/null || dm_remove $MAP"

TPM=
no_tpm() {
	[ ! -e /dev/tpmrm0 ]
}

tpm_stop() {
	[ -n "$TPM" ] || return 0
	kill "$TPM"
	wait "$TPM" 2>/dev/null
	TPM=
	wait_for 10 no_tpm
}
at_exit tpm_stop

# The chip whose memory is in the directory, as after a reset.
tpm_start() {
	mkdir -p "$1"
	swtpm chardev --vtpm-proxy --tpm2 --tpmstate "dir=$1" --flags startup-clear \
		>"$WORK/swtpm.log" 2>&1 &
	TPM=$!
	wait_for 20 test -c /dev/tpmrm0 || bail "no TPM: $(cat "$WORK/swtpm.log")"
}

# What a version of the key is sealed to, by the id that a credential begins with.
sealed_to() {
	case $(head -c 24 "$KEYS/$1.cred" | base64 -d | head -c 16 | od -An -tx1 | tr -d ' \n') in
	0c7cc07b117645919c4b0bea08bc20fe) echo tpm2 ;;
	5a1c6a86df9d4096b1d5a65e0862f19a) echo host ;;
	*) echo "something else" ;;
	esac
}

opens() {
	right "$1" open "$DISK" "$MAP" && right "... close" close "$MAP"
}

# TPM2_PCR_Extend with an empty password, by hand.
measure() {
	local answer

	exec 9<>/dev/tpm0 || return
	{
		echo 8002 00000041 00000182 "$(printf %08x "$1")"
		echo 00000009 40000009 0000 00 0000
		echo 00000001 000b "$(printf measured | sha256sum | cut -d ' ' -f 1)"
	} | tr -d ' \n' | hex_to_bin | dd bs=4096 iflag=fullblock status=none >&9
	answer=$(dd bs=4096 count=1 status=none <&9 | od -An -tx1 -j 6 -N 4 | tr -d ' ')
	exec 9>&-
	[ "$answer" = 00000000 ]
}

### No TPM

right "format without a TPM" format -q "$DISK"
is "... seals the key to the host's" "$(sealed_to 1)" host
opens "... the disk opens"

### A TPM

tpm_start "$WORK/chip"
right "rotate with a TPM" des rotate platform
unlike "... nothing to warn of" "$OUT" "[Ww]arning|does not seal"
is "... seals the new key to it" "$(sealed_to 2)" tpm2
is "... and nothing is bare" "$(find "$KEYS" -name '*.key')" ""
opens "... the disk opens"
check "another firmware is measured" measure 0
check "... and other keys for the boot" measure 7
unlike "... by the TPM" "$(cat /sys/class/tpm/tpm0/pcr-sha256/7)" "^0*$"
opens "... the disk opens"
tpm_stop
tpm_start "$WORK/chip"
opens "the disk opens after a reset"
tpm_stop

### Not that TPM

wrong 2 "Version 2 of the platform key platform: systemd-creds: .*sealed to a TPM.*none here" \
	open "$DISK" "$MAP"
tpm_start "$WORK/another"
wrong 2 "Version 2 of the platform key platform: systemd-creds: .*integrity.*sealed to a TPM" \
	open "$DISK" "$MAP"
unlike "... there is one" "$OUT" "none here"
tpm_stop
tpm_start "$WORK/chip"
opens "its own is back: the disk opens"
tpm_stop

### A TPM that doesn't work

mknod /dev/tpmrm0 c 1 3
at_exit "rm -f /dev/tpmrm0"
right "a set with a broken one" des create broken --type platform
SAID=$OUT
right "format" format -q "$DISK" --des broken
like "... says that it didn't seal" "$SAID$OUT" "TPM does not seal .*broken.1"
KEYS=/var/lib/dm-sse/platform/broken
is "... the host's key did" "$(sealed_to 1)" host
rm -f /dev/tpmrm0
opens "... the disk opens"

done_testing
