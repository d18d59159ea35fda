/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef DMSSE_DM_LEFT_H
#define DMSSE_DM_LEFT_H

#include <stdbool.h>

#include "dm.h"

/*
 * Mappings without a table: such is one for a moment while it is made, and such is what
 * a command leaves that was killed at that moment.
 */

/* Is it one of ours that has no table? It may be one that is being made. */
bool dm_is_left(const struct dm_mapping *m);
/* Says that it is, and what to do; returns @rc. */
int dm_fail_left(int rc, const char *name);

/*
 * Between these a mapping is made: nobody takes it for one that was left. A file
 * descriptor, or -1 if that can't be had, in which case it is made even so.
 */
int dm_making_begin(void);
void dm_making_end(int fd);

/*
 * For a mapping that dm_is_left(): waits for those that make mappings, and removes it if
 * it still is, of which *@removed tells. An enum exit_code, after a message.
 */
int dm_remove_left(const char *name, bool *removed);

#endif
