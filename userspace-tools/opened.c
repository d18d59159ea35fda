// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "blockdev.h"
#include "cache_stack.h"
#include "lease.h"
#include "opened.h"

static bool device_below(const struct dm_mapping *m, unsigned int *major, unsigned int *minor)
{
	struct sse_table t;
	bool known;

	if (!m->table || table_parse(m->table, &t))
		return false;
	known = sscanf(t.device, "%u:%u", major, minor) == 2;
	table_free(&t);
	return known;
}

void opened_device(const struct dm_mapping *m, const struct known_disk *known, char *device,
		   size_t size)
{
	unsigned int major, minor;
	struct cache_stack cache;
	bool below = device_below(m, &major, &minor);

	/* A cache, which has the data and not the headers, is of the disk. */
	if (below && !blockdev_is(known->device, major, minor) &&
	    cache_stack_find(major, minor, &cache)) {
		major = cache.disk_major;
		minor = cache.disk_minor;
	}
	if (!below || blockdev_is(known->device, major, minor))
		snprintf(device, size, "%s", known->device);
	else
		blockdev_name(major, minor, device, size);
}

/*
 * The name that a disk was opened by may be another disk's by now; if that is a
 * clone, the UUID doesn't tell. If the register has an entry for the device that
 * is open, it is that one's.
 */
static void follow_device(const struct dm_mapping *m, struct known_disk *known)
{
	char device[PATH_MAX];
	struct known_disk other;
	struct reason unknown;

	opened_device(m, known, device, sizeof(device));
	if (strcmp(device, known->device) &&
	    !registry_find(device, known->header, &other, &unknown) &&
	    !strcmp(other.uuid, known->uuid))
		*known = other;
}

int opened_find(const char *mapping, const struct dm_mapping *m, struct known_disk *known,
		struct reason *why)
{
	char uuid[sizeof(m->uuid)];
	int rc;

	rc = registry_find_mapping(mapping, known, why);
	if (rc)
		return rc;
	lease_mapping_uuid(known->uuid, mapping, uuid, sizeof(uuid));
	if (strcmp(uuid, m->uuid))
		return reason_set(why, RC_DEVICE,
			"The register of disks has another disk for mapping %s than the one that is open:\n"
			"close it and open it again.", mapping);
	follow_device(m, known);
	return RC_OK;
}

struct collect {
	struct opened *list;
	size_t nr;
};

static int collect(const char *mapping, const struct dm_mapping *m, void *arg)
{
	struct collect *c = arg;
	struct known_disk known;
	struct reason unknown;
	struct opened *more;

	if (!lease_is_ours(m) || opened_find(mapping, m, &known, &unknown))
		return 0;
	/* By powers of two: a thousand disks are copied ten times. */
	if (!(c->nr & (c->nr - 1))) {
		more = reallocarray(c->list, c->nr ? 2 * c->nr : 1, sizeof(*more));
		if (!more)
			return ENOMEM;
		c->list = more;
	}
	snprintf(c->list[c->nr].mapping, sizeof(c->list->mapping), "%s", mapping);
	c->list[c->nr++].known = known;
	return 0;
}

int opened_list(struct opened **list, size_t *nr, struct reason *why)
{
	struct collect c = { .list = NULL };
	int err = 0;

	*list = NULL;
	*nr = 0;
	if (dm_loaded())
		err = dm_each(collect, &c);
	if (err) {
		free(c.list);
		return reason_set(why, err == ENOMEM ? RC_NOMEM : RC_DEVICE,
				  "The open devices can't be listed: %s.", strerror(err));
	}
	*list = c.list;
	*nr = c.nr;
	return RC_OK;
}

const char *opened_name(const struct opened *list, size_t nr, const struct known_disk *known,
			size_t *at)
{
	const struct opened *o;

	while (*at < nr) {
		o = &list[(*at)++];
		if (!strcmp(o->known.device, known->device) &&
		    !strcmp(o->known.header, known->header))
			return o->mapping;
	}
	return NULL;
}
