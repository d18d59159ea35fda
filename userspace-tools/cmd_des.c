// SPDX-License-Identifier: GPL-2.0-only
/*
 * ssesetup des create, update, delete, enable, disable, forget
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit.h"
#include "confirm.h"
#include "des_config.h"
#include "des_usage.h"
#include "kek.h"
#include "lease.h"
#include "opened.h"
#include "paths.h"
#include "ssesetup.h"

#define OPTS_OF_THE_KEY	(OPT_BIT(OPT_KEY) | OPT_BIT(OPT_IDENTITY) | OPT_BIT(OPT_WRAPPING) | \
			 OPT_BIT(OPT_KEK_TIMEOUT))
#define OPTS_OF_A_SET	(OPTS_OF_THE_KEY | OPT_BIT(OPT_OWNER) | OPT_BIT(OPT_AUTO_ROTATE) | \
			 OPT_BIT(OPT_LEASE) | OPT_BIT(OPT_ON_LAPSE))

/* Options into a set. */

static int take_text(const struct options *o, enum opt_id id, const char *name, char *text,
		     size_t size, struct reason *why)
{
	const char *arg = o->str[id];

	if (!opt_given(o, id))
		return RC_OK;
	if (!strcmp(arg, "none"))
		arg = "";
	if ((size_t)snprintf(text, size, "%s", arg) < size)
		return RC_OK;
	return reason_set(why, RC_PARAM, "--%s takes at most %zu bytes.", name, size - 1);
}

static int take_switch(const struct options *o, enum opt_id id, const char *name,
		       const char *off, const char *on, bool *value, struct reason *why)
{
	const char *arg = o->str[id] ? o->str[id] : on;

	if (!opt_given(o, id))
		return RC_OK;
	*value = !strcmp(arg, on);
	if (*value || !strcmp(arg, off))
		return RC_OK;
	return reason_set(why, RC_PARAM, "--%s takes %s or %s, not '%.100s'.", name, off, on, arg);
}

static int take_lease(const struct options *o, unsigned int *lease, struct reason *why)
{
	if (!opt_given(o, OPT_LEASE))
		return RC_OK;
	if (des_parse_duration(o->str[OPT_LEASE], lease) && *lease <= DES_LEASE_MAX)
		return RC_OK;
	return reason_set(why, RC_PARAM,
		"--lease takes a time from 1s to 365d, such as 90s, 15m or 1h, or none, not '%.100s'.",
		o->str[OPT_LEASE]);
}

static int take_timeout(const struct options *o, unsigned int *timeout, struct reason *why)
{
	uint64_t seconds = o->num[OPT_KEK_TIMEOUT];

	if (!opt_given(o, OPT_KEK_TIMEOUT))
		return RC_OK;
	if (!seconds || seconds > DES_TIMEOUT_MAX)
		return reason_set(why, RC_PARAM,
			"--kek-timeout takes a number of seconds from 1 to %d, not %" PRIu64 ".",
			DES_TIMEOUT_MAX, seconds);
	*timeout = (unsigned int)seconds;
	return RC_OK;
}

static int take_options(struct des *des, void *arg, struct reason *why)
{
	const struct options *o = arg;
	int rc;

	rc = take_text(o, OPT_KEY, "key", des->key, sizeof(des->key), why);
	if (!rc)
		rc = take_text(o, OPT_IDENTITY, "identity", des->identity, sizeof(des->identity), why);
	if (!rc)
		rc = take_text(o, OPT_OWNER, "owner", des->owner, sizeof(des->owner), why);
	if (!rc)
		rc = take_text(o, OPT_WRAPPING, "wrapping", des->wrapping, sizeof(des->wrapping), why);
	if (!rc)
		rc = take_switch(o, OPT_AUTO_ROTATE, "auto-rotate", "no", "yes", &des->auto_rotate, why);
	if (!rc)
		rc = take_switch(o, OPT_ON_LAPSE, "on-lapse", "error", "queue", &des->queue_on_lapse,
				 why);
	if (!rc)
		rc = take_lease(o, &des->lease, why);
	if (!rc)
		rc = take_timeout(o, &des->timeout, why);
	return rc ? rc : des_config_check(des, why);
}

static int check_name(const char *name, struct reason *why)
{
	if (des_name_ok(name))
		return RC_OK;
	return reason_set(why, RC_PARAM,
		"'%.80s' is no name of a disk encryption set: it takes letters, digits, '-', '_' and '.',\n"
		"at most %d of them, and none of '-' and '.' in front.", name, DES_NAME_MAX - 1);
}

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

	rc = check_name(name, why);
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
	return take_options(des, (void *)(uintptr_t)o, why);
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
	rc = des_change_config(des, take_options, (void *)(uintptr_t)c->o, why);
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

	rc = take_options(&des, (void *)(uintptr_t)o, why);
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
	rc = check_name(argv[0], &why);
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

/* Names those that use the set: RC_BUSY. */
static int refuse_used(const struct known_disk *list, size_t nr, const char *name,
		       struct reason *why)
{
	size_t i;

	for (i = 0; i < nr; i++)
		diag_error("%s%s%s", list[i].device, *list[i].header ? ", header " : "",
			   list[i].header);
	return reason_set(why, RC_BUSY,
		"Disk encryption set %s is used by %s: 'ssesetup assign' or 'copy' moves a disk to\n"
		"another set, 'ssesetup des forget' is for one that is gone.", name,
		nr == 1 ? "this disk" : "these disks");
}

static int check_unused(const char *name, const char *id, struct reason *why)
{
	struct known_disk *list;
	size_t nr;
	int rc;

	rc = des_usage_disks(name, id, &list, &nr, why);
	if (!rc && nr)
		rc = refuse_used(list, nr, name, why);
	if (rc != RC_OK && rc != RC_BUSY)
		return rc;
	free(list);
	return rc;
}

/* One whose file is broken can be deleted too. */
static int delete(const struct options *o, const char *name, struct reason *why)
{
	struct audit_subject subject = { .des = name };
	struct reason unheard;
	struct audit audit;
	struct des des = { 0 };
	int rc;

	rc = des_load(name, &des, why);
	if (rc && rc != RC_PARAM)
		return rc;
	rc = check_unused(name, rc ? "" : des.id, why);
	if (rc) {
		audit_note(AUDIT_REFUSE, &subject, why, &unheard);
		return rc;
	}
	rc = confirm(o, "This deletes disk encryption set %s. No disk in the register uses it;\n"
		     "one that isn't there, on another host for one, can't be opened here any more.", name);
	if (rc)
		return reason_said(why, rc);
	subject.key = des.key;
	rc = audit_intent(&audit, AUDIT_DES_DELETE, &subject, why);
	if (rc)
		return rc;
	rc = des_delete(name, why);
	return audit_result(&audit, rc ? why : NULL);
}

int cmd_des_delete(const struct options *o, int argc, char **argv)
{
	struct reason why = { 0 };
	int rc;

	(void)argc;
	rc = check_name(argv[0], &why);
	if (!rc && !strcmp(argv[0], DES_DEFAULT))
		rc = reason_set(&why, RC_PARAM, "The set " DES_DEFAULT " is always there.");
	if (!rc && opt_given(o, OPT_TEST_ARGS))
		return RC_OK;
	if (!rc)
		rc = delete(o, argv[0], &why);
	return rc ? reason_say(&why) : RC_OK;
}

static int change_enabled(struct des *des, void *arg, struct reason *why)
{
	(void)why;
	des->enabled = *(bool *)arg;
	return RC_OK;
}

/* Without one that was ever open here there is nothing to ask device-mapper for. */
static bool was_any_open(const struct des *des)
{
	struct known_disk *list = NULL;
	struct reason why;
	bool any = false;
	size_t nr, i;

	/* If that can't be told: perhaps. */
	if (des_usage_disks(des->name, des->id, &list, &nr, &why))
		return true;
	for (i = 0; i < nr && !any; i++)
		any = *list[i].mapping;
	free(list);
	return any;
}

/*
 * Whoever grants keys looks, under the lease's lock, whether the set is enabled:
 * after this nothing is granted, and what was is revoked.
 */
static int disable(const struct options *o, struct des *des, struct reason *why)
{
	bool enabled = false;
	int lock, rc;

	lock = lease_lock(des->name, why);
	if (lock < 0)
		return why->rc;
	rc = des_change_config(des, change_enabled, &enabled, why);
	if (!rc && opt_given(o, OPT_NOW) && was_any_open(des))
		rc = lease_revoke_des(des, why);
	close(lock);
	return rc;
}

static int enable(struct des *des, struct reason *why)
{
	bool enabled = true;
	int rc;

	rc = des_change_config(des, change_enabled, &enabled, why);
	if (!rc && was_any_open(des))
		rc = lease_restore_des(des, why);
	return rc;
}

static int confirm_disable(const struct options *o, const struct des *des, struct reason *why)
{
	char lease[32];
	int rc;

	if (opt_given(o, OPT_NOW)) {
		rc = confirm(o, "This takes all open disks of disk encryption set %s away at once.",
			     des->name);
	} else if (des->lease) {
		des_format_duration(des->lease, lease, sizeof(lease));
		rc = confirm(o, "Open disks of disk encryption set %s go away when their lease of %s ends.",
			     des->name, lease);
	} else {
		diag_warn("Disk encryption set %s has no lease: disks that are open stay so. --now takes them away.",
			  des->name);
		return RC_OK;
	}
	return rc ? reason_said(why, rc) : RC_OK;
}

static int switch_set(const struct options *o, const char *name, bool on, struct reason *why)
{
	struct audit_subject subject = { .des = name };
	struct audit audit;
	struct des des;
	int rc;

	rc = des_load(name, &des, why);
	if (!rc && !on)
		rc = confirm_disable(o, &des, why);
	if (rc)
		return rc;
	subject.key = des.key;
	rc = audit_intent(&audit, on ? AUDIT_DES_ENABLE : AUDIT_DES_DISABLE, &subject, why);
	if (rc)
		return rc;
	rc = on ? enable(&des, why) : disable(o, &des, why);
	return audit_result(&audit, rc ? why : NULL);
}

static int run_switch(const struct options *o, const char *name, bool on)
{
	struct reason why = { 0 };
	int rc;

	rc = check_name(name, &why);
	if (!rc && opt_given(o, OPT_TEST_ARGS))
		return RC_OK;
	if (!rc)
		rc = switch_set(o, name, on, &why);
	return rc ? reason_say(&why) : RC_OK;
}

int cmd_des_enable(const struct options *o, int argc, char **argv)
{
	(void)argc;
	return run_switch(o, argv[0], true);
}

int cmd_des_disable(const struct options *o, int argc, char **argv)
{
	(void)argc;
	return run_switch(o, argv[0], false);
}

/* An open disk that isn't known could be neither renewed nor revoked. */
static int check_closed(const struct known_disk *known, struct reason *why)
{
	struct opened *list;
	const char *name;
	size_t nr, at = 0;
	int rc;

	rc = opened_list(&list, &nr, why);
	if (rc)
		return rc;
	name = opened_name(list, nr, known, &at);
	if (name)
		rc = reason_set(why, RC_BUSY, "%.300s is open as %s: close it first.", known->device,
				name);
	free(list);
	return rc;
}

static int forget(const struct options *o, const char *name, const char *device,
		  struct reason *why)
{
	const char *header = o->str[OPT_HEADER];
	struct known_disk known;
	struct audit_subject subject = {
		.des = name, .device = known.device, .uuid = known.uuid,
	};
	struct audit audit;
	int rc;

	rc = registry_find(device, header, &known, why);
	if (rc)
		return rc;
	if (strcmp(known.des, name))
		return reason_set(why, RC_PARAM, "%.300s belongs to disk encryption set %s, not %s.",
				  known.device, known.des, name);
	rc = check_closed(&known, why);
	if (rc)
		return rc;
	rc = confirm(o, "This takes %s out of the register%s: rotation won't reach it any more.",
		     known.device, access(known.device, F_OK) ? "" : ", and it is still there");
	if (rc)
		return reason_said(why, rc);
	rc = audit_intent(&audit, AUDIT_DES_FORGET, &subject, why);
	if (rc)
		return rc;
	rc = registry_forget(known.device, known.header, why);
	return audit_result(&audit, rc ? why : NULL);
}

int cmd_des_forget(const struct options *o, int argc, char **argv)
{
	struct reason why = { 0 };
	int rc;

	(void)argc;
	rc = check_name(argv[0], &why);
	if (!rc && opt_given(o, OPT_TEST_ARGS))
		return RC_OK;
	if (!rc)
		rc = forget(o, argv[0], argv[1], &why);
	return rc ? reason_say(&why) : RC_OK;
}
