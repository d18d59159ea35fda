/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef META_SETTLE_H
#define META_SETTLE_H

#include <stdbool.h>

/*
 * A LUKS2 header's JSON at the end of a re-encryption, when all data are what
 * they were to become but the header has its notes of it still. Text only.
 */

/* Are the data one segment of this type, with none of it under way? */
bool meta_settle_all(const char *json, const char *type);
/* The JSON without those notes; to be freed. NULL: no memory, or not JSON. */
char *meta_settle_json(const char *json);

#endif
