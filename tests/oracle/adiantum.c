// SPDX-License-Identifier: GPL-2.0-only
/*
 * Adiantum, after Crowley and Biggers, "Adiantum: length-preserving encryption
 * for entry-level processors" (ToSC 2018). A message is a left part L and the
 * last 16 bytes R:
 *
 *	enc: M = R + H(T, L); C = AES(M); L' = L ^ XChaCha(C); R' = C - H(T, L')
 *	dec: the same backwards
 *
 * H is a Poly1305 over length and tweak plus a Poly1305 over NH of the left
 * part, both without Poly1305's last addition; sums are modulo 2^128.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle.h"

#define NH_CHUNK	1024
#define NH_PASSES	4
#define NH_KEY_WORDS	((NH_CHUNK + 16 * (NH_PASSES - 1)) / 4)

struct adiantum {
	unsigned int rounds;
	uint8_t stream_key[32];
	uint8_t tweak_key[16];
	uint8_t poly_key[16];
	uint32_t nh_key[NH_KEY_WORDS];
	struct block_cipher *aes;
};

static uint32_t get32(const uint8_t *p)
{
	return p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24;
}

static void put32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
	p[2] = (uint8_t)(v >> 16);
	p[3] = (uint8_t)(v >> 24);
}

static uint64_t get64(const uint8_t *p)
{
	return get32(p) | (uint64_t)get32(p + 4) << 32;
}

static void put64(uint8_t *p, uint64_t v)
{
	put32(p, (uint32_t)v);
	put32(p + 4, (uint32_t)(v >> 32));
}

void le128_add(uint8_t a[16], const uint8_t b[16])
{
	uint64_t lo = get64(a) + get64(b);

	put64(a + 8, get64(a + 8) + get64(b + 8) + (lo < get64(b)));
	put64(a, lo);
}

void le128_sub(uint8_t a[16], const uint8_t b[16])
{
	uint64_t borrow = get64(a) < get64(b);

	put64(a, get64(a) - get64(b));
	put64(a + 8, get64(a + 8) - get64(b + 8) - borrow);
}

/*
 * ChaCha and XChaCha
 */

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

static void chacha_permute(uint32_t x[16], unsigned int rounds)
{
	unsigned int i;

	for (i = 0; i < rounds; i += 2) {
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

static void chacha_init(uint32_t x[16], const uint8_t key[32], const uint8_t last[16])
{
	static const uint8_t sigma[] = "expand 32-byte k";
	int i;

	for (i = 0; i < 4; i++)
		x[i] = get32(sigma + 4 * i);
	for (i = 0; i < 8; i++)
		x[4 + i] = get32(key + 4 * i);
	for (i = 0; i < 4; i++)
		x[12 + i] = get32(last + 4 * i);
}

void xchacha_stream(const uint8_t key[32], const uint8_t nonce[24], unsigned int rounds,
		    uint8_t *buf, size_t len)
{
	uint8_t subkey[32], last[16] = { 0 }, stream[64];
	uint32_t x[16], y[16];
	uint64_t counter;
	size_t i, n;

	/* HChaCha: the first and last row of the permuted state, not added up. */
	chacha_init(x, key, nonce);
	chacha_permute(x, rounds);
	for (i = 0; i < 4; i++) {
		put32(subkey + 4 * i, x[i]);
		put32(subkey + 16 + 4 * i, x[12 + i]);
	}

	memcpy(last + 8, nonce + 16, 8);
	for (counter = 0; len; counter++, buf += n, len -= n) {
		put64(last, counter);
		chacha_init(x, subkey, last);
		memcpy(y, x, sizeof(y));
		chacha_permute(y, rounds);
		for (i = 0; i < 16; i++)
			put32(stream + 4 * i, x[i] + y[i]);
		n = sizeof(stream);
		if (n > len)
			n = len;
		for (i = 0; i < n; i++)
			buf[i] ^= stream[i];
	}
}

/*
 * Poly1305 without the final addition: a number modulo 2^130 - 5 in three limbs
 * of 44, 44 and 42 bits.
 */

#define M44	0xfffffffffffULL
#define M42	0x3ffffffffffULL

__extension__ typedef unsigned __int128 u128;

struct poly {
	uint64_t h[3], r[3], s[2];
};

static void poly_init(struct poly *p, const uint8_t key[16])
{
	uint64_t lo = get64(key), hi = get64(key + 8);

	lo &= 0x0ffffffc0fffffffULL;
	hi &= 0x0ffffffc0ffffffcULL;
	memset(p, 0, sizeof(*p));
	p->r[0] = lo & M44;
	p->r[1] = (lo >> 44 | hi << 20) & M44;
	p->r[2] = hi >> 24;
	/* 2^132 = 4 * 2^130 = 20 */
	p->s[0] = p->r[1] * 20;
	p->s[1] = p->r[2] * 20;
}

static void poly_block(struct poly *p, const uint8_t block[16])
{
	uint64_t lo = get64(block), hi = get64(block + 8);
	uint64_t h0, h1, h2, c;
	u128 d0, d1, d2;

	h0 = p->h[0] + (lo & M44);
	h1 = p->h[1] + ((lo >> 44 | hi << 20) & M44);
	h2 = p->h[2] + (hi >> 24 | 1ULL << 40);

	d0 = (u128)h0 * p->r[0] + (u128)h1 * p->s[1] +
	     (u128)h2 * p->s[0];
	d1 = (u128)h0 * p->r[1] + (u128)h1 * p->r[0] +
	     (u128)h2 * p->s[1];
	d2 = (u128)h0 * p->r[2] + (u128)h1 * p->r[1] +
	     (u128)h2 * p->r[0];

	d1 += (uint64_t)(d0 >> 44);
	d2 += (uint64_t)(d1 >> 44);
	c = (uint64_t)(d2 >> 42);
	p->h[0] = ((uint64_t)d0 & M44) + c * 5;
	p->h[1] = (uint64_t)d1 & M44;
	p->h[2] = (uint64_t)d2 & M42;
	p->h[1] += p->h[0] >> 44;
	p->h[0] &= M44;
}

static void poly_blocks(struct poly *p, const uint8_t *data, size_t len)
{
	for (; len >= 16; data += 16, len -= 16)
		poly_block(p, data);
	if (len) {
		uint8_t last[16] = { 0 };

		memcpy(last, data, len);
		poly_block(p, last);
	}
}

/* The number, fully reduced, modulo 2^128. */
static void poly_emit(const struct poly *p, uint8_t out[16])
{
	uint64_t h0 = p->h[0], h1 = p->h[1], h2 = p->h[2], g0, g1, g2;
	int i;

	for (i = 0; i < 2; i++) {
		h2 += h1 >> 44;
		h1 &= M44;
		h0 += (h2 >> 42) * 5;
		h2 &= M42;
		h1 += h0 >> 44;
		h0 &= M44;
	}
	h2 += h1 >> 44;
	h1 &= M44;

	/* h + 5 reaches 2^130 exactly when h is not below the modulus. */
	g0 = h0 + 5;
	g1 = h1 + (g0 >> 44);
	g2 = h2 + (g1 >> 44);
	if (g2 >> 42) {
		h0 = g0 & M44;
		h1 = g1 & M44;
		h2 = g2 & M42;
	}
	put64(out, h0 | h1 << 44);
	put64(out + 8, h1 >> 20 | h2 << 24);
}

/*
 * The hash
 */

/* NH in four passes, each with the key moved on by four words. */
static void nh(const uint32_t *key, const uint8_t *msg, size_t len, uint8_t out[32])
{
	uint64_t sum[NH_PASSES] = { 0 };
	uint32_t m[4];
	size_t i;
	int j, pass;

	for (i = 0; i < len; i += 16, key += 4) {
		for (j = 0; j < 4; j++)
			m[j] = get32(msg + i + 4 * j);
		for (pass = 0; pass < NH_PASSES; pass++) {
			const uint32_t *k = key + 4 * pass;

			sum[pass] += (uint64_t)(uint32_t)(m[0] + k[0]) * (uint32_t)(m[2] + k[2]);
			sum[pass] += (uint64_t)(uint32_t)(m[1] + k[1]) * (uint32_t)(m[3] + k[3]);
		}
	}
	for (pass = 0; pass < NH_PASSES; pass++)
		put64(out + 8 * pass, sum[pass]);
}

void adiantum_tweak_hash(const struct adiantum *ad, size_t len, const uint8_t *tweak,
			 size_t tweaklen, uint8_t out[16])
{
	uint8_t bits[16] = { 0 };
	struct poly p;

	put64(bits, (uint64_t)(len - 16) * 8);
	poly_init(&p, ad->tweak_key);
	poly_block(&p, bits);
	poly_blocks(&p, tweak, tweaklen);
	poly_emit(&p, out);
}

static void left_hash(const struct adiantum *ad, const uint8_t *msg, size_t len, uint8_t out[16])
{
	uint8_t last[NH_CHUNK], digest[32];
	struct poly p;
	size_t n;

	poly_init(&p, ad->poly_key);
	for (; len; msg += n, len -= n) {
		n = len < NH_CHUNK ? len : NH_CHUNK;
		if (n % 16) {
			memset(last, 0, sizeof(last));
			memcpy(last, msg, n);
			nh(ad->nh_key, last, (n + 15) / 16 * 16, digest);
		} else {
			nh(ad->nh_key, msg, n, digest);
		}
		poly_blocks(&p, digest, sizeof(digest));
	}
	poly_emit(&p, out);
}

int adiantum_crypt(struct adiantum *ad, bool enc, uint8_t *buf, size_t len,
		   const uint8_t *tweak, size_t tweaklen)
{
	uint8_t *right, *middle, nonce[24] = { 0 }, tweak_hash[16], hash[16];
	size_t left = len - 16;

	if (len < 16)
		return -1;
	right = buf + left;
	adiantum_tweak_hash(ad, len, tweak, tweaklen, tweak_hash);

	left_hash(ad, buf, left, hash);
	le128_add(right, hash);
	le128_add(right, tweak_hash);

	/* The stream is always keyed by the encrypted middle. */
	middle = nonce;
	if (!enc)
		memcpy(middle, right, 16);
	if (block_crypt(ad->aes, enc, right, 16))
		return -1;
	if (enc)
		memcpy(middle, right, 16);
	nonce[16] = 1;
	xchacha_stream(ad->stream_key, nonce, ad->rounds, buf, left);

	left_hash(ad, buf, left, hash);
	le128_sub(right, hash);
	le128_sub(right, tweak_hash);
	return 0;
}

struct adiantum *adiantum_new(unsigned int rounds, const uint8_t *key, size_t keylen,
			      struct oracle_err *err)
{
	uint8_t derived[32 + 16 + 16 + 4 * NH_KEY_WORDS] = { 0 }, nonce[24] = { 1 };
	struct adiantum *ad;
	size_t i;

	if (keylen != 32) {
		snprintf(err->text, sizeof(err->text),
			 "Adiantum has keys of 32 bytes, not %zu", keylen);
		return NULL;
	}
	ad = calloc(1, sizeof(*ad));
	if (!ad)
		return NULL;
	ad->rounds = rounds;
	memcpy(ad->stream_key, key, 32);
	xchacha_stream(key, nonce, rounds, derived, sizeof(derived));
	ad->aes = block_new("aes", derived, 32, err);
	memcpy(ad->tweak_key, derived + 32, 16);
	memcpy(ad->poly_key, derived + 48, 16);
	for (i = 0; i < NH_KEY_WORDS; i++)
		ad->nh_key[i] = get32(derived + 64 + 4 * i);
	if (!ad->aes) {
		free(ad);
		return NULL;
	}
	return ad;
}

void adiantum_free(struct adiantum *ad)
{
	if (!ad)
		return;
	block_free(ad->aes);
	free(ad);
}
