// SPDX-License-Identifier: GPL-2.0-only
/*
 * sse-oracle: encrypts, decrypts or checks a raw disk (an image or a block
 * device) without the kernel's help.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oracle.h"

#define CHUNK	1048576U

enum { SAME = 0, DIFFERENT = 1, TROUBLE = 2 };

static const char usage_text[] =
"usage: sse-oracle decrypt OPTIONS DISK PLAIN\n"
"       sse-oracle encrypt OPTIONS PLAIN DISK\n"
"       sse-oracle compare OPTIONS PLAIN DISK\n"
"\n"
"DISK holds ciphertext, PLAIN plaintext; both are files or block devices.\n"
"compare decrypts DISK in memory and exits with 1 where PLAIN differs.\n"
"\n"
"  --cipher SPEC        as in the table, e.g. aes-xts-plain64, capi:xts(aes)-plain64\n"
"  --key-file FILE      the key, raw\n"
"  --iv-offset N        as in the table, in 512-byte sectors (0)\n"
"  --start N            where the data starts on DISK, in 512-byte sectors (0)\n"
"  --skip N             sectors of the mapping to pass over; PLAIN has its first\n"
"                       byte after them (0)\n"
"  --sectors N          how many 512-byte sectors (to the end of the input)\n"
"  --sector-size BYTES  512, 1024, 2048 or 4096 (512)\n"
"  --iv-large-sectors   IVs count sectors of that size\n";

struct job {
	const char *cipher, *key_file;
	struct oracle_layout layout;
	uint64_t start, skip, sectors;
	bool all;
};

static int trouble(const char *what, const char *why)
{
	fprintf(stderr, "sse-oracle: %s: %s\n", what, why);
	return TROUBLE;
}

static bool number(const char *text, uint64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 10);
	return isdigit((unsigned char)*text) && !*end && !errno;
}

/* -1: an error; else how much there was. */
static ssize_t read_full(int fd, uint8_t *buf, size_t len, uint64_t at)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pread(fd, buf + done, len - done, (off_t)(at + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (!n)
			break;
		done += n;
	}
	return (ssize_t)done;
}

static int write_full(int fd, const uint8_t *buf, size_t len, uint64_t at)
{
	ssize_t n;

	for (; len; buf += n, len -= n, at += n) {
		n = pwrite(fd, buf, len, (off_t)at);
		if (n < 0 && errno == EINTR)
			n = 0;
		else if (n <= 0)
			return -1;
	}
	return 0;
}

static struct oracle *open_oracle(const struct job *job)
{
	uint8_t key[ORACLE_MAX_KEY + 1];
	struct oracle_err err;
	struct oracle *o;
	ssize_t n;
	int fd;

	fd = open(job->key_file, O_RDONLY);
	n = fd < 0 ? -1 : read_full(fd, key, sizeof(key), 0);
	if (n < 0)
		trouble(job->key_file, strerror(errno));
	if (fd >= 0)
		close(fd);
	if (n < 0)
		return NULL;
	if (n > ORACLE_MAX_KEY) {
		trouble(job->key_file, "too long for a key");
		return NULL;
	}
	o = oracle_new(job->cipher, key, n, &err);
	if (!o)
		trouble(job->cipher, err.text);
	return o;
}

/* A short or torn last sector is an error: there is no such thing on a disk. */
static int crypt_files(const struct job *job, struct oracle *o, bool enc, int in, int out,
		       uint8_t *buf)
{
	uint64_t in_at = (enc ? 0 : job->start + job->skip) * 512;
	uint64_t out_at = (enc ? job->start + job->skip : 0) * 512;
	uint64_t left = job->all ? UINT64_MAX : job->sectors * 512, done = 0;

	while (done < left) {
		size_t want = left - done < CHUNK ? (size_t)(left - done) : CHUNK;
		ssize_t n = read_full(in, buf, want, in_at + done);

		if (n < 0)
			return trouble("input", strerror(errno));
		if (!n && job->all)
			break;
		if ((size_t)n < want && !job->all)
			return trouble("input", "too short");
		if (oracle_run(o, &job->layout, enc, buf, n, job->skip + done / 512))
			return trouble("input", "not a whole number of sectors");
		if (write_full(out, buf, n, out_at + done))
			return trouble("output", strerror(errno));
		done += n;
	}
	if (fsync(out) && errno != EINVAL)
		return trouble("output", strerror(errno));
	return SAME;
}

static int compare_files(const struct job *job, struct oracle *o, int plain, int disk,
			 uint8_t *buf, uint8_t *other)
{
	uint64_t at = (job->start + job->skip) * 512, done = 0;
	uint64_t left = job->all ? UINT64_MAX : job->sectors * 512;

	while (done < left) {
		size_t want = left - done < CHUNK ? (size_t)(left - done) : CHUNK;
		ssize_t n = read_full(plain, other, want, done);

		if (n < 0)
			return trouble("plaintext", strerror(errno));
		if (!n && job->all)
			break;
		if ((size_t)n < want && !job->all)
			return trouble("plaintext", "too short");
		if (read_full(disk, buf, n, at + done) != n)
			return trouble("disk", "too short or unreadable");
		if (oracle_run(o, &job->layout, false, buf, n, job->skip + done / 512))
			return trouble("plaintext", "not a whole number of sectors");
		if (memcmp(buf, other, n)) {
			size_t i;

			for (i = 0; buf[i] == other[i]; i++)
				;
			printf("different: sector %llu, byte %zu\n",
			       (unsigned long long)(job->skip + (done + i) / 512),
			       (size_t)((done + i) % 512));
			return DIFFERENT;
		}
		done += n;
	}
	if (!done)
		return trouble("plaintext", "nothing to compare");
	printf("same: %llu sectors\n", (unsigned long long)(done / 512));
	return SAME;
}

static int parse(struct job *job, int argc, char **argv)
{
	static const struct option options[] = {
		{ "cipher", required_argument, NULL, 'c' },
		{ "key-file", required_argument, NULL, 'k' },
		{ "iv-offset", required_argument, NULL, 'i' },
		{ "start", required_argument, NULL, 's' },
		{ "skip", required_argument, NULL, 'p' },
		{ "sectors", required_argument, NULL, 'n' },
		{ "sector-size", required_argument, NULL, 'b' },
		{ "iv-large-sectors", no_argument, NULL, 'l' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 }
	};
	uint64_t size = 512, unit;
	bool good = true;
	int c;

	while (good && (c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			job->cipher = optarg;
			break;
		case 'k':
			job->key_file = optarg;
			break;
		case 'i':
			good = number(optarg, &job->layout.iv_offset);
			break;
		case 's':
			good = number(optarg, &job->start);
			break;
		case 'p':
			good = number(optarg, &job->skip);
			break;
		case 'n':
			good = number(optarg, &job->sectors);
			job->all = false;
			break;
		case 'b':
			good = number(optarg, &size);
			break;
		case 'l':
			job->layout.iv_large_sectors = true;
			break;
		case 'h':
			fputs(usage_text, stdout);
			exit(SAME);
		default:
			return -1;
		}
	}
	if (!good)
		return trouble(optarg, "not a number");
	if (size < 512 || size > ORACLE_MAX_SECTOR || size & (size - 1))
		return trouble("--sector-size", "512, 1024, 2048 or 4096");
	job->layout.sector_size = (unsigned int)size;
	unit = size / 512;
	if (job->layout.iv_offset % unit || job->skip % unit || job->sectors % unit)
		return trouble("--iv-offset, --skip and --sectors",
			       "must be multiples of the sector size");
	if (!job->cipher || !job->key_file)
		return trouble("usage", "--cipher and --key-file are needed");
	return 0;
}

int main(int argc, char **argv)
{
	struct job job = { .all = true };
	const char *verb = argc > 1 ? argv[1] : "";
	bool enc = !strcmp(verb, "encrypt"), compare = !strcmp(verb, "compare");
	int in = -1, out = -1, ret = TROUBLE;
	uint8_t *buf, *other;
	struct oracle *o;

	if (!strcmp(verb, "--help")) {
		fputs(usage_text, stdout);
		return SAME;
	}
	if (!enc && !compare && strcmp(verb, "decrypt")) {
		fputs(usage_text, stderr);
		return TROUBLE;
	}
	if (parse(&job, argc - 1, argv + 1))
		return TROUBLE;
	argv += optind + 1;
	argc -= optind + 1;
	if (argc != 2) {
		fputs(usage_text, stderr);
		return TROUBLE;
	}
	o = open_oracle(&job);
	if (!o)
		return TROUBLE;
	buf = malloc(CHUNK);
	other = malloc(CHUNK);
	in = open(argv[0], O_RDONLY | O_CLOEXEC);
	if (in < 0)
		trouble(argv[0], strerror(errno));
	out = open(argv[1], (compare ? O_RDONLY : O_WRONLY | O_CREAT) | O_CLOEXEC, 0600);
	if (out < 0)
		trouble(argv[1], strerror(errno));
	if (buf && other && in >= 0 && out >= 0)
		ret = compare ? compare_files(&job, o, in, out, buf, other) :
				crypt_files(&job, o, enc, in, out, buf);
	if (in >= 0)
		close(in);
	if (out >= 0 && close(out) && ret == SAME)
		ret = trouble(argv[1], strerror(errno));
	free(buf);
	free(other);
	oracle_free(o);
	return ret;
}
