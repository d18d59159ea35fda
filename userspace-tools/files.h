/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef FILES_H
#define FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "reason.h"

/*
 * Small text files of root's: read whole, and replaced whole, so that whoever
 * reads sees the old or the new one, also after a power cut.
 */

/* Makes a directory and what is missing above it, for root alone. */
int files_make_directory(const char *path, struct reason *why);

/* The directory that @path is in; makes it if it is missing. */
int files_make_parent(const char *path, struct reason *why);

/* A new name is there after a power cut only if its directory says so. An errno, or 0. */
int files_sync_parent(const char *path);

/* Who may have written what is read. */
enum files_trust {
	FILES_ANY,
	FILES_ROOTS,	/* root or who runs this, and nobody else */
};

/*
 * *@text ends with a NUL and is to be freed; @max: of bytes that are
 * reasonable. RC_DEVICE if it isn't there, and then *@text is NULL and
 * *@missing set.
 */
int files_read(const char *path, enum files_trust trust, size_t max, char **text, size_t *size,
	       bool *missing, struct reason *why);

/* With @create: RC_BUSY if it is there already. */
int files_write(const char *path, const char *text, size_t size, bool create,
		struct reason *why);

/*
 * For everybody to read, in a directory that is there, and lost if power fails: what
 * is made anew every minute.
 */
int files_publish(const char *path, const char *text, size_t size, struct reason *why);

/* The file is gone for good after this. A file that isn't there is no error. */
int files_remove(const char *path, struct reason *why);

/*
 * Keeps others who call this for the same directory out until the descriptor is
 * closed; the directory is made if it is missing.
 */
int files_lock(const char *directory, int *fd, struct reason *why);

/* RFC 3339, UTC, in seconds; "" for 0. */
#define FILES_TIME_SIZE	32
void files_format_time(time_t when, char *text, size_t size);
bool files_parse_time(const char *text, time_t *when);

#endif
