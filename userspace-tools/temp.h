/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TEMP_H
#define TEMP_H

#include "dm.h"

/*
 * Temporary disks: mappings whose keys are random, and nowhere but in the
 * target. So whatever would have to load the key again is refused.
 */

/* The mapping's UUID, by which it is known: DMSSE-TEMP-<name>. */
void temp_uuid(const char *name, char *uuid, size_t size);
bool temp_is(const struct dm_mapping *m);
bool temp_is_uuid(const char *uuid);

/* RC_PARAM, and says so, for what would take the key of a temporary disk anew. */
int temp_refuse(const char *name, const char *what);

#endif
