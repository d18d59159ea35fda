// SPDX-License-Identifier: GPL-2.0-only
/*
 * The name that the register has for a device or a header.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "blockdev.h"
#include "registry.h"

#define BY_ID		"/dev/disk/by-id"

/* Names that stay when the disk is moved to another slot or the kernel counts anew. */
static unsigned int rank(const char *link)
{
	static const char * const best_first[] = {
		"wwn-", "nvme-eui.", "nvme-", "virtio-", "scsi-", "ata-", "md-uuid-", "dm-uuid-",
	};
	const unsigned int nr = sizeof(best_first) / sizeof(best_first[0]);
	unsigned int i;

	for (i = 0; i < nr; i++)
		if (!strncmp(link, best_first[i], strlen(best_first[i])))
			return i;
	return nr;
}

static bool link_is_better(const char *link, const char *than)
{
	if (!*than || rank(link) != rank(than))
		return !*than || rank(link) < rank(than);
	return strcmp(link, than) < 0;
}

/* "" if udev has none. */
static void find_by_id(dev_t device, char *name, size_t size)
{
	char path[sizeof(BY_ID) + NAME_MAX + 1], best[NAME_MAX + 1] = "";
	struct dirent *entry;
	struct stat st;
	DIR *dir;

	*name = '\0';
	dir = opendir(BY_ID);
	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		snprintf(path, sizeof(path), BY_ID "/%s", entry->d_name);
		if (stat(path, &st) || !S_ISBLK(st.st_mode) || st.st_rdev != device)
			continue;
		if (link_is_better(entry->d_name, best))
			snprintf(best, sizeof(best), "%s", entry->d_name);
	}
	closedir(dir);
	if (*best)
		snprintf(name, size, BY_ID "/%s", best);
}

int registry_stable_name(const char *device, char *name, size_t size, struct reason *why)
{
	char real[PATH_MAX];
	struct stat st;

	if (!realpath(device, real) || stat(real, &st))
		return reason_set(why, errno == EACCES ? RC_PERM : RC_DEVICE, "%.400s: %s.", device,
				  strerror(errno));
	if (S_ISBLK(st.st_mode)) {
		find_by_id(st.st_rdev, name, size);
		if (*name)
			return RC_OK;
		/* The file stays, whichever loop device it gets next time. */
		if (blockdev_loop_is_file(major(st.st_rdev), minor(st.st_rdev), name, size))
			return RC_OK;
		/* /dev/mapper/NAME, where the real path is /dev/dm-0. */
		blockdev_name(major(st.st_rdev), minor(st.st_rdev), real, sizeof(real));
		if (*real != '/')
			return reason_set(why, RC_DEVICE, "%.400s has no name below /dev.", device);
	}
	if ((size_t)snprintf(name, size, "%s", real) >= size)
		return reason_set(why, RC_PARAM, "The path of %.400s is too long.", device);
	return RC_OK;
}
