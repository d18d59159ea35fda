/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CELLS_H
#define CELLS_H

#include <stdbool.h>
#include <stddef.h>

/* A table for people, whose columns are as wide as what is in them. */

struct cells_column {
	const char *title;
	bool right;		/* numbers end at the same place */
};

#define CELLS_COLUMNS_MAX	16

struct cells {
	const struct cells_column *column;
	size_t columns;
	int width[CELLS_COLUMNS_MAX];
	char **cell;		/* row by row */
	size_t nr;
};

void cells_init(struct cells *c, const struct cells_column *column, size_t columns);
/* The next cell; "" is shown as a dash. False: no memory. */
bool cells_add(struct cells *c, const char *text);
void cells_print(const struct cells *c);
void cells_free(struct cells *c);

#endif
