/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CACHE_LAYOUT_H
#define CACHE_LAYOUT_H

#include "cache_label.h"

/*
 * Where what is on a cache device of @sectors: sets l->block, start, size and
 * those of the metadata, for l->mode. @data_block: bytes, of the disk. RC_DEVICE
 * if it is too small.
 */
int cache_layout(struct cache_label *l, uint64_t sectors, unsigned int data_block,
		 struct reason *why);

#endif
