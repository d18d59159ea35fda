/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CACHE_SESSION_H
#define CACHE_SESSION_H

#include "cache.h"

/*
 * What the header of a disk and the label of its cache say of each other. Each time
 * that one is used with the other is a session, by whose id they know that they
 * belong together.
 */

/* The header that has the note: the outermost. */
struct meta *cache_note_meta(const struct disk *d);
/* @text: as it is there, for the caller to free; NULL if there is none. */
int cache_note_read(const struct disk *d, char **text, struct cache_note *note,
		    struct reason *why);
int cache_note_write(const struct disk *d, const struct cache_note *note, const char *old,
		     struct reason *why);

/*
 * The header first, and with both sessions: wherever this is cut off, what it
 * says fits the label.
 */
int cache_session_begin(struct cache *c, const struct disk *d, struct reason *why);
/*
 * What is written back makes a session of its own: a snapshot of the disk, taken
 * during the last one, has a note that the cache must not fit any more. The header
 * first, as above.
 */
int cache_session_renew(struct cache_label *label, const struct disk *d,
			struct cache_note *note, const char *old, struct reason *why);
/* All that was written is on the disk itself. The label first, for the same reason. */
int cache_session_end(int fd, struct cache_label *label, const struct disk *d,
		      struct cache_note *note, const char *old, struct reason *why);

#endif
