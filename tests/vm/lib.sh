# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What the scripts of the rig share: where things are, how to say no.

rig_tests=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
# shellcheck disable=SC2034
rig_repo=$(dirname "$rig_tests")
rig_cache=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/dm-sse

# For the command line of a kernel with checkers, each of whose complaints shall end it:
# with kasan_multi_shot, which shows more than the first, KASAN has a word of its own.
# shellcheck disable=SC2034
rig_fatal='panic_on_warn=1 kasan.fault=panic'

# sbin is where depmod, mkfs and dmsetup live; a plain user's PATH, and that
# of some CI systems, lacks it.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export PATH

# What one test builds others install, whatever is secret to the one.
umask 022

die()
{
	echo "${0##*/}: $*" >&2
	exit 2
}

# Progress goes to stderr: stdout is the answer of a script.
say()
{
	echo "${0##*/}: $*" >&2
}

need_root()
{
	[ "$(id -u)" = 0 ] || die 'must run as root (virtiofsd shows the guest all of /)'
}

# A content-addressed directory is complete or absent: it is made under
# another name and renamed. The lock keeps two runs from doing the same work.
with_lock()
{
	local name=$1 fd rc
	shift

	mkdir -p "$rig_cache/locks" || die "cannot write to $rig_cache"
	exec {fd}> "$rig_cache/locks/$name"
	flock "$fd"
	"$@"
	rc=$?
	exec {fd}>&-
	return $rc
}

# Keep the newest $2 directories that match the glob $1; a cache that only
# grows is a bug report of its own. What is not a day old may be in use by another
# checkout.
prune()
{
	local keep=$2 dir

	# The glob is meant to expand; names in the cache hold no blanks.
	# shellcheck disable=SC2012,SC2086
	ls -1dt $1 2>/dev/null | tail -n +$((keep + 1)) |
	while read -r dir; do
		[ -z "$(find "$dir" -maxdepth 0 -mmin +1440)" ] || rm -rf "$dir"
	done
}
