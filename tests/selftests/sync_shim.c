// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tells which names a program makes, and what it syncs: preloaded, it writes a line for
 * each to the file SYNC_SHIM.
 *
 *	name PATH		made, or given to another file
 *	dir PATH		a directory
 *	link PATH		a symbolic one, of which nothing can be synced
 *	from PATH PATH		the file that got the second name had the first
 *	sync PATH		a file or a directory
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define REAL(name)	((__typeof__(name) *)dlsym(RTLD_NEXT, #name))

/* One write is one line, whatever other processes write. */
static void tell(const char *what, const char *path, const char *more)
{
	const char *log = getenv("SYNC_SHIM");
	char line[2 * PATH_MAX + 16];
	int saved = errno, fd, len;

	fd = log ? REAL(open)(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : -1;
	if (fd >= 0) {
		len = snprintf(line, sizeof(line), "%s %s%s%s\n", what, path, *more ? " " : "",
			       more);
		if (write(fd, line, (size_t)len) != len)
			abort();
		close(fd);
	}
	errno = saved;
}

/* Absolute, as far as that can be told of what may not be there yet. */
static const char *name_of(int dir, const char *path, char *name)
{
	char link[64];
	ssize_t len = 0;

	if (*path == '/')
		return path;
	if (dir == AT_FDCWD)
		strcpy(link, "/proc/self/cwd");
	else
		snprintf(link, sizeof(link), "/proc/self/fd/%d", dir);
	len = readlink(link, name, PATH_MAX - 1);
	if (len < 0)
		len = 0;
	snprintf(name + len, 2 * PATH_MAX - (size_t)len, "%s%s", *path ? "/" : "", path);
	return name;
}

static void tell_name(int dir, const char *path)
{
	char name[2 * PATH_MAX];

	tell("name", name_of(dir, path, name), "");
}

static void tell_moved(int from_dir, const char *from, int to_dir, const char *to)
{
	char old[2 * PATH_MAX], new[2 * PATH_MAX];

	tell("from", name_of(from_dir, from, old), name_of(to_dir, to, new));
	tell_name(to_dir, to);
}

static void tell_sync(int fd)
{
	char name[2 * PATH_MAX];

	tell("sync", name_of(fd, "", name), "");
}

static int open_at(int dir, const char *path, int flags, mode_t mode)
{
	bool new = flags & O_CREAT && REAL(faccessat)(dir, path, F_OK, AT_SYMLINK_NOFOLLOW);
	int fd = REAL(openat)(dir, path, flags, mode);

	if (fd >= 0 && new)
		tell_name(dir, path);
	return fd;
}

static mode_t mode_of(int flags, va_list args)
{
	return flags & (O_CREAT | __O_TMPFILE) ? va_arg(args, mode_t) : 0;
}

#define OPEN(function, dir_parameter, dir)					\
	int function(dir_parameter const char *path, int flags, ...)		\
	{									\
		va_list args;							\
		mode_t mode;							\
										\
		va_start(args, flags);						\
		mode = mode_of(flags, args);					\
		va_end(args);							\
		return open_at(dir, path, flags, mode);				\
	}

#define DIR_PARAMETER	int dir,
OPEN(open, , AT_FDCWD)
OPEN(open64, , AT_FDCWD)
OPEN(openat, DIR_PARAMETER, dir)
OPEN(openat64, DIR_PARAMETER, dir)

int mkdirat(int dir, const char *path, mode_t mode)
{
	char name[2 * PATH_MAX];
	int r = REAL(mkdirat)(dir, path, mode);

	if (!r) {
		tell("dir", name_of(dir, path, name), "");
		tell_name(dir, path);
	}
	return r;
}

int mkdir(const char *path, mode_t mode)
{
	return mkdirat(AT_FDCWD, path, mode);
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	int r = REAL(renameat)(from_dir, from, to_dir, to);

	if (!r)
		tell_moved(from_dir, from, to_dir, to);
	return r;
}

int rename(const char *from, const char *to)
{
	return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

int link(const char *from, const char *to)
{
	int r = REAL(link)(from, to);

	if (!r)
		tell_moved(AT_FDCWD, from, AT_FDCWD, to);
	return r;
}

int symlink(const char *target, const char *path)
{
	char name[2 * PATH_MAX];
	int r = REAL(symlink)(target, path);

	if (!r) {
		tell("link", name_of(AT_FDCWD, path, name), "");
		tell_name(AT_FDCWD, path);
	}
	return r;
}

int mkostemp(char *path, int flags)
{
	int fd = REAL(mkostemp)(path, flags);

	if (fd >= 0)
		tell_name(AT_FDCWD, path);
	return fd;
}

int mkostemp64(char *path, int flags)
{
	return mkostemp(path, flags);
}

int fsync(int fd)
{
	int r = REAL(fsync)(fd);

	if (!r)
		tell_sync(fd);
	return r;
}

int fdatasync(int fd)
{
	int r = REAL(fdatasync)(fd);

	if (!r)
		tell_sync(fd);
	return r;
}
