/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHIM_LINUX_STRING_H
#define SHIM_LINUX_STRING_H

#include <string.h>
#include <strings.h>
#include <linux/kernel.h>

static inline ssize_t strscpy(char *to, const char *from, size_t size)
{
	return scnprintf(to, size, "%s", from);
}

static inline void memzero_explicit(void *p, size_t size)
{
	explicit_bzero(p, size);
}

static inline void *memchr_inv(const void *p, int c, size_t size)
{
	const u8 *bytes = p;

	for (; size; size--, bytes++)
		if (*bytes != (u8)c)
			return (void *)bytes;
	return NULL;
}

static inline char *strreplace(char *text, char from, char to)
{
	char *p;

	for (p = text; *p; p++)
		if (*p == from)
			*p = to;
	return text;
}

#endif
