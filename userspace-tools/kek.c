// SPDX-License-Identifier: GPL-2.0-only
/*
 * Key encryption keys: which provider, and a child for it when there is
 * something to do.
 */
#include <stdlib.h>
#include <string.h>

#include "kek_child.h"
#include "kek_identity.h"

/* A day. What hangs longer than that has been noticed otherwise. */
#define TIMEOUT_MAX	86400

/* As much as is kept with a disk. */
#define TEXT_MAX	1023

static const struct kek_provider * const providers[] = {
	&kek_platform,
	&kek_file,
	&kek_pkcs11,
};

struct kek {
	const struct kek_provider *provider;
	struct kek_config config;
	char *uri;
	char *identity;
	char *wrapping;
	struct kek_child *child;
};

static const struct kek_provider *find_provider(const char *uri)
{
	size_t i, len = strcspn(uri, ":");

	if (!uri[len])
		return NULL;
	for (i = 0; i < sizeof(providers) / sizeof(providers[0]); i++)
		if (strlen(providers[i]->scheme) == len &&
		    !strncmp(providers[i]->scheme, uri, len))
			return providers[i];
	return NULL;
}

bool kek_uri_is_customer(const char *uri)
{
	const struct kek_provider *p = find_provider(uri);

	/* What isn't known is certainly not the platform's. */
	return !p || p->customer;
}

/* The rest isn't repeated: there may be a PIN in it. */
static int unknown_scheme(const char *uri, struct reason *why)
{
	return reason_set(why, RC_PARAM,
		"A key is platform:NAME, file:/path or pkcs11:..., and '%.*s' none of them.",
		(int)strcspn(uri, ":"), uri);
}

int kek_config_check(const struct kek_config *config, struct reason *why)
{
	const struct kek_provider *p;
	enum kek_wrapping wrapping;
	int rc;

	p = config->uri ? find_provider(config->uri) : NULL;
	if (!p)
		return unknown_scheme(config->uri ? config->uri : "", why);
	if (strlen(config->uri) > TEXT_MAX ||
	    (config->identity && strlen(config->identity) > TEXT_MAX))
		return reason_set(why, RC_PARAM,
			"The URI of a key and its identity have at most %d characters.", TEXT_MAX);
	if (!config->timeout || config->timeout > TIMEOUT_MAX)
		return reason_set(why, RC_PARAM,
			"The time-out of a key operation must be 1 to %d seconds, not %u.",
			TIMEOUT_MAX, config->timeout);
	if (config->identity) {
		rc = kek_identity_check(config->identity, why);
		if (rc)
			return rc;
	}
	if (config->wrapping && !kek_wrapping_parse(config->wrapping, &wrapping))
		return reason_set(why, RC_PARAM,
			"Unknown wrapping '%s': %s, %s and %s are known.", config->wrapping,
			kek_wrapping_name(KEK_AES_256_KW), kek_wrapping_name(KEK_RSA_OAEP_256),
			kek_wrapping_name(KEK_RSA_OAEP));
	if (config->wrapping && (wrapping != KEK_AES_256_KW) != p->customer)
		return reason_set(why, RC_PARAM, "%s: keys are not wrapped with %s, but with %s.",
				  p->scheme, config->wrapping,
				  p->customer ? "RSA-OAEP-256 or RSA-OAEP" : "AES-256-KW");
	return p->check(config, why);
}

static bool copy(char **to, const char *from)
{
	if (from)
		*to = strdup(from);
	return !from || *to;
}

int kek_open(struct kek **kek, const struct kek_config *config, struct reason *why)
{
	struct kek *k;
	int rc;

	*kek = NULL;
	rc = kek_config_check(config, why);
	if (rc)
		return rc;
	k = calloc(1, sizeof(*k));
	if (!k)
		return reason_nomem(why);
	k->provider = find_provider(config->uri);
	if (!copy(&k->uri, config->uri) || !copy(&k->identity, config->identity) ||
	    !copy(&k->wrapping, config->wrapping)) {
		kek_close(&k);
		return reason_nomem(why);
	}
	k->config.uri = k->uri;
	k->config.identity = k->identity;
	k->config.wrapping = k->wrapping;
	k->config.timeout = config->timeout;
	*kek = k;
	return RC_OK;
}

void kek_close(struct kek **kek)
{
	struct kek *k = *kek;

	if (!k)
		return;
	*kek = NULL;
	kek_child_end(&k->child);
	free(k->uri);
	free(k->identity);
	free(k->wrapping);
	free(k);
}

static int need_child(struct kek *kek, struct reason *why)
{
	if (kek->child && kek_child_alive(kek->child))
		return RC_OK;
	kek_child_end(&kek->child);
	return kek_child_start(&kek->child, kek->provider, &kek->config, why);
}

bool kek_timed_out(const struct kek *kek)
{
	return kek->child && kek_child_timed_out(kek->child);
}

/* Text that came from a disk or a command line. */
static int take_text(char *to, size_t size, const char *from, const char *what,
		     struct reason *why)
{
	size_t len = strlen(from);

	if (len >= size)
		return reason_set(why, RC_PARAM, "The %s of a key has at most %zu characters.",
				  what, size - 1);
	memcpy(to, from, len + 1);
	return RC_OK;
}

int kek_versions(struct kek *kek, struct kek_version **list, size_t *nr, struct reason *why)
{
	struct kek_request rq = { .op = KEK_OP_VERSIONS };
	struct kek_reply rp = { .nr_versions = 0 };
	int rc;

	*list = NULL;
	*nr = 0;
	rc = need_child(kek, why);
	if (!rc)
		rc = kek_child_call(kek->child, &rq, &rp, list, why);
	if (!rc)
		*nr = rp.nr_versions;
	return rc;
}

int kek_wrap(struct kek *kek, const char *version, struct secmem *plain, size_t size,
	     enum kek_wrapping *wrapping, unsigned char *wrapped, size_t *wrapped_size,
	     struct reason *why)
{
	struct kek_request rq = { .op = KEK_OP_WRAP, .plain_size = size };
	struct kek_reply rp = { .nr_versions = 0 };
	int rc;

	if (!size || size > KEK_PLAIN_MAX || size > secmem_capacity(plain))
		return reason_set(why, RC_PARAM, "A key wraps 1 to %d bytes, not %zu.",
				  KEK_PLAIN_MAX, size);
	rc = take_text(rq.version, sizeof(rq.version), version, "version", why);
	if (!rc)
		rc = need_child(kek, why);
	if (rc)
		return rc;
	memcpy(kek_child_plain(kek->child), secmem_data(plain), size);
	rc = kek_child_call(kek->child, &rq, &rp, NULL, why);
	kek_child_wipe(kek->child);
	if (rc)
		return rc;
	*wrapping = rp.wrapping;
	*wrapped_size = rp.wrapped_size;
	memcpy(wrapped, rp.wrapped, rp.wrapped_size);
	return RC_OK;
}

int kek_unwrap(struct kek *kek, const char *version, const char *fingerprint,
	       enum kek_wrapping wrapping, const unsigned char *wrapped, size_t wrapped_size,
	       struct secmem *plain, size_t *size, struct reason *why)
{
	struct kek_request rq = { .op = KEK_OP_UNWRAP, .wrapping = wrapping };
	struct kek_reply rp = { .nr_versions = 0 };
	int rc;

	if (!wrapped_size || wrapped_size > sizeof(rq.wrapped))
		return reason_set(why, RC_PARAM, "A wrapped key has 1 to %zu bytes, not %zu.",
				  sizeof(rq.wrapped), wrapped_size);
	if (secmem_capacity(plain) < KEK_PLAIN_MAX)
		return reason_set(why, RC_PARAM, "No room for what is unwrapped.");
	rc = take_text(rq.version, sizeof(rq.version), version, "version", why);
	if (!rc)
		rc = take_text(rq.fingerprint, sizeof(rq.fingerprint), fingerprint,
			       "fingerprint", why);
	if (!rc)
		rc = need_child(kek, why);
	if (rc)
		return rc;
	memcpy(rq.wrapped, wrapped, wrapped_size);
	rq.wrapped_size = wrapped_size;
	rc = kek_child_call(kek->child, &rq, &rp, NULL, why);
	if (!rc) {
		memcpy(secmem_data(plain), kek_child_plain(kek->child), rp.plain_size);
		*size = rp.plain_size;
	}
	kek_child_wipe(kek->child);
	return rc;
}

static int made_elsewhere(const struct kek *kek, struct reason *why)
{
	return reason_set(why, RC_PARAM,
		"Versions of %s are the customer's to make and to destroy, with the tools of\n"
		"whatever holds the key; here that is done for platform: keys only.", kek->uri);
}

int kek_new_version(struct kek *kek, struct kek_version *version, struct reason *why)
{
	struct kek_request rq = { .op = KEK_OP_NEW_VERSION };
	struct kek_reply rp = { .nr_versions = 0 };
	int rc;

	if (!kek->provider->new_version)
		return made_elsewhere(kek, why);
	rc = need_child(kek, why);
	if (!rc)
		rc = kek_child_call(kek->child, &rq, &rp, NULL, why);
	if (!rc)
		*version = rp.version;
	return rc;
}

int kek_drop_versions(struct kek *kek, const char *keep, struct reason *why)
{
	struct kek_request rq = { .op = KEK_OP_DROP_VERSIONS };
	struct kek_reply rp = { .nr_versions = 0 };
	int rc;

	if (!kek->provider->drop_versions)
		return made_elsewhere(kek, why);
	rc = take_text(rq.version, sizeof(rq.version), keep, "version", why);
	if (!rc)
		rc = need_child(kek, why);
	if (!rc)
		rc = kek_child_call(kek->child, &rq, &rp, NULL, why);
	return rc;
}
