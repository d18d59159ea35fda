/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef HEADER_BACKUPS_H
#define HEADER_BACKUPS_H

#include <stddef.h>
#include <time.h>

#include "reason.h"

/*
 * Where "header backup" has put the headers of a disk, by UUID: what opens it
 * after its own headers are gone.
 */
struct header_backup {
	char *file;		/* absolute */
	time_t made;
};

int header_backups_note(const char *uuid, const char *file, struct reason *why);
/* Those that still have a header in them. *@list: header_backups_free(). */
int header_backups_list(const char *uuid, struct header_backup **list, size_t *nr,
			struct reason *why);
void header_backups_free(struct header_backup *list, size_t nr);
/* A file that isn't noted is no error. */
int header_backups_forget(const char *uuid, const char *file, struct reason *why);

#endif
