// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "blockdev.h"
#include "clone.h"
#include "disk.h"
#include "dm.h"
#include "files.h"
#include "kmsg.h"
#include "module.h"
#include "own_keys.h"
#include "paths.h"
#include "registry.h"
#include "ssesetup.h"

#define INNER	0
#define OUTER	1

void disk_init(struct disk *d)
{
	unsigned int i;

	memset(d, 0, sizeof(*d));
	d->lock = -1;
	for (i = 0; i < SSE_LAYERS_MAX; i++)
		token_init(&d->layer[i].token);
}

enum token_layer disk_layer_role(unsigned int nr_layers, unsigned int index)
{
	if (nr_layers == 1)
		return TOKEN_SINGLE;
	return index == INNER ? TOKEN_INNER : TOKEN_OUTER;
}

static struct disk_layer *outermost(struct disk *d)
{
	return &d->layer[d->nr_layers - 1];
}

const char *disk_uuid(const struct disk *d)
{
	return meta_uuid(d->layer[d->nr_layers - 1].meta);
}

void disk_inner_header(const struct disk *d, char *path, size_t size)
{
	snprintf(path, size, "%.4000s.inner", d->header);
}

/* What the tokens of the outermost header say of the disk. */
static int read_tokens(struct disk *d, struct meta *meta, struct reason *why)
{
	const struct token *live = NULL;
	struct token *list = NULL;
	size_t nr, i;
	int rc;

	rc = meta_tokens(meta, &list, &nr, why);
	if (rc)
		return rc;
	/*
	 * A disk that is about to get a second layer has the token of an inner one
	 * already, beside its own.
	 */
	for (i = 0; i < nr; i++)
		if (list[i].keyslot >= 0 && (!live || live->layer == TOKEN_INNER))
			live = &list[i];
	if (live) {
		d->ours = true;
		d->nr_layers = live->layer == TOKEN_OUTER ? 2 : 1;
		memcpy(d->des, live->des, sizeof(d->des));
		memcpy(d->des_id, live->des_id, sizeof(d->des_id));
		memcpy(d->owner, live->owner, sizeof(d->owner));
	}
	if (live && live->layer == TOKEN_INNER)
		rc = reason_set(why, RC_PARAM,
			"%s has the inner header of a disk with two layers: give its outer one.",
			*d->header ? d->header : d->device);
	meta_tokens_free(list, nr);
	return rc;
}

#define TWO_RECOVERY_KEYS							\
	"A disk with two layers has two recovery keys: open it with cryptsetup, twice."

/* What a passphrase opens needs no token, but it must be the only layer. */
static int do_without(struct meta *meta, struct reason *why)
{
	if (why->rc == RC_NOMEM)
		return why->rc;
	if (meta_tokens_name_layer(meta, TOKEN_OUTER) || meta_tokens_name_layer(meta, TOKEN_INNER))
		return reason_set(why, RC_PARAM, TWO_RECOVERY_KEYS);
	diag_warn("%s\nThe disk is taken as one of no set.", why->text);
	return RC_OK;
}

static int load(struct disk *d, const char *device, const char *header, bool need_tokens,
		struct reason *why)
{
	struct meta *meta = NULL;
	bool found = false;
	int rc;

	blockdev_absolute(device, d->device, sizeof(d->device));
	if (header)
		blockdev_absolute(header, d->header, sizeof(d->header));
	d->nr_layers = 1;
	d->without_tokens = !need_tokens;
	rc = meta_load(&meta, device, header, &found, why);
	if (rc && !found && rc == RC_DEVICE)
		return reason_set(why, RC_DEVICE,
			"Device %s is not a valid LUKS2 device.\n"
			"'ssesetup format' makes an encrypted disk of it; --header names a detached header,\n"
			"--type plain opens one that has none.", header ? header : device);
	if (rc)
		return rc;
	rc = read_tokens(d, meta, why);
	if (rc && !d->ours && !need_tokens)
		rc = do_without(meta, why);
	if (rc) {
		meta_free(&meta);
		return rc;
	}
	outermost(d)->meta = meta;
	return RC_OK;
}

int disk_load(struct disk *d, const char *device, const char *header, struct reason *why)
{
	return load(d, device, header, true, why);
}

int disk_load_without_tokens(struct disk *d, const char *device, const char *header,
			     struct reason *why)
{
	return load(d, device, header, false, why);
}

static void unpeel(struct disk *d)
{
	if (!*d->peel)
		return;
	dm_remove(d->peel, false);
	*d->peel = '\0';
}

void disk_close(struct disk *d)
{
	unsigned int i;

	for (i = 0; i < SSE_LAYERS_MAX; i++) {
		meta_free(&d->layer[i].meta);
		secmem_free(&d->layer[i].volume_key);
		token_free(&d->layer[i].token);
	}
	unpeel(d);
	if (d->lock >= 0)
		close(d->lock);
	disk_init(d);
}

int disk_lock(struct disk *d, struct reason *why)
{
	char path[sizeof(PATH_RUN) + 64], device[PATH_MAX], header[PATH_MAX];
	int rc;

	rc = files_make_directory(PATH_RUN "/locks", why);
	if (rc)
		return rc;
	snprintf(path, sizeof(path), PATH_RUN "/locks/%.40s", disk_uuid(d));
	d->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (d->lock >= 0 && flock(d->lock, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK)
		diag_verbose("Waiting for another ssesetup that is at work on the disk with UUID %s.",
			     disk_uuid(d));
	if (d->lock < 0 || flock(d->lock, LOCK_EX))
		return reason_set(why, RC_PERM, "Lock %s can't be taken: %s.", path, strerror(errno));
	/* Who had the lock before us may have changed the header. */
	meta_free(&outermost(d)->meta);
	memcpy(device, d->device, sizeof(device));
	memcpy(header, d->header, sizeof(header));
	return load(d, device, *header ? header : NULL, !d->without_tokens, why);
}

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

/* A mapping of the outer layer alone, for the header within, by a key in a keyring. */
static int peel_with(struct disk *d, const struct keyref *key, const struct blockdev *b,
		     struct reason *why)
{
	const struct meta_segment *outer = &d->layer[OUTER].segment;
	struct sse_table t = { .nr_layers = 1 };
	struct dm_load load = { .hidden = true, .readonly = b->readonly };
	char uuid[80];
	char *params = NULL;
	int err, mark;

	t.sector_size = outer->sector_size;
	t.start = outer->offset;
	t.layer[0].iv_offset = outer->iv_offset;
	t.layer[0].key = *key;
	load.size = (b->sectors - t.start) / (t.sector_size / SECTOR_SIZE) *
		    (t.sector_size / SECTOR_SIZE);
	if (asprintf(&t.device, "%u:%u", b->major, b->minor) < 0)
		t.device = NULL;
	if (t.device && !table_set_cipher(&t, 0, outer->cipher))
		params = table_format(&t);
	table_free(&t);
	if (!params)
		return reason_nomem(why);
	load.params = params;

	snprintf(d->peel, sizeof(d->peel), "dm-sse-peel-%d-%u-%u", getpid(), b->major, b->minor);
	snprintf(uuid, sizeof(uuid), DMSSE_UUID_PREFIX "PEEL-%s", d->peel);
	mark = kmsg_mark();
	err = dm_create(d->peel, uuid, &load);
	free(params);
	if (!err) {
		kmsg_close(mark);
		return RC_OK;
	}
	*d->peel = '\0';
	reason_set(why, RC_DEVICE, "The outer layer of %s can't be mapped: %s.", d->device,
		   strerror(err));
	return kmsg_explain(mark, why);
}

static int open_for_peel(const struct disk *d, bool readonly, struct blockdev *b,
			 struct reason *why)
{
	int rc;

	rc = dm_ready();
	if (!rc)
		rc = module_ensure_target();
	if (!rc)
		rc = blockdev_open(b, d->device, readonly, true);
	return rc ? reason_said(why, rc) : RC_OK;
}

int disk_peel(struct disk *d, struct reason *why)
{
	struct disk_layer *outer = &d->layer[OUTER];
	struct blockdev b = { .fd = -1 };
	struct keyref key = { .type = "logon" };
	int rc;

	if (*d->peel || *d->header)
		return RC_OK;
	rc = open_for_peel(d, false, &b, why);
	if (rc)
		return rc;
	key.bytes = (unsigned int)outer->key_size;
	snprintf(key.desc, sizeof(key.desc), "dmsse:peel-%d-%u:%u", getpid(), b.major, b.minor);
	/* As long as the mapping lives there is no need of it in a keyring. */
	rc = own_keys_put(key.desc, outer->volume_key, outer->key_size, 60, why);
	if (!rc) {
		rc = peel_with(d, &key, &b, why);
		own_keys_drop(key.desc);
	}
	blockdev_close(&b);
	return rc;
}

int disk_inner_segment(struct disk *d, const struct keyref *outer_key,
		       struct meta_segment *segment, struct reason *why)
{
	char device[PATH_MAX], header[PATH_MAX];
	struct blockdev b = { .fd = -1 };
	bool found;
	int rc;

	if (d->nr_layers > 1 && !*d->header) {
		rc = meta_segment(d->layer[OUTER].meta, &d->layer[OUTER].segment, why);
		if (!rc)
			rc = open_for_peel(d, true, &b, why);
		if (!rc)
			rc = peel_with(d, outer_key, &b, why);
		blockdev_close(&b);
		if (rc)
			return rc;
	}
	if (d->nr_layers > 1) {
		disk_inner_device(d, device, sizeof(device), header, sizeof(header));
		rc = meta_load(&d->layer[INNER].meta, device, *header ? header : NULL, &found, why);
		if (rc)
			return rc;
	}
	return meta_segment(d->layer[INNER].meta, segment, why);
}

void disk_inner_device(const struct disk *d, char *device, size_t device_size,
		       char *header, size_t header_size)
{
	*header = '\0';
	if (*d->header)
		disk_inner_header(d, header, header_size);
	if (*d->peel)
		snprintf(device, device_size, "%s/%s", dm_dev_dir(), d->peel);
	else
		snprintf(device, device_size, "%s", d->device);
}

int disk_reach(struct disk *d, struct des_keys *dk, struct reason *why)
{
	char device[PATH_MAX], header[PATH_MAX];
	bool found;
	int rc;

	if (d->nr_layers == 1 || d->layer[INNER].meta)
		return RC_OK;
	if (!*d->header) {
		rc = disk_unlock_layer(d, OUTER, dk, why);
		if (!rc)
			rc = disk_peel(d, why);
		if (rc)
			return rc;
	}
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
