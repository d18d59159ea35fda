/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KEYSEARCH_DERIVE_H
#define KEYSEARCH_DERIVE_H

#include <stddef.h>
#include <stdint.h>

#define ADIANTUM_NH_KEY		1072

/* What XChaCha12,AES-Adiantum makes of its key of 32 bytes. */
struct adiantum_keys {
	uint8_t aes[32];		/* of the block cipher */
	uint8_t tweak_poly[16];		/* of the hash of the tweak */
	uint8_t message_poly[16];	/* of the hash of the NH hashes */
	uint8_t nh[ADIANTUM_NH_KEY];
};

void adiantum_keys(const uint8_t key[32], struct adiantum_keys *keys);

/* A key of Poly1305 in three limbs of 44 bits each, as on 64-bit machines. */
void poly1305_limbs(const uint8_t key[16], uint8_t limbs[24]);

#endif
