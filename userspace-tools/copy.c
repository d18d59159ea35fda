// SPDX-License-Identifier: GPL-2.0-only
#include <aio.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "copy.h"
#include "progress.h"
#include "secmem.h"

/* One I/O; a multiple of every sector size. */
#define BLOCK	(1U << 20)

/*
 * How much a crash may cost: a part of the whole, for a checkpoint costs some
 * flushes, and a copy of a day should not lose an hour.
 */
#define CHECKPOINTS		64
#define CHECKPOINT_MIN		(UINT64_C(4) << 20)
#define CHECKPOINT_MAX		(UINT64_C(1) << 30)

/* The destination's I/O runs while the source is read into the other buffer. */
struct engine {
	const struct copy *c;
	struct secmem *buffer[2];
	unsigned int turn;
	struct aiocb io;
	bool busy;
	uint64_t saved;		/* the last checkpoint */
	struct progress progress;
};

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t round_up(uint64_t n, unsigned int to)
{
	return (n + to - 1) / to * to;
}

static bool stopped(const struct copy *c)
{
	return c->stop && *c->stop;
}

static int engine_start(struct engine *e, const struct copy *c, const char *verb, uint64_t to,
			uint64_t from, struct reason *why)
{
	unsigned int i;

	memset(e, 0, sizeof(*e));
	e->c = c;
	e->saved = from;
	for (i = 0; i < 2; i++) {
		e->buffer[i] = secmem_new(BLOCK);
		if (!e->buffer[i])
			return reason_set(why, RC_NOMEM,
				"No memory that can be locked for the data: %s (see ulimit -l).",
				strerror(errno));
	}
	progress_start(&e->progress, verb, to, from, c->quiet);
	return RC_OK;
}

/* Waits for the I/O that is under way; an errno. */
static int settle(struct engine *e)
{
	const struct aiocb *list[] = { &e->io };
	ssize_t n;
	int err;

	if (!e->busy)
		return 0;
	while ((err = aio_error(&e->io)) == EINPROGRESS)
		aio_suspend(list, 1, NULL);
	n = aio_return(&e->io);
	e->busy = false;
	if (!err && n != (ssize_t)e->io.aio_nbytes)
		err = EIO;
	return err;
}

/* The buffers must not go away while an I/O uses them. */
static void engine_stop(struct engine *e)
{
	settle(e);
	secmem_free(&e->buffer[0]);
	secmem_free(&e->buffer[1]);
}

static int io_failed(const char *what, const char *name, uint64_t offset, int err,
		     struct reason *why)
{
	return reason_set(why, RC_DEVICE, "%s %s failed near byte %" PRIu64 ": %s.", what, name,
			  offset, strerror(err));
}

static int start_io(struct engine *e, int (*op)(struct aiocb *io), struct secmem *buffer,
		    uint64_t offset, size_t size)
{
	memset(&e->io, 0, sizeof(e->io));
	e->io.aio_fildes = e->c->destination;
	e->io.aio_buf = secmem_data(buffer);
	e->io.aio_nbytes = size;
	e->io.aio_offset = (off_t)offset;
	e->io.aio_sigevent.sigev_notify = SIGEV_NONE;
	if (op(&e->io))
		return errno;
	e->busy = true;
	return 0;
}

static int read_source(const struct copy *c, struct secmem *buffer, uint64_t offset, size_t size,
		       struct reason *why)
{
	size_t got = 0;
	ssize_t n;

	while (got < size) {
		n = pread(c->source, secmem_data(buffer) + got, size - got, (off_t)(offset + got));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return io_failed("Reading", c->source_name, offset + got, n ? errno : EIO, why);
		got += (size_t)n;
	}
	return RC_OK;
}

/*
 * The next stretch at or after @from with data in it, in whole sectors of the
 * destination. False: there is none before @to.
 */
static bool next_data(const struct copy *c, uint64_t from, uint64_t to, uint64_t *start,
		      uint64_t *end)
{
	off_t data, hole;

	if (from >= to)
		return false;
	*start = from;
	*end = to;
	if (c->image < 0)
		return true;
	data = lseek(c->image, (off_t)(c->image_offset + from), SEEK_DATA);
	if (data < 0)
		return errno != ENXIO;	/* a file system that doesn't know has no holes */
	hole = lseek(c->image, data, SEEK_HOLE);
	*start = ((uint64_t)data - c->image_offset) / c->align * c->align;
	if (*start < from)
		*start = from;
	if (hole >= 0)
		*end = least(to, round_up((uint64_t)hole - c->image_offset, c->align));
	return *start < to;
}

static uint64_t checkpoint_interval(const struct copy *c)
{
	uint64_t n = c->size / CHECKPOINTS;

	if (n < CHECKPOINT_MIN)
		return CHECKPOINT_MIN;
	return least(n, CHECKPOINT_MAX);
}

static int save(struct engine *e, uint64_t done, struct reason *why)
{
	const struct copy *c = e->c;
	int err;

	err = settle(e);
	if (!err && fsync(c->destination))
		err = errno;
	if (err)
		return io_failed("Writing to", c->destination_name, e->saved, err, why);
	e->saved = done;
	return c->checkpoint(c->arg, done, why);
}

static int copy_block(struct engine *e, uint64_t offset, size_t size, struct reason *why)
{
	struct secmem *buffer = e->buffer[e->turn];
	size_t padded = (size_t)round_up(size, e->c->align);
	int rc, err;

	rc = read_source(e->c, buffer, offset, size, why);
	if (rc)
		return rc;
	memset(secmem_data(buffer) + size, 0, padded - size);
	err = settle(e);
	if (!err)
		err = start_io(e, aio_write, buffer, offset, padded);
	if (err)
		return io_failed("Writing to", e->c->destination_name, offset, err, why);
	e->turn ^= 1;
	return RC_OK;
}

static int copy_stretch(struct engine *e, uint64_t start, uint64_t end, struct reason *why)
{
	uint64_t offset, size;
	int rc;

	for (offset = start; offset < end; offset += size) {
		if (stopped(e->c)) {
			rc = save(e, offset, why);
			return rc ? rc : COPY_STOPPED;
		}
		size = least(BLOCK, end - offset);
		rc = copy_block(e, offset, size, why);
		if (!rc && offset + size - e->saved >= checkpoint_interval(e->c))
			rc = save(e, offset + size, why);
		if (rc)
			return rc;
		progress_show(&e->progress, offset + size);
	}
	return RC_OK;
}

int copy_data(const struct copy *c, uint64_t from, struct reason *why)
{
	uint64_t start, end, done = from;
	struct engine e;
	int rc;

	rc = engine_start(&e, c, "written", c->size, from, why);
	while (!rc && next_data(c, done, c->size, &start, &end)) {
		rc = copy_stretch(&e, start, end, why);
		done = end;
	}
	if (!rc)
		rc = save(&e, c->size, why);
	if (e.buffer[1])
		progress_end(&e.progress, e.saved);
	engine_stop(&e);
	return rc;
}

static int differs(const struct copy *c, const unsigned char *a, const unsigned char *b,
		   uint64_t offset, uint64_t *where, struct reason *why)
{
	uint64_t i;

	for (i = 0; a[i] == b[i]; i++)
		;
	*where = offset + i;
	reason_set(why, RC_DEVICE,
		   "%s differs from %s at byte %" PRIu64 " of the data: the copy is not good.\n"
		   "Either the source was written to meanwhile, or the destination doesn't keep what it is given.",
		   c->destination_name, c->source_name, *where);
	return COPY_DIFFERS;
}

static int verify_block(struct engine *e, uint64_t offset, size_t size, uint64_t *where,
			struct reason *why)
{
	const struct copy *c = e->c;
	const unsigned char *a = secmem_data(e->buffer[0]), *b = secmem_data(e->buffer[1]);
	int rc, err;

	err = start_io(e, aio_read, e->buffer[1], offset, (size_t)round_up(size, c->align));
	if (!err) {
		rc = read_source(c, e->buffer[0], offset, size, why);
		err = settle(e);
		if (rc)
			return rc;
	}
	if (err)
		return io_failed("Reading", c->destination_name, offset, err, why);
	return memcmp(a, b, size) ? differs(c, a, b, offset, where, why) : RC_OK;
}

int copy_verify(const struct copy *c, uint64_t from, uint64_t to, uint64_t *where,
		struct reason *why)
{
	uint64_t start, end, offset = from, size, done = from;
	struct engine e;
	int rc;

	rc = engine_start(&e, c, "verified", to, from, why);
	while (!rc && next_data(c, done, to, &start, &end)) {
		for (offset = start; !rc && offset < end; offset += size) {
			size = least(BLOCK, end - offset);
			rc = COPY_STOPPED;
			if (!stopped(c))
				rc = verify_block(&e, offset, (size_t)size, where, why);
			progress_show(&e.progress, offset);
		}
		done = end;
	}
	if (e.buffer[1])
		progress_end(&e.progress, rc ? offset : to);
	engine_stop(&e);
	return rc;
}
