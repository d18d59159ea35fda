// SPDX-License-Identifier: GPL-2.0-only
/*
 * Does a file look like noise? Prints, one a line:
 *
 *	chi2 X		of the bytes' frequencies, 255 degrees of freedom
 *	serial X	the same of pairs of neighbouring nibbles' joint
 *			frequencies, standardised: about normal(0, 1)
 *	correlation X	of neighbouring bytes, times the square root of their
 *			number: normal(0, 1)
 *	equal N		blocks of 16 bytes that another one of the file equals
 *	shared N	blocks of 16 bytes that are in the second file as well
 *
 *	cipherstat FILE [FILE2]
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <math.h>
#include <unistd.h>

#define BLOCK	16

struct file {
	unsigned char *data;
	size_t size;
};

static struct file slurp(const char *path)
{
	struct file file = { 0 };
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	off_t end;

	if (fd < 0 || (end = lseek(fd, 0, SEEK_END)) < 0) {
		perror(path);
		exit(1);
	}
	file.data = malloc(end ? end : 1);
	if (!file.data)
		abort();
	while (file.size < (size_t)end) {
		ssize_t n = pread(fd, file.data + file.size, end - file.size, file.size);

		if (n <= 0) {
			perror(path);
			exit(1);
		}
		file.size += n;
	}
	close(fd);
	return file;
}

static double chi2(const uint64_t *count, unsigned int classes, uint64_t total)
{
	double expected = (double)total / classes, sum = 0;
	unsigned int i;

	for (i = 0; i < classes; i++)
		sum += (count[i] - expected) * (count[i] - expected) / expected;
	return sum;
}

static void frequencies(const struct file *file)
{
	static uint64_t bytes[256], pairs[256];
	double mean = 0, variance = 0, covariance = 0;
	size_t i;

	for (i = 0; i < file->size; i++) {
		bytes[file->data[i]]++;
		mean += file->data[i];
	}
	mean /= file->size;
	/* Low nibble of one byte, high nibble of the next: across its border. */
	for (i = 0; i + 1 < file->size; i += 2)
		pairs[(file->data[i] & 15) << 4 | file->data[i + 1] >> 4]++;
	for (i = 0; i < file->size; i++) {
		double d = file->data[i] - mean;

		variance += d * d;
		if (i + 1 < file->size)
			covariance += d * (file->data[i + 1] - mean);
	}

	printf("chi2 %.1f\n", chi2(bytes, 256, file->size));
	printf("serial %.2f\n", (chi2(pairs, 256, file->size / 2) - 255) / sqrt(2 * 255));
	printf("correlation %.2f\n",
	       variance > 0 ? covariance / variance * sqrt(file->size) : INFINITY);
}

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, BLOCK);
}

static uint64_t equal_blocks(const struct file *file)
{
	uint64_t equal = 0;
	size_t at;

	for (at = BLOCK; at + BLOCK <= file->size; at += BLOCK)
		equal += !memcmp(file->data + at, file->data + at - BLOCK, BLOCK);
	return equal;
}

static uint64_t shared_blocks(const struct file *file, const struct file *other)
{
	uint64_t shared = 0;
	size_t at;

	for (at = 0; at + BLOCK <= other->size; at += BLOCK)
		shared += bsearch(other->data + at, file->data, file->size / BLOCK, BLOCK,
				  compare) != NULL;
	return shared;
}

int main(int argc, char **argv)
{
	struct file file, other;

	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: cipherstat FILE [FILE2]\n");
		return 2;
	}
	file = slurp(argv[1]);
	if (file.size < 4096) {
		fprintf(stderr, "cipherstat: %s is too short\n", argv[1]);
		return 1;
	}
	frequencies(&file);

	/* Sorted: equal ones are neighbours then. */
	qsort(file.data, file.size / BLOCK, BLOCK, compare);
	printf("equal %llu\n", (unsigned long long)equal_blocks(&file));
	if (argc == 3) {
		other = slurp(argv[2]);
		printf("shared %llu\n", (unsigned long long)shared_blocks(&file, &other));
		free(other.data);
	}
	free(file.data);
	return 0;
}
