/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MAPPING_H
#define MAPPING_H

#include "blockdev.h"
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

/* What the options of open say for the flags of a table. */
unsigned int mapping_flags(const struct options *o);

/* RC_BUSY if there is a mapping of that name. */
int mapping_name_is_free(const char *name);

/* RC_BUSY if a mapping, with a cache or without, has some of the same sectors. */
int mapping_check_overlaps(const struct sse_table *t, uint64_t size, const struct blockdev *b);

/*
 * Makes the mapping of @size sectors on an open device, of which t->device is
 * the number. With --shared no other may overlap.
 */
int mapping_create(const struct options *o, const char *name, const char *uuid,
		   const struct sse_table *t, uint64_t size, const struct blockdev *b);

/* Finds the keys of all layers, for the kernel to find them too. */
int mapping_find_keys(struct sse_table *t, const char *ring);

#endif
