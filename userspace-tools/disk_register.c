// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the register of this host is told of a disk.
 */
#include <stdio.h>
#include <string.h>

#include "clone.h"
#include "disk_internal.h"
#include "registry.h"

/* The newest token of a header says by which version its secret was wrapped last. */
static void read_version(const struct disk *d, unsigned int index, char *version, size_t size)
{
	struct token *list = NULL;
	struct reason ignored;
	size_t nr = 0, i;

	if (!d->layer[index].meta || meta_tokens(d->layer[index].meta, &list, &nr, &ignored))
		return;
	for (i = 0; i < nr; i++)
		if (list[i].keyslot >= 0 && !strcmp(list[i].des_id, d->des_id))
			break;
	if (i < nr)
		snprintf(version, size, "%s", list[i].kek_version);
	meta_tokens_free(list, nr);
}

void disk_key_versions(const struct disk *d, struct known_disk *known)
{
	read_version(d, INNER, known->key_version, sizeof(known->key_version));
	if (d->nr_layers > 1)
		read_version(d, OUTER, known->outer_key_version,
			     sizeof(known->outer_key_version));
	else
		known->outer_key_version[0] = '\0';
}

struct entering {
	const struct disk *d;
	bool opening, clone;
};

static void enter(struct known_disk *known, const struct known_disk *old, void *arg)
{
	const struct entering *e = arg;
	bool same = old && !strcmp(old->uuid, disk_uuid(e->d));

	known->clone = same && !e->opening ? old->clone : e->clone;
	if (same) {
		memcpy(known->mapping, old->mapping, sizeof(known->mapping));
		memcpy(known->key_version, old->key_version, sizeof(known->key_version));
		memcpy(known->outer_key_version, old->outer_key_version,
		       sizeof(known->outer_key_version));
	}
	snprintf(known->uuid, sizeof(known->uuid), "%s", disk_uuid(e->d));
	memcpy(known->des, e->d->des, sizeof(known->des));
	memcpy(known->des_id, e->d->des_id, sizeof(known->des_id));
	disk_key_versions(e->d, known);
}

/*
 * Who opens a disk for others has found that out; it may also come into the register
 * without having been opened, or be opened for a moment by one of ours.
 */
static int find_clone(struct entering *e, const struct known_disk *place, struct reason *why)
{
	struct clone_twin twin;
	struct known_disk old;
	struct reason unknown;

	if (e->clone)
		return RC_OK;
	if (!registry_find(place->device, place->header, &old, &unknown) &&
	    !strcmp(old.uuid, disk_uuid(e->d)) && (!e->opening || !old.clone))
		return RC_OK;
	return clone_find(e->d, &twin, &e->clone, why);
}

int disk_register(const struct disk *d, const char *mapping, struct reason *why)
{
	struct known_disk place = { .added = 0 };
	struct entering e = { .d = d, .opening = mapping != NULL, .clone = d->clone };
	int rc;

	rc = registry_stable_name(d->device, place.device, sizeof(place.device), why);
	if (!rc && *d->header)
		rc = registry_stable_name(d->header, place.header, sizeof(place.header), why);
	if (!rc)
		rc = find_clone(&e, &place, why);
	return rc ? rc : registry_change(&place, mapping, enter, &e, why);
}
