// SPDX-License-Identifier: GPL-2.0-only
/*
 * ssesetup resize NAME
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "blockdev.h"
#include "diag.h"
#include "dm.h"
#include "kmsg.h"
#include "mapping.h"
#include "ssesetup.h"
#include "temp.h"

static int reload(const char *name, const struct sse_table *t, const struct dm_mapping *m,
		  uint64_t size)
{
	struct dm_load load = { .size = size, .readonly = m->readonly };
	char line[1024];
	char *params;
	int mark, err, rc;

	params = table_format(t);
	if (!params)
		return diag_nomem();
	diag_debug("Table: 0 %" PRIu64 " " DMSSE_TARGET " %s", size, params);
	load.params = params;

	mark = kmsg_mark();
	err = dm_reload(name, &load);
	free(params);
	if (err)
		return diag_kernel_refusal("Loading the table of the new size", err,
					   kmsg_last(mark, line, sizeof(line)));
	/* Suspends by itself, and waits for the I/O that is under way. */
	err = dm_resume(name);
	if (!err) {
		kmsg_close(mark);
		return RC_OK;
	}
	rc = diag_kernel_refusal("Changing to the table of the new size", err,
				 kmsg_last(mark, line, sizeof(line)));
	dm_clear(name);
	err = dm_resume(name);
	if (err)
		diag_error("The device stays suspended; 'ssesetup resume %s' may help.", name);
	return rc;
}

static int resize(const struct options *o, const char *name, const struct dm_mapping *m,
		  struct sse_table *t, uint64_t size)
{
	unsigned int major, minor, block_size;
	char device[PATH_MAX];
	uint64_t device_sectors;
	int rc;

	if (sscanf(t->device, "%u:%u", &major, &minor) != 2)
		return diag_fail(RC_DEVICE, "The device below %s has no number.", name);
	blockdev_name(major, minor, device, sizeof(device));
	rc = blockdev_size(major, minor, &device_sectors, &block_size);
	if (!rc)
		rc = mapping_check_size(t, device, device_sectors, block_size, &size);
	if (rc)
		return rc;
	if (size == m->size) {
		diag_verbose("Device %s has %" PRIu64 " sectors already.", name, size);
		return RC_OK;
	}
	rc = mapping_find_keys(t, o->str[OPT_KEYRING]);
	if (rc) {
		diag_error("The table of the new size takes the key from the keyring again;\n"
			   "device %s keeps its size and goes on working.", name);
		return rc;
	}
	return reload(name, t, m, size);
}

int cmd_resize(const struct options *o, int argc, char **argv)
{
	struct dm_mapping m;
	struct sse_table t;
	const char *name;
	uint64_t size;
	bool given;
	int rc;

	(void)argc;
	name = dm_name(argv[0]);
	if (!name)
		return RC_PARAM;
	rc = mapping_wanted_size(o, &size, &given);
	if (rc || opt_given(o, OPT_TEST_ARGS))
		return rc;
	rc = dm_find(name, &m);
	if (rc)
		return rc;
	if (temp_is(&m)) {
		rc = temp_refuse(name, "it can't be given\nto a table of another size. Close it, and create a new one.");
		goto out;
	}
	if (m.suspended) {
		rc = diag_fail(RC_PARAM, "Device %s is suspended: 'ssesetup resume %s' first.", name, name);
		goto out;
	}
	rc = table_parse(m.table, &t);
	if (rc)
		goto out;
	rc = resize(o, name, &m, &t, size);
	table_free(&t);
out:
	dm_mapping_free(&m);
	return rc;
}
