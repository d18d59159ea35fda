// SPDX-License-Identifier: GPL-2.0-only
/*
 * What lies under the outer layer: a mapping of it alone, and the inner header
 * and segment within.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "blockdev.h"
#include "disk_internal.h"
#include "dm.h"
#include "kmsg.h"
#include "module.h"
#include "own_keys.h"
#include "ssesetup.h"

void disk_unpeel(struct disk *d)
{
	if (!*d->peel)
		return;
	dm_remove(d->peel, false);
	*d->peel = '\0';
}

/* A mapping of the outer layer alone, for the header within, by a key in a keyring. */
static int peel_with(struct disk *d, const struct keyref *key, const struct blockdev *b,
		     struct reason *why)
{
	const struct meta_segment *outer = &d->layer[OUTER].segment;
	struct sse_table t = { .nr_layers = 1 };
	struct dm_load load = { .hidden = true, .readonly = b->readonly };
	char uuid[80];
	char *params = NULL;
	int err, mark;

	t.sector_size = outer->sector_size;
	t.start = outer->offset;
	t.layer[0].iv_offset = outer->iv_offset;
	t.layer[0].key = *key;
	load.size = (b->sectors - t.start) / (t.sector_size / SECTOR_SIZE) *
		    (t.sector_size / SECTOR_SIZE);
	if (asprintf(&t.device, "%u:%u", b->major, b->minor) < 0)
		t.device = NULL;
	if (t.device && !table_set_cipher(&t, 0, outer->cipher))
		params = table_format(&t);
	table_free(&t);
	if (!params)
		return reason_nomem(why);
	load.params = params;

	snprintf(d->peel, sizeof(d->peel), "dm-sse-peel-%d-%u-%u", getpid(), b->major, b->minor);
	snprintf(uuid, sizeof(uuid), DMSSE_UUID_PREFIX "PEEL-%s", d->peel);
	mark = kmsg_mark();
	err = dm_create(d->peel, uuid, &load);
	free(params);
	if (!err) {
		kmsg_close(mark);
		return RC_OK;
	}
	*d->peel = '\0';
	reason_set(why, RC_DEVICE, "The outer layer of %s can't be mapped: %s.", d->device,
		   strerror(err));
	return kmsg_explain(mark, why);
}

static int open_for_peel(const struct disk *d, bool readonly, struct blockdev *b,
			 struct reason *why)
{
	int rc;

	rc = dm_ready();
	if (!rc)
		rc = module_ensure_target();
	if (!rc)
		rc = blockdev_open(b, d->device, readonly, true);
	return rc ? reason_said(why, rc) : RC_OK;
}

int disk_peel(struct disk *d, struct reason *why)
{
	struct disk_layer *outer = &d->layer[OUTER];
	struct blockdev b = { .fd = -1 };
	struct keyref key = { .type = "logon" };
	int rc;

	if (*d->peel || *d->header)
		return RC_OK;
	rc = open_for_peel(d, false, &b, why);
	if (rc)
		return rc;
	key.bytes = (unsigned int)outer->key_size;
	snprintf(key.desc, sizeof(key.desc), "dmsse:peel-%d-%u:%u", getpid(), b.major, b.minor);
	/* As long as the mapping lives there is no need of it in a keyring. */
	rc = own_keys_put(key.desc, outer->volume_key, outer->key_size, 60, why);
	if (!rc) {
		rc = peel_with(d, &key, &b, why);
		own_keys_drop(key.desc);
	}
	blockdev_close(&b);
	return rc;
}

int disk_inner_segment(struct disk *d, const struct keyref *outer_key,
		       struct meta_segment *segment, struct reason *why)
{
	char device[PATH_MAX], header[PATH_MAX];
	struct blockdev b = { .fd = -1 };
	bool found;
	int rc;

	if (d->nr_layers > 1 && !*d->header) {
		rc = meta_segment(d->layer[OUTER].meta, &d->layer[OUTER].segment, why);
		if (!rc)
			rc = open_for_peel(d, true, &b, why);
		if (!rc)
			rc = peel_with(d, outer_key, &b, why);
		blockdev_close(&b);
		if (rc)
			return rc;
	}
	if (d->nr_layers > 1) {
		disk_inner_device(d, device, sizeof(device), header, sizeof(header));
		rc = meta_load(&d->layer[INNER].meta, device, *header ? header : NULL, &found, why);
		if (rc)
			return rc;
	}
	return meta_segment(d->layer[INNER].meta, segment, why);
}

void disk_inner_device(const struct disk *d, char *device, size_t device_size,
		       char *header, size_t header_size)
{
	*header = '\0';
	if (*d->header)
		disk_inner_header(d, header, header_size);
	if (*d->peel)
		snprintf(device, device_size, "%s/%s", dm_dev_dir(), d->peel);
	else
		snprintf(device, device_size, "%s", d->device);
}
