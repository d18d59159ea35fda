// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cells.h"

void cells_init(struct cells *c, const struct cells_column *column, size_t columns)
{
	size_t i;

	memset(c, 0, sizeof(*c));
	c->column = column;
	c->columns = columns;
	for (i = 0; i < columns; i++)
		c->width[i] = (int)strlen(column[i].title);
}

bool cells_add(struct cells *c, const char *text)
{
	int *width = &c->width[c->nr % c->columns];
	char **more, *cell;

	/* By powers of two. */
	if (!(c->nr & (c->nr - 1))) {
		more = reallocarray(c->cell, c->nr ? 2 * c->nr : 1, sizeof(*more));
		if (!more)
			return false;
		c->cell = more;
	}
	cell = strdup(text && *text ? text : "-");
	if (!cell)
		return false;
	c->cell[c->nr++] = cell;
	if ((int)strlen(cell) > *width)
		*width = (int)strlen(cell);
	return true;
}

/* Nothing is padded at the end of a line. */
static void print_cell(const struct cells *c, size_t column, const char *text)
{
	bool last = column + 1 == c->columns;
	int wide = last && !c->column[column].right ? 0 : c->width[column];

	printf("%*s%s", c->column[column].right ? wide : -wide, text, last ? "\n" : "  ");
}

void cells_print(const struct cells *c)
{
	size_t i;

	for (i = 0; i < c->columns; i++)
		print_cell(c, i, c->column[i].title);
	for (i = 0; i < c->nr; i++)
		print_cell(c, i % c->columns, c->cell[i]);
}

void cells_free(struct cells *c)
{
	size_t i;

	for (i = 0; i < c->nr; i++)
		free(c->cell[i]);
	free(c->cell);
}
