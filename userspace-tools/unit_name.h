/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef UNIT_NAME_H
#define UNIT_NAME_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Names of systemd's units, as systemd-escape(1) makes them. libsystemd has no
 * function for it.
 */

#define UNIT_NAME_SIZE	256	/* of the longest that systemd takes, with the NUL */

/* "PREFIX" + escaped text + "SUFFIX"; false if that is too long. */
bool unit_name_escape(const char *prefix, const char *text, const char *suffix,
		      char name[UNIT_NAME_SIZE]);

/* The unit of an absolute path without "..": "/dev/sda" and ".device" give "dev-sda.device". */
bool unit_name_of_path(const char *path, const char *suffix, char name[UNIT_NAME_SIZE]);

/* Could it be the name of a unit that others can depend on? */
bool unit_name_valid(const char *name);

#endif
