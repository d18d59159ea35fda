// SPDX-License-Identifier: GPL-2.0-only
/*
 * ssesetup close NAME
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "blockdev.h"
#include "cache.h"
#include "diag.h"
#include "dm.h"
#include "dm_left.h"
#include "lease.h"
#include "opened.h"
#include "ssesetup.h"
#include "table.h"
#include "temp.h"

/*
 * By who won't let go of it soon, that is. Who has it open may only be looking, as
 * udev does when a guest or a file system has gone: dm_remove() waits for that.
 */
static bool is_used(const struct dm_mapping *m)
{
	char users[512] = "";

	if (m->in_use)
		blockdev_users(m->major, m->minor, users, sizeof(users));
	return *users;
}

static int busy(const char *name, const struct dm_mapping *m)
{
	char users[512];

	blockdev_users(m->major, m->minor, users, sizeof(users));
	return diag_fail(RC_BUSY, "Device %s is still in use%s%s.\n"
			 "Unmount it, or close what is on top, first; or give --deferred.",
			 name, *users ? ": " : "", users);
}

/* A disk of a set: its keys go, and the register and the audit hear of it. */
static int close_ours(const char *name, const struct dm_mapping *m, bool deferred)
{
	struct known_disk known = { .added = 0 };
	struct reason why = { 0 };
	struct audit_subject subject = { .mapping = name };
	struct audit audit;
	int err;

	if (!opened_find(name, m, &known, &why)) {
		subject.des = known.des;
		subject.device = known.device;
		subject.uuid = known.uuid;
	}
	/* Closing uses no key: it goes on though nobody takes it down. */
	if (audit_intent(&audit, AUDIT_CLOSE, &subject, &why))
		reason_say(&why);
	err = dm_remove(name, deferred);
	/* Until the last user is gone a deferred close leaves the disk open. */
	if (!err && !deferred) {
		lease_drop(name);
		if (registry_drop_mapping(name, &why))
			reason_say(&why);
	}
	if (err)
		reason_set(&why, RC_BUSY, "%s", strerror(err));
	audit_result(&audit, err ? &why : NULL);
	return err;
}

/* Its key was there from "temp create" until now. */
static int close_temporary(const char *name, const struct dm_mapping *m, bool deferred)
{
	struct audit_subject subject = { .mapping = name };
	struct reason why = { 0 };
	char device[PATH_MAX];
	struct sse_table t;
	struct audit audit;
	unsigned int major, minor;
	int err;

	if (!table_parse(m->table, &t)) {
		if (sscanf(t.device, "%u:%u", &major, &minor) == 2) {
			blockdev_name(major, minor, device, sizeof(device));
			subject.device = device;
		}
		table_free(&t);
	}
	if (audit_intent(&audit, AUDIT_CLOSE, &subject, &why))
		reason_say(&why);
	err = dm_remove(name, deferred);
	if (err)
		reason_set(&why, RC_BUSY, "%s", strerror(err));
	audit_result(&audit, err ? &why : NULL);
	return err;
}

/* The cache that the mapping lies on, if it does. */
static bool find_cache(const struct dm_mapping *m, struct cache_stack *s)
{
	unsigned int major, minor;
	struct sse_table t;
	bool found;

	if (table_parse(m->table, &t))
		return false;
	found = sscanf(t.device, "%u:%u", &major, &minor) == 2 && cache_stack_find(major, minor, s);
	table_free(&t);
	return found;
}

/*
 * What is left where an open or a close was cut off: a mapping that never got its table,
 * or a cache whose disk is gone, or both. *@found: there was such.
 */
static int close_left(const char *name, bool *found)
{
	struct reason why = { 0 }, ignored;
	struct cache_stack s;
	struct dm_mapping m;
	bool exists, empty, cached;
	int rc;

	*found = false;
	rc = dm_ready();
	if (rc || dm_query(name, &m))
		return rc;
	exists = m.exists;
	empty = dm_is_left(&m);
	dm_mapping_free(&m);
	if (empty) {
		rc = dm_remove_left(name, &empty);
		if (rc)
			return rc;
		/* Not so if it has a table by now. */
		exists = !empty;
	}
	cached = !exists && cache_stack_find_left(name, &s);
	*found = empty || cached;
	if (*found) {
		lease_drop(name);
		registry_drop_mapping(name, &ignored);
	}
	return cached && cache_close(name, &s, &why) ? reason_say(&why) : RC_OK;
}

static int cancel_deferred(const char *name, const struct dm_mapping *m)
{
	struct cache_stack s;
	int err;

	if (!m->deferred_remove)
		return diag_fail(RC_PARAM, "No deferred close of device %s is waiting.", name);
	err = dm_keep(name);
	if (err)
		return diag_kernel_refusal("Cancelling the deferred close", err, NULL);
	if (find_cache(m, &s))
		cache_stack_cancel_deferred(&s);
	return RC_OK;
}

static int close_mapping(const char *name, const struct dm_mapping *m, bool deferred)
{
	struct reason why = { 0 };
	struct cache_stack s;
	bool cached;
	int err;

	if (is_used(m) && !deferred)
		return busy(name, m);
	cached = find_cache(m, &s);
	/* Nobody will be there to write the cache back when the last user goes. */
	if (!m->in_use)
		deferred = false;
	if (lease_is_ours(m))
		err = close_ours(name, m, deferred);
	else if (temp_is(m))
		err = close_temporary(name, m, deferred);
	else
		err = dm_remove(name, deferred);
	if (err == EBUSY)
		return busy(name, m);
	if (err)
		return diag_kernel_refusal("Closing the device", err, NULL);
	if (!cached)
		return RC_OK;
	if (!deferred)
		return cache_close(name, &s, &why) ? reason_say(&why) : RC_OK;
	cache_stack_defer(&s);
	diag_verbose("The cache of %s is not written back: the disk opens with it only.", name);
	return RC_OK;
}

int cmd_close(const struct options *o, int argc, char **argv)
{
	struct dm_mapping m;
	const char *name;
	bool left;
	int rc;

	(void)argc;
	name = dm_name(argv[0]);
	if (!name)
		return RC_PARAM;
	if (opt_given(o, OPT_DEFERRED) && opt_given(o, OPT_CANCEL_DEFERRED))
		return diag_fail(RC_PARAM, "--deferred and --cancel-deferred exclude each other.");
	if (opt_given(o, OPT_TEST_ARGS))
		return RC_OK;
	/* Which has nothing to be cancelled. */
	if (!opt_given(o, OPT_CANCEL_DEFERRED)) {
		rc = close_left(name, &left);
		if (rc || left)
			return rc;
	}
	rc = dm_find(name, &m);
	if (rc)
		return rc;
	if (opt_given(o, OPT_CANCEL_DEFERRED))
		rc = cancel_deferred(name, &m);
	else
		rc = close_mapping(name, &m, opt_given(o, OPT_DEFERRED));
	dm_mapping_free(&m);
	return rc;
}
