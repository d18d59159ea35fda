// SPDX-License-Identifier: GPL-2.0-only
/*
 * Does keysearch find what is there, whatever it looks like, and nothing else?
 * KTAP.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aes.h"
#include "derive.h"
#include "image.h"

#define IMAGE		(1 << 20)
/* Each form has a place of its own in it. */
#define SLOT		8192
#define FORMS_MAX	100

static unsigned int nr, failed;
static uint8_t image[IMAGE];
static size_t found_at[8], nr_found;

static void result(bool good, const char *what, const char *of)
{
	printf("%sok %u - %s%s\n", good ? "" : "not ", ++nr, what, of);
	failed += !good;
}

/* Reproducible, and no two bytes of it depend on each other visibly. */
static void fill(uint8_t *to, size_t size, uint64_t seed)
{
	for (; size; size--) {
		seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
		*to++ = (uint8_t)(seed >> 56);
	}
}

static void from_hex(const char *hex, uint8_t *to)
{
	unsigned int byte;

	for (; sscanf(hex, "%2x", &byte) == 1; hex += 2)
		*to++ = (uint8_t)byte;
}

static bool is_hex(const uint8_t *data, const char *hex)
{
	uint8_t want[64];

	from_hex(hex, want);
	return !memcmp(data, want, strlen(hex) / 2);
}

/* FIPS-197, A.1 to A.3, and the equivalent inverse cipher of C.3. */
static void test_schedules(void)
{
	uint8_t key[32], schedule[AES_SCHEDULE_MAX];

	from_hex("2b7e151628aed2a6abf7158809cf4f3c", key);
	result(aes_schedule(key, 16, schedule) == 176 &&
	       is_hex(schedule + 160, "d014f9a8c9ee2589e13f0cc8b6630ca6"), "AES-128's schedule", "");
	from_hex("8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b", key);
	result(aes_schedule(key, 24, schedule) == 208 &&
	       is_hex(schedule + 192, "e98ba06f448c773c8ecc720401002202"), "AES-192's schedule", "");
	from_hex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4", key);
	result(aes_schedule(key, 32, schedule) == 240 &&
	       is_hex(schedule + 224, "fe4890d1e6188d0b046df344706c631e"), "AES-256's schedule", "");
	result(aes_is_schedule(schedule), "a schedule is taken for one", "");
	schedule[239] ^= 1;
	result(!aes_is_schedule(schedule), "... and not with one bit changed", "");

	from_hex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", key);
	aes_inverse_schedule(key, 32, schedule);
	result(is_hex(schedule, "24fc79ccbf0979e9371ac23c6d68de36"), "inverse: the last round key first", "");
	result(is_hex(schedule + 16, "34f1d1ffbfceaa2ffce9e25f2558016e"), "... then one that is mixed", "");
	result(is_hex(schedule + 224, "000102030405060708090a0b0c0d0e0f"), "... and the first last", "");
}

/* For the key of zeroes, by the implementation in tests/oracle. */
#define ADIANTUM_ZERO_KEY_AES	"a47d9f8be3267a53f2797edc226eb4669594f0ae31d05742b7eaedcf069e2d9d"
#define ADIANTUM_ZERO_KEY_NH_END	"2408dc0e4a467e5ae82dc9112ee79a0b"

static void test_adiantum(void)
{
	struct adiantum_keys keys;
	uint8_t key[32] = { 0 };

	adiantum_keys(key, &keys);
	result(sizeof(keys) == 1136, "Adiantum's keys leave no gaps", "");
	result(is_hex(keys.aes, ADIANTUM_ZERO_KEY_AES), "Adiantum's block cipher key", "");
	result(is_hex(keys.nh + ADIANTUM_NH_KEY - 16, ADIANTUM_ZERO_KEY_NH_END), "... and the end of NH's", "");
}

/*
 * Puts a piece of each form into an image of noise, or of zeroes, at odd places, so
 * that it doesn't go on by chance. How many of them are found, as what they are?
 */
static size_t find_pieces(const struct forms *forms, size_t from_end, size_t size, bool zeroes,
			  bool at_end, size_t *others)
{
	size_t address[FORMS_MAX] = { 0 }, i, good = 0;
	struct hits hits;

	fill(image, sizeof(image), 1);
	if (zeroes)
		memset(image, 0, sizeof(image));
	for (i = 0; i < forms->nr; i++) {
		const struct form *form = &forms->list[i];
		size_t from = from_end ? form->size - from_end : 0;
		size_t bytes = size ? size : form->size;

		address[i] = at_end && i + 1 == forms->nr ? IMAGE - bytes : SLOT * i + 17 * i;
		memcpy(image + address[i], form->data + from, bytes);
		if (address[i] && from)
			image[address[i] - 1] = (uint8_t)~form->data[from - 1];
		if (address[i] + bytes < IMAGE && from + bytes < form->size)
			image[address[i] + bytes] = (uint8_t)~form->data[from + bytes];
	}
	image_search(image, sizeof(image), forms, &hits);
	for (i = 0; i < hits.nr; i++) {
		size_t nr_form = 0;

		/* Two forms of one secret may have a piece in common, and one goes on. */
		while (nr_form < forms->nr && address[nr_form] != hits.list[i].address)
			nr_form++;
		good += nr_form < forms->nr &&
			hits.list[i].length >= (size ? size : forms->list[nr_form].size);
	}
	*others = hits.nr - good;
	free(hits.list);
	return good;
}

/* Each form is found, whole and in parts, wherever it lies. */
static void test_forms(const char *kind, size_t size, size_t want)
{
	struct forms forms = { 0 };
	size_t others, good;
	uint8_t secret[512];

	fill(secret, size, 2);
	result(!forms_add(&forms, "secret", kind, secret, size), kind, ": is taken");
	result(forms.nr == want, kind, ": in as many forms as there are");
	good = find_pieces(&forms, 0, 0, false, false, &others);
	result(good == forms.nr && !others, kind, ": each is found in noise, and nothing else");
	good = find_pieces(&forms, 0, 0, true, false, &others);
	result(good == forms.nr && !others, kind, ": ... among zeroes");
	good = find_pieces(&forms, WINDOW, WINDOW, false, false, &others);
	result(good == forms.nr && !others, kind, ": ... of its last 16 bytes");
	good = find_pieces(&forms, 0, WINDOW, false, true, &others);
	result(good == forms.nr && !others, kind, ": ... of its first 16, at the end of the image, too");
	good = find_pieces(&forms, WINDOW - 1, WINDOW - 1, false, false, &others);
	result(!good && !others, kind, ": none of 15");
	forms_free(&forms);
}

static void test_refused(void)
{
	struct forms forms = { 0 };
	uint8_t secret[64] = { 1 };

	result(forms_add(&forms, "a", "text", secret, 15) != NULL, "a secret of 15 bytes is refused", "");
	result(forms_add(&forms, "a", "aes", secret, 31) != NULL, "an AES key of 31 bytes is refused", "");
	result(forms_add(&forms, "a", "colour", secret, 32) != NULL, "a kind of secret that isn't there", "");
	result(!forms.nr, "nothing came of them", "");
}

static void test_contained(void)
{
	struct forms forms = { 0 };
	uint8_t schedule[AES_SCHEDULE_MAX], key[32], secret[32];
	struct hits hits;

	fill(key, sizeof(key), 3);
	forms_add(&forms, "key", "aes", key, sizeof(key));
	aes_schedule(key, sizeof(key), schedule);
	fill(image, sizeof(image), 1);
	image_search(image, sizeof(image), &forms, &hits);
	result(!hits.nr, "nothing is found in noise", "");
	free(hits.list);
	memcpy(image + 4096, schedule, sizeof(schedule));
	image_search(image, sizeof(image), &forms, &hits);
	result(hits.nr == 1 && !strcmp(hits.list[0].form->how, "round keys") &&
	       hits.list[0].length == sizeof(schedule),
	       "a key in its own schedule is no second one", "");
	free(hits.list);

	/* As if it were the end of another form, of which one byte is there by chance. */
	memcpy(secret, schedule + 100, sizeof(secret));
	memcpy(secret + 16, schedule, 16);
	forms_add(&forms, "other", "bytes", secret, sizeof(secret));
	image[4095] = secret[15];
	image_search(image, sizeof(image), &forms, &hits);
	result(hits.nr == 1 && hits.list[0].address == 4096, "nor with a byte before it", "");
	free(hits.list);
	memcpy(image + 4096 - 16, secret, 16);
	image_search(image, sizeof(image), &forms, &hits);
	result(hits.nr == 2 && hits.list[0].address == 4096 - 16 && hits.list[0].length == 32,
	       "unless there is a piece more", "");
	free(hits.list);
	forms_free(&forms);
}

/* Zeroes are skipped, but no more than they are. */
static void test_zeroes(void)
{
	struct forms forms = { 0 };
	bool good = true;
	uint8_t key[32];
	struct hits hits;
	size_t shift;

	fill(key, sizeof(key), 6);
	forms_add(&forms, "key", "bytes", key, sizeof(key));
	for (shift = 0; shift < 64; shift++) {
		memset(image, 0, 4096);
		memcpy(image + 1024 + shift, key, sizeof(key));
		image_search(image, 4096, &forms, &hits);
		good &= hits.nr == 1 && hits.list[0].address == 1024 + shift && !hits.list[0].from;
		free(hits.list);
	}
	result(good, "a key among zeroes is found at each alignment", "");
	forms_free(&forms);
}

static void note_key(size_t address, const uint8_t key[32])
{
	(void)key;
	if (nr_found < 8)
		found_at[nr_found++] = address;
}

static void test_unknown(void)
{
	uint8_t schedule[AES_SCHEDULE_MAX], key[32];

	fill(key, sizeof(key), 4);
	aes_schedule(key, sizeof(key), schedule);
	fill(image, sizeof(image), 5);
	image_schedules(image, sizeof(image), note_key);
	result(!nr_found, "no schedule in noise", "");
	memcpy(image + 4444, schedule, sizeof(schedule));
	memcpy(image + IMAGE - AES_SCHEDULE_MAX, schedule, sizeof(schedule));
	image_schedules(image, sizeof(image), note_key);
	result(nr_found == 2 && found_at[0] == 4444 && found_at[1] == IMAGE - AES_SCHEDULE_MAX,
	       "those of an unknown key are found", "");

	nr_found = 0;
	memset(image + 8192, 0, 3 * 4096);
	memcpy(image + 8192, key, 32);
	memset(image + 3 * 4096, 'x', 32);
	image_heads(image, sizeof(image), 32, note_key);
	result(nr_found == 1 && found_at[0] == 8192, "a page with a key alone in it is found", "");
}

int main(void)
{
	puts("TAP version 13");
	test_schedules();
	test_adiantum();
	test_forms("bytes", 64, 11);
	test_forms("text", 24, 11);
	test_forms("number", 128, 11);
	test_forms("aes", 32, 11 + 12);
	test_forms("xts", 64, 11 + 2 * (11 + 12));
	test_forms("essiv", 32, 2 * (11 + 12));
	test_forms("adiantum", 32, 11 + (11 + 12) + 2 * (11 + 4) + 11);
	test_refused();
	test_contained();
	test_zeroes();
	test_unknown();
	printf("1..%u\n", nr);
	return failed ? 1 : 0;
}
