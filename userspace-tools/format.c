// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "blockdev.h"
#include "format.h"
#include "recovery.h"
#include "rewrap.h"
#include "signature.h"

#define INNER		0
#define SECTOR_BYTES	4096

int format_pair(const struct des *des, bool wanted, const char *name,
		const struct cipher_pair **pair, struct reason *why)
{
	int rc;

	*pair = NULL;
	if (des->type == DES_CUSTOMER && wanted)
		return reason_set(why, RC_PARAM,
			"Disk encryption set %s is of type customer, with one layer: two take one of type\n"
			"platform-and-customer.", des->name);
	if (des->type != DES_PLATFORM_AND_CUSTOMER && !wanted)
		return RC_OK;
	/* The header says which it is: the host may choose. */
	rc = pair_find(name ? name : host_is_fips() ? "fips" : NULL, pair);
	return rc ? reason_said(why, rc) : RC_OK;
}

int format_check_size(const struct format_params *p, struct reason *why)
{
	unsigned int headers = p->header ? 0 : p->pair ? 2 : 1;
	uint64_t sectors, need = headers * (uint64_t)META_HEADER_SECTORS;
	int rc;

	rc = blockdev_look(p->device, true, &sectors);
	if (rc)
		return reason_said(why, rc);
	if (sectors < need + SECTOR_BYTES / SECTOR_SIZE)
		return reason_set(why, RC_DEVICE,
			"Device %s has %" PRIu64 " KiB, but the header%s alone take%s %" PRIu64 " KiB;\n"
			"--header keeps them elsewhere.", p->device, sectors / 2,
			headers > 1 ? "s" : "", headers > 1 ? "" : "s", need / 2);
	return RC_OK;
}

static int add_recovery_key(struct disk_layer *layer, struct secmem **key, struct reason *why)
{
	char note[64];
	int rc, slot;

	rc = recovery_key_new(key, why);
	if (!rc)
		rc = meta_slot_add_passphrase(layer->meta, -1, layer->volume_key, layer->key_size,
					      *key, RECOVERY_KEY_CHARS, &slot, why);
	if (rc)
		return rc;
	snprintf(note, sizeof(note), "{\"recovery-keyslot\":%d}", slot);
	return meta_note_set(layer->meta, "dm-sse-recovery", note, why);
}

/* Wrapping takes the public half of the key only; somebody else may have the other. */
static int add_token(const struct format_params *p, struct disk *d, unsigned int index,
		     struct reason *why)
{
	enum token_layer role = disk_layer_role(d->nr_layers, index);
	struct disk_layer *layer = &d->layer[index];
	struct des_keys_use use = { .device = d->device, .uuid = meta_uuid(layer->meta) };
	struct kek_version newest;
	int rc;

	rc = des_keys_version(p->dk, role, NULL, &newest, why);
	if (rc)
		return rc;
	if (newest.can_unwrap)
		return rewrap_add(layer->meta, role, p->dk, &use, newest.version, layer->volume_key,
				  layer->key_size, &layer->token, why);
	/* Not every holder can do the best that wraps. */
	if (!*p->dk->des.wrapping)
		return reason_set(why, RC_PARAM,
			"Only the public half of version %s of the key is here, so what its holder can unwrap is\n"
			"not known: 'ssesetup des update %s --wrapping RSA-OAEP-256' (or RSA-OAEP) says it.",
			newest.version, p->dk->des.name);
	diag_warn("Only the public half of version %s of the key is here: that the disk opens isn't proved.",
		  newest.version);
	return rewrap_add_unproved(layer->meta, role, p->dk, &use, layer->volume_key,
				   layer->key_size, &layer->token, why);
}

int format_layer(const struct format_params *p, struct disk *d, unsigned int index,
		 const char *device, const char *header, struct secmem **recovery,
		 struct reason *why)
{
	struct disk_layer *layer = &d->layer[index];
	bool outermost = index == d->nr_layers - 1;
	struct meta_format f = {
		.cipher = p->pair ? p->pair->cipher[index] : DEFAULT_CIPHER,
		.key_bytes = p->pair ? p->pair->key_bytes[index] : 64,
		.sector_size = p->sector_size ? p->sector_size : SECTOR_BYTES,
		.uuid = outermost ? p->uuid : NULL,
		.label = outermost ? p->label : NULL,
		.data_offset = header ? p->data_offset : META_HEADER_SECTORS,
	};
	int rc;

	rc = meta_format(&layer->meta, device, header, &f, why);
	if (!rc)
		rc = meta_new_volume_key(layer->meta, &layer->volume_key, &layer->key_size, why);
	if (!rc)
		rc = meta_segment(layer->meta, &layer->segment, why);
	if (!rc && outermost && p->note_type)
		rc = meta_note_set(layer->meta, p->note_type, p->note, why);
	if (!rc)
		rc = add_token(p, d, index, why);
	if (!rc && p->recovery_key)
		rc = add_recovery_key(layer, recovery, why);
	return rc;
}

int format_disk(const struct format_params *p, struct disk *made,
		struct secmem *recovery[SSE_LAYERS_MAX], struct reason *why)
{
	char device[PATH_MAX], header[PATH_MAX];
	int rc;

	disk_init(made);
	blockdev_absolute(p->device, made->device, sizeof(made->device));
	if (p->header)
		blockdev_absolute(p->header, made->header, sizeof(made->header));
	made->ours = true;
	made->nr_layers = p->pair ? 2 : 1;
	memcpy(made->des, p->dk->des.name, sizeof(made->des));
	memcpy(made->des_id, p->dk->des.id, sizeof(made->des_id));

	rc = signature_wipe(p->device, why);
	if (!rc && made->nr_layers == 2) {
		rc = format_layer(p, made, 1, p->device, p->header, &recovery[1], why);
		if (!rc)
			rc = disk_peel(made, why);
	}
	if (!rc) {
		snprintf(device, sizeof(device), "%s", p->device);
		snprintf(header, sizeof(header), "%s", p->header ? p->header : "");
		if (made->nr_layers == 2)
			disk_inner_device(made, device, sizeof(device), header, sizeof(header));
		rc = format_layer(p, made, INNER, device, *header ? header : NULL,
				  &recovery[INNER], why);
	}
	if (rc)
		disk_close(made);
	return rc;
}
