/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef UTF8_H
#define UTF8_H

#include <stddef.h>

/* Bytes of the character that @text begins with; 0 if it is none (RFC 3629). */
size_t utf8_size(const char *text, size_t size);

/* Copies, with U+FFFD for each byte that belongs to no character; cuts at whole ones. */
void utf8_clean(const char *text, char *clean, size_t size);

/*
 * Makes text harmless for a terminal, in place: '?' is what becomes of each byte of a
 * control character, but newline and tab, and of each that belongs to no character.
 */
void utf8_defuse(char *text);

#endif
