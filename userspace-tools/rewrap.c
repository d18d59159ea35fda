// SPDX-License-Identifier: GPL-2.0-only
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "rewrap.h"

/* RC_PERM: the token's key can't be used, or @slot is not opened by its secret. */
static int open_with(struct meta *m, int slot, const struct token *token, struct des_keys *dk,
		     const struct des_keys_use *use, struct secmem **volume_key, size_t *key_size,
		     struct reason *why)
{
	SECMEM_AUTO secret = NULL;
	int rc;

	rc = des_keys_unwrap(dk, use, token, &secret, why);
	if (!rc)
		rc = meta_slot_open(m, slot, secret, SLOT_SECRET_SIZE, volume_key, key_size, why);
	return rc;
}

static const struct token *find(const struct token *list, size_t nr, int id)
{
	size_t i;

	for (i = 0; i < nr; i++)
		if (list[i].id == id)
			return &list[i];
	return NULL;
}

/* What was written is what counts: it is read from disk, unwrapped, and tried. */
static int verify(struct meta *m, const struct token *token, struct des_keys *dk,
		  const struct des_keys_use *use, struct secmem *volume_key, size_t key_size,
		  struct reason *why)
{
	SECMEM_AUTO found = NULL;
	const struct token *stored;
	struct token *list = NULL;
	size_t nr = 0, found_size = 0;
	int rc;

	rc = meta_tokens(m, &list, &nr, why);
	if (rc)
		return rc;
	stored = find(list, nr, token->id);
	if (stored)
		rc = open_with(m, stored->keyslot, stored, dk, use, &found, &found_size, why);
	else
		rc = reason_set(why, RC_DEVICE, "The token just written is not in the header.");
	if (!rc && (found_size != key_size ||
		    CRYPTO_memcmp(secmem_data(found), secmem_data(volume_key), key_size)))
		rc = reason_set(why, RC_DEVICE, "The keyslot just written holds another key.");
	meta_tokens_free(list, nr);
	if (rc)
		reason_prefix(why, "The new keyslot does not open");
	return rc;
}

/*
 * An error on the way takes back what was added, as far as the device lets it.
 * Where the keyslot's making failed, the slot may have become somebody else's.
 */
static void take_back(struct meta *m, struct token *token, struct secmem *secret)
{
	int slot = token->keyslot >= 0 ? token->keyslot : token->pending_keyslot;
	SECMEM_AUTO volume_key = NULL;
	struct reason ignored;
	size_t key_size;

	if (secret && slot >= 0 && meta_slot_in_use(m, slot) &&
	    !meta_slot_open(m, slot, secret, SLOT_SECRET_SIZE, &volume_key, &key_size, &ignored))
		meta_slot_destroy(m, slot, &ignored);
	if (token->id >= 0)
		meta_token_remove(m, token->id, &ignored);
	token_free(token);
	token_init(token);
}

static int make(struct meta *m, enum token_layer layer, struct des_keys *dk,
		const struct des_keys_use *use, const char *version, struct secmem *volume_key,
		size_t key_size, struct token *added, struct secmem **secret, struct reason *why)
{
	int rc;

	token_init(added);
	added->layer = layer;
	added->pending_keyslot = meta_slot_free(m);
	if (added->pending_keyslot < 0)
		return reason_set(why, RC_PARAM,
			"The header has no free keyslot: destroy one that isn't needed, with cryptsetup luksKillSlot.");
	rc = des_keys_wrap(dk, use, version, added, secret, why);
	if (!rc)
		rc = meta_token_set(m, added, why);
	if (!rc)
		rc = meta_slot_add(m, added->pending_keyslot, volume_key, key_size, *secret,
				   SLOT_SECRET_SIZE, &added->keyslot, why);
	if (!rc) {
		added->pending_keyslot = -1;
		rc = meta_token_set(m, added, why);
	}
	return rc;
}

int rewrap_add(struct meta *m, enum token_layer layer, struct des_keys *dk,
	       const struct des_keys_use *use, const char *version, struct secmem *volume_key,
	       size_t key_size, struct token *added, struct reason *why)
{
	SECMEM_AUTO secret = NULL;
	int rc;

	rc = make(m, layer, dk, use, version, volume_key, key_size, added, &secret, why);
	if (!rc)
		rc = verify(m, added, dk, use, volume_key, key_size, why);
	if (rc)
		take_back(m, added, secret);
	return rc;
}

int rewrap_add_unproved(struct meta *m, enum token_layer layer, struct des_keys *dk,
			const struct des_keys_use *use, struct secmem *volume_key,
			size_t key_size, struct token *added, struct reason *why)
{
	SECMEM_AUTO secret = NULL;
	int rc;

	rc = make(m, layer, dk, use, NULL, volume_key, key_size, added, &secret, why);
	if (rc)
		take_back(m, added, secret);
	return rc;
}

/* Is another token than @self for this keyslot? */
static bool claimed(const struct token *list, size_t nr, int self, int keyslot)
{
	size_t i;

	for (i = 0; i < nr; i++)
		if (list[i].id != self && list[i].keyslot == keyslot)
			return true;
	return false;
}

int rewrap_retire(struct meta *m, const struct token *old, struct reason *why)
{
	struct token *list = NULL;
	size_t nr = 0;
	int rc;

	rc = meta_tokens(m, &list, &nr, why);
	if (rc)
		return rc;
	if (old->keyslot >= 0 && meta_slot_in_use(m, old->keyslot) &&
	    !claimed(list, nr, old->id, old->keyslot))
		rc = meta_slot_destroy(m, old->keyslot, why);
	if (!rc)
		rc = meta_token_remove(m, old->id, why);
	meta_tokens_free(list, nr);
	return rc;
}

int rewrap_retire_others(struct meta *m, int keep, struct reason *why)
{
	struct token *list = NULL;
	size_t nr = 0, i;
	int rc;

	rc = meta_tokens(m, &list, &nr, why);
	if (rc)
		return rc;
	for (i = 0; i < nr && !rc; i++)
		if (list[i].id != keep && list[i].keyslot >= 0)
			rc = rewrap_retire(m, &list[i], why);
	meta_tokens_free(list, nr);
	return rc;
}

/* Is the keyslot that @token announces the one that its secret opens? */
static int prove(struct meta *m, const struct token *token, struct des_keys *dk,
		 const struct des_keys_use *use, bool *ours, struct reason *why)
{
	SECMEM_AUTO volume_key = NULL;
	SECMEM_AUTO secret = NULL;
	size_t key_size;
	int rc;

	*ours = false;
	rc = des_keys_unwrap(dk, use, token, &secret, why);
	if (rc)
		return rc;
	rc = meta_slot_open(m, token->pending_keyslot, secret, SLOT_SECRET_SIZE, &volume_key,
			    &key_size, why);
	*ours = !rc;
	return rc == RC_PERM ? RC_OK : rc;
}

/* A move to another set that was cut off left a token of that one. */
static int prove_with_its_set(struct meta *m, const struct token *token, struct des_keys *dk,
			      const struct des_keys_use *use, bool *ours, struct reason *why)
{
	struct des_keys other;
	int rc;

	if (!strcmp(token->des_id, dk->des.id))
		return prove(m, token, dk, use, ours, why);
	rc = des_keys_open(&other, token->des, why);
	if (rc)
		return rc;
	rc = prove(m, token, &other, use, ours, why);
	des_keys_close(&other);
	return rc;
}

static int finish(struct meta *m, struct token *token, struct reason *why)
{
	token->keyslot = token->pending_keyslot;
	token->pending_keyslot = -1;
	return meta_token_set(m, token, why);
}

/* @token has no keyslot of its own yet. */
static int settle(struct meta *m, struct token *token, bool may_be_ours, struct des_keys *dk,
		  const struct des_keys_use *use, struct rewrap_leftovers *found,
		  struct reason *why)
{
	bool ours = false;
	int rc;

	if (may_be_ours && !dk)
		rc = reason_set(&found->hindrance, RC_PERM, "It takes the key to tell.");
	else if (may_be_ours)
		rc = prove_with_its_set(m, token, dk, use, &ours, &found->hindrance);
	else
		rc = RC_OK;
	if (rc) {
		found->undecided++;
		return RC_OK;
	}
	if (ours) {
		rc = finish(m, token, why);
		found->finished += !rc;
	} else {
		rc = meta_token_remove(m, token->id, why);
		found->removed += !rc;
	}
	return rc;
}

int rewrap_clean(struct meta *m, struct des_keys *dk, const struct des_keys_use *use,
		 struct rewrap_leftovers *found, struct reason *why)
{
	struct token *list = NULL;
	size_t nr = 0, i;
	int rc;

	memset(found, 0, sizeof(*found));
	rc = meta_tokens(m, &list, &nr, why);
	if (rc)
		return rc;
	for (i = 0; i < nr && !rc; i++) {
		int pending = list[i].pending_keyslot;

		if (list[i].keyslot >= 0)
			continue;
		rc = settle(m, &list[i], pending >= 0 && meta_slot_in_use(m, pending) &&
			    !claimed(list, nr, list[i].id, pending), dk, use, found, why);
	}
	meta_tokens_free(list, nr);
	return rc;
}
