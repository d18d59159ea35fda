/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PATHS_H
#define PATHS_H

/* Where things are on a host. Root's alone, all of them. */

/* Tests build with a directory of their own ("make ROOT=dir"). */
#ifndef PATH_ROOT
#define PATH_ROOT	""
#endif

/* What an operator writes and reads: NAME.conf for each disk encryption set. */
#define PATH_CONFIG	PATH_ROOT "/etc/dm-sse"
#define PATH_DES	PATH_CONFIG "/des"
#define PATH_HOST_CONF	PATH_CONFIG "/dm-sse.conf"
#define PATH_POLICY	PATH_CONFIG "/policy.conf"

/* The disks that are opened at boot; for everybody to read, as crypttab is. */
#define PATH_SSETAB	PATH_ROOT "/etc/ssetab"

/* What ssesetup remembers. */
#define PATH_STATE	PATH_ROOT "/var/lib/dm-sse"
#define PATH_DES_STATE	PATH_STATE "/des"
#define PATH_DISKS	PATH_STATE "/disks"
#define PATH_BACKUPS	PATH_STATE "/header-backups"
#define PATH_PLATFORM	PATH_STATE "/platform"

#define PATH_AUDIT_DIRECTORY	PATH_ROOT "/var/log/dm-sse"
#define PATH_AUDIT	PATH_AUDIT_DIRECTORY "/audit.jsonl"

/* Gone with the next boot. */
#define PATH_RUN	PATH_ROOT "/run/dm-sse"

/* What the kernel says. */
#define PATH_SYS_BLOCK	PATH_ROOT "/sys/class/block"

#endif
