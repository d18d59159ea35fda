/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef DM_H
#define DM_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Device-mapper. "errno" functions return 0 or a positive errno and are
 * silent; the caller knows what it wanted.
 */

struct dm_mapping {
	bool exists;
	bool suspended;
	bool readonly;
	bool in_use;
	bool deferred_remove;
	unsigned int major, minor;
	char uuid[130];
	unsigned int nr_targets;
	char target[16];		/* type of the first target */
	uint64_t size;			/* of all targets, in sectors */
	char *table;			/* parameters, only of an sse mapping */
	char *info;			/* status of the first target */
};

/* Sends libdevmapper's messages to --debug. */
void dm_setup(void);

/* Is device-mapper there? Returns an enum exit_code and says what to do. */
int dm_ready(void);
/* For who only looks: where it was never loaded nothing is open. */
bool dm_loaded(void);
/* Errno; @version: "1.0.0", or "" if the target isn't registered. */
int dm_target_version(const char *target, char *version, unsigned int size);

/* Errno; a mapping that doesn't exist is no error. */
int dm_query(const char *name, struct dm_mapping *m);
void dm_mapping_free(struct dm_mapping *m);

/*
 * Looks for an sse mapping; an enum exit_code, with advice if there is none
 * of that name, or another target's.
 */
int dm_find(const char *name, struct dm_mapping *m);

/* Strips "/dev/mapper/"; NULL after a message if it can't be a name. */
const char *dm_name(const char *arg);
const char *dm_dev_dir(void);

/* Calls @fn for every sse mapping until it returns nonzero; returns that, or an errno. */
int dm_each(int (*fn)(const char *name, const struct dm_mapping *m, void *arg), void *arg);

/* Any mapping, whatever its target. */
struct dm_node {
	const char *name;
	const char *uuid;
	unsigned int nr_below;
	const uint64_t *below;		/* device numbers, for major() and minor() */
};

/* Calls @fn for every mapping until it returns nonzero; returns that, or an errno. */
int dm_each_node(int (*fn)(const struct dm_node *node, void *arg), void *arg);

/*
 * Calls @fn for each target of a mapping until it returns nonzero; returns that,
 * or an errno. @params: of the table; NULL if that isn't looked at, since it may
 * bring a key into this process.
 */
int dm_each_target(unsigned int major, unsigned int minor,
		   int (*fn)(const char *type, const char *params, void *arg), void *arg);

struct dm_load {
	const char *target;		/* NULL: sse */
	uint64_t size;
	const char *params;
	bool readonly;
	unsigned int read_ahead;	/* of the device below, in sectors */
	bool hidden;			/* from udev's rules: a mapping of ssesetup's own */
	bool scan;			/* udev's rules may look at what is in it */
};

/* Errnos. */
int dm_create(const char *name, const char *uuid, const struct dm_load *load);
int dm_reload(const char *name, const struct dm_load *load);
int dm_clear(const char *name);
int dm_suspend(const char *name);
int dm_resume(const char *name);
int dm_resume_hidden(const char *name);
/*
 * @deferred: the mapping goes away when the last descriptor on it is closed, by the
 * kernel if need be. dm_keep() takes that back.
 */
int dm_remove(const char *name, bool deferred);
int dm_keep(const char *name);
int dm_message(const char *name, const char *message);

#endif
