# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What the scripts of the benchmarks share. It is sourced, never run.

# It sets variables for the script that sources it.
# shellcheck disable=SC2034

die()
{
	echo "${0##*/}: $*" >&2
	exit 2
}

# The comment that a script begins with.
usage()
{
	sed -n '3,/^$/s/^# \{0,1\}//p' "$0" >&2
	exit 2
}

# OPTION [VALUE]: sets REPLY to the value.
take()
{
	[ -n "${2:-}" ] || die "$1 takes a value"
	REPLY=$2
}

take_number()
{
	[[ ${2:-} =~ ^[1-9][0-9]{0,5}$ ]] || die "$1 takes a number above 0"
	REPLY=$2
}

# ERE OPTION [LIST]: sets REPLY, checks what is between the commas.
take_list()
{
	local one

	[[ ${3:-} =~ ^[^,]+(,[^,]+)*$ ]] || die "$2 takes a list with commas"
	for one in ${3//,/ }; do
		[[ $one =~ ^($1)$ ]] || die "$2: no such thing: $one"
	done
	REPLY=$3
}

# For disk and smp: takes one of the options that both have into a variable of its
# name, or returns 1.
take_of_disk()
{
	local cipher='aes|adiantum|serpent|essiv'

	case $1 in
	--repeat | --seconds) take_number "$@" ;;
	--jobs) take_list '[1-9][0-9]?' "$@" ;;
	--cells) take_list '(read|write):[1-9][0-9]{0,3}:[1-9][0-9]{0,2}' "$@" ;;
	--pairs) take_list "($cipher)([+]($cipher))?" "$@" ;;
	--kinds)
		take_list 'linear|crypt(-r|-w|-rw|-same)?(-swap)?|sse' "$@"
		[[ ,$2, == *,crypt,* && ,$2, == *,sse,* ]] || die "--kinds is to have crypt and sse" ;;
	--output) take "$@" ;;
	*) return 1 ;;
	esac
	printf -v "${1#--}" %s "$REPLY"
}

### Configurations

declare -A SPEC=([aes]=aes-xts-plain64 [aesni]=aes-xts-plain64
	[adiantum]="xchacha12,aes-adiantum-plain64" [serpent]=serpent-xts-plain64
	[essiv]=aes-cbc-essiv:sha256)
declare -A KEY_BYTES=([aes]=64 [aesni]=64 [adiantum]=32 [serpent]=64 [essiv]=32)

# KIND CIPHERS SECTOR: sets INNER, OUTER (empty for one layer) and FLAGS.
layers_of()
{
	local kind=${1%-swap}

	INNER=${2%+*} OUTER=${2#*+} FLAGS=("sector_size:$3")
	[ "$kind" = "$1" ] || INNER=${2#*+} OUTER=${2%+*}
	[[ $2 == *+* ]] || OUTER=
	case $kind in
	crypt | sse)	;;
	crypt-r)	FLAGS+=(no_read_workqueue) ;;
	crypt-w)	FLAGS+=(no_write_workqueue) ;;
	crypt-rw)	FLAGS+=(no_read_workqueue no_write_workqueue) ;;
	crypt-same)	FLAGS+=(same_cpu_crypt submit_from_crypt_cpus) ;;
	sse-lease)	FLAGS+=(key_lease error) ;;
	*)		return 1 ;;
	esac
}
