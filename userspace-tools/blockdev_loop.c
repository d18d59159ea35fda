// SPDX-License-Identifier: GPL-2.0-only
/*
 * A loop device for a regular file.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "blockdev_internal.h"
#include "diag.h"
#include "module.h"

/* Two loop devices on one file don't know of each other, nor do their mappings. */
bool blockdev_loop_exists(const char *path, char *name, size_t size)
{
	char want[PATH_MAX], attr[PATH_MAX], file[PATH_MAX];
	struct dirent *e;
	bool found = false;
	DIR *d;

	if (!realpath(path, want))
		return false;
	d = opendir("/sys/class/block");
	while (d && !found && (e = readdir(d))) {
		if (strncmp(e->d_name, "loop", 4))
			continue;
		snprintf(attr, sizeof(attr), "/sys/class/block/%s/loop/backing_file", e->d_name);
		if (!blockdev_read_line(attr, file, sizeof(file)) || strcmp(file, want))
			continue;
		snprintf(name, size, "/dev/%.31s", e->d_name);
		found = true;
	}
	if (d)
		closedir(d);
	return found;
}

/* Another process may be faster with a free loop device. */
#define LOOP_TRIES	16

int blockdev_loop_attach(const char *path, bool readonly, char *loop, size_t size, int *fd)
{
	struct loop_config config = { .info.lo_flags = LO_FLAGS_AUTOCLEAR };
	int control, file, nr, i, err;

	file = open(path, (readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	if (file < 0 && !readonly && (errno == EROFS || errno == EACCES)) {
		readonly = true;
		file = open(path, O_RDONLY | O_CLOEXEC);
	}
	if (file < 0)
		return blockdev_open_error(path, errno);
	if (readonly)
		config.info.lo_flags |= LO_FLAGS_READ_ONLY;
	config.fd = (unsigned int)file;
	snprintf((char *)config.info.lo_file_name, LO_NAME_SIZE, "%s", path);

	control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	if (control < 0 && module_load("loop"))
		control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	if (control < 0) {
		close(file);
		return diag_fail(RC_DEVICE,
			"%s is a regular file and there are no loop devices (%s).\n"
			"Load the module loop, or give a block device.", path, strerror(errno));
	}
	err = EBUSY;
	*fd = -1;
	for (i = 0; i < LOOP_TRIES && *fd < 0; i++) {
		nr = ioctl(control, LOOP_CTL_GET_FREE);
		if (nr < 0) {
			err = errno;
			break;
		}
		snprintf(loop, size, "/dev/loop%d", nr);
		*fd = open(loop, (readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC);
		if (*fd < 0) {
			err = errno;
			break;
		}
		if (ioctl(*fd, LOOP_CONFIGURE, &config) == 0)
			break;
		err = errno;
		close(*fd);
		*fd = -1;
		if (err != EBUSY)
			break;
	}
	close(control);
	close(file);
	if (*fd < 0)
		return diag_fail(RC_DEVICE, "No loop device for file %s: %s.", path, strerror(err));
	diag_debug("File %s is behind %s.", path, loop);
	return RC_OK;
}
