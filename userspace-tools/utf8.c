// SPDX-License-Identifier: GPL-2.0-only
#include <stdbool.h>
#include <string.h>

#include "utf8.h"

static bool in(unsigned char c, unsigned char low, unsigned char high)
{
	return c >= low && c <= high;
}

/* Ranges of the second byte keep out surrogates, longer forms, and what is above U+10FFFF. */
size_t utf8_size(const char *text, size_t size)
{
	unsigned char c[4] = { 0 };
	size_t need, i;

	memcpy(c, text, size < sizeof(c) ? size : sizeof(c));
	if (!size)
		return 0;
	if (c[0] < 0x80)
		return 1;
	if (in(c[0], 0xc2, 0xdf) && in(c[1], 0x80, 0xbf))
		need = 2;
	else if (in(c[0], 0xe0, 0xef) &&
		 in(c[1], c[0] == 0xe0 ? 0xa0 : 0x80, c[0] == 0xed ? 0x9f : 0xbf))
		need = 3;
	else if (in(c[0], 0xf0, 0xf4) &&
		 in(c[1], c[0] == 0xf0 ? 0x90 : 0x80, c[0] == 0xf4 ? 0x8f : 0xbf))
		need = 4;
	else
		return 0;
	for (i = 2; i < need; i++)
		if (!in(c[i], 0x80, 0xbf))
			return 0;
	return need <= size ? need : 0;
}

void utf8_clean(const char *text, char *clean, size_t size)
{
	static const char replacement[] = "\xef\xbf\xbd";
	size_t left = strlen(text), used = 0, n;
	const char *from;

	while (left) {
		n = utf8_size(text, left);
		from = n ? text : replacement;
		text += n ? n : 1;
		left -= n ? n : 1;
		n = n ? n : sizeof(replacement) - 1;
		if (used + n >= size)
			break;
		memcpy(clean + used, from, n);
		used += n;
	}
	clean[used] = '\0';
}

/* C0 and DEL; C1, which have two bytes. */
static bool is_control(const char *text, size_t size)
{
	const unsigned char *c = (const unsigned char *)text;

	if (size == 1)
		return (*c < ' ' && *c != '\n' && *c != '\t') || *c == 0x7f;
	return size == 2 && c[0] == 0xc2 && c[1] < 0xa0;
}

void utf8_defuse(char *text)
{
	size_t left = strlen(text), n;

	for (; left; text += n, left -= n) {
		n = utf8_size(text, left);
		if (n && !is_control(text, n))
			continue;
		n = n ? n : 1;
		memset(text, '?', n);
	}
}
