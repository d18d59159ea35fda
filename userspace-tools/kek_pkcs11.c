// SPDX-License-Identifier: GPL-2.0-only
/*
 * A customer's RSA key in whatever has a PKCS#11 module. Each CKA_ID under the
 * key's label is a version of it. Wrapping is done here, with the public half;
 * unwrapping by the token.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "kek_crypto.h"
#include "kek_hsm.h"
#include "kek_provider.h"

/* Hex digits of it are the version. */
#define ID_MAX		((KEK_VERSION_MAX - 1) / 2)
#define DATE_SIZE	9	/* YYYYMMDD */

struct version {
	char text[KEK_VERSION_MAX];
	unsigned char id[ID_MAX];
	size_t id_size;
	char start[DATE_SIZE];		/* "": none */
	char end[DATE_SIZE];
	bool has_private;
	bool may_decrypt;
	bool may_unwrap;
	ck_object_handle_t private;
	EVP_PKEY *public;		/* NULL: there is a problem */
	char algorithm[16];
	char fingerprint[KEK_FINGERPRINT_MAX];
	struct reason problem;
};

/* What a token was seen to unwrap. */
struct trial {
	struct trial *next;
	char fingerprint[KEK_FINGERPRINT_MAX];
	enum kek_wrapping wrapping;
};

struct pkcs11 {
	const struct kek_config *config;
	struct hsm *hsm;
	struct version *versions;	/* oldest first */
	size_t nr;
	struct trial *trials;
};

static int pkcs11_check(const struct kek_config *config, struct reason *why)
{
	return hsm_check_uri(config->uri, why);
}

static int pkcs11_open(const struct kek_config *config, void **session, struct reason *why)
{
	struct pkcs11 *p = calloc(1, sizeof(*p));
	int rc;

	if (!p)
		return reason_nomem(why);
	p->config = config;
	rc = hsm_new(&p->hsm, config, why);
	if (rc)
		free(p);
	else
		*session = p;
	return rc;
}

static void forget_versions(struct pkcs11 *p)
{
	size_t i;

	for (i = 0; i < p->nr; i++)
		EVP_PKEY_free(p->versions[i].public);
	free(p->versions);
	p->versions = NULL;
	p->nr = 0;
}

static void pkcs11_close(void *session)
{
	struct pkcs11 *p = session;
	struct trial *t;

	forget_versions(p);
	while ((t = p->trials)) {
		p->trials = t->next;
		free(t);
	}
	hsm_free(&p->hsm);
	free(p);
}

/* Versions */

static void describe(const struct pkcs11 *p, const struct version *v, char *what, size_t size)
{
	snprintf(what, size, "version %s in token %s", v->text, hsm_label(p->hsm));
}

static int oldest_first(const void *a, const void *b)
{
	const struct version *va = a, *vb = b;
	int order = strcmp(va->start, vb->start);
	const unsigned char *ia = va->id, *ib = vb->id;
	size_t na = va->id_size, nb = vb->id_size;

	if (order)
		return order;
	/* As numbers. */
	for (; na && !*ia; na--)
		ia++;
	for (; nb && !*ib; nb--)
		ib++;
	if (na != nb)
		return na > nb ? 1 : -1;
	return memcmp(ia, ib, na);
}

static struct version *find(const struct pkcs11 *p, const char *text)
{
	size_t i;

	for (i = 0; i < p->nr; i++)
		if (!strcmp(p->versions[i].text, text))
			return &p->versions[i];
	return NULL;
}

/* The version of this ID, made if it isn't there. */
static struct version *version_of(struct pkcs11 *p, const unsigned char *id, size_t size)
{
	struct version *longer, *v;
	char text[KEK_VERSION_MAX] = "";
	size_t i;

	for (i = 0; i < size; i++)
		snprintf(text + 2 * i, 3, "%02x", id[i]);
	v = find(p, text);
	if (v)
		return v;
	longer = reallocarray(p->versions, p->nr + 1, sizeof(*longer));
	if (!longer)
		return NULL;
	p->versions = longer;
	v = &longer[p->nr++];
	memset(v, 0, sizeof(*v));
	memcpy(v->text, text, sizeof(v->text));
	memcpy(v->id, id, size);
	v->id_size = size;
	return v;
}

static void read_date(struct pkcs11 *p, ck_object_handle_t object, ck_attribute_type_t type,
		      char date[DATE_SIZE])
{
	char raw[DATE_SIZE - 1];

	if (hsm_bytes(p->hsm, object, type, raw, sizeof(raw)) == sizeof(raw) && raw[0] != '0') {
		memcpy(date, raw, sizeof(raw));
		date[sizeof(raw)] = '\0';
	}
}

static void read_public(struct pkcs11 *p, struct version *v, ck_object_handle_t object)
{
	unsigned char modulus[2048], exponent[64];
	size_t modulus_size, exponent_size;
	char what[128];
	EVP_PKEY *key;

	modulus_size = hsm_bytes(p->hsm, object, CKA_MODULUS, modulus, sizeof(modulus));
	exponent_size = hsm_bytes(p->hsm, object, CKA_PUBLIC_EXPONENT, exponent,
				  sizeof(exponent));
	if (!modulus_size || !exponent_size)
		return;
	key = kek_rsa_public(modulus, modulus_size, exponent, exponent_size);
	if (!key)
		return;
	describe(p, v, what, sizeof(what));
	if (v->public && EVP_PKEY_eq(v->public, key) != 1)
		reason_set(&v->problem, RC_PARAM,
			"The private and the public key of %s don't belong together;\n"
			"give them different IDs.", what);
	EVP_PKEY_free(v->public);
	v->public = key;
}

static void read_private(struct pkcs11 *p, struct version *v, ck_object_handle_t object)
{
	char what[128];

	if (v->has_private) {
		describe(p, v, what, sizeof(what));
		reason_set(&v->problem, RC_PARAM,
			"There are two private keys as %s; give them different IDs.", what);
	}
	v->has_private = true;
	v->private = object;
	v->may_decrypt = hsm_flag(p->hsm, object, CKA_DECRYPT);
	v->may_unwrap = hsm_flag(p->hsm, object, CKA_UNWRAP);
}

static const char *type_name(unsigned long type)
{
	switch (type) {
	case CKK_EC:
		return "EC";
	case CKK_DSA:
		return "DSA";
	case CKK_DH:
		return "DH";
	default:
		return "other";
	}
}

static int read_object(struct pkcs11 *p, ck_object_class_t class, ck_object_handle_t object,
		       struct reason *why)
{
	unsigned long type = hsm_number(p->hsm, object, CKA_KEY_TYPE);
	unsigned char id[ID_MAX];
	size_t size = hsm_bytes(p->hsm, object, CKA_ID, id, sizeof(id));
	struct version *v;
	char what[128];

	if (!size)
		return reason_set(why, RC_PARAM,
			"Token %s: the key has an object with no CKA_ID, or one of more than %d bytes;\n"
			"the ID is the version of the key: give it one.", hsm_label(p->hsm), ID_MAX);
	v = version_of(p, id, size);
	if (!v)
		return reason_nomem(why);
	if (type != CKK_RSA) {
		describe(p, v, what, sizeof(what));
		reason_set(&v->problem, RC_PARAM,
			"The key of %s is of type %s; RSA of 2048, 3072 or 4096 bits is needed.",
			what, type_name(type));
		return RC_OK;
	}
	if (class == CKO_PRIVATE_KEY)
		read_private(p, v, object);
	read_public(p, v, object);
	read_date(p, object, CKA_START_DATE, v->start);
	read_date(p, object, CKA_END_DATE, v->end);
	return RC_OK;
}

static int read_class(struct pkcs11 *p, ck_object_class_t class, struct reason *why)
{
	ck_object_handle_t *objects;
	size_t nr, i;
	int rc;

	rc = hsm_find(p->hsm, class, &objects, &nr, why);
	if (rc)
		return rc;
	for (i = 0; i < nr && !rc; i++)
		rc = read_object(p, class, objects[i], why);
	free(objects);
	return rc;
}

static void finish_version(struct pkcs11 *p, struct version *v)
{
	char what[128];

	if (v->problem.rc)
		return;
	describe(p, v, what, sizeof(what));
	if (!v->public)
		reason_set(&v->problem, RC_PARAM,
			"The public half of %s isn't to be seen; store the public key too.", what);
	else if (!kek_rsa_check(v->public, what, v->algorithm, sizeof(v->algorithm),
				&v->problem))
		kek_rsa_fingerprint(v->public, v->fingerprint, &v->problem);
}

/* Anew for each operation: a key that was taken away must not work on. */
static int scan(struct pkcs11 *p, struct reason *why)
{
	size_t i;
	int rc;

	forget_versions(p);
	rc = read_class(p, CKO_PRIVATE_KEY, why);
	if (!rc)
		rc = read_class(p, CKO_PUBLIC_KEY, why);
	if (rc)
		return rc;
	for (i = 0; i < p->nr; i++)
		finish_version(p, &p->versions[i]);
	if (p->nr)
		qsort(p->versions, p->nr, sizeof(*p->versions), oldest_first);
	return RC_OK;
}

static int no_key(const struct pkcs11 *p, struct reason *why)
{
	return reason_set(why, RC_PERM,
		"Token %s has no such key%s.\n"
		"Compare 'object' and 'id' of its URI with 'pkcs11-tool --login --list-objects'.",
		hsm_label(p->hsm),
		hsm_can_login(p->hsm) ? "" : " that is seen without an identity");
}

/* Dates */

static void today(char date[DATE_SIZE])
{
	time_t now = time(NULL);
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(date, DATE_SIZE, "%Y%m%d", &tm);
}

static bool is_future(const struct version *v)
{
	char date[DATE_SIZE];

	today(date);
	return v->start[0] && strcmp(v->start, date) > 0;
}

static int check_expired(const struct pkcs11 *p, const struct version *v, struct reason *why)
{
	char date[DATE_SIZE], what[128];

	today(date);
	if (!v->end[0] || strcmp(date, v->end) <= 0)
		return RC_OK;
	describe(p, v, what, sizeof(what));
	return reason_set(why, RC_PERM,
		"The key of %s has expired (CKA_END_DATE %s); its owner may give it another date.",
		what, v->end);
}

/* The token at work */

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

/* @rv: what the module said, for who wants to try something else. */
static int token_unwrap(struct pkcs11 *p, const struct version *v, enum kek_wrapping wrapping,
			const unsigned char *wrapped, size_t wrapped_size, struct secmem *out,
			size_t *size, ck_rv_t *rv, struct reason *why)
{
	char what[128], doing[192];

	*rv = CKR_OK;
	describe(p, v, what, sizeof(what));
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
	describe(p, v, what, sizeof(what));
	if (RAND_bytes(secmem_data(plain), (int)size) != 1)
		return reason_set(why, RC_PERM, "No random numbers: %s.", kek_openssl_error());
	rc = kek_rsa_wrap(v->public, what, wrapping, plain, size, wrapped, &wrapped_size, why);
	if (!rc)
		rc = token_unwrap(p, v, wrapping, wrapped, wrapped_size, back, &back_size, rv,
				  why);
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

/* The one that is asked for, if it works. */
static int prove_wrapping(struct pkcs11 *p, const struct version *v, enum kek_wrapping wrapping,
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
static int choose_wrapping(struct pkcs11 *p, const struct version *v,
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

/* Operations, each tried again from the start if the token was lost on the way */

struct operation {
	int (*run)(struct pkcs11 *p, struct operation *o, struct reason *why);
	bool private;		/* no use without the private half */
	const char *version;
	const char *fingerprint;
	enum kek_wrapping *wrapping;
	unsigned char *wrapped;
	const unsigned char *to_unwrap;
	size_t *wrapped_size;
	struct secmem *plain;
	size_t *size;
	struct kek_version **list;
	size_t *nr;
};

static int attempt(struct pkcs11 *p, struct operation *o, struct reason *why)
{
	int rc;

	rc = hsm_ready(p->hsm, why);
	if (!rc && (o->private || hsm_can_login(p->hsm)))
		rc = hsm_login(p->hsm, why);
	if (!rc)
		rc = scan(p, why);
	if (!rc && !p->nr)
		rc = no_key(p, why);
	if (!rc)
		rc = o->run(p, o, why);
	return rc;
}

static int operate(struct pkcs11 *p, struct operation *o, struct reason *why)
{
	int rc;

	rc = attempt(p, o, why);
	if (rc && hsm_lost(p->hsm)) {
		diag_debug("%s Once more, from the start.", why->text);
		hsm_reset(p->hsm);
		rc = attempt(p, o, why);
	}
	/* The next operation looks for tokens anew. */
	if (rc && hsm_lost(p->hsm))
		hsm_reset(p->hsm);
	return rc;
}

static int run_versions(struct pkcs11 *p, struct operation *o, struct reason *why)
{
	struct kek_version *out = calloc(p->nr, sizeof(*out));
	const struct version *v;
	struct reason expired;
	size_t i, n = 0;

	if (!out)
		return reason_nomem(why);
	for (i = 0; i < p->nr; i++) {
		v = &p->versions[i];
		if (v->problem.rc) {
			free(out);
			*why = v->problem;
			return why->rc;
		}
		if (is_future(v))
			continue;
		memcpy(out[n].version, v->text, sizeof(out[n].version));
		memcpy(out[n].fingerprint, v->fingerprint, sizeof(out[n].fingerprint));
		memcpy(out[n].algorithm, v->algorithm, sizeof(out[n].algorithm));
		out[n].can_unwrap = (v->may_decrypt || v->may_unwrap) &&
				    !check_expired(p, v, &expired);
		n++;
	}
	*o->list = out;
	*o->nr = n;
	return RC_OK;
}

static int pkcs11_versions(void *session, struct kek_version **list, size_t *nr,
			   struct reason *why)
{
	struct operation o = { .run = run_versions, .list = list, .nr = nr };

	return operate(session, &o, why);
}

static int gone(const struct pkcs11 *p, const char *version, struct reason *why)
{
	return reason_set(why, RC_PERM, "Version %s of the key is gone from token %s.", version,
			  hsm_label(p->hsm));
}

static int run_wrap(struct pkcs11 *p, struct operation *o, struct reason *why)
{
	const struct version *v = find(p, o->version);
	char what[128];
	int rc;

	if (!v)
		return gone(p, o->version, why);
	if (v->problem.rc) {
		*why = v->problem;
		return why->rc;
	}
	describe(p, v, what, sizeof(what));
	if (is_future(v))
		return reason_set(why, RC_PERM, "The key of %s is not valid before %s.", what,
				  v->start);
	rc = check_expired(p, v, why);
	if (rc)
		return rc;
	if (p->config->wrapping) {
		kek_wrapping_parse(p->config->wrapping, o->wrapping);
		rc = prove_wrapping(p, v, *o->wrapping, why);
	} else {
		rc = choose_wrapping(p, v, o->wrapping, why);
	}
	if (rc)
		return rc;
	return kek_rsa_wrap(v->public, what, *o->wrapping, o->plain, *o->size, o->wrapped,
			    o->wrapped_size, why);
}

static int pkcs11_wrap(void *session, const char *version, struct secmem *plain, size_t size,
		       enum kek_wrapping *wrapping, unsigned char *wrapped,
		       size_t *wrapped_size, struct reason *why)
{
	struct operation o = {
		.run = run_wrap,
		.version = version,
		.plain = plain,
		.size = &size,
		.wrapping = wrapping,
		.wrapped = wrapped,
		.wrapped_size = wrapped_size,
	};

	return operate(session, &o, why);
}

/*
 * The version if it is the one, or else the one that is, under another ID; the
 * public half only if there is no other.
 */
static const struct version *find_by_fingerprint(const struct pkcs11 *p, const char *text,
						 const char *fingerprint, struct reason *why)
{
	const struct version *named = find(p, text), *half = NULL;
	char what[128];
	size_t i;

	if (named && !strcmp(named->fingerprint, fingerprint))
		half = named;
	for (i = 0; i < p->nr && (!half || !half->has_private); i++)
		if (!strcmp(p->versions[i].fingerprint, fingerprint))
			half = &p->versions[i];
	if (half)
		return half;
	if (!named) {
		gone(p, text, why);
	} else if (named->problem.rc) {
		*why = named->problem;
	} else {
		describe(p, named, what, sizeof(what));
		kek_not_the_one(what, named->fingerprint, fingerprint, why);
	}
	return NULL;
}

static int run_unwrap(struct pkcs11 *p, struct operation *o, struct reason *why)
{
	const struct version *v = find_by_fingerprint(p, o->version, o->fingerprint, why);
	SECMEM_AUTO out = NULL;
	char what[128];
	ck_rv_t rv;
	int rc;

	if (!v)
		return why->rc;
	if (v->problem.rc) {
		*why = v->problem;
		return why->rc;
	}
	describe(p, v, what, sizeof(what));
	rc = check_expired(p, v, why);
	if (!rc)
		rc = kek_rsa_check_wrapped(v->public, what, *o->wrapping, *o->wrapped_size, why);
	if (rc)
		return rc;
	/* Some modules want room for as much as the key has. */
	out = secmem_new(KEK_WRAPPED_MAX);
	if (!out)
		return reason_set(why, RC_NOMEM, "No locked memory for a key: %s.",
				  strerror(errno));
	rc = token_unwrap(p, v, *o->wrapping, o->to_unwrap, *o->wrapped_size, out, o->size, &rv,
			  why);
	if (rc)
		return rc;
	if (!*o->size || *o->size > KEK_PLAIN_MAX)
		return reason_set(why, RC_PERM, "What %s unwraps has %zu bytes; 1 to %d are right.",
				  what, *o->size, KEK_PLAIN_MAX);
	memcpy(secmem_data(o->plain), secmem_data(out), *o->size);
	return RC_OK;
}

static int pkcs11_unwrap(void *session, const char *version, const char *fingerprint,
			 enum kek_wrapping wrapping, const unsigned char *wrapped,
			 size_t wrapped_size, struct secmem *plain, size_t *size,
			 struct reason *why)
{
	struct operation o = {
		.run = run_unwrap,
		.private = true,
		.version = version,
		.fingerprint = fingerprint,
		.wrapping = &wrapping,
		.to_unwrap = wrapped,
		.wrapped_size = &wrapped_size,
		.plain = plain,
		.size = size,
	};

	return operate(session, &o, why);
}

const struct kek_provider kek_pkcs11 = {
	.scheme		= "pkcs11",
	.customer	= true,
	.check		= pkcs11_check,
	.open		= pkcs11_open,
	.close		= pkcs11_close,
	.versions	= pkcs11_versions,
	.wrap		= pkcs11_wrap,
	.unwrap		= pkcs11_unwrap,
};
