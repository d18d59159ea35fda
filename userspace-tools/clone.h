/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CLONE_H
#define CLONE_H

#include "disk.h"

/*
 * Clones: snapshots and copies of a disk, header and all. They have its UUID, its
 * volume key, and are of its set. What tells them apart is where they are: nothing
 * is written to a clone to mark it, for it may be read-only, and its secrets are
 * bound to the UUID.
 */
struct clone_twin {
	char device[PATH_MAX];		/* of the disk that has the same UUID */
	char mapping[128];		/* it is open as this; "" */
};

/*
 * *@clone: is there another disk of this UUID, open or registered here, of which
 * this may be a clone? A disk that was registered before its clones were is none.
 */
int clone_find(const struct disk *d, struct clone_twin *twin, bool *clone, struct reason *why);
/* The same, into d->clone. */
int clone_detect(struct disk *d, struct clone_twin *twin, struct reason *why);

/* Is a disk of this UUID there now? @header: "" if it is on the device. */
bool clone_has_uuid(const char *device, const char *header, const char *uuid);

#endif
