// SPDX-License-Identifier: GPL-2.0-only
/*
 * The audit's file is made append-only, where a filesystem can: with the paths
 * of a host, below which this test mounts filesystems of its own. KTAP.
 */
#include <linux/fs.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>

#include "paths.h"

#undef PATH_ROOT
#define PATH_ROOT	""
#include "../audit_file.c"

static int has_flag(void)
{
	int fd = open(PATH_AUDIT, O_RDONLY | O_CLOEXEC), flags = 0, rc;

	rc = ioctl(fd, FS_IOC_GETFLAGS, &flags);
	close(fd);
	return rc ? -1 : !!(flags & FS_APPEND_FL);
}

int main(void)
{
	struct reason why = { 0 };
	int one, other, flag;

	puts("TAP version 13\n1..3");
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", "/var/log", "tmpfs", 0, "size=64k")) {
		puts("ok 1 - append-only # SKIP no mount namespace to be had\n"
		     "ok 2 - append-only # SKIP\nok 3 - append-only # SKIP");
		return 0;
	}
	one = audit_file_append("one\n", 4, true, &why);
	printf("%sok 1 - the first record\n", one ? "not " : "");
	flag = has_flag();
	if (flag < 0)
		puts("ok 2 - append-only # SKIP tmpfs has no such attribute here");
	else
		printf("%sok 2 - the file is append-only\n", flag ? "" : "not ");
	other = audit_file_append("two\n", 4, true, &why);
	printf("%sok 3 - the second record\n", other ? "not " : "");
	return one || other || !flag;
}
