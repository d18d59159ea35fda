// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "derive.h"

/* Words are little-endian, as on the machines whose memory is looked at. */

static uint32_t rotl(uint32_t v, int n)
{
	return v << n | v >> (32 - n);
}

static void quarter(uint32_t *x, int a, int b, int c, int d)
{
	x[a] += x[b];
	x[d] = rotl(x[d] ^ x[a], 16);
	x[c] += x[d];
	x[b] = rotl(x[b] ^ x[c], 12);
	x[a] += x[b];
	x[d] = rotl(x[d] ^ x[a], 8);
	x[c] += x[d];
	x[b] = rotl(x[b] ^ x[c], 7);
}

static void chacha12(uint32_t x[16])
{
	int i;

	for (i = 0; i < 6; i++) {
		quarter(x, 0, 4, 8, 12);
		quarter(x, 1, 5, 9, 13);
		quarter(x, 2, 6, 10, 14);
		quarter(x, 3, 7, 11, 15);
		quarter(x, 0, 5, 10, 15);
		quarter(x, 1, 6, 11, 12);
		quarter(x, 2, 7, 8, 13);
		quarter(x, 3, 4, 9, 14);
	}
}

static void start(uint32_t x[16], const uint8_t key[32])
{
	static const char sigma[] = "expand 32-byte k";

	memset(x, 0, 64);
	memcpy(x, sigma, 16);
	memcpy(x + 4, key, 32);
}

/* The keystream of XChaCha12 for the nonce that is 1 and 23 zeroes. */
static void keystream(const uint8_t key[32], uint8_t *out, size_t size)
{
	uint32_t x[16], sum[16], subkey[8];
	uint64_t counter;
	size_t n;
	int i;

	start(x, key);
	x[12] = 1;
	chacha12(x);
	memcpy(subkey, x, 16);
	memcpy(subkey + 4, x + 12, 16);

	for (counter = 0; size; counter++, out += n, size -= n) {
		start(x, (const uint8_t *)subkey);
		memcpy(x + 12, &counter, 8);
		memcpy(sum, x, sizeof(sum));
		chacha12(x);
		for (i = 0; i < 16; i++)
			sum[i] += x[i];
		n = size < sizeof(sum) ? size : sizeof(sum);
		memcpy(out, sum, n);
	}
}

void adiantum_keys(const uint8_t key[32], struct adiantum_keys *keys)
{
	keystream(key, (uint8_t *)keys, sizeof(*keys));
}

void poly1305_limbs(const uint8_t key[16], uint8_t limbs[24])
{
	uint64_t t[2], r[3];

	memcpy(t, key, 16);
	r[0] = t[0] & 0xffc0fffffffULL;
	r[1] = (t[0] >> 44 | t[1] << 20) & 0xfffffc0ffffULL;
	r[2] = t[1] >> 24 & 0x00ffffffc0fULL;
	memcpy(limbs, r, 24);
}
