/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MONITOR_H
#define MONITOR_H

#include "cache_stack.h"
#include "dm.h"
#include "info.h"
#include "registry.h"
#include "table.h"

/*
 * What the open mappings are and how they are, for people, programs and
 * monitoring. All of it is known to the kernel or written in files of this host:
 * no disk is read and no key used, so that it is told at once, also of a disk
 * that hangs, and as often as anybody likes.
 */
struct monitor_disk {
	char name[128];
	char uuid[130];			/* of the mapping */
	bool suspended, readonly, in_use, deferred_remove;
	uint64_t size;			/* sectors of 512 bytes */
	char problem[128];		/* why the next ones are empty; "" */
	struct sse_table table;
	struct sse_info info;
	struct known_disk known;	/* as the register has it; des is "" of others than a set's */
	bool temporary;
	bool cached;			/* it lies on a cache of ours, */
	struct cache_stack cache;	/* ... this one; */
	bool cache_understood;		/* ... and this is what its target says */
	struct cache_status cache_status;
};

/* Of one mapping of target sse; *@d to be freed, in any case. */
void monitor_read(const char *name, const struct dm_mapping *m, struct monitor_disk *d);
void monitor_release(struct monitor_disk *d);

/*
 * All that are open, by name. One that can't be understood has a problem, and
 * the others are told all the same. *@list to be freed with monitor_free().
 */
int monitor_list(struct monitor_disk **list, size_t *nr, struct reason *why);
void monitor_free(struct monitor_disk *list, size_t nr);

/* "LUKS2", "PLAIN", "TEMP", or "" of what ssesetup has not opened. */
void monitor_type(const struct monitor_disk *d, char *type, size_t size);
/* The version of a layer's key encryption key that this host saw last; "" if none. */
const char *monitor_key_version(const struct monitor_disk *d, unsigned int layer);
/* Number of the device below, and below a cache; false if the table isn't understood. */
bool monitor_below(const struct monitor_disk *d, unsigned int *major, unsigned int *minor);
/* The same as blockdev_name() has it; "". */
void monitor_device(const struct monitor_disk *d, char *name, size_t size);
/* The number that a word of the status has; false if there is no such word, or no number. */
bool monitor_number(const struct monitor_disk *d, const char *word, uint64_t *number);

/* An object, see Documentation/monitoring.rst; NULL: no memory. */
struct json_object *monitor_json(const struct monitor_disk *d);

#define MONITOR_JSON_VERSION	1

#endif
