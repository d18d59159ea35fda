// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads and writes at random, many at a time, on a device that may fail: does each
 * get one answer, and is what a read returns what was written?
 *
 *	aiocheck [OPTION]... DEVICE MODEL
 *
 *	--block BYTES	smallest I/O, and unit of all (4096)
 *	--max BYTES	largest I/O (65536)
 *	--size BYTES	of the device, from its start (2 MiB)
 *	--depth N	I/Os in flight (16)
 *	--count N	I/Os; 0: until SIGTERM (1000)
 *	--reads N	of 100 (50)
 *	--nth N		each I/O is submitted with /proc/thread-self/fail-nth set to N
 *	--seed N	of what is random (1)
 *	--patience S	seconds after which an I/O without answer is lost (120)
 *
 * What each block may hold is kept in the file MODEL from one run to the next: a
 * block of which a write has failed holds the old data or the new. A run begins with
 * a write of all if there is no such file, else with a read of all. No two I/Os in
 * flight touch the same block.
 *
 * Prints "reads=N writes=N read_errors=N write_errors=N other_errors=N wrong=N lost=N
 * twice=N refused=N hits=N": other_errors are those that are not EIO, wrong are reads
 * that succeeded with wrong data or with too little of it, refused are errors of
 * io_submit() itself, hits are injected failures. Exit status 0 unless something was
 * wrong, lost or answered twice.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <linux/aio_abi.h>

#include "splitmix.h"

/* Failed writes of a block that are told apart; more count as any of them. */
#define MAYBES		6
#define MAX_DEPTH	256

/* As long as a second answer may take to come. */
#define SETTLE_NS	200000000

/* What a block may hold: what was written last, or by a write that failed since. */
struct block {
	uint32_t version;
	uint32_t nr_maybe;
	uint32_t maybe[MAYBES];
};

struct io {
	struct iocb cb;
	unsigned char *buf;
	unsigned long first;
	unsigned long nr;
	unsigned int answers;
	long long result;
	uint32_t version;
	bool write;
	bool flying;
};

static unsigned long long block_size = 4096, max_size = 65536, size = 2 << 20, depth = 16,
	count = 1000, percent = 50, nth, seed = 1, patience = 120;
static unsigned long long reads, writes, read_errors, write_errors, other_errors, wrong, lost,
	twice, refused, hits;
static struct block *model;
static bool *busy;
static struct io ios[MAX_DEPTH];
static unsigned long nr_blocks;
static uint32_t last_version;
static aio_context_t ctx;
static int device, fail_nth = -1;
static unsigned int flying;
static volatile sig_atomic_t stopped;

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static void stop(int sig)
{
	(void)sig;
	stopped = 1;
}

static uint64_t chance(void)
{
	return mix(seed += 0x9e3779b97f4a7c15ULL);
}

static uint64_t word_of(unsigned long block, uint32_t version, size_t at)
{
	return mix(((uint64_t)version << 32 | block) * 0x9e3779b97f4a7c15ULL + at);
}

static void fill(unsigned char *buf, unsigned long block, uint32_t version)
{
	size_t at;

	for (at = 0; at < block_size; at += sizeof(uint64_t)) {
		uint64_t word = word_of(block, version, at);

		memcpy(buf + at, &word, sizeof(word));
	}
}

static bool holds(const unsigned char *buf, unsigned long block, uint32_t version)
{
	size_t at;

	for (at = 0; at < block_size; at += sizeof(uint64_t)) {
		uint64_t word = word_of(block, version, at);

		if (memcmp(buf + at, &word, sizeof(word)))
			return false;
	}
	return true;
}

static void settle(unsigned long block, uint32_t version)
{
	model[block].version = version;
	model[block].nr_maybe = 0;
}

static void check_block(const unsigned char *buf, unsigned long block)
{
	const struct block *b = &model[block];
	uint32_t i;

	if (holds(buf, block, b->version)) {
		settle(block, b->version);
		return;
	}
	for (i = 0; i < b->nr_maybe; i++) {
		if (holds(buf, block, b->maybe[i])) {
			settle(block, b->maybe[i]);
			return;
		}
	}
	if (wrong++ < 5)
		fprintf(stderr, "aiocheck: block %lu is none of version %u and %u others: %02x%02x%02x%02x\n",
			block, b->version, b->nr_maybe, buf[0], buf[1], buf[2], buf[3]);
}

/* Who knows how much of it was written. */
static void write_failed(unsigned long block, uint32_t version)
{
	struct block *b = &model[block];

	if (b->nr_maybe < MAYBES)
		b->maybe[b->nr_maybe++] = version;
}

static void ended(struct io *io, bool submitted)
{
	bool good = io->result == (long long)io->cb.aio_nbytes;
	unsigned long i;

	if (io->result >= 0 && !good) {
		wrong++;
		fprintf(stderr, "aiocheck: %s of %llu bytes: %lld\n", io->write ? "write" : "read",
			(unsigned long long)io->cb.aio_nbytes, io->result);
	}
	if (!good && io->result != -EIO)
		other_errors++;
	if (!submitted)
		refused++;
	else if (io->write)
		good ? writes++ : write_errors++;
	else
		good ? reads++ : read_errors++;

	for (i = 0; i < io->nr; i++) {
		unsigned long block = io->first + i;

		busy[block] = false;
		if (io->write && good)
			settle(block, io->version);
		else if (io->write)
			write_failed(block, io->version);
		else if (good)
			check_block(io->buf + i * block_size, block);
	}
}

/* Takes what answers there are within the time; false if there are none. */
static bool reap(time_t seconds, long ns)
{
	struct timespec timeout = { .tv_sec = seconds, .tv_nsec = ns };
	struct io_event events[64];
	long n, i;

	do {
		n = syscall(SYS_io_getevents, ctx, 1L, 64L, events, &timeout);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		die("io_getevents");
	for (i = 0; i < n; i++) {
		struct io *io = &ios[events[i].data];

		if (io->answers++) {
			twice++;
			continue;
		}
		io->result = (long long)events[i].res;
		ended(io, true);
		io->flying = false;
		flying--;
	}
	return n > 0;
}

static void arm(bool on)
{
	char text[32];
	int len = snprintf(text, sizeof(text), "%llu", on ? nth : 0);

	if (!nth)
		return;
	if (!on) {
		char left[32] = "";

		if (pread(fail_nth, left, sizeof(left) - 1, 0) < 1)
			die("fail-nth");
		hits += atoi(left) == 0;
	}
	if (pwrite(fail_nth, text, len, 0) != len)
		die("fail-nth");
}

static void submit(struct io *io)
{
	struct iocb *cb = &io->cb;
	unsigned long i;
	long r;
	int error;

	memset(cb, 0, sizeof(*cb));
	cb->aio_data = (uint64_t)(io - ios);
	cb->aio_lio_opcode = io->write ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD;
	cb->aio_fildes = (uint32_t)device;
	cb->aio_buf = (uintptr_t)io->buf;
	cb->aio_nbytes = io->nr * block_size;
	cb->aio_offset = (int64_t)(io->first * block_size);
	io->answers = 0;
	if (io->write)
		io->version = ++last_version;
	for (i = 0; i < io->nr; i++) {
		busy[io->first + i] = true;
		if (io->write)
			fill(io->buf + i * block_size, io->first + i, io->version);
		else
			memset(io->buf + i * block_size, 0xa5, block_size);
	}

	io->flying = true;
	flying++;
	arm(true);
	r = syscall(SYS_io_submit, ctx, 1L, &cb);
	error = errno;
	arm(false);
	if (r == 1)
		return;
	io->flying = false;
	flying--;
	io->answers = 1;
	io->result = -error;
	ended(io, false);
}

static struct io *idle_io(void)
{
	unsigned long long i;

	for (i = 0; i < depth; i++)
		if (!ios[i].flying)
			return &ios[i];
	return NULL;
}

/* What is lost stays in flight, and in memory. */
static bool wait_for_answer(void)
{
	if (reap((time_t)patience, 0))
		return true;
	lost = flying;
	return false;
}

/* Where nothing is in flight. */
static bool choose(struct io *io)
{
	unsigned long max = max_size / block_size, i;

	io->write = chance() % 100 >= percent;
	io->nr = 1 + chance() % (chance() % 4 ? (max + 3) / 4 : max);
	io->first = chance() % (nr_blocks - io->nr + 1);
	for (i = 0; i < io->nr; i++)
		if (busy[io->first + i])
			return false;
	/* One more would be one too many to tell. */
	for (i = 0; i < io->nr; i++)
		if (io->write && model[io->first + i].nr_maybe == MAYBES)
			io->write = false;
	return true;
}

/* All of the device in order: written once, or read. */
static bool sweep(bool write)
{
	unsigned long at = 0, max = max_size / block_size;

	while (at < nr_blocks || flying) {
		struct io *io = at < nr_blocks ? idle_io() : NULL;

		if (!io) {
			if (!wait_for_answer())
				return false;
			continue;
		}
		io->write = write;
		io->first = at;
		io->nr = nr_blocks - at < max ? nr_blocks - at : max;
		at += io->nr;
		submit(io);
	}
	return true;
}

static bool run(void)
{
	unsigned long long done = 0;

	while (!stopped && (!count || done < count)) {
		struct io *io = idle_io();

		if (!io || !choose(io)) {
			if (flying && !wait_for_answer())
				return false;
			continue;
		}
		submit(io);
		done++;
	}
	while (flying)
		if (!wait_for_answer())
			return false;
	return true;
}

static bool load_model(const char *path)
{
	FILE *file = fopen(path, "r");
	bool good;

	if (!file)
		return false;
	good = fread(&last_version, sizeof(last_version), 1, file) == 1 &&
	       fread(model, sizeof(*model), nr_blocks, file) == nr_blocks;
	fclose(file);
	if (!good) {
		fprintf(stderr, "aiocheck: %s is of another device\n", path);
		exit(2);
	}
	return true;
}

static void save_model(const char *path)
{
	FILE *file = fopen(path, "w");

	if (!file || fwrite(&last_version, sizeof(last_version), 1, file) != 1 ||
	    fwrite(model, sizeof(*model), nr_blocks, file) != nr_blocks || fclose(file))
		die(path);
}

static void parse(int argc, char **argv)
{
	static const struct option options[] = {
		{ "block", 1, NULL, 'b' }, { "max", 1, NULL, 'm' }, { "size", 1, NULL, 's' },
		{ "depth", 1, NULL, 'd' }, { "count", 1, NULL, 'c' }, { "reads", 1, NULL, 'r' },
		{ "nth", 1, NULL, 'n' }, { "seed", 1, NULL, 'S' }, { "patience", 1, NULL, 'p' },
		{ 0 }
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		unsigned long long n = optarg ? strtoull(optarg, NULL, 0) : 0;

		switch (c) {
		case 'b': block_size = n; break;
		case 'm': max_size = n; break;
		case 's': size = n; break;
		case 'd': depth = n; break;
		case 'c': count = n; break;
		case 'r': percent = n; break;
		case 'n': nth = n; break;
		case 'S': seed = n; break;
		case 'p': patience = n; break;
		default: exit(2);
		}
	}
	if (argc - optind != 2 || !depth || depth > MAX_DEPTH || block_size < 512 ||
	    max_size < block_size || size < max_size) {
		fprintf(stderr, "usage: aiocheck [OPTION]... DEVICE MODEL\n");
		exit(2);
	}
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = stop };
	unsigned long long i;
	bool answered;

	parse(argc, argv);
	sigaction(SIGTERM, &action, NULL);
	nr_blocks = size / block_size;
	model = calloc(nr_blocks, sizeof(*model));
	busy = calloc(nr_blocks, sizeof(*busy));
	if (!model || !busy)
		die("memory");
	for (i = 0; i < depth; i++) {
		void *buf;

		if (posix_memalign(&buf, 4096, max_size))
			die("memory");
		ios[i].buf = buf;
	}
	device = open(argv[optind], O_RDWR | O_DIRECT | O_CLOEXEC);
	if (device < 0)
		die(argv[optind]);
	if (nth) {
		fail_nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
		if (fail_nth < 0)
			die("fail-nth");
	}
	if (syscall(SYS_io_setup, (long)depth, &ctx))
		die("io_setup");

	answered = sweep(!load_model(argv[optind + 1])) && run();
	if (answered) {
		reap(0, SETTLE_NS);
		save_model(argv[optind + 1]);
	}
	printf("reads=%llu writes=%llu read_errors=%llu write_errors=%llu other_errors=%llu wrong=%llu lost=%llu twice=%llu refused=%llu hits=%llu\n",
	       reads, writes, read_errors, write_errors, other_errors, wrong, lost, twice, refused,
	       hits);
	fflush(stdout);
	/* An I/O that is lost would have exit() wait for it. */
	_exit(wrong || lost || twice);
}
