/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SSETAB_INTERNAL_H
#define SSETAB_INTERNAL_H

/* Between ssetab*.c. Strings of an entry point into its text, which lives as long. */

#include "ssetab.h"

#define BLANKS	" \t"

/*
 * Fills in @e from @text, which is taken apart. Returns an enum exit_code; with a
 * broken line e->why is set too.
 */
int ssetab_take_fields(struct ssetab_entry *e, char *text);
/* The same for the field of the options. */
int ssetab_take_options(struct ssetab_entry *e, char *text);

/* Always RC_PARAM: sets e->why to "line N: ...". */
int ssetab_broken(struct ssetab_entry *e, const char *fmt, ...) PRINTF(2, 3);

/* From the root, and without "..". */
bool ssetab_path_ok(const char *path);
/* Such a path, or TAG=value. */
bool ssetab_device_ok(const char *device);
/* Is it named by what is gone when its content is overwritten? */
bool ssetab_device_of_content(const char *device);

#endif
