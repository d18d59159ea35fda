/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef UNIT_H
#define UNIT_H

#include <stdio.h>

#include "ssetab.h"

/* The text of the service that opens a disk of the table, and closes it. */
void unit_write(FILE *f, const struct ssetab_entry *e);

/* The target that is complete when the disk is open. */
const char *unit_target(const struct ssetab_entry *e);

#endif
