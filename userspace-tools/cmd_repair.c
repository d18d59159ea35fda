// SPDX-License-Identifier: GPL-2.0-only
/*
 * ssesetup repair DEVICE
 */
#include <stdio.h>
#include <string.h>

#include "audit.h"
#include "blockdev.h"
#include "confirm.h"
#include "disk.h"
#include "header_copies.h"
#include "rewrap.h"
#include "ssesetup.h"

#define INNER	0
#define OUTER	1

struct repair {
	const struct options *o;
	const char *device;
	const char *header;		/* detached, or NULL */
	unsigned int done;		/* things that were put right */
};

static const char *damage(const struct header_copies *h)
{
	if (!h->copy[0].whole)
		return "The first copy of the header is damaged";
	if (!h->copy[1].whole)
		return "The second copy of the header is damaged";
	return "A write of the header was cut off: one copy is older than the other";
}

/* Loading a header mends it too: this has to come first. */
static int mend(struct repair *r, const char *device, const char *header, struct reason *why)
{
	const char *path = header ? header : device;
	struct header_copies copies;
	int rc;

	header_copies_read(&copies, path);
	if (header_copies_healthy(&copies))
		return RC_OK;
	if (copies.copy[0].whole || copies.copy[1].whole) {
		rc = confirm(r->o, "%s.\nThe other one will replace it on %s.", damage(&copies), path);
		if (rc)
			return reason_said(why, rc);
	}
	rc = meta_repair(device, header, why);
	if (rc)
		return rc;
	header_copies_read(&copies, path);
	if (!header_copies_healthy(&copies))
		return reason_set(why, RC_DEVICE,
			"The header of %s is still damaged: does the device keep what it is given?", path);
	printf("%s: the copies of the header are equal again.\n", path);
	r->done++;
	return RC_OK;
}

/*
 * What a rotation that was cut off left. Without @dk only what takes no key is
 * done; *@undecided: something is left.
 */
static int clean(struct repair *r, struct disk *d, unsigned int index, struct des_keys *dk,
		 bool *undecided, struct reason *why)
{
	struct meta *meta = d->layer[index].meta;
	struct des_keys_use use = { .device = d->device, .uuid = meta_uuid(meta) };
	struct rewrap_leftovers found = { 0 };
	int rc;

	rc = rewrap_clean(meta, dk, &use, &found, why);
	*undecided = found.undecided > 0;
	if (found.finished)
		printf("%s: %u keyslots of a rotation that was cut off have their token now.\n",
		       r->device, found.finished);
	if (found.removed)
		printf("%s: %u tokens that no keyslot is for are removed.\n", r->device, found.removed);
	r->done += found.finished + found.removed;
	if (rc || !dk || !found.undecided)
		return rc;
	*why = found.hindrance;
	return reason_prefix(why, "What a rotation has left can't be told apart");
}

/* Old keyslots beside the newest one that is proved to work. */
static int retire_older(struct repair *r, struct disk *d, unsigned int index, struct reason *why)
{
	struct disk_layer *layer = &d->layer[index];
	struct token *list = NULL;
	bool older = false;
	size_t nr, i;
	int rc;

	rc = meta_tokens(layer->meta, &list, &nr, why);
	for (i = 0; !rc && i < nr; i++) {
		if (list[i].id == layer->token.id) {
			older = true;
			continue;
		}
		if (!older || list[i].keyslot < 0 || list[i].layer != layer->token.layer)
			continue;
		rc = rewrap_retire(layer->meta, &list[i], why);
		if (rc)
			break;
		printf("%s: a rotation to key version %s is finished: what version %s opened is gone.\n",
		       r->device, layer->token.kek_version, list[i].kek_version);
		r->done++;
	}
	meta_tokens_free(list, nr);
	return rc;
}

static size_t count_live(struct meta *m)
{
	struct token *list = NULL;
	struct reason ignored;
	size_t nr = 0, live = 0, i;

	if (meta_tokens(m, &list, &nr, &ignored))
		return 0;
	for (i = 0; i < nr; i++)
		live += list[i].keyslot >= 0;
	meta_tokens_free(list, nr);
	return live;
}

/* A layer whose set's keys are to be had. */
static int repair_layer(struct repair *r, struct disk *d, unsigned int index, struct des_keys *dk,
			struct reason *why)
{
	bool undecided;
	int rc;

	rc = clean(r, d, index, dk, &undecided, why);
	if (rc || count_live(d->layer[index].meta) < 2)
		return rc;
	rc = disk_unlock_layer(d, index, dk, why);
	return rc ? rc : retire_older(r, d, index, why);
}

static int repair_inner(struct repair *r, struct disk *d, struct des_keys *dk, struct reason *why)
{
	char device[PATH_MAX], header[PATH_MAX];
	int rc;

	rc = disk_uncover(d, dk, why);
	if (rc)
		return rc;
	disk_inner_device(d, device, sizeof(device), header, sizeof(header));
	rc = mend(r, device, *header ? header : NULL, why);
	if (!rc)
		rc = disk_reach(d, dk, why);
	return rc ? rc : repair_layer(r, d, INNER, dk, why);
}

static int repair_tokens(struct repair *r, struct disk *d, struct reason *why)
{
	unsigned int outermost = d->nr_layers - 1;
	struct des_keys dk;
	bool undecided;
	int rc;

	/* Keys are asked for only where there is something that they decide. */
	rc = clean(r, d, outermost, NULL, &undecided, why);
	if (rc || (d->nr_layers == 1 && !undecided && count_live(d->layer[INNER].meta) < 2))
		return rc;
	rc = disk_open_keys(d, &dk, why);
	if (rc)
		return rc;
	rc = repair_layer(r, d, outermost, &dk, why);
	if (!rc && d->nr_layers > 1)
		rc = repair_inner(r, d, &dk, why);
	des_keys_close(&dk);
	return rc;
}

static int repair(struct repair *r, struct reason *why)
{
	struct disk d;
	int rc;

	rc = mend(r, r->device, r->header, why);
	if (rc)
		return rc;
	disk_init(&d);
	rc = disk_load(&d, r->device, r->header, why);
	if (!rc)
		rc = disk_lock(&d, why);
	if (!rc)
		rc = repair_tokens(r, &d, why);
	disk_close(&d);
	return rc;
}

int cmd_repair(const struct options *o, int argc, char **argv)
{
	struct repair r = { .o = o, .device = argv[0], .header = o->str[OPT_HEADER] };
	char device[PATH_MAX];
	struct audit_subject subject = { .device = device };
	struct reason why = { 0 };
	struct audit audit;
	int rc;

	(void)argc;
	if (opt_given(o, OPT_TEST_ARGS))
		return RC_OK;
	blockdev_absolute(argv[0], device, sizeof(device));
	rc = audit_intent(&audit, AUDIT_REPAIR, &subject, &why);
	if (rc)
		return reason_say(&why);
	rc = repair(&r, &why);
	audit_result(&audit, rc ? &why : NULL);
	if (rc)
		return reason_say(&why);
	if (!r.done)
		printf("%s: nothing to repair.\n", argv[0]);
	return RC_OK;
}
