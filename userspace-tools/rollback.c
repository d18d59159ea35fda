// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "rollback.h"

/* The version that a layer's tokens should name. */
static int current_version(struct des_keys *dk, enum token_layer layer,
			   struct kek_version *current, struct reason *why)
{
	const char *active = dk->des.active_version;

	/* The state of a set of two layers is about the customer's key. */
	if (layer == TOKEN_OUTER || !*active)
		active = NULL;
	return des_keys_version(dk, layer, active, current, why);
}

static void report_token(struct des_keys *dk, const struct disk *d, const struct token *token)
{
	struct kek_version current, named;
	struct reason why = { 0 };

	if (current_version(dk, token->layer, &current, &why)) {
		diag_warn("Which version of the key is in use can't be told: %s", why.text);
		return;
	}
	if (!strcmp(current.version, token->kek_version))
		return;
	if (des_keys_version(dk, token->layer, token->kek_version, &named, &why))
		diag_warn("The %s header of %s is from before a rotation: its keyslot needs version %s of the key,\n"
			  "which is no longer there. In use is %s. Only a recovery key opens it.",
			  token_layer_name(token->layer), d->device, token->kek_version,
			  current.version);
	else
		diag_warn("The %s header of %s is from before a rotation: its keyslot needs version %s of the key,\n"
			  "which is still there. In use is %s; 'ssesetup des rotate %s' moves the disk to it.",
			  token_layer_name(token->layer), d->device, token->kek_version,
			  current.version, dk->des.name);
}

static void report_layer(struct des_keys *dk, const struct disk *d, unsigned int index)
{
	struct token *list = NULL;
	struct reason ignored;
	size_t nr, i;

	if (!d->layer[index].meta || meta_tokens(d->layer[index].meta, &list, &nr, &ignored))
		return;
	/* The newest one that has a keyslot is the one that counts. */
	for (i = 0; i < nr && list[i].keyslot < 0; i++)
		;
	if (i < nr)
		report_token(dk, d, &list[i]);
	meta_tokens_free(list, nr);
}

void rollback_report(struct disk *d)
{
	struct reason why = { 0 };
	struct des_keys dk;
	unsigned int i;

	if (!d->ours)
		return;
	if (disk_open_keys(d, &dk, &why)) {
		diag_warn("Whether the header is from before a rotation can't be told here: %s", why.text);
		return;
	}
	for (i = d->nr_layers; i > 0; i--)
		report_layer(&dk, d, i - 1);
	des_keys_close(&dk);
}
