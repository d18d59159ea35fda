// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cache_stack.h"
#include "diag.h"
#include "dm.h"
#include "dm_left.h"
#include "keyring.h"
#include "kmsg.h"
#include "mapping.h"
#include "module.h"
#include "ssesetup.h"

int mapping_wanted_size(const struct options *o, uint64_t *sectors, bool *given)
{
	*given = true;
	if (opt_given(o, OPT_SIZE) && opt_given(o, OPT_DEVICE_SIZE))
		return diag_fail(RC_PARAM, "--size and --device-size exclude each other.");
	if (opt_given(o, OPT_SIZE)) {
		*sectors = o->num[OPT_SIZE];
	} else if (opt_given(o, OPT_DEVICE_SIZE)) {
		if (o->num[OPT_DEVICE_SIZE] % SECTOR_SIZE)
			return diag_fail(RC_PARAM, "--device-size must be a multiple of 512 bytes.");
		*sectors = o->num[OPT_DEVICE_SIZE] / SECTOR_SIZE;
	} else {
		*given = false;
		*sectors = 0;
		return RC_OK;
	}
	if (!*sectors)
		return diag_fail(RC_PARAM, "A mapping can't have the size 0.");
	return RC_OK;
}

int mapping_check_size(const struct sse_table *t, const char *device, uint64_t device_sectors,
		       unsigned int block_size, uint64_t *size)
{
	unsigned int per_sector = t->sector_size / SECTOR_SIZE;
	uint64_t left;

	if (t->start >= device_sectors)
		return diag_fail(RC_PARAM,
			"Offset %" PRIu64 " is beyond the end of device %s, which has %" PRIu64 " sectors.",
			t->start, device, device_sectors);
	if (t->start * SECTOR_SIZE % block_size)
		return diag_fail(RC_PARAM, "Offset %" PRIu64 " is not a multiple of the device's block of %u bytes.",
				 t->start, block_size);
	left = device_sectors - t->start;
	if (!*size) {
		if (left % per_sector)
			return diag_fail(RC_PARAM,
				"The %" PRIu64 " sectors of device %s behind the offset are not a multiple of the\n"
				"encryption sector of %u bytes; --size %" PRIu64 " leaves out the rest.",
				left, device, t->sector_size, left - left % per_sector);
		*size = left;
	}
	if (*size > left)
		return diag_fail(RC_PARAM,
			"The mapping would have %" PRIu64 " sectors, but device %s has only %" PRIu64
			" behind the offset.", *size, device, left);
	if (*size % per_sector)
		return diag_fail(RC_PARAM,
			"Size %" PRIu64 " is not a multiple of the encryption sector of %u bytes (%u sectors).",
			*size, t->sector_size, per_sector);
	if (*size * SECTOR_SIZE % block_size)
		return diag_fail(RC_PARAM, "Size %" PRIu64 " is not a multiple of the device's block of %u bytes.",
				 *size, block_size);
	return RC_OK;
}

int mapping_find_keys(struct sse_table *t, const char *ring)
{
	struct key_info info;
	unsigned int i;
	int rc;

	for (i = 0; i < t->nr_layers; i++) {
		if (!t->layer[i].key.type[0])
			continue;
		rc = keyring_find(&t->layer[i].key, ring, &info);
		if (!rc)
			rc = keyring_resolve_size(&t->layer[i].key, &info);
		if (rc)
			return rc;
	}
	return RC_OK;
}

static const struct {
	enum opt_id id;
	unsigned int flag;
} flag_options[] = {
	{ OPT_ALLOW_DISCARDS,			SSE_ALLOW_DISCARDS },
	{ OPT_PERF_SAME_CPU_CRYPT,		SSE_SAME_CPU_CRYPT },
	{ OPT_PERF_SUBMIT_FROM_CRYPT_CPUS,	SSE_SUBMIT_FROM_CRYPT_CPUS },
	{ OPT_PERF_NO_READ_WORKQUEUE,		SSE_NO_READ_WORKQUEUE },
	{ OPT_PERF_NO_WRITE_WORKQUEUE,		SSE_NO_WRITE_WORKQUEUE },
	{ OPT_PERF_HIGH_PRIORITY,		SSE_HIGH_PRIORITY },
	{ OPT_IV_LARGE_SECTORS,			SSE_IV_LARGE_SECTORS },
	{ OPT_ALLOW_SAME_CIPHER,		SSE_ALLOW_SAME_CIPHER },
};

unsigned int mapping_flags(const struct options *o)
{
	unsigned int flags = 0;
	size_t i;

	for (i = 0; i < sizeof(flag_options) / sizeof(flag_options[0]); i++)
		if (opt_given(o, flag_options[i].id))
			flags |= flag_options[i].flag;
	return flags;
}

struct overlap {
	unsigned int major, minor;
	uint64_t start, end;
	bool readonly;
};

static int check_overlap(const char *name, const struct dm_mapping *m, void *arg)
{
	const struct overlap *mine = arg;
	struct cache_stack cache;
	struct sse_table t;
	unsigned int major, minor;
	int rc = RC_OK;

	/* Two that only read don't disturb each other. */
	if (mine->readonly && m->readonly)
		return RC_OK;
	if (table_parse(m->table, &t))
		return RC_DEVICE;
	if (sscanf(t.device, "%u:%u", &major, &minor) != 2)
		goto out;
	if (cache_stack_find(major, minor, &cache)) {
		major = cache.disk_major;
		minor = cache.disk_minor;
		t.start += cache.disk_start;
	}
	if (major == mine->major && minor == mine->minor && t.start < mine->end &&
	    mine->start < t.start + m->size)
		rc = diag_fail(RC_BUSY, "The mapping would overlap with %s, which has sectors %" PRIu64
			       " to %" PRIu64 " of the device.", name, t.start, t.start + m->size - 1);
out:
	table_free(&t);
	return rc;
}

int mapping_name_is_free(const char *name)
{
	struct dm_mapping m;
	int rc, err;

	rc = dm_ready();
	if (rc)
		return rc;
	err = dm_query(name, &m);
	if (err)
		return diag_kernel_refusal("Looking for a mapping of that name", err, NULL);
	if (dm_is_left(&m))
		rc = dm_fail_left(RC_BUSY, name);
	else if (m.exists)
		rc = diag_fail(RC_BUSY, "Device %s already exists.", name);
	dm_mapping_free(&m);
	return rc;
}

int mapping_check_overlaps(const struct sse_table *t, uint64_t size, const struct blockdev *b)
{
	struct overlap mine = {
		.major = b->major,
		.minor = b->minor,
		.start = t->start,
		.end = t->start + size,
		.readonly = b->readonly,
	};

	return dm_each(check_overlap, &mine);
}

int mapping_create(const struct options *o, const char *name, const char *uuid,
		   const struct sse_table *t, uint64_t size, const struct blockdev *b)
{
	struct dm_load load = {
		.size = size,
		.readonly = b->readonly,
		.read_ahead = b->read_ahead,
		.scan = opt_given(o, OPT_SCAN),
	};
	char line[1024];
	char *params;
	int rc, mark, err;

	rc = mapping_name_is_free(name);
	if (!rc)
		rc = module_ensure_target();
	if (!rc && opt_given(o, OPT_SHARED))
		rc = mapping_check_overlaps(t, size, b);
	if (rc)
		return rc;
	params = table_format(t);
	if (!params)
		return diag_nomem();
	diag_debug("Table: 0 %" PRIu64 " " DMSSE_TARGET " %s", size, params);

	load.params = params;
	mark = kmsg_mark();
	err = dm_create(name, uuid, &load);
	free(params);
	if (err)
		return diag_kernel_refusal("Opening the device", err,
					   kmsg_last(mark, line, sizeof(line)));
	kmsg_close(mark);
	return RC_OK;
}
