// SPDX-License-Identifier: GPL-2.0-only
/*
 * ssesetup close NAME
 */
#include <errno.h>
#include <string.h>

#include "blockdev.h"
#include "diag.h"
#include "dm.h"
#include "ssesetup.h"

static int busy(const char *name, const struct dm_mapping *m)
{
	char users[512];

	blockdev_users(m->major, m->minor, users, sizeof(users));
	return diag_fail(RC_BUSY, "Device %s is still in use%s%s.\n"
			 "Unmount it, or close what is on top, first; or give --deferred.",
			 name, *users ? ": " : "", users);
}

int cmd_close(const struct options *o, int argc, char **argv)
{
	struct dm_mapping m;
	const char *name;
	int rc, err;

	(void)argc;
	name = dm_name(argv[0]);
	if (!name)
		return RC_PARAM;
	if (opt_given(o, OPT_DEFERRED) && opt_given(o, OPT_CANCEL_DEFERRED))
		return diag_fail(RC_PARAM, "--deferred and --cancel-deferred exclude each other.");
	if (opt_given(o, OPT_TEST_ARGS))
		return RC_OK;
	rc = dm_find(name, &m);
	if (rc)
		return rc;

	if (opt_given(o, OPT_CANCEL_DEFERRED)) {
		if (!m.deferred_remove) {
			rc = diag_fail(RC_PARAM, "No deferred close of device %s is waiting.", name);
			goto out;
		}
		err = dm_message(name, "@cancel_deferred_remove");
		if (err)
			rc = diag_kernel_refusal("Cancelling the deferred close", err, NULL);
		goto out;
	}
	if (m.in_use && !opt_given(o, OPT_DEFERRED)) {
		rc = busy(name, &m);
		goto out;
	}
	err = dm_remove(name, opt_given(o, OPT_DEFERRED));
	if (err == EBUSY)
		rc = busy(name, &m);
	else if (err)
		rc = diag_kernel_refusal("Closing the device", err, NULL);
out:
	dm_mapping_free(&m);
	return rc;
}
