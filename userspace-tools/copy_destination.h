/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef COPY_DESTINATION_H
#define COPY_DESTINATION_H

#include "copy_note.h"
#include "hidden.h"
#include "options.h"

/*
 * The new disk that a copy is made on. Its header says that the copy is
 * unfinished from before anything can open it until all of it was verified.
 */
struct copy_destination {
	const char *path;
	const char *header;		/* detached, or NULL */
	struct hidden map;
	struct copy_note note;		/* as it is in the header */
	char des[DES_NAME_MAX];
	char uuid[UUID_TEXT_SIZE];
};

/*
 * Goes on with an unfinished copy of @source; otherwise makes the destination a
 * new disk of the set that the options name, if a person agrees. Refuses one
 * that is too small, or in use, before anything is written.
 */
int copy_destination_open(struct copy_destination *d, const struct options *o, const char *path,
			  const struct copy_note *source, struct reason *why);
void copy_destination_close(struct copy_destination *d);

/* Notes in the header that @done bytes are there. */
int copy_destination_note(struct copy_destination *d, uint64_t done, struct reason *why);
/* The copy is complete: the disk can be opened from now on. */
int copy_destination_finish(struct copy_destination *d, struct reason *why);

#endif
