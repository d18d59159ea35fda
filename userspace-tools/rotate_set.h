/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ROTATE_SET_H
#define ROTATE_SET_H

#include <stdbool.h>
#include <stddef.h>

#include "reason.h"

/* Rotation of all disks of a set that this host knows. */

struct rotate_options {
	const char *to;		/* version of the key; NULL: the newest */
	bool automatic;		/* make no new version; do nothing if nothing is to be done */
	bool destroy_old;	/* older versions of the platform's key, when all disks have moved */
	unsigned int parallel;	/* disks at a time; 0: CPUs */
};

/*
 * Says what it does, and how it went disk by disk; the set's state has it too.
 * @why is of what stopped all of it, or empty if every disk that failed was
 * named already.
 */
int rotate_set(const char *name, const struct rotate_options *o, struct reason *why);

#endif
