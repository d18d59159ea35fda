// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit_file.h"
#include "files.h"
#include "paths.h"

static int cant(const char *what, int err, struct reason *why)
{
	int rc = err == EACCES || err == EPERM ? RC_PERM : RC_DEVICE;

	return reason_set(why, rc, "%s can't be %s: %s.", PATH_AUDIT, what, strerror(err));
}

/*
 * Where the filesystem can, nobody, root included, overwrites what is there
 * without taking this attribute away first. A test's directory has to go away
 * again.
 */
static void make_append_only(int fd)
{
	int flags;

	if (*PATH_ROOT || ioctl(fd, FS_IOC_GETFLAGS, &flags))
		return;
	flags |= FS_APPEND_FL;
	if (ioctl(fd, FS_IOC_SETFLAGS, &flags))
		diag_debug("%s isn't append-only: %s.", PATH_AUDIT, strerror(errno));
}

static int create(int *fd, struct reason *why)
{
	int rc = files_make_parent(PATH_AUDIT, why), err = 0;

	if (rc)
		return rc;
	*fd = open(PATH_AUDIT, O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (*fd >= 0) {
		make_append_only(*fd);
		err = files_sync_parent(PATH_AUDIT);
	}
	/* Somebody else was faster. */
	if (*fd < 0 && errno == EEXIST)
		*fd = open(PATH_AUDIT, O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
	if (*fd < 0)
		return cant("made", errno, why);
	/* The first record isn't there without the file's name. */
	return err ? cant("made", err, why) : RC_OK;
}

static int check(int fd, struct reason *why)
{
	struct stat st;

	if (fstat(fd, &st))
		return cant("opened", errno, why);
	if (!S_ISREG(st.st_mode))
		return reason_set(why, RC_DEVICE, "%s is not a regular file.", PATH_AUDIT);
	if ((st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & (S_IWGRP | S_IWOTH)))
		return reason_set(why, RC_PERM,
			"%s can be written by others: 'chown root' and 'chmod 600' it.", PATH_AUDIT);
	return RC_OK;
}

static int open_file(int *fd, struct reason *why)
{
	int rc;

	/* O_NONBLOCK: not to wait for a reader where somebody has put a FIFO. */
	*fd = open(PATH_AUDIT, O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (*fd < 0 && errno == ELOOP)
		return reason_set(why, RC_DEVICE, "%s is a symbolic link.", PATH_AUDIT);
	if (*fd < 0 && errno != ENOENT)
		return cant("opened", errno, why);
	rc = *fd < 0 ? create(fd, why) : RC_OK;
	if (!rc)
		rc = check(*fd, why);
	if (rc && *fd >= 0)
		close(*fd);
	return rc;
}

/*
 * A record that was cut off, by a full disk or a power cut, is left as it is
 * but doesn't spoil the next: that gets a line of its own.
 */
static bool last_is_cut(int fd)
{
	off_t size = lseek(fd, 0, SEEK_END);
	char last;

	return size > 0 && pread(fd, &last, 1, size - 1) == 1 && last != '\n';
}

static int append(int fd, const char *line, size_t size, struct reason *why)
{
	ssize_t n;

	if (last_is_cut(fd) && write(fd, "\n", 1) != 1)
		return cant("written", errno, why);
	do {
		n = write(fd, line, size);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return cant("written", errno, why);
	return (size_t)n < size ? cant("written", ENOSPC, why) : RC_OK;
}

int audit_file_append(const char *line, size_t size, bool sync, struct reason *why)
{
	int fd = -1, rc;

	rc = open_file(&fd, why);
	if (rc)
		return rc;
	/* O_APPEND alone would do, but for a record that was cut off. */
	while (flock(fd, LOCK_EX) && errno == EINTR)
		;
	rc = append(fd, line, size, why);
	/* Nobody else has to wait for what only this record needs. */
	flock(fd, LOCK_UN);
	if (!rc && sync && fdatasync(fd))
		rc = cant("written", errno, why);
	close(fd);
	return rc;
}
