// SPDX-License-Identifier: GPL-2.0-only
/*
 * Numbers in the text of tables.
 */
#include <errno.h>
#include <stdlib.h>

#include "number.h"

bool number_parse(const char *text, uint64_t max, uint64_t *value)
{
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	*value = strtoull(text, &end, 10);
	return !errno && !*end && *value <= max;
}
