// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lengths of time, as the files and options of a disk encryption set have them.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "des.h"

static const struct {
	char unit;
	unsigned int seconds;
} units[] = {
	{ 'd', 24 * 3600 },
	{ 'h', 3600 },
	{ 'm', 60 },
	{ 's', 1 },
};

#define NR_UNITS	(sizeof(units) / sizeof(units[0]))

static bool unit_factor(const char *unit, unsigned int *factor)
{
	size_t i;

	*factor = 1;
	if (!*unit)
		return true;
	for (i = 0; i < NR_UNITS; i++) {
		if (unit[0] == units[i].unit && !unit[1]) {
			*factor = units[i].seconds;
			return true;
		}
	}
	return false;
}

bool des_parse_duration(const char *text, unsigned int *seconds)
{
	unsigned int n = 0, factor;

	if (!strcmp(text, "none")) {
		*seconds = 0;
		return true;
	}
	if (!isdigit((unsigned char)*text))
		return false;
	for (; isdigit((unsigned char)*text); text++)
		if (__builtin_mul_overflow(n, 10U, &n) ||
		    __builtin_add_overflow(n, (unsigned int)(*text - '0'), &n))
			return false;
	/* Nobody who writes 0 can be sure whether that is "at once" or "never". */
	if (!n || !unit_factor(text, &factor))
		return false;
	return !__builtin_mul_overflow(n, factor, seconds);
}

void des_format_duration(unsigned int seconds, char *text, size_t size)
{
	size_t i = 0;

	if (!seconds) {
		snprintf(text, size, "none");
		return;
	}
	while (seconds % units[i].seconds)
		i++;
	snprintf(text, size, "%u%c", seconds / units[i].seconds, units[i].unit);
}
