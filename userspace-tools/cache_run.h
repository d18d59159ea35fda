/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CACHE_RUN_H
#define CACHE_RUN_H

#include "cache_stack.h"
#include "disk.h"

/*
 * Where the header of an open disk is that has the note of its cache, for whoever
 * closes it: a file in PATH_RUN, by the name of the mapping.
 */
struct cache_recalled {
	char device[PATH_MAX], header[PATH_MAX], uuid[UUID_TEXT_SIZE];
};

int cache_remember(const struct disk *d, const char *name, struct reason *why);
/* To be called while the mappings are there: they know which disk it is. */
int cache_recall(struct cache_recalled *r, const char *name, const struct cache_stack *s,
		 struct reason *why);
void cache_forget(const char *name);

#endif
