/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CACHE_LABEL_H
#define CACHE_LABEL_H

#include <stdbool.h>
#include <stdint.h>

#include "reason.h"
#include "token.h"

/*
 * What a cache device says of itself, in its first 8 KiB: two copies, written one
 * after the other, so that one of them is whole wherever the power is cut. See
 * Documentation/on-disk-format.rst.
 */

#define CACHE_LABEL_BYTES	4096
#define CACHE_LABEL_COPIES	2
/* The rest of the first MiB is left alone, for alignment. */
#define CACHE_AREA_START	2048	/* sectors of 512 bytes, as all numbers here */

enum cache_mode {
	CACHE_NO_MODE,
	CACHE_WRITECACHE,
	CACHE_WRITETHROUGH,
	CACHE_WRITEBACK,
};

/* "writecache"; "" if it isn't one. */
const char *cache_mode_name(enum cache_mode mode);
enum cache_mode cache_mode_find(const char *name);

struct cache_label {
	unsigned int copies;		/* that were found whole */
	uint64_t sequence;		/* the copy with the higher one counts */
	bool dirty;			/* has, or may have, what the disk lacks */
	enum cache_mode mode;
	uint32_t block;			/* of the cache */
	uint64_t data;			/* size of the disk's data */
	uint64_t metadata_start, metadata_size;	/* of dm-cache; 0 */
	uint64_t start, size;		/* of what is cached */
	char disk[UUID_TEXT_SIZE];	/* UUID of the disk's header */
	char session[UUID_TEXT_SIZE];	/* of its last opening, which the disk's note has too */
};

void cache_label_encode(const struct cache_label *l, unsigned char bytes[CACHE_LABEL_BYTES]);
/* False if it isn't one, or is damaged, or makes no sense. @sectors: of the device. */
bool cache_label_decode(const unsigned char bytes[CACHE_LABEL_BYTES], uint64_t sectors,
			struct cache_label *l);

/* *@found: is there one? A later version is refused. */
int cache_label_read(int fd, uint64_t sectors, struct cache_label *l, bool *found,
		     struct reason *why);
/* Both copies, each safe before the next is begun; counts l->sequence up. */
int cache_label_write(int fd, struct cache_label *l, struct reason *why);
/* Neither copy is one any more. */
int cache_label_wipe(int fd, struct reason *why);

#endif
