// SPDX-License-Identifier: GPL-2.0-only
/*
 * ssesetup open --type plain DEVICE NAME
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "blockdev.h"
#include "cipher.h"
#include "confirm.h"
#include "diag.h"
#include "mapping.h"
#include "open.h"
#include "pairs.h"
#include "ssesetup.h"

/* What names a layer on the command line, and its size of key if that can't be learnt. */
static const struct layer_options {
	enum opt_id cipher;
	enum opt_id key_size;
	enum opt_id key_desc;
	enum opt_id skip;
	const char *key_size_name;
	const char *key_desc_name;
	const char *skip_name;
	unsigned int default_bits;
} layer_options[SSE_LAYERS_MAX] = {
	{ OPT_CIPHER, OPT_KEY_SIZE, OPT_KEY_DESC, OPT_SKIP,
	  "--key-size", "--key-desc", "--skip", 512 },
	{ OPT_OUTER_CIPHER, OPT_OUTER_KEY_SIZE, OPT_OUTER_KEY_DESC, OPT_OUTER_SKIP,
	  "--outer-key-size", "--outer-key-desc", "--outer-skip", 256 },
};

/* The ciphers of --double, or NULL without it. */
static int find_pair(const struct options *o, const struct cipher_pair **pair)
{
	*pair = NULL;
	if (!opt_given(o, OPT_DOUBLE))
		return RC_OK;
	if (opt_given(o, OPT_CIPHER) || opt_given(o, OPT_OUTER_CIPHER))
		return diag_fail(RC_PARAM, "--double chooses the ciphers: leave out --cipher and --outer-cipher,\n"
				 "or choose yourself with these two and leave out --double.");
	return pair_find(o->str[OPT_DOUBLE], pair);
}

static int layer_params(const struct options *o, struct sse_table *t, unsigned int index,
			const char *cipher)
{
	const struct layer_options *names = &layer_options[index];
	struct keyref *key = &t->layer[index].key;
	uint64_t bits = o->num[names->key_size];
	int rc;

	rc = cipher_check(cipher);
	if (!rc)
		rc = table_set_cipher(t, index, cipher);
	if (rc)
		return rc;

	if (opt_given(o, names->key_size) && (!bits || bits % 8 || bits / 8 > KEY_BYTES_MAX))
		return diag_fail(RC_PARAM,
			"%s is in bits: a multiple of 8, up to %d; AES-256-XTS takes 512.",
			names->key_size_name, KEY_BYTES_MAX * 8);

	if (!o->str[names->key_desc]) {
		if (cipher_takes_no_key(cipher))
			return RC_OK;
		return diag_fail(RC_PARAM, "Which key%s? Load it with 'ssesetup key load', and give %s [TYPE:]DESC.",
				 index ? " for the outer layer" : "", names->key_desc_name);
	}
	if (cipher_takes_no_key(cipher))
		return diag_fail(RC_PARAM, "Cipher %s takes no key.", cipher);
	rc = keyref_parse(o->str[names->key_desc], NULL, key);
	if (rc)
		return rc;
	if (bits && key->bytes && key->bytes * 8 != bits)
		return diag_fail(RC_PARAM, "%s says %" PRIu64 " bits, %s says %u.", names->key_size_name,
				 bits, names->key_desc_name, key->bytes * 8);
	if (bits)
		key->bytes = (unsigned int)bits / 8;
	if (key->bytes)
		return cipher_check_key_size(cipher, key->bytes);
	return RC_OK;
}

/* An option that would have no effect is a mistake somewhere else. */
static int check_single(const struct options *o)
{
	if (opt_given(o, OPT_OUTER_KEY_DESC) || opt_given(o, OPT_OUTER_KEY_SIZE) ||
	    opt_given(o, OPT_OUTER_SKIP) || opt_given(o, OPT_ALLOW_SAME_CIPHER))
		return diag_fail(RC_PARAM, "Two layers need --double, or the outer one's cipher: --outer-cipher.");
	return RC_OK;
}

static int all_layer_params(const struct options *o, struct sse_table *t)
{
	const struct keyref *inner = &t->layer[0].key, *outer = &t->layer[1].key;
	const struct cipher_pair *pair;
	const char *cipher;
	unsigned int i;
	int rc;

	rc = find_pair(o, &pair);
	if (rc)
		return rc;
	t->nr_layers = pair || opt_given(o, OPT_OUTER_CIPHER) ? 2 : 1;
	if (t->nr_layers == 1) {
		rc = check_single(o);
		if (rc)
			return rc;
	}
	for (i = 0; i < t->nr_layers; i++) {
		cipher = pair ? pair->cipher[i] : o->str[layer_options[i].cipher];
		rc = layer_params(o, t, i, cipher ? cipher : DEFAULT_CIPHER);
		if (rc)
			return rc;
	}
	if (t->nr_layers == 2 && inner->type[0] && !strcmp(inner->type, outer->type) &&
	    !strcmp(inner->desc, outer->desc))
		return diag_fail(RC_PARAM, "Both layers have the key '%s': two layers need two keys.",
				 inner->desc);
	return RC_OK;
}

static int sector_params(const struct options *o, struct sse_table *t)
{
	uint64_t bytes = opt_given(o, OPT_SECTOR_SIZE) ? o->num[OPT_SECTOR_SIZE] : SECTOR_SIZE;
	uint64_t per_sector = bytes / SECTOR_SIZE;
	unsigned int i;

	if (bytes != 512 && bytes != 1024 && bytes != 2048 && bytes != 4096)
		return diag_fail(RC_PARAM, "--sector-size must be 512, 1024, 2048 or 4096.");
	t->sector_size = (unsigned int)bytes;
	if ((t->flags & SSE_IV_LARGE_SECTORS) && bytes == SECTOR_SIZE)
		return diag_fail(RC_PARAM, "--iv-large-sectors needs a --sector-size larger than 512.");

	t->start = o->num[OPT_OFFSET];
	if (t->start > UINT64_MAX / SECTOR_SIZE)
		return diag_fail(RC_PARAM, "--offset %" PRIu64 " is too large.", t->start);
	if (t->start % per_sector)
		return diag_fail(RC_PARAM, "--offset must be a multiple of the encryption sector: %" PRIu64
				 " sectors.", per_sector);
	for (i = 0; i < t->nr_layers; i++) {
		t->layer[i].iv_offset = o->num[layer_options[i].skip];
		if (t->layer[i].iv_offset % per_sector)
			return diag_fail(RC_PARAM, "%s must be a multiple of the encryption sector: %" PRIu64
					 " sectors.", layer_options[i].skip_name, per_sector);
	}
	return RC_OK;
}

/* All that can be told from the command line alone. */
static int parse_params(const struct options *o, struct sse_table *t, uint64_t *size)
{
	bool given;
	int rc;

	if (opt_given(o, OPT_CACHE))
		return diag_fail(RC_PARAM, "A cache is noted in the disk's header, and a plain device has none:\n"
				 "put the cache below it yourself, never above.");
	if (opt_given(o, OPT_DES))
		return diag_fail(RC_PARAM, "--des is not for a plain device, which has no header to say its set.");
	if (opt_given(o, OPT_KEY_FILE))
		return diag_fail(RC_PARAM, "Option --key-file is not for a plain device.\n"
				 "A key goes through the keyring: 'ssesetup key load' reads it from a file,\n"
				 "--key-desc names it.");
	if (opt_given(o, OPT_CLONE))
		return diag_fail(RC_PARAM, "Option --clone is not for a plain device, which has no UUID.");
	t->flags |= mapping_flags(o);

	rc = all_layer_params(o, t);
	if (!rc)
		rc = sector_params(o, t);
	if (!rc)
		rc = mapping_wanted_size(o, size, &given);
	if (!rc && *size % (t->sector_size / SECTOR_SIZE))
		rc = diag_fail(RC_PARAM,
			"The size of %" PRIu64 " sectors is not a multiple of the encryption sector of %u bytes.",
			*size, t->sector_size);
	return rc;
}

/* A plain mapping has no header: nothing else tells a mistaken device. */
static int confirm_overwrite(const struct options *o, const struct blockdev *b, const char *path)
{
	const char *what = blockdev_signature(b);

	if (!what || b->readonly || opt_given(o, OPT_BATCH_MODE))
		return RC_OK;
	return confirm(o, "Device %s holds %s. Writes to a plain mapping destroy it;\n"
		       "--readonly changes nothing.", path, what);
}

static int open_on(const struct options *o, struct sse_table *t, uint64_t size,
		   const struct blockdev *b, const char *path, const char *name)
{
	char uuid[160];
	unsigned int i;
	int rc;

	rc = mapping_check_size(t, path, b->sectors, b->block_size, &size);
	if (!rc)
		rc = confirm_overwrite(o, b, path);
	if (!rc)
		rc = mapping_find_keys(t, o->str[OPT_KEYRING]);
	if (rc)
		return rc;
	for (i = 0; i < t->nr_layers; i++) {
		struct keyref *key = &t->layer[i].key;

		if (!key->type[0])
			continue;
		if (!key->bytes)
			key->bytes = layer_options[i].default_bits / 8;
		rc = cipher_check_key_size(t->layer[i].cipher, key->bytes);
		if (rc)
			return rc;
	}

	snprintf(uuid, sizeof(uuid), DMSSE_UUID_PREFIX "PLAIN-%.115s", name);
	return mapping_create(o, name, uuid, t, size, b);
}

int open_plain(const struct options *o, const char *device, const char *name)
{
	struct sse_table t = { 0 };
	struct blockdev b = { .fd = -1 };
	uint64_t size = 0;
	int rc;

	rc = parse_params(o, &t, &size);
	if (rc || opt_given(o, OPT_TEST_ARGS))
		goto out;
	rc = blockdev_open(&b, device, opt_given(o, OPT_READONLY), opt_given(o, OPT_SHARED));
	if (rc)
		goto out;
	if (asprintf(&t.device, "%u:%u", b.major, b.minor) < 0) {
		t.device = NULL;
		rc = diag_nomem();
	} else {
		rc = open_on(o, &t, size, &b, device, name);
	}
	blockdev_close(&b);
out:
	table_free(&t);
	return rc;
}
