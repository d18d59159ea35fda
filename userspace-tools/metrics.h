/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef METRICS_H
#define METRICS_H

#include <stdio.h>

#include "monitor.h"
#include "prometheus.h"
#include "reason.h"
#include "registry.h"

/* What "ssesetup metrics" has collected, and how it is written, one subject a file. */

struct metrics_set;

struct metrics {
	struct monitor_disk *disks;
	size_t nr_disks;
	struct metrics_set *sets;
	size_t nr_sets;
};

/* All sets, with @known for how many disks each has. c->sets is to be freed with free(). */
int metrics_load_sets(struct metrics *c, const struct known_disk *known, size_t nr_known,
		      struct reason *why);

/* Open disks, caches below them, sets. Whether @out took it all is the caller's to look at. */
void metrics_put_disks(FILE *out, const struct metrics *c);
void metrics_put_caches(FILE *out, const struct metrics *c);
void metrics_put_sets(FILE *out, const struct metrics *c);

#endif
