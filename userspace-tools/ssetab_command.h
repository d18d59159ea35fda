/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SSETAB_COMMAND_H
#define SSETAB_COMMAND_H

#include "ssetab.h"

/*
 * The call of ssesetup that opens a disk of the table: for the units that the
 * generator writes, and for "ssesetup tab start".
 */

struct ssetab_command {
	const char *argv[32];	/* without the program; the last one is NULL */
	unsigned int argc;
	char device[PATH_MAX];
	char cache[PATH_MAX + 32];
	char pair[64];
};

/* The entry, not a broken one, must outlive the command. */
void ssetab_command(const struct ssetab_entry *e, struct ssetab_command *c);

#endif
