/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef DEVNAMES_H
#define DEVNAMES_H

#include <stddef.h>
#include <sys/types.h>

/* The names that block devices have below /dev: nodes, and links to them. */

struct devnames {
	struct devname {
		dev_t device;
		char *path;
	} *name;
	size_t nr;
};

/* All of them. Without memory, as many as fit. */
void devnames_read(struct devnames *d);
/* Those of one device; of an image its path as given, and the real one. */
void devnames_of(struct devnames *d, const char *device);
void devnames_free(struct devnames *d);

#endif
