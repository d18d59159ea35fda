/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef REGISTRY_H
#define REGISTRY_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "reason.h"
#include "token.h"

/*
 * The disks, detached headers and images that this host knows, one small JSON
 * file each in PATH_DISKS: for rotation, and for "where is this key used". The
 * truth is in the disks' tokens; this is where to look for them.
 */
struct known_disk {
	char device[PATH_MAX];		/* a stable name where udev has one, or the image's path */
	char header[PATH_MAX];		/* of a detached one; "" if it is on the device */
	char uuid[UUID_TEXT_SIZE];	/* of the (outer) LUKS2 header */
	char des[DES_NAME_MAX];
	char des_id[UUID_TEXT_SIZE];
	char mapping[128];		/* a name it is, or was last, open under; "" */
	/* Of the keys that wrapped its secrets when this host last saw them; "" : not yet. */
	char key_version[KEK_VERSION_MAX];	/* of the inner or only layer */
	char outer_key_version[KEK_VERSION_MAX];
	bool clone;			/* when it was opened another disk here had its UUID */
	time_t added;
};

/*
 * Adds or replaces the entry of this device and header: two disks of one UUID
 * are two entries. disk->mapping is the disk's from now on, beside other names
 * that it is open under.
 */
int registry_put(const struct known_disk *disk, struct reason *why);
/*
 * The same for who keeps some of what is there: @change fills in @new, which is
 * @place so far, by what is there, @old or NULL, while nobody else changes it.
 * @mapping: the name that is the disk's from now on; NULL: none becomes its.
 */
typedef void registry_change_fn(struct known_disk *new, const struct known_disk *old, void *arg);
int registry_change(const struct known_disk *place, const char *mapping,
		    registry_change_fn *change, void *arg, struct reason *why);
/*
 * Only the versions of keys, of an entry that is there and of this very disk; what
 * else is in it may have changed since @disk was read.
 */
int registry_note_versions(const struct known_disk *disk, struct reason *why);
/* 0 entries is fine; an entry that can't be read is left out with a warning. */
int registry_list(const char *des /* NULL: all */, struct known_disk **list, size_t *nr,
		  struct reason *why);
/* How many of these belong to the set; @des_id NULL: to whichever has its name. */
size_t registry_count(const struct known_disk *list, size_t nr, const char *des,
		      const char *des_id);
/* RC_DEVICE if it isn't known. */
int registry_forget(const char *device, const char *header, struct reason *why);
int registry_find(const char *device, const char *header, struct known_disk *disk,
		  struct reason *why);
/* By the name of a mapping: the disk that was opened under it last. */
int registry_find_mapping(const char *mapping, struct known_disk *disk, struct reason *why);
/* The name is nobody's any more; RC_OK if it was nobody's. */
int registry_drop_mapping(const char *mapping, struct reason *why);
/* Calls @fn for every name of a mapping that is some disk's; it may drop that name. */
void registry_each_mapping(void (*fn)(const char *mapping, void *arg), void *arg);
/*
 * /dev/disk/by-id/... of a block device if there is one; the real path of a file,
 * also if it is given as the loop device that is all of it.
 */
int registry_stable_name(const char *device, char *name, size_t size, struct reason *why);

#endif
