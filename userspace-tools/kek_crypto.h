/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KEK_CRYPTO_H
#define KEK_CRYPTO_H

#include <openssl/evp.h>

#include "kek.h"

/*
 * What providers have in common, done by OpenSSL. @what names the key in
 * messages: "version 2 of file:/etc/keys". The caller's buffer @wrapped has
 * room for KEK_WRAPPED_MAX bytes, @plain for KEK_PLAIN_MAX.
 */

/* Why OpenSSL's last call failed. Forgets what else it had to say. */
const char *kek_openssl_error(void);

/* "sha256:" and the digest of @prefix (or NULL) and @data. */
int kek_fingerprint(const char *prefix, const void *data, size_t size,
		    char text[KEK_FINGERPRINT_MAX], struct reason *why);

/* Refuses everything but RSA of 2048, 3072 or 4096 bits; writes "RSA-3072". */
int kek_rsa_check(EVP_PKEY *key, const char *what, char *algorithm, size_t size,
		  struct reason *why);
/* Of the DER SubjectPublicKeyInfo. */
int kek_rsa_fingerprint(EVP_PKEY *key, char text[KEK_FINGERPRINT_MAX], struct reason *why);
/* Of big numbers, as PKCS#11 has them. NULL: they are no key. */
EVP_PKEY *kek_rsa_public(const unsigned char *modulus, size_t modulus_size,
			 const unsigned char *exponent, size_t exponent_size);
int kek_rsa_wrap(EVP_PKEY *key, const char *what, enum kek_wrapping wrapping,
		 struct secmem *plain, size_t size, unsigned char *wrapped,
		 size_t *wrapped_size, struct reason *why);
int kek_rsa_unwrap(EVP_PKEY *key, const char *what, enum kek_wrapping wrapping,
		   const unsigned char *wrapped, size_t wrapped_size, struct secmem *plain,
		   size_t *size, struct reason *why);
/* Tells a wrapped key of another size, and one of a wrapping that isn't RSA's. */
int kek_rsa_check_wrapped(EVP_PKEY *key, const char *what, enum kek_wrapping wrapping,
			  size_t wrapped_size, struct reason *why);

/* RFC 3394 with a key of 32 bytes. */
#define KEK_AES_KEY_SIZE	32

int kek_aes_wrap(struct secmem *key, struct secmem *plain, size_t size, unsigned char *wrapped,
		 size_t *wrapped_size, struct reason *why);
int kek_aes_unwrap(struct secmem *key, const char *what, const unsigned char *wrapped,
		   size_t wrapped_size, struct secmem *plain, size_t *size,
		   struct reason *why);

/* "The key isn't the one that wrapped"; always RC_PERM. */
int kek_not_the_one(const char *what, const char *is, const char *should_be,
		    struct reason *why);

#endif
