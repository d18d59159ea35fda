/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SIGNATURE_H
#define SIGNATURE_H

#include <stddef.h>

#include "reason.h"

/* What lies on a device, as libblkid sees it, and our caches. */

/* "ext4 superblock", "gpt partition table" or "": nothing that is known. */
int signature_find(const char *device, char *what, size_t size, struct reason *why);
/* Makes all of them unrecognizable, so that what is written next is all there is. */
int signature_wipe(const char *device, struct reason *why);

#endif
