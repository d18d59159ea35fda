/* SPDX-License-Identifier: GPL-2.0-only */
/* Sector numbers to IVs; text and numbers only, builds in userspace too. */
#ifndef DMSSE_IV_H
#define DMSSE_IV_H

#include <linux/types.h>

#include "table.h"

/* Shortest IV a scheme other than DMSSE_IV_NONE can fill, in bytes. */
#define DMSSE_MIN_IV_SIZE	8

u64 dmsse_iv_sector(u64 sector, u64 iv_offset, unsigned int shift);
void dmsse_iv_fill(enum dmsse_iv_scheme scheme, u8 *iv, unsigned int size, u64 sector);

#endif
