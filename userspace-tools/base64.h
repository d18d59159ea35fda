/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BASE64_H
#define BASE64_H

#include <stdbool.h>
#include <stddef.h>

/* RFC 4648, section 4. Nothing here is secret: what is encoded is wrapped already. */

/* Room for the text of @size bytes, with the final NUL. */
#define BASE64_TEXT_SIZE(size)	(((size) + 2) / 3 * 4 + 1)

void base64_encode(const unsigned char *bytes, size_t size, char *text);

/*
 * Strict: padded, no white space, no bits left over, so that there is one text
 * for given bytes. false if that isn't so, or it is more than @room bytes.
 */
bool base64_decode(const char *text, unsigned char *bytes, size_t room, size_t *size);

#endif
