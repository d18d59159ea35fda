// SPDX-License-Identifier: GPL-2.0-only
/*
 * Envelopes, with a key of the test's own that keeps nothing from anybody: what
 * it unwraps may be changed at will, so that the envelope alone must tell. KTAP.
 *
 *	test_envelope [FILE]	FILE has the token of on-disk-format.rst
 */
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "envelope.h"

#define UUID_A	"11111111-2222-4333-8444-555555555555"
#define UUID_B	"11111111-2222-4333-8444-555555555556"
#define DES_A	"6f9a1a52-4ed1-4a3b-8f0e-2f0f7f1f2a3b"
#define DES_B	"6f9a1a52-4ed1-4a3b-8f0e-2f0f7f1f2a3c"

static unsigned int nr, failed;
static struct reason why;

static void result(bool ok, const char *what)
{
	printf("%sok %u - %s\n", ok ? "" : "not ", ++nr, what);
	if (!ok) {
		printf("# reason: %d %s\n", why.rc, why.text);
		failed++;
	}
	why.text[0] = '\0';
}

struct kek {
	unsigned char mask;
	bool fails;
	unsigned int wraps, unwraps;
};

static void mask(const struct kek *kek, const unsigned char *from, unsigned char *to, size_t size)
{
	size_t i;

	for (i = 0; i < size; i++)
		to[i] = from[i] ^ kek->mask;
}

int kek_wrap(struct kek *kek, const char *version, struct secmem *plain, size_t size,
	     enum kek_wrapping *wrapping, unsigned char *wrapped, size_t *wrapped_size,
	     struct reason *reason)
{
	if (kek->fails)
		return reason_set(reason, RC_PERM, "No version %s.", version);
	kek->wraps++;
	mask(kek, secmem_data(plain), wrapped, size);
	*wrapped_size = size;
	*wrapping = KEK_RSA_OAEP;
	return RC_OK;
}

int kek_unwrap(struct kek *kek, const char *version, const char *fingerprint,
	       enum kek_wrapping wrapping, const unsigned char *wrapped, size_t wrapped_size,
	       struct secmem *plain, size_t *size, struct reason *reason)
{
	if (kek->fails || wrapping != KEK_RSA_OAEP || strcmp(version, "7") ||
	    strcmp(fingerprint, "sha256:07") || wrapped_size > secmem_capacity(plain))
		return reason_set(reason, RC_PERM, "No such key.");
	kek->unwraps++;
	mask(kek, wrapped, secmem_data(plain), wrapped_size);
	*size = wrapped_size;
	return RC_OK;
}

static const struct kek_version version = { .version = "7", .fingerprint = "sha256:07" };

static void fill(struct token *t)
{
	token_init(t);
	t->layer = TOKEN_OUTER;
	strcpy(t->des, "prod");
	strcpy(t->des_id, DES_A);
	strcpy(t->kek_uri, "file:/key");
	t->customer = true;
}

/* Does it fail, with nothing given away, in these words? */
static bool refuses(struct kek *kek, const char *uuid, const struct token *t, const char *says)
{
	SECMEM_AUTO secret = NULL;

	return envelope_open(kek, uuid, t, &secret, &why) == RC_PERM && !secret &&
	       strstr(why.text, says);
}

/* The formulas of Documentation/on-disk-format.rst, once more. */
static void check_formulas(const struct token *t, struct kek *kek, struct secmem *secret)
{
	static const char bound[] = "dm-sse slot secret v1\0" UUID_A "\0" DES_A "\0outer";
	unsigned char plain[64], digest[32], check[32];
	unsigned int size;

	mask(kek, t->wrapped, plain, sizeof(plain));
	EVP_Digest(bound, sizeof(bound) - 1, digest, &size, EVP_sha256(), NULL);
	HMAC(EVP_sha256(), plain, 32, (const unsigned char *)"dm-sse check v1", 15, check, &size);
	result(t->wrapped_size == 64 && !memcmp(plain, secmem_data(secret), 32), "the secret is wrapped");
	result(!memcmp(plain + 32, digest, 32), "... with SHA-256 of disk, set and layer");
	result(!memcmp(t->check, check, 32), "... and an HMAC of its own is beside it");
}

static void check_seal(struct kek *kek, struct token *t, struct secmem **secret)
{
	SECMEM_AUTO second = NULL;
	struct token again;
	char *text;

	result(!envelope_seal(kek, &version, UUID_A, t, secret, &why) && kek->wraps == 1,
	       "a secret is sealed");
	result(!strcmp(t->kek_version, "7") && !strcmp(t->kek_fingerprint, "sha256:07") &&
	       t->wrapping == KEK_RSA_OAEP && !strcmp(t->kek_uri, "file:/key"),
	       "the token says what with");
	text = token_format(t);
	result(text && !token_parse(text, &again, &why) && !strcmp(again.created, t->created),
	       "... and is a good one, with a time");
	free(text);
	fill(&again);
	result(!envelope_seal(kek, &version, UUID_A, &again, &second, &why) &&
	       memcmp(secmem_data(*secret), secmem_data(second), SLOT_SECRET_SIZE),
	       "the next secret is another");
	secmem_free(&second);
	fill(&again);
	kek->fails = true;
	result(envelope_seal(kek, &version, UUID_A, &again, &second, &why) == RC_PERM && !second &&
	       !strcmp(why.text, "No version 7."), "a key that can't wrap: its own words");
	kek->fails = false;
}

static void check_places(struct kek *kek, const struct token *sealed)
{
	static const char elsewhere[] = "another disk's (or set's, or layer's)";
	struct token t = *sealed;

	result(refuses(kek, UUID_B, &t, elsewhere), "on another disk");
	strcpy(t.des_id, DES_B);
	result(refuses(kek, UUID_A, &t, elsewhere), "in another set");
	t = *sealed;
	t.layer = TOKEN_INNER;
	result(refuses(kek, UUID_A, &t, elsewhere), "for another layer");
	t = *sealed;
	strcpy(t.des, "renamed");
	result(!refuses(kek, UUID_A, &t, elsewhere), "a set may be renamed");
}

/* Every bit of what is unwrapped, and of the check. */
static void check_bits(struct kek *kek, const struct token *sealed)
{
	unsigned int i, refused = 0;
	struct token t;

	for (i = 0; i < 64 * 8; i++) {
		t = *sealed;
		t.wrapped[i / 8] ^= (unsigned char)(1 << i % 8);
		refused += refuses(kek, UUID_A, &t, i < 32 * 8 ? "the token was changed"
							       : "another disk's");
	}
	result(refused == 64 * 8, "a bit of the secret or of its place flipped");
	for (i = refused = 0; i < 32 * 8; i++) {
		t = *sealed;
		t.check[i / 8] ^= (unsigned char)(1 << i % 8);
		refused += refuses(kek, UUID_A, &t, "the token was changed");
	}
	result(refused == 32 * 8, "a bit of the check flipped");
}

static void check_lengths(struct kek *kek, const struct token *sealed)
{
	struct token t = *sealed;
	size_t size;
	bool ok = true;

	for (size = 0; size <= KEK_PLAIN_MAX && ok; size++) {
		t.wrapped_size = size;
		ok = size == 64 || refuses(kek, UUID_A, &t, "isn't the secret of a keyslot");
	}
	result(ok, "what is unwrapped is too short or too long");
	t.wrapped_size = KEK_WRAPPED_MAX;
	result(refuses(kek, UUID_A, &t, "No such key"), "what the key refuses: its own words");
}

static void check_swaps(struct kek *kek, const struct token *sealed)
{
	SECMEM_AUTO secret = NULL;
	struct token other, t = *sealed;

	fill(&other);
	result(!envelope_seal(kek, &version, UUID_A, &other, &secret, &why), "a second token");
	memcpy(t.wrapped, other.wrapped, sizeof(t.wrapped));
	result(refuses(kek, UUID_A, &t, "the token was changed"),
	       "the wrapped secret of the same disk's other token");
	fill(&other);
	secmem_free(&secret);
	result(!envelope_seal(kek, &version, UUID_B, &other, &secret, &why), "another disk's token");
	result(refuses(kek, UUID_A, &other, "another disk's"), "... in its place");
}

static size_t aes_unwrap(const unsigned char *wrapped, size_t wrapped_size,
			 unsigned char plain[KEK_WRAPPED_MAX])
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	unsigned char key[32];
	int i, size = 0;

	for (i = 0; i < 32; i++)
		key[i] = (unsigned char)(0x20 + i);
	EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	if (EVP_DecryptInit_ex(ctx, EVP_aes_256_wrap(), NULL, key, NULL) != 1 ||
	    EVP_DecryptUpdate(ctx, plain, &size, wrapped, (int)wrapped_size) != 1)
		size = 0;
	EVP_CIPHER_CTX_free(ctx);
	return (size_t)size;
}

/* The example in the documentation is what it says. */
static void check_example(const char *path, struct kek *kek)
{
	unsigned char plain[KEK_WRAPPED_MAX];
	SECMEM_AUTO secret = NULL;
	char text[TOKEN_TEXT_MAX] = "";
	FILE *file = fopen(path, "r");
	struct token t;
	unsigned int i;
	bool ok;

	if (!file)
		abort();
	ok = fread(text, 1, sizeof(text) - 1, file) > 0 && !token_parse(text, &t, &why) &&
	     !t.unknown;
	fclose(file);
	result(ok, "the documented token");
	if (!ok)
		return;
	ok = aes_unwrap(t.wrapped, t.wrapped_size, plain) == 64;
	result(ok, "... unwraps with the documented key");
	mask(kek, plain, t.wrapped, 64);
	t.wrapped_size = 64;
	t.wrapping = KEK_RSA_OAEP;
	strcpy(t.kek_version, version.version);
	strcpy(t.kek_fingerprint, version.fingerprint);
	ok = !envelope_open(kek, "5d4f8a9e-3c1b-4f6a-9d2e-7b8c0a1e2f30", &t, &secret, &why);
	for (i = 0; i < SLOT_SECRET_SIZE && ok; i++)
		ok = secmem_data(secret)[i] == i;
	result(ok, "... and has the documented secret");
}

int main(int argc, char **argv)
{
	struct kek kek = { .mask = 0x5a };
	SECMEM_AUTO secret = NULL;
	SECMEM_AUTO opened = NULL;
	struct token t;

	printf("TAP version 13\n");
	fill(&t);
	check_seal(&kek, &t, &secret);
	check_formulas(&t, &kek, secret);
	result(!envelope_open(&kek, UUID_A, &t, &opened, &why) && kek.unwraps == 1 &&
	       !memcmp(secmem_data(opened), secmem_data(secret), SLOT_SECRET_SIZE),
	       "it opens, and was really unwrapped");
	check_places(&kek, &t);
	check_bits(&kek, &t);
	check_lengths(&kek, &t);
	check_swaps(&kek, &t);
	if (argc > 1)
		check_example(argv[1], &kek);
	printf("1..%u\n", nr);
	return failed != 0;
}
