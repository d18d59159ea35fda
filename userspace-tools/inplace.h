/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef INPLACE_H
#define INPLACE_H

#include "disk.h"
#include "options.h"

/*
 * Encryption and decryption in place, what they have in common: a device that
 * nobody else works on, the secret of the keyslot, and the long run.
 */

/* One at a time; *@fd is closed by the caller. RC_BUSY if another is at it. */
int inplace_lock(const char *device, int *fd, struct reason *why);

/* RC_BUSY if the device is in use. @verb: "encrypted". */
int inplace_claim(const char *device, const char *verb, uint64_t *sectors, struct reason *why);

/*
 * The secret of a live keyslot of the set's that the header of layer @index has,
 * and which keyslot it is.
 */
int inplace_secret(struct disk *d, unsigned int index, struct des_keys *dk,
		   struct secmem **secret, int *slot, struct reason *why);

/*
 * Goes on with what the header of layer @index says is under way, until it is
 * done or a signal comes: RC_PARAM then, and the same command goes on. @done:
 * "encrypted".
 */
int inplace_run(const struct options *o, struct disk *d, unsigned int index,
		struct des_keys *dk, const char *done, struct reason *why);

/* After all is said: a signal that stopped it ends the process as it would have. */
void inplace_end(void);

#endif
