// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "base64.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(const unsigned char *bytes, size_t size, char *text)
{
	size_t i, left;
	unsigned int group;

	for (i = 0; i < size; i += 3) {
		left = size - i;
		group = (unsigned int)bytes[i] << 16;
		if (left > 1)
			group |= (unsigned int)bytes[i + 1] << 8;
		if (left > 2)
			group |= bytes[i + 2];
		*text++ = digits[group >> 18];
		*text++ = digits[group >> 12 & 63];
		*text++ = left > 1 ? digits[group >> 6 & 63] : '=';
		*text++ = left > 2 ? digits[group & 63] : '=';
	}
	*text = '\0';
}

static int value_of(char c)
{
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* One group of four; how many bytes it holds, or 0. */
static size_t decode_group(const char *text, unsigned char out[3])
{
	unsigned int group = 0;
	size_t nr = 3;
	int i, value;

	if (text[3] == '=')
		nr = text[2] == '=' ? 1 : 2;
	for (i = 0; i < (int)nr + 1; i++) {
		value = value_of(text[i]);
		if (value < 0)
			return 0;
		group |= (unsigned int)value << (18 - 6 * i);
	}
	if (group & ((1U << (24 - 8 * nr)) - 1))
		return 0;
	out[0] = (unsigned char)(group >> 16);
	out[1] = (unsigned char)(group >> 8);
	out[2] = (unsigned char)group;
	return nr;
}

bool base64_decode(const char *text, unsigned char *bytes, size_t room, size_t *size)
{
	size_t length = strlen(text);
	unsigned char out[3];
	size_t i, nr;

	*size = 0;
	if (length % 4)
		return false;
	for (i = 0; i < length; i += 4) {
		nr = decode_group(text + i, out);
		if (!nr || nr > room - *size)
			return false;
		if (nr < 3 && i + 4 < length)
			return false;
		memcpy(bytes + *size, out, nr);
		*size += nr;
	}
	return true;
}
