// SPDX-License-Identifier: GPL-2.0-only
/* Sector numbers to IVs, as dm-crypt defines them. */
#include <linux/kernel.h>
#include <linux/string.h>

#include "compat.h"
#include "iv.h"

/**
 * dmsse_iv_sector - the number that goes into an IV
 * @sector: sector of the target, in units of 512 bytes
 * @iv_offset: added to it, in the same units; the sum wraps at 64 bits
 * @shift: log2 of the units of 512 bytes that one IV number stands for: 0, or
 *	with iv_large_sectors that of the encryption sector
 *
 * Context: any.
 */
u64 dmsse_iv_sector(u64 sector, u64 iv_offset, unsigned int shift)
{
	return (sector + iv_offset) >> shift;
}

/**
 * dmsse_iv_fill - write an IV
 * @scheme: how
 * @iv: where to
 * @size: the cipher's IV size in bytes; at least DMSSE_MIN_IV_SIZE unless
 *	@scheme is DMSSE_IV_NONE
 * @sector: result of dmsse_iv_sector()
 *
 * What the number doesn't cover is zero.
 *
 * Context: any.
 */
void dmsse_iv_fill(enum dmsse_iv_scheme scheme, u8 *iv, unsigned int size, u64 sector)
{
	/* The usual size is worth two stores rather than a call. */
	if (size == 16)
		memset(iv, 0, 16);
	else
		memset(iv, 0, size);

	switch (scheme) {
	case DMSSE_IV_NONE:
		break;
	case DMSSE_IV_PLAIN:
		put_unaligned_le32(lower_32_bits(sector), iv);
		break;
	case DMSSE_IV_PLAIN64:
	case DMSSE_IV_ESSIV:
		put_unaligned_le64(sector, iv);
		break;
	case DMSSE_IV_PLAIN64BE:
		put_unaligned_be64(sector, iv + size - sizeof(u64));
		break;
	}
}
