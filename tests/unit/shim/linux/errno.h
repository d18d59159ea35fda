/* SPDX-License-Identifier: GPL-2.0-only */
/* The system's own: libc gets at it by this name too. */
#include_next <linux/errno.h>
