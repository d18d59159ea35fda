// SPDX-License-Identifier: GPL-2.0-only
/*
 * The engine of copies on files, for it knows nothing of devices: all bytes, only
 * where there are any, in steps that can be gone on from, and compared in the end.
 * And the note that is kept meanwhile. KTAP.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "copy.h"
#include "copy_note.h"

#define MIB	(UINT64_C(1) << 20)

/* Not a multiple of a block, nor of the destination's sector. */
#define SIZE	(20 * MIB + 5 * 512)
#define ALIGN	4096

static unsigned int nr, failed;

static void result(bool ok, const char *what, const char *detail)
{
	printf("%sok %u - %s\n", ok ? "" : "not ", ++nr, what);
	if (ok)
		return;
	printf("# %s\n", detail ? detail : "");
	failed++;
}

struct test {
	struct copy c;
	struct reason why;
	volatile sig_atomic_t stop;
	uint64_t stop_after;		/* checkpoints; 0: never */
	uint64_t noted[100];
	size_t nr_noted;
	int fail_note;
};

static int note(void *arg, uint64_t done, struct reason *why)
{
	struct test *t = arg;

	if (t->fail_note)
		return reason_set(why, RC_DEVICE, "no note");
	t->noted[t->nr_noted++] = done;
	if (t->stop_after && t->nr_noted == t->stop_after)
		t->stop = 1;
	return RC_OK;
}

static int new_file(const char *name, uint64_t size)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || ftruncate(fd, (off_t)size)) {
		perror(name);
		exit(1);
	}
	return fd;
}

/* Bytes that tell their place. */
static void fill(int fd, uint64_t from, uint64_t to)
{
	unsigned char buf[512];
	uint64_t at;
	size_t i;

	for (at = from; at < to; at += sizeof(buf)) {
		for (i = 0; i < sizeof(buf); i++)
			buf[i] = (unsigned char)(1 + (at / 512 * 7 + i) % 255);
		if (pwrite(fd, buf, sizeof(buf), (off_t)at) != sizeof(buf))
			exit(1);
	}
}

static bool same(int a, int b, uint64_t from, uint64_t to)
{
	unsigned char x[512], y[512];
	uint64_t at;

	for (at = from; at < to; at += sizeof(x))
		if (pread(a, x, sizeof(x), (off_t)at) != sizeof(x) ||
		    pread(b, y, sizeof(y), (off_t)at) != sizeof(y) || memcmp(x, y, sizeof(x)))
			return false;
	return true;
}

static bool all_zero(int fd, uint64_t from, uint64_t to)
{
	unsigned char byte;

	for (; from < to; from++)
		if (pread(fd, &byte, 1, (off_t)from) != 1 || byte)
			return false;
	return true;
}

static void begin(struct test *t)
{
	memset(t, 0, sizeof(*t));
	t->c = (struct copy) {
		.source_name = "SOURCE",
		.destination_name = "DESTINATION",
		.source = new_file("source", SIZE),
		.destination = new_file("destination", SIZE + ALIGN),
		.size = SIZE,
		.align = ALIGN,
		.image = -1,
		.stop = &t->stop,
		.quiet = true,
		.checkpoint = note,
		.arg = t,
	};
	fill(t->c.source, 0, SIZE);
}

static void end(struct test *t)
{
	close(t->c.source);
	close(t->c.destination);
}

static void copies_all(void)
{
	uint64_t where;
	struct test t;
	size_t i;
	bool even = true;

	begin(&t);
	fill(t.c.destination, SIZE, SIZE + ALIGN - SIZE % ALIGN);
	result(!copy_data(&t.c, 0, &t.why), "a copy", t.why.text);
	result(same(t.c.source, t.c.destination, 0, SIZE), "... has all bytes", NULL);
	result(all_zero(t.c.destination, SIZE, SIZE + ALIGN - SIZE % ALIGN),
	       "... and zeroes to the end of the sector", NULL);
	for (i = 0; i + 1 < t.nr_noted; i++)
		even &= t.noted[i] == (i + 1) * 4 * MIB;
	result(t.nr_noted == 6 && even && t.noted[5] == SIZE, "... with its checkpoints", NULL);
	result(!copy_verify(&t.c, 0, SIZE, &where, &t.why), "... and is the same", t.why.text);
	end(&t);
}

static void goes_on(void)
{
	struct test t;

	begin(&t);
	t.stop_after = 2;
	result(copy_data(&t.c, 0, &t.why) == COPY_STOPPED, "a copy is stopped", t.why.text);
	result(t.nr_noted == 3 && t.noted[2] == 8 * MIB, "... where it is noted", NULL);
	result(same(t.c.source, t.c.destination, 0, 8 * MIB), "... with all before it", NULL);
	result(all_zero(t.c.destination, 8 * MIB, 8 * MIB + 4096), "... and nothing behind", NULL);
	t.stop = 0;
	result(!copy_data(&t.c, 8 * MIB, &t.why) && same(t.c.source, t.c.destination, 0, SIZE),
	       "... and goes on", t.why.text);
	end(&t);
}

static void finds_differences(void)
{
	static const uint64_t places[] = { 0, 12345, 7 * MIB - 1, SIZE - 1 };
	unsigned char old, new;
	uint64_t where;
	char text[80];
	struct test t;
	size_t i;

	begin(&t);
	copy_data(&t.c, 0, &t.why);
	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		if (pread(t.c.destination, &old, 1, (off_t)places[i]) != 1)
			exit(1);
		new = old ^ 0x10;
		if (pwrite(t.c.destination, &new, 1, (off_t)places[i]) != 1)
			exit(1);
		where = 0;
		snprintf(text, sizeof(text), "a difference at byte %" PRIu64 " is found", places[i]);
		result(copy_verify(&t.c, 0, SIZE, &where, &t.why) == COPY_DIFFERS &&
		       where == places[i] && strstr(t.why.text, "DESTINATION"), text, t.why.text);
		if (pwrite(t.c.destination, &old, 1, (off_t)places[i]) != 1)
			exit(1);
	}
	t.stop = 1;
	result(copy_verify(&t.c, 0, SIZE, &where, &t.why) == COPY_STOPPED,
	       "a comparison is stopped", t.why.text);
	end(&t);
}

/* The source is what is behind 64 KiB of a file with holes. */
static void leaves_holes_out(void)
{
	uint64_t where, i;
	struct stat st;
	struct test t;

	begin(&t);
	t.c.image = new_file("image", 64 * 1024 + SIZE);
	t.c.image_offset = 64 * 1024;
	/* Data in three places; the last ends in the middle of a sector. */
	fill(t.c.image, 0, 64 * 1024 + 8192);
	fill(t.c.image, 64 * 1024 + 9 * MIB, 64 * 1024 + 9 * MIB + 65536);
	fill(t.c.image, 64 * 1024 + SIZE - 1024, 64 * 1024 + SIZE);
	if (lseek(t.c.image, 64 * 1024 + 2 * MIB, SEEK_DATA) != (off_t)(64 * 1024 + 9 * MIB)) {
		printf("ok %u - holes # SKIP no holes in this file system\n", ++nr);
		goto out;
	}
	result(!copy_data(&t.c, 0, &t.why), "a copy of an image with holes", t.why.text);
	result(same(t.c.source, t.c.destination, 0, 8192) &&
	       same(t.c.source, t.c.destination, 9 * MIB, 9 * MIB + 65536) &&
	       same(t.c.source, t.c.destination, SIZE - 1024, SIZE), "... has what is there", NULL);
	for (i = MIB; i < SIZE - MIB; i += MIB)
		if (i != 9 * MIB && !all_zero(t.c.destination, i + 65536, i + 65536 + 512))
			break;
	fstat(t.c.destination, &st);
	result(i >= SIZE - MIB && (uint64_t)st.st_blocks * 512 < MIB,
	       "... and nothing where nothing was", NULL);
	result(!copy_verify(&t.c, 0, SIZE, &where, &t.why), "... which isn't compared", t.why.text);
	result(t.noted[t.nr_noted - 1] == SIZE, "... and noted to the end", NULL);
out:
	close(t.c.image);
	end(&t);
}

static void tells_errors(void)
{
	struct test t;
	int full;

	begin(&t);
	if (ftruncate(t.c.source, 3 * MIB))
		exit(1);
	result(copy_data(&t.c, 0, &t.why) == RC_DEVICE &&
	       strstr(t.why.text, "Reading SOURCE failed near byte 3145728"),
	       "a source that ends early", t.why.text);
	end(&t);

	begin(&t);
	t.fail_note = 1;
	result(copy_data(&t.c, 0, &t.why) == RC_DEVICE && !strcmp(t.why.text, "no note"),
	       "a note that can't be made ends it", t.why.text);
	end(&t);

	begin(&t);
	full = open("/dev/full", O_RDWR | O_CLOEXEC);
	close(t.c.destination);
	t.c.destination = full;
	result(copy_data(&t.c, 0, &t.why) == RC_DEVICE && !t.nr_noted &&
	       strstr(t.why.text, "Writing to DESTINATION failed"), "a destination that is full",
	       t.why.text);
	end(&t);
}

static void notes(void)
{
	static const char * const bad[] = {
		"", "{}", "[]", "{\"size\":1}", "{\"size\":\"x\"}", "{\"size\":\"-1\"}",
		"{\"size\":\"10\",\"copied\":\"11\"}", "{\"size\":\"10\",\"copied\":5}",
		"{\"size\":\"18446744073709551616\"}", "{\"size\":\"10\",\"source\":5}",
		"{\"size\":\"10\",\"source-uuid\":\"0123456789012345678901234567890123456789"
		"012345678901234567890123\"}",
	};
	struct copy_note a = { .source = "/dev/\"sdb\"", .uuid = "u", .size = UINT64_MAX };
	struct copy_note b, c;
	struct reason why;
	char *json;
	size_t i;

	json = copy_note_format(&a);
	result(json && !copy_note_parse(json, &b, &why) && !memcmp(&a, &b, sizeof(a)),
	       "a note of a copy that is begun", json);
	free(json);
	a.formatted = true;
	a.copied = 12345;
	json = copy_note_format(&a);
	result(json && !copy_note_parse(json, &b, &why) && !memcmp(&a, &b, sizeof(a)),
	       "a note of one that has come somewhere", json);
	free(json);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		result(copy_note_parse(bad[i], &b, &why) == RC_PARAM, "a note that is none", bad[i]);
	b = c = a;
	snprintf(b.source, sizeof(b.source), "/dev/sdc");
	result(copy_note_same_source(&a, &b), "a disk is the same by another name", NULL);
	c.uuid[0] = b.uuid[0] = '\0';
	result(!copy_note_same_source(&b, &c), "... but any device is not", NULL);
	c = a;
	c.size--;
	result(!copy_note_same_source(&a, &c), "... nor one of another size", NULL);
}

int main(int argc, char **argv)
{
	if (argc != 2 || chdir(argv[1])) {
		fprintf(stderr, "Usage: test_copy DIRECTORY\n");
		return 2;
	}
	printf("TAP version 13\n");
	copies_all();
	goes_on();
	finds_differences();
	leaves_holes_out();
	tells_errors();
	notes();
	printf("1..%u\n", nr);
	return failed != 0;
}
