/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef OPENED_H
#define OPENED_H

#include <stdbool.h>

#include "dm.h"
#include "registry.h"

/*
 * The disks that are open, as the kernel has them: the register says what they
 * are, but may be of another day.
 */

struct opened {
	char mapping[128];
	struct known_disk known;
};

/*
 * The disk that an open mapping of ours is of. On failure *@known is left alone, or
 * is the disk that the register has in its place.
 */
int opened_find(const char *mapping, const struct dm_mapping *m, struct known_disk *known,
		struct reason *why);
/* Where it is: as the register has it if that is still right, else as the kernel does. */
void opened_device(const struct dm_mapping *m, const struct known_disk *known, char *device,
		   size_t size);

/* All that are open; *@list to be freed with free(). Without device-mapper there is none. */
int opened_list(struct opened **list, size_t *nr, struct reason *why);

/*
 * The next name after number *@at that a disk is open under, or NULL; begins
 * with *@at 0.
 */
const char *opened_name(const struct opened *list, size_t nr, const struct known_disk *known,
			size_t *at);

#endif
