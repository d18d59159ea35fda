/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef DISK_INTERNAL_H
#define DISK_INTERNAL_H

/* Between disk*.c. */

#include "disk.h"

#define INNER	0
#define OUTER	1

#define TWO_RECOVERY_KEYS							\
	"A disk with two layers has two recovery keys: open it with cryptsetup, twice."

/* Takes away the mapping of the outer layer alone, if there is one. */
void disk_unpeel(struct disk *d);

#endif
