// SPDX-License-Identifier: GPL-2.0-only
/*
 * Block ciphers of 16-byte blocks in ECB, one call for many blocks: AES and
 * Camellia from OpenSSL, Serpent and Twofish from libgcrypt.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gcrypt.h>
#include <openssl/evp.h>

#include "oracle.h"

struct block_cipher {
	EVP_CIPHER_CTX *enc, *dec;
	gcry_cipher_hd_t gcry;
};

static int gcry_algo(const char *name, size_t keylen)
{
	/* Serpent pads short keys itself; the id only names the usual length. */
	if (!strcmp(name, "serpent"))
		return keylen <= 16 ? GCRY_CIPHER_SERPENT128 :
		       keylen <= 24 ? GCRY_CIPHER_SERPENT192 :
		       keylen <= 32 ? GCRY_CIPHER_SERPENT256 : 0;
	if (!strcmp(name, "twofish"))
		return keylen == 16 ? GCRY_CIPHER_TWOFISH128 :
		       keylen == 32 ? GCRY_CIPHER_TWOFISH : 0;
	return 0;
}

static int open_gcry(struct block_cipher *bc, int algo, const uint8_t *key, size_t keylen)
{
	static bool ready;

	if (!ready) {
		if (!gcry_check_version(NULL))
			return -1;
		gcry_control(GCRYCTL_DISABLE_SECMEM, 0);
		gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
		ready = true;
	}
	if (gcry_cipher_open(&bc->gcry, algo, GCRY_CIPHER_MODE_ECB, 0))
		return -1;
	return gcry_cipher_setkey(bc->gcry, key, keylen) ? -1 : 0;
}

static int open_evp(struct block_cipher *bc, const EVP_CIPHER *alg, const uint8_t *key)
{
	bc->enc = EVP_CIPHER_CTX_new();
	bc->dec = EVP_CIPHER_CTX_new();
	if (!bc->enc || !bc->dec ||
	    !EVP_EncryptInit_ex(bc->enc, alg, NULL, key, NULL) ||
	    !EVP_DecryptInit_ex(bc->dec, alg, NULL, key, NULL))
		return -1;
	EVP_CIPHER_CTX_set_padding(bc->enc, 0);
	EVP_CIPHER_CTX_set_padding(bc->dec, 0);
	return 0;
}

struct block_cipher *block_new(const char *name, const uint8_t *key, size_t keylen,
			       struct oracle_err *err)
{
	struct block_cipher *bc = calloc(1, sizeof(*bc));
	const EVP_CIPHER *alg = NULL;
	char evp_name[48];
	int algo;

	if (!bc)
		return NULL;
	algo = gcry_algo(name, keylen);
	if (!algo && (!strcmp(name, "aes") || !strcmp(name, "camellia"))) {
		snprintf(evp_name, sizeof(evp_name), "%s-%zu-ecb", name, keylen * 8);
		alg = EVP_get_cipherbyname(evp_name);
	}
	if (!algo && !alg) {
		snprintf(err->text, sizeof(err->text), "no cipher %s with a key of %zu bytes",
			 name, keylen);
		goto fail;
	}
	if (algo ? open_gcry(bc, algo, key, keylen) : open_evp(bc, alg, key)) {
		snprintf(err->text, sizeof(err->text), "can't key %s", name);
		goto fail;
	}
	return bc;
fail:
	block_free(bc);
	return NULL;
}

void block_free(struct block_cipher *bc)
{
	if (!bc)
		return;
	EVP_CIPHER_CTX_free(bc->enc);
	EVP_CIPHER_CTX_free(bc->dec);
	gcry_cipher_close(bc->gcry);
	free(bc);
}

int block_crypt(struct block_cipher *bc, bool enc, uint8_t *buf, size_t len)
{
	int done;

	if (len % ORACLE_BLOCK || len > INT_MAX)
		return -1;
	if (bc->gcry)
		return (enc ? gcry_cipher_encrypt(bc->gcry, buf, len, NULL, 0) :
			      gcry_cipher_decrypt(bc->gcry, buf, len, NULL, 0)) ? -1 : 0;
	if (!EVP_CipherUpdate(enc ? bc->enc : bc->dec, buf, &done, buf, (int)len))
		return -1;
	return done == (int)len ? 0 : -1;
}
