/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TEMP_CONTENT_H
#define TEMP_CONTENT_H

#include "copy_source.h"
#include "options.h"

/* What a temporary disk begins with: nothing, a file system, swap, or an image. */
struct temp_content {
	const char *image;		/* NULL: none */
	char type[32];			/* of the file system; "" */
	char program[PATH_MAX];		/* mkfs or mkswap; "" */
	bool shared;			/* the image may be in use */
	bool quiet;
	struct copy_source source;	/* of the image */
	bool source_open;
};

/* An enum exit_code; says what is wrong. All that can be told before there is a disk. */
int temp_content_choose(struct temp_content *c, const struct options *o);
/* Opens the image, and sees whether it fits into @size bytes. */
int temp_content_open(struct temp_content *c, const char *device, uint64_t size,
		      struct reason *why);
/*
 * Writes it to the mapping, which goes away by itself should this process end
 * before. @align: sector size of the mapping.
 */
int temp_content_write(struct temp_content *c, const char *name, unsigned int align,
		       struct reason *why);
void temp_content_close(struct temp_content *c);

#endif
