// SPDX-License-Identifier: GPL-2.0-only
/*
 * ssesetup des forget
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit.h"
#include "confirm.h"
#include "des_options.h"
#include "opened.h"
#include "registry.h"
#include "ssesetup.h"

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
	rc = des_check_name(argv[0], &why);
	if (!rc && opt_given(o, OPT_TEST_ARGS))
		return RC_OK;
	if (!rc)
		rc = forget(o, argv[0], argv[1], &why);
	return rc ? reason_say(&why) : RC_OK;
}
