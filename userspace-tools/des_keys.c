// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "des_keys.h"
#include "files.h"
#include "paths.h"

static int open_kek(const struct des *des, enum token_layer layer, struct kek **kek,
		    struct reason *why)
{
	struct kek_config config;
	char uri[1024];

	des_kek_config(des, layer, uri, sizeof(uri), &config);
	return kek_open(kek, &config, why);
}

int des_keys_open(struct des_keys *dk, const char *name, struct reason *why)
{
	int rc;

	memset(dk, 0, sizeof(*dk));
	dk->wrapping = -1;
	rc = des_load(name, &dk->des, why);
	if (!rc && dk->des.type != DES_CUSTOMER)
		rc = open_kek(&dk->des, dk->des.type == DES_PLATFORM ? TOKEN_SINGLE : TOKEN_OUTER,
			      &dk->platform, why);
	if (!rc && dk->des.type != DES_PLATFORM)
		rc = open_kek(&dk->des, TOKEN_INNER, &dk->customer, why);
	if (rc)
		des_keys_close(dk);
	return rc;
}

void des_keys_close(struct des_keys *dk)
{
	kek_close(&dk->platform);
	kek_close(&dk->customer);
	if (dk->wrapping >= 0)
		close(dk->wrapping);
	dk->wrapping = -1;
}

bool des_keys_timed_out(const struct des_keys *dk)
{
	return (dk->platform && kek_timed_out(dk->platform)) ||
	       (dk->customer && kek_timed_out(dk->customer));
}

int des_keys_usable(const struct des_keys *dk, struct reason *why)
{
	if (dk->des.enabled)
		return RC_OK;
	return reason_set(why, RC_PERM, "Disk encryption set %s is disabled: 'ssesetup des enable %s' lets its\n"
			  "disks be used again.", dk->des.name, dk->des.name);
}

int des_keys_match(const struct des_keys *dk, const struct token *token, struct reason *why)
{
	if (!strcmp(dk->des.id, token->des_id))
		return RC_OK;
	return reason_set(why, RC_PERM,
		"The disk belongs to another disk encryption set that is called %s too: id %s%s%s,\n"
		"not %s. This host has no identity for that one.", token->des, token->des_id,
		*token->owner ? ", of " : "", token->owner, dk->des.id);
}

struct kek *des_keys_kek(struct des_keys *dk, enum token_layer layer)
{
	if (dk->des.type == DES_PLATFORM || layer == TOKEN_OUTER)
		return dk->platform;
	return dk->customer;
}

static const char *uri_of(const struct des_keys *dk, enum token_layer layer, char *buf,
			  size_t size)
{
	struct kek_config config;

	des_kek_config(&dk->des, layer, buf, size, &config);
	return config.uri;
}

static struct audit_subject subject_of(const struct des_keys *dk, const struct des_keys_use *use,
				       enum token_layer layer, const char *uri,
				       const char *version)
{
	return (struct audit_subject) {
		.des = dk->des.name,
		.device = use->device,
		.uuid = use->uuid,
		.layer = token_layer_name(layer),
		.key = uri,
		.version = version,
	};
}

int des_keys_unwrap(struct des_keys *dk, const struct des_keys_use *use, const struct token *token,
		    struct secmem **secret, struct reason *why)
{
	struct kek *kek = des_keys_kek(dk, token->layer);
	struct audit_subject subject;
	struct audit audit;
	char uri[1024];
	int rc;

	rc = des_keys_match(dk, token, why);
	if (rc)
		return rc;
	if (!kek)
		return reason_set(why, RC_PERM,
			"Disk encryption set %s is of type %s: it has no key for the %s layer.",
			dk->des.name, des_type_name(dk->des.type), token_layer_name(token->layer));
	subject = subject_of(dk, use, token->layer, uri_of(dk, token->layer, uri, sizeof(uri)),
			     token->kek_version);
	rc = audit_intent(&audit, AUDIT_UNWRAP, &subject, why);
	if (rc)
		return rc;
	rc = envelope_open(kek, use->uuid, token, secret, why);
	audit_result(&audit, rc ? why : NULL);
	return rc;
}

int des_keys_version(struct des_keys *dk, enum token_layer layer, const char *name,
		     struct kek_version *version, struct reason *why)
{
	struct kek_version *list = NULL;
	size_t nr, i;
	int rc;

	rc = kek_versions(des_keys_kek(dk, layer), &list, &nr, why);
	if (rc)
		return rc;
	for (i = nr; i > 0; i--)
		if (!name || !strcmp(name, list[i - 1].version))
			break;
	if (i)
		*version = list[i - 1];
	else if (name)
		rc = reason_set(why, RC_PERM, "The key of disk encryption set %s has no version '%s'.",
				dk->des.name, name);
	else
		rc = reason_set(why, RC_PERM, "There is no key where disk encryption set %s looks for it.",
				dk->des.name);
	free(list);
	return rc;
}

static int lock_wrapping(const struct des *des, int how, int *fd, struct reason *why)
{
	char path[sizeof(PATH_RUN) + 64];
	int rc;

	rc = files_make_directory(PATH_RUN "/locks", why);
	if (rc)
		return rc;
	snprintf(path, sizeof(path), PATH_RUN "/locks/wrap-%.40s", des->id);
	*fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (*fd >= 0 && !flock(*fd, how))
		return RC_OK;
	rc = errno == EWOULDBLOCK ? RC_BUSY : RC_PERM;
	reason_set(why, rc, "Lock %s can't be taken: %s.", path, strerror(errno));
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	return rc;
}

int des_keys_stop_wrapping(const struct des *des, int *fd, struct reason *why)
{
	return lock_wrapping(des, LOCK_EX | LOCK_NB, fd, why);
}

static void fill_in(const struct des_keys *dk, const char *uri, struct token *token)
{
	snprintf(token->des, sizeof(token->des), "%s", dk->des.name);
	snprintf(token->des_id, sizeof(token->des_id), "%s", dk->des.id);
	snprintf(token->owner, sizeof(token->owner), "%s", dk->des.owner);
	snprintf(token->kek_uri, sizeof(token->kek_uri), "%s", uri);
	token->customer = kek_uri_is_customer(uri);
}

int des_keys_wrap(struct des_keys *dk, const struct des_keys_use *use, const char *version,
		  struct token *token, struct secmem **secret, struct reason *why)
{
	struct audit_subject subject;
	struct kek_version kv;
	struct audit audit;
	char uri[1024];
	int rc;

	/* First: the version that is found then stays. */
	if (dk->wrapping < 0) {
		rc = lock_wrapping(&dk->des, LOCK_SH, &dk->wrapping, why);
		if (rc)
			return rc;
	}
	rc = des_keys_version(dk, token->layer, version, &kv, why);
	if (rc)
		return rc;
	uri_of(dk, token->layer, uri, sizeof(uri));
	fill_in(dk, uri, token);
	subject = subject_of(dk, use, token->layer, token->kek_uri, kv.version);
	rc = audit_intent(&audit, AUDIT_WRAP, &subject, why);
	if (rc)
		return rc;
	rc = envelope_seal(des_keys_kek(dk, token->layer), &kv, use->uuid, token, secret, why);
	audit_result(&audit, rc ? why : NULL);
	return rc;
}
