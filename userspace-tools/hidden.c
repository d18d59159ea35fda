// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "blockdev.h"
#include "dm.h"
#include "hidden.h"
#include "kmsg.h"
#include "lease.h"
#include "module.h"
#include "registry.h"
#include "ssesetup.h"

#define PREFIX		"dm-sse-copy-"
#define PEEL_PREFIX	"dm-sse-peel-"

void hidden_init(struct hidden *h)
{
	memset(h, 0, sizeof(*h));
	h->fd = -1;
}

static int create(struct hidden *h, const struct disk *d, const struct sse_table *t,
		  bool readonly, struct reason *why)
{
	struct dm_load load = {
		.size = h->size / SECTOR_SIZE,
		.readonly = readonly,
		.hidden = true,
	};
	char uuid[130];
	char *params;
	int err, mark;

	params = table_format(t);
	if (!params)
		return reason_nomem(why);
	load.params = params;
	lease_mapping_uuid(disk_uuid(d), h->name, uuid, sizeof(uuid));
	mark = kmsg_mark();
	err = dm_create(h->name, uuid, &load);
	free(params);
	if (err) {
		reason_set(why, err == EBUSY ? RC_BUSY : RC_DEVICE,
			   "Disk %s can't be mapped: %s.", d->device, strerror(err));
		return kmsg_explain(mark, why);
	}
	kmsg_close(mark);
	return RC_OK;
}

static void forget_name(const char *name)
{
	struct reason ignored;

	registry_drop_mapping(name, &ignored);
}

/* As for any disk that is opened: what is granted here was allowed when it was. */
static int grant_and_create(struct hidden *h, const struct disk *d, const struct des_keys *dk,
			    const struct sse_table *t, bool readonly, struct reason *why)
{
	struct des_keys now = *dk;
	int lock, rc;

	lock = lease_lock(dk->des.name, why);
	if (lock < 0)
		return why->rc;
	rc = des_load(dk->des.name, &now.des, why);
	if (!rc)
		rc = des_keys_usable(&now, why);
	/* First the entry: by it the mapping is found, to revoke it or to sweep it away. */
	if (!rc)
		rc = disk_register(d, h->name, why);
	if (!rc)
		rc = lease_grant(d, &now.des, h->name, why);
	if (!rc) {
		rc = create(h, d, t, readonly, why);
		if (rc)
			lease_drop(h->name);
	}
	close(lock);
	return rc;
}

/* From now on whoever closes the descriptor, the kernel included, removes the mapping. */
static int hold(struct hidden *h, bool readonly, struct reason *why)
{
	char node[PATH_MAX];
	int err;

	snprintf(node, sizeof(node), "%s/%s", dm_dev_dir(), h->name);
	h->fd = open(node, (readonly ? O_RDONLY : O_RDWR) | O_DIRECT | O_CLOEXEC);
	err = h->fd < 0 ? errno : dm_remove(h->name, true);
	if (!err)
		return RC_OK;
	if (h->fd >= 0)
		close(h->fd);
	dm_remove(h->name, false);
	lease_drop(h->name);
	return reason_set(why, RC_DEVICE, "Mapping %s can't be used: %s.", h->name, strerror(err));
}

/* What the mapping is of, once the device's size is known. */
static int lay_out(struct hidden *h, const struct disk *d, const struct blockdev *b,
		   struct sse_table *t, struct reason *why)
{
	uint64_t size = d->layer[0].segment.size;

	if (t->start >= b->sectors || size > b->sectors - t->start)
		return reason_set(why, RC_DEVICE, "Device %s ends before the data that its header tells of.",
				  d->device);
	if (!size)
		size = b->sectors - t->start;
	h->size = size * SECTOR_SIZE / t->sector_size * t->sector_size;
	h->start = t->start * SECTOR_SIZE;
	h->sector_size = t->sector_size;
	if (asprintf(&t->device, "%u:%u", b->major, b->minor) >= 0)
		return RC_OK;
	t->device = NULL;
	return reason_nomem(why);
}

int hidden_open(struct hidden *h, const struct disk *d, const struct des_keys *dk,
		bool readonly, struct reason *why)
{
	struct blockdev b = { .fd = -1 };
	struct sse_table t;
	int rc;

	hidden_init(h);
	rc = dm_ready();
	if (!rc)
		rc = module_ensure_target();
	if (!rc)
		rc = blockdev_open(&b, d->device, readonly, true);
	if (rc)
		return reason_said(why, rc);
	snprintf(h->name, sizeof(h->name), PREFIX "%d-%u-%u", getpid(), b.major, b.minor);
	rc = disk_table(d, h->name, &t, why);
	if (!rc) {
		/* An error, even where the set says queue: a copy that hangs can't be stopped. */
		t.flags = SSE_KEY_LEASE_ERROR;
		rc = lay_out(h, d, &b, &t, why);
		if (!rc)
			rc = grant_and_create(h, d, dk, &t, readonly, why);
		table_free(&t);
	}
	if (!rc)
		rc = hold(h, readonly, why);
	blockdev_close(&b);
	if (rc) {
		forget_name(h->name);
		hidden_init(h);
	}
	return rc;
}

void hidden_close(struct hidden *h)
{
	if (!*h->name)
		return;
	/* Deferred, it would be gone a moment later; who comes next wants the device now. */
	dm_keep(h->name);
	close(h->fd);
	dm_remove(h->name, false);
	lease_drop(h->name);
	forget_name(h->name);
	hidden_init(h);
}

/* A name of ours says whose it is. */
static bool owner_is_gone(const char *name)
{
	int pid;

	if (strncmp(name, PREFIX, strlen(PREFIX)) &&
	    strncmp(name, PEEL_PREFIX, strlen(PEEL_PREFIX)))
		return false;
	return sscanf(name, "dm-sse-%*[a-z]-%d-", &pid) == 1 && pid > 0 && kill(pid, 0) &&
	       errno == ESRCH;
}

static int sweep_mapping(const char *name, const struct dm_mapping *m, void *arg)
{
	(void)arg;
	if (!m->in_use && owner_is_gone(name))
		dm_remove(name, false);
	return 0;
}

static void sweep_keys(const char *name, void *arg)
{
	(void)arg;
	if (!owner_is_gone(name))
		return;
	lease_drop(name);
	forget_name(name);
}

int hidden_sweep(void)
{
	int rc = dm_ready();

	if (rc)
		return rc;
	dm_each(sweep_mapping, NULL);
	registry_each_mapping(sweep_keys, NULL);
	return RC_OK;
}
