// SPDX-License-Identifier: GPL-2.0-only
/*
 * A library to be preloaded: the power fails at the Nth write to a file whose
 * path begins with $POWERCUT_FILE. $POWERCUT_AT: N; $POWERCUT_TORN: of that
 * write the first half still arrives. Without N, writes are counted, a line
 * each in the file $POWERCUT_COUNT.
 *
 * "The power" is the process group's: it is killed. What it has written so far
 * is there, in the order it was written.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

typedef ssize_t (*write_fn)(int fd, const void *buf, size_t size);
typedef ssize_t (*pwrite_fn)(int fd, const void *buf, size_t size, off_t offset);

static bool is_watched(int fd)
{
	const char *prefix = getenv("POWERCUT_FILE");
	char link[64], path[4096];
	ssize_t n;

	if (!prefix)
		return false;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	return n > 0 && (size_t)n >= strlen(prefix) && !strncmp(path, prefix, strlen(prefix));
}

static void note(void)
{
	const char *file = getenv("POWERCUT_COUNT");
	int fd;

	if (!file)
		return;
	fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0 || ((write_fn)dlsym(RTLD_NEXT, "write"))(fd, "x\n", 2) != 2)
		abort();
	close(fd);
}

/* How much of a write arrives; then the light goes out. */
static bool is_the_one(int fd, size_t size, size_t *arrives)
{
	static unsigned long count;
	const char *at = getenv("POWERCUT_AT");

	if (!is_watched(fd))
		return false;
	note();
	count++;
	if (!at || count != strtoul(at, NULL, 10))
		return false;
	*arrives = getenv("POWERCUT_TORN") ? size / 2 : 0;
	return true;
}

static void power_off(void)
{
	kill(0, SIGKILL);
	pause();
}

ssize_t write(int fd, const void *buf, size_t size)
{
	write_fn real = (write_fn)dlsym(RTLD_NEXT, "write");
	size_t part;

	if (is_the_one(fd, size, &part)) {
		if (part && real(fd, buf, part) < 0)
			abort();
		power_off();
	}
	return real(fd, buf, size);
}

ssize_t pwrite(int fd, const void *buf, size_t size, off_t offset)
{
	pwrite_fn real = (pwrite_fn)dlsym(RTLD_NEXT, "pwrite");
	size_t part;

	if (is_the_one(fd, size, &part)) {
		if (part && real(fd, buf, part, offset) < 0)
			abort();
		power_off();
	}
	return real(fd, buf, size, offset);
}

ssize_t pwrite64(int fd, const void *buf, size_t size, off_t offset)
{
	return pwrite(fd, buf, size, offset);
}
