// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>

#include "cache_layout.h"

#define MIB_SECTORS	UINT64_C(2048)

/* Below that there is nothing to gain. */
#define WRITECACHE_MIN	(4 * MIB_SECTORS)
#define DM_CACHE_MIN	(16 * MIB_SECTORS)

/*
 * Blocks of dm-cache: as lvmcache(7) has them, 64 KiB, and larger where there
 * would be more than a million, which cost memory.
 */
#define BLOCK_SECTORS	128
#define BLOCKS_MAX	1000000
#define BLOCK_MAX	2097152	/* sectors: dm-cache's 1 GiB */

/*
 * dm-cache takes 16 bytes a block, hints and dirty bits of another 5, and 4 MiB
 * for what it changes meanwhile; nobody has asked for the least of it.
 */
static uint64_t metadata_sectors(uint64_t blocks)
{
	uint64_t bytes = (UINT64_C(4) << 20) + blocks * 32;

	return (bytes / 512 + MIB_SECTORS) / MIB_SECTORS * MIB_SECTORS;
}

static int too_small(uint64_t sectors, uint64_t least, struct reason *why)
{
	return reason_set(why, RC_DEVICE,
		"The cache device has %" PRIu64 " MiB: %" PRIu64 " MiB are the least for this mode.",
		sectors / MIB_SECTORS, (least + CACHE_AREA_START) / MIB_SECTORS);
}

static int layout_writecache(struct cache_label *l, uint64_t sectors, unsigned int data_block,
			     struct reason *why)
{
	if (sectors < CACHE_AREA_START + WRITECACHE_MIN)
		return too_small(sectors, WRITECACHE_MIN, why);
	/* Its blocks are the sectors that whoever is above gets to see. */
	l->block = data_block / 512;
	l->start = CACHE_AREA_START;
	l->size = (sectors - l->start) / l->block * l->block;
	return RC_OK;
}

static int layout_cache(struct cache_label *l, uint64_t sectors, struct reason *why)
{
	uint64_t room;

	if (sectors < CACHE_AREA_START + DM_CACHE_MIN)
		return too_small(sectors, DM_CACHE_MIN, why);
	room = sectors - CACHE_AREA_START;
	l->block = BLOCK_SECTORS;
	while (room / l->block > BLOCKS_MAX && l->block < BLOCK_MAX)
		l->block *= 2;
	l->metadata_start = CACHE_AREA_START;
	l->metadata_size = metadata_sectors(room / l->block);
	l->start = l->metadata_start + l->metadata_size;
	l->size = (sectors - l->start) / l->block * l->block;
	return RC_OK;
}

int cache_layout(struct cache_label *l, uint64_t sectors, unsigned int data_block,
		 struct reason *why)
{
	l->metadata_start = 0;
	l->metadata_size = 0;
	if (l->mode == CACHE_WRITECACHE)
		return layout_writecache(l, sectors, data_block, why);
	return layout_cache(l, sectors, why);
}
