// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <linux/dm-ioctl.h>
#include <linux/fs.h>
#include <linux/keyctl.h>

#include "kern.h"

static unsigned int results, failed;

/*
 * Reports
 */

static void say(const char *kind, const char *desc, const char *fmt, va_list args)
{
	printf("%s\t%s\t", kind, desc);
	vprintf(fmt, args);
	putchar('\n');
	fflush(stdout);
}

void say_ok(const char *fmt, ...)
{
	va_list args;

	results++;
	fputs("ok\t", stdout);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

void say_fail(const char *desc, const char *fmt, ...)
{
	va_list args;

	results++;
	failed++;
	va_start(args, fmt);
	say("fail", desc, fmt, args);
	va_end(args);
}

void say_skip(const char *desc, const char *fmt, ...)
{
	va_list args;

	results++;
	va_start(args, fmt);
	say("skip", desc, fmt, args);
	va_end(args);
}

void say_diag(const char *fmt, ...)
{
	va_list args;

	fputs("diag\t", stdout);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

#define MAX_MADE	64
#define MAX_FD		256

static struct dm_dev *made[MAX_MADE];
static int control_fd = -1;

/* Leaves no mapping behind, unless it is clearing away that failed. */
void die(const char *fmt, ...)
{
	static bool dying;
	va_list args;
	int i;

	va_start(args, fmt);
	say("fail", "the program could go on", fmt, args);
	va_end(args);
	if (dying)
		exit(2);
	dying = true;
	for (i = 3; i < MAX_FD; i++)
		if (i != control_fd)
			close(i);
	/* Last made, first removed: mappings stand on each other. */
	for (i = MAX_MADE; i-- > 0;)
		if (made[i])
			dm_remove(made[i]);
	exit(2);
}

int finish(void)
{
	printf("end\t%u\n", results);
	fflush(stdout);
	return failed ? 1 : 0;
}

/*
 * Randomness (xorshift64*) and memory
 */

static uint64_t rnd_state;

void rnd_seed(uint64_t seed)
{
	/* Short, so that it can be typed. */
	while (!seed) {
		if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
			die("getrandom: %s", strerror(errno));
		seed &= 0xffffffff;
	}
	say_diag("seed %llu", (unsigned long long)seed);
	rnd_state = seed * 0x9e3779b97f4a7c15ULL;
	if (!rnd_state)
		rnd_state = 1;
}

uint64_t rnd(void)
{
	rnd_state ^= rnd_state >> 12;
	rnd_state ^= rnd_state << 25;
	rnd_state ^= rnd_state >> 27;
	return rnd_state * 0x2545f4914f6cdd1dULL;
}

uint64_t rnd_below(uint64_t limit)
{
	return (rnd() >> 8) % limit;
}

void rnd_bytes(void *buf, size_t len)
{
	uint8_t *p = buf;

	while (len) {
		uint64_t v = rnd();
		size_t n = len < sizeof(v) ? len : sizeof(v);

		memcpy(p, &v, n);
		p += n;
		len -= n;
	}
}

void *page_alloc(size_t len)
{
	void *p;

	if (posix_memalign(&p, 4096, len))
		die("no memory for %zu bytes", len);
	memset(p, 0, len);
	return p;
}

/*
 * Keys
 */

void key_load(const char *name, const uint8_t *key, size_t len, char *ref, size_t size)
{
	char desc[64];

	snprintf(desc, sizeof(desc), "dmsse:%s", name);
	if (syscall(SYS_add_key, "logon", desc, key, len, KEY_SPEC_PROCESS_KEYRING) < 0)
		die("add_key %s: %s", desc, strerror(errno));
	snprintf(ref, size, ":%zu:logon:%s", len, desc);
}

/*
 * Mappings
 */

void table_reset(struct dm_table *t)
{
	t->count = 0;
}

void table_add(struct dm_table *t, uint64_t start, uint64_t len, const char *type,
	       const char *fmt, ...)
{
	va_list args;
	int n;

	if (t->count == DM_MAX_TARGETS)
		die("too many targets in a table");
	t->line[t->count].start = start;
	t->line[t->count].len = len;
	snprintf(t->line[t->count].type, sizeof(t->line[0].type), "%s", type);
	va_start(args, fmt);
	n = vsnprintf(t->line[t->count].params, sizeof(t->line[0].params), fmt, args);
	va_end(args);
	if (n < 0 || (size_t)n >= sizeof(t->line[0].params))
		die("table line too long");
	t->count++;
}

static int control(void)
{
	if (control_fd < 0)
		control_fd = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
	if (control_fd < 0)
		die("/dev/mapper/control: %s", strerror(errno));
	return control_fd;
}

/* 16 KiB are room for a table of DM_MAX_TARGETS. */
struct dm_buf {
	struct dm_ioctl io;
	char payload[16384 - sizeof(struct dm_ioctl)];
};

static void dm_prepare(struct dm_buf *b, const char *name)
{
	memset(b, 0, sizeof(*b));
	b->io.version[0] = 4;
	b->io.data_size = sizeof(*b);
	b->io.data_start = sizeof(b->io);
	snprintf(b->io.name, sizeof(b->io.name), "%s", name);
	/* Where udev runs, it need not look into these devices. */
	b->io.event_nr = 0xe << 16;
}

static int dm_load(struct dm_buf *b, const char *name, const struct dm_table *t)
{
	unsigned int i;
	size_t at = 0;

	dm_prepare(b, name);
	b->io.target_count = t->count;
	for (i = 0; i < t->count; i++) {
		struct dm_target_spec spec = {
			.sector_start = t->line[i].start,
			.length = t->line[i].len,
		};
		size_t len = strlen(t->line[i].params) + 1;
		size_t step = (sizeof(spec) + len + 7) / 8 * 8;

		if (at + step > sizeof(b->payload))
			die("table too long");
		spec.next = step;
		snprintf(spec.target_type, sizeof(spec.target_type), "%s", t->line[i].type);
		memcpy(b->payload + at, &spec, sizeof(spec));
		memcpy(b->payload + at + sizeof(spec), t->line[i].params, len);
		at += step;
	}
	return ioctl(control(), DM_TABLE_LOAD, b) ? errno : 0;
}

static int dm_resume(struct dm_buf *b, const char *name)
{
	dm_prepare(b, name);
	return ioctl(control(), DM_DEV_SUSPEND, b) ? errno : 0;
}

static void forget(const struct dm_dev *dev)
{
	size_t i;

	for (i = 0; i < MAX_MADE; i++)
		if (made[i] == dev)
			made[i] = NULL;
}

static void remember(struct dm_dev *dev)
{
	size_t i;

	for (i = 0; i < MAX_MADE; i++) {
		if (!made[i]) {
			made[i] = dev;
			return;
		}
	}
	die("too many mappings");
}

int dm_create(struct dm_dev *dev, const char *name, const struct dm_table *t)
{
	static struct dm_buf b;
	int err;

	snprintf(dev->name, sizeof(dev->name), "dmsse-%s-%d", name, (int)getpid());
	dm_prepare(&b, dev->name);
	if (ioctl(control(), DM_DEV_CREATE, &b))
		die("create %s: %s", dev->name, strerror(errno));
	/* The minor number is in the low byte and above the 12 bits of the major. */
	snprintf(dev->path, sizeof(dev->path), "/dev/dm-%u",
		 (unsigned int)((b.io.dev & 0xff) | (b.io.dev >> 12 & 0xfff00)));
	remember(dev);
	err = dm_load(&b, dev->name, t);
	if (!err)
		err = dm_resume(&b, dev->name);
	if (err)
		dm_remove(dev);
	return err;
}

int dm_replace(struct dm_dev *dev, const struct dm_table *t)
{
	static struct dm_buf b;
	int err = dm_load(&b, dev->name, t);

	/* A resume with a new table in waiting suspends by itself. */
	return err ? err : dm_resume(&b, dev->name);
}

/* Whatever looks at new block devices may hold this one for a moment. */
void dm_remove(struct dm_dev *dev)
{
	static const struct timespec moment = { .tv_nsec = 5000000 };
	static struct dm_buf b;
	int tries, err = 0;

	if (!*dev->path)
		return;
	for (tries = 0; tries < 1000; tries++) {
		dm_prepare(&b, dev->name);
		err = ioctl(control(), DM_DEV_REMOVE, &b) ? errno : 0;
		if (err != EBUSY)
			break;
		nanosleep(&moment, NULL);
	}
	forget(dev);
	if (err)
		die("remove %s: %s", dev->name, strerror(err));
	*dev->path = 0;
}

bool dm_has_target(const char *type)
{
	static struct dm_buf b;
	struct dm_target_versions *v;
	size_t at;

	dm_prepare(&b, "");
	if (ioctl(control(), DM_LIST_VERSIONS, &b))
		die("list of targets: %s", strerror(errno));
	for (at = b.io.data_start - sizeof(b.io);; at += v->next) {
		v = (void *)(b.payload + at);
		if (!strcmp(v->name, type))
			return true;
		if (!v->next)
			return false;
	}
}

/*
 * Disks
 */

int disk_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	if (fd < 0)
		die("%s: %s", path, strerror(errno));
	return fd;
}

uint64_t disk_size(int fd)
{
	uint64_t size;

	if (ioctl(fd, BLKGETSIZE64, &size))
		die("size of a disk: %s", strerror(errno));
	return size;
}

int try_read(int fd, void *buf, size_t len, uint64_t at)
{
	uint8_t *p = buf;
	ssize_t n;

	for (; len; p += n, at += n, len -= n) {
		n = pread(fd, p, len, (off_t)at);
		if (n <= 0)
			return n ? errno : ENODATA;
	}
	return 0;
}

int try_write(int fd, const void *buf, size_t len, uint64_t at)
{
	const uint8_t *p = buf;
	ssize_t n;

	for (; len; p += n, at += n, len -= n) {
		n = pwrite(fd, p, len, (off_t)at);
		if (n <= 0)
			return n ? errno : ENOSPC;
	}
	return 0;
}

void disk_read(int fd, void *buf, size_t len, uint64_t at)
{
	int err = try_read(fd, buf, len, at);

	if (err)
		die("read of %zu bytes at %llu: %s", len, (unsigned long long)at, strerror(err));
}

void disk_write(int fd, const void *buf, size_t len, uint64_t at)
{
	int err = try_write(fd, buf, len, at);

	if (err)
		die("write of %zu bytes at %llu: %s", len, (unsigned long long)at, strerror(err));
}
