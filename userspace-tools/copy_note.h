/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef COPY_NOTE_H
#define COPY_NOTE_H

#include <stdbool.h>
#include <stdint.h>

#include "reason.h"

/*
 * The note in the header of a disk that a copy is being made on: from what, and
 * how far it has come. As long as it is there the disk isn't opened. Text only.
 */
#define COPY_NOTE_TYPE	"dm-sse-copy"

struct copy_note {
	char source[1024];	/* a name that stays; for a disk of ours, to tell people */
	char uuid[64];		/* of a disk of ours; "" for others */
	uint64_t size;		/* of the source's data, in bytes */
	bool formatted;		/* the destination's headers are complete */
	uint64_t copied;	/* bytes that are safely there */
};

/* RC_PARAM if it isn't such a note. */
int copy_note_parse(const char *json, struct copy_note *note, struct reason *why);
/* To be freed; NULL: no memory. */
char *copy_note_format(const struct copy_note *note);
/* Is it a copy of the same disk? */
bool copy_note_same_source(const struct copy_note *a, const struct copy_note *b);

#endif
