// SPDX-License-Identifier: GPL-2.0-only
/*
 * The directory of a platform key, and the files in it: which versions there
 * are, and that each is there whole or not at all.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files.h"
#include "kek_platform.h"
#include "number.h"
#include "paths.h"

/* What is being written, until it is complete. */
#define NEW_FILE	".new"

int platform_errno(const struct platform *p, const char *doing, struct reason *why)
{
	return reason_set(why, errno == ENOSPC || errno == EROFS ? RC_DEVICE : RC_PERM,
			  "%s %s/%s: %s.", doing, PATH_PLATFORM, p->name, strerror(errno));
}

/* The directory */

/* Creates it below @parent if it isn't there, durably. */
static int sub_directory(int parent, const char *name)
{
	int fd;

	if (!mkdirat(parent, name, 0700) && fsync(parent))
		return -1;
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return fd;
}

/* Best effort: the first key's own sync fails where it matters. */
static void make_directory(const char *path, mode_t mode)
{
	if (!mkdir(path, mode))
		files_sync_parent(path);
}

int platform_dir_open(struct platform *p, struct reason *why)
{
	char state[] = PATH_STATE, *s;
	struct stat st;
	int fd;

	for (s = strchr(state + 1, '/'); s; s = strchr(s + 1, '/')) {
		*s = '\0';
		make_directory(state, 0755);
		*s = '/';
	}
	make_directory(state, 0700);
	make_directory(PATH_PLATFORM, 0700);
	fd = open(PATH_PLATFORM, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return platform_errno(p, "The directory of platform keys", why);
	p->dir = sub_directory(fd, p->name);
	close(fd);
	if (p->dir < 0 || fstat(p->dir, &st))
		return platform_errno(p, "The directory of platform keys", why);
	if (st.st_uid != geteuid() || st.st_mode & (S_IRWXG | S_IRWXO)) {
		close(p->dir);
		return reason_set(why, RC_PERM,
			"Others may use %s/%s (owner %u, mode %04o).\n"
			"Make it root's and 'chmod 700', and the keys in it new if they may be known.",
			PATH_PLATFORM, p->name, st.st_uid, st.st_mode & 07777);
	}
	return RC_OK;
}

/* Files */

/* A version's number, which *@rest follows. One spelling each: no zeroes in front. */
static bool parse_number(const char *text, const char **rest, unsigned int *number)
{
	uint64_t n;

	if (*text == '0' || !number_prefix(text, rest, &n) || n > NUMBER_MAX)
		return false;
	*number = (unsigned int)n;
	return true;
}

static bool parse_file_name(const char *name, struct version *v)
{
	const char *rest;

	if (!parse_number(name, &rest, &v->number))
		return false;
	v->sealed = !strcmp(rest, ".cred");
	return v->sealed || !strcmp(rest, ".key");
}

void platform_file_name(const struct version *v, char name[32])
{
	snprintf(name, 32, "%u.%s", v->number, v->sealed ? "cred" : "key");
}

/* Of the same number the bare one first. */
static int by_number(const void *a, const void *b)
{
	const struct version *va = a, *vb = b;

	if (va->number != vb->number)
		return va->number > vb->number ? 1 : -1;
	return (int)va->sealed - (int)vb->sealed;
}

/*
 * Both files are there when someone put back a bare key whose seal doesn't open
 * any more. That is then the one to use.
 */
static void sort(struct version *list, size_t *nr)
{
	size_t from, to = 1;

	if (!*nr)
		return;
	qsort(list, *nr, sizeof(*list), by_number);
	for (from = 1; from < *nr; from++)
		if (list[from].number != list[to - 1].number)
			list[to++] = list[from];
	*nr = to;
}

static int append(struct version **list, size_t *nr, const struct version *v)
{
	struct version *longer = reallocarray(*list, *nr + 1, sizeof(*longer));

	if (!longer)
		return -1;
	longer[(*nr)++] = *v;
	*list = longer;
	return 0;
}

int platform_scan(const struct platform *p, struct version **list, size_t *nr, struct reason *why)
{
	int fd = openat(p->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct version v;
	struct dirent *e;
	int rc = RC_OK;

	*list = NULL;
	*nr = 0;
	if (!dir) {
		if (fd >= 0)
			close(fd);
		return platform_errno(p, "Reading", why);
	}
	errno = 0;
	while (!rc && (e = readdir(dir)))
		if (parse_file_name(e->d_name, &v) && append(list, nr, &v))
			rc = reason_nomem(why);
	if (!rc && errno)
		rc = platform_errno(p, "Reading", why);
	closedir(dir);
	if (rc)
		free(*list);
	else
		sort(*list, nr);
	return rc;
}

static int write_all(int fd, const unsigned char *data, size_t size)
{
	ssize_t n;

	for (; size; data += n, size -= (size_t)n) {
		n = write(fd, data, size);
		if (n < 0)
			return -1;
	}
	return 0;
}

int platform_write_file(const struct platform *p, const char *name, const unsigned char *data,
			size_t size, struct reason *why)
{
	int fd;

	/* Of one that was killed. It never had a name, so nothing depends on it. */
	unlinkat(p->dir, NEW_FILE, 0);
	fd = openat(p->dir, NEW_FILE, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return platform_errno(p, "Writing a key to", why);
	if (write_all(fd, data, size) || fsync(fd) ||
	    renameat(p->dir, NEW_FILE, p->dir, name) || fsync(p->dir)) {
		platform_errno(p, "Writing a key to", why);
		unlinkat(p->dir, NEW_FILE, 0);
		close(fd);
		return why->rc;
	}
	close(fd);
	return RC_OK;
}

int platform_destroy_file(const struct platform *p, const char *name, struct reason *why)
{
	static const unsigned char zeroes[512];
	off_t left;
	struct stat st;
	size_t chunk;
	int fd;

	fd = openat(p->dir, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT)
		return RC_OK;
	if (fd < 0 || fstat(fd, &st))
		goto fail;
	for (left = st.st_size; left > 0; left -= (off_t)chunk) {
		chunk = left > (off_t)sizeof(zeroes) ? sizeof(zeroes) : (size_t)left;
		if (write_all(fd, zeroes, chunk))
			goto fail;
	}
	if (fsync(fd) || unlinkat(p->dir, name, 0) || fsync(p->dir))
		goto fail;
	close(fd);
	return RC_OK;

fail:
	platform_errno(p, "Destroying a key in", why);
	if (fd >= 0)
		close(fd);
	return why->rc;
}

int platform_dir_lock(const struct platform *p, struct reason *why)
{
	while (flock(p->dir, LOCK_EX)) {
		if (errno != EINTR)
			return platform_errno(p, "Locking", why);
	}
	return RC_OK;
}

void platform_dir_unlock(const struct platform *p)
{
	flock(p->dir, LOCK_UN);
}

const struct version *platform_find(const struct version *list, size_t nr, const char *version)
{
	unsigned int number;
	const char *rest;
	size_t i;

	if (!parse_number(version, &rest, &number) || *rest)
		return NULL;
	for (i = 0; i < nr; i++)
		if (list[i].number == number)
			return &list[i];
	return NULL;
}
