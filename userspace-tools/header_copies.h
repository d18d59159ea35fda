/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef HEADER_COPIES_H
#define HEADER_COPIES_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The two copies that LUKS2 keeps of a header, looked at byte by byte before
 * libcryptsetup mends them without a word.
 */
struct header_copy {
	bool whole;		/* its checksum is right */
	uint64_t sequence;	/* grows with each change */
};

struct header_copies {
	struct header_copy copy[2];
};

/* A file that can't be read has none. */
void header_copies_read(struct header_copies *h, const char *path);
/* Both there and equally new? */
bool header_copies_healthy(const struct header_copies *h);

/*
 * Writes new JSON into both, one after the other, as the next change after the
 * newest that is whole. A negative errno.
 */
int header_copies_write(const char *path, const char *json);

#endif
