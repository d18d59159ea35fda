// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "diag.h"
#include "dm_left.h"
#include "ssesetup.h"

bool dm_is_left(const struct dm_mapping *m)
{
	return m->exists && !m->nr_targets && !m->in_use &&
	       !strncmp(m->uuid, DMSSE_UUID_PREFIX, strlen(DMSSE_UUID_PREFIX));
}

int dm_fail_left(int rc, const char *name)
{
	return diag_fail(rc, "Device %s has no table: what made it was cut off.\n"
			 "'ssesetup close %s' removes it.", name, name);
}

/* Any number of processes make mappings; one at a time looks for those that were left. */
static int lock(int how)
{
	int fd = open(dm_dev_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	while (fd >= 0 && flock(fd, how)) {
		if (errno == EINTR)
			continue;
		close(fd);
		fd = -1;
	}
	return fd;
}

int dm_making_begin(void)
{
	return lock(LOCK_SH);
}

void dm_making_end(int fd)
{
	if (fd >= 0)
		close(fd);
}

int dm_remove_left(const char *name, bool *removed)
{
	struct dm_mapping m;
	int fd, err;

	*removed = false;
	fd = lock(LOCK_EX);
	err = dm_query(name, &m);
	if (!err) {
		if (dm_is_left(&m)) {
			err = dm_remove(name, false);
			*removed = !err;
		}
		dm_mapping_free(&m);
	}
	dm_making_end(fd);
	return err ? diag_kernel_refusal("Removing the empty device", err, NULL) : RC_OK;
}
