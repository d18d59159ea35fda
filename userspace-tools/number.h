/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef NUMBER_H
#define NUMBER_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Decimal digits at the beginning of @text, which end at *@rest. Quiet; false if there
 * are none, or more than 64 bits hold. *@value is undefined then.
 */
bool number_prefix(const char *text, const char **rest, uint64_t *value);

/* The same of digits and nothing else, for a number that isn't above @max. */
bool number_parse(const char *text, uint64_t max, uint64_t *value);

#endif
