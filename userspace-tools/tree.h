/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TREE_H
#define TREE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "reason.h"

/*
 * The block devices of this host and what they lie on, as sysfs and
 * device-mapper tell: partitions, md, LVM and other mappings, loop devices and
 * the file systems their files are on, bcache.
 */

struct tree_edge {
	size_t to;		/* index of the device below */
	bool metadata;		/* where things are, and no data */
};

struct tree_node {
	unsigned int major, minor;	/* 0:0 for a file that lies on no device of this host */
	char name[PATH_MAX];		/* "/dev/sda", "/dev/mapper/vm1"; of such a file its path */
	char kind[40];			/* "disk", "partition", "loop", "md raid1", a target's name */
	char mapping[128];		/* device-mapper's name; "" */
	char uuid[130];			/* ... and UUID */
	unsigned int layers;		/* of encryption that this device adds */
	struct tree_edge *below;
	size_t nr_below;
};

struct tree {
	struct tree_node *node;
	size_t nr;
};

#define TREE_NONE	((size_t)-1)

/* What comes and goes meanwhile may be missing. */
int tree_read(struct tree *t, struct reason *why);
void tree_free(struct tree *t);

/* TREE_NONE if it isn't there. */
size_t tree_find(const struct tree *t, unsigned int major, unsigned int minor);

/*
 * Marks @from and what is above or below it; @marked has t->nr elements and is
 * cleared. Upwards only what has its data is looked at.
 */
void tree_mark_below(const struct tree *t, size_t from, bool *marked);
void tree_mark_above(const struct tree *t, size_t from, bool *marked);

/* The layers of encryption between a device and where the least protected of its data rest. */
unsigned int tree_layers(const struct tree *t, size_t from);
/* Where that is. */
size_t tree_least(const struct tree *t, size_t from);

#endif
