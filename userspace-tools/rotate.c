// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <string.h>

#include "blockdev.h"
#include "disk.h"
#include "rewrap.h"
#include "rotate.h"

struct rotation {
	const struct known_disk *known;
	struct des_keys *dk;
	const struct rotate_goal *goal;
	bool changed;
};

static const struct kek_version *goal_of(const struct rotate_goal *goal, const struct des *des,
					 enum token_layer layer)
{
	if (des->type == DES_PLATFORM || layer == TOKEN_OUTER)
		return &goal->platform;
	return &goal->customer;
}

static bool at_goal(const struct token *token, const struct des *des, enum token_layer layer,
		    const struct rotate_goal *goal)
{
	const struct kek_version *version = goal_of(goal, des, layer);

	return token->keyslot >= 0 && token->layer == layer && !strcmp(token->des_id, des->id) &&
	       !strcmp(token->kek_version, version->version) &&
	       !strcmp(token->kek_fingerprint, version->fingerprint);
}

/* One token, and it is right: nothing was cut off, nothing is to be done. */
static bool layer_is_there(struct meta *m, enum token_layer layer, const struct des *des,
			   const struct rotate_goal *goal)
{
	struct token *list = NULL;
	struct reason ignored;
	bool there = false;
	size_t nr;

	if (!m || meta_tokens(m, &list, &nr, &ignored))
		return false;
	if (nr == 1)
		there = at_goal(&list[0], des, layer, goal);
	meta_tokens_free(list, nr);
	return there;
}

static bool disk_is_there(const struct disk *d, const struct des *des,
			  const struct rotate_goal *goal)
{
	unsigned int i;

	for (i = 0; i < d->nr_layers; i++)
		if (!layer_is_there(d->layer[i].meta, disk_layer_role(d->nr_layers, i), des, goal))
			return false;
	return true;
}

static int clean(struct rotation *r, struct meta *m, const struct des_keys_use *use,
		 struct reason *why)
{
	struct rewrap_leftovers found;
	int rc;

	rc = rewrap_clean(m, r->dk, use, &found, why);
	if (found.finished || found.removed)
		r->changed = true;
	if (!rc && found.undecided)
		diag_warn("%s: a rotation that was cut off left a token whose keyslot may be its own or not: %s\n"
			  "Both stay; the disk is right without them.",
			  r->known->device, found.hindrance.text);
	return rc;
}

static int rotate_layer(struct rotation *r, struct disk *d, unsigned int index,
			struct reason *why)
{
	enum token_layer role = disk_layer_role(d->nr_layers, index);
	struct disk_layer *layer = &d->layer[index];
	struct des_keys_use use = { .device = d->device, .uuid = meta_uuid(layer->meta) };
	const struct kek_version *to = goal_of(r->goal, &r->dk->des, role);
	struct token added;
	int rc, keep;

	if (layer_is_there(layer->meta, role, &r->dk->des, r->goal))
		return RC_OK;
	rc = clean(r, layer->meta, &use, why);
	/* Proves that the newest token opens the disk, or finds one that does. */
	if (!rc)
		rc = disk_unlock_layer(d, index, r->dk, why);
	if (rc)
		return rc;
	keep = layer->token.id;
	if (!at_goal(&layer->token, &r->dk->des, role, r->goal)) {
		rc = rewrap_add(layer->meta, role, r->dk, &use, to->version, layer->volume_key,
				layer->key_size, &added, why);
		if (rc)
			return rc;
		keep = added.id;
		token_free(&added);
	}
	r->changed = true;
	return rewrap_retire_others(layer->meta, keep, why);
}

/* Inner before outer, which the inner one is reached through. */
static int rotate_layers(struct rotation *r, struct disk *d, struct reason *why)
{
	unsigned int i;
	int rc;

	rc = disk_reach(d, r->dk, why);
	for (i = 0; i < d->nr_layers && !rc; i++)
		rc = rotate_layer(r, d, i, why);
	return rc;
}

static int rotate_audited(struct rotation *r, struct disk *d, struct reason *why)
{
	bool customer = r->dk->des.type != DES_PLATFORM;
	struct audit_subject subject = {
		.des = r->dk->des.name,
		.device = d->device,
		.uuid = disk_uuid(d),
		.version = customer ? r->goal->customer.version : r->goal->platform.version,
	};
	struct audit audit;
	int rc;

	rc = audit_intent(&audit, AUDIT_ROTATE, &subject, why);
	if (rc)
		return rc;
	rc = rotate_layers(r, d, why);
	audit_result(&audit, rc ? why : NULL);
	return rc;
}

/* For who watches the disks, and not worth failing for. */
static void note_versions(const struct rotation *r, const struct disk *d)
{
	struct known_disk now = *r->known;
	struct reason why = { 0 };

	disk_key_versions(d, &now);
	if (!strcmp(now.key_version, r->known->key_version) &&
	    !strcmp(now.outer_key_version, r->known->outer_key_version))
		return;
	if (registry_note_versions(&now, &why))
		diag_warn("%s: the register doesn't learn of its new key: %s", d->device, why.text);
}

/* The register remembers where a disk was; its token says where it is. */
static int belongs(const struct rotation *r, const struct disk *d, bool *elsewhere,
		   struct reason *why)
{
	struct reason unknown;
	struct des other;

	*elsewhere = false;
	if (!d->ours)
		return reason_set(why, RC_DEVICE,
			"It has no token of ours any more. If that is right,\n"
			"'ssesetup des forget %s DEVICE' takes it out of the register.",
			r->dk->des.name);
	if (strcasecmp(disk_uuid(d), r->known->uuid))
		return reason_set(why, RC_DEVICE,
			"There is another disk now, of UUID %s, not the one that the register knows, %s.",
			disk_uuid(d), r->known->uuid);
	if (!strcmp(d->des_id, r->dk->des.id))
		return RC_OK;
	if (des_load(d->des, &other, &unknown) || strcmp(other.id, d->des_id))
		return reason_set(why, RC_PERM,
			"It belongs to disk encryption set %s (id %s%s%s),\n"
			"for which this host has no identity.",
			d->des, d->des_id, *d->owner ? ", of " : "", d->owner);
	*elsewhere = true;
	return disk_register(d, NULL, why);
}

/* A read-only snapshot. Who destroyed the older version would lose it. */
static int check_writable(const struct disk *d, struct reason *why)
{
	if (!blockdev_readonly(*d->header ? d->header : d->device))
		return RC_OK;
	return reason_set(why, RC_DEVICE,
		"It is read-only, and stays on the version of the key that it is on: keep that one until\n"
		"it can be written to, or is gone and forgotten with 'ssesetup des forget'.");
}

static int rotate_loaded(struct rotation *r, struct disk *d, enum rotate_outcome *outcome,
			 struct reason *why)
{
	bool elsewhere;
	int rc;

	rc = belongs(r, d, &elsewhere, why);
	if (rc)
		return rc;
	*outcome = elsewhere ? ROTATE_ELSEWHERE : ROTATE_WAS_THERE;
	if (elsewhere)
		return RC_OK;
	if (disk_is_there(d, &r->dk->des, r->goal)) {
		note_versions(r, d);
		return RC_OK;
	}
	rc = check_writable(d, why);
	if (!rc)
		rc = disk_lock(d, why);
	if (!rc)
		rc = belongs(r, d, &elsewhere, why);
	if (rc || elsewhere) {
		*outcome = ROTATE_ELSEWHERE;
		return rc;
	}
	rc = rotate_audited(r, d, why);
	if (!rc)
		note_versions(r, d);
	if (r->changed)
		*outcome = ROTATE_MOVED;
	return rc;
}

int rotate_disk(const struct known_disk *known, struct des_keys *dk,
		const struct rotate_goal *goal, enum rotate_outcome *outcome,
		struct reason *why)
{
	struct rotation r = { .known = known, .dk = dk, .goal = goal };
	struct disk d;
	int rc;

	disk_init(&d);
	rc = disk_load(&d, known->device, *known->header ? known->header : NULL, why);
	if (!rc)
		rc = rotate_loaded(&r, &d, outcome, why);
	disk_close(&d);
	return rc;
}

bool rotate_is_there(const struct known_disk *known, const struct des *des,
		     const struct rotate_goal *goal)
{
	struct reason ignored;
	bool there = false;
	struct disk d;

	disk_init(&d);
	if (!disk_load(&d, known->device, *known->header ? known->header : NULL, &ignored) &&
	    d.ours)
		there = layer_is_there(d.layer[d.nr_layers - 1].meta,
				       disk_layer_role(d.nr_layers, d.nr_layers - 1), des, goal);
	disk_close(&d);
	return there;
}
