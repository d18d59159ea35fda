// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files.h"

/* EACCES and EPERM have an exit code of their own. */
static int rc_of(int err)
{
	return err == EACCES || err == EPERM ? RC_PERM : RC_DEVICE;
}

/* A new name is there after a power cut once its directory is on the medium. */
static int sync_directory(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err = 0;

	if (fd < 0)
		return errno;
	/* EINVAL: a filesystem that has nothing to sync. */
	if (fsync(fd) && errno != EINVAL)
		err = errno;
	close(fd);
	return err;
}

static bool parent_of(const char *path, char *parent, size_t size)
{
	const char *slash = strrchr(path, '/');

	if (!slash || (size_t)(slash - path) >= size)
		return false;
	if (slash == path)
		slash++;
	memcpy(parent, path, (size_t)(slash - path));
	parent[slash - path] = '\0';
	return true;
}

int files_sync_parent(const char *path)
{
	char parent[PATH_MAX];

	return parent_of(path, parent, sizeof(parent)) ? sync_directory(parent) : ENAMETOOLONG;
}

/* Best effort: the next file's own sync fails where it matters. */
static bool make_durably(const char *path)
{
	if (mkdir(path, 0700))
		return false;
	files_sync_parent(path);
	return true;
}

int files_make_directory(const char *path, struct reason *why)
{
	struct stat st;
	int rc;

	if (make_durably(path))
		return RC_OK;
	if (errno == ENOENT) {
		rc = files_make_parent(path, why);
		if (rc)
			return rc;
		if (make_durably(path))
			return RC_OK;
	}
	if (errno != EEXIST)
		return reason_set(why, rc_of(errno), "Directory %s can't be made: %s.", path,
				  strerror(errno));
	if (stat(path, &st) || !S_ISDIR(st.st_mode))
		return reason_set(why, RC_DEVICE, "%s is not a directory.", path);
	return RC_OK;
}

int files_make_parent(const char *path, struct reason *why)
{
	char parent[PATH_MAX];

	if (!parent_of(path, parent, sizeof(parent)))
		return reason_set(why, RC_PARAM, "%s is no path of a file.", path);
	return files_make_directory(parent, why);
}

static int check_trust(int fd, const char *path, enum files_trust trust, struct reason *why)
{
	struct stat st;

	if (fstat(fd, &st))
		return reason_set(why, RC_DEVICE, "%s can't be read: %s.", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return reason_set(why, RC_DEVICE, "%s is not a regular file.", path);
	if (trust == FILES_ANY)
		return RC_OK;
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return reason_set(why, RC_PERM,
			"%s belongs to user %u, who could have written anything: 'chown root' it.",
			path, st.st_uid);
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return reason_set(why, RC_PERM,
			"%s can be written by others (mode %03o): 'chmod go-w' it.",
			path, st.st_mode & 0777);
	return RC_OK;
}

static int read_all(int fd, const char *path, size_t max, char **text, size_t *size,
		    struct reason *why)
{
	char *buf = malloc(max + 1);
	size_t got = 0;
	ssize_t n;

	if (!buf)
		return reason_nomem(why);
	while (got <= max) {
		n = read(fd, buf + got, max + 1 - got);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			reason_set(why, RC_DEVICE, "%s can't be read: %s.", path, strerror(errno));
			free(buf);
			return why->rc;
		}
		if (n == 0)
			break;
		got += (size_t)n;
	}
	if (got > max) {
		free(buf);
		return reason_set(why, RC_PARAM, "%s is longer than %zu bytes.", path, max);
	}
	buf[got] = '\0';
	*text = buf;
	*size = got;
	return RC_OK;
}

int files_read(const char *path, enum files_trust trust, size_t max, char **text, size_t *size,
	       bool *missing, struct reason *why)
{
	int fd, rc;

	*text = NULL;
	*size = 0;
	/* Not to wait for a writer where somebody has put a FIFO. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	*missing = fd < 0 && (errno == ENOENT || errno == ENOTDIR);
	if (*missing)
		return reason_set(why, RC_DEVICE, "There is no file %s.", path);
	if (fd < 0)
		return reason_set(why, rc_of(errno), "%s can't be read: %s.", path, strerror(errno));
	rc = check_trust(fd, path, trust, why);
	if (!rc)
		rc = read_all(fd, path, max, text, size, why);
	close(fd);
	return rc;
}

static int write_bytes(int fd, const char *text, size_t size)
{
	ssize_t n;

	while (size) {
		n = write(fd, text, size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno;
		text += n;
		size -= (size_t)n;
	}
	return 0;
}

static int write_all(int fd, const char *text, size_t size)
{
	int err = write_bytes(fd, text, size);

	return !err && fsync(fd) ? errno : err;
}

static int write_public(int fd, const char *text, size_t size)
{
	int err = write_bytes(fd, text, size);

	return !err && fchmod(fd, 0644) ? errno : err;
}

/* Where a symbolic link leads: it stays one. */
static void resolve(const char *path, char *real)
{
	if (!realpath(path, real))
		snprintf(real, PATH_MAX, "%s", path);
}

static int write_new(const char *path, const char *text, size_t size,
		     int (*write_file)(int fd, const char *text, size_t size), char *temporary,
		     size_t max)
{
	int fd, err;

	/* A leading dot: no *.conf, no entry, whatever is left of it. */
	if (!parent_of(path, temporary, max - 16))
		return ENAMETOOLONG;
	strcat(temporary, "/.new-XXXXXX");
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0) {
		err = errno;
		*temporary = '\0';
		return err;
	}
	err = write_file(fd, text, size);
	if (close(fd) && !err)
		err = errno;
	return err;
}

int files_write(const char *path, const char *text, size_t size, bool create,
		struct reason *why)
{
	char temporary[PATH_MAX + 16] = "", real[PATH_MAX];
	int rc, err;

	rc = files_make_parent(path, why);
	if (rc)
		return rc;
	resolve(path, real);
	err = write_new(real, text, size, write_all, temporary, sizeof(temporary));
	/* rename() replaces, link() doesn't. */
	if (!err && (create ? link(temporary, real) : rename(temporary, real)))
		err = errno;
	if (*temporary && (err || create))
		unlink(temporary);
	if (!err)
		err = files_sync_parent(real);
	if (err == EEXIST && create)
		return reason_set(why, RC_BUSY, "File %s exists already.", path);
	if (err)
		return reason_set(why, rc_of(err), "%s can't be written: %s.", path, strerror(err));
	return RC_OK;
}

int files_publish(const char *path, const char *text, size_t size, struct reason *why)
{
	char temporary[PATH_MAX + 16] = "", real[PATH_MAX];
	struct stat st;
	int err;

	resolve(path, real);
	if (!stat(real, &st) && !S_ISREG(st.st_mode))
		return reason_set(why, RC_DEVICE, "%s is not a regular file.", path);
	err = write_new(real, text, size, write_public, temporary, sizeof(temporary));
	if (!err && rename(temporary, real))
		err = errno;
	if (err && *temporary)
		unlink(temporary);
	if (err)
		return reason_set(why, rc_of(err), "%s can't be written: %s.", path, strerror(err));
	return RC_OK;
}

int files_remove(const char *path, struct reason *why)
{
	int err = 0;

	if (unlink(path))
		err = errno == ENOENT || errno == ENOTDIR ? 0 : errno;
	else
		err = files_sync_parent(path);
	if (err)
		return reason_set(why, rc_of(err), "%s can't be removed: %s.", path, strerror(err));
	return RC_OK;
}

int files_lock(const char *directory, int *fd, struct reason *why)
{
	int rc, locked;

	rc = files_make_directory(directory, why);
	if (rc)
		return rc;
	*fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*fd < 0)
		return reason_set(why, rc_of(errno), "Directory %s can't be opened: %s.", directory,
				  strerror(errno));
	do {
		locked = flock(*fd, LOCK_EX);
	} while (locked && errno == EINTR);
	if (!locked)
		return RC_OK;
	reason_set(why, RC_DEVICE, "Directory %s can't be locked: %s.", directory, strerror(errno));
	close(*fd);
	return why->rc;
}

void files_format_time(time_t when, char *text, size_t size)
{
	struct tm tm;

	if (!when || !gmtime_r(&when, &tm) || !strftime(text, size, "%Y-%m-%dT%H:%M:%SZ", &tm))
		*text = '\0';
}

bool files_parse_time(const char *text, time_t *when)
{
	struct tm tm = { 0 };
	const char *end;

	*when = 0;
	if (!*text)
		return true;
	end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);
	if (!end || *end)
		return false;
	*when = timegm(&tm);
	return true;
}
