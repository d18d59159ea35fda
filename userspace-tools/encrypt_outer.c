// SPDX-License-Identifier: GPL-2.0-only
/*
 * The begin of a second layer around a disk that has one.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "assign.h"
#include "encrypt_internal.h"
#include "files.h"
#include "hidden.h"
#include "inplace.h"
#include "policy.h"
#include "registry.h"
#include "rewrap.h"

#define INNER	0
#define OUTER	1

struct wrap {
	const struct encryption *e;
	struct disk disk;
	struct des_keys from, to;
	const struct cipher_pair *pair;
};

static int check_sets(const struct wrap *w, struct reason *why)
{
	const struct des *from = &w->from.des, *to = &w->to.des;

	if (to->type == DES_CUSTOMER)
		return reason_set(why, RC_PARAM,
			"Disk encryption set %s is of type customer, with one layer:\n"
			"--des names one of type platform-and-customer.", to->name);
	if (from->type != DES_PLATFORM && to->type == DES_PLATFORM)
		return assign_check(&w->disk, from, to, why);
	return policy_check_layers(w->disk.device, to->name, 2, why);
}

static int check_ciphers(const struct wrap *w, struct reason *why)
{
	const struct meta_segment *inner = &w->disk.layer[INNER].segment;

	if (strcmp(inner->cipher, w->pair->cipher[OUTER]))
		return RC_OK;
	return reason_set(why, RC_PARAM,
		"The disk is encrypted by %s already: a second layer of that would be no other.",
		inner->cipher);
}

/* What lies within the layer that is there. */
static int look_inside(const struct wrap *w, struct extent *x, uint64_t *size,
		       struct reason *why)
{
	char node[64];
	struct hidden h;
	int rc;

	rc = hidden_sweep();
	if (rc)
		return reason_said(why, rc);
	rc = hidden_open(&h, &w->disk, &w->from, true, why);
	if (rc)
		return rc;
	/* It has no other name any more: it goes when we do. */
	snprintf(node, sizeof(node), "/proc/self/fd/%d", h.fd);
	*size = h.size;
	rc = extent_find(node, x, why);
	hidden_close(&h);
	return rc;
}

static bool opens(struct wrap *w, const struct des_keys_use *use, const struct token *token)
{
	struct disk_layer *layer = &w->disk.layer[INNER];
	SECMEM_AUTO volume_key = NULL;
	SECMEM_AUTO secret = NULL;
	struct reason ignored;
	size_t key_size;

	return !des_keys_unwrap(&w->to, use, token, &secret, &ignored) &&
	       !meta_slot_open(layer->meta, token->keyslot, secret, SLOT_SECRET_SIZE, &volume_key,
			       &key_size, &ignored);
}

/*
 * Is there one of an earlier begin? Only if it opens: the version of the key that
 * wrapped it may be gone.
 */
static bool has_inner(struct wrap *w, const struct des_keys_use *use)
{
	struct token *list = NULL;
	struct reason ignored;
	bool found = false;
	size_t nr, i;

	if (meta_tokens(w->disk.layer[INNER].meta, &list, &nr, &ignored))
		return false;
	for (i = 0; i < nr && !found; i++)
		found = list[i].keyslot >= 0 && list[i].layer == TOKEN_INNER &&
			!strcmp(list[i].des_id, w->to.des.id) && opens(w, use, &list[i]);
	meta_tokens_free(list, nr);
	return found;
}

/*
 * A wrapped secret is bound to its layer, so the layer that will be the inner one
 * needs another. Until the outer one is there the disk is opened by the old.
 */
static int make_inner_token(struct wrap *w, struct reason *why)
{
	struct disk_layer *layer = &w->disk.layer[INNER];
	struct des_keys_use use = { .device = w->disk.device, .uuid = meta_uuid(layer->meta) };
	struct rewrap_leftovers leftovers;
	struct token added;
	int rc;

	if (has_inner(w, &use))
		return RC_OK;
	rc = rewrap_clean(layer->meta, &w->to, &use, &leftovers, why);
	if (!rc)
		rc = rewrap_add(layer->meta, TOKEN_INNER, &w->to, &use, NULL, layer->volume_key,
				layer->key_size, &added, why);
	if (!rc)
		token_free(&added);
	return rc;
}

/* The header that will be FILE.inner; a file of that name that is another disk's stays. */
static int save_inner(struct wrap *w, struct reason *why)
{
	const char *old = *w->disk.header ? w->disk.header : NULL;
	char inner[PATH_MAX], part[PATH_MAX + 8];
	struct meta *there = NULL;
	struct reason ignored;
	bool found, same;
	int rc, err;

	snprintf(inner, sizeof(inner), "%.4000s.inner", w->e->header);
	snprintf(part, sizeof(part), "%s.part", inner);
	if (!access(inner, F_OK)) {
		same = !meta_load(&there, w->e->device, inner, &found, &ignored) &&
		       !strcmp(meta_uuid(there), disk_uuid(&w->disk));
		meta_free(&there);
		if (!same)
			return reason_set(why, RC_BUSY, "%s exists already, and isn't this disk's header.",
					  inner);
	}
	unlink(part);
	rc = meta_backup(w->e->device, old, part, why);
	if (!rc) {
		err = chmod(part, 0600) || rename(part, inner) ? errno : files_sync_parent(inner);
		if (err)
			rc = reason_set(why, RC_DEVICE, "Header file %s can't be made: %s.", inner,
					strerror(err));
	}
	if (rc)
		unlink(part);
	return rc;
}

static int wrap(struct wrap *w, struct reason *why)
{
	const struct encryption *e = w->e;
	struct format_params p = {
		.device = e->device,
		.header = e->header,
		.dk = &w->to,
		.uuid = e->o->str[OPT_UUID],
		.label = e->o->str[OPT_LABEL],
		.recovery_key = opt_given(e->o, OPT_RECOVERY_KEY),
	};
	struct extent x = { .known = false };
	uint64_t size = 0;
	int rc;

	rc = check_sets(w, why);
	if (!rc)
		rc = des_keys_usable(&w->from, why);
	if (!rc)
		rc = des_keys_usable(&w->to, why);
	if (!rc)
		rc = format_pair(&w->to.des, true, e->o->str[OPT_DOUBLE], &w->pair, why);
	if (!rc)
		rc = encrypt_check_unwraps(&w->to, TOKEN_INNER, why);
	if (!rc)
		rc = encrypt_check_size(e, why);
	if (!rc)
		rc = disk_unlock(&w->disk, &w->from, why);
	if (!rc)
		rc = check_ciphers(w, why);
	if (!rc && e->shift)
		rc = look_inside(w, &x, &size, why);
	if (!rc)
		rc = encrypt_check_fits(e, &x, size, why);
	p.pair = w->pair;
	p.sector_size = w->disk.layer[INNER].segment.sector_size;
	x.block = 0;
	if (!rc)
		rc = encrypt_check_sectors(e, &x, p.sector_size, why);
	if (!rc)
		rc = encrypt_confirm(e, &x, why);
	if (!rc)
		rc = make_inner_token(w, why);
	if (!rc && e->header)
		rc = save_inner(w, why);
	return rc ? rc : encrypt_make(e, &p, 2, why);
}

static int wrap_for(struct wrap *w, struct reason *why)
{
	const char *set = w->e->o->str[OPT_DES];
	int rc;

	rc = disk_open_keys(&w->disk, &w->from, why);
	if (rc)
		return rc;
	rc = des_keys_open(&w->to, set ? set : w->disk.des, why);
	if (!rc) {
		rc = wrap(w, why);
		des_keys_close(&w->to);
	}
	des_keys_close(&w->from);
	return rc;
}

/* Where the header was is only noise from now on. */
static int forget_place(const struct disk *d, struct reason *why)
{
	struct reason ignored;
	char name[PATH_MAX];
	int rc;

	rc = registry_stable_name(d->device, name, sizeof(name), why);
	/* It may have been in no register. */
	if (!rc)
		registry_forget(name, "", &ignored);
	return rc;
}

int encrypt_begin_outer(const struct encryption *e, struct reason *why)
{
	struct wrap w = { .e = e };
	struct stat st;
	int rc;

	if (e->header && !stat(e->header, &st) && !S_ISREG(st.st_mode))
		return reason_set(why, RC_PARAM,
			"%s is no regular file: the inner header would be in %s.inner beside it.",
			e->header, e->header);
	disk_init(&w.disk);
	/* The header is where it was: in the file already, or on the device still. */
	rc = disk_load(&w.disk, e->device, e->header && !access(e->header, F_OK) ? e->header : NULL,
		       why);
	if (!rc && !w.disk.ours)
		rc = reason_set(why, RC_PARAM,
			"%s belongs to no disk encryption set: 'ssesetup assign' takes it into one first.",
			e->device);
	if (!rc)
		rc = disk_lock(&w.disk, why);
	if (!rc)
		rc = inplace_check_disk(e->o, &w.disk, why);
	if (!rc)
		rc = wrap_for(&w, why);
	if (!rc && e->header && !*w.disk.header)
		rc = forget_place(&w.disk, why);
	disk_close(&w.disk);
	return rc;
}
