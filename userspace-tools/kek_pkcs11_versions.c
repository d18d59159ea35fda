// SPDX-License-Identifier: GPL-2.0-only
/*
 * The versions of a key in a token: which there are, what is wrong with them, and
 * when they are good.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kek_crypto.h"
#include "kek_pkcs11_internal.h"

void pkcs11_forget_versions(struct pkcs11 *p)
{
	size_t i;

	for (i = 0; i < p->nr; i++)
		EVP_PKEY_free(p->versions[i].public);
	free(p->versions);
	p->versions = NULL;
	p->nr = 0;
}

void pkcs11_describe(const struct pkcs11 *p, const struct version *v, char *what, size_t size)
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

struct version *pkcs11_find(const struct pkcs11 *p, const char *text)
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
	v = pkcs11_find(p, text);
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
	pkcs11_describe(p, v, what, sizeof(what));
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
		pkcs11_describe(p, v, what, sizeof(what));
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
		pkcs11_describe(p, v, what, sizeof(what));
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
	pkcs11_describe(p, v, what, sizeof(what));
	if (!v->public)
		reason_set(&v->problem, RC_PARAM,
			"The public half of %s isn't to be seen; store the public key too.", what);
	else if (!kek_rsa_check(v->public, what, v->algorithm, sizeof(v->algorithm),
				&v->problem))
		kek_rsa_fingerprint(v->public, v->fingerprint, &v->problem);
}

int pkcs11_scan(struct pkcs11 *p, struct reason *why)
{
	size_t i;
	int rc;

	pkcs11_forget_versions(p);
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

/* Dates */

static void today(char date[DATE_SIZE])
{
	time_t now = time(NULL);
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(date, DATE_SIZE, "%Y%m%d", &tm);
}

bool pkcs11_is_future(const struct version *v)
{
	char date[DATE_SIZE];

	today(date);
	return v->start[0] && strcmp(v->start, date) > 0;
}

int pkcs11_check_expired(const struct pkcs11 *p, const struct version *v, struct reason *why)
{
	char date[DATE_SIZE], what[128];

	today(date);
	if (!v->end[0] || strcmp(date, v->end) <= 0)
		return RC_OK;
	pkcs11_describe(p, v, what, sizeof(what));
	return reason_set(why, RC_PERM,
		"The key of %s has expired (CKA_END_DATE %s); its owner may give it another date.",
		what, v->end);
}
