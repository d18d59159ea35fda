/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef OVERWRITE_H
#define OVERWRITE_H

#include <stdbool.h>
#include <stdint.h>

#include "reason.h"

/*
 * Overwrites parts of a device or file with random bytes, and proves by reading
 * it again, past the page cache, that they are what is there now. Random, and
 * not zeros, since they can't be met where nothing was written.
 */
struct overwrite;

/*
 * RC_BUSY, and who it is, if somebody uses it; nobody else can mount or map a
 * device from now on.
 */
int overwrite_open(struct overwrite **o, const char *path, struct reason *why);
void overwrite_close(struct overwrite **o);

uint64_t overwrite_size(const struct overwrite *o);	/* bytes */

/* From byte @from up to @to, or to the end if that is earlier; on the medium when it returns. */
int overwrite_part(struct overwrite *o, uint64_t from, uint64_t to, struct reason *why);
/* Reads back all that was overwritten. RC_DEVICE, and where, if something else is there. */
int overwrite_verify(struct overwrite *o, struct reason *why);
/* False: the file system has no way around its page cache. */
bool overwrite_is_direct(const struct overwrite *o);
uint64_t overwrite_bytes(const struct overwrite *o);

#endif
