// SPDX-License-Identifier: GPL-2.0-only
/*
 * ssesetup des create, update
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "confirm.h"
#include "des_config.h"
#include "des_options.h"
#include "des_usage.h"
#include "kek.h"
#include "ssesetup.h"

#define OPTS_OF_THE_KEY	(OPT_BIT(OPT_KEY) | OPT_BIT(OPT_IDENTITY) | OPT_BIT(OPT_WRAPPING) | \
			 OPT_BIT(OPT_KEK_TIMEOUT))
#define OPTS_OF_A_SET	(OPTS_OF_THE_KEY | OPT_BIT(OPT_OWNER) | OPT_BIT(OPT_AUTO_ROTATE) | \
			 OPT_BIT(OPT_LEASE) | OPT_BIT(OPT_ON_LAPSE))

/* Asks whoever holds the key, so that a wrong one is told of now. *@list to be freed. */
static int ask_versions(const struct des *des, struct kek_version **list, size_t *nr,
			struct reason *why)
{
	struct kek_config config;
	struct kek *kek = NULL;
	char uri[1024];
	int rc;

	*list = NULL;
	*nr = 0;
	des_kek_config(des, TOKEN_SINGLE, uri, sizeof(uri), &config);
	rc = kek_open(&kek, &config, why);
	if (!rc)
		rc = kek_versions(kek, list, nr, why);
	if (!rc && !*nr)
		rc = reason_set(why, RC_PERM, "There is no key at %.400s.", uri);
	kek_close(&kek);
	if (!rc && !(*list)[*nr - 1].can_unwrap)
		diag_warn("Only the public half of the key is there: disks can be made with it, but not opened.");
	return rc;
}

static int find_newest(const struct des *des, struct kek_version *newest, struct reason *why)
{
	struct kek_version *list;
	size_t nr;
	int rc;

	rc = ask_versions(des, &list, &nr, why);
	if (!rc)
		*newest = list[nr - 1];
	free(list);
	return rc;
}

static void note_active(struct des *des, void *arg)
{
	const struct kek_version *newest = arg;

	memcpy(des->active_version, newest->version, sizeof(des->active_version));
	memcpy(des->active_fingerprint, newest->fingerprint, sizeof(des->active_fingerprint));
}

/* The set is right without it. */
static void set_active(struct des *des, struct kek_version *newest)
{
	struct reason why = { 0 };

	if (des_update_state(des, note_active, newest, &why))
		diag_warn("%s", why.text);
}

static struct audit_subject subject_of(const struct des *des, const struct kek_version *newest)
{
	return (struct audit_subject) {
		.des = des->name,
		.key = des->key,
		.version = newest->version,
	};
}

static int check_create(const struct options *o, const char *name, struct des *des,
			struct reason *why)
{
	const char *type = o->str[OPT_TYPE];
	int rc;

	rc = des_check_name(name, why);
	if (rc)
		return rc;
	snprintf(des->name, sizeof(des->name), "%s", name);
	if (!type)
		return reason_set(why, RC_PARAM,
			"Which --type: platform, customer or platform-and-customer? It never changes.");
	if (!des_type_parse(type, &des->type))
		return reason_set(why, RC_PARAM,
			"Unknown type '%.100s': platform, customer and platform-and-customer are known.",
			type);
	des_config_defaults(des);
	return des_take_options(des, (void *)(uintptr_t)o, why);
}

static int create(struct des *des, struct reason *why)
{
	struct kek_version newest = { 0 };
	struct audit_subject subject;
	struct audit audit;
	struct des old;
	int rc;

	/* Before a key is made, or a PIN used, for nothing. */
	if (des_load(des->name, &old, why) != RC_DEVICE)
		return reason_set(why, RC_BUSY, "Disk encryption set %s exists already.", des->name);
	rc = find_newest(des, &newest, why);
	if (rc)
		return rc;
	subject = subject_of(des, &newest);
	rc = audit_intent(&audit, AUDIT_DES_CREATE, &subject, why);
	if (rc)
		return rc;
	rc = des_create(des, why);
	audit_result(&audit, rc ? why : NULL);
	if (!rc)
		set_active(des, &newest);
	return rc;
}

int cmd_des_create(const struct options *o, int argc, char **argv)
{
	struct reason why = { 0 };
	struct des des = { 0 };
	int rc;

	(void)argc;
	rc = check_create(o, argv[0], &des, &why);
	if (!rc && opt_given(o, OPT_TEST_ARGS))
		return RC_OK;
	if (!rc)
		rc = create(&des, &why);
	return rc ? reason_say(&why) : RC_OK;
}

/* What a change of the key is checked against. */
struct change {
	const struct options *o;
	struct kek_version *versions;	/* of the new key */
	size_t nr_versions;
	struct des_use *use;		/* the set's disks */
	size_t nr_use;
};

static bool has_version(const struct change *c, const struct des_use_key *key)
{
	size_t i;

	for (i = 0; i < c->nr_versions; i++)
		if (!strcmp(c->versions[i].fingerprint, key->fingerprint))
			return true;
	return false;
}

/* The first disk that the new key would shut out, if any. */
static int check_disk(const struct change *c, const struct des *des, const struct des_use *use,
		      struct reason *why)
{
	size_t i;

	for (i = 0; i < use->nr_keys; i++) {
		if (!des_usage_counts(des, &use->keys[i]) || has_version(c, &use->keys[i]))
			continue;
		return reason_set(why, RC_BUSY,
			"%.200s is wrapped by version %s of %.120s, which the new key doesn't have: it would open\n"
			"no more. Make another set for the new key and move the disk with 'ssesetup assign'.",
			use->known.device, use->keys[i].version, use->keys[i].uri);
	}
	return RC_OK;
}

static int check_disks(struct change *c, const struct des *des, struct reason *why)
{
	size_t unreadable = 0, i;
	int rc;

	rc = des_usage_read(des, &c->use, &c->nr_use, why);
	for (i = 0; i < c->nr_use && !rc; i++) {
		rc = check_disk(c, des, &c->use[i], why);
		unreadable += *c->use[i].problem != '\0';
	}
	if (rc || !unreadable)
		return rc;
	rc = confirm(c->o, "%zu of %zu disks of disk encryption set %s can't be read: if the new key doesn't\n"
		     "have the version that they need, they open no more.", unreadable, c->nr_use,
		     des->name);
	return rc ? reason_said(why, rc) : RC_OK;
}

static int check_change(struct change *c, const struct des *old, const struct des *new,
			struct reason *why)
{
	int rc;

	if (!(c->o->given & OPTS_OF_THE_KEY))
		return RC_OK;
	rc = ask_versions(new, &c->versions, &c->nr_versions, why);
	if (rc || !strcmp(old->key, new->key))
		return rc;
	return check_disks(c, old, why);
}

static int change_set(struct change *c, struct des *des, const struct des *old,
		      struct reason *why)
{
	struct audit_subject subject = { .des = des->name, .key = des->key };
	struct kek_version *newest = NULL;
	struct audit audit;
	int rc;

	if (c->nr_versions) {
		newest = &c->versions[c->nr_versions - 1];
		subject.version = newest->version;
	}
	rc = audit_intent(&audit, AUDIT_DES_UPDATE, &subject, why);
	if (rc)
		return rc;
	rc = des_change_config(des, des_take_options, (void *)(uintptr_t)c->o, why);
	audit_result(&audit, rc ? why : NULL);
	/* With disks it stays what they are wrapped by, until they are rotated. */
	if (!rc && newest && strcmp(old->key, des->key) && !c->nr_use)
		set_active(des, newest);
	return rc;
}

static int update(const struct options *o, const struct des *old, struct reason *why)
{
	struct change c = { .o = o };
	struct des des = *old;
	int rc;

	rc = des_take_options(&des, (void *)(uintptr_t)o, why);
	if (!rc)
		rc = check_change(&c, old, &des, why);
	if (!rc)
		rc = change_set(&c, &des, old, why);
	free(c.versions);
	des_usage_free(c.use, c.nr_use);
	return rc;
}

int cmd_des_update(const struct options *o, int argc, char **argv)
{
	struct reason why = { 0 };
	struct des des;
	int rc;

	(void)argc;
	rc = des_check_name(argv[0], &why);
	if (!rc && !(o->given & OPTS_OF_A_SET))
		rc = reason_set(&why, RC_PARAM,
			"What is to change? --key, --identity, --owner, --wrapping, --auto-rotate, --lease,\n"
			"--on-lapse and --kek-timeout can; the type never does.");
	if (!rc && opt_given(o, OPT_TEST_ARGS))
		return RC_OK;
	if (!rc)
		rc = des_load(argv[0], &des, &why);
	if (!rc)
		rc = update(o, &des, &why);
	return rc ? reason_say(&why) : RC_OK;
}
