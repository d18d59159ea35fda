// SPDX-License-Identifier: GPL-2.0-only
/*
 * More memory than there is: writes every page of it, and verifies each on later
 * passes, so that what was swapped out has to come back as it was.
 *
 *	memhog MIB PASSES SEED
 *
 * No two pages and no two passes have the same content, and none can be compressed.
 * Every other pass goes through the pages in leaps, against readahead. Prints the number
 * of pages that were verified; one that differs ends it.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "splitmix.h"

#define PAGE	4096
#define WORDS	(PAGE / sizeof(uint64_t))

/* Returns false if the page was to have it already and has not. */
static bool page(uint64_t *to, uint64_t key, bool verify)
{
	uint64_t word = mix(key) | 1;
	unsigned int i;

	for (i = 0; i < WORDS; i++) {
		/* xorshift64: one of its states a word */
		word ^= word << 13;
		word ^= word >> 7;
		word ^= word << 17;
		if (!verify)
			to[i] = word;
		else if (to[i] != word)
			return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	uint64_t seed, pages, i, at, step, verified = 0;
	unsigned int pass, passes;
	char *memory;

	if (argc != 4) {
		fprintf(stderr, "Usage: memhog MIB PASSES SEED\n");
		return 2;
	}
	pages = strtoull(argv[1], NULL, 10) * ((1 << 20) / PAGE);
	passes = (unsigned int)atoi(argv[2]);
	seed = strtoull(argv[3], NULL, 10) << 40;
	memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED || !pages) {
		perror("memhog");
		return 1;
	}
	/* Huge pages are split before they are swapped, and would be all zeros at first. */
	madvise(memory, pages * PAGE, MADV_NOHUGEPAGE);
	for (pass = 0; pass <= passes; pass++) {
		/* A prime that doesn't divide their number visits every page. */
		step = pass % 2 ? 1000003 : 1;
		for (i = 0; i < pages; i++) {
			uint64_t *p;

			at = i * step % pages;
			p = (uint64_t *)(memory + at * PAGE);
			if (pass && !page(p, seed + (pass - 1) * pages + at, true)) {
				fprintf(stderr, "memhog: page %" PRIu64 " of pass %u has changed\n",
					at, pass);
				return 1;
			}
			verified += pass > 0;
			if (pass < passes)
				page(p, seed + pass * pages + at, false);
		}
	}
	printf("%" PRIu64 "\n", verified);
	return 0;
}
