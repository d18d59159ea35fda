// SPDX-License-Identifier: GPL-2.0-only
/*
 * A customer's RSA key in whatever has a PKCS#11 module. Each CKA_ID under the
 * key's label is a version of it. Wrapping is done here, with the public half;
 * unwrapping by the token.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kek_crypto.h"
#include "kek_pkcs11_internal.h"
#include "kek_provider.h"

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

static void pkcs11_close(void *session)
{
	struct pkcs11 *p = session;

	pkcs11_forget_versions(p);
	pkcs11_forget_trials(p);
	hsm_free(&p->hsm);
	free(p);
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

static int no_key(const struct pkcs11 *p, struct reason *why)
{
	return reason_set(why, RC_PERM,
		"Token %s has no such key%s.\n"
		"Compare 'object' and 'id' of its URI with 'pkcs11-tool --login --list-objects'.",
		hsm_label(p->hsm),
		hsm_can_login(p->hsm) ? "" : " that is seen without an identity");
}

static int attempt(struct pkcs11 *p, struct operation *o, struct reason *why)
{
	int rc;

	rc = hsm_ready(p->hsm, why);
	if (!rc && (o->private || hsm_can_login(p->hsm)))
		rc = hsm_login(p->hsm, why);
	if (!rc)
		rc = pkcs11_scan(p, why);
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
		if (pkcs11_is_future(v))
			continue;
		memcpy(out[n].version, v->text, sizeof(out[n].version));
		memcpy(out[n].fingerprint, v->fingerprint, sizeof(out[n].fingerprint));
		memcpy(out[n].algorithm, v->algorithm, sizeof(out[n].algorithm));
		out[n].can_unwrap = (v->may_decrypt || v->may_unwrap) &&
				    !pkcs11_check_expired(p, v, &expired);
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
	const struct version *v = pkcs11_find(p, o->version);
	char what[128];
	int rc;

	if (!v)
		return gone(p, o->version, why);
	if (v->problem.rc) {
		*why = v->problem;
		return why->rc;
	}
	pkcs11_describe(p, v, what, sizeof(what));
	if (pkcs11_is_future(v))
		return reason_set(why, RC_PERM, "The key of %s is not valid before %s.", what,
				  v->start);
	rc = pkcs11_check_expired(p, v, why);
	if (rc)
		return rc;
	if (p->config->wrapping) {
		kek_wrapping_parse(p->config->wrapping, o->wrapping);
		rc = pkcs11_prove_wrapping(p, v, *o->wrapping, why);
	} else {
		rc = pkcs11_choose_wrapping(p, v, o->wrapping, why);
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
	const struct version *named = pkcs11_find(p, text), *half = NULL;
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
		pkcs11_describe(p, named, what, sizeof(what));
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
	pkcs11_describe(p, v, what, sizeof(what));
	rc = pkcs11_check_expired(p, v, why);
	if (!rc)
		rc = kek_rsa_check_wrapped(v->public, what, *o->wrapping, *o->wrapped_size, why);
	if (rc)
		return rc;
	/* Some modules want room for as much as the key has. */
	out = secmem_new(KEK_WRAPPED_MAX);
	if (!out)
		return reason_set(why, RC_NOMEM, "No locked memory for a key: %s.",
				  strerror(errno));
	rc = pkcs11_token_unwrap(p, v, *o->wrapping, o->to_unwrap, *o->wrapped_size, out,
				 o->size, &rv, why);
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
