/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CACHE_H
#define CACHE_H

#include "blockdev.h"
#include "cache_note.h"
#include "cache_stack.h"
#include "disk.h"
#include "options.h"

/*
 * A disk's cache: which device it is, whether it fits the disk, and both sides'
 * record of it. The header, and the inner one of two layers, are never in it.
 */
struct cache {
	char path[PATH_MAX];		/* of the cache device */
	enum cache_mode mode;		/* that is wished for, or CACHE_NO_MODE */
	bool wanted;			/* --cache */
	bool given_up;			/* --cache none */
	struct blockdev device;
	struct cache_label label;
	bool goes_on;			/* what is in the cache is this disk's, and current */
	bool begun;			/* both sides have been told that it is in use, */
	bool was_dirty;			/* ... and before that it was like this */
	char *note_text;		/* of the header; NULL */
	struct cache_note note;
};

/* DEVICE[,MODE] or "none", as --cache has it. */
int cache_parse(struct cache *c, const char *text);

/*
 * To be called before a disk is opened: may it be opened like that? Asks where
 * something would be lost. Locks the disk if it has, or gets, a cache.
 */
int cache_plan(struct cache *c, const struct options *o, struct disk *d, const char *name,
	       struct reason *why);
void cache_free(struct cache *c);

/*
 * Puts the cache over the disk's data and notes that. @t is the table of the
 * unlocked disk, which lies on @b; it lies on the cache after this, and @b's
 * numbers are those of the cache. Without a cache: notes that there is none.
 */
int cache_attach(struct cache *c, struct disk *d, const char *name, struct sse_table *t,
		 struct blockdev *b, struct reason *why);
/* Opening has failed after that. */
void cache_detach(struct cache *c, struct disk *d, const char *name);

/* For who reads a disk's data by itself: refuses a disk whose cache has newer ones. */
int cache_refuse_dirty(const struct disk *d, struct reason *why);

/* The cache that an open disk has: writes it back, takes it down and notes that. */
int cache_close(const char *name, const struct cache_stack *s, struct reason *why);

/*
 * A header is being replaced by a backup: @now is the note that it has, NULL for
 * none; with @lost there is no telling.
 */
int cache_note_carry(struct disk *d, const char *now, bool lost, struct reason *why);

#endif
