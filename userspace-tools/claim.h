/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CLAIM_H
#define CLAIM_H

#include <stddef.h>

#include "reason.h"

/*
 * What the register knows to be on a device of which libblkid sees nothing: the data
 * of a disk whose header is elsewhere, as in "a disk of set gold, with its header in
 * /srv/vm1.header"; or "". The header must still be there and be that disk's.
 */
int claim_find(const char *device, char *what, size_t size, struct reason *why);

#endif
