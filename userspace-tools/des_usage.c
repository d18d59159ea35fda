// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "des_usage.h"
#include "disk.h"
#include "opened.h"

int des_usage_disks(const char *name, const char *id, struct known_disk **list, size_t *nr,
		    struct reason *why)
{
	size_t all, i;
	int rc;

	*nr = 0;
	rc = registry_list(name, list, &all, why);
	if (rc)
		return rc;
	/* A set that had the name before was another one. */
	for (i = 0; i < all; i++)
		if (!*id || !*(*list)[i].des_id || !strcmp(id, (*list)[i].des_id))
			(*list)[(*nr)++] = (*list)[i];
	return RC_OK;
}

static bool is_missing(const char *path)
{
	return access(path, F_OK) && (errno == ENOENT || errno == ENOTDIR);
}

/* Names for which there is no memory are not shown. */
static void add_names(struct des_use *use, const struct opened *opened, size_t nr)
{
	const char *name;
	void *grown;
	size_t at = 0;

	while ((name = opened_name(opened, nr, &use->known, &at))) {
		grown = reallocarray(use->names, use->nr_names + 1, sizeof(*use->names));
		if (!grown)
			return;
		use->names = grown;
		snprintf(use->names[use->nr_names++], sizeof(*use->names), "%s", name);
	}
}

static int add_keys(struct des_use *use, const struct token *tokens, size_t nr,
		    struct reason *why)
{
	struct des_use_key *key;
	size_t i;

	key = reallocarray(use->keys, use->nr_keys + nr + 1, sizeof(*key));
	if (!key)
		return reason_nomem(why);
	use->keys = key;
	for (i = 0; i < nr; i++) {
		/* An announcement whose keyslot was never made wraps nothing. */
		if (tokens[i].keyslot < 0)
			continue;
		key = &use->keys[use->nr_keys++];
		key->layer = tokens[i].layer;
		key->customer = tokens[i].customer;
		snprintf(key->uri, sizeof(key->uri), "%s", tokens[i].kek_uri);
		snprintf(key->version, sizeof(key->version), "%s", tokens[i].kek_version);
		snprintf(key->fingerprint, sizeof(key->fingerprint), "%s",
			 tokens[i].kek_fingerprint);
		snprintf(key->created, sizeof(key->created), "%s", tokens[i].created);
	}
	return RC_OK;
}

static int read_header(struct des_use *use, struct meta *meta, struct reason *why)
{
	struct token *tokens = NULL;
	size_t nr;
	int rc;

	rc = meta_tokens(meta, &tokens, &nr, why);
	if (rc)
		return rc;
	rc = add_keys(use, tokens, nr, why);
	meta_tokens_free(tokens, nr);
	return rc;
}

static int read_inner(struct des_use *use, struct disk *d, struct reason *why)
{
	struct des_keys dk;
	int rc;

	rc = disk_open_keys(d, &dk, why);
	if (rc)
		return rc;
	rc = des_keys_usable(&dk, why);
	if (!rc)
		rc = disk_reach(d, &dk, why);
	des_keys_close(&dk);
	return rc ? rc : read_header(use, d->layer[0].meta, why);
}

static int read_disk(struct des_use *use, const struct des *des, struct disk *d,
		     struct reason *why)
{
	const struct known_disk *known = &use->known;
	int rc;

	rc = disk_load(d, known->device, *known->header ? known->header : NULL, why);
	if (rc)
		return rc;
	if (!d->ours)
		return reason_set(why, RC_DEVICE, "it belongs to no disk encryption set any more.");
	if (strcmp(d->des_id, des->id))
		return reason_set(why, RC_DEVICE, "it belongs to disk encryption set %s, id %s.",
				  d->des, d->des_id);
	rc = read_header(use, d->layer[d->nr_layers - 1].meta, why);
	if (!rc && d->nr_layers > 1)
		rc = read_inner(use, d, why);
	return rc;
}

static void look_at(struct des_use *use, const struct des *des)
{
	struct reason why = { 0 };
	struct disk d;

	use->missing = is_missing(use->known.device) ||
		       (*use->known.header && is_missing(use->known.header));
	if (use->missing) {
		snprintf(use->problem, sizeof(use->problem), "it is not there.");
		return;
	}
	disk_init(&d);
	if (read_disk(use, des, &d, &why))
		memcpy(use->problem, why.text, sizeof(use->problem));
	disk_close(&d);
}

int des_usage_read(const struct des *des, struct des_use **list, size_t *nr,
		   struct reason *why)
{
	struct opened *opened = NULL;
	struct known_disk *known;
	size_t nr_opened = 0, i;
	int rc;

	*list = NULL;
	rc = des_usage_disks(des->name, des->id, &known, nr, why);
	if (rc)
		return rc;
	if (*nr) {
		*list = calloc(*nr, sizeof(**list));
		rc = *list ? opened_list(&opened, &nr_opened, why) : reason_nomem(why);
	}
	for (i = 0; i < *nr && !rc; i++) {
		(*list)[i].known = known[i];
		add_names(&(*list)[i], opened, nr_opened);
		look_at(&(*list)[i], des);
	}
	if (rc) {
		free(*list);
		*list = NULL;
		*nr = 0;
	}
	free(opened);
	free(known);
	return rc;
}

void des_usage_free(struct des_use *list, size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++) {
		free(list[i].keys);
		free(list[i].names);
	}
	free(list);
}

bool des_usage_counts(const struct des *des, const struct des_use_key *key)
{
	return key->customer == (des->type != DES_PLATFORM);
}

bool des_usage_active(const struct des *des, const struct des_use *list, size_t nr,
		      struct des_use_key *active)
{
	const struct des_use_key *key;
	struct kek_config config;
	bool found = false;
	size_t i, j;

	memset(active, 0, sizeof(*active));
	des_kek_config(des, TOKEN_SINGLE, active->uri, sizeof(active->uri), &config);
	active->customer = des->type != DES_PLATFORM;
	if (*des->active_version) {
		memcpy(active->version, des->active_version, sizeof(active->version));
		memcpy(active->fingerprint, des->active_fingerprint, sizeof(active->fingerprint));
		return true;
	}
	for (i = 0; i < nr; i++) {
		for (j = 0; j < list[i].nr_keys; j++) {
			key = &list[i].keys[j];
			/* RFC 3339 in UTC sorts as text. */
			if (!des_usage_counts(des, key) ||
			    (found && strcmp(key->created, active->created) <= 0))
				continue;
			*active = *key;
			found = true;
		}
	}
	return found;
}
