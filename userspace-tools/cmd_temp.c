// SPDX-License-Identifier: GPL-2.0-only
/*
 * ssesetup temp create DEVICE NAME
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "blockdev.h"
#include "cipher.h"
#include "claim.h"
#include "confirm.h"
#include "dm.h"
#include "hidden.h"
#include "interrupt.h"
#include "mapping.h"
#include "pairs.h"
#include "policy.h"
#include "signature.h"
#include "ssesetup.h"
#include "temp.h"
#include "temp_content.h"
#include "temp_key.h"

/* Of the default cipher: AES-256 in XTS mode. */
#define DEFAULT_KEY_BYTES	64
#define LARGE_SECTOR		4096

struct temp {
	const struct options *o;
	const char *path;		/* of the device below */
	const char *name;
	struct sse_table table;
	uint64_t size;			/* in sectors of 512 bytes; 0: all there is */
	struct blockdev device;
	struct temp_content content;
};

static int choose_pair(struct temp *t)
{
	const struct cipher_pair *pair;
	unsigned int i;
	int rc;

	if (opt_given(t->o, OPT_CIPHER) || opt_given(t->o, OPT_KEY_SIZE))
		return diag_fail(RC_PARAM, "--double chooses ciphers and keys: leave out --cipher and --key-size.");
	rc = pair_find(t->o->str[OPT_DOUBLE], &pair);
	t->table.nr_layers = SSE_LAYERS_MAX;
	for (i = 0; i < SSE_LAYERS_MAX && !rc; i++) {
		t->table.layer[i].key.bytes = pair->key_bytes[i];
		rc = table_set_cipher(&t->table, i, pair->cipher[i]);
	}
	return rc;
}

static int choose_cipher(struct temp *t)
{
	const char *cipher = t->o->str[OPT_CIPHER] ? t->o->str[OPT_CIPHER] : DEFAULT_CIPHER;
	uint64_t bits = opt_given(t->o, OPT_KEY_SIZE) ? t->o->num[OPT_KEY_SIZE] :
							DEFAULT_KEY_BYTES * 8;
	int rc;

	if (opt_given(t->o, OPT_DOUBLE))
		return choose_pair(t);
	rc = cipher_check(cipher);
	if (rc)
		return rc;
	if (cipher_takes_no_key(cipher))
		return diag_fail(RC_PARAM, "Cipher %s takes no key: a temporary disk is encrypted.", cipher);
	if (!bits || bits % 8 || bits / 8 > KEY_BYTES_MAX)
		return diag_fail(RC_PARAM, "--key-size is in bits: a multiple of 8, up to %d; AES-256-XTS takes 512.",
				 KEY_BYTES_MAX * 8);
	t->table.nr_layers = 1;
	t->table.layer[0].key.bytes = (unsigned int)bits / 8;
	rc = cipher_check_key_size(cipher, (unsigned int)bits / 8);
	return rc ? rc : table_set_cipher(&t->table, 0, cipher);
}

/* All that can be told from the command line alone. */
static int choose(struct temp *t)
{
	uint64_t bytes = opt_given(t->o, OPT_SECTOR_SIZE) ? t->o->num[OPT_SECTOR_SIZE] : SECTOR_SIZE;
	bool given;
	int rc;

	if (bytes != 512 && bytes != 1024 && bytes != 2048 && bytes != 4096)
		return diag_fail(RC_PARAM, "--sector-size must be 512, 1024, 2048 or 4096.");
	t->table.sector_size = (unsigned int)bytes;
	t->table.flags = mapping_flags(t->o);
	rc = choose_cipher(t);
	if (!rc)
		rc = mapping_wanted_size(t->o, &t->size, &given);
	return rc ? rc : temp_content_choose(&t->content, t->o);
}

/* Nobody has to open it again: the fastest sector is taken wherever it fits. */
static void choose_sector(struct temp *t)
{
	uint64_t sectors = t->size ? t->size : t->device.sectors;

	if (!opt_given(t->o, OPT_SECTOR_SIZE) && !(sectors % (LARGE_SECTOR / SECTOR_SIZE)))
		t->table.sector_size = LARGE_SECTOR;
}

static int look_at_device(struct temp *t, struct reason *why)
{
	int rc;

	if (t->device.readonly)
		return reason_set(why, RC_DEVICE, "Device %.400s is read-only: it can't be a temporary disk.",
				  t->path);
	choose_sector(t);
	rc = mapping_check_size(&t->table, t->path, t->device.sectors, t->device.block_size, &t->size);
	if (rc)
		return reason_said(why, rc);
	if (asprintf(&t->table.device, "%u:%u", t->device.major, t->device.minor) >= 0)
		return RC_OK;
	t->table.device = NULL;
	return reason_nomem(why);
}

static int agree(const struct temp *t, bool *signature, struct reason *why)
{
	char what[256];
	int rc;

	rc = signature_find(t->path, what, sizeof(what), why);
	if (rc)
		return rc;
	*signature = *what;
	if (!*what)
		rc = claim_find(t->path, what, sizeof(what), why);
	if (rc)
		return rc;
	if (!*what)
		return RC_OK;
	rc = confirm(t->o, "Device %s holds %s.\nA temporary disk on it destroys that irrevocably.",
		     t->path, what);
	return rc ? reason_said(why, rc) : RC_OK;
}

static int map(struct temp *t, struct reason *why)
{
	struct temp_keys keys;
	char uuid[130];
	int rc;

	rc = temp_keys_make(&keys, &t->table, why);
	if (rc)
		return rc;
	temp_uuid(t->name, uuid, sizeof(uuid));
	rc = mapping_create(t->o, t->name, uuid, &t->table, t->size, &t->device);
	temp_keys_destroy(&keys);
	return rc ? reason_said(why, rc) : RC_OK;
}

/* @wipe: what was known there isn't what is there any more. */
static int make(struct temp *t, bool wipe, struct reason *why)
{
	int rc, err;

	rc = map(t, why);
	if (rc)
		return rc;
	if (wipe)
		rc = signature_wipe(t->path, why);
	if (!rc)
		rc = temp_content_write(&t->content, t->name, t->table.sector_size, why);
	if (!rc)
		return RC_OK;
	err = dm_remove(t->name, false);
	if (err && err != ENXIO)
		diag_error("Device %s is still there, for somebody has opened it: close it.", t->name);
	else if (why->text[0])
		reason_prefix(why, "Device %s is closed again", t->name);
	return rc;
}

static int make_audited(struct temp *t, bool wipe, struct reason *why)
{
	char device[PATH_MAX];
	struct audit_subject subject = { .device = device, .mapping = t->name };
	struct audit audit;
	int rc;

	blockdev_absolute(t->path, device, sizeof(device));
	rc = audit_intent(&audit, AUDIT_TEMP_CREATE, &subject, why);
	if (rc)
		return rc;
	rc = make(t, wipe, why);
	audit_result(&audit, rc ? why : NULL);
	return rc;
}

static int create(struct temp *t, struct reason *why)
{
	bool signature = false;
	int rc;

	rc = mapping_name_is_free(t->name);
	if (!rc && t->content.image)
		rc = hidden_sweep();
	if (!rc)
		rc = blockdev_open(&t->device, t->path, false, false);
	if (rc)
		return reason_said(why, rc);
	rc = look_at_device(t, why);
	if (!rc)
		rc = policy_check_layers(t->path, "", t->table.nr_layers, why);
	if (!rc)
		rc = temp_content_open(&t->content, t->path, t->size * SECTOR_SIZE, why);
	if (!rc)
		rc = agree(t, &signature, why);
	if (!rc)
		rc = make_audited(t, signature, why);
	temp_content_close(&t->content);
	blockdev_close(&t->device);
	return rc;
}

int cmd_temp_create(const struct options *o, int argc, char **argv)
{
	struct temp t = { .o = o, .path = argv[0], .device.fd = -1 };
	struct reason why = { 0 };
	int rc;

	(void)argc;
	t.name = dm_name(argv[1]);
	if (!t.name)
		return RC_PARAM;
	rc = choose(&t);
	if (!rc && !opt_given(o, OPT_TEST_ARGS)) {
		rc = create(&t, &why);
		if (rc)
			reason_say(&why);
	}
	table_free(&t.table);
	/* Everything is put away. */
	interrupt_end();
	return rc;
}
