/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHIM_LINUX_UNALIGNED_H
#define SHIM_LINUX_UNALIGNED_H

#include <linux/types.h>

static inline void put_unaligned_le32(u32 n, void *to)
{
	u8 *p = to;
	int i;

	for (i = 0; i < 4; i++)
		p[i] = n >> 8 * i;
}

static inline void put_unaligned_le64(u64 n, void *to)
{
	u8 *p = to;
	int i;

	for (i = 0; i < 8; i++)
		p[i] = n >> 8 * i;
}

static inline void put_unaligned_be64(u64 n, void *to)
{
	u8 *p = to;
	int i;

	for (i = 0; i < 8; i++)
		p[i] = n >> 8 * (7 - i);
}

#endif
