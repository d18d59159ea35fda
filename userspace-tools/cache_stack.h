/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CACHE_STACK_H
#define CACHE_STACK_H

#include <stdbool.h>
#include <stdint.h>

#include "cache_label.h"

/*
 * The mappings between a disk's data and its sse mapping:
 *
 *	NAME		sse
 *	NAME.sse-cache	dm-writecache or dm-cache
 *	|		NAME.sse-ssd (and NAME.sse-meta): parts of the cache device
 *	NAME.sse-origin	the data of the disk, without its headers
 *
 * All of them see ciphertext, and are hidden from udev's rules.
 */
struct cache_stack {
	char top[128], origin[128], ssd[128];
	char meta[128];			/* "": none, for dm-writecache */
	enum cache_mode mode;
	uint64_t size;			/* sectors, of the top and the origin */
	uint32_t block;			/* sectors, of the cache */
	unsigned int major, minor;	/* of the top */
	unsigned int disk_major, disk_minor;	/* what the origin is part of, */
	uint64_t disk_start;			/* ... from this sector on */
	unsigned int cache_major, cache_minor;	/* what the cache is part of */
};

struct cache_part {
	unsigned int major, minor;
	uint64_t start;		/* sectors */
};

/* Longer ones have no room for what is added to them. */
#define CACHE_NAME_MAX	100

/*
 * @data: where the disk's are, l->data sectors; @cache: the labelled device.
 * On failure nothing is left of it.
 */
int cache_stack_make(struct cache_stack *s, const char *name, const struct cache_label *l,
		     const struct cache_part *data, const struct cache_part *cache,
		     struct reason *why);

/* Is the device with this number, that an sse mapping lies on, such a cache? */
bool cache_stack_find(unsigned int major, unsigned int minor, struct cache_stack *s);
/* One that was left without its sse mapping; parts of one that was never whole are removed. */
bool cache_stack_find_left(const char *name, struct cache_stack *s);

struct cache_status {
	bool failed;			/* the cache has met an error and stopped */
	uint64_t blocks, used, dirty;
	uint64_t read_hits, read_misses, write_hits, write_misses;
	bool has_hits;			/* the kernel counts them */
};

int cache_stack_status(const struct cache_stack *s, struct cache_status *status,
		       struct reason *why);

/*
 * Writes back all that the disk lacks, to where no power cut takes it away. As long
 * as it takes, but not without progress.
 */
int cache_stack_flush(const struct cache_stack *s, struct reason *why);
int cache_stack_remove(const struct cache_stack *s, struct reason *why);

/* They go when what is above has gone; and not. */
void cache_stack_defer(const struct cache_stack *s);
void cache_stack_cancel_deferred(const struct cache_stack *s);

#endif
