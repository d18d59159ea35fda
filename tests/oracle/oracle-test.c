// SPDX-License-Identifier: GPL-2.0-only
/*
 * The oracle against published vectors and against the modes OpenSSL and
 * libgcrypt have themselves. Arguments: the files of vectors. Prints KTAP.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gcrypt.h>
#include <openssl/evp.h>

#include "vecfile.h"

static unsigned int results, failed;

static bool report(bool good, const char *desc)
{
	printf("%s %u - %s\n", good ? "ok" : "not ok", ++results, desc);
	failed += !good;
	return good;
}

/* xorshift64*: the same data on every run. */
static uint64_t rnd_state = 0x9e3779b97f4a7c15ULL;

static uint64_t rnd(void)
{
	rnd_state ^= rnd_state >> 12;
	rnd_state ^= rnd_state << 25;
	rnd_state ^= rnd_state >> 27;
	return rnd_state * 0x2545f4914f6cdd1dULL;
}

static void rnd_bytes(uint8_t *buf, size_t len)
{
	while (len--)
		*buf++ = (uint8_t)(rnd() >> 56);
}

static void test_vector(const struct vector *v, void *unused)
{
	static uint8_t buf[ORACLE_MAX_SECTOR];
	struct oracle_err err;
	struct oracle *o;
	bool good;

	(void)unused;
	o = oracle_new(v->cipher, v->key, v->keylen, &err);
	if (!o) {
		report(false, v->name);
		printf("# %s\n", err.text);
		return;
	}
	memcpy(buf, v->pt, v->ptlen);
	good = !oracle_unit(o, true, buf, v->ptlen, v->iv) && !memcmp(buf, v->ct, v->ctlen);
	good &= !oracle_unit(o, false, buf, v->ctlen, v->iv) && !memcmp(buf, v->pt, v->ptlen);

	/* The last bit of the tweak has to matter. */
	if (v->ivlen) {
		uint8_t iv[ORACLE_MAX_IV];

		memcpy(iv, v->iv, sizeof(iv));
		iv[v->ivlen - 1] ^= 0x80;
		memcpy(buf, v->pt, v->ptlen);
		good &= !oracle_unit(o, true, buf, v->ptlen, iv) &&
			memcmp(buf, v->ct, v->ctlen);
	}
	oracle_free(o);
	report(good, v->name);
}

static bool evp_unit(const char *name, const uint8_t *key, const uint8_t *iv, uint8_t *buf,
		     int len)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	bool good;
	int n = 0;

	good = ctx && EVP_EncryptInit_ex(ctx, EVP_get_cipherbyname(name), NULL, key, iv);
	if (good) {
		EVP_CIPHER_CTX_set_padding(ctx, 0);
		good = EVP_EncryptUpdate(ctx, buf, &n, buf, len) && n == len;
	}
	EVP_CIPHER_CTX_free(ctx);
	return good;
}

static bool gcry_unit(int algo, const uint8_t *key, size_t keylen, const uint8_t *iv,
		      uint8_t *buf, size_t len)
{
	gcry_cipher_hd_t hd;
	bool good;

	if (gcry_cipher_open(&hd, algo, GCRY_CIPHER_MODE_XTS, 0))
		return false;
	good = !gcry_cipher_setkey(hd, key, keylen) && !gcry_cipher_setiv(hd, iv, 16) &&
	       !gcry_cipher_encrypt(hd, buf, len, NULL, 0);
	gcry_cipher_close(hd);
	return good;
}

static void test_against_libraries(void)
{
	static const struct {
		const char *cipher, *evp;
		int gcry;
		size_t keylen;
	} pairs[] = {
		{ "aes-xts-plain64", "aes-128-xts", 0, 32 },
		{ "aes-xts-plain64", "aes-256-xts", 0, 64 },
		{ "aes-cbc-plain64", "aes-128-cbc", 0, 16 },
		{ "aes-cbc-plain64", "aes-256-cbc", 0, 32 },
		{ "camellia-cbc-plain64", "camellia-192-cbc", 0, 24 },
		{ "camellia-xts-plain64", NULL, GCRY_CIPHER_CAMELLIA256, 64 },
		{ "serpent-xts-plain64", NULL, GCRY_CIPHER_SERPENT256, 64 },
		{ "serpent-xts-plain64", NULL, GCRY_CIPHER_SERPENT128, 32 },
		{ "twofish-xts-plain64", NULL, GCRY_CIPHER_TWOFISH, 64 },
	};
	static uint8_t ours[ORACLE_MAX_SECTOR], theirs[ORACLE_MAX_SECTOR];
	uint8_t key[64], iv[ORACLE_MAX_IV];
	struct oracle_err err;
	char desc[160];
	size_t i;

	for (i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
		bool good = true;
		int round;

		for (round = 0; good && round < 200; round++) {
			size_t len = (1 + rnd() % 256) * 16;
			struct oracle *o;

			rnd_bytes(key, sizeof(key));
			rnd_bytes(iv, sizeof(iv));
			rnd_bytes(ours, len);
			memcpy(theirs, ours, len);
			o = oracle_new(pairs[i].cipher, key, pairs[i].keylen, &err);
			good = o && !oracle_unit(o, true, ours, len, iv) &&
			       (pairs[i].evp ?
				evp_unit(pairs[i].evp, key, iv, theirs, (int)len) :
				gcry_unit(pairs[i].gcry, key, pairs[i].keylen, iv, theirs, len));
			good = good && !memcmp(ours, theirs, len);
			oracle_free(o);
		}
		snprintf(desc, sizeof(desc), "%s, %zu-bit keys, as in %s: 200 random units",
			 pairs[i].cipher, pairs[i].keylen * 8,
			 pairs[i].evp ? "OpenSSL" : "libgcrypt");
		report(good, desc);
	}
}

static void test_spellings(void)
{
	static const char *const same[][3] = {
		{ "aes-xts-plain64", "capi:xts(aes)-plain64", "64" },
		{ "aes-cbc-essiv:sha256", "capi:cbc(aes)-essiv:sha256", "32" },
		{ "aes-cbc-essiv:sha256", "capi:essiv(cbc(aes),sha256)-plain64", "32" },
		{ "aes-cbc-plain", "aes", "32" },
		{ "aes-cbc-plain", "aes-plain", "16" },
		{ "aes-cbc-plain64be", "capi:cbc(aes)-plain64be", "32" },
		{ "serpent-xts-plain64", "capi:xts(serpent)-plain64", "64" },
		{ "camellia-xts-plain", "capi:xts(camellia)-plain", "32" },
		{ "xchacha12,aes-adiantum-plain64", "capi:adiantum(xchacha12,aes)-plain64", "32" },
		{ "xchacha20,aes-adiantum-plain64",
		  "capi:adiantum(xchacha20,aes,nhpoly1305)-plain64", "32" },
		{ "aes-ecb", "capi:ecb(aes)", "32" },
	};
	static const char *const wrong[] = {
		"", "-", "aes-", "aes-xts", "aes-xts-plain65", "aes-xts-plain64:x", "aes-cbc-essiv",
		"aes-cbc-essiv:", "aes-cbc-essiv:sha257", "des-cbc-plain64", "aes-gcm-plain64",
		"capi:", "capi:xts(aes", "capi:xts(aes)", "capi:xts()-plain64", "capi:aes-plain64",
		"capi:xts(aes)plain64", "capi:adiantum(chacha,aes)-plain64",
		"capi:essiv(cbc(aes),sha256)-plain", "capi:essiv(cbc(aes))-plain64",
		"aes-adiantum-plain64", "xchacha12,aes-adiantum-essiv:sha256",
		"aes-cbc-essiv:sha512", "aes-cbc-essiv:sha1",
	};
	struct oracle_layout l = { .iv_offset = 0x123456789abcdeULL, .sector_size = 512 };
	static uint8_t a[1024], b[1024];
	uint8_t key[64];
	struct oracle_err err;
	char desc[160];
	size_t i;

	rnd_bytes(key, sizeof(key));
	for (i = 0; i < sizeof(same) / sizeof(*same); i++) {
		size_t keylen = strtoul(same[i][2], NULL, 10);
		struct oracle *x = oracle_new(same[i][0], key, keylen, &err);
		struct oracle *y = oracle_new(same[i][1], key, keylen, &err);
		bool good;

		rnd_bytes(a, sizeof(a));
		memcpy(b, a, sizeof(a));
		good = x && y && !oracle_run(x, &l, true, a, sizeof(a), 7) &&
		       !oracle_run(y, &l, true, b, sizeof(b), 7) && !memcmp(a, b, sizeof(a));
		snprintf(desc, sizeof(desc), "%s is %s", same[i][1], same[i][0]);
		report(good, desc);
		oracle_free(x);
		oracle_free(y);
	}
	for (i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		struct oracle *o = oracle_new(wrong[i], key, 32, &err);

		snprintf(desc, sizeof(desc), "refused: '%s'", wrong[i]);
		report(!o && *err.text, desc);
		oracle_free(o);
	}
}

static void test_sector_ivs(void)
{
	static const struct {
		const char *cipher;
		struct oracle_layout layout;
		uint64_t sector;
		const char *iv;		/* hex, without the zeros at the end */
	} cases[] = {
		{ "aes-xts-plain64", { 0, 512, false }, 0x0102030405060708, "0807060504030201" },
		{ "aes-xts-plain64", { 8, 512, false }, 0xfffffffe, "0600000001" },
		{ "aes-xts-plain", { 8, 512, false }, 0xfffffffe, "06" },
		{ "aes-xts-plain64", { 8, 4096, false }, 16, "18" },
		{ "aes-xts-plain64", { 8, 4096, true }, 16, "03" },
		{ "aes-xts-plain64", { 2, 1024, true }, 0x1fffffffe, "0000000001" },
		{ "aes-xts-plain", { 2, 1024, true }, 0x1fffffffe, "" },
		{ "aes-xts-plain64", { UINT64_MAX - 1, 512, false }, 5, "03" },
		{ "aes-cbc-plain64be", { 1, 512, false }, 0x1ff,
		  "00000000000000000000000000000200" },
		{ "aes-cbc-essiv:sha256", { 1, 512, false }, 2, "03" },
		{ "xchacha12,aes-adiantum-plain64", { 1, 512, false }, 0xff, "0001" },
		{ "xchacha12,aes-adiantum-plain64be", { 0, 512, false }, 0xff,
		  "00000000000000000000000000000000000000000000000000000000000000ff" },
		{ "aes-ecb", { 1, 512, false }, 2, "" },
	};
	uint8_t key[32] = { 1 }, iv[ORACLE_MAX_IV];
	struct oracle_err err;
	char hex[2 * ORACLE_MAX_IV + 1], desc[160];
	size_t i, j;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct oracle *o = oracle_new(cases[i].cipher, key, 32, &err);
		const char *large = "";

		if (cases[i].layout.iv_large_sectors)
			large = ", large";
		memset(iv, 0xff, sizeof(iv));
		if (o)
			oracle_sector_iv(o, &cases[i].layout, cases[i].sector, iv);
		for (j = 0; j < sizeof(iv); j++)
			sprintf(hex + 2 * j, "%02x", iv[j]);
		j = strlen(cases[i].iv);
		snprintf(desc, sizeof(desc), "IV of sector %#llx + %#llx: %s, %u%s",
			 (unsigned long long)cases[i].sector,
			 (unsigned long long)cases[i].layout.iv_offset, cases[i].cipher,
			 cases[i].layout.sector_size, large);
		if (!report(o && !strncmp(hex, cases[i].iv, j) &&
			    strspn(hex + j, "0") == sizeof(hex) - 1 - j, desc))
			printf("# got %s\n", hex);
		oracle_free(o);
	}
}

int main(int argc, char **argv)
{
	struct oracle_err err;
	int i;

	puts("TAP version 13");
	if (argc < 2) {
		puts("Bail out! no files of vectors");
		return 1;
	}
	for (i = 1; i < argc; i++) {
		if (vecfile_each(argv[i], test_vector, NULL, &err) < 0) {
			printf("Bail out! %s\n", err.text);
			return 1;
		}
	}
	test_against_libraries();
	test_spellings();
	test_sector_ivs();
	printf("1..%u\n# %u passed, %u failed\n", results, results - failed, failed);
	return failed ? 1 : 0;
}
