// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kek_crypto.h"
#include "kek_identity.h"
#include "kek_pin.h"
#include "paths.h"

/*
 * A file for each key and identity, whose name is a digest of both, and whose
 * content is the mark of the identity that was refused, or nothing.
 */
#define PATH_PINS	PATH_RUN "/pins"

/* As long as the process. */
static struct refused {
	struct refused *next;
	char *uri;
	char *identity;
} *refused_pins;

bool kek_pin_known_refused(const char *uri, const char *identity)
{
	const struct refused *r;

	for (r = refused_pins; r; r = r->next)
		if (!strcmp(r->uri, uri) && !strcmp(r->identity, identity))
			return true;
	return false;
}

void kek_pin_remember_refused(const char *uri, const char *identity)
{
	struct refused *r;

	if (kek_pin_known_refused(uri, identity))
		return;
	r = calloc(1, sizeof(*r));
	if (!r)
		return;
	r->uri = strdup(uri);
	r->identity = strdup(identity);
	if (!r->uri || !r->identity) {
		free(r->uri);
		free(r->identity);
		free(r);
		return;
	}
	r->next = refused_pins;
	refused_pins = r;
}

/* -1 where there is nothing to be written, such as to a user who isn't root. */
static int open_lock(const char *uri, const char *identity)
{
	char digest[KEK_FINGERPRINT_MAX], path[sizeof(PATH_PINS) + KEK_FINGERPRINT_MAX];
	struct reason ignored;
	int fd;

	if (kek_fingerprint(uri, identity, strlen(identity), digest, &ignored))
		return -1;
	mkdir(PATH_RUN, 0700);
	mkdir(PATH_PINS, 0700);
	snprintf(path, sizeof(path), "%s/%s", PATH_PINS, strchr(digest, ':') + 1);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -1;
	while (flock(fd, LOCK_EX)) {
		if (errno == EINTR)
			continue;
		close(fd);
		return -1;
	}
	return fd;
}

int kek_pin_lock(const char *uri, const char *identity, bool *refused)
{
	char now[KEK_IDENTITY_MARK_MAX], then[KEK_IDENTITY_MARK_MAX] = "";
	int lock = open_lock(uri, identity);

	*refused = kek_pin_known_refused(uri, identity);
	if (lock < 0 || *refused || pread(lock, then, sizeof(then) - 1, 0) <= 0)
		return lock;
	kek_identity_mark(identity, now);
	*refused = !strcmp(now, then);
	return lock;
}

void kek_pin_unlock(int lock)
{
	if (lock >= 0)
		close(lock);
}

void kek_pin_note_right(int lock)
{
	if (lock >= 0 && ftruncate(lock, 0))
		diag_debug("That the PIN was right can't be noted: %s.", strerror(errno));
}

void kek_pin_note_refused(int lock, const char *uri, const char *identity)
{
	char mark[KEK_IDENTITY_MARK_MAX];
	size_t len;

	kek_pin_remember_refused(uri, identity);
	if (lock < 0)
		return;
	kek_identity_mark(identity, mark);
	len = strlen(mark);
	if (ftruncate(lock, 0) || pwrite(lock, mark, len, 0) != (ssize_t)len)
		diag_debug("That the PIN was wrong can't be noted: %s.", strerror(errno));
}
