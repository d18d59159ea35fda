/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef COPY_H
#define COPY_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "reason.h"

/*
 * Copies the data of one device to another and compares them afterwards. Knows
 * nothing of headers and keys: both sides are plaintext to it, and its buffers
 * are secrets.
 */
struct copy {
	const char *source_name, *destination_name;
	int source, destination;	/* both opened with O_DIRECT */
	uint64_t size;			/* of the source, in bytes */
	unsigned int align;		/* of what is written to the destination, in bytes */

	/*
	 * The file that an encrypted source lies in, or -1: where it has holes
	 * nothing was ever written, and what would be read there is noise.
	 */
	int image;
	uint64_t image_offset;		/* of the source's data in it */

	/* Set by a signal: stop at the next block. */
	const volatile sig_atomic_t *stop;
	bool quiet;

	/* All before @done is on the destination's medium. */
	int (*checkpoint)(void *arg, uint64_t done, struct reason *why);
	void *arg;
};

/* What copy_data() and copy_verify() return, besides an enum exit_code. */
#define COPY_STOPPED	(-1)
#define COPY_DIFFERS	(-2)

/*
 * From @from on. COPY_STOPPED if @stop was set; the last checkpoint is at where
 * it stopped.
 */
int copy_data(const struct copy *c, uint64_t from, struct reason *why);

/*
 * Reads both sides again, from @from to @to, and compares. COPY_DIFFERS: they
 * do, at *@where, which @why names; COPY_STOPPED.
 */
int copy_verify(const struct copy *c, uint64_t from, uint64_t to, uint64_t *where,
		struct reason *why);

#endif
