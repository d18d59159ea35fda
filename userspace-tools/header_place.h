/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef HEADER_PLACE_H
#define HEADER_PLACE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "reason.h"
#include "token.h"

/*
 * A LUKS2 header that comes to lie where data of a disk are, so that power may
 * fail at any write. libcryptsetup has copied the first piece of the data to the
 * device's end; its room at the begin is as long as the piece, the "shift":
 *
 *	| piece | rest of the data | spare      | copy of piece |	before
 *	| header| rest of the data | (header)   | copy of piece |	after
 *
 * First a whole copy of the header is written into the spare room, then the
 * header over the piece, then the copy is taken out of force. As long as it is
 * in force the second step may have happened in part, and is done again.
 */

/* Length of the header: of both copies of the metadata and the keyslots area. */
#define PLACE_HEADER_BYTES	(UINT64_C(4096) * 512)

/*
 * What the shift may be: twice the last each time. A begin that was cut off is
 * looked for at all of them, whatever is asked for the next time.
 */
#define PLACE_SHIFT_MIN		PLACE_HEADER_BYTES
/* The room of LUKS2's keyslots ends there. */
#define PLACE_SHIFT_MAX		(UINT64_C(128) << 20)

enum place_state {
	PLACE_NOTHING,		/* no copy in force: not begun, or over */
	PLACE_CUT,		/* what was begun is to be finished */
	PLACE_STALE,		/* begun once, but the data have been written to since */
};

/*
 * What there is on @device. @shift is in bytes. The header's UUID is for
 * messages; of PLACE_NOTHING it is "".
 */
int place_look(const char *device, uint64_t shift, enum place_state *state,
	       char uuid[UUID_TEXT_SIZE], struct reason *why);

/* Before the piece is copied: no older copy must be in force. */
int place_prepare(const char *device, uint64_t shift, struct reason *why);
/* The file @header becomes the header of @device. */
int place_header(const char *device, uint64_t shift, const char *header, struct reason *why);
/* PLACE_CUT: the header comes from the copy. */
int place_finish(const char *device, uint64_t shift, struct reason *why);

/* The copy of the piece is plain: it goes when the data are encrypted. */
int place_wipe(const char *device, uint64_t shift, struct reason *why);

/* Is the piece that was copied to the end itself a header, that of a layer within? */
bool place_moved_header(const char *device, uint64_t shift);

/*
 * A detached header from the file @header: a new file @to, there as a whole or
 * not at all, or a block device.
 */
int place_detached(const char *header, const char *to, struct reason *why);

#endif
