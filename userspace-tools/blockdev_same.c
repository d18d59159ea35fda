// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whether two names are one disk, loop devices looked through.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/loop.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "blockdev_internal.h"

/* What tells a disk from others, now: an inode, or a device number with @inode 0. */
struct identity {
	uint64_t device;
	uint64_t inode;
};

static bool loop_status(unsigned int major, unsigned int minor, struct loop_info64 *info)
{
	char name[PATH_MAX], file[PATH_MAX];
	bool ok;
	int fd;

	blockdev_loop_file(major, minor, file, sizeof(file));
	if (!*file)
		return false;
	blockdev_name(major, minor, name, sizeof(name));
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ok = !ioctl(fd, LOOP_GET_STATUS64, info) && !info->lo_offset && !info->lo_sizelimit;
	close(fd);
	return ok;
}

static void identify_device(unsigned int major, unsigned int minor, struct identity *id)
{
	struct loop_info64 info;

	id->device = makedev(major, minor);
	id->inode = 0;
	if (!loop_status(major, minor, &info))
		return;
	id->device = info.lo_device;
	id->inode = info.lo_inode;
}

static bool identify(const char *path, struct identity *id)
{
	struct stat st;

	if (stat(path, &st))
		return false;
	if (S_ISBLK(st.st_mode)) {
		identify_device(major(st.st_rdev), minor(st.st_rdev), id);
	} else {
		id->device = st.st_dev;
		id->inode = st.st_ino;
	}
	return true;
}

bool blockdev_loop_is_file(unsigned int major, unsigned int minor, char *file, size_t size)
{
	struct loop_info64 info;
	char path[PATH_MAX];
	struct stat st;

	if (!loop_status(major, minor, &info))
		return false;
	blockdev_loop_file(major, minor, path, sizeof(path));
	/* The path is that of the day it was attached, and of whoever did it. */
	return !stat(path, &st) && S_ISREG(st.st_mode) && st.st_dev == info.lo_device &&
	       st.st_ino == info.lo_inode && (size_t)snprintf(file, size, "%s", path) < size;
}

bool blockdev_other_loop(const char *path, char *name, size_t size)
{
	char attr[PATH_MAX], number[32];
	struct identity id, other;
	unsigned int maj, min;
	struct dirent *e;
	bool found = false;
	struct stat st;
	DIR *d;

	if (stat(path, &st) || !S_ISBLK(st.st_mode))
		return false;
	identify_device(major(st.st_rdev), minor(st.st_rdev), &id);
	if (!id.inode)
		return false;
	d = opendir("/sys/class/block");
	while (d && !found && (e = readdir(d))) {
		if (strncmp(e->d_name, "loop", 4))
			continue;
		snprintf(attr, sizeof(attr), "/sys/class/block/%s/dev", e->d_name);
		if (!blockdev_read_line(attr, number, sizeof(number)) ||
		    sscanf(number, "%u:%u", &maj, &min) != 2 || makedev(maj, min) == st.st_rdev)
			continue;
		identify_device(maj, min, &other);
		found = other.device == id.device && other.inode == id.inode;
		if (found)
			snprintf(name, size, "/dev/%.31s", e->d_name);
	}
	if (d)
		closedir(d);
	return found;
}

bool blockdev_same(const char *path, const char *other)
{
	struct identity a, b;

	return identify(path, &a) && identify(other, &b) && a.device == b.device &&
	       a.inode == b.inode;
}

bool blockdev_is(const char *path, unsigned int major, unsigned int minor)
{
	struct identity a, b;

	identify_device(major, minor, &b);
	return identify(path, &a) && a.device == b.device && a.inode == b.inode;
}
