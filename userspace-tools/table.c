// SPDX-License-Identifier: GPL-2.0-only
/*
 * Table lines to parameters and back.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diag.h"
#include "number.h"
#include "table.h"

/* In the order in which the kernel shows them. */
static const struct {
	const char *word;
	unsigned int flag;
} flag_words[] = {
	{ "allow_discards",		SSE_ALLOW_DISCARDS },
	{ "same_cpu_crypt",		SSE_SAME_CPU_CRYPT },
	{ "submit_from_crypt_cpus",	SSE_SUBMIT_FROM_CRYPT_CPUS },
	{ "no_read_workqueue",		SSE_NO_READ_WORKQUEUE },
	{ "no_write_workqueue",		SSE_NO_WRITE_WORKQUEUE },
	{ "high_priority",		SSE_HIGH_PRIORITY },
	{ "iv_large_sectors",		SSE_IV_LARGE_SECTORS },
	{ "allow_same_cipher",		SSE_ALLOW_SAME_CIPHER },
	{ "key_lease error",		SSE_KEY_LEASE_ERROR },
	{ "key_lease queue",		SSE_KEY_LEASE_QUEUE },
};

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

const char *layer_name(unsigned int layer)
{
	static const char * const names[SSE_LAYERS_MAX] = { "inner", "outer" };

	return names[layer];
}

void table_free(struct sse_table *t)
{
	unsigned int i;

	for (i = 0; i < SSE_LAYERS_MAX; i++)
		free(t->layer[i].cipher);
	free(t->device);
	free(t->others);
	memset(t, 0, sizeof(*t));
}

int table_set_cipher(struct sse_table *t, unsigned int layer, const char *cipher)
{
	char *copy = strdup(cipher);

	if (!copy)
		return diag_nomem();
	free(t->layer[layer].cipher);
	t->layer[layer].cipher = copy;
	return RC_OK;
}

/* Appends to a string that is grown; *@s becomes NULL when memory is short. */
static void __attribute__((format(printf, 2, 3))) append(char **s, const char *fmt, ...)
{
	char *tail, *all;
	va_list ap;
	int n;

	if (!*s)
		return;
	va_start(ap, fmt);
	n = vasprintf(&tail, fmt, ap);
	va_end(ap);
	all = NULL;
	if (n >= 0) {
		if (asprintf(&all, "%s%s%s", *s, **s ? " " : "", tail) < 0)
			all = NULL;
		free(tail);
	}
	free(*s);
	*s = all;
}

char *table_flag_words(const struct sse_table *t)
{
	char *words = strdup("");
	size_t i;

	for (i = 0; i < ARRAY_SIZE(flag_words); i++)
		if (t->flags & flag_words[i].flag)
			append(&words, "%s", flag_words[i].word);
	if (t->others)
		append(&words, "%s", t->others);
	return words;
}

static unsigned int count_words(const char *s)
{
	unsigned int n = 0;

	while (*s) {
		s += strspn(s, " ");
		if (!*s)
			break;
		n++;
		s += strcspn(s, " ");
	}
	return n;
}

/* Appends "<cipher> <key> <iv_offset>". */
static void append_layer(char **s, const struct sse_layer *layer)
{
	char *key = keyref_format(&layer->key);

	if (key) {
		append(s, "%s %s %" PRIu64, layer->cipher, key, layer->iv_offset);
	} else {
		free(*s);
		*s = NULL;
	}
	free(key);
}

char *table_format(const struct sse_table *t)
{
	char *options = table_flag_words(t);
	char *line = strdup("");
	unsigned int i;

	if (t->sector_size != SECTOR_SIZE)
		append(&options, "sector_size:%u", t->sector_size);
	for (i = 1; i < t->nr_layers; i++) {
		append(&options, "%s", layer_name(i));
		append_layer(&options, &t->layer[i]);
	}
	append_layer(&line, &t->layer[0]);
	append(&line, "%s %" PRIu64, t->device, t->start);
	if (!options) {
		free(line);
		return NULL;
	}
	if (*options)
		append(&line, "%u %s", count_words(options), options);
	free(options);
	return line;
}

/* RC_DEVICE, with nothing said, for words that aren't a layer. */
static int layer_parse(struct sse_table *t, unsigned int layer, const char *cipher,
		       const char *key, const char *iv_offset)
{
	struct sse_layer *l = &t->layer[layer];

	if (!cipher || !key || !iv_offset || !keyref_parse_table(&l->key, key) ||
	    !number_parse(iv_offset, UINT64_MAX, &l->iv_offset))
		return RC_DEVICE;
	return table_set_cipher(t, layer, cipher);
}

static int option_parse(struct sse_table *t, const char *word)
{
	uint64_t n;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(flag_words); i++) {
		if (!strcmp(word, flag_words[i].word)) {
			t->flags |= flag_words[i].flag;
			return RC_OK;
		}
	}
	if (!strncmp(word, "sector_size:", 12) && number_parse(word + 12, 65536, &n)) {
		t->sector_size = (unsigned int)n;
		return RC_OK;
	}
	if (!t->others)
		t->others = strdup("");
	append(&t->others, "%s", word);
	return t->others ? RC_OK : diag_nomem();
}

/* The word behind "key_lease"; a mode of a later target is carried along. */
static int lease_parse(struct sse_table *t, const char *mode)
{
	char words[64];

	if (!mode || snprintf(words, sizeof(words), "key_lease %s", mode) >= (int)sizeof(words))
		return RC_DEVICE;
	return option_parse(t, words);
}

#define FIXED_WORDS	5

int table_parse(const char *params, struct sse_table *t)
{
	char *copy, *save = NULL, *word, *fixed[FIXED_WORDS] = { NULL };
	uint64_t nr_options = 0, got = 0;
	char *layer[3];
	unsigned int i;
	int rc = RC_OK;

	memset(t, 0, sizeof(*t));
	t->sector_size = SECTOR_SIZE;
	t->nr_layers = 1;
	copy = strdup(params);
	if (!copy)
		return diag_nomem();

	word = strtok_r(copy, " ", &save);
	for (i = 0; i < FIXED_WORDS; i++) {
		fixed[i] = word;
		word = strtok_r(NULL, " ", &save);
		if (!fixed[i])
			goto malformed;
	}
	if (word) {
		if (!number_parse(word, 64, &nr_options))
			goto malformed;
		while ((word = strtok_r(NULL, " ", &save))) {
			got++;
			if (!strcmp(word, layer_name(1)) && t->nr_layers == 1) {
				for (i = 0; i < 3; i++)
					layer[i] = strtok_r(NULL, " ", &save);
				got += 3;
				t->nr_layers = 2;
				rc = layer_parse(t, 1, layer[0], layer[1], layer[2]);
			} else if (!strcmp(word, "key_lease")) {
				got++;
				rc = lease_parse(t, strtok_r(NULL, " ", &save));
			} else {
				rc = option_parse(t, word);
			}
			if (rc == RC_DEVICE)
				goto malformed;
			if (rc)
				goto out;
		}
	}
	if (got != nr_options)
		goto malformed;

	rc = layer_parse(t, 0, fixed[0], fixed[1], fixed[2]);
	if (rc == RC_DEVICE || !number_parse(fixed[4], UINT64_MAX, &t->start))
		goto malformed;
	if (rc)
		goto out;
	t->device = strdup(fixed[3]);
	if (!t->device)
		rc = diag_nomem();
	goto out;

malformed:
	/* Not quoted: a line that isn't understood might hold anything. */
	rc = diag_fail(RC_DEVICE, "The mapping has a table that this version of ssesetup doesn't understand.");
out:
	free(copy);
	if (rc)
		table_free(t);
	return rc;
}
