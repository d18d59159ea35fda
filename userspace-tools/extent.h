/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef EXTENT_H
#define EXTENT_H

#include <stdbool.h>
#include <stdint.h>

#include "reason.h"

/*
 * How much of a device what lies on it needs: for who takes a piece of its end
 * away, or gives it larger sectors. libblkid says what it is; how long it is the
 * superblock says, for what is met on disks of virtual machines.
 */
struct extent {
	char what[64];		/* "ext4 file system", "partition table (gpt)"; "": nothing known */
	bool known;		/* is @end? */
	uint64_t end;		/* in bytes */
	unsigned int block;	/* bytes that it reads at least; 0: not known */
};

/* RC_DEVICE if the device can't be read, or holds several things at once. */
int extent_find(const char *device, struct extent *e, struct reason *why);

#endif
