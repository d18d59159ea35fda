// SPDX-License-Identifier: GPL-2.0-only
/*
 * Numbers in text.
 */
#include <errno.h>
#include <stdlib.h>

#include "number.h"

/* strtoull() alone takes signs and blanks, and says only here what is too large. */
bool number_prefix(const char *text, const char **rest, uint64_t *value)
{
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	*value = strtoull(text, &end, 10);
	*rest = end;
	return !errno;
}

bool number_parse(const char *text, uint64_t max, uint64_t *value)
{
	const char *rest;

	return number_prefix(text, &rest, value) && !*rest && *value <= max;
}
