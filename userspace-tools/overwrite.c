// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "blockdev.h"
#include "overwrite.h"

/* One I/O; a multiple of every device's block. */
#define CHUNK		(1U << 20)
#define ALIGNMENT	4096
#define DIGEST_SIZE	32

/* What was written where. */
struct chunk {
	uint64_t offset;
	size_t size;
	unsigned char digest[DIGEST_SIZE];
};

struct overwrite {
	char *path;
	int fd;
	bool block;		/* a block device, not a file */
	bool direct;
	uint64_t size, bytes;
	unsigned char *buffer;
	struct chunk *chunk;
	size_t nr;
};

static int open_failed(const char *path, int err, const struct stat *st, struct reason *why)
{
	char users[256] = "";

	if (err == EBUSY && S_ISBLK(st->st_mode)) {
		blockdev_users(major(st->st_rdev), minor(st->st_rdev), users, sizeof(users));
		return reason_set(why, RC_BUSY, "Device %.200s is in use%s%s: close it first.", path,
				  *users ? ": " : "", users);
	}
	return reason_set(why, err == EACCES || err == EPERM ? RC_PERM : RC_DEVICE,
			  "%.400s can't be opened for writing: %s.", path, strerror(err));
}

/* A file system may have no direct I/O, or none for an odd end of a file. */
static int open_it(struct overwrite *o, const struct stat *st)
{
	int flags = O_RDWR | O_CLOEXEC | (o->block ? O_EXCL : 0);

	o->direct = o->block || !(st->st_size % ALIGNMENT);
	o->fd = open(o->path, flags | (o->direct ? O_DIRECT : 0));
	if (o->fd < 0 && errno == EINVAL && !o->block) {
		o->direct = false;
		o->fd = open(o->path, flags);
	}
	return o->fd < 0 ? errno : 0;
}

static int look(struct overwrite *o, struct reason *why)
{
	uint64_t sectors;
	struct stat st;
	int rc, err;

	if (stat(o->path, &st))
		return open_failed(o->path, errno, &st, why);
	o->block = S_ISBLK(st.st_mode);
	if (!o->block && !S_ISREG(st.st_mode))
		return reason_set(why, RC_DEVICE, "%.400s is neither a block device nor a regular file.",
				  o->path);
	/* A file that is behind a loop device. */
	if (!o->block) {
		rc = blockdev_look(o->path, true, &sectors);
		if (rc)
			return reason_said(why, rc);
	}
	err = open_it(o, &st);
	if (err)
		return open_failed(o->path, err, &st, why);
	o->size = (uint64_t)st.st_size;
	if (o->block && ioctl(o->fd, BLKGETSIZE64, &o->size))
		return reason_set(why, RC_DEVICE, "Device %.400s doesn't tell its size: %s.", o->path,
				  strerror(errno));
	return RC_OK;
}

int overwrite_open(struct overwrite **o, const char *path, struct reason *why)
{
	struct overwrite *new = calloc(1, sizeof(*new));
	void *buffer = NULL;
	int rc;

	if (!new)
		return reason_nomem(why);
	new->fd = -1;
	new->path = strdup(path);
	if (!new->path || posix_memalign(&buffer, ALIGNMENT, CHUNK)) {
		rc = reason_nomem(why);
	} else {
		new->buffer = buffer;
		rc = look(new, why);
	}
	if (rc)
		overwrite_close(&new);
	*o = new;
	return rc;
}

void overwrite_close(struct overwrite **o)
{
	if (!*o)
		return;
	if ((*o)->fd >= 0)
		close((*o)->fd);
	free((*o)->buffer);
	free((*o)->chunk);
	free((*o)->path);
	free(*o);
	*o = NULL;
}

uint64_t overwrite_size(const struct overwrite *o)
{
	return o->size;
}

bool overwrite_is_direct(const struct overwrite *o)
{
	return o->direct;
}

uint64_t overwrite_bytes(const struct overwrite *o)
{
	return o->bytes;
}

static int io_failed(const struct overwrite *o, const char *what, uint64_t offset, int err,
		     struct reason *why)
{
	return reason_set(why, RC_DEVICE, "%s %.400s failed near byte %" PRIu64 ": %s.", what,
			  o->path, offset, strerror(err));
}

/* Writes or reads all of a chunk. */
static int transfer(struct overwrite *o, bool write, uint64_t offset, size_t size,
		    struct reason *why)
{
	size_t done = 0;
	ssize_t n;

	while (done < size) {
		if (write)
			n = pwrite(o->fd, o->buffer + done, size - done, (off_t)(offset + done));
		else
			n = pread(o->fd, o->buffer + done, size - done, (off_t)(offset + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return io_failed(o, write ? "Writing to" : "Reading", offset + done,
					 n ? errno : EIO, why);
		done += (size_t)n;
	}
	return RC_OK;
}

static bool digest(const struct overwrite *o, size_t size, unsigned char *to)
{
	return EVP_Digest(o->buffer, size, to, NULL, EVP_sha256(), NULL);
}

static int write_chunk(struct overwrite *o, uint64_t offset, size_t size, struct reason *why)
{
	struct chunk *more;

	more = reallocarray(o->chunk, o->nr + 1, sizeof(*more));
	if (!more)
		return reason_nomem(why);
	o->chunk = more;
	more += o->nr;
	more->offset = offset;
	more->size = size;
	if (RAND_bytes(o->buffer, (int)size) != 1 || !digest(o, size, more->digest))
		return reason_set(why, RC_DEVICE, "libcrypto gives no random numbers.");
	o->nr++;
	o->bytes += size;
	return transfer(o, true, offset, size, why);
}

int overwrite_part(struct overwrite *o, uint64_t from, uint64_t to, struct reason *why)
{
	uint64_t offset;
	size_t size;
	int rc;

	if (to > o->size)
		to = o->size;
	for (offset = from; offset < to; offset += size) {
		size = to - offset < CHUNK ? (size_t)(to - offset) : CHUNK;
		rc = write_chunk(o, offset, size, why);
		if (rc)
			return rc;
	}
	if (fsync(o->fd))
		return io_failed(o, "Writing to", from, errno, why);
	return RC_OK;
}

int overwrite_verify(struct overwrite *o, struct reason *why)
{
	unsigned char now[DIGEST_SIZE];
	size_t i;
	int rc;

	/* Nothing in between answers for the device. */
	if (o->block)
		ioctl(o->fd, BLKFLSBUF, 0);
	posix_fadvise(o->fd, 0, 0, POSIX_FADV_DONTNEED);
	for (i = 0; i < o->nr; i++) {
		rc = transfer(o, false, o->chunk[i].offset, o->chunk[i].size, why);
		if (rc)
			return rc;
		if (digest(o, o->chunk[i].size, now) && !memcmp(now, o->chunk[i].digest, DIGEST_SIZE))
			continue;
		return reason_set(why, RC_DEVICE,
			"%.300s doesn't keep what it is given: other bytes are read back at %" PRIu64 ".\n"
			"Its keys may still be there: destroy the medium.", o->path, o->chunk[i].offset);
	}
	return RC_OK;
}
