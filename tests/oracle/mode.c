// SPDX-License-Identifier: GPL-2.0-only
/*
 * XTS (IEEE 1619) and CBC (SP 800-38A) over any 16-byte block cipher. Data
 * units of sectors are whole blocks, so there is no ciphertext stealing here.
 */
#include <string.h>

#include "oracle.h"

static void xor_into(uint8_t *a, const uint8_t *b, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		a[i] ^= b[i];
}

/* Times x in GF(2^128), bytes in little-endian order, x^128 = x^7 + x^2 + x + 1. */
static void gf_double(uint8_t out[ORACLE_BLOCK], const uint8_t in[ORACLE_BLOCK])
{
	unsigned int carry = 0;
	int i;

	for (i = 0; i < ORACLE_BLOCK; i++) {
		unsigned int b = in[i];

		out[i] = (uint8_t)(b << 1 | carry);
		carry = b >> 7;
	}
	if (carry)
		out[0] ^= 0x87;
}

int mode_xts(struct block_cipher *data, struct block_cipher *tweak, bool enc,
	     uint8_t *buf, size_t len, const uint8_t iv[ORACLE_BLOCK])
{
	uint8_t t[ORACLE_MAX_SECTOR];
	size_t i;

	if (!len || len % ORACLE_BLOCK || len > sizeof(t))
		return -1;
	memcpy(t, iv, ORACLE_BLOCK);
	if (block_crypt(tweak, true, t, ORACLE_BLOCK))
		return -1;
	for (i = ORACLE_BLOCK; i < len; i += ORACLE_BLOCK)
		gf_double(t + i, t + i - ORACLE_BLOCK);
	xor_into(buf, t, len);
	if (block_crypt(data, enc, buf, len))
		return -1;
	xor_into(buf, t, len);
	return 0;
}

int mode_cbc(struct block_cipher *bc, bool enc, uint8_t *buf, size_t len,
	     const uint8_t iv[ORACLE_BLOCK])
{
	uint8_t prev[ORACLE_MAX_SECTOR];
	size_t i;

	if (!len || len % ORACLE_BLOCK || len > sizeof(prev))
		return -1;
	if (!enc) {
		memcpy(prev, iv, ORACLE_BLOCK);
		memcpy(prev + ORACLE_BLOCK, buf, len - ORACLE_BLOCK);
		if (block_crypt(bc, false, buf, len))
			return -1;
		xor_into(buf, prev, len);
		return 0;
	}
	for (i = 0; i < len; i += ORACLE_BLOCK) {
		xor_into(buf + i, i ? buf + i - ORACLE_BLOCK : iv, ORACLE_BLOCK);
		if (block_crypt(bc, true, buf + i, ORACLE_BLOCK))
			return -1;
	}
	return 0;
}
