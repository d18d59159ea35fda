/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef WORKERS_H
#define WORKERS_H

#include <stdbool.h>
#include <stddef.h>

#include "reason.h"

/*
 * Work on many items, in a few processes at a time. Processes, not threads:
 * libraries that aren't made for threads are used, an item that crashes or
 * hangs takes nothing else with it, and what was secret in one is gone with it.
 */

#define WORKERS_MAX	16

struct workers_result {
	struct reason why;	/* why.rc is RC_OK if it went well */
	int outcome;		/* of one that went well; the job's own */
	bool give_up;		/* the items left would fare no better: don't begin them */
};

struct workers_job {
	const size_t *items;		/* numbers that mean something to the job */
	size_t nr;
	unsigned int parallel;		/* 0: as many as there are CPUs */
	unsigned int limit;		/* seconds that one item may take */
	void *arg;
	/* In a worker: once before the first item, for each item, once at the end. */
	int (*begin)(void *arg, struct reason *why);
	void (*run)(void *arg, size_t item, struct workers_result *result);
	void (*end)(void *arg);
	/* In the caller, as results come in. */
	void (*done)(void *arg, size_t item, const struct workers_result *result);
};

struct workers_left {
	size_t nr;		/* items that weren't begun */
	bool interrupted;	/* by SIGINT, SIGTERM or SIGHUP */
	bool gave_up;		/* because of a result that said so */
};

/*
 * Returns when every item has its result, or, after a signal or a result that
 * says so, those that were begun. A worker that dies fails its item and is
 * replaced.
 */
int workers_run(const struct workers_job *job, struct workers_left *left, struct reason *why);

#endif
