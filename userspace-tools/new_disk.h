/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef NEW_DISK_H
#define NEW_DISK_H

#include "format.h"
#include "options.h"

/* What format and copy do around format_disk(). */

/* Sets p->pair; refuses what can't be formatted, or the policy doesn't allow. Writes nothing. */
int new_disk_check(const struct options *o, struct format_params *p, struct reason *why);
/* Asks whether what is on the device may go. */
int new_disk_confirm(const struct options *o, const struct format_params *p, struct reason *why);
/*
 * Formats, with a record of it, enters the disk in the register, and shows its
 * recovery keys. *@made is the caller's to disk_close().
 */
int new_disk_make(const struct format_params *p, struct disk *made, struct reason *why);

#endif
