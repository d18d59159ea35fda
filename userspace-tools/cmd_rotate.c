// SPDX-License-Identifier: GPL-2.0-only
/*
 * ssesetup des rotate NAME, des rotate --auto
 */
#include <string.h>

#include "des.h"
#include "rotate_set.h"
#include "ssesetup.h"
#include "workers.h"

static int check_call(const struct options *o, int argc, char **argv)
{
	bool automatic = opt_given(o, OPT_AUTO);

	if (automatic && argc)
		return diag_fail(RC_PARAM, "--auto is for all sets that rotate by themselves: no NAME beside it.");
	if (automatic && opt_given(o, OPT_TO))
		return diag_fail(RC_PARAM, "--auto goes to the newest version: --to is for one set, by NAME.");
	if (automatic && opt_given(o, OPT_DESTROY_OLD))
		return diag_fail(RC_PARAM, "--auto destroys nothing: --destroy-old is for one set, by NAME.");
	if (!automatic && !argc)
		return diag_fail(RC_PARAM, "Which set? Its NAME, or --auto for those that rotate by themselves.");
	if (argc && !des_name_ok(argv[0]))
		return diag_fail(RC_PARAM, "'%s' can't be the name of a disk encryption set.", argv[0]);
	if (opt_given(o, OPT_PARALLEL) &&
	    (!o->num[OPT_PARALLEL] || o->num[OPT_PARALLEL] > WORKERS_MAX))
		return diag_fail(RC_PARAM, "--parallel must be 1 to %d.", WORKERS_MAX);
	return RC_OK;
}

static bool is_due(const char *name, bool *broken)
{
	struct reason why = { 0 };
	struct des des;

	if (des_load(name, &des, &why)) {
		reason_say(&why);
		*broken = true;
		return false;
	}
	if (!des.auto_rotate || !des.enabled)
		return false;
	if (!*des.last_error)
		return true;
	diag_error("Set %s is not rotated: its last rotation failed. 'ssesetup des rotate %s' tries again.\n%s",
		   name, name, des.last_error);
	*broken = true;
	return false;
}

/* One set that fails keeps no other waiting. */
static int rotate_due(const struct rotate_options *ro)
{
	struct reason why = { 0 };
	bool broken = false;
	char **names;
	size_t nr, i;
	int rc;

	rc = des_names(&names, &nr, &why);
	if (rc)
		return reason_say(&why);
	for (i = 0; i < nr; i++) {
		memset(&why, 0, sizeof(why));
		if (!is_due(names[i], &broken) || !rotate_set(names[i], ro, &why))
			continue;
		reason_prefix(&why, "Set %s", names[i]);
		reason_say(&why);
		/* A rotation by hand is under way: as good as ours. */
		if (why.rc != RC_BUSY && !rc)
			rc = why.rc;
	}
	des_names_free(names, nr);
	return rc || !broken ? rc : RC_PARAM;
}

int cmd_des_rotate(const struct options *o, int argc, char **argv)
{
	struct rotate_options ro = {
		.to = o->str[OPT_TO],
		.automatic = opt_given(o, OPT_AUTO),
		.destroy_old = opt_given(o, OPT_DESTROY_OLD),
		.parallel = (unsigned int)o->num[OPT_PARALLEL],
	};
	struct reason why = { 0 };
	int rc;

	rc = check_call(o, argc, argv);
	if (rc || opt_given(o, OPT_TEST_ARGS))
		return rc;
	if (ro.automatic)
		return rotate_due(&ro);
	rc = rotate_set(argv[0], &ro, &why);
	return rc ? reason_say(&why) : RC_OK;
}
