// SPDX-License-Identifier: GPL-2.0-only
/*
 * racer [OPTION]... DEVICE
 *
 * Submitters race for the sectors of DEVICE, and each of their reads must return
 * what a disk may return: the last completed write, or one that was under way. A
 * write that ended in error is one that may have happened, each unit of it alone.
 *
 *	--threads N		(8)
 *	--depth N		requests that each has under way (6)
 *	--unit BYTES		what is written whole or not at all: the encryption sector (512)
 *	--size UNITS		how much of DEVICE is used at first (all of it)
 *	--max UNITS		... and at most (the same)
 *	--base DEVICE		what DEVICE holds at first, and where it was discarded (zeroes)
 *	--mix LETTERS		requests to choose from: r, w, d(iscard), z(eroes), f(lush)
 *	--think MICROSECONDS	between bursts, on average (500)
 *	--errors		requests may fail
 *	--loose-discards	discards may do nothing
 *	--patience SECONDS	for what is to be answered at a halt (300)
 *	--seed N
 *
 * Does what it is told by lines of standard input and answers each with "ok", or
 * with "failed" if anything was wrong so far; what, is said on standard error:
 *
 *	go			open DEVICE, begin, or go on
 *	halt			have all requests answered, and close DEVICE
 *	look			has anything been wrong so far?
 *	size UNITS		DEVICE has grown
 *	mix LETTERS		choose from these from now on
 *	check DEVICE		halted: holds this what it should?
 *	raw DEVICE		halted: is there no plaintext on this?
 *	report			say how many requests there were
 *
 * At the end of the input it ends.
 *
 * racer --prove: the checker is held against histories of which the verdict is known,
 * and --seed's random ones.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "racer.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static struct options options = {
	.threads = 8,
	.depth = 6,
	.unit_bytes = 512,
	.think = 500,
	.patience = 300,
	.seed = 1,
	.mix = "rrrrrrrwwwwwwwdzf",
};

static const char *base;

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "racer: %s: %s\n", what, strerror(errno));
	exit(2);
}

static uint64_t number(const char *text)
{
	char *end;
	uint64_t n = strtoull(text, &end, 0);

	if (*end || end == text) {
		fprintf(stderr, "racer: '%s' is not a number\n", text);
		exit(2);
	}
	return n;
}

static uint64_t units_of(const char *path)
{
	uint64_t bytes;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, BLKGETSIZE64, &bytes))
		die(path);
	close(fd);
	return bytes / options.unit_bytes;
}

static void read_base(void)
{
	int fd = open(base, O_RDONLY | O_DIRECT | O_CLOEXEC);
	size_t bytes = 65536, got;
	char *data = aligned_alloc(4096, bytes);
	uint64_t unit = 0;

	if (fd < 0 || !data)
		die(base);
	while (unit < options.nr_units) {
		ssize_t n = pread(fd, data, bytes, (off_t)(unit * options.unit_bytes));

		if (n < (ssize_t)options.unit_bytes)
			die(base);
		for (got = 0; got < (size_t)n && unit < options.nr_units; got += options.unit_bytes)
			stamp_base(unit++, data + got);
	}
	close(fd);
	free(data);
}

static void parse(int argc, char **argv)
{
	static const struct option known[] = {
		{ "threads", required_argument, NULL, 't' },
		{ "depth", required_argument, NULL, 'd' },
		{ "unit", required_argument, NULL, 'u' },
		{ "size", required_argument, NULL, 's' },
		{ "max", required_argument, NULL, 'm' },
		{ "base", required_argument, NULL, 'b' },
		{ "mix", required_argument, NULL, 'x' },
		{ "think", required_argument, NULL, 'k' },
		{ "errors", no_argument, NULL, 'e' },
		{ "loose-discards", no_argument, NULL, 'l' },
		{ "patience", required_argument, NULL, 'p' },
		{ "seed", required_argument, NULL, 'r' },
		{ "prove", no_argument, NULL, 'P' },
		{ 0 },
	};
	bool only_prove = false;
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (c) {
		case 't':
			options.threads = (unsigned int)number(optarg);
			break;
		case 'd':
			options.depth = (unsigned int)number(optarg);
			break;
		case 'u':
			options.unit_bytes = (unsigned int)number(optarg);
			break;
		case 's':
			options.size = number(optarg);
			break;
		case 'm':
			options.nr_units = number(optarg);
			break;
		case 'b':
			base = optarg;
			break;
		case 'x':
			snprintf(options.mix, sizeof(options.mix), "%s", optarg);
			break;
		case 'k':
			options.think = (unsigned int)number(optarg);
			break;
		case 'e':
			options.errors = true;
			break;
		case 'l':
			options.loose_discards = true;
			break;
		case 'p':
			options.patience = (unsigned int)number(optarg);
			break;
		case 'r':
			options.seed = number(optarg);
			break;
		case 'P':
			only_prove = true;
			break;
		default:
			exit(2);
		}
	}
	if (only_prove)
		exit(prove(options.seed));
	if (optind != argc - 1 || !*options.mix || !options.threads || !options.depth ||
	    options.unit_bytes < 512 || options.unit_bytes > 4096) {
		fprintf(stderr, "usage: racer [OPTION]... DEVICE\n");
		exit(2);
	}
	options.device = argv[optind];
	if (!options.size)
		options.size = units_of(options.device);
	if (!options.nr_units)
		options.nr_units = options.size;
}

static bool obey(char *line)
{
	char *word = strsep(&line, " ");

	if (!strcmp(word, "go"))
		return load_start();
	if (!strcmp(word, "halt"))
		return load_halt();
	if (!strcmp(word, "look"))
		return true;
	if (!strcmp(word, "check") && line)
		return load_check(line);
	if (!strcmp(word, "raw") && line)
		return load_raw(line);
	if (!strcmp(word, "size") && line) {
		load_resize(number(line));
		return true;
	}
	if (!strcmp(word, "mix") && line && *line) {
		load_mix(line);
		return true;
	}
	if (!strcmp(word, "report")) {
		load_report();
		return true;
	}
	fprintf(stderr, "racer: '%s' is no order\n", word);
	return false;
}

int main(int argc, char **argv)
{
	char line[256];

	parse(argc, argv);
	if (stamp_init(options.unit_bytes, options.nr_units, mix(options.seed ^ (uint64_t)getpid())))
		die("memory");
	if (base)
		read_base();
	if (load_init(&options))
		die("submitters");

	while (fgets(line, sizeof(line), stdin)) {
		bool done;

		line[strcspn(line, "\n")] = '\0';
		done = obey(line);
		printf("%s\n", done && !load_failures() ? "ok" : "failed");
		fflush(stdout);
	}
	if (!load_halt())
		_exit(1);
	load_stop();
	return load_failures() ? 1 : 0;
}
