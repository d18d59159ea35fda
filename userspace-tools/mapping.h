/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MAPPING_H
#define MAPPING_H

#include "options.h"
#include "table.h"

/* What open and resize have in common. All return an enum exit_code. */

/* --size or --device-size in sectors; *@given: neither is there if false. */
int mapping_wanted_size(const struct options *o, uint64_t *sectors, bool *given);

/*
 * Does a mapping of *@size sectors fit on a device? 0 becomes what is left
 * behind t->start.
 */
int mapping_check_size(const struct sse_table *t, const char *device, uint64_t device_sectors,
		       unsigned int block_size, uint64_t *size);

/* Finds the keys of all layers, for the kernel to find them too. */
int mapping_find_keys(struct sse_table *t, const char *ring);

#endif
