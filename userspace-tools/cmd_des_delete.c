// SPDX-License-Identifier: GPL-2.0-only
/*
 * ssesetup des delete
 */
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "confirm.h"
#include "des_options.h"
#include "des_usage.h"
#include "ssesetup.h"

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
	rc = des_check_name(argv[0], &why);
	if (!rc && !strcmp(argv[0], DES_DEFAULT))
		rc = reason_set(&why, RC_PARAM, "The set " DES_DEFAULT " is always there.");
	if (!rc && opt_given(o, OPT_TEST_ARGS))
		return RC_OK;
	if (!rc)
		rc = delete(o, argv[0], &why);
	return rc ? reason_say(&why) : RC_OK;
}
