// SPDX-License-Identifier: GPL-2.0-only
#include <blkid/blkid.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cache_label.h"
#include "signature.h"

static int failed(const char *device, struct reason *why)
{
	return reason_set(why, RC_DEVICE, "Device %s can't be examined: %s.", device,
			  strerror(errno ? errno : EIO));
}

static blkid_probe new_probe(int fd)
{
	blkid_probe probe = blkid_new_probe();

	if (!probe)
		return NULL;
	if (blkid_probe_set_device(probe, fd, 0, 0) ||
	    blkid_probe_enable_superblocks(probe, 1) ||
	    blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_MAGIC) ||
	    blkid_probe_enable_partitions(probe, 1) ||
	    blkid_probe_set_partitions_flags(probe, BLKID_PARTS_MAGIC)) {
		blkid_free_probe(probe);
		return NULL;
	}
	return probe;
}

/* libblkid knows nothing of our caches. */
static int find_label(blkid_probe probe, int fd, struct cache_label *label, bool *found,
		      struct reason *why)
{
	return cache_label_read(fd, (uint64_t)blkid_probe_get_size(probe) / 512, label, found, why);
}

int signature_find(const char *device, char *what, size_t size, struct reason *why)
{
	struct cache_label label;
	const char *type;
	blkid_probe probe;
	int fd, rc = RC_OK;
	bool found;

	*what = '\0';
	errno = 0;
	fd = open(device, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return failed(device, why);
	probe = new_probe(fd);
	if (!probe) {
		rc = failed(device, why);
	} else if (blkid_do_probe(probe) == 0) {
		if (!blkid_probe_lookup_value(probe, "TYPE", &type, NULL))
			snprintf(what, size, "a superblock of %s", type);
		else if (!blkid_probe_lookup_value(probe, "PTTYPE", &type, NULL))
			snprintf(what, size, "a partition table (%s)", type);
	} else {
		rc = find_label(probe, fd, &label, &found, why);
		if (!rc && found)
			snprintf(what, size, "the cache of disk %.40s%s", label.disk,
				 label.dirty ? ", with data that the disk lacks" : "");
	}
	blkid_free_probe(probe);
	close(fd);
	return rc;
}

int signature_wipe(const char *device, struct reason *why)
{
	struct cache_label label;
	blkid_probe probe;
	int fd, r, rc = RC_OK;
	bool found;

	errno = 0;
	fd = open(device, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return failed(device, why);
	probe = new_probe(fd);
	if (!probe) {
		rc = failed(device, why);
		goto out;
	}
	while ((r = blkid_do_probe(probe)) == 0)
		if (blkid_do_wipe(probe, 0))
			break;
	if (r == 1)
		rc = find_label(probe, fd, &label, &found, why);
	if (r == 1 && !rc && found)
		rc = cache_label_wipe(fd, why);
	if (!rc && (r != 1 || fsync(fd)))
		rc = reason_set(why, RC_DEVICE, "What is on device %s can't be wiped: %s.", device,
				strerror(errno ? errno : EIO));
out:
	blkid_free_probe(probe);
	close(fd);
	return rc;
}
