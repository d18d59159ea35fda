// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where a rotation goes: which versions of a set's keys, and that they work.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rotate_goal.h"

static enum token_layer customer_layer(const struct des *des)
{
	return des->type == DES_PLATFORM_AND_CUSTOMER ? TOKEN_INNER : TOKEN_SINGLE;
}

static enum token_layer platform_layer(const struct des *des)
{
	return des->type == DES_PLATFORM_AND_CUSTOMER ? TOKEN_OUTER : TOKEN_SINGLE;
}

/*
 * Wraps and unwraps once, before any disk is touched: a key that can't do both
 * fails here, at the price of one time-out or one PIN.
 */
static int prove(struct des_keys *dk, enum token_layer layer, const struct kek_version *version,
		 struct reason *why)
{
	struct des_keys_use use = { .uuid = dk->des.id };
	SECMEM_AUTO made = NULL;
	SECMEM_AUTO back = NULL;
	struct token token;
	int rc;

	token_init(&token);
	token.layer = layer;
	rc = des_keys_wrap(dk, &use, version->version, &token, &made, why);
	if (!rc)
		rc = des_keys_unwrap(dk, &use, &token, &back, why);
	token_free(&token);
	if (rc)
		reason_prefix(why, "Version %s of the key can't be used, so no disk of set %s is touched",
			      version->version, dk->des.name);
	return rc;
}

/* The version of the platform's key that all disks are on, as far as is known. */
static char *platform_version(struct des *des)
{
	return des->type == DES_PLATFORM ? des->active_version : des->outer_version;
}

static void note_platform_version(struct des *des, void *arg)
{
	const struct kek_version *version = arg;

	memcpy(platform_version(des), version->version, KEK_VERSION_MAX);
	if (des->type == DES_PLATFORM)
		memcpy(des->active_fingerprint, version->fingerprint, KEK_FINGERPRINT_MAX);
}

static int new_version(struct des_keys *dk, struct kek_version *version, struct reason *why)
{
	struct audit_subject subject = { .des = dk->des.name };
	struct kek_config config;
	struct audit audit;
	char uri[1024];
	int rc;

	des_kek_config(&dk->des, platform_layer(&dk->des), uri, sizeof(uri), &config);
	subject.key = config.uri;
	rc = audit_intent(&audit, AUDIT_KEY_CREATE, &subject, why);
	if (rc)
		return rc;
	rc = kek_new_version(dk->platform, version, why);
	if (!rc)
		audit.subject.version = version->version;
	audit_result(&audit, rc ? why : NULL);
	return rc;
}

/*
 * A new version is made only once all disks are on the newest: a rotation that
 * was cut off is finished first, by calling it again.
 */
static int next_platform_version(struct des_keys *dk, struct kek_version *version,
				 struct reason *why)
{
	struct des *des = &dk->des;
	int rc;

	rc = des_keys_version(dk, platform_layer(des), NULL, version, why);
	if (!rc && !*platform_version(des))
		rc = des_update_state(des, note_platform_version, version, why);
	if (rc)
		return rc;
	if (strcmp(platform_version(des), version->version)) {
		printf("Set %s: not all disks are on version %s of the platform's key yet: no new one is made.\n",
		       des->name, version->version);
		return RC_OK;
	}
	return new_version(dk, version, why);
}

static int choose_customer(struct des_keys *dk, const char *to, struct kek_version *version,
			   struct reason *why)
{
	int rc;

	if (!dk->customer)
		return RC_OK;
	rc = des_keys_version(dk, customer_layer(&dk->des), to, version, why);
	if (!rc && !version->can_unwrap)
		rc = reason_set(why, RC_PERM,
			"Only the public half of version %s of the key is here: disks would open no more.",
			version->version);
	return rc;
}

static int choose_platform(struct des_keys *dk, const char *to, bool make,
			   struct kek_version *version, struct reason *why)
{
	const char *name = dk->des.type == DES_PLATFORM ? to : NULL;

	if (!dk->platform)
		return RC_OK;
	if (make && !to)
		return next_platform_version(dk, version, why);
	return des_keys_version(dk, platform_layer(&dk->des), name, version, why);
}

int rotate_goal_choose(struct des_keys *dk, const char *to, bool make, struct rotate_goal *goal,
		       struct reason *why)
{
	int rc;

	memset(goal, 0, sizeof(*goal));
	rc = choose_customer(dk, to, &goal->customer, why);
	/* No version is made for a rotation that can't begin. */
	if (!rc && dk->customer && make)
		rc = prove(dk, customer_layer(&dk->des), &goal->customer, why);
	if (!rc)
		rc = choose_platform(dk, to, make, &goal->platform, why);
	return rc;
}

int rotate_goal_prove(struct des_keys *dk, const struct rotate_goal *goal, struct reason *why)
{
	int rc = RC_OK;

	if (dk->customer)
		rc = prove(dk, customer_layer(&dk->des), &goal->customer, why);
	if (!rc && dk->platform)
		rc = prove(dk, platform_layer(&dk->des), &goal->platform, why);
	return rc;
}

const struct kek_version *rotate_goal_main(const struct rotate_goal *goal, const struct des *des)
{
	return des->type == DES_PLATFORM ? &goal->platform : &goal->customer;
}
