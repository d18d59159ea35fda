/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BLOCKDEV_INTERNAL_H
#define BLOCKDEV_INTERNAL_H

/* Between blockdev*.c. */

#include "blockdev.h"

/* Says why @path can't be opened; returns the exit code. */
int blockdev_open_error(const char *path, int err);

/* Is a file behind a loop device already? Then @name is that. */
bool blockdev_loop_exists(const char *path, char *name, size_t size);
/*
 * Puts a file behind a free loop device, which goes with its last user: its path in
 * @loop, and *@fd, to be closed. Says what failed.
 */
int blockdev_loop_attach(const char *path, bool readonly, char *loop, size_t size, int *fd);

#endif
