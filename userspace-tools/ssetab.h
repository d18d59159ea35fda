/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SSETAB_H
#define SSETAB_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "reason.h"

/*
 * /etc/ssetab, the disks that a host opens at boot: ssetab(5). A broken line is
 * an entry that says why, and keeps no other from being read.
 */

#define SSETAB_MAX		(1024 * 1024)	/* bytes of a file */
#define SSETAB_REQUIRES_MAX	8

struct ssetab_entry {
	unsigned int line;	/* from 1 */
	struct reason why;	/* why.rc: the line is broken, and only line and name are valid */
	char *text;		/* the line; the strings below are in it, or NULL */

	const char *name;	/* NULL if a broken line has none that could be used */
	const char *device;	/* a path, or TAG=value */
	const char *key_file;
	const char *des;	/* the set that the disk has to be of */

	const char *keyfile_offset;	/* numbers of bytes */
	const char *keyfile_size;
	const char *header;
	const char *cache;
	const char *cache_mode;
	const char *image;	/* of a temporary disk, as are the next five */
	const char *mkfs;
	const char *cipher;
	const char *key_size;	/* bits */
	const char *sector_size;
	const char *pair;	/* of "double=PAIR" */
	const char *device_timeout;
	const char *requires[SSETAB_REQUIRES_MAX];	/* units, or paths */
	size_t nr_requires;

	bool temp;
	bool swap;
	bool two_layers;
	bool netdev;
	bool noauto;
	bool nofail;
	bool clone;
	bool discard;
	bool readonly;
	bool scan;
	bool same_cpu_crypt;
	bool submit_from_crypt_cpus;
	bool no_read_workqueue;
	bool no_write_workqueue;
};

struct ssetab {
	struct ssetab_entry *entries;	/* in the order of their lines */
	size_t nr;
};

/* Only out of memory is an error. */
int ssetab_parse(const char *text, size_t size, struct ssetab *tab, struct reason *why);
/* A file that isn't there has no entries. */
int ssetab_load(struct ssetab *tab, struct reason *why);
void ssetab_free(struct ssetab *tab);

/* NULL if it has no line. */
const struct ssetab_entry *ssetab_find(const struct ssetab *tab, const char *name);

/* "UUID=..." and the like as udev's link; a path as it is. False if it is too long. */
bool ssetab_device_path(const char *device, char path[PATH_MAX]);
/* Is it in /dev, where udev and systemd know it; not an image? */
bool ssetab_is_device(const char *path);

#endif
