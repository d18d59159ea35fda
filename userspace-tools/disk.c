// SPDX-License-Identifier: GPL-2.0-only
/*
 * A disk by its outermost header: loaded, locked against others, closed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "blockdev.h"
#include "disk_internal.h"
#include "files.h"
#include "paths.h"

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

void disk_close(struct disk *d)
{
	unsigned int i;

	for (i = 0; i < SSE_LAYERS_MAX; i++) {
		meta_free(&d->layer[i].meta);
		secmem_free(&d->layer[i].volume_key);
		token_free(&d->layer[i].token);
	}
	disk_unpeel(d);
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
