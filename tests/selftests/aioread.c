// SPDX-License-Identifier: GPL-2.0-only
/*
 * aioread DEVICE DEPTH BYTES OFFSET...
 *
 * Reads BYTES at each OFFSET with direct, asynchronous I/O, DEPTH reads at a
 * time, and prints for each of them a line "<offset> <completions> <result>":
 * a read that ends twice or never shows, and so does which one failed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Completions that come too late or too often are waited for this long. */
#define SETTLE_NS	200000000L

struct read {
	struct iocb cb;
	long long result;
	unsigned int completions;
};

static void die(const char *what)
{
	fprintf(stderr, "aioread: %s: %s\n", what, strerror(errno));
	exit(2);
}

static unsigned long long number(const char *text)
{
	char *end;
	unsigned long long n = strtoull(text, &end, 0);

	if (*end || end == text) {
		fprintf(stderr, "aioread: '%s' is not a number\n", text);
		exit(2);
	}
	return n;
}

/* Completions that are there within @timeout (NULL: at least one). */
static unsigned int reap(aio_context_t ctx, struct timespec *timeout)
{
	struct io_event events[64];
	long n, i;

	n = syscall(SYS_io_getevents, ctx, timeout ? 0L : 1L, 64L, events, timeout);
	if (n < 0)
		die("io_getevents");
	for (i = 0; i < n; i++) {
		struct read *r = (struct read *)(uintptr_t)events[i].data;

		r->result = events[i].res;
		r->completions++;
	}
	return (unsigned int)n;
}

int main(int argc, char **argv)
{
	struct timespec settle = { .tv_nsec = SETTLE_NS };
	unsigned int depth, flying = 0, nr, i;
	unsigned long long bytes;
	aio_context_t ctx = 0;
	struct read *reads;
	int fd;

	if (argc < 5) {
		fprintf(stderr, "usage: aioread DEVICE DEPTH BYTES OFFSET...\n");
		return 2;
	}
	depth = (unsigned int)number(argv[2]);
	bytes = number(argv[3]);
	nr = (unsigned int)argc - 4;
	fd = open(argv[1], O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (fd < 0)
		die(argv[1]);
	if (syscall(SYS_io_setup, depth, &ctx))
		die("io_setup");
	reads = calloc(nr, sizeof(*reads));
	if (!reads)
		die("memory");

	for (i = 0; i < nr; i++) {
		struct iocb *cb = &reads[i].cb;
		void *buf;

		if (posix_memalign(&buf, 4096, bytes))
			die("memory");
		cb->aio_data = (uintptr_t)&reads[i];
		cb->aio_lio_opcode = IOCB_CMD_PREAD;
		cb->aio_fildes = (uint32_t)fd;
		cb->aio_buf = (uintptr_t)buf;
		cb->aio_nbytes = bytes;
		cb->aio_offset = (int64_t)number(argv[i + 4]);
		while (flying >= depth)
			flying -= reap(ctx, NULL);
		if (syscall(SYS_io_submit, ctx, 1L, &cb) != 1)
			die("io_submit");
		flying++;
	}
	while (flying)
		flying -= reap(ctx, NULL);
	reap(ctx, &settle);

	for (i = 0; i < nr; i++)
		printf("%lld %u %lld\n", (long long)reads[i].cb.aio_offset, reads[i].completions,
		       reads[i].result);
	return 0;
}
