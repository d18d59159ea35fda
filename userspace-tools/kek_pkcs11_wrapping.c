// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a token unwraps, and which wrapping to choose for it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "kek_crypto.h"
#include "kek_pkcs11_internal.h"

/* What a token was seen to unwrap. */
struct trial {
	struct trial *next;
	char fingerprint[KEK_FINGERPRINT_MAX];
	enum kek_wrapping wrapping;
};

/* What a module says that doesn't know the hash, in one way or another. */
static bool means_unsupported(ck_rv_t rv)
{
	switch (rv) {
	case CKR_ARGUMENTS_BAD:
	case CKR_MECHANISM_INVALID:
	case CKR_MECHANISM_PARAM_INVALID:
	case CKR_FUNCTION_NOT_SUPPORTED:
	case CKR_ENCRYPTED_DATA_INVALID:
	case CKR_WRAPPED_KEY_INVALID:
	case CKR_FUNCTION_FAILED:
	case CKR_GENERAL_ERROR:
		return true;
	default:
		return false;
	}
}

static bool means_damaged(ck_rv_t rv)
{
	switch (rv) {
	case CKR_ENCRYPTED_DATA_INVALID:
	case CKR_ENCRYPTED_DATA_LEN_RANGE:
	case CKR_WRAPPED_KEY_INVALID:
	case CKR_WRAPPED_KEY_LEN_RANGE:
		return true;
	default:
		return false;
	}
}

static bool may_mean_damaged(ck_rv_t rv)
{
	return rv == CKR_GENERAL_ERROR || rv == CKR_FUNCTION_FAILED || rv == CKR_DATA_INVALID;
}

static int not_permitted(const struct version *v, const char *what, struct reason *why)
{
	if (!v->has_private)
		return reason_set(why, RC_PERM,
			"The private key of %s isn't there, or is disabled or hidden.", what);
	return reason_set(why, RC_PERM,
		"The key of %s may neither decrypt nor unwrap (CKA_DECRYPT, CKA_UNWRAP).", what);
}

int pkcs11_token_unwrap(struct pkcs11 *p, const struct version *v, enum kek_wrapping wrapping,
			const unsigned char *wrapped, size_t wrapped_size, struct secmem *out,
			size_t *size, ck_rv_t *rv, struct reason *why)
{
	char what[128], doing[192];

	*rv = CKR_OK;
	pkcs11_describe(p, v, what, sizeof(what));
	if (!v->may_decrypt && !v->may_unwrap)
		return not_permitted(v, what, why);
	why->rc = RC_OK;
	if (v->may_decrypt)
		*rv = hsm_decrypt(p->hsm, v->private, wrapping, wrapped, wrapped_size, out, size,
				  why);
	else
		*rv = hsm_unwrap_key(p->hsm, v->private, wrapping, wrapped, wrapped_size, out,
				     size);
	if (*rv == CKR_OK || why->rc)
		return why->rc;
	if (means_damaged(*rv))
		return reason_set(why, RC_PERM,
			"The wrapped secret can't be unwrapped with %s: it was damaged or tampered with.",
			what);
	snprintf(doing, sizeof(doing), "unwrapping %s with version %s%s",
		 kek_wrapping_name(wrapping), v->text,
		 may_mean_damaged(*rv) ? " (was it damaged or tampered with?)" : "");
	return hsm_error(p->hsm, doing, *rv, why);
}

/* Does the token unwrap what we wrap? */
static int try_wrapping(struct pkcs11 *p, const struct version *v, enum kek_wrapping wrapping,
			ck_rv_t *rv, struct reason *why)
{
	SECMEM_AUTO plain = secmem_new(KEK_AES_KEY_SIZE);
	SECMEM_AUTO back = secmem_new(KEK_WRAPPED_MAX);
	unsigned char wrapped[KEK_WRAPPED_MAX];
	size_t size = KEK_AES_KEY_SIZE, wrapped_size, back_size = 0;
	char what[128];
	int rc;

	*rv = CKR_OK;
	if (!plain || !back)
		return reason_set(why, RC_NOMEM, "No locked memory for a key: %s.",
				  strerror(errno));
	pkcs11_describe(p, v, what, sizeof(what));
	if (RAND_bytes(secmem_data(plain), (int)size) != 1)
		return reason_set(why, RC_PERM, "No random numbers: %s.", kek_openssl_error());
	rc = kek_rsa_wrap(v->public, what, wrapping, plain, size, wrapped, &wrapped_size, why);
	if (!rc)
		rc = pkcs11_token_unwrap(p, v, wrapping, wrapped, wrapped_size, back, &back_size,
					 rv, why);
	if (!rc && (back_size != size ||
		    CRYPTO_memcmp(secmem_data(plain), secmem_data(back), size)))
		rc = reason_set(why, RC_PERM,
			"The token gives something else back than was wrapped with %s.", what);
	return rc;
}

static struct trial *find_trial(const struct pkcs11 *p, const struct version *v,
				const enum kek_wrapping *wrapping)
{
	struct trial *t;

	for (t = p->trials; t; t = t->next)
		if (!strcmp(t->fingerprint, v->fingerprint) &&
		    (!wrapping || t->wrapping == *wrapping))
			return t;
	return NULL;
}

static int remember_trial(struct pkcs11 *p, const struct version *v, enum kek_wrapping wrapping,
			  struct reason *why)
{
	struct trial *t = calloc(1, sizeof(*t));

	if (!t)
		return reason_nomem(why);
	memcpy(t->fingerprint, v->fingerprint, sizeof(t->fingerprint));
	t->wrapping = wrapping;
	t->next = p->trials;
	p->trials = t;
	return RC_OK;
}

void pkcs11_forget_trials(struct pkcs11 *p)
{
	struct trial *t;

	while ((t = p->trials)) {
		p->trials = t->next;
		free(t);
	}
}

int pkcs11_prove_wrapping(struct pkcs11 *p, const struct version *v, enum kek_wrapping wrapping,
			  struct reason *why)
{
	ck_rv_t rv;
	int rc;

	if (!v->has_private || find_trial(p, v, &wrapping))
		return RC_OK;
	rc = try_wrapping(p, v, wrapping, &rv, why);
	if (!rc)
		return remember_trial(p, v, wrapping, why);
	if (means_unsupported(rv))
		return reason_set(why, RC_PERM,
			"Token %s can't unwrap %s; leave the wrapping to ssesetup, or take %s.",
			hsm_label(p->hsm), kek_wrapping_name(wrapping),
			kek_wrapping_name(wrapping == KEK_RSA_OAEP ? KEK_RSA_OAEP_256 :
					  KEK_RSA_OAEP));
	return rc;
}

/*
 * The best that the token can unwrap, which only a trial tells: tables of
 * mechanisms know OAEP, but not its hashes. With the public half alone there is
 * nothing to try; then it is the one that should be.
 */
int pkcs11_choose_wrapping(struct pkcs11 *p, const struct version *v,
			   enum kek_wrapping *wrapping, struct reason *why)
{
	struct trial *known = find_trial(p, v, NULL);
	ck_rv_t rv;
	int rc;

	*wrapping = known ? known->wrapping : KEK_RSA_OAEP_256;
	if (known || !v->has_private)
		return RC_OK;
	rc = try_wrapping(p, v, KEK_RSA_OAEP_256, &rv, why);
	if (rc && means_unsupported(rv)) {
		diag_debug("%s Trying %s.", why->text, kek_wrapping_name(KEK_RSA_OAEP));
		*wrapping = KEK_RSA_OAEP;
		rc = try_wrapping(p, v, KEK_RSA_OAEP, &rv, why);
	}
	if (rc)
		return rc;
	return remember_trial(p, v, *wrapping, why);
}
