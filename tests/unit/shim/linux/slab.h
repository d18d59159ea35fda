/* SPDX-License-Identifier: GPL-2.0-only */
#include <stdlib.h>

#define GFP_KERNEL		0
#define kmalloc(size, gfp)	malloc(size)
#define kfree(p)		free(p)
