/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PROGRESS_H
#define PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* The line that tells how far something long has come. */
struct progress {
	const char *verb;	/* "written" */
	uint64_t total;		/* bytes */
	uint64_t before;	/* done by an earlier run */
	struct timespec started, shown;
	bool quiet;
	bool terminal;
	double interval;	/* seconds between two lines */
};

/* @quiet: say nothing at all. */
void progress_start(struct progress *p, const char *verb, uint64_t total, uint64_t before,
		    bool quiet);
/* A line each @seconds instead, on a terminal too. */
void progress_every(struct progress *p, uint64_t seconds);
/* Twice a second on a terminal, where it overwrites itself; else every half minute. */
void progress_show(struct progress *p, uint64_t done);
/* The last line, whether all was done or not. */
void progress_end(struct progress *p, uint64_t done);

#endif
