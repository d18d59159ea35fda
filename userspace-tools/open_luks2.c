// SPDX-License-Identifier: GPL-2.0-only
/*
 * ssesetup open DEVICE NAME, for a device with a LUKS2 header: a disk of a
 * set, or any other whose passphrase is known.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit.h"
#include "blockdev.h"
#include "cache.h"
#include "clone.h"
#include "disk.h"
#include "dm.h"
#include "lease.h"
#include "mapping.h"
#include "open.h"
#include "passphrase.h"
#include "registry.h"
#include "ssesetup.h"

/* Options that say what the header says. */
static const enum opt_id plain_only[] = {
	OPT_CIPHER, OPT_KEY_SIZE, OPT_KEY_DESC, OPT_KEYRING, OPT_DOUBLE, OPT_OUTER_CIPHER,
	OPT_OUTER_KEY_SIZE, OPT_OUTER_KEY_DESC, OPT_OUTER_SKIP, OPT_ALLOW_SAME_CIPHER,
	OPT_SECTOR_SIZE, OPT_IV_LARGE_SECTORS, OPT_OFFSET, OPT_SKIP,
};

static int check_options(const struct options *o)
{
	size_t i;

	for (i = 0; i < sizeof(plain_only) / sizeof(plain_only[0]); i++)
		if (opt_given(o, plain_only[i]))
			return diag_fail(RC_PARAM, "Option --%s is for --type plain: here the header says it.",
					 option_name(plain_only[i]));
	return RC_OK;
}

/* A disk that was swapped for another must not be taken for the one that was meant. */
static int check_set(const struct options *o, const struct disk *d, struct reason *why)
{
	const char *des = o->str[OPT_DES];

	if (!des || (d->ours && !strcmp(d->des, des)))
		return RC_OK;
	if (!d->ours)
		return reason_set(why, RC_DEVICE, "%s is in no disk encryption set, not in %s.", d->device,
				  des);
	return reason_set(why, RC_DEVICE, "%s is a disk of set %s, not of %s.", d->device, d->des, des);
}

static void note_refusal(const struct disk *d, const char *mapping, const struct reason *refusal)
{
	struct audit_subject subject = {
		.des = d->des,
		.device = d->device,
		.uuid = disk_uuid(d),
		.mapping = mapping,
	};
	struct reason why = { 0 };

	if (audit_note(AUDIT_REFUSE, &subject, refusal, &why))
		reason_say(&why);
}

static int refuse_half_copy(struct disk *d, const char *mapping, struct reason *why)
{
	char *note = NULL;
	int rc;

	rc = meta_note_get(d->layer[d->nr_layers - 1].meta, "dm-sse-copy", &note, why);
	if (rc || !note)
		return rc;
	free(note);
	rc = reason_set(why, RC_PARAM,
		"The copy to %s is not complete: 'ssesetup copy' with the same source finishes it.",
		d->device);
	note_refusal(d, mapping, why);
	return rc;
}

/*
 * Two disks of one UUID are told apart by where they are: whoever opens the second
 * one has to mean it, for it may be the wrong one.
 */
static int refuse_clone(const struct options *o, struct disk *d, const char *mapping,
			struct reason *why)
{
	struct clone_twin twin;
	int rc;

	rc = clone_detect(d, &twin, why);
	if (rc || !d->clone || opt_given(o, OPT_CLONE))
		return rc;
	if (*twin.mapping)
		rc = reason_set(why, RC_BUSY,
			"Device %.200s has the UUID of %.200s, which is open as %s: --clone opens it all the same.",
			d->device, twin.device, twin.mapping);
	else
		rc = reason_set(why, RC_BUSY,
			"Device %.200s has the UUID of %.200s, which is registered here: --clone opens it all the same.",
			d->device, twin.device);
	note_refusal(d, mapping, why);
	return rc;
}

/* What is being opened, and as what. */
struct opening {
	const struct options *o;
	const char *name;
	struct disk *disk;
	const struct blockdev *b;
	struct cache *cache;
};

/* On the device itself, or on a cache over its data. */
static int map_on(const struct opening *op, struct blockdev *b, struct sse_table *t, uint64_t size,
		  bool given, struct reason *why)
{
	char uuid[130];
	int rc = RC_OK;

	if (op->cache->wanted) {
		/* The whole of it, if nobody said how much. */
		if (!given && size > b->sectors)
			size = b->sectors;
		rc = mapping_check_size(t, op->cache->path, b->sectors, b->block_size, &size);
	}
	if (!rc && asprintf(&t->device, "%u:%u", b->major, b->minor) < 0) {
		t->device = NULL;
		rc = diag_nomem();
	}
	if (!rc) {
		lease_mapping_uuid(disk_uuid(op->disk), op->name, uuid, sizeof(uuid));
		rc = mapping_create(op->o, op->name, uuid, t, size, b);
	}
	return rc ? reason_said(why, rc) : RC_OK;
}

static int map(const struct opening *op, unsigned int flags, struct reason *why)
{
	struct blockdev b = *op->b;
	struct sse_table t;
	uint64_t size = 0;
	bool given;
	int rc;

	rc = disk_table(op->disk, op->name, &t, why);
	if (rc)
		return rc;
	t.flags = flags | mapping_flags(op->o);
	rc = mapping_wanted_size(op->o, &size, &given);
	if (!given)
		size = op->disk->layer[0].segment.size;
	if (!rc)
		rc = mapping_check_size(&t, op->disk->device, b.sectors, b.block_size, &size);
	/* Before a header is told that its cache is no more. */
	if (!rc && opt_given(op->o, OPT_SHARED))
		rc = mapping_check_overlaps(&t, size, &b);
	if (rc) {
		table_free(&t);
		return reason_said(why, rc);
	}
	rc = cache_attach(op->cache, op->disk, op->name, &t, &b, why);
	if (!rc) {
		rc = map_on(op, &b, &t, size, given, why);
		if (rc)
			cache_detach(op->cache, op->disk, op->name);
	}
	table_free(&t);
	return rc;
}

/* From here on the set must stay enabled, or its disks are revoked after us. */
static int grant_and_map(const struct opening *op, const struct des_keys *dk,
			 struct reason *why)
{
	unsigned int flag = dk->des.queue_on_lapse ? SSE_KEY_LEASE_QUEUE : SSE_KEY_LEASE_ERROR;
	struct des_keys now;
	int lock, rc;

	lock = lease_lock(dk->des.name, why);
	if (lock < 0)
		return why->rc;
	now = *dk;
	rc = des_load(dk->des.name, &now.des, why);
	if (!rc)
		rc = des_keys_usable(&now, why);
	if (!rc)
		rc = lease_grant(op->disk, &now.des, op->name, why);
	if (!rc) {
		rc = map(op, flag, why);
		if (rc)
			lease_drop(op->name);
	}
	close(lock);
	return rc;
}

/*
 * Into the register first: an open disk that isn't in it could be neither
 * renewed nor revoked.
 */
static int open_of_set(const struct opening *op, struct des_keys *dk, struct reason *why)
{
	struct reason ignored;
	int rc;

	rc = des_keys_usable(dk, why);
	if (!rc)
		rc = disk_unlock(op->disk, dk, why);
	if (!rc)
		rc = disk_register(op->disk, op->name, why);
	if (rc)
		return rc;
	rc = grant_and_map(op, dk, why);
	if (rc)
		registry_drop_mapping(op->name, &ignored);
	return rc;
}

static int open_ours(const struct opening *op, struct reason *why)
{
	struct audit_subject subject = {
		.des = op->disk->des,
		.device = op->disk->device,
		.uuid = disk_uuid(op->disk),
		.mapping = op->name,
	};
	struct des_keys dk;
	struct audit audit;
	int rc;

	rc = audit_intent(&audit, AUDIT_OPEN, &subject, why);
	if (rc)
		return rc;
	rc = disk_open_keys(op->disk, &dk, why);
	if (!rc) {
		rc = open_of_set(op, &dk, why);
		des_keys_close(&dk);
	}
	audit_result(&audit, rc ? why : NULL);
	return rc;
}

/* Somebody else's volume, or ours with its recovery key: no set, no lease. */
static int open_with_passphrase(const struct opening *op, struct reason *why)
{
	struct des none = { .lease = 0 };
	SECMEM_AUTO passphrase = NULL;
	struct reason ignored;
	size_t size;
	int rc;

	/* A disk of a set that had the name before and wasn't closed by us. */
	registry_drop_mapping(op->name, &ignored);
	rc = passphrase_read(op->o, op->disk->device, &passphrase, &size, why);
	if (!rc)
		rc = disk_unlock_passphrase(op->disk, passphrase, size, why);
	if (!rc)
		rc = lease_grant(op->disk, &none, op->name, why);
	if (rc)
		return rc;
	rc = map(op, 0, why);
	if (rc)
		lease_drop(op->name);
	return rc;
}

static int open_disk(const struct options *o, struct disk *d, const char *name,
		     struct cache *cache, struct reason *why)
{
	struct blockdev b = { .fd = -1 };
	struct opening op = { .o = o, .name = name, .disk = d, .b = &b, .cache = cache };
	int rc;

	rc = check_set(o, d, why);
	if (!rc)
		rc = refuse_half_copy(d, name, why);
	if (rc)
		return rc;
	rc = mapping_name_is_free(name);
	if (rc)
		return reason_said(why, rc);
	rc = refuse_clone(o, d, name, why);
	if (!rc)
		rc = cache_plan(cache, o, d, name, why);
	if (rc)
		return rc;
	rc = blockdev_open(&b, d->device, opt_given(o, OPT_READONLY), opt_given(o, OPT_SHARED));
	if (rc)
		return reason_said(why, rc);
	if (d->ours && !opt_given(o, OPT_KEY_FILE))
		rc = open_ours(&op, why);
	else
		rc = open_with_passphrase(&op, why);
	blockdev_close(&b);
	return rc;
}

int open_luks2(const struct options *o, const char *device, const char *name)
{
	struct reason why = { 0 };
	struct cache cache;
	struct disk d;
	int rc;

	rc = check_options(o);
	if (!rc)
		rc = cache_parse(&cache, o->str[OPT_CACHE]);
	if (rc || opt_given(o, OPT_TEST_ARGS))
		return rc;
	disk_init(&d);
	if (opt_given(o, OPT_KEY_FILE))
		rc = disk_load_without_tokens(&d, device, o->str[OPT_HEADER], &why);
	else
		rc = disk_load(&d, device, o->str[OPT_HEADER], &why);
	if (!rc)
		rc = open_disk(o, &d, name, &cache, &why);
	cache_free(&cache);
	disk_close(&d);
	return rc ? reason_say(&why) : RC_OK;
}
