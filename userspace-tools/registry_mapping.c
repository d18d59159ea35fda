// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whose disk a name of a mapping is.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "files.h"
#include "paths.h"
#include "registry_internal.h"

#define PATH_MAPPINGS	PATH_DISKS "/mappings"
#define LINK_PREFIX	"of-"
#define LINK_SIZE	(sizeof(PATH_MAPPINGS) + sizeof("/" LINK_PREFIX) + 128)

/*
 * A symbolic link for each mapping, to the entry of the disk that was opened
 * under that name last. It alone says whose a name is: a disk may have several,
 * but no name leads to two disks. And a thousand open disks find theirs without
 * reading a thousand entries each.
 */
static int link_path(const char *mapping, char *path, size_t size, struct reason *why)
{
	if (!strchr(mapping, '/') &&
	    (size_t)snprintf(path, size, PATH_MAPPINGS "/" LINK_PREFIX "%s", mapping) < size)
		return RC_OK;
	return reason_set(why, RC_PARAM, "'%.128s' is no name of a mapping.", mapping);
}

int registry_link_mapping(const char *mapping, const char *entry, struct reason *why)
{
	char path[LINK_SIZE], temporary[] = PATH_MAPPINGS "/.new", target[ENTRY_NAME_SIZE + 4];
	int rc;

	rc = link_path(mapping, path, sizeof(path), why);
	if (!rc)
		rc = files_make_directory(PATH_MAPPINGS, why);
	if (rc)
		return rc;
	snprintf(target, sizeof(target), "../%s", strrchr(entry, '/') + 1);
	/* The register's lock makes this the only one. */
	unlink(temporary);
	if (symlink(target, temporary) || rename(temporary, path))
		return reason_set(why, errno == EACCES || errno == EPERM ? RC_PERM : RC_DEVICE,
				  "%s can't be made: %s.", path, strerror(errno));
	return RC_OK;
}

/* The file that a link leads to, without a directory; false if there is no such link. */
static bool read_link(const char *link, char *entry)
{
	char target[ENTRY_NAME_SIZE + 4];
	ssize_t n = readlink(link, target, sizeof(target) - 1);

	if (n <= 3)
		return false;
	target[n] = '\0';
	memcpy(entry, target + 3, (size_t)n - 2);
	return true;
}

int registry_find_mapping(const char *mapping, struct known_disk *disk, struct reason *why)
{
	char link[LINK_SIZE], entry[ENTRY_NAME_SIZE + 1], path[ENTRY_PATH_SIZE];
	struct reason ignored;
	bool missing;

	if (!link_path(mapping, link, sizeof(link), &ignored) && read_link(link, entry)) {
		snprintf(path, sizeof(path), PATH_DISKS "/%.*s", (int)ENTRY_NAME_SIZE, entry);
		if (!registry_read_entry(path, disk, &missing, &ignored))
			return RC_OK;
	}
	return reason_set(why, RC_DEVICE, "No disk in the register was opened as %.128s.", mapping);
}

struct find_link {
	const char *entry;
	char mapping[128];
};

static void find_link(const char *mapping, void *arg)
{
	char link[LINK_SIZE], entry[ENTRY_NAME_SIZE + 1];
	struct find_link *f = arg;
	struct reason ignored;

	if (!*f->mapping && !link_path(mapping, link, sizeof(link), &ignored) &&
	    read_link(link, entry) && !strcmp(entry, f->entry))
		snprintf(f->mapping, sizeof(f->mapping), "%s", mapping);
}

/* With the register's lock. The entry shows another name that is the disk's, if it has one. */
static int drop_mapping(const char *mapping, const char *link, struct reason *why)
{
	char entry[ENTRY_NAME_SIZE + 1], path[ENTRY_PATH_SIZE];
	struct find_link other = { .entry = entry };
	struct known_disk disk;
	struct reason ignored;
	bool missing;

	if (!read_link(link, entry))
		return RC_OK;
	if (unlink(link))
		return reason_set(why, errno == EACCES || errno == EPERM ? RC_PERM : RC_DEVICE,
				  "%s can't be removed: %s.", link, strerror(errno));
	snprintf(path, sizeof(path), PATH_DISKS "/%.*s", (int)ENTRY_NAME_SIZE, entry);
	if (registry_read_entry(path, &disk, &missing, &ignored) || strcmp(disk.mapping, mapping))
		return RC_OK;
	registry_each_mapping(find_link, &other);
	memcpy(disk.mapping, other.mapping, sizeof(disk.mapping));
	return registry_write_entry(&disk, why);
}

int registry_drop_mapping(const char *mapping, struct reason *why)
{
	char link[LINK_SIZE];
	int lock, rc;

	rc = link_path(mapping, link, sizeof(link), why);
	/* Where nothing was ever registered there is nothing to lock. */
	if (rc || access(PATH_MAPPINGS, F_OK))
		return rc;
	rc = files_lock(PATH_DISKS, &lock, why);
	if (rc)
		return rc;
	rc = drop_mapping(mapping, link, why);
	close(lock);
	return rc;
}

void registry_each_mapping(void (*fn)(const char *mapping, void *arg), void *arg)
{
	struct dirent *entry;
	DIR *dir;

	dir = opendir(PATH_MAPPINGS);
	if (!dir)
		return;
	while ((entry = readdir(dir)))
		if (!strncmp(entry->d_name, LINK_PREFIX, strlen(LINK_PREFIX)))
			fn(entry->d_name + strlen(LINK_PREFIX), arg);
	closedir(dir);
}
