/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef NUMBER_H
#define NUMBER_H

#include <stdbool.h>
#include <stdint.h>

/*
 * A number as the target's lines have it: decimal digits and nothing else, and
 * not above @max. Quiet. *@value is undefined if it is none.
 */
bool number_parse(const char *text, uint64_t max, uint64_t *value);

#endif
