// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "blockdev.h"
#include "cache_stack.h"
#include "clone.h"
#include "dm.h"
#include "lease.h"
#include "registry.h"

#define CRYPT_PREFIX	"CRYPT-LUKS2-"

struct search {
	const struct disk *d;
	char ours[80], cryptsetup[80];	/* how the dm UUID of a mapping of it begins */
	struct clone_twin *twin;
	bool found;
};

static bool has_prefix(const char *text, const char *prefix)
{
	return !strncmp(text, prefix, strlen(prefix));
}

/* A disk that is open with a cache is below that. */
static void find_disk(uint64_t below, unsigned int *disk_major, unsigned int *disk_minor)
{
	struct cache_stack cache;

	*disk_major = major(below);
	*disk_minor = minor(below);
	if (cache_stack_find(*disk_major, *disk_minor, &cache)) {
		*disk_major = cache.disk_major;
		*disk_minor = cache.disk_minor;
	}
}

/* A mapping of the same UUID that isn't of this device. */
static int look_at_mapping(const struct dm_node *node, void *arg)
{
	unsigned int i, disk_major = 0, disk_minor = 0;
	struct search *s = arg;

	if (!has_prefix(node->uuid, s->ours) && !has_prefix(node->uuid, s->cryptsetup))
		return 0;
	for (i = node->nr_below; i > 0; i--) {
		find_disk(node->below[i - 1], &disk_major, &disk_minor);
		if (blockdev_is(s->d->device, disk_major, disk_minor))
			return 0;
	}
	if (!node->nr_below)
		return 0;
	blockdev_name(disk_major, disk_minor, s->twin->device, sizeof(s->twin->device));
	snprintf(s->twin->mapping, sizeof(s->twin->mapping), "%s", node->name);
	s->found = true;
	return 1;
}

static void search_mappings(struct search *s)
{
	/* A name would follow: without one it ends with the dash before it. */
	lease_mapping_uuid(disk_uuid(s->d), "", s->ours, sizeof(s->ours));
	snprintf(s->cryptsetup, sizeof(s->cryptsetup), CRYPT_PREFIX "%s",
		 s->ours + strlen(LUKS2_PREFIX));
	if (dm_loaded())
		dm_each_node(look_at_mapping, s);
}

bool clone_has_uuid(const char *device, const char *header, const char *uuid)
{
	struct meta *meta = NULL;
	struct reason ignored;
	bool found, has;

	has = !meta_load(&meta, device, *header ? header : NULL, &found, &ignored) &&
	      !strcmp(meta_uuid(meta), uuid);
	meta_free(&meta);
	return has;
}

/* The register may be of another day: what do its devices have now? */
static int search_register(struct search *s, struct reason *why)
{
	struct known_disk *list = NULL;
	size_t nr, i;
	int rc;

	rc = registry_list(NULL, &list, &nr, why);
	if (rc)
		return rc;
	for (i = 0; i < nr && !s->found; i++) {
		if (strcmp(list[i].uuid, disk_uuid(s->d)) ||
		    blockdev_same(list[i].device, s->d->device) ||
		    !clone_has_uuid(list[i].device, list[i].header, list[i].uuid))
			continue;
		memcpy(s->twin->device, list[i].device, sizeof(s->twin->device));
		s->found = true;
	}
	free(list);
	return RC_OK;
}

/* Registered as a disk of its own: whatever else has the UUID was made of it. */
static bool is_original(const struct disk *d)
{
	struct known_disk known;
	struct reason unknown;

	return !registry_find(d->device, *d->header ? d->header : NULL, &known, &unknown) &&
	       !known.clone && !strcmp(known.uuid, disk_uuid(d));
}

int clone_find(const struct disk *d, struct clone_twin *twin, bool *clone, struct reason *why)
{
	struct search s = { .d = d, .twin = twin };
	int rc;

	memset(twin, 0, sizeof(*twin));
	*clone = false;
	if (is_original(d))
		return RC_OK;
	search_mappings(&s);
	rc = s.found ? RC_OK : search_register(&s, why);
	*clone = s.found;
	return rc;
}

int clone_detect(struct disk *d, struct clone_twin *twin, struct reason *why)
{
	return clone_find(d, twin, &d->clone, why);
}
