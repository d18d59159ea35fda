// SPDX-License-Identifier: GPL-2.0-only
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aes.h"
#include "derive.h"
#include "forms.h"

static void add(struct forms *f, const char *name, const char *part, const char *how,
		const char *variant, const void *data, size_t size)
{
	struct form *form;
	size_t i;

	for (i = 0; i < f->nr; i++)
		if (f->list[i].size == size && !memcmp(f->list[i].data, data, size))
			return;
	f->list = realloc(f->list, (f->nr + 1) * sizeof(*f->list));
	form = f->list ? &f->list[f->nr++] : NULL;
	if (form)
		form->data = malloc(size);
	if (!form || !form->data) {
		fputs("keysearch: no memory\n", stderr);
		exit(2);
	}
	snprintf(form->name, sizeof(form->name), "%.70s%.20s", name, part);
	snprintf(form->how, sizeof(form->how), "%s%s", how, variant);
	memcpy(form->data, data, size);
	form->size = size;
}

static void reverse(uint8_t *data, size_t size)
{
	size_t i;
	uint8_t byte;

	for (i = 0; i < size / 2; i++) {
		byte = data[i];
		data[i] = data[size - 1 - i];
		data[size - 1 - i] = byte;
	}
}

static void add_orders(struct forms *f, const char *name, const char *part, const char *how,
		       const uint8_t *data, size_t size)
{
	static const struct {
		size_t word;
		const char *variant;
	} orders[] = { { 4, "/4" }, { 8, "/8" }, { 0, "/reversed" } };
	uint8_t *copy = malloc(size);
	size_t i, at, word;

	if (!copy)
		exit(2);
	add(f, name, part, how, "", data, size);
	for (i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		word = orders[i].word ? orders[i].word : size;
		if (size % word)
			continue;
		memcpy(copy, data, size);
		for (at = 0; at < size; at += word)
			reverse(copy + at, word);
		add(f, name, part, how, orders[i].variant, copy, size);
	}
	free(copy);
}

static void add_hex(struct forms *f, const char *name, const char *part, const char *how,
		    const char *format, const uint8_t *data, size_t size)
{
	char *text = malloc(3 * size + 1);
	size_t i;
	int n = 0;

	if (!text)
		exit(2);
	for (i = 0; i < size; i++)
		n += sprintf(text + n, format, data[i]);
	add(f, name, part, how, "", text, (size_t)n);
	free(text);
}

/* What stands there wherever in a longer text the secret begins. */
static void add_base64(struct forms *f, const char *name, const char *part, const uint8_t *data,
		       size_t size)
{
	static const char * const hows[] = { "base64", "base64+1", "base64+2" };
	uint8_t *shifted = calloc(1, size + 2);
	char *text = malloc(size * 2 + 8);
	size_t shift, first, end;

	if (!shifted || !text)
		exit(2);
	for (shift = 0; shift < 3; shift++) {
		memcpy(shifted + shift, data, size);
		EVP_EncodeBlock((unsigned char *)text, shifted, (int)(size + shift));
		/* Characters of which all bits are the secret's. */
		first = shift ? shift + 1 : 0;
		end = (size + shift) * 8 / 6;
		if (end >= first + WINDOW)
			add(f, name, part, hows[shift], "", text + first, end - first);
	}
	free(text);
	free(shifted);
}

static void add_bytes(struct forms *f, const char *name, const char *part, const uint8_t *data,
		      size_t size)
{
	add_orders(f, name, part, "bytes", data, size);
	add_hex(f, name, part, "hex", "%02x", data, size);
	add_hex(f, name, part, "HEX", "%02X", data, size);
	add_hex(f, name, part, "hex with blanks", "%02x ", data, size);
	add_hex(f, name, part, "hex with colons", "%02x:", data, size);
	add_base64(f, name, part, data, size);
}

static void add_aes(struct forms *f, const char *name, const char *part, const uint8_t *key,
		    size_t size)
{
	uint8_t schedule[AES_SCHEDULE_MAX];
	uint8_t straight[AES_SCHEDULE_MAX];
	size_t bytes, at;

	add_bytes(f, name, part, key, size);
	bytes = aes_schedule(key, size, schedule);
	add_orders(f, name, part, "round keys", schedule, bytes);
	bytes = aes_inverse_schedule(key, size, schedule);
	add_orders(f, name, part, "inverse round keys", schedule, bytes);
	/* In the order of encryption, as others keep them. */
	for (at = 0; at < bytes; at += 16)
		memcpy(straight + at, schedule + bytes - 16 - at, 16);
	add_orders(f, name, part, "inverse round keys, straight", straight, bytes);
}

static void add_essiv(struct forms *f, const char *name, const uint8_t *key, size_t size)
{
	uint8_t salt[EVP_MAX_MD_SIZE];
	unsigned int salt_size;

	add_aes(f, name, "", key, size);
	if (EVP_Digest(key, size, salt, &salt_size, EVP_sha256(), NULL) != 1)
		exit(2);
	add_aes(f, name, ".salt", salt, salt_size);
}

static void add_adiantum(struct forms *f, const char *name, const uint8_t *key)
{
	struct adiantum_keys keys;
	uint8_t limbs[24];

	adiantum_keys(key, &keys);
	add_bytes(f, name, "", key, 32);
	add_aes(f, name, ".block", keys.aes, sizeof(keys.aes));
	add_bytes(f, name, ".tweak", keys.tweak_poly, sizeof(keys.tweak_poly));
	poly1305_limbs(keys.tweak_poly, limbs);
	add_orders(f, name, ".tweak", "limbs", limbs, sizeof(limbs));
	add_bytes(f, name, ".message", keys.message_poly, sizeof(keys.message_poly));
	poly1305_limbs(keys.message_poly, limbs);
	add_orders(f, name, ".message", "limbs", limbs, sizeof(limbs));
	add_bytes(f, name, ".nh", keys.nh, sizeof(keys.nh));
}

static bool is_aes_size(size_t size)
{
	return size == 16 || size == 24 || size == 32;
}

const char *forms_add(struct forms *f, const char *name, const char *kind, const uint8_t *secret,
		      size_t size)
{
	if (size < WINDOW)
		return "is too short to be looked for";
	if (strlen(name) >= NAME_LEN / 2)
		return "has too long a name";
	if (!strcmp(kind, "bytes") || !strcmp(kind, "number") || !strcmp(kind, "text")) {
		add_bytes(f, name, "", secret, size);
	} else if (!strcmp(kind, "aes") && is_aes_size(size)) {
		add_aes(f, name, "", secret, size);
	} else if (!strcmp(kind, "xts") && size % 2 == 0 && is_aes_size(size / 2)) {
		add_bytes(f, name, "", secret, size);
		add_aes(f, name, ".data", secret, size / 2);
		add_aes(f, name, ".tweak", secret + size / 2, size / 2);
	} else if (!strcmp(kind, "essiv") && is_aes_size(size)) {
		add_essiv(f, name, secret, size);
	} else if (!strcmp(kind, "adiantum") && size == 32) {
		add_adiantum(f, name, secret);
	} else {
		return "is no key of that kind";
	}
	return NULL;
}

void forms_free(struct forms *f)
{
	size_t i;

	for (i = 0; i < f->nr; i++)
		free(f->list[i].data);
	free(f->list);
	memset(f, 0, sizeof(*f));
}
