// SPDX-License-Identifier: GPL-2.0-only
/*
 * A load that keeps account of what fsync has promised it, and judges what a power
 * cut has left by that.
 *
 *	fsyncload run DIR LEDGERS MAPPING SEED OPERATIONS PROCESSES
 *	fsyncload verify DIR LEDGERS SEQ[:LAST]...
 *
 * Each process has a directory p<N> of its own in DIR, with a handful of files that
 * it creates, appends to, truncates, overwrites with O_DSYNC, replaces by rename and
 * unlinks. What it is about to do is a line of its ledger, LEDGERS/p<N>, before it
 * does it. When the kernel has promised something it sends dm-log-writes, as MAPPING,
 * the mark "p<N>:<SEQ>", and then the promise becomes a line as well. So whatever
 * comes behind that mark in the log must not lose what was promised, and nothing that
 * the ledger has behind the promise can have happened before the mark. Without a log,
 * MAPPING is "-".
 *
 * "verify" is given the last mark of each process before the cut, 0 for none, and
 * prints how many bytes were promised, and are there. If writes have come to the disk
 * that no flush had made durable yet, LAST is the last mark before that flush: what was
 * promised between the two may be there, and what was begun after LAST, too.
 *
 * Lines of a ledger:
 *
 *	new NAME ID		an empty file
 *	replace NAME ID SIZE	... a whole one, durable before it gets the name
 *	append NAME SIZE	to which the file grows
 *	truncate NAME SIZE
 *	overwrite NAME BLOCK GENERATION
 *	unlink NAME
 *	synced SEQ NAME		all that was done to it
 *	written SEQ NAME BLOCK	this block, as it was overwritten last
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/dm-ioctl.h>

#include "splitmix.h"

#define BLOCK		4096
/* Blocks that may be overwritten: no file that is whole is shorter. */
#define HEAD		8
#define HEAD_SIZE	((size_t)HEAD * BLOCK)
#define MAX_SIZE	(6 * HEAD_SIZE)
#define NAMES		5
/* Things a name may have stood for before, since a promise. */
#define MAX_BEFORE	8

/* A file's content, and what is known of it. */
struct object {
	uint64_t id;		/* 0: there is none */
	size_t size;		/* as it was left last */
	size_t low, high;	/* what it may be, since the last promise */
	unsigned int promised[HEAD];
	unsigned int last[HEAD];	/* generations of the blocks */
};

/* What a name may stand for: what it was made last, and whatever it was since the promise. */
struct name {
	struct object now, before[MAX_BEFORE];
	unsigned int nr_before;
	bool absent;		/* it may stand for nothing */
};

static struct name names[NAMES];

static void __attribute__((noreturn, format(printf, 1, 2))) die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, errno ? ": %s\n" : "\n", strerror(errno));
	exit(1);
}

/* What object @id has at @off: no byte of it is zero. */
static void pattern(uint64_t id, unsigned int generation, size_t off, void *buf, size_t len)
{
	uint64_t key = mix(id << 20 ^ generation), word;
	unsigned char *to = buf;
	size_t first, n;

	for (; len; to += n, off += n, len -= n) {
		word = mix(key + off / sizeof(word)) | UINT64_C(0x0101010101010101);
		first = off % sizeof(word);
		n = sizeof(word) - first < len ? sizeof(word) - first : len;
		/* Little-endian or not, it is written and read here. */
		memcpy(to, (unsigned char *)&word + first, n);
	}
}

static struct name *find(const char *name)
{
	unsigned int i;

	if (sscanf(name, "f%u", &i) != 1 || i >= NAMES)
		die("no name of ours: %s", name);
	return &names[i];
}

/* What is about to be done to @n: the old state is possible still. */
static void begin(struct name *n, uint64_t id, size_t size)
{
	if (n->now.id) {
		if (n->nr_before == MAX_BEFORE)
			die("too much of one name between two promises");
		n->before[n->nr_before++] = n->now;
	}
	memset(&n->now, 0, sizeof(n->now));
	n->now.id = id;
	n->now.size = size;
	n->now.low = size;
	n->now.high = size;
	if (!id)
		n->absent = true;
}

static void resize(struct object *o, size_t size)
{
	o->size = size;
	if (size < o->low)
		o->low = size;
	if (size > o->high)
		o->high = size;
}

static void synced(struct name *n)
{
	struct object *o = &n->now;

	n->nr_before = 0;
	n->absent = !o->id;
	o->low = o->size;
	o->high = o->size;
	memcpy(o->promised, o->last, sizeof(o->promised));
}

/* The one place where a line gets its meaning, for who writes it and who reads it. */
static void enter(const char *line)
{
	char what[16], name[16];
	unsigned long long a = 0, b = 0;
	struct name *n;

	if (sscanf(line, "%15s %15s %llu %llu", what, name, &a, &b) < 2)
		die("no line of a ledger: %s", line);
	if (!strcmp(what, "synced")) {
		if (sscanf(line, "%*s %*s %15s", name) != 1)
			die("no line of a ledger: %s", line);
		synced(find(name));
		return;
	}
	if (!strcmp(what, "written")) {
		if (sscanf(line, "%*s %*s %15s %llu", name, &a) != 2 || a >= HEAD)
			die("no line of a ledger: %s", line);
		n = find(name);
		n->now.promised[a] = n->now.last[a];
		return;
	}
	n = find(name);
	if (!strcmp(what, "new"))
		begin(n, a, 0);
	else if (!strcmp(what, "replace"))
		begin(n, a, b);
	else if (!strcmp(what, "unlink"))
		begin(n, 0, 0);
	else if (!strcmp(what, "append") || !strcmp(what, "truncate"))
		resize(&n->now, a);
	else if (!strcmp(what, "overwrite") && a < HEAD)
		n->now.last[a] = b;
	else
		die("no line of a ledger: %s", line);
}

/*** The load ***/

struct load {
	unsigned int process;
	int dir;
	FILE *ledger;
	int control;
	const char *mapping;
	uint64_t random;
	unsigned int seq;
};

static unsigned int chance(struct load *l, unsigned int below)
{
	l->random += UINT64_C(0x9e3779b97f4a7c15);
	return mix(l->random) % below;
}

static void __attribute__((format(printf, 2, 3))) note(struct load *l, const char *format, ...)
{
	char line[80];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	enter(line);
	if (fprintf(l->ledger, "%s\n", line) < 0 || fflush(l->ledger))
		die("ledger");
}

/* Its mark is in the log when this returns. */
static unsigned int mark(struct load *l)
{
	union {
		struct dm_ioctl head;
		char bytes[1024];
	} buffer = { .head.version[0] = DM_VERSION_MAJOR };
	struct dm_target_msg *msg = (void *)(buffer.bytes + sizeof(buffer.head));

	buffer.head.data_size = sizeof(buffer);
	buffer.head.data_start = sizeof(buffer.head);
	l->seq++;
	if (!strcmp(l->mapping, "-"))
		return l->seq;
	snprintf(buffer.head.name, sizeof(buffer.head.name), "%s", l->mapping);
	snprintf(msg->message, 64, "mark p%u:%u", l->process, l->seq);
	if (ioctl(l->control, DM_TARGET_MSG, &buffer))
		die("a mark for %s", l->mapping);
	return l->seq;
}

static void sync_dir(struct load *l)
{
	if (fsync(l->dir))
		die("fsync of the directory");
}

static void sync_file(int fd, bool data)
{
	if (data ? fdatasync(fd) : fsync(fd))
		die("fsync");
}

static int open_file(struct load *l, const char *name, int flags)
{
	int fd = openat(l->dir, name, flags | O_CLOEXEC, 0600);

	if (fd < 0)
		die("%s", name);
	return fd;
}

static void write_range(int fd, const struct object *o, size_t from, size_t to)
{
	static unsigned char buf[MAX_SIZE];

	pattern(o->id, 0, from, buf, to - from);
	if (pwrite(fd, buf, to - from, from) != (ssize_t)(to - from))
		die("write");
}

static void create(struct load *l, const char *name, uint64_t id)
{
	struct name *n = find(name);
	int fd;

	note(l, "new %s %" PRIu64, name, id);
	fd = open_file(l, name, O_CREAT | O_EXCL | O_RDWR);
	note(l, "append %s %zu", name, HEAD_SIZE);
	write_range(fd, &n->now, 0, HEAD_SIZE);
	sync_file(fd, false);
	close(fd);
	sync_dir(l);
	note(l, "synced %u %s", mark(l), name);
}

static void replace(struct load *l, const char *name, uint64_t id)
{
	struct object o = { .id = id, .size = HEAD_SIZE + chance(l, HEAD_SIZE) };
	char temp[32];
	int fd;

	snprintf(temp, sizeof(temp), "%s.new", name);
	fd = open_file(l, temp, O_CREAT | O_TRUNC | O_RDWR);
	write_range(fd, &o, 0, o.size);
	sync_file(fd, false);
	close(fd);
	note(l, "replace %s %" PRIu64 " %zu", name, id, o.size);
	if (renameat(l->dir, temp, l->dir, name))
		die("rename");
	sync_dir(l);
	note(l, "synced %u %s", mark(l), name);
}

static void remove_file(struct load *l, const char *name)
{
	note(l, "unlink %s", name);
	if (unlinkat(l->dir, name, 0))
		die("unlink");
	sync_dir(l);
	note(l, "synced %u %s", mark(l), name);
}

static void overwrite(struct load *l, const char *name)
{
	static unsigned char buf[BLOCK] __attribute__((aligned(BLOCK)));
	struct name *n = find(name);
	unsigned int block = chance(l, HEAD), generation = n->now.last[block] + 1;
	int fd = open_file(l, name, O_RDWR | O_DIRECT | O_DSYNC);

	note(l, "overwrite %s %u %u", name, block, generation);
	pattern(n->now.id, generation, (size_t)block * BLOCK, buf, BLOCK);
	if (pwrite(fd, buf, BLOCK, (off_t)block * BLOCK) != BLOCK)
		die("overwriting");
	close(fd);
	note(l, "written %u %s %u", mark(l), name, block);
}

static void change_size(struct load *l, const char *name, bool grow)
{
	struct name *n = find(name);
	int fd = open_file(l, name, O_RDWR);
	size_t old = n->now.size, size;

	if (grow) {
		size = old + 1 + chance(l, 3 * BLOCK);
		note(l, "append %s %zu", name, size);
		write_range(fd, &n->now, old, size);
	} else {
		size = HEAD_SIZE + chance(l, old - HEAD_SIZE + 1);
		note(l, "truncate %s %zu", name, size);
		if (ftruncate(fd, size))
			die("truncate");
	}
	/* Without it the next one promises this as well. */
	if (chance(l, 3)) {
		sync_file(fd, chance(l, 2));
		note(l, "synced %u %s", mark(l), name);
	}
	close(fd);
}

static void operate(struct load *l, uint64_t id)
{
	unsigned int i = chance(l, NAMES), what = chance(l, 100);
	struct object *o = &names[i].now;
	char name[16];

	snprintf(name, sizeof(name), "f%u", i);
	if (!o->id)
		create(l, name, id);
	else if (o->size >= MAX_SIZE - 3 * BLOCK)
		change_size(l, name, false);
	else if (what < 45)
		change_size(l, name, true);
	else if (what < 55)
		change_size(l, name, false);
	else if (what < 80)
		overwrite(l, name);
	else if (what < 92)
		replace(l, name, id);
	else
		remove_file(l, name);
}

static void open_place(struct load *l, const char *dir, const char *ledgers, const char *mode)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/p%u", dir, l->process);
	l->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (l->dir < 0)
		die("%s", path);
	snprintf(path, sizeof(path), "%s/p%u", ledgers, l->process);
	l->ledger = fopen(path, mode);
	if (!l->ledger)
		die("%s", path);
}

static int run(char **args)
{
	unsigned int operations = atoi(args[4]), processes = atoi(args[5]), i;
	struct load l = { .mapping = args[2] };
	int status, failed = 0;

	for (l.process = 0; l.process < processes; l.process++) {
		if (fork())
			continue;
		l.control = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
		if (l.control < 0 && strcmp(l.mapping, "-"))
			die("/dev/mapper/control");
		l.random = mix(strtoull(args[3], NULL, 10) * 64 + l.process);
		open_place(&l, args[0], args[1], "w");
		for (i = 1; i <= operations; i++)
			operate(&l, (uint64_t)(l.process + 1) << 20 | i);
		exit(0);
	}
	while (wait(&status) > 0)
		failed |= status;
	return failed ? 1 : 0;
}

/*** What is left of it ***/

/* Of what @o must have at least, the first byte that isn't there; its low size if all are. */
static size_t differs(const struct object *o, const unsigned char *data)
{
	static unsigned char want[BLOCK];
	unsigned int generation, last;
	size_t off, len;

	for (off = 0; off < o->low; off += len) {
		unsigned int block = off / BLOCK;

		len = o->low - off < BLOCK ? o->low - off : BLOCK;
		generation = block < HEAD ? o->promised[block] : 0;
		last = block < HEAD ? o->last[block] : 0;
		for (; generation <= last; generation++) {
			pattern(o->id, generation, off, want, len);
			if (!memcmp(want, data + off, len))
				break;
		}
		if (generation > last)
			return off;
	}
	return o->low;
}

/* Is it that? Says why not. */
static bool matches(const struct object *o, const unsigned char *data, size_t size, char *why,
		    size_t room)
{
	size_t off;

	if (!o->id)
		return false;
	if (size < o->low || size > o->high) {
		snprintf(why, room, "has %zu bytes, not %zu to %zu", size, o->low, o->high);
		return false;
	}
	off = differs(o, data);
	if (off < o->low)
		snprintf(why, room, "block %zu isn't what was synced", off / BLOCK);
	return off == o->low;
}

/* Returns the bytes that were promised, or dies. */
static size_t verify_name(struct load *l, unsigned int i)
{
	static unsigned char data[2 * MAX_SIZE];
	struct name *n = &names[i];
	char name[16], why[80] = "is there";
	unsigned int j;
	ssize_t size;
	int fd;

	snprintf(name, sizeof(name), "f%u", i);
	fd = openat(l->dir, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		if (errno == ENOENT && n->absent)
			return 0;
		die("p%u/%s, which was synced", l->process, name);
	}
	size = read(fd, data, sizeof(data));
	if (size < 0)
		die("p%u/%s can't be read", l->process, name);
	close(fd);
	errno = 0;
	if (matches(&n->now, data, size, why, sizeof(why)))
		return n->now.low;
	for (j = 0; j < n->nr_before; j++)
		if (matches(&n->before[j], data, size, why, sizeof(why)))
			return n->before[j].low;
	die("p%u/%s %s", l->process, name, why);
}

static bool is_ours(const char *name)
{
	size_t len;

	if (name[0] == '.')
		return !strcmp(name, ".") || !strcmp(name, "..");
	len = strcspn(name, ".");
	return len == 2 && name[0] == 'f' && name[1] >= '0' && name[1] < '0' + NAMES &&
	       (!name[len] || !strcmp(name + len, ".new"));
}

/* The number of a promise, or 0. */
static unsigned int promise(const char *line)
{
	char what[16];
	unsigned int seq;

	if (sscanf(line, "%15s %u", what, &seq) != 2 ||
	    (strcmp(what, "synced") && strcmp(what, "written")))
		return 0;
	return seq;
}

static size_t verify_process(struct load *l, unsigned int seq, unsigned int last)
{
	char line[80];
	const struct dirent *entry;
	unsigned int at, i;
	size_t bytes = 0;
	DIR *dir;

	memset(names, 0, sizeof(names));
	for (i = 0; i < NAMES; i++)
		names[i].absent = true;
	/* To the promise that was made too late, and without those that weren't in time. */
	while (fgets(line, sizeof(line), l->ledger)) {
		at = promise(line);
		if (at > last)
			break;
		if (at <= seq)
			enter(line);
	}
	for (i = 0; i < NAMES; i++)
		bytes += verify_name(l, i);
	dir = fdopendir(dup(l->dir));
	if (!dir)
		die("p%u can't be read", l->process);
	while ((entry = readdir(dir)))
		if (!is_ours(entry->d_name))
			die("p%u has \"%s\"", l->process, entry->d_name);
	closedir(dir);
	return bytes;
}

static int verify(char **args)
{
	struct load l = { 0 };
	size_t bytes = 0;

	for (; args[2 + l.process]; l.process++) {
		unsigned int seq, last;
		int n = sscanf(args[2 + l.process], "%u:%u", &seq, &last);

		if (n < 1)
			die("no mark: %s", args[2 + l.process]);
		open_place(&l, args[0], args[1], "r");
		bytes += verify_process(&l, seq, n == 2 ? last : seq);
		fclose(l.ledger);
		close(l.dir);
	}
	printf("%zu\n", bytes);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 8 && !strcmp(argv[1], "run"))
		return run(argv + 2);
	if (argc >= 5 && !strcmp(argv[1], "verify"))
		return verify(argv + 2);
	fprintf(stderr, "Usage: fsyncload run DIR LEDGERS MAPPING SEED OPERATIONS PROCESSES\n"
			"       fsyncload verify DIR LEDGERS SEQ[:LAST]...\n");
	return 2;
}
