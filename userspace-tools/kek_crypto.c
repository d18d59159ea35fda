// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "kek_crypto.h"

/* RFC 3394 adds one block of 8 bytes, and takes no less than two. */
#define AES_WRAP_BLOCK	8

const char *kek_openssl_error(void)
{
	const char *text = ERR_reason_error_string(ERR_peek_last_error());

	ERR_clear_error();
	return text ? text : "unknown error";
}

static int openssl_failed(const char *what, struct reason *why)
{
	return reason_set(why, RC_PERM, "%s: OpenSSL: %s.", what, kek_openssl_error());
}

int kek_not_the_one(const char *what, const char *is, const char *should_be,
		    struct reason *why)
{
	return reason_set(why, RC_PERM,
		"The key (%s) is not the one that wrapped (fingerprint %s, not %s).", what, is,
		should_be);
}

/* Digests */

int kek_fingerprint(const char *prefix, const void *data, size_t size,
		    char text[KEK_FINGERPRINT_MAX], struct reason *why)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned int i, len = 0;
	int n;
	bool ok;

	ok = ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1 &&
	     (!prefix || EVP_DigestUpdate(ctx, prefix, strlen(prefix)) == 1) &&
	     EVP_DigestUpdate(ctx, data, size) == 1 && EVP_DigestFinal_ex(ctx, digest, &len) == 1;
	EVP_MD_CTX_free(ctx);
	if (!ok)
		return openssl_failed("fingerprint of a key", why);
	n = snprintf(text, KEK_FINGERPRINT_MAX, "sha256:");
	for (i = 0; i < len; i++)
		n += snprintf(text + n, KEK_FINGERPRINT_MAX - (size_t)n, "%02x", digest[i]);
	return RC_OK;
}

/* RSA */

int kek_rsa_check(EVP_PKEY *key, const char *what, char *algorithm, size_t size,
		  struct reason *why)
{
	int bits = EVP_PKEY_get_bits(key);

	if (!EVP_PKEY_is_a(key, "RSA"))
		return reason_set(why, RC_PARAM,
			"%s is an %s key; an RSA key of 2048, 3072 or 4096 bits is needed.", what,
			EVP_PKEY_get0_type_name(key));
	if (bits != 2048 && bits != 3072 && bits != 4096)
		return reason_set(why, RC_PARAM,
			"%s is an RSA key of %d bits; 2048, 3072 or 4096 are needed.", what, bits);
	snprintf(algorithm, size, "RSA-%d", bits);
	return RC_OK;
}

int kek_rsa_fingerprint(EVP_PKEY *key, char text[KEK_FINGERPRINT_MAX], struct reason *why)
{
	unsigned char *der = NULL;
	int len = i2d_PUBKEY(key, &der);
	int rc;

	if (len <= 0)
		return openssl_failed("fingerprint of a key", why);
	rc = kek_fingerprint(NULL, der, (size_t)len, text, why);
	OPENSSL_free(der);
	return rc;
}

EVP_PKEY *kek_rsa_public(const unsigned char *modulus, size_t modulus_size,
			 const unsigned char *exponent, size_t exponent_size)
{
	BIGNUM *n = BN_bin2bn(modulus, (int)modulus_size, NULL);
	BIGNUM *e = BN_bin2bn(exponent, (int)exponent_size, NULL);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	OSSL_PARAM *params = NULL;
	EVP_PKEY *key = NULL;

	if (n && e && ctx && build && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) &&
	    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e))
		params = OSSL_PARAM_BLD_to_param(build);
	if (params && EVP_PKEY_fromdata_init(ctx) == 1 &&
	    EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(build);
	EVP_PKEY_CTX_free(ctx);
	BN_free(e);
	BN_free(n);
	return key;
}

static bool set_oaep(EVP_PKEY_CTX *ctx, enum kek_wrapping wrapping)
{
	const EVP_MD *md = wrapping == KEK_RSA_OAEP_256 ? EVP_sha256() : EVP_sha1();

	return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1 &&
	       EVP_PKEY_CTX_set_rsa_oaep_md(ctx, md) == 1 &&
	       EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, md) == 1;
}

int kek_rsa_wrap(EVP_PKEY *key, const char *what, enum kek_wrapping wrapping,
		 struct secmem *plain, size_t size, unsigned char *wrapped,
		 size_t *wrapped_size, struct reason *why)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
	bool ok;

	*wrapped_size = KEK_WRAPPED_MAX;
	ok = ctx && EVP_PKEY_encrypt_init(ctx) == 1 && set_oaep(ctx, wrapping) &&
	     EVP_PKEY_encrypt(ctx, wrapped, wrapped_size, secmem_data(plain), size) == 1;
	EVP_PKEY_CTX_free(ctx);
	return ok ? RC_OK : openssl_failed(what, why);
}

int kek_rsa_check_wrapped(EVP_PKEY *key, const char *what, enum kek_wrapping wrapping,
			  size_t wrapped_size, struct reason *why)
{
	if (wrapping == KEK_AES_256_KW)
		return reason_set(why, RC_PARAM, "%s is an RSA key and doesn't unwrap %s.", what,
				  kek_wrapping_name(wrapping));
	if ((int)wrapped_size != EVP_PKEY_get_size(key))
		return reason_set(why, RC_PERM,
			"The wrapped secret has %zu bytes; with %s it would have %d.",
			wrapped_size, what, EVP_PKEY_get_size(key));
	return RC_OK;
}

int kek_rsa_unwrap(EVP_PKEY *key, const char *what, enum kek_wrapping wrapping,
		   const unsigned char *wrapped, size_t wrapped_size, struct secmem *plain,
		   size_t *size, struct reason *why)
{
	SECMEM_AUTO out = NULL;
	EVP_PKEY_CTX *ctx;
	size_t len = KEK_WRAPPED_MAX;
	bool ok;
	int rc;

	rc = kek_rsa_check_wrapped(key, what, wrapping, wrapped_size, why);
	if (rc)
		return rc;
	/* OpenSSL wants room for as much as the key has. */
	out = secmem_new(KEK_WRAPPED_MAX);
	if (!out)
		return reason_set(why, RC_NOMEM, "No locked memory for a key: %s.",
				  strerror(errno));
	ctx = EVP_PKEY_CTX_new(key, NULL);
	ok = ctx && EVP_PKEY_decrypt_init(ctx) == 1 && set_oaep(ctx, wrapping) &&
	     EVP_PKEY_decrypt(ctx, secmem_data(out), &len, wrapped, wrapped_size) == 1;
	EVP_PKEY_CTX_free(ctx);
	if (!ok) {
		ERR_clear_error();
		return reason_set(why, RC_PERM,
			"The wrapped secret can't be unwrapped with %s: it was damaged or tampered with.",
			what);
	}
	if (!len || len > KEK_PLAIN_MAX)
		return reason_set(why, RC_PERM, "%s unwraps to %zu bytes; 1 to %d are right.",
				  what, len, KEK_PLAIN_MAX);
	memcpy(secmem_data(plain), secmem_data(out), len);
	*size = len;
	return RC_OK;
}

/* AES key wrap */

static EVP_CIPHER_CTX *aes_wrap_ctx(struct secmem *key, int encrypt)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

	if (!ctx)
		return NULL;
	EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	if (EVP_CipherInit_ex(ctx, EVP_aes_256_wrap(), NULL, secmem_data(key), NULL,
			      encrypt) == 1)
		return ctx;
	EVP_CIPHER_CTX_free(ctx);
	return NULL;
}

int kek_aes_wrap(struct secmem *key, struct secmem *plain, size_t size, unsigned char *wrapped,
		 size_t *wrapped_size, struct reason *why)
{
	EVP_CIPHER_CTX *ctx;
	int len = 0;
	bool ok;

	if (size < 2 * AES_WRAP_BLOCK || size % AES_WRAP_BLOCK)
		return reason_set(why, RC_PARAM,
			"%s wraps 16 bytes or more, a multiple of 8; not %zu.",
			kek_wrapping_name(KEK_AES_256_KW), size);
	ctx = aes_wrap_ctx(key, 1);
	ok = ctx && EVP_CipherUpdate(ctx, wrapped, &len, secmem_data(plain), (int)size) == 1;
	EVP_CIPHER_CTX_free(ctx);
	if (!ok)
		return openssl_failed(kek_wrapping_name(KEK_AES_256_KW), why);
	*wrapped_size = (size_t)len;
	return RC_OK;
}

int kek_aes_unwrap(struct secmem *key, const char *what, const unsigned char *wrapped,
		   size_t wrapped_size, struct secmem *plain, size_t *size,
		   struct reason *why)
{
	EVP_CIPHER_CTX *ctx;
	int len = 0;
	bool ok;

	if (wrapped_size < 3 * AES_WRAP_BLOCK || wrapped_size % AES_WRAP_BLOCK ||
	    wrapped_size - AES_WRAP_BLOCK > KEK_PLAIN_MAX)
		return reason_set(why, RC_PERM,
			"The wrapped secret has %zu bytes; %s makes multiples of 8 from 24 to %d.",
			wrapped_size, kek_wrapping_name(KEK_AES_256_KW),
			KEK_PLAIN_MAX + AES_WRAP_BLOCK);
	ctx = aes_wrap_ctx(key, 0);
	ok = ctx && EVP_CipherUpdate(ctx, secmem_data(plain), &len, wrapped,
				     (int)wrapped_size) == 1;
	EVP_CIPHER_CTX_free(ctx);
	if (!ok) {
		ERR_clear_error();
		return reason_set(why, RC_PERM,
			"The wrapped secret can't be unwrapped with %s: it was damaged or tampered with.",
			what);
	}
	*size = (size_t)len;
	return RC_OK;
}
