// SPDX-License-Identifier: GPL-2.0-only
/*
 * ssesetup open --type plain DEVICE NAME
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "blockdev.h"
#include "diag.h"
#include "dm.h"
#include "keyring.h"
#include "kmsg.h"
#include "mapping.h"
#include "module.h"
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

#define DEFAULT_CIPHER	"aes-xts-plain64"

/* Pairs of --double: unlike in algorithm and in mode. The first is the default. */
static const struct pair {
	const char *name;
	const char *cipher[SSE_LAYERS_MAX];
	bool approved;	/* with fips=1 */
} pairs[] = {
	{ "adiantum",	{ DEFAULT_CIPHER, "xchacha12,aes-adiantum-plain64" }, false },
	{ "fips",	{ DEFAULT_CIPHER, "aes-cbc-essiv:sha256" },	      true },
};

#define NR_PAIRS	(sizeof(pairs) / sizeof(pairs[0]))

static const struct {
	enum opt_id id;
	unsigned int flag;
} flag_options[] = {
	{ OPT_ALLOW_DISCARDS,			SSE_ALLOW_DISCARDS },
	{ OPT_PERF_SAME_CPU_CRYPT,		SSE_SAME_CPU_CRYPT },
	{ OPT_PERF_SUBMIT_FROM_CRYPT_CPUS,	SSE_SUBMIT_FROM_CRYPT_CPUS },
	{ OPT_PERF_NO_READ_WORKQUEUE,		SSE_NO_READ_WORKQUEUE },
	{ OPT_PERF_NO_WRITE_WORKQUEUE,		SSE_NO_WRITE_WORKQUEUE },
	{ OPT_PERF_HIGH_PRIORITY,		SSE_HIGH_PRIORITY },
	{ OPT_IV_LARGE_SECTORS,			SSE_IV_LARGE_SECTORS },
	{ OPT_ALLOW_SAME_CIPHER,		SSE_ALLOW_SAME_CIPHER },
};

static bool host_is_fips(void)
{
	FILE *f = fopen("/proc/sys/crypto/fips_enabled", "re");
	int c;

	if (!f)
		return false;
	c = fgetc(f);
	fclose(f);
	return c == '1';
}

/* The ciphers of --double, or NULL without it. */
static int find_pair(const struct options *o, const struct pair **pair)
{
	const char *name = o->str[OPT_DOUBLE];
	size_t i;

	*pair = NULL;
	if (!opt_given(o, OPT_DOUBLE))
		return RC_OK;
	if (opt_given(o, OPT_CIPHER) || opt_given(o, OPT_OUTER_CIPHER))
		return diag_fail(RC_PARAM, "--double chooses the ciphers: leave out --cipher and --outer-cipher,\n"
				 "or choose yourself with these two and leave out --double.");
	for (i = 0; i < NR_PAIRS && !*pair; i++)
		if (!name || !strcmp(name, pairs[i].name))
			*pair = &pairs[i];
	if (!*pair)
		return diag_fail(RC_PARAM, "Unknown pair of ciphers '%s': adiantum (the default) and fips are known.",
				 name);
	if (!(*pair)->approved && host_is_fips())
		return diag_fail(RC_PARAM, "This host runs with fips=1, where Adiantum is not to be had:\n"
				 "--double=fips takes a pair of approved algorithms.");
	return RC_OK;
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
	const struct pair *pair;
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
	size_t i;
	int rc;

	if (!o->str[OPT_TYPE])
		return diag_fail(RC_PARAM, "Give --type plain: there is no other type to detect.");
	if (strcmp(o->str[OPT_TYPE], "plain"))
		return diag_fail(RC_PARAM, "Device type '%s' is not known: only plain is.",
				 o->str[OPT_TYPE]);

	for (i = 0; i < sizeof(flag_options) / sizeof(flag_options[0]); i++)
		if (opt_given(o, flag_options[i].id))
			t->flags |= flag_options[i].flag;

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
	char answer[16];

	if (!what || b->readonly || opt_given(o, OPT_BATCH_MODE))
		return RC_OK;
	diag_warn("Device %s holds %s. Writes to a plain mapping destroy it.", path, what);
	if (!isatty(STDIN_FILENO))
		return diag_fail(RC_PARAM, "--batch-mode opens it nevertheless, --readonly changes nothing.");
	fprintf(stderr, "Are you sure? (Type 'yes' in capital letters): ");
	if (!fgets(answer, sizeof(answer), stdin) || strcmp(answer, "YES\n"))
		return diag_fail(RC_PARAM, "Operation aborted.");
	return RC_OK;
}

struct overlap {
	unsigned int major, minor;
	uint64_t start, end;
};

static int check_overlap(const char *name, const struct dm_mapping *m, void *arg)
{
	const struct overlap *mine = arg;
	struct sse_table t;
	unsigned int major, minor;
	int rc = RC_OK;

	if (table_parse(m->table, &t))
		return RC_DEVICE;
	if (sscanf(t.device, "%u:%u", &major, &minor) == 2 && major == mine->major &&
	    minor == mine->minor && t.start < mine->end && mine->start < t.start + m->size)
		rc = diag_fail(RC_BUSY, "The mapping would overlap with %s, which has sectors %" PRIu64
			       " to %" PRIu64 " of the device.", name, t.start, t.start + m->size - 1);
	table_free(&t);
	return rc;
}

static int name_is_free(const char *name)
{
	struct dm_mapping m;
	int rc, err;

	rc = dm_ready();
	if (rc)
		return rc;
	err = dm_query(name, &m);
	if (err)
		return diag_kernel_refusal("Looking for a mapping of that name", err, NULL);
	if (m.exists)
		rc = diag_fail(RC_BUSY, "Device %s already exists.", name);
	dm_mapping_free(&m);
	return rc;
}

static int create(const char *name, const struct sse_table *t, uint64_t size,
		  const struct blockdev *b)
{
	struct dm_load load = {
		.size = size,
		.readonly = b->readonly,
		.read_ahead = b->read_ahead,
	};
	char uuid[160], line[1024];
	char *params;
	int mark, err;

	params = table_format(t);
	if (!params)
		return diag_nomem();
	snprintf(uuid, sizeof(uuid), DMSSE_UUID_PREFIX "PLAIN-%.115s", name);
	diag_debug("Table: 0 %" PRIu64 " " DMSSE_TARGET " %s", size, params);

	load.params = params;
	mark = kmsg_mark();
	err = dm_create(name, uuid, &load);
	free(params);
	if (err)
		return diag_kernel_refusal("Opening the device", err,
					   kmsg_last(mark, line, sizeof(line)));
	kmsg_close(mark);
	return RC_OK;
}

static int open_on(const struct options *o, struct sse_table *t, uint64_t size,
		   const struct blockdev *b, const char *path, const char *name)
{
	struct overlap mine = { .major = b->major, .minor = b->minor };
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

	rc = name_is_free(name);
	if (!rc)
		rc = module_ensure_target();
	if (rc)
		return rc;
	if (opt_given(o, OPT_SHARED)) {
		mine.start = t->start;
		mine.end = t->start + size;
		rc = dm_each(check_overlap, &mine);
		if (rc)
			return rc;
	}
	return create(name, t, size, b);
}

int cmd_open(const struct options *o, int argc, char **argv)
{
	struct sse_table t = { 0 };
	struct blockdev b = { .fd = -1 };
	const char *name;
	uint64_t size = 0;
	int rc;

	(void)argc;
	name = dm_name(argv[1]);
	if (!name)
		return RC_PARAM;
	rc = parse_params(o, &t, &size);
	if (rc || opt_given(o, OPT_TEST_ARGS))
		goto out;
	rc = blockdev_open(&b, argv[0], opt_given(o, OPT_READONLY), opt_given(o, OPT_SHARED));
	if (rc)
		goto out;
	if (asprintf(&t.device, "%u:%u", b.major, b.minor) < 0) {
		t.device = NULL;
		rc = diag_nomem();
	} else {
		rc = open_on(o, &t, size, &b, argv[0], name);
	}
	blockdev_close(&b);
out:
	table_free(&t);
	return rc;
}
