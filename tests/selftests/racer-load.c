// SPDX-License-Identifier: GPL-2.0-only
/*
 * The submitters: threads that have direct I/O of all sizes under way, several
 * requests each, in ranges that overlap. What is begun is told to the histories
 * of its units before, and what has ended after.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "racer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define MAX_BYTES	(1U << 20)
#define MAX_PIECES	4
#define ARENA		(MAX_BYTES + (MAX_PIECES + 1) * 16384)
#define UNITS_PER_LOCK	128

/* Requests meet in these: by one half in the first, by a quarter in the second. */
#define HOT_UNITS	48
#define WARM_UNITS	1024

/* Completions that come too late or too often are waited for this long. */
#define SETTLE_NS	100000000L

/* After so many nothing new is learned. */
#define ENOUGH_FAILURES	4

enum request_kind {
	READ,
	WRITE,
	DISCARD,
	ZEROES,
	FLUSH,
	NR_KINDS,
};

static const char * const kind_name[NR_KINDS] = { "reads", "writes", "discards", "zeroes", "flushes" };

struct piece {
	char *data;
	unsigned int units;
};

struct request {
	struct iocb cb;
	enum request_kind kind;
	uint64_t unit;
	unsigned int nr;
	uint64_t value;
	uint32_t generation;
	bool busy;
	char *arena;
	struct piece piece[MAX_PIECES];
	struct iovec iov[MAX_PIECES];
	unsigned int nr_pieces;
	uint8_t *op;
};

struct thread {
	pthread_t thread;
	unsigned int index;
	uint64_t random;
	int fd;
	aio_context_t ctx;
	struct request *request;
	unsigned int flying;
};

static struct options options;
static struct thread *threads;
static struct history *histories;
static pthread_mutex_t *locks;
static uint64_t nr_locks;

static _Atomic uint64_t size;
static _Atomic uint64_t next_value = VALUE_FIRST;
static _Atomic unsigned int failures;
static _Atomic uint64_t count[NR_KINDS], errors[NR_KINDS], units_read, met;

/* What the threads are to do, and how many of them do nothing. */
static pthread_mutex_t order_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t order_changed = PTHREAD_COND_INITIALIZER;
static enum { RUN, HALT, STOP } order = HALT;
static _Atomic bool running;
static unsigned int idle;

/* Failures ------------------------------------------------------------------ */

static pthread_mutex_t report_lock = PTHREAD_MUTEX_INITIALIZER;

static void __attribute__((format(printf, 2, 3)))
failure(const struct history *h, const char *format, ...)
{
	va_list args;

	pthread_mutex_lock(&report_lock);
	if (atomic_fetch_add(&failures, 1) < ENOUGH_FAILURES) {
		fprintf(stderr, "racer: ");
		va_start(args, format);
		vfprintf(stderr, format, args);
		va_end(args);
		fprintf(stderr, "\n");
		if (h)
			history_print(h, stderr);
		fflush(stderr);
	}
	pthread_mutex_unlock(&report_lock);
}

unsigned int load_failures(void)
{
	return failures;
}

/* Histories ----------------------------------------------------------------- */

static pthread_mutex_t *lock_of(uint64_t unit)
{
	return &locks[unit / UNITS_PER_LOCK];
}

/* Begin a request in the histories of all its units, or of none. */
static bool begin_units(uint64_t unit, unsigned int nr, enum op_kind kind, uint64_t value,
			unsigned int thread, uint8_t *op)
{
	uint64_t first = unit / UNITS_PER_LOCK, last = (unit + nr - 1) / UNITS_PER_LOCK, i;
	bool room = true;
	unsigned int meets = 0;

	for (i = first; i <= last; i++)
		pthread_mutex_lock(&locks[i]);
	for (i = 0; i < nr && room; i++)
		room = history_takes(&histories[unit + i], kind);
	for (i = 0; i < nr && room; i++) {
		meets += !!histories[unit + i].used;
		op[i] = (uint8_t)history_begin(&histories[unit + i], kind,
			value == VALUE_ZEROES ? stamp_zeroes(unit + i) : value, thread);
	}
	for (i = first; i <= last; i++)
		pthread_mutex_unlock(&locks[i]);
	if (room)
		met += meets;
	return room;
}

static void end_unit(uint64_t unit, uint8_t op, enum op_end how, uint64_t value,
		     unsigned int thread)
{
	struct history *h = &histories[unit];

	pthread_mutex_lock(lock_of(unit));
	if (!history_end(h, op, how, value, thread))
		failure(h, "unit %" PRIu64 ": not linear: an older value, or one that was not written last",
			unit);
	pthread_mutex_unlock(lock_of(unit));
}

/* A unit that was read. */
static void end_read(uint64_t unit, uint8_t op, const void *data, unsigned int thread,
		     const char *where)
{
	char why[WHY_SIZE];
	uint64_t value = 0;
	bool known = stamp_read(data, unit, &value, why);

	if (!known) {
		pthread_mutex_lock(lock_of(unit));
		failure(&histories[unit], "unit %" PRIu64 " of %s: %s", unit, where, why);
		pthread_mutex_unlock(lock_of(unit));
	}
	end_unit(unit, op, known ? END_DONE : END_MAYBE, value, thread);
}

/* Requests ------------------------------------------------------------------ */

static unsigned int below(struct thread *t, uint64_t n)
{
	t->random = mix(t->random);
	return (unsigned int)((t->random >> 16) % n);
}

static char *data_of(const struct request *r, unsigned int unit)
{
	const struct piece *p = r->piece;

	while (unit >= p->units)
		unit -= (p++)->units;
	return p->data + (size_t)unit * options.unit_bytes;
}

/*
 * Memory for a request, in pieces that lie in order or the other way round, each
 * between two units that nobody may touch.
 */
static void place(struct thread *t, struct request *r)
{
	unsigned int unit = options.unit_bytes, left = r->nr, i;
	bool reverse = below(t, 2);
	char *at = r->arena;

	r->nr_pieces = 0;
	while (left) {
		struct piece *p = &r->piece[r->nr_pieces++];

		p->units = left;
		if (r->nr_pieces < MAX_PIECES && left > 1 && !below(t, 3))
			p->units = 1 + below(t, left - 1);
		left -= p->units;
	}
	for (i = 0; i < r->nr_pieces; i++) {
		struct piece *p = &r->piece[reverse ? r->nr_pieces - 1 - i : i];

		at += below(t, 4096 / unit) * unit;
		stamp_poison(at);
		p->data = at + unit;
		at = p->data + (size_t)p->units * unit;
		stamp_poison(at);
		at += unit;
	}
	for (i = 0; i < r->nr_pieces; i++)
		r->iov[i] = (struct iovec) {
			.iov_base = r->piece[i].data,
			.iov_len = (size_t)r->piece[i].units * unit,
		};
}

static bool is_poison(const char *data)
{
	static const unsigned char poison[4096] = { [0 ... 4095] = 0xdb };

	return !memcmp(data, poison, options.unit_bytes);
}

static void check_surroundings(const struct request *r)
{
	unsigned int i;

	for (i = 0; i < r->nr_pieces; i++) {
		const struct piece *p = &r->piece[i];

		if (!is_poison(p->data - options.unit_bytes) ||
		    !is_poison(p->data + (size_t)p->units * options.unit_bytes))
			failure(NULL, "units %" PRIu64 " + %u: memory beside the request was written to",
				r->unit, r->nr);
	}
}

static void fill(struct thread *t, struct request *r)
{
	unsigned int i;

	for (i = 0; i < r->nr; i++) {
		if (r->kind == WRITE)
			stamp_write(data_of(r, i), r->unit + i, r->value, t->index);
		else
			stamp_poison(data_of(r, i));
	}
}

static void check_written(const struct request *r)
{
	char why[WHY_SIZE] = "another write";
	uint64_t value;
	unsigned int i;

	for (i = 0; i < r->nr; i++)
		if (!stamp_read(data_of(r, i), r->unit + i, &value, why) || value != r->value) {
			failure(NULL, "unit %" PRIu64 ": the submitter's memory was changed by a write: %s",
				r->unit + i, why);
			return;
		}
}

static enum request_kind choose_kind(struct thread *t)
{
	switch (__atomic_load_n(&options.mix[below(t, sizeof(options.mix))], __ATOMIC_RELAXED)) {
	case 'w':
		return WRITE;
	case 'd':
		return DISCARD;
	case 'z':
		return ZEROES;
	case 'f':
		return FLUSH;
	default:
		return READ;
	}
}

static unsigned int choose_nr(struct thread *t)
{
	unsigned int max = MAX_BYTES / options.unit_bytes, limit;

	switch (below(t, 16)) {
	case 0 ... 6:
		return 1;
	case 7 ... 9:
		limit = 4096 / options.unit_bytes;
		break;
	case 10 ... 12:
		limit = 32768 / options.unit_bytes;
		break;
	case 13 ... 14:
		limit = 262144 / options.unit_bytes;
		break;
	default:
		limit = max;
		break;
	}
	return 1 + below(t, limit);
}

static void choose_place(struct thread *t, struct request *r)
{
	uint64_t within = size, room;

	switch (below(t, 4)) {
	case 0 ... 1:
		within = HOT_UNITS;
		break;
	case 2:
		within = WARM_UNITS;
		break;
	}
	if (within > size)
		within = size;
	r->nr = choose_nr(t);
	if (r->nr > within)
		r->nr = 1 + below(t, within);
	room = within - r->nr + 1;
	r->unit = below(t, room);
}

static enum op_kind op_kind_of(const struct request *r)
{
	return r->kind == READ ? OP_READ : OP_WRITE;
}

/* Return: false if all places that were tried are busy. */
static bool prepare(struct thread *t, struct request *r)
{
	unsigned int tries;

	r->kind = choose_kind(t);
	r->nr_pieces = 0;
	r->nr = 0;
	r->generation++;
	if (r->kind == FLUSH)
		return true;
	switch (r->kind) {
	case WRITE:
		r->value = atomic_fetch_add(&next_value, 1);
		break;
	case ZEROES:
		r->value = VALUE_ZEROES;
		break;
	default:
		r->value = VALUE_BASE;
		break;
	}
	for (tries = 0; tries < 8; tries++) {
		choose_place(t, r);
		if (r->kind == READ || r->kind == WRITE) {
			place(t, r);
			fill(t, r);
		}
		if (begin_units(r->unit, r->nr, op_kind_of(r), r->value, t->index, r->op))
			return true;
	}
	return false;
}

static bool may_fail(const struct request *r, long long result)
{
	if (options.errors)
		return result == -EIO || result == -EOPNOTSUPP;
	return r->kind == DISCARD && options.loose_discards && result == -EOPNOTSUPP;
}

static void finish(struct thread *t, struct request *r, long long result)
{
	long long want = (long long)r->nr * options.unit_bytes;
	enum op_end how = END_DONE;
	unsigned int i;

	r->busy = false;
	count[r->kind]++;
	if (result < 0) {
		errors[r->kind]++;
		how = END_MAYBE;
		if (!may_fail(r, result))
			failure(NULL, "%s of units %" PRIu64 " + %u: %s", kind_name[r->kind], r->unit,
				r->nr, strerror((int)-result));
	} else if ((r->kind == READ || r->kind == WRITE) && result != want) {
		how = END_MAYBE;
		failure(NULL, "%s of units %" PRIu64 " + %u: %lld bytes of %lld", kind_name[r->kind],
			r->unit, r->nr, result, want);
	} else if (r->kind == DISCARD && options.loose_discards) {
		how = END_MAYBE;
	}

	check_surroundings(r);
	if (r->kind == WRITE)
		check_written(r);
	for (i = 0; i < r->nr; i++) {
		if (r->kind == READ && how == END_DONE)
			end_read(r->unit + i, r->op[i], data_of(r, i), t->index, options.device);
		else
			end_unit(r->unit + i, r->op[i], how, 0, t->index);
	}
	if (r->kind == READ && how == END_DONE)
		units_read += r->nr;
}

/* Asynchronous -------------------------------------------------------------- */

static void submit(struct thread *t, struct request *r)
{
	struct iocb *cb = &r->cb;
	long n;

	memset(cb, 0, sizeof(*cb));
	cb->aio_data = (uint64_t)r->generation << 32 | (uint64_t)(r - t->request);
	cb->aio_fildes = (uint32_t)t->fd;
	if (r->kind == FLUSH) {
		cb->aio_lio_opcode = IOCB_CMD_FDSYNC;
	} else {
		cb->aio_lio_opcode = r->kind == READ ? IOCB_CMD_PREADV : IOCB_CMD_PWRITEV;
		cb->aio_buf = (uintptr_t)r->iov;
		cb->aio_nbytes = r->nr_pieces;
		cb->aio_offset = (int64_t)(r->unit * options.unit_bytes);
		if (r->kind == WRITE && !below(t, 16))
			cb->aio_rw_flags = RWF_DSYNC;
	}
	r->busy = true;
	t->flying++;
	n = syscall(SYS_io_submit, t->ctx, 1L, &cb);
	if (n != 1) {
		t->flying--;
		finish(t, r, n < 0 ? -errno : -EAGAIN);
	}
}

/* Take what has come within @ns nanoseconds. */
static void reap(struct thread *t, long wanted, long ns)
{
	struct timespec timeout = { .tv_nsec = ns };
	struct io_event event[64];
	long n, i;

	n = syscall(SYS_io_getevents, t->ctx, wanted, 64L, event, &timeout);
	if (n < 0 && errno != EINTR)
		failure(NULL, "io_getevents: %s", strerror(errno));
	for (i = 0; i < n; i++) {
		struct request *r = &t->request[event[i].data & 0xffffffff];

		if (!r->busy || r->generation != event[i].data >> 32) {
			failure(NULL, "%s of units %" PRIu64 " + %u: answered twice",
				kind_name[r->kind], r->unit, r->nr);
			continue;
		}
		t->flying--;
		finish(t, r, event[i].res);
	}
}

/* One after the other ------------------------------------------------------- */

static long long do_now(struct thread *t, struct request *r)
{
	uint64_t range[2] = { r->unit * options.unit_bytes, (uint64_t)r->nr * options.unit_bytes };
	off_t offset = (off_t)range[0];
	ssize_t n = 0;

	switch (r->kind) {
	case READ:
		n = preadv2(t->fd, r->iov, (int)r->nr_pieces, offset, 0);
		break;
	case WRITE:
		n = pwritev2(t->fd, r->iov, (int)r->nr_pieces, offset, below(t, 4) ? 0 : RWF_DSYNC);
		break;
	case DISCARD:
		n = ioctl(t->fd, BLKDISCARD, range);
		break;
	case ZEROES:
		n = ioctl(t->fd, BLKZEROOUT, range);
		break;
	default:
		n = fdatasync(t->fd);
		break;
	}
	return n < 0 ? -errno : n;
}

static void start_one(struct thread *t, struct request *r)
{
	if (!prepare(t, r))
		return;
	if (r->kind != DISCARD && r->kind != ZEROES && below(t, 8)) {
		submit(t, r);
		return;
	}
	r->busy = true;
	finish(t, r, do_now(t, r));
}

static void think(struct thread *t)
{
	struct timespec pause = { 0 };

	if (!options.think)
		return;
	pause.tv_nsec = (long)below(t, 2 * (uint64_t)options.think) * 1000;
	nanosleep(&pause, NULL);
}

/* Threads ------------------------------------------------------------------- */

static struct request *free_request(struct thread *t)
{
	unsigned int i;

	for (i = 0; i < options.depth; i++)
		if (!t->request[i].busy)
			return &t->request[i];
	return NULL;
}

static void race(struct thread *t)
{
	while (running) {
		unsigned int some = 1 + below(t, options.depth);
		struct request *r;

		/* A burst, then a while for those to end. */
		while (some-- && (r = free_request(t)))
			start_one(t, r);
		think(t);
		reap(t, t->flying == options.depth, t->flying == options.depth ? 50000000 : 0);
	}
}

/* Until all is answered, and then whatever is answered again. */
static void drain(struct thread *t)
{
	while (t->flying)
		reap(t, 1, 50000000);
	reap(t, 1, SETTLE_NS);
}

static bool open_device(struct thread *t)
{
	t->fd = open(options.device, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (t->fd < 0)
		failure(NULL, "%s: %s", options.device, strerror(errno));
	return t->fd >= 0;
}

static void *thread_main(void *data)
{
	struct thread *t = data;

	pthread_mutex_lock(&order_lock);
	while (order != STOP) {
		if (order == HALT) {
			pthread_cond_wait(&order_changed, &order_lock);
			continue;
		}
		idle--;
		pthread_mutex_unlock(&order_lock);
		if (open_device(t)) {
			race(t);
			drain(t);
			close(t->fd);
		}
		pthread_mutex_lock(&order_lock);
		idle++;
		pthread_cond_broadcast(&order_changed);
		/* One that could not open it has nothing to do until it is told anew. */
		while (t->fd < 0 && order == RUN)
			pthread_cond_wait(&order_changed, &order_lock);
	}
	pthread_mutex_unlock(&order_lock);
	return NULL;
}

static void give_order(int what)
{
	pthread_mutex_lock(&order_lock);
	order = what;
	running = what == RUN;
	pthread_cond_broadcast(&order_changed);
	pthread_mutex_unlock(&order_lock);
}

bool load_start(void)
{
	give_order(RUN);
	return true;
}

static void list_flying(void)
{
	unsigned int i, j;

	for (i = 0; i < options.threads; i++)
		for (j = 0; j < options.depth; j++) {
			const struct request *r = &threads[i].request[j];

			if (r->busy)
				failure(NULL, "%s of units %" PRIu64 " + %u by thread %u: never answered",
					kind_name[r->kind], r->unit, r->nr, i);
		}
}

/* Have all requests answered and the device closed. */
bool load_halt(void)
{
	struct timespec until;
	int r = 0;

	give_order(HALT);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += options.patience;
	pthread_mutex_lock(&order_lock);
	while (idle < options.threads && r != ETIMEDOUT)
		r = pthread_cond_timedwait(&order_changed, &order_lock, &until);
	pthread_mutex_unlock(&order_lock);
	if (r == ETIMEDOUT)
		list_flying();
	return r != ETIMEDOUT;
}

/* Leaving it to the end of the process, where its ring is unmapped, UML complains. */
void load_stop(void)
{
	unsigned int i;

	give_order(STOP);
	for (i = 0; i < options.threads; i++) {
		pthread_join(threads[i].thread, NULL);
		syscall(SYS_io_destroy, threads[i].ctx);
	}
}

void load_resize(uint64_t units)
{
	size = units < options.nr_units ? units : options.nr_units;
}

/* Read by threads meanwhile: a letter is the old one or the new. */
void load_mix(const char *letters)
{
	size_t i;

	for (i = 0; i < sizeof(options.mix); i++)
		__atomic_store_n(&options.mix[i], letters[i % strlen(letters)], __ATOMIC_RELAXED);
}

static bool thread_init(struct thread *t, unsigned int index)
{
	unsigned int i;

	t->index = index;
	t->random = mix(options.seed + index);
	t->request = calloc(options.depth, sizeof(*t->request));
	if (!t->request || syscall(SYS_io_setup, options.depth, &t->ctx))
		return false;
	for (i = 0; i < options.depth; i++) {
		struct request *r = &t->request[i];

		r->arena = mmap(NULL, ARENA, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		r->op = malloc(MAX_BYTES / options.unit_bytes);
		if (r->arena == MAP_FAILED || !r->op)
			return false;
	}
	idle++;
	return !pthread_create(&t->thread, NULL, thread_main, t);
}

/* Return: 0, or -1 with errno set. */
int load_init(const struct options *o)
{
	unsigned int i;
	uint64_t unit;

	options = *o;
	load_mix(o->mix);
	size = o->size;
	nr_locks = o->nr_units / UNITS_PER_LOCK + 1;
	histories = malloc(o->nr_units * sizeof(*histories));
	locks = malloc(nr_locks * sizeof(*locks));
	threads = calloc(o->threads, sizeof(*threads));
	if (!histories || !locks || !threads)
		return -1;
	for (unit = 0; unit < o->nr_units; unit++)
		if (history_init(&histories[unit], VALUE_BASE))
			return -1;
	for (unit = 0; unit < nr_locks; unit++)
		pthread_mutex_init(&locks[unit], NULL);
	for (i = 0; i < o->threads; i++)
		if (!thread_init(&threads[i], i))
			return -1;
	return 0;
}

/* Afterwards ---------------------------------------------------------------- */

/* Every unit of @path, while nobody else does anything. */
static bool for_all_units(const char *path, void (*look)(uint64_t unit, const void *data,
							 const char *path))
{
	unsigned int bytes = 131072, i;
	uint64_t unit = 0, n;
	char *data;
	int fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);

	data = aligned_alloc(4096, bytes);
	if (fd < 0 || !data)
		failure(NULL, "%s: %s", path, strerror(errno));
	while (fd >= 0 && data && unit < size) {
		ssize_t r;

		n = size - unit < bytes / options.unit_bytes ? size - unit : bytes / options.unit_bytes;
		for (i = 0; i < n; i++)
			stamp_poison(data + (size_t)i * options.unit_bytes);
		r = pread(fd, data, n * options.unit_bytes, (off_t)(unit * options.unit_bytes));
		if (r != (ssize_t)(n * options.unit_bytes)) {
			failure(NULL, "%s: reading unit %" PRIu64 ": %s", path, unit,
				r < 0 ? strerror(errno) : "too short");
			break;
		}
		for (i = 0; i < n; i++)
			look(unit + i, data + (size_t)i * options.unit_bytes, path);
		unit += n;
	}
	if (fd >= 0)
		close(fd);
	free(data);
	return !failures;
}

static void check_unit(uint64_t unit, const void *data, const char *path)
{
	uint8_t op;

	/* No room for it: its history is broken. */
	if (begin_units(unit, 1, OP_READ, 0, options.threads, &op))
		end_read(unit, op, data, options.threads, path);
}

/* Is there on @path what the histories say? */
bool load_check(const char *path)
{
	return for_all_units(path, check_unit);
}

static void raw_unit(uint64_t unit, const void *data, const char *path)
{
	if (stamp_is_one(data))
		failure(NULL, "unit %" PRIu64 " of %s: plaintext", unit, path);
}

/* Is there nothing of the plaintext on @path? */
bool load_raw(const char *path)
{
	return for_all_units(path, raw_unit);
}

void load_report(void)
{
	unsigned int kind;

	for (kind = 0; kind < NR_KINDS; kind++)
		fprintf(stderr, "racer: %" PRIu64 " %s, %" PRIu64 " errors\n", (uint64_t)count[kind],
			kind_name[kind], (uint64_t)errors[kind]);
	fprintf(stderr, "racer: %" PRIu64 " units read, %" PRIu64 " met others\n",
		(uint64_t)units_read, (uint64_t)met);
	fflush(stderr);
}
