// SPDX-License-Identifier: GPL-2.0-only
/*
 * ssesetup resize NAME
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "blockdev.h"
#include "cache_stack.h"
#include "diag.h"
#include "disk.h"
#include "dm.h"
#include "info.h"
#include "kmsg.h"
#include "lease.h"
#include "mapping.h"
#include "opened.h"
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

struct resize {
	const struct options *o;
	const char *name;
	const struct dm_mapping *m;
	struct sse_table *t;
	uint64_t size;
	bool given;
	char device[PATH_MAX];		/* below */
};

static int find_keys(struct resize *r)
{
	int rc = mapping_find_keys(r->t, r->o->str[OPT_KEYRING]);

	if (!rc)
		return RC_OK;
	diag_error("The table of the new size takes the key from the keyring again;\n"
		   "device %s keeps its size and goes on working.", r->name);
	if (lease_is_ours(r->m))
		diag_error("'ssesetup lease renew %s' gets the keys of a disk of a set.", r->name);
	return rc;
}

/* Waiting I/O would keep the table from being changed. */
static int check_lease(const struct resize *r)
{
	struct sse_info info;
	bool lapsed;
	int rc;

	rc = info_parse(r->m->info, &info);
	if (rc)
		return rc;
	lapsed = !strcmp(info.state, "lapsed");
	info_free(&info);
	if (!lapsed)
		return RC_OK;
	return diag_fail(RC_PERM, "The lease of device %s has ended: 'ssesetup lease renew %s' first.",
			 r->name, r->name);
}

static int read_segment(const struct resize *r, struct disk *d, const char *header,
			struct meta_segment *segment, struct reason *why)
{
	char uuid[sizeof(r->m->uuid)];
	int rc;

	if (r->t->nr_layers == 1)
		rc = disk_load_without_tokens(d, r->device, header, why);
	else
		rc = disk_load(d, r->device, header, why);
	if (rc)
		return rc;
	lease_mapping_uuid(disk_uuid(d), r->name, uuid, sizeof(uuid));
	if (strcmp(uuid, r->m->uuid) || d->nr_layers != r->t->nr_layers)
		return reason_set(why, RC_DEVICE, "%s has the header of another disk.",
				  header ? header : r->device);
	return disk_inner_segment(d, &r->t->layer[r->t->nr_layers - 1].key, segment, why);
}

/*
 * Nearly always 0, "to the end of the device". But if the header says a size,
 * what is behind it would be gone with the next open.
 */
static int size_of_header(struct resize *r)
{
	struct known_disk known;
	struct meta_segment segment;
	struct reason why = { 0 };
	struct disk d;
	int rc;

	if (opened_find(r->name, r->m, &known, &why))
		*known.header = '\0';
	/* An inner header is below the outer layer, of which the kernel has the key. */
	rc = r->t->nr_layers > 1 ? find_keys(r) : RC_OK;
	if (rc)
		return rc;
	disk_init(&d);
	rc = read_segment(r, &d, *known.header ? known.header : NULL, &segment, &why);
	disk_close(&d);
	if (!rc) {
		r->size = segment.size;
		return RC_OK;
	}
	reason_prefix(&why, "The size that the header says isn't known, --device-size gives another");
	return reason_say(&why);
}

static int resize(struct resize *r)
{
	unsigned int major, minor, block_size;
	struct cache_stack cache;
	uint64_t device_sectors;
	int rc;

	if (sscanf(r->t->device, "%u:%u", &major, &minor) != 2)
		return diag_fail(RC_DEVICE, "The device below %s has no number.", r->name);
	/* Its blocks and the disk's are counted from one size, which is in its metadata. */
	if (cache_stack_find(major, minor, &cache))
		return diag_fail(RC_BUSY,
			"Device %s has a cache, which is of one size: 'ssesetup close %s', then 'ssesetup open'\n"
			"with --cache gives both the size of the device.", r->name, r->name);
	blockdev_name(major, minor, r->device, sizeof(r->device));
	rc = check_lease(r);
	if (!rc && !r->given && lease_is_ours(r->m))
		rc = size_of_header(r);
	if (!rc)
		rc = blockdev_size(major, minor, &device_sectors, &block_size);
	if (!rc)
		rc = mapping_check_size(r->t, r->device, device_sectors, block_size, &r->size);
	if (rc)
		return rc;
	if (r->size == r->m->size) {
		diag_verbose("Device %s has %" PRIu64 " sectors already.", r->name, r->size);
		return RC_OK;
	}
	/* Nobody loses the end of a disk without having said so. */
	if (r->size < r->m->size && !r->given)
		return diag_fail(RC_PARAM,
			"Device %s has shrunk: %s has %" PRIu64 " sectors, there is room for %" PRIu64 ".\n"
			"It keeps its size; --size %" PRIu64 " makes it smaller, and what is behind is lost.",
			r->device, r->name, r->m->size, r->size, r->size);
	rc = find_keys(r);
	return rc ? rc : reload(r->name, r->t, r->m, r->size);
}

int cmd_resize(const struct options *o, int argc, char **argv)
{
	struct dm_mapping m;
	struct sse_table t;
	struct resize r = { .o = o, .m = &m, .t = &t };
	const char *name;
	int rc;

	(void)argc;
	name = dm_name(argv[0]);
	if (!name)
		return RC_PARAM;
	r.name = name;
	rc = mapping_wanted_size(o, &r.size, &r.given);
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
	rc = resize(&r);
	table_free(&t);
out:
	dm_mapping_free(&m);
	return rc;
}
