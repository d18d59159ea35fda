/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef COPY_SOURCE_H
#define COPY_SOURCE_H

#include "blockdev.h"
#include "copy_note.h"
#include "des_keys.h"
#include "hidden.h"

/*
 * What is copied: a disk of ours, which is opened for it, or any block device
 * or image, read as it is. It is read-only here, and nobody else's meanwhile.
 */
struct copy_source {
	const char *path;
	int fd;				/* with O_DIRECT */
	int image;			/* of a disk of ours in a file; -1 */
	uint64_t image_offset;
	struct copy_note identity;	/* source, uuid and size */
	char des[DES_NAME_MAX];		/* "" if it isn't a disk of ours */
	struct hidden map;
	struct blockdev device;
};

/* @shared: even if somebody else uses it; not for a disk of ours that is open already. */
int copy_source_open(struct copy_source *s, const char *path, bool shared, struct reason *why);
void copy_source_close(struct copy_source *s);

#endif
