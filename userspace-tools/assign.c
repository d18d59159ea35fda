// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <string.h>

#include "assign.h"
#include "policy.h"
#include "rewrap.h"

static int copy_instead(struct reason *why, const struct disk *d, const struct des *to,
			const char *what)
{
	return reason_set(why, RC_PARAM, "%s\n'ssesetup copy %.120s DESTINATION --des %s' copies the data to a new disk.",
			  what, d->device, to->name);
}

int assign_check(const struct disk *d, const struct des *from, const struct des *to,
		 struct reason *why)
{
	bool two = d->nr_layers > 1;

	if (from && from->type != DES_PLATFORM && to->type == DES_PLATFORM)
		return copy_instead(why, d, to,
			"A disk under a customer's key does not go back under the platform's.");
	if (two && to->type == DES_CUSTOMER)
		return copy_instead(why, d, to,
			"The disk has two layers, and a set of type customer is for one.");
	if (!two && to->type == DES_PLATFORM_AND_CUSTOMER)
		return reason_set(why, RC_PARAM,
			"The disk has one layer, and a set of type platform-and-customer is for two.\n"
			"'ssesetup encrypt --add-outer %.120s --des %s' gives it a second one, where the disk has room;\n"
			"'ssesetup copy %.120s DESTINATION --des %s' copies the data to a new disk.",
			d->device, to->name, d->device, to->name);
	return policy_check_layers(d->device, to->name, d->nr_layers, why);
}

/* Does the header have a keyslot of the set, proved to open when the layer was unlocked? */
static bool has_it(const struct disk_layer *layer, const struct des *des)
{
	return layer->token.keyslot >= 0 && !strcmp(layer->token.des_id, des->id);
}

static int clean(struct disk *d, struct meta *m, struct des_keys *to,
		 const struct des_keys_use *use, struct reason *why)
{
	struct rewrap_leftovers found;
	int rc = rewrap_clean(m, to, use, &found, why);

	if (!rc && found.undecided)
		diag_warn("%s: what was cut off earlier stays as it is: %s", d->device,
			  found.hindrance.text);
	return rc;
}

/* @keep: the token that the layer opens with from now on. */
static int add(struct disk *d, unsigned int index, struct des_keys *to, int *keep,
	       struct reason *why)
{
	struct disk_layer *layer = &d->layer[index];
	struct des_keys_use use = { .device = d->device, .uuid = meta_uuid(layer->meta) };
	struct token added;
	int rc;

	rc = clean(d, layer->meta, to, &use, why);
	*keep = layer->token.id;
	if (rc || has_it(layer, &to->des))
		return rc;
	rc = rewrap_add(layer->meta, disk_layer_role(d->nr_layers, index), to, &use, NULL,
			layer->volume_key, layer->key_size, &added, why);
	if (rc)
		return rc;
	*keep = added.id;
	token_free(&added);
	return RC_OK;
}

/* Whose it is from now on. */
static int enter(struct disk *d, const struct des *to, struct reason *why)
{
	d->ours = true;
	memcpy(d->des, to->name, sizeof(d->des));
	memcpy(d->des_id, to->id, sizeof(d->des_id));
	memcpy(d->owner, to->owner, sizeof(d->owner));
	return disk_register(d, NULL, why);
}

/*
 * The outermost header says whose the disk is: it is the last to get the new
 * set's token, when all others have theirs, and the first to lose the old
 * one's. In between either set opens the disk.
 */
int assign_disk(struct disk *d, struct des_keys *to, struct reason *why)
{
	int keep[SSE_LAYERS_MAX];
	unsigned int i;
	int rc = RC_OK;

	for (i = 0; i < d->nr_layers && !rc; i++)
		rc = add(d, i, to, &keep[i], why);
	if (!rc)
		rc = enter(d, &to->des, why);
	for (i = d->nr_layers; i > 0 && !rc; i--)
		rc = rewrap_retire_others(d->layer[i - 1].meta, keep[i - 1], why);
	return rc;
}
