/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef DES_STATE_H
#define DES_STATE_H

#include "des.h"

/*
 * What ssesetup found out about a disk encryption set, one JSON file each.
 * Fields that are not known are kept.
 */

/*
 * Fills in the state of @des, or clears it if there is none, or another set's
 * that had the name. RC_PARAM: damaged.
 */
int des_state_load(struct des *des, struct reason *why);

/* Under a lock: loads, calls @change, stores. */
int des_state_update(struct des *des, void (*change)(struct des *des, void *arg), void *arg,
		     struct reason *why);

/* The id of a set that has no file for it: made when it is asked for first. */
int des_state_id(const char *name, char *id, struct reason *why);

int des_state_remove(const char *name, struct reason *why);

/* A random UUID. */
int des_new_id(char *id, struct reason *why);

#endif
