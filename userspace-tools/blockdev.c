// SPDX-License-Identifier: GPL-2.0-only
/*
 * Opens a disk, and says what size it has.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "blockdev_internal.h"
#include "diag.h"
#include "table.h"

int blockdev_open_error(const char *path, int err)
{
	switch (err) {
	case ENOENT:
	case ENXIO:
	case ENODEV:
	case ENOTDIR:
		return diag_fail(RC_DEVICE, "Device %s does not exist.", path);
	case EACCES:
	case EPERM:
		return diag_fail(RC_PERM, "No permission to open device %s; this takes root.", path);
	case ENOMEDIUM:
		return diag_fail(RC_DEVICE, "Device %s has no medium.", path);
	default:
		return diag_fail(RC_DEVICE, "Device %s can't be opened: %s.", path, strerror(err));
	}
}

static int claimed(const char *path, const struct stat *st)
{
	char users[512];

	blockdev_users(major(st->st_rdev), minor(st->st_rdev), users, sizeof(users));
	return diag_fail(RC_BUSY, "Device %s is in use%s%s.\n"
			 "It is mounted or has another device on top; --shared allows that for mappings\n"
			 "that don't overlap.", path, *users ? ": " : "", users);
}

static int query(struct blockdev *b, const char *path)
{
	int read_only = 0, block_size = 0;
	unsigned long ra = 0;
	uint64_t bytes = 0;
	struct stat st;

	if (fstat(b->fd, &st) || ioctl(b->fd, BLKGETSIZE64, &bytes) ||
	    ioctl(b->fd, BLKROGET, &read_only) || ioctl(b->fd, BLKSSZGET, &block_size))
		return diag_fail(RC_DEVICE, "Device %s doesn't tell its size: %s.",
				 path, strerror(errno));
	if (ioctl(b->fd, BLKRAGET, &ra))
		ra = 0;
	b->major = major(st.st_rdev);
	b->minor = minor(st.st_rdev);
	b->sectors = bytes / SECTOR_SIZE;
	b->block_size = (unsigned int)block_size;
	b->read_ahead = (unsigned int)ra;
	b->readonly |= read_only != 0;
	if (!b->sectors)
		return diag_fail(RC_DEVICE, "Device %s has zero size.", path);
	return RC_OK;
}

int blockdev_open(struct blockdev *b, const char *path, bool readonly, bool shared)
{
	char loop[64];
	struct stat st;
	int rc = RC_OK;
	int fd;

	memset(b, 0, sizeof(*b));
	b->fd = -1;
	b->readonly = readonly;
	if (stat(path, &st))
		return blockdev_open_error(path, errno);
	if (S_ISREG(st.st_mode)) {
		if (st.st_size < SECTOR_SIZE)
			return diag_fail(RC_DEVICE, "File %s is too small for a disk.", path);
		if (!shared && blockdev_loop_exists(path, loop, sizeof(loop)))
			return diag_fail(RC_BUSY, "File %s is already behind %s: use that device.",
					 path, loop);
		rc = blockdev_loop_attach(path, readonly, loop, sizeof(loop), &b->fd);
		if (rc)
			return rc;
		b->loop = true;
		path = loop;
	} else if (!S_ISBLK(st.st_mode)) {
		return diag_fail(RC_DEVICE, "%s is neither a block device nor a regular file.", path);
	} else {
		b->fd = open(path, (readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC);
		if (b->fd < 0 && !readonly && (errno == EROFS || errno == EACCES)) {
			b->readonly = true;
			b->fd = open(path, O_RDONLY | O_CLOEXEC);
		}
		if (b->fd < 0)
			return blockdev_open_error(path, errno);
		if (!shared) {
			fd = open(path, O_RDONLY | O_EXCL | O_CLOEXEC);
			if (fd < 0)
				rc = errno == EBUSY ? claimed(path, &st) :
						      blockdev_open_error(path, errno);
			else
				close(fd);
		}
	}
	if (!rc)
		rc = query(b, path);
	if (rc) {
		blockdev_close(b);
		return rc;
	}
	if (b->readonly && !readonly)
		diag_warn("Device %s is read-only, and so is the mapping.", path);
	return RC_OK;
}

void blockdev_close(struct blockdev *b)
{
	if (b->fd >= 0)
		close(b->fd);
	b->fd = -1;
}

int blockdev_look(const char *path, bool exclusive, uint64_t *sectors)
{
	struct blockdev b = { .fd = -1 };
	char loop[64];
	struct stat st;
	int rc;

	if (stat(path, &st))
		return blockdev_open_error(path, errno);
	if (S_ISREG(st.st_mode)) {
		*sectors = (uint64_t)st.st_size / SECTOR_SIZE;
		if (exclusive && blockdev_loop_exists(path, loop, sizeof(loop)))
			return diag_fail(RC_BUSY, "File %s is in use: it is behind %s.", path, loop);
		return RC_OK;
	}
	rc = blockdev_open(&b, path, true, !exclusive);
	if (!rc)
		*sectors = b.sectors;
	blockdev_close(&b);
	return rc;
}

void blockdev_absolute(const char *path, char *absolute, size_t size)
{
	char here[PATH_MAX];

	if (*path == '/' || !getcwd(here, sizeof(here)))
		snprintf(absolute, size, "%s", path);
	else
		snprintf(absolute, size, "%s/%s", here, path);
}

bool blockdev_readonly(const char *path)
{
	int readonly = 0, fd;
	struct stat st;

	if (stat(path, &st))
		return false;
	if (!S_ISBLK(st.st_mode))
		return access(path, W_OK) && errno == EROFS;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (ioctl(fd, BLKROGET, &readonly))
		readonly = 0;
	close(fd);
	return readonly;
}

int blockdev_size(unsigned int major, unsigned int minor, uint64_t *sectors,
		  unsigned int *block_size)
{
	char name[PATH_MAX], file[PATH_MAX];
	struct blockdev b = { .fd = -1 };
	int rc;

	blockdev_name(major, minor, name, sizeof(name));
	b.fd = open(name, O_RDONLY | O_CLOEXEC);
	if (b.fd < 0)
		return blockdev_open_error(name, errno);
	blockdev_loop_file(major, minor, file, sizeof(file));
	if (*file && ioctl(b.fd, LOOP_SET_CAPACITY, 0))
		diag_debug("LOOP_SET_CAPACITY on %s: %s", name, strerror(errno));
	rc = query(&b, name);
	if (!rc && (b.major != major || b.minor != minor))
		rc = diag_fail(RC_DEVICE, "%s is not device %u:%u.", name, major, minor);
	*sectors = b.sectors;
	*block_size = b.block_size;
	blockdev_close(&b);
	return rc;
}
