// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table of a disk from the segments of its layers.
 */
#include <stdio.h>
#include <string.h>

#include "disk_internal.h"

int disk_table(const struct disk *d, const char *mapping, struct sse_table *t,
	       struct reason *why)
{
	const struct meta_segment *inner = &d->layer[INNER].segment;
	const struct meta_segment *outer = &d->layer[OUTER].segment;
	unsigned int i;

	memset(t, 0, sizeof(*t));
	t->nr_layers = d->nr_layers;
	t->sector_size = inner->sector_size;
	t->start = inner->offset;
	for (i = 0; i < d->nr_layers; i++) {
		const struct disk_layer *layer = &d->layer[i];
		struct keyref *key = &t->layer[i].key;

		t->layer[i].iv_offset = layer->segment.iv_offset;
		key->bytes = (unsigned int)layer->key_size;
		snprintf(key->type, sizeof(key->type), "logon");
		snprintf(key->desc, sizeof(key->desc), "dmsse:%s:%s", mapping, layer_name(i));
		if (table_set_cipher(t, i, layer->segment.cipher)) {
			table_free(t);
			return reason_said(why, RC_NOMEM);
		}
	}
	if (d->nr_layers == 1)
		return RC_OK;
	if (outer->sector_size != inner->sector_size) {
		table_free(t);
		return reason_set(why, RC_PARAM,
			"The layers' sectors are of %u and %u bytes: such a disk can be opened with cryptsetup,\n"
			"one layer after the other, but not as one device.",
			inner->sector_size, outer->sector_size);
	}
	/* The outer layer counts from its own beginning, which the inner header is in. */
	t->start += outer->offset;
	t->layer[OUTER].iv_offset += inner->offset;
	return RC_OK;
}
