// SPDX-License-Identifier: GPL-2.0-only
/*
 * The layers of a disk unlocked, by the keys of its set or by a passphrase.
 */
#include <limits.h>

#include "disk_internal.h"

int disk_open_keys(const struct disk *d, struct des_keys *dk, struct reason *why)
{
	int rc = des_keys_open(dk, d->des, why);

	if (rc == RC_DEVICE)
		return reason_set(why, RC_PERM,
			"The disk belongs to disk encryption set %s (id %s%s%s),\n"
			"for which this host has no identity: its configuration and credentials are missing here.",
			d->des, d->des_id, *d->owner ? ", of " : "", d->owner);
	return rc;
}

static int open_slot(struct disk_layer *layer, const struct token *token, struct des_keys *dk,
		     const struct des_keys_use *use, struct reason *why)
{
	SECMEM_AUTO secret = NULL;
	int rc;

	rc = des_keys_unwrap(dk, use, token, &secret, why);
	if (!rc)
		rc = meta_slot_open(layer->meta, token->keyslot, secret, SLOT_SECRET_SIZE,
				    &layer->volume_key, &layer->key_size, why);
	return rc;
}

int disk_unlock_layer(struct disk *d, unsigned int index, struct des_keys *dk,
		      struct reason *why)
{
	struct disk_layer *layer = &d->layer[index];
	struct des_keys_use use = { .device = d->device, .uuid = meta_uuid(layer->meta) };
	struct reason first = { 0 };
	struct token *list = NULL;
	size_t nr, i;
	int rc;

	if (layer->volume_key)
		return RC_OK;
	rc = meta_segment(layer->meta, &layer->segment, why);
	if (!rc)
		rc = meta_tokens(layer->meta, &list, &nr, why);
	if (rc)
		return rc;
	/* While a rotation runs, or after one that was cut off, there are two. */
	for (i = 0; i < nr; i++) {
		if (list[i].keyslot < 0 || list[i].layer != disk_layer_role(d->nr_layers, index))
			continue;
		rc = open_slot(layer, &list[i], dk, &use, why);
		if (!rc)
			break;
		if (!first.rc)
			first = *why;
	}
	if (!first.rc)
		reason_set(&first, RC_PERM, "The %s header of %s has no token: a recovery key may open it.",
			   token_layer_name(disk_layer_role(d->nr_layers, index)), d->device);
	if (i < nr && !layer->token.created[0]) {
		/* The list's own is left empty, for what it points to has one owner. */
		layer->token = list[i];
		token_init(&list[i]);
	}
	rc = layer->volume_key ? RC_OK : first.rc;
	if (rc)
		*why = first;
	meta_tokens_free(list, nr);
	return rc;
}

int disk_uncover(struct disk *d, struct des_keys *dk, struct reason *why)
{
	int rc;

	if (*d->header)
		return RC_OK;
	rc = disk_unlock_layer(d, OUTER, dk, why);
	return rc ? rc : disk_peel(d, why);
}

int disk_reach(struct disk *d, struct des_keys *dk, struct reason *why)
{
	char device[PATH_MAX], header[PATH_MAX];
	bool found;
	int rc;

	if (d->nr_layers == 1 || d->layer[INNER].meta)
		return RC_OK;
	rc = disk_uncover(d, dk, why);
	if (rc)
		return rc;
	disk_inner_device(d, device, sizeof(device), header, sizeof(header));
	rc = meta_load(&d->layer[INNER].meta, device, *header ? header : NULL, &found, why);
	if (rc)
		reason_prefix(why, "The inner header of %s", d->device);
	return rc;
}

int disk_unlock(struct disk *d, struct des_keys *dk, struct reason *why)
{
	unsigned int i;
	int rc;

	rc = disk_reach(d, dk, why);
	for (i = d->nr_layers; i > 0 && !rc; i--)
		rc = disk_unlock_layer(d, i - 1, dk, why);
	return rc;
}

int disk_unlock_passphrase(struct disk *d, struct secmem *passphrase, size_t size,
			   struct reason *why)
{
	struct disk_layer *layer = &d->layer[0];
	int rc;

	if (d->nr_layers > 1)
		return reason_set(why, RC_PARAM, TWO_RECOVERY_KEYS);
	rc = meta_segment(layer->meta, &layer->segment, why);
	if (!rc)
		rc = meta_slot_open(layer->meta, -1, passphrase, size, &layer->volume_key,
				    &layer->key_size, why);
	return rc;
}
