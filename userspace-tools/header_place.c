// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files.h"
#include "header_place.h"

#define SECTOR	512
#define BLOCK	4096

/* LUKS2's binary header, which both copies of the metadata begin with. */
#define MAGIC_BYTES	6
#define FIRST_MAGIC	"LUKS\xba\xbe"
#define SECOND_MAGIC	"SKUL\xba\xbe"
#define UUID_OFFSET	168
#define UUID_BYTES	40

static const off_t seconds[] = { 0x4000, 0x8000, 0x10000, 0x20000, 0x40000, 0x80000, 0x100000 };

struct place {
	const char *device;
	int fd;
	uint64_t size;			/* of the device, bytes */
	uint64_t shift;
	unsigned char *header;		/* PLACE_HEADER_BYTES */
};

static int io_failed(const struct place *p, const char *what, struct reason *why)
{
	return reason_set(why, RC_DEVICE, "%s %s failed: %s.", what, p->device,
			  strerror(errno ? errno : EIO));
}

static bool read_all(int fd, void *to, size_t size, uint64_t at)
{
	unsigned char *p = to;
	ssize_t n;

	while (size) {
		n = pread(fd, p, size, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		p += n;
		at += (uint64_t)n;
		size -= (size_t)n;
	}
	return true;
}

static bool write_all(int fd, const void *from, size_t size, uint64_t at)
{
	const unsigned char *p = from;
	ssize_t n;

	while (size) {
		n = pwrite(fd, p, size, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		p += n;
		at += (uint64_t)n;
		size -= (size_t)n;
	}
	return true;
}

static int open_device(struct place *p, const char *device, uint64_t shift, struct reason *why)
{
	struct stat st;

	memset(p, 0, sizeof(*p));
	p->device = device;
	p->shift = shift;
	errno = 0;
	p->fd = open(device, O_RDWR | O_CLOEXEC);
	if (p->fd < 0 || fstat(p->fd, &st))
		return io_failed(p, "Opening", why);
	if (S_ISBLK(st.st_mode) && ioctl(p->fd, BLKGETSIZE64, &p->size))
		return io_failed(p, "Asking for the size of", why);
	if (!S_ISBLK(st.st_mode))
		p->size = (uint64_t)st.st_size / SECTOR * SECTOR;
	p->header = malloc(PLACE_HEADER_BYTES);
	return p->header ? RC_OK : reason_nomem(why);
}

static void close_device(struct place *p)
{
	free(p->header);
	if (p->fd >= 0)
		close(p->fd);
}

static uint64_t spare(const struct place *p)
{
	return p->size - 2 * p->shift;
}

static int read_file(struct place *p, const char *file, struct reason *why)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	bool done;

	errno = 0;
	done = fd >= 0 && read_all(fd, p->header, PLACE_HEADER_BYTES, 0);
	if (fd >= 0)
		close(fd);
	if (done)
		return RC_OK;
	return reason_set(why, RC_DEVICE, "Reading header %s failed: %s.", file,
			  strerror(errno ? errno : EIO));
}

/* Where the second copy of @header's metadata begins; 0: nowhere. */
static uint64_t second_of(const unsigned char *header)
{
	size_t i;

	for (i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++)
		if (!memcmp(header + seconds[i], SECOND_MAGIC, MAGIC_BYTES))
			return (uint64_t)seconds[i];
	return 0;
}

/*
 * Either copy's first block makes a header of what is there, so both come last,
 * when all they tell of is safe. @first_only: a copy that is none yet, where the
 * first block alone says so.
 */
static int write_header(struct place *p, uint64_t at, bool first_only, struct reason *why)
{
	uint64_t second = second_of(p->header);
	uint64_t until = second ? second : PLACE_HEADER_BYTES;

	if (first_only)
		until = PLACE_HEADER_BYTES;
	errno = 0;
	if (!write_all(p->fd, p->header + BLOCK, until - BLOCK, at + BLOCK) ||
	    (until < PLACE_HEADER_BYTES &&
	     !write_all(p->fd, p->header + until + BLOCK, PLACE_HEADER_BYTES - until - BLOCK,
			at + until + BLOCK)) ||
	    fsync(p->fd) ||
	    (until < PLACE_HEADER_BYTES &&
	     !write_all(p->fd, p->header + until, BLOCK, at + until)) ||
	    !write_all(p->fd, p->header, BLOCK, at) || fsync(p->fd))
		return io_failed(p, "Writing a header to", why);
	return RC_OK;
}

static int clear_block(struct place *p, uint64_t at, struct reason *why)
{
	static const unsigned char zeros[BLOCK];

	errno = 0;
	if (!write_all(p->fd, zeros, BLOCK, at) || fsync(p->fd))
		return io_failed(p, "Writing to", why);
	return RC_OK;
}

/*
 * The piece may be a header itself, of the layer within. Whoever loads what is
 * half overwritten must not find it, for libcryptsetup would mend it.
 */
static int clear_magic(struct place *p, struct reason *why)
{
	unsigned char magic[MAGIC_BYTES];
	size_t i;
	int rc;

	errno = 0;
	if (!read_all(p->fd, magic, sizeof(magic), 0))
		return io_failed(p, "Reading", why);
	rc = memcmp(magic, FIRST_MAGIC, MAGIC_BYTES) ? RC_OK : clear_block(p, 0, why);
	for (i = 0; !rc && i < sizeof(seconds) / sizeof(seconds[0]); i++) {
		if (!read_all(p->fd, magic, sizeof(magic), (uint64_t)seconds[i]))
			return io_failed(p, "Reading", why);
		if (!memcmp(magic, SECOND_MAGIC, MAGIC_BYTES))
			rc = clear_block(p, (uint64_t)seconds[i], why);
	}
	return rc;
}

/* Where clear_magic() may have been. */
static bool may_be_cleared(uint64_t at)
{
	size_t i;

	for (i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++)
		if (at / BLOCK == (uint64_t)seconds[i] / BLOCK)
			return true;
	return at < BLOCK;
}

static bool is_zero(const unsigned char *sector)
{
	size_t i;

	for (i = 0; i < SECTOR; i++)
		if (sector[i])
			return false;
	return true;
}

/*
 * Each sector of the piece is as it was, or the header's, or cleared: nobody
 * but us has written there.
 */
static bool untouched(const struct place *p, const unsigned char *head,
		      const unsigned char *moved)
{
	uint64_t at;

	for (at = 0; at < PLACE_HEADER_BYTES; at += SECTOR)
		if (memcmp(head + at, moved + at, SECTOR) &&
		    memcmp(head + at, p->header + at, SECTOR) &&
		    !(may_be_cleared(at) && is_zero(head + at)))
			return false;
	return !memcmp(head + PLACE_HEADER_BYTES, moved + PLACE_HEADER_BYTES,
		       p->shift - PLACE_HEADER_BYTES);
}

/* Is it there already, though libcryptsetup may have mended one copy by the other? */
static bool is_placed(const struct place *p, const unsigned char *head)
{
	uint64_t second = second_of(p->header);

	return (!memcmp(head, FIRST_MAGIC, MAGIC_BYTES) &&
		!memcmp(head + UUID_OFFSET, p->header + UUID_OFFSET, UUID_BYTES)) ||
	       (second && !memcmp(head + second, SECOND_MAGIC, MAGIC_BYTES) &&
		!memcmp(head + second + UUID_OFFSET, p->header + UUID_OFFSET, UUID_BYTES));
}

static int judge(struct place *p, enum place_state *state, struct reason *why)
{
	unsigned char *head = malloc(p->shift), *moved = malloc(p->shift);
	int rc = RC_OK;

	errno = 0;
	if (!head || !moved)
		rc = reason_nomem(why);
	else if (!read_all(p->fd, head, p->shift, 0) ||
		 !read_all(p->fd, moved, p->shift, p->size - p->shift))
		rc = io_failed(p, "Reading", why);
	else
		*state = is_placed(p, head) || untouched(p, head, moved) ? PLACE_CUT : PLACE_STALE;
	/* Somebody's data. */
	if (head)
		explicit_bzero(head, p->shift);
	if (moved)
		explicit_bzero(moved, p->shift);
	free(head);
	free(moved);
	return rc;
}

int place_look(const char *device, uint64_t shift, enum place_state *state,
	       char uuid[UUID_TEXT_SIZE], struct reason *why)
{
	struct place p;
	int rc;

	*state = PLACE_NOTHING;
	uuid[0] = '\0';
	rc = open_device(&p, device, shift, why);
	if (!rc && p.size >= 3 * shift) {
		errno = 0;
		if (!read_all(p.fd, p.header, PLACE_HEADER_BYTES, spare(&p)))
			rc = io_failed(&p, "Reading", why);
		else if (!memcmp(p.header, FIRST_MAGIC, MAGIC_BYTES))
			rc = judge(&p, state, why);
	}
	if (!rc && *state != PLACE_NOTHING)
		snprintf(uuid, UUID_TEXT_SIZE, "%.36s", (char *)p.header + UUID_OFFSET);
	close_device(&p);
	return rc;
}

int place_prepare(const char *device, uint64_t shift, struct reason *why)
{
	struct place p;
	int rc;

	rc = open_device(&p, device, shift, why);
	if (!rc)
		rc = clear_block(&p, spare(&p), why);
	close_device(&p);
	return rc;
}

/* The copy is in force. */
static int place_from_copy(struct place *p, struct reason *why)
{
	int rc = clear_magic(p, why);

	if (!rc)
		rc = write_header(p, 0, false, why);
	return rc ? rc : clear_block(p, spare(p), why);
}

int place_header(const char *device, uint64_t shift, const char *header, struct reason *why)
{
	struct place p;
	int rc;

	rc = open_device(&p, device, shift, why);
	if (!rc)
		rc = read_file(&p, header, why);
	errno = 0;
	/* The piece that libcryptsetup has copied. */
	if (!rc && fsync(p.fd))
		rc = io_failed(&p, "Writing to", why);
	if (!rc)
		rc = write_header(&p, spare(&p), true, why);
	if (!rc)
		rc = place_from_copy(&p, why);
	close_device(&p);
	return rc;
}

int place_finish(const char *device, uint64_t shift, struct reason *why)
{
	struct place p;
	int rc;

	rc = open_device(&p, device, shift, why);
	errno = 0;
	if (!rc && !read_all(p.fd, p.header, PLACE_HEADER_BYTES, spare(&p)))
		rc = io_failed(&p, "Reading", why);
	if (!rc)
		rc = place_from_copy(&p, why);
	close_device(&p);
	return rc;
}

int place_wipe(const char *device, uint64_t shift, struct reason *why)
{
	struct place p;
	uint64_t at;
	int rc;

	rc = open_device(&p, device, shift, why);
	if (!rc && RAND_bytes(p.header, PLACE_HEADER_BYTES) != 1)
		rc = reason_set(why, RC_PERM, "There are no random numbers to be had.");
	errno = 0;
	for (at = p.size - shift; !rc && at < p.size; at += PLACE_HEADER_BYTES)
		if (!write_all(p.fd, p.header,
			       p.size - at < PLACE_HEADER_BYTES ? p.size - at : PLACE_HEADER_BYTES, at))
			rc = io_failed(&p, "Writing to", why);
	if (!rc && fsync(p.fd))
		rc = io_failed(&p, "Writing to", why);
	close_device(&p);
	return rc;
}

bool place_moved_header(const char *device, uint64_t shift)
{
	unsigned char magic[MAGIC_BYTES];
	struct reason ignored;
	struct place p;
	uint64_t begin;
	bool found = false;
	size_t i;

	if (!open_device(&p, device, shift, &ignored) && p.size >= 3 * shift) {
		begin = p.size - shift;
		found = read_all(p.fd, magic, sizeof(magic), begin) &&
			!memcmp(magic, FIRST_MAGIC, MAGIC_BYTES);
		for (i = 0; !found && i < sizeof(seconds) / sizeof(seconds[0]); i++)
			found = (uint64_t)seconds[i] < shift &&
				read_all(p.fd, magic, sizeof(magic), begin + (uint64_t)seconds[i]) &&
				!memcmp(magic, SECOND_MAGIC, MAGIC_BYTES);
	}
	close_device(&p);
	return found;
}

static int write_file(struct place *p, const char *to, struct reason *why)
{
	char part[PATH_MAX + 8];
	int err = 0;

	snprintf(part, sizeof(part), "%s.part", to);
	unlink(part);
	errno = 0;
	p->fd = open(part, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (p->fd < 0 || !write_all(p->fd, p->header, PLACE_HEADER_BYTES, 0) || fsync(p->fd) ||
	    rename(part, to))
		err = errno ? errno : EIO;
	if (!err)
		err = files_sync_parent(to);
	if (!err)
		return RC_OK;
	reason_set(why, err == EACCES || err == EPERM ? RC_PERM : RC_DEVICE,
		   "Header file %s can't be made: %s.", to, strerror(err));
	unlink(part);
	return why->rc;
}

int place_detached(const char *header, const char *to, struct reason *why)
{
	struct place p = { .device = to, .fd = -1 };
	struct stat st;
	int rc;

	if (!stat(to, &st) && S_ISBLK(st.st_mode)) {
		rc = open_device(&p, to, 0, why);
		if (!rc && p.size < PLACE_HEADER_BYTES)
			rc = reason_set(why, RC_DEVICE, "%s has %" PRIu64 " KiB: a header takes %" PRIu64 ".",
					to, p.size / 1024, PLACE_HEADER_BYTES / 1024);
		if (!rc)
			rc = read_file(&p, header, why);
		if (!rc)
			rc = clear_magic(&p, why);
		if (!rc)
			rc = write_header(&p, 0, false, why);
	} else {
		p.header = malloc(PLACE_HEADER_BYTES);
		rc = p.header ? read_file(&p, header, why) : reason_nomem(why);
		if (!rc)
			rc = write_file(&p, to, why);
	}
	close_device(&p);
	return rc;
}
