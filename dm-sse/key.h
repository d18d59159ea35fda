/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From the keyring into a layer. Only key.c sees key bytes; this is all that
 * the rest of the module knows of it.
 */
#ifndef DMSSE_KEY_H
#define DMSSE_KEY_H

#include "dmsse.h"

int dmsse_key_set(struct dmsse_stack *stack, unsigned int index,
		  const struct dmsse_key_ref *ref, struct dmsse_lease *lease,
		  struct dmsse_error *err);
void dmsse_key_wipe(struct dmsse_layer *layer);

#endif
