/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CACHE_NOTE_H
#define CACHE_NOTE_H

#include <limits.h>

#include "cache_label.h"

/*
 * The note in a disk's header that a device has its cache: as long as it is dirty
 * the disk isn't opened without. Text only.
 */
#define CACHE_NOTE_TYPE	"dm-sse-cache"

struct cache_note {
	char device[1024];		/* where the cache was, to tell people */
	char disk[1024];		/* where the disk was then; "": not known */
	enum cache_mode mode;
	char session[UUID_TEXT_SIZE];	/* of the last opening with it, */
	char previous[UUID_TEXT_SIZE];	/* ... what the label said before; "" once it is closed */
	bool dirty;
	bool restored;			/* the header is from a backup: the disk may have changed since */
};

/* RC_PARAM if it isn't such a note. */
int cache_note_parse(const char *json, struct cache_note *note, struct reason *why);
/* To be freed; NULL: no memory. Fields of @old, or NULL, that aren't known are kept. */
char *cache_note_format(const struct cache_note *note, const char *old);
/* Is it the cache that the note speaks of? */
bool cache_note_fits(const struct cache_note *note, const struct cache_label *label);

#endif
