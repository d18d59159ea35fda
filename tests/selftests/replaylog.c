// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a power cut leaves: replays the log of dm-log-writes, write by write.
 *
 *	replaylog LOG			a line for each entry: NUMBER SECTOR SECTORS [MARK]
 *	replaylog LOG syncs		... for each that made writes durable, and each mark:
 *					NUMBER flush|FUA|flush+FUA|MARK
 *	replaylog LOG FILE FROM TO	does entries FROM to TO, without TO, to FILE
 *	replaylog LOG FILE N half	... the first half of entry N, by sectors
 *
 * The target logs writes in the order in which a flush has made them durable.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* On disk, little-endian: Documentation/admin-guide/device-mapper/log-writes.rst */
#define LOG_MAGIC	UINT64_C(0x6a736677736872)
#define FLAG_FLUSH	(1 << 0)
#define FLAG_FUA	(1 << 1)
#define FLAG_DISCARD	(1 << 2)
#define FLAG_MARK	(1 << 3)

/* The unit of "sector" and "sectors" of an entry is the log's, of the sizes 512. */
#define UNIT		512

struct super {
	uint64_t magic;
	uint64_t version;
	uint64_t nr_entries;
	uint32_t sector_size;
};

struct entry {
	uint64_t sector;
	uint64_t sectors;
	uint64_t flags;
	uint64_t data_bytes;
};

struct log {
	int fd;
	struct super super;
	off_t at;		/* of the entry that is next */
};

static void __attribute__((noreturn)) fail(const char *what)
{
	perror(what);
	exit(1);
}

static void read_at(int fd, void *buf, size_t size, off_t at)
{
	if (pread(fd, buf, size, at) != (ssize_t)size)
		fail("reading the log");
}

static void log_open(struct log *log, const char *path)
{
	log->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (log->fd < 0)
		fail(path);
	read_at(log->fd, &log->super, sizeof(log->super), 0);
	if (log->super.magic != LOG_MAGIC || log->super.version != 1 ||
	    log->super.sector_size < UNIT) {
		fprintf(stderr, "%s: not a log of dm-log-writes\n", path);
		exit(1);
	}
	log->at = log->super.sector_size;
}

/* Returns where its data are; a mark's follow its header in the same sector. */
static off_t next(struct log *log, struct entry *e)
{
	off_t header = log->at;

	read_at(log->fd, e, sizeof(*e), header);
	log->at += log->super.sector_size;
	if (e->flags & FLAG_MARK)
		return header + (off_t)sizeof(*e);
	header = log->at;
	if (!(e->flags & FLAG_DISCARD))
		log->at += (off_t)(e->sectors * UNIT);
	return header;
}

static const char *read_mark(struct log *log, const struct entry *e, off_t data)
{
	static char mark[256];
	size_t size = e->data_bytes < sizeof(mark) ? (size_t)e->data_bytes : sizeof(mark) - 1;

	memset(mark, 0, sizeof(mark));
	if (e->flags & FLAG_MARK)
		read_at(log->fd, mark, size, data);
	return mark;
}

static void print_sync(struct log *log, uint64_t number, const struct entry *e, off_t data)
{
	static const char * const how[] = {
		[FLAG_FLUSH] = "flush",
		[FLAG_FUA] = "FUA",
		[FLAG_FLUSH | FLAG_FUA] = "flush+FUA",
	};

	if (e->flags & FLAG_MARK)
		printf("%" PRIu64 " %s\n", number, read_mark(log, e, data));
	else if (e->flags & (FLAG_FLUSH | FLAG_FUA))
		printf("%" PRIu64 " %s\n", number, how[e->flags & (FLAG_FLUSH | FLAG_FUA)]);
}

static void print(struct log *log, uint64_t number, const struct entry *e, off_t data)
{
	const char *mark = read_mark(log, e, data);

	printf("%" PRIu64 " %" PRIu64 " %" PRIu64 "%s%s\n", number, e->sector,
	       e->flags & FLAG_DISCARD ? 0 : e->sectors, *mark ? " " : "", mark);
}

static void apply(struct log *log, const struct entry *e, off_t data, int to, bool half)
{
	uint64_t sectors = half ? e->sectors / 2 : e->sectors;
	size_t size = (size_t)(sectors * UNIT);
	void *buf;

	if (e->flags & (FLAG_MARK | FLAG_DISCARD) || !size)
		return;
	buf = malloc(size);
	if (!buf)
		fail("malloc");
	read_at(log->fd, buf, size, data);
	if (pwrite(to, buf, size, (off_t)(e->sector * UNIT)) != (ssize_t)size)
		fail("replaying");
	free(buf);
}

int main(int argc, char **argv)
{
	uint64_t from = 0, end = UINT64_MAX, i;
	bool half = argc == 5 && !strcmp(argv[4], "half");
	bool syncs = argc == 3 && !strcmp(argv[2], "syncs");
	struct entry e;
	struct log log;
	int to = -1;
	off_t data;

	if (argc != 2 && argc != 5 && !syncs) {
		fprintf(stderr, "Usage: replaylog LOG [syncs|FILE FROM TO|half]\n");
		return 2;
	}
	log_open(&log, argv[1]);
	if (argc == 5) {
		from = strtoull(argv[3], NULL, 10);
		end = half ? from + 1 : strtoull(argv[4], NULL, 10);
		to = open(argv[2], O_RDWR | O_CLOEXEC);
		if (to < 0)
			fail(argv[2]);
	}
	for (i = 0; i < log.super.nr_entries && i < end; i++) {
		data = next(&log, &e);
		if (syncs)
			print_sync(&log, i, &e, data);
		else if (to < 0)
			print(&log, i, &e, data);
		else if (i >= from)
			apply(&log, &e, data, to, half);
	}
	return 0;
}
