// SPDX-License-Identifier: GPL-2.0-only
/*
 * ssesetup des enable, disable
 */
#include <stdlib.h>
#include <unistd.h>

#include "audit.h"
#include "confirm.h"
#include "des_options.h"
#include "des_usage.h"
#include "lease.h"
#include "ssesetup.h"

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

	rc = des_check_name(name, &why);
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
