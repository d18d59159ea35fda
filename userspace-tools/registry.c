// SPDX-License-Identifier: GPL-2.0-only
/*
 * The register of disks: its entries put, changed, listed, found and forgotten.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "diag.h"
#include "files.h"
#include "paths.h"
#include "registry_internal.h"

/* For a change of what is there; closing @lock ends it. */
static int lock_entry(const struct known_disk *disk, char *path, int *lock, struct reason *why)
{
	int rc = registry_entry_path(disk->device, disk->header, path, why);

	return rc ? rc : files_lock(PATH_DISKS, lock, why);
}

int registry_change(const struct known_disk *place, const char *mapping,
		    registry_change_fn *change, void *arg, struct reason *why)
{
	struct known_disk old, new = *place;
	struct reason ignored;
	char path[ENTRY_PATH_SIZE];
	bool missing, there;
	int lock, rc;

	rc = lock_entry(place, path, &lock, why);
	if (rc)
		return rc;
	/* One that is damaged is replaced. */
	there = !registry_read_entry(path, &old, &missing, &ignored);
	change(&new, there ? &old : NULL, arg);
	if (mapping)
		snprintf(new.mapping, sizeof(new.mapping), "%s", mapping);
	if (!new.added && there)
		new.added = old.added;
	if (!new.added)
		new.added = time(NULL);
	rc = registry_write_entry(&new, why);
	/* A name that the disk had once may be another's by now. */
	if (!rc && mapping && *mapping)
		rc = registry_link_mapping(mapping, path, why);
	close(lock);
	return rc;
}

static void replace(struct known_disk *new, const struct known_disk *old, void *arg)
{
	(void)new;
	(void)old;
	(void)arg;
}

int registry_put(const struct known_disk *disk, struct reason *why)
{
	return registry_change(disk, disk->mapping, replace, NULL, why);
}

int registry_note_versions(const struct known_disk *disk, struct reason *why)
{
	struct known_disk now;
	char path[ENTRY_PATH_SIZE];
	bool missing;
	int lock, rc;

	rc = lock_entry(disk, path, &lock, why);
	if (rc)
		return rc;
	rc = registry_read_entry(path, &now, &missing, why);
	if (!rc && !strcmp(now.uuid, disk->uuid)) {
		memcpy(now.key_version, disk->key_version, sizeof(now.key_version));
		memcpy(now.outer_key_version, disk->outer_key_version,
		       sizeof(now.outer_key_version));
		rc = registry_write_entry(&now, why);
	}
	close(lock);
	/* Forgotten meanwhile. */
	return missing ? RC_OK : rc;
}

static bool is_entry(const char *file)
{
	size_t len = strlen(file), suffix = strlen(ENTRY_SUFFIX);

	return *file != '.' && len > suffix && !strcmp(file + len - suffix, ENTRY_SUFFIX);
}

static int add_entry(const char *file, const char *des, struct known_disk **list, size_t *nr,
		     struct reason *why)
{
	struct known_disk *more, disk;
	char path[PATH_MAX];
	struct reason damage;
	bool missing;

	snprintf(path, sizeof(path), PATH_DISKS "/%s", file);
	if (registry_read_entry(path, &disk, &missing, &damage)) {
		/* Forgotten in between, if it is missing. */
		if (!missing)
			diag_warn("%s\nIt is left out of the register of disks.", damage.text);
		return RC_OK;
	}
	if (des && strcmp(des, disk.des))
		return RC_OK;
	/* By powers of two: a thousand disks are copied ten times. */
	if (!(*nr & (*nr - 1))) {
		more = reallocarray(*list, *nr ? 2 * *nr : 1, sizeof(**list));
		if (!more)
			return reason_nomem(why);
		*list = more;
	}
	(*list)[(*nr)++] = disk;
	return RC_OK;
}

static int compare(const void *a, const void *b)
{
	const struct known_disk *one = a, *other = b;
	int order = strcmp(one->device, other->device);

	return order ? order : strcmp(one->header, other->header);
}

int registry_list(const char *des, struct known_disk **list, size_t *nr, struct reason *why)
{
	struct dirent *entry;
	int rc = RC_OK;
	DIR *dir;

	*list = NULL;
	*nr = 0;
	dir = opendir(PATH_DISKS);
	if (!dir && errno == ENOENT)
		return RC_OK;
	if (!dir)
		return reason_set(why, errno == EACCES ? RC_PERM : RC_DEVICE,
				  "Directory %s can't be read: %s.", PATH_DISKS, strerror(errno));
	while (!rc && (entry = readdir(dir)))
		if (is_entry(entry->d_name))
			rc = add_entry(entry->d_name, des, list, nr, why);
	closedir(dir);
	if (rc) {
		free(*list);
		*list = NULL;
		*nr = 0;
	} else if (*nr) {
		qsort(*list, *nr, sizeof(**list), compare);
	}
	return rc;
}

static int not_known(const char *device, const char *header, struct reason *why)
{
	if (header && *header)
		return reason_set(why, RC_DEVICE, "%.200s with header %.200s is not in the register of disks.",
				  device, header);
	return reason_set(why, RC_DEVICE, "%.400s is not in the register of disks.", device);
}

static int find_exactly(const char *device, const char *header, struct known_disk *disk,
			bool *missing, struct reason *why)
{
	char path[ENTRY_PATH_SIZE];
	int rc = registry_entry_path(device, header, path, why);

	*missing = false;
	return rc ? rc : registry_read_entry(path, disk, missing, why);
}

/* As it is given, for one that is gone; else under its stable name. */
int registry_find(const char *device, const char *header, struct known_disk *disk,
		  struct reason *why)
{
	char stable_device[PATH_MAX], stable_header[PATH_MAX] = "";
	bool missing;
	int rc;

	rc = find_exactly(device, header, disk, &missing, why);
	if (!missing)
		return rc;
	if (registry_stable_name(device, stable_device, sizeof(stable_device), why))
		snprintf(stable_device, sizeof(stable_device), "%s", device);
	if (header && *header &&
	    registry_stable_name(header, stable_header, sizeof(stable_header), why))
		snprintf(stable_header, sizeof(stable_header), "%s", header);
	rc = find_exactly(stable_device, stable_header, disk, &missing, why);
	return missing ? not_known(device, header, why) : rc;
}

size_t registry_count(const struct known_disk *list, size_t nr, const char *des,
		      const char *des_id)
{
	size_t count = 0, i;

	for (i = 0; i < nr; i++)
		if (!strcmp(list[i].des, des) &&
		    (!des_id || !*list[i].des_id || !strcmp(list[i].des_id, des_id)))
			count++;
	return count;
}

int registry_forget(const char *device, const char *header, struct reason *why)
{
	struct known_disk disk;
	char path[ENTRY_PATH_SIZE];
	int rc;

	rc = registry_find(device, header, &disk, why);
	/* A damaged entry can be forgotten too. */
	if (rc == RC_PARAM)
		rc = registry_entry_path(device, header, path, why);
	else if (!rc)
		rc = registry_entry_path(disk.device, disk.header, path, why);
	return rc ? rc : files_remove(path, why);
}
