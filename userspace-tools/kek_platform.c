// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keys of the host's own, as a provider.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kek_crypto.h"
#include "kek_platform.h"
#include "kek_provider.h"

#define SCHEME		"platform"

static bool name_ok(const char *name)
{
	size_t len = strlen(name);

	return len && len <= NAME_MAX_LEN && name[0] != '.' && name[0] != '-' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			    "0123456789-_.") == len;
}

static int platform_check(const struct kek_config *config, struct reason *why)
{
	const char *name = config->uri + strlen(SCHEME ":");

	if (!name_ok(name))
		return reason_set(why, RC_PARAM,
			"'%s' is no name of a platform key: up to %d letters, digits, '-', '_', '.',\n"
			"the first no '-' and no '.'.", name, NAME_MAX_LEN);
	if (config->identity)
		return reason_set(why, RC_PARAM,
			"Platform keys need no identity; take '%s' out.", config->identity);
	return RC_OK;
}

static int platform_open(const struct kek_config *config, void **session, struct reason *why)
{
	struct platform *p = calloc(1, sizeof(*p));
	int rc;

	if (!p)
		return reason_nomem(why);
	snprintf(p->name, sizeof(p->name), "%s", config->uri + strlen(SCHEME ":"));
	rc = platform_dir_open(p, why);
	if (rc)
		free(p);
	else
		*session = p;
	return rc;
}

static void platform_close(void *session)
{
	struct platform *p = session;

	platform_forget_keys(p);
	close(p->dir);
	free(p);
}

static int describe(struct platform *p, const struct version *v, struct kek_version *out,
		    struct reason *why)
{
	memset(out, 0, sizeof(*out));
	snprintf(out->version, sizeof(out->version), "%u", v->number);
	snprintf(out->algorithm, sizeof(out->algorithm), "AES-256");
	out->can_unwrap = true;
	return platform_load_fingerprint(p, v, out->fingerprint, why);
}

static int platform_versions(void *session, struct kek_version **list, size_t *nr,
			     struct reason *why)
{
	struct platform *p = session;
	struct kek_version *out;
	struct version *found;
	size_t i;
	int rc;

	rc = platform_scan_or_create(p, &found, nr, why);
	if (rc)
		return rc;
	out = calloc(*nr, sizeof(*out));
	if (!out)
		rc = reason_nomem(why);
	for (i = 0; i < *nr && !rc; i++)
		rc = describe(p, &found[i], &out[i], why);
	free(found);
	if (rc)
		free(out);
	else
		*list = out;
	return rc;
}

static int platform_wrap(void *session, const char *version, struct secmem *plain, size_t size,
			 enum kek_wrapping *wrapping, unsigned char *wrapped,
			 size_t *wrapped_size, struct reason *why)
{
	struct platform *p = session;
	const struct version *v;
	struct version *list;
	size_t nr;
	int rc;

	rc = platform_scan_or_create(p, &list, &nr, why);
	if (rc)
		return rc;
	v = platform_find(list, nr, version);
	rc = v ? platform_load(p, v, why) : platform_gone(p, version, why);
	free(list);
	if (rc)
		return rc;
	*wrapping = KEK_AES_256_KW;
	return kek_aes_wrap(p->key->key, plain, size, wrapped, wrapped_size, why);
}

/* Loads the version if it is the one, or else the one that is. */
static int load_by_fingerprint(struct platform *p, const struct version *list, size_t nr,
			       const char *version, const char *fingerprint, struct reason *why)
{
	const struct version *v = platform_find(list, nr, version);
	char is[KEK_FINGERPRINT_MAX] = "", other[KEK_FINGERPRINT_MAX];
	struct reason ignored;
	char what[128];
	int rc = RC_OK;
	size_t i;

	if (v)
		rc = platform_load_fingerprint(p, v, is, why);
	if (v && !rc && !strcmp(is, fingerprint))
		return RC_OK;
	for (i = 0; i < nr; i++)
		if (&list[i] != v && !platform_load_fingerprint(p, &list[i], other, &ignored) &&
		    !strcmp(other, fingerprint))
			return RC_OK;
	if (!v)
		return platform_gone(p, version, why);
	if (rc)
		return rc;
	snprintf(what, sizeof(what), "platform:%s, version %s", p->name, version);
	return kek_not_the_one(what, is, fingerprint, why);
}

static int platform_unwrap(void *session, const char *version, const char *fingerprint,
			   enum kek_wrapping wrapping, const unsigned char *wrapped,
			   size_t wrapped_size, struct secmem *plain, size_t *size,
			   struct reason *why)
{
	struct platform *p = session;
	struct version *list;
	char what[128];
	size_t nr;
	int rc;

	if (wrapping != KEK_AES_256_KW)
		return reason_set(why, RC_PARAM, "Platform keys don't unwrap %s, but %s.",
				  kek_wrapping_name(wrapping),
				  kek_wrapping_name(KEK_AES_256_KW));
	/* No new key could help: nothing is created here. */
	rc = platform_scan(p, &list, &nr, why);
	if (rc)
		return rc;
	rc = load_by_fingerprint(p, list, nr, version, fingerprint, why);
	free(list);
	if (rc)
		return rc;
	snprintf(what, sizeof(what), "version %u of the platform key %s", p->key->number, p->name);
	return kek_aes_unwrap(p->key->key, what, wrapped, wrapped_size, plain, size, why);
}

static int platform_new_version(void *session, struct kek_version *version, struct reason *why)
{
	struct platform *p = session;
	struct version *list = NULL, v = { .number = 1 };
	size_t nr;
	int rc;

	rc = platform_dir_lock(p, why);
	if (rc)
		return rc;
	rc = platform_scan(p, &list, &nr, why);
	if (!rc && nr)
		v.number = list[nr - 1].number + 1;
	free(list);
	if (!rc && v.number > NUMBER_MAX)
		rc = reason_set(why, RC_PARAM, "The platform key %s has run out of versions.",
				p->name);
	if (!rc)
		rc = platform_create_key(p, v.number, why);
	platform_dir_unlock(p);
	if (rc)
		return rc;
	rc = platform_scan(p, &list, &nr, why);
	if (rc)
		return rc;
	rc = describe(p, &list[nr - 1], version, why);
	free(list);
	return rc;
}

static int drop_others(const struct platform *p, const struct version *list, size_t nr,
		       const struct version *keep, struct reason *why)
{
	struct version v;
	char file[32];
	int rc = RC_OK;
	size_t i;

	/* The newest stays: numbers are never used again. */
	for (i = 0; i + 1 < nr && !rc; i++) {
		if (list[i].number == keep->number)
			continue;
		v = list[i];
		for (v.sealed = false; !rc; v.sealed = true) {
			platform_file_name(&v, file);
			rc = platform_destroy_file(p, file, why);
			if (v.sealed)
				break;
		}
	}
	return rc;
}

static int platform_drop_versions(void *session, const char *keep, struct reason *why)
{
	struct platform *p = session;
	const struct version *kept;
	struct version *list;
	size_t nr;
	int rc;

	rc = platform_dir_lock(p, why);
	if (rc)
		return rc;
	rc = platform_scan(p, &list, &nr, why);
	if (rc)
		goto unlock;
	kept = platform_find(list, nr, keep);
	if (kept)
		rc = drop_others(p, list, nr, kept, why);
	else
		rc = reason_set(why, RC_PARAM,
			"The platform key %s has no version %s to keep; nothing was destroyed.",
			p->name, keep);
	free(list);
unlock:
	platform_dir_unlock(p);
	platform_forget_keys(p);
	return rc;
}

const struct kek_provider kek_platform = {
	.scheme		= SCHEME,
	.customer	= false,
	.check		= platform_check,
	.open		= platform_open,
	.close		= platform_close,
	.versions	= platform_versions,
	.wrap		= platform_wrap,
	.unwrap		= platform_unwrap,
	.new_version	= platform_new_version,
	.drop_versions	= platform_drop_versions,
};
