// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "aes.h"

#define BLOCK	16
#define WORD	4

static uint8_t sbox[256];

static uint8_t times(uint8_t a, uint8_t b)
{
	uint8_t product = 0;

	for (; b; b >>= 1) {
		if (b & 1)
			product ^= a;
		a = (uint8_t)(a << 1 ^ (a & 0x80 ? 0x1b : 0));
	}
	return product;
}

static uint8_t rotate(uint8_t byte, int n)
{
	return (uint8_t)(byte << n | byte >> (8 - n));
}

/* By its definition: the multiplicative inverse, and an affine map of it. */
static void make_sbox(void)
{
	unsigned int a, b;
	uint8_t inverse;

	if (sbox[0])
		return;
	for (a = 0; a < 256; a++) {
		inverse = 0;
		for (b = 1; a && b < 256; b++)
			if (times((uint8_t)a, (uint8_t)b) == 1)
				inverse = (uint8_t)b;
		sbox[a] = inverse ^ rotate(inverse, 1) ^ rotate(inverse, 2) ^ rotate(inverse, 3) ^
			  rotate(inverse, 4) ^ 0x63;
	}
}

/* The word at @i of a schedule, whose first @nk words are the key. */
static void next_word(uint8_t *schedule, size_t i, size_t nk)
{
	const uint8_t *before = schedule + (i - 1) * WORD, *first = schedule + (i - nk) * WORD;
	uint8_t word[WORD], rcon = 1;
	size_t j;

	memcpy(word, before, WORD);
	if (i % nk == 0) {
		for (j = 0; j < WORD; j++)
			word[j] = sbox[before[(j + 1) % WORD]];
		for (j = 1; j < i / nk; j++)
			rcon = times(rcon, 2);
		word[0] ^= rcon;
	} else if (nk > 6 && i % nk == 4) {
		for (j = 0; j < WORD; j++)
			word[j] = sbox[before[j]];
	}
	for (j = 0; j < WORD; j++)
		schedule[i * WORD + j] = first[j] ^ word[j];
}

size_t aes_schedule(const uint8_t *key, size_t size, uint8_t schedule[AES_SCHEDULE_MAX])
{
	size_t nk = size / WORD, words = 4 * (nk + 7), i;

	make_sbox();
	memcpy(schedule, key, size);
	for (i = nk; i < words; i++)
		next_word(schedule, i, nk);
	return words * WORD;
}

static void inv_mix_column(uint8_t *column)
{
	static const uint8_t factor[WORD] = { 14, 11, 13, 9 };
	uint8_t mixed[WORD] = { 0 };
	int i, j;

	for (i = 0; i < WORD; i++)
		for (j = 0; j < WORD; j++)
			mixed[i] ^= times(column[j], factor[(j - i + WORD) % WORD]);
	memcpy(column, mixed, WORD);
}

size_t aes_inverse_schedule(const uint8_t *key, size_t size, uint8_t schedule[AES_SCHEDULE_MAX])
{
	uint8_t forward[AES_SCHEDULE_MAX];
	size_t bytes = aes_schedule(key, size, forward), at;

	for (at = 0; at < bytes; at += BLOCK)
		memcpy(schedule + at, forward + bytes - BLOCK - at, BLOCK);
	for (at = BLOCK; at < bytes - BLOCK; at += WORD)
		inv_mix_column(schedule + at);
	return bytes;
}

bool aes_is_schedule(const uint8_t *data)
{
	uint8_t schedule[AES_SCHEDULE_MAX];
	size_t i;

	make_sbox();
	/* Most of what is no schedule is seen by the first word that isn't the key's. */
	for (i = 0; i < WORD; i++)
		if (data[32 + i] != (data[i] ^ sbox[data[28 + (i + 1) % WORD]] ^ !i))
			return false;
	aes_schedule(data, 32, schedule);
	return !memcmp(data, schedule, sizeof(schedule));
}
