/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHRED_H
#define SHRED_H

#include "disk.h"
#include "overwrite.h"

/*
 * A disk whose headers are to be overwritten, with all keyslots and tokens in
 * them. No key is needed for that: an inner header is overwritten from below,
 * by where it must be.
 */

/* A device or file with a header. */
struct shred_part {
	char path[PATH_MAX];
	struct overwrite *overwrite;
	struct meta_extent extent;
	bool inner;		/* there is, or may be, another header where the data begin */
	uint64_t shift;		/* of an encryption in place that isn't over, bytes; 0 */
	bool moved;		/* ... which has moved the header of a layer to the end */
};

struct shred {
	char device[PATH_MAX];
	char header[PATH_MAX];		/* detached; "" */
	char uuid[UUID_TEXT_SIZE];	/* "": can't be told any more */
	char des[DES_NAME_MAX];		/* "" */
	char cache[1024];		/* where its header says that its cache is; "" */
	bool was_known;			/* in the register, until it was shredded */
	int in_place;			/* lock of encryption in place; -1 */
	struct overwrite *data;		/* the device of a detached header, which is held only */
	struct shred_part part[SSE_LAYERS_MAX];
	unsigned int nr_parts;
	struct disk disk;
};

/*
 * Sees what there is, and holds it so that nobody opens it meanwhile. RC_BUSY
 * if somebody has. @lock: not for another disk of the same UUID as one that is
 * locked already.
 */
int shred_prepare(struct shred *s, const char *device, const char *header, bool lock,
		  struct reason *why);
/* Overwrites, and proves it by reading. One that was cut off can be begun again. */
int shred_destroy(struct shred *s, struct reason *why);
void shred_close(struct shred *s);

uint64_t shred_bytes(const struct shred *s);

#endif
