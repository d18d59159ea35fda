/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef REGISTRY_INTERNAL_H
#define REGISTRY_INTERNAL_H

/* Between registry*.c. */

#include "paths.h"
#include "registry.h"

#define ENTRY_SUFFIX	".json"
#define ENTRY_HASH_SIZE	32
#define ENTRY_NAME_SIZE	(2 * ENTRY_HASH_SIZE + sizeof(ENTRY_SUFFIX))
#define ENTRY_PATH_SIZE	(sizeof(PATH_DISKS) + 1 + ENTRY_NAME_SIZE)

/* The file of an entry; @path has ENTRY_PATH_SIZE bytes, @header may be NULL. */
int registry_entry_path(const char *device, const char *header, char *path, struct reason *why);
/* RC_PARAM: damaged. */
int registry_read_entry(const char *path, struct known_disk *disk, bool *missing,
			struct reason *why);
/* With the register's lock. */
int registry_write_entry(const struct known_disk *disk, struct reason *why);

/* Makes the name lead to the entry whose path @entry is. With the register's lock. */
int registry_link_mapping(const char *mapping, const char *entry, struct reason *why);

#endif
