// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "passphrase.h"

/* Longest that is taken, in bytes; a key file of a volume is shorter. */
#define PASSPHRASE_MAX	8192

/* Up to @max bytes, or @line's end, which is left out; -1 with errno. */
static ssize_t read_some(int fd, unsigned char *buf, size_t max, bool line)
{
	size_t got = 0;
	ssize_t n;

	while (got < max) {
		/* A line is read byte by byte: what follows is somebody else's. */
		n = read(fd, buf + got, line ? 1 : max - got);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0 || (line && buf[got] == '\n'))
			break;
		got += (size_t)n;
	}
	return (ssize_t)got;
}

static ssize_t read_typed(const char *device, unsigned char *buf, size_t max)
{
	struct termios normal, silent;
	ssize_t n;

	fprintf(stderr, "Enter passphrase for %s: ", device);
	if (tcgetattr(STDIN_FILENO, &normal))
		return -1;
	silent = normal;
	silent.c_lflag &= ~(tcflag_t)ECHO;
	if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent))
		return -1;
	n = read_some(STDIN_FILENO, buf, max, true);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &normal);
	fputc('\n', stderr);
	return n;
}

static ssize_t read_file(const struct options *o, const char *path, struct secmem *to,
			 size_t limit)
{
	uint64_t skip = o->num[OPT_KEYFILE_OFFSET];
	ssize_t n = 0;
	int fd, err;

	fd = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY) : dup(STDIN_FILENO);
	if (fd < 0)
		return -1;
	if (skip && lseek(fd, (off_t)skip, SEEK_CUR) < 0)
		n = -1;
	if (!n)
		n = read_some(fd, secmem_data(to), limit, false);
	err = errno;
	close(fd);
	errno = err;
	return n;
}

int passphrase_read(const struct options *o, const char *device, struct secmem **passphrase,
		    size_t *size, struct reason *why)
{
	const char *file = o->str[OPT_KEY_FILE];
	size_t limit = PASSPHRASE_MAX;
	ssize_t n;

	if (opt_given(o, OPT_KEYFILE_SIZE)) {
		if (!o->num[OPT_KEYFILE_SIZE] || o->num[OPT_KEYFILE_SIZE] > PASSPHRASE_MAX)
			return reason_set(why, RC_PARAM, "--keyfile-size takes a number of bytes from 1 to %d.",
					  PASSPHRASE_MAX);
		limit = (size_t)o->num[OPT_KEYFILE_SIZE];
	}
	*passphrase = secmem_new(PASSPHRASE_MAX + 1);
	if (!*passphrase)
		return reason_set(why, RC_NOMEM, "No memory that can be locked for a passphrase: %s.",
				  strerror(errno));
	if (file)
		n = read_file(o, file, *passphrase, opt_given(o, OPT_KEYFILE_SIZE) ? limit : limit + 1);
	else if (isatty(STDIN_FILENO))
		n = read_typed(device, secmem_data(*passphrase), limit);
	else
		n = read_some(STDIN_FILENO, secmem_data(*passphrase), limit, true);
	if (n > 0 && n <= PASSPHRASE_MAX) {
		*size = (size_t)n;
		return RC_OK;
	}
	if (n < 0)
		reason_set(why, RC_DEVICE, "%s can't be read: %s.", file ? file : "The passphrase",
			   strerror(errno));
	else if (n == 0)
		reason_set(why, RC_PERM, "No passphrase for %s was given.", device);
	else
		reason_set(why, RC_PARAM, "%s is longer than the %d bytes that a passphrase may have.",
			   file, PASSPHRASE_MAX);
	secmem_free(passphrase);
	return why->rc;
}
