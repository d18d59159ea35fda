// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is wrapped is 64 bytes: the secret, and a digest that binds it to its
 * place. Documentation/on-disk-format.rst has the formulas.
 */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "envelope.h"

#define BINDING_SIZE	32
#define PLAIN_SIZE	(SLOT_SECRET_SIZE + BINDING_SIZE)

#define BINDING_LABEL	"dm-sse slot secret v1"
#define CHECK_LABEL	"dm-sse check v1"

/* Which disk, set and layer the secret is for. */
static bool make_binding(const char *uuid, const struct token *token,
			 unsigned char binding[BINDING_SIZE])
{
	const char * const parts[] = { BINDING_LABEL, uuid, token->des_id,
				       token_layer_name(token->layer) };
	const size_t nr = sizeof(parts) / sizeof(parts[0]);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned int size = 0;
	bool ok;
	size_t i;

	ok = ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL);
	/* The NUL between two parts keeps their border; the last has none. */
	for (i = 0; i < nr && ok; i++)
		ok = EVP_DigestUpdate(ctx, parts[i], strlen(parts[i]) + (i + 1 < nr));
	ok = ok && EVP_DigestFinal_ex(ctx, binding, &size) && size == BINDING_SIZE;
	EVP_MD_CTX_free(ctx);
	return ok;
}

static bool make_check(struct secmem *secret, unsigned char check[TOKEN_CHECK_SIZE])
{
	static const unsigned char label[] = CHECK_LABEL;
	unsigned int size = 0;

	return HMAC(EVP_sha256(), secmem_data(secret), SLOT_SECRET_SIZE, label, sizeof(label) - 1,
		    check, &size) && size == TOKEN_CHECK_SIZE;
}

static int no_crypto(struct reason *why)
{
	return reason_set(why, RC_NOMEM, "OpenSSL fails: no SHA-256, no random numbers, or no memory.");
}

static int no_secmem(struct reason *why)
{
	return reason_set(why, RC_NOMEM, "Memory for a secret can't be locked; 'ulimit -l' shows how much may be.");
}

static void stamp(char *created, size_t size)
{
	time_t now = time(NULL);
	struct tm tm;

	strftime(created, size, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
}

int envelope_seal(struct kek *kek, const struct kek_version *version, const char *uuid,
		  struct token *token, struct secmem **secret, struct reason *why)
{
	SECMEM_AUTO plain = secmem_new(KEK_PLAIN_MAX);
	SECMEM_AUTO made = secmem_new(SLOT_SECRET_SIZE);
	int rc;

	if (!plain || !made)
		return no_secmem(why);
	if (RAND_priv_bytes(secmem_data(made), SLOT_SECRET_SIZE) != 1 ||
	    !make_binding(uuid, token, secmem_data(plain) + SLOT_SECRET_SIZE) ||
	    !make_check(made, token->check))
		return no_crypto(why);
	memcpy(secmem_data(plain), secmem_data(made), SLOT_SECRET_SIZE);

	rc = kek_wrap(kek, version->version, plain, PLAIN_SIZE, &token->wrapping, token->wrapped,
		      &token->wrapped_size, why);
	if (rc)
		return rc;
	memcpy(token->kek_version, version->version, sizeof(token->kek_version));
	memcpy(token->kek_fingerprint, version->fingerprint, sizeof(token->kek_fingerprint));
	stamp(token->created, sizeof(token->created));
	*secret = made;
	made = NULL;
	return RC_OK;
}

/* Both differ where the token was made up of two; then the first says more. */
static int verify(struct secmem *plain, size_t size, const char *uuid, const struct token *token,
		  struct reason *why)
{
	unsigned char binding[BINDING_SIZE], check[TOKEN_CHECK_SIZE];

	if (size != PLAIN_SIZE)
		return reason_set(why, RC_PERM,
			"What the key unwraps has %zu bytes, not %d: it isn't the secret of a keyslot.",
			size, PLAIN_SIZE);
	if (!make_binding(uuid, token, binding) || !make_check(plain, check))
		return no_crypto(why);
	if (CRYPTO_memcmp(secmem_data(plain) + SLOT_SECRET_SIZE, binding, sizeof(binding)))
		return reason_set(why, RC_PERM,
			"The wrapped secret is another disk's (or set's, or layer's): the token doesn't belong here.");
	if (CRYPTO_memcmp(check, token->check, sizeof(check)))
		return reason_set(why, RC_PERM,
			"The secret isn't the one that the token was made for: the token was changed.");
	return RC_OK;
}

int envelope_open(struct kek *kek, const char *uuid, const struct token *token,
		  struct secmem **secret, struct reason *why)
{
	SECMEM_AUTO plain = secmem_new(KEK_PLAIN_MAX);
	SECMEM_AUTO opened = secmem_new(SLOT_SECRET_SIZE);
	size_t size = 0;
	int rc;

	if (!plain || !opened)
		return no_secmem(why);
	rc = kek_unwrap(kek, token->kek_version, token->kek_fingerprint, token->wrapping,
			token->wrapped, token->wrapped_size, plain, &size, why);
	if (!rc)
		rc = verify(plain, size, uuid, token, why);
	if (rc)
		return rc;
	memcpy(secmem_data(opened), secmem_data(plain), SLOT_SECRET_SIZE);
	*secret = opened;
	opened = NULL;
	return RC_OK;
}
