/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TEMP_KEY_H
#define TEMP_KEY_H

#include <stdint.h>

#include "reason.h"
#include "table.h"

/* The random keys of a temporary disk, on their way into the target. */
struct temp_keys {
	int32_t serial[SSE_LAYERS_MAX];
	unsigned int nr;
};

/*
 * Makes a key of key->bytes for each layer of the table, under a name that no
 * other key has, and names it there. They are in the keyring of this thread
 * alone, where the kernel finds them and no other process does.
 */
int temp_keys_make(struct temp_keys *keys, struct sse_table *t, struct reason *why);
/* The keyring's keys are gone after this; what the target has is its own. */
void temp_keys_destroy(struct temp_keys *keys);

#endif
