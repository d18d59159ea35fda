/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BLOCKDEV_H
#define BLOCKDEV_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct blockdev {
	int fd;
	unsigned int major, minor;
	uint64_t sectors;		/* of 512 bytes */
	unsigned int block_size;	/* logical block */
	unsigned int read_ahead;	/* sectors */
	bool readonly;
	bool loop;			/* made for a regular file, goes with its last user */
};

/*
 * Opens a device that nobody else uses (@shared: that others may use); a
 * regular file gets a loop device. The descriptor that stays open doesn't
 * claim the device, so that device-mapper can.
 */
int blockdev_open(struct blockdev *b, const char *path, bool readonly, bool shared);
void blockdev_close(struct blockdev *b);

/*
 * Size of a device or image in sectors, for who works on its header; nothing
 * is attached. @exclusive: RC_BUSY if somebody uses it.
 */
int blockdev_look(const char *path, bool exclusive, uint64_t *sectors);

/* What a device seems to hold that a plain mapping would overwrite, or NULL. */
const char *blockdev_signature(const struct blockdev *b);

/* Size of the device with this number, after a loop device was told to look again. */
int blockdev_size(unsigned int major, unsigned int minor, uint64_t *sectors,
		  unsigned int *block_size);

/* The path from the root, links left as they are: what is written down stays right. */
void blockdev_absolute(const char *path, char *absolute, size_t size);

/* The first line of a small file, such as sysfs has; false if there is none. */
bool blockdev_read_line(const char *path, char *line, size_t size);
/* "/dev/sda" or "/dev/mapper/name"; "8:0" if it has no name. */
void blockdev_name(unsigned int major, unsigned int minor, char *name, size_t size);
/* The file behind a loop device; "" if it is none. */
void blockdev_loop_file(unsigned int major, unsigned int minor, char *file, size_t size);
/*
 * The real path of the file that a loop device is all of: false if it is another
 * device, a part of a file, or the file has no name any more.
 */
bool blockdev_loop_is_file(unsigned int major, unsigned int minor, char *file, size_t size);

/*
 * Another loop device on the file that a loop device is all of: the kernel doesn't
 * know that what one of them is used for is about the other.
 */
bool blockdev_other_loop(const char *path, char *name, size_t size);

/* Can nothing be written to a device or file? */
bool blockdev_readonly(const char *path);

/* Are two paths the same disk: one device, one file, or a file and its loop device? */
bool blockdev_same(const char *path, const char *other);
/* Is a path the device with this number, or the file that it is? */
bool blockdev_is(const char *path, unsigned int major, unsigned int minor);

/* Who uses a device: mount points and devices on top; "" if nobody is known. */
void blockdev_users(unsigned int major, unsigned int minor, char *text, size_t size);

#endif
