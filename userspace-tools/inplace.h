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

/*
 * RC_BUSY if the device is in use. @header: of a detached one, or NULL; it must be
 * another device. @verb: "encrypted".
 */
int inplace_claim(const char *device, const char *header, const char *verb, uint64_t *sectors,
		  struct reason *why);

/*
 * What the register knows against it, before something is begun or goes on: a disk
 * whose header is elsewhere, or a header that is of another device.
 */
int inplace_check_register(const char *device, const char *header, struct reason *why);

/* A detached header of one layer, and the device has one too: which of them is right? */
int inplace_check_own_header(const char *device, const char *header, struct reason *why);

/*
 * A disk of ours with which something is to be begun: nothing else is half done,
 * its data are all there, and it is the one that is meant.
 */
int inplace_check_disk(const struct options *o, struct disk *d, struct reason *why);

/*
 * How large the device is goes into the header while something is under way; the
 * data are found by that.
 */
int inplace_note_size(struct meta *meta, uint64_t sectors, struct reason *why);
int inplace_check_size(struct meta *meta, const char *device, uint64_t sectors,
		       struct reason *why);
int inplace_forget_size(struct meta *meta, struct reason *why);

/*
 * The secret of a live keyslot of the set's that the header of layer @index has,
 * and which keyslot it is.
 */
int inplace_secret(struct disk *d, unsigned int index, struct des_keys *dk,
		   struct secmem **secret, int *slot, struct reason *why);

/*
 * Goes on with what the header of layer @index says is under way, until it is
 * done or a signal comes that is caught: RC_PARAM then, and the same command goes
 * on. @done: "encrypted".
 */
int inplace_run(const struct options *o, struct disk *d, unsigned int index,
		struct des_keys *dk, const char *done, struct reason *why);

#endif
