// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diag.h"
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

static bool number(const char *text, uint64_t max, uint64_t *value)
{
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	*value = strtoull(text, &end, 10);
	return !errno && !*end && *value <= max;
}

/* Keys */

bool key_type_known(const char *type)
{
	return !strcmp(type, "logon") || !strcmp(type, "user") ||
	       !strcmp(type, "encrypted") || !strcmp(type, "trusted");
}

static int keyref_set(struct keyref *key, const char *type, const char *desc)
{
	const unsigned char *p;

	if (!*desc)
		return diag_fail(RC_PARAM, "The key's description is empty.");
	if (strlen(desc) >= KEY_DESC_MAX)
		return diag_fail(RC_PARAM, "The key's description is longer than %d bytes.",
				 KEY_DESC_MAX - 1);
	/* Device-mapper splits its table at blanks, and takes \ as an escape. */
	for (p = (const unsigned char *)desc; *p; p++)
		if (*p <= ' ' || *p == 0x7f || *p == '\\')
			return diag_fail(RC_PARAM,
				"The key's description has a blank, a control character or a backslash,\n"
				"which a device-mapper table can't carry.");
	if (!strcmp(type, "logon") && !strchr(desc, ':'))
		return diag_fail(RC_PARAM,
			"The description of a logon key needs a prefix with a colon, such as dmsse:%s\n"
			"(for a key of type user write user:%s).", desc, desc);

	snprintf(key->type, sizeof(key->type), "%s", type);
	snprintf(key->desc, sizeof(key->desc), "%s", desc);
	return RC_OK;
}

/* ":BYTES:TYPE:DESC"; quiet, since the caller knows what it is part of. */
static bool reference_split(const char *text, unsigned int *bytes, char *type, const char **desc)
{
	char digits[12];
	const char *p, *q;
	uint64_t n;

	if (text[0] != ':')
		return false;
	p = strchr(text + 1, ':');
	if (!p || (size_t)(p - text) > sizeof(digits))
		return false;
	memcpy(digits, text + 1, (size_t)(p - text - 1));
	digits[p - text - 1] = '\0';
	if (!number(digits, INT_MAX, &n) || !n)
		return false;

	q = strchr(p + 1, ':');
	if (!q || q - p - 1 >= KEY_TYPE_MAX)
		return false;
	memcpy(type, p + 1, (size_t)(q - p - 1));
	type[q - p - 1] = '\0';

	*bytes = (unsigned int)n;
	*desc = q + 1;
	return key_type_known(type);
}

int keyref_parse(const char *text, const char *default_type, struct keyref *key)
{
	char type[KEY_TYPE_MAX] = "";
	const char *colon, *desc;

	key->bytes = 0;
	if (text[0] == ':') {
		if (!reference_split(text, &key->bytes, type, &desc))
			return diag_fail(RC_PARAM,
				"'%s' is not a key reference: it would be :BYTES:TYPE:DESCRIPTION with\n"
				"a type of logon, user, encrypted or trusted.", text);
	} else {
		desc = text;
		colon = strchr(text, ':');
		if (colon && colon - text < KEY_TYPE_MAX) {
			memcpy(type, text, (size_t)(colon - text));
			type[colon - text] = '\0';
			if (key_type_known(type))
				desc = colon + 1;
			else
				type[0] = '\0';
		}
	}

	if (type[0] && default_type && strcmp(type, default_type))
		return diag_fail(RC_PARAM, "'%s' names a key of type %s, but --key-type is %s.",
				 text, type, default_type);
	if (!type[0])
		snprintf(type, sizeof(type), "%s", default_type ? default_type : "logon");
	return keyref_set(key, type, desc);
}

char *keyref_format(const struct keyref *key)
{
	char *text;

	if (!key->type[0])
		return strdup("-");
	if (asprintf(&text, ":%u:%s:%s", key->bytes, key->type, key->desc) < 0)
		return NULL;
	return text;
}

/* Ciphers */

static bool word_ok(const char *s, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (!isalnum((unsigned char)s[i]) && !strchr("_,()-", s[i]))
			return false;
	return len > 0;
}

static int cipher_malformed(const char *cipher)
{
	return diag_fail(RC_PARAM,
		"'%s' is not a cipher specification: it would be cipher-mode-iv such as aes-xts-plain64,\n"
		"or capi:algorithm-iv such as capi:xts(aes)-plain64.", cipher);
}

static int iv_check(const char *cipher, const char *iv)
{
	static const char * const taken[] = { "plain", "plain64", "plain64be" };
	static const char * const others[] = {
		"benbi", "null", "lmk", "tcw", "random", "eboiv", "elephant",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(taken); i++)
		if (!strcmp(iv, taken[i]))
			return RC_OK;
	if (!strcmp(iv, "essiv") || !strcmp(iv, "essiv:"))
		return diag_fail(RC_PARAM, "IV 'essiv' of '%s' needs a hash: essiv:sha256.", cipher);
	if (!strncmp(iv, "essiv:", 6)) {
		if (!word_ok(iv + 6, strlen(iv + 6)))
			return cipher_malformed(cipher);
		return RC_OK;
	}
	for (i = 0; i < ARRAY_SIZE(others); i++)
		if (!strncmp(iv, others[i], strlen(others[i])))
			return diag_fail(RC_PARAM,
				"IV '%s' is one of dm-crypt's that dm-sse doesn't have;\n"
				"it has plain, plain64, plain64be and essiv:HASH.", iv);
	return diag_fail(RC_PARAM, "Unknown IV '%s' in '%s': plain, plain64, plain64be and essiv:HASH are known.",
			 iv, cipher);
}

/* "capi:algorithm-iv[:hash]"; the name of the algorithm may contain dashes. */
static int capi_check(const char *cipher)
{
	const char *alg = cipher + strlen("capi:");
	const char *colon = strchr(alg, ':');
	const char *dash = memrchr(alg, '-', colon ? (size_t)(colon - alg) : strlen(alg));
	const char *p;
	int depth = 0;

	for (p = alg; *p && depth >= 0; p++)
		depth += (*p == '(') - (*p == ')');
	if (depth)
		return diag_fail(RC_PARAM, "The parentheses of '%s' don't match.", cipher);
	if (!dash || !word_ok(alg, (size_t)(dash - alg)))
		return cipher_malformed(cipher);
	return iv_check(cipher, dash + 1);
}

int cipher_check(const char *cipher)
{
	const char *mode, *iv, *colon;

	if (!strncmp(cipher, "capi:", 5))
		return capi_check(cipher);

	mode = strchr(cipher, '-');
	colon = strchr(cipher, ':');
	if (colon && (!mode || colon < mode))
		return diag_fail(RC_PARAM, "'%s': several keys for one cipher are not supported.", cipher);
	if (!mode || !word_ok(cipher, (size_t)(mode - cipher)))
		return cipher_malformed(cipher);
	if (strchr(cipher, '('))
		return diag_fail(RC_PARAM,
			"'%s' looks like a name of the crypto API, which needs a prefix: capi:xts(aes)-plain64.",
			cipher);
	mode++;
	iv = strchr(mode, '-');
	if (!iv) {
		/* ECB, and nothing else, works without an IV. */
		if (!strcmp(mode, "ecb"))
			return RC_OK;
		return cipher_malformed(cipher);
	}
	if (!word_ok(mode, (size_t)(iv - mode)))
		return cipher_malformed(cipher);
	return iv_check(cipher, iv + 1);
}

bool cipher_takes_no_key(const char *cipher)
{
	return strstr(cipher, "cipher_null");
}

static const struct {
	const char *prefix[2];
	unsigned int bits[3];
} key_sizes[] = {
	{ { "aes-xts-", "capi:xts(aes)-" }, { 256, 384, 512 } },
	{ { "aes-cbc-", "capi:cbc(aes)-" }, { 128, 192, 256 } },
	{ { "xchacha12,aes-adiantum-", "capi:adiantum(xchacha12,aes)-" }, { 256, 256, 256 } },
	{ { "xchacha20,aes-adiantum-", "capi:adiantum(xchacha20,aes)-" }, { 256, 256, 256 } },
};

int cipher_check_key_size(const char *cipher, unsigned int bytes)
{
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(key_sizes); i++) {
		const unsigned int *bits = key_sizes[i].bits;

		if (strncmp(cipher, key_sizes[i].prefix[0], strlen(key_sizes[i].prefix[0])) &&
		    strncmp(cipher, key_sizes[i].prefix[1], strlen(key_sizes[i].prefix[1])))
			continue;
		for (j = 0; j < 3; j++)
			if (bytes * 8 == bits[j])
				return RC_OK;
		if (bits[0] == bits[2])
			return diag_fail(RC_PARAM, "Cipher %s takes a key of %u bits, not of %u.",
					 cipher, bits[0], bytes * 8);
		return diag_fail(RC_PARAM, "Cipher %s takes a key of %u, %u or %u bits, not of %u.%s",
				 cipher, bits[0], bits[1], bits[2], bytes * 8,
				 strstr(cipher, "xts") ? "\nXTS has two keys: AES-256 takes 512 bits." : "");
	}
	return RC_OK;
}

/* Table lines */

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

static bool table_key_parse(struct keyref *key, const char *word)
{
	const char *desc;

	if (!strcmp(word, "-"))
		return true;
	if (!reference_split(word, &key->bytes, key->type, &desc) || strlen(desc) >= sizeof(key->desc))
		return false;
	memcpy(key->desc, desc, strlen(desc) + 1);
	return true;
}

/* RC_DEVICE, with nothing said, for words that aren't a layer. */
static int layer_parse(struct sse_table *t, unsigned int layer, const char *cipher,
		       const char *key, const char *iv_offset)
{
	struct sse_layer *l = &t->layer[layer];

	if (!cipher || !key || !iv_offset || !table_key_parse(&l->key, key) ||
	    !number(iv_offset, UINT64_MAX, &l->iv_offset))
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
	if (!strncmp(word, "sector_size:", 12) && number(word + 12, 65536, &n)) {
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
		if (!number(word, 64, &nr_options))
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
	if (rc == RC_DEVICE || !number(fixed[4], UINT64_MAX, &t->start))
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

/* Status lines */

int info_parse(const char *params, struct sse_info *info)
{
	char *save = NULL, *word, *colon;

	memset(info, 0, sizeof(*info));
	info->text = strdup(params);
	if (!info->text)
		return diag_nomem();

	info->state = strtok_r(info->text, " ", &save);
	if (!info->state) {
		info_free(info);
		return diag_fail(RC_DEVICE, "The mapping gives no status.");
	}
	while ((word = strtok_r(NULL, " ", &save)) && info->nr < INFO_WORDS_MAX) {
		colon = strchr(word, ':');
		if (colon)
			*colon++ = '\0';
		info->word[info->nr].name = word;
		info->word[info->nr].value = colon ? colon : "";
		info->nr++;
	}
	return RC_OK;
}

const char *info_word(const struct sse_info *info, const char *name)
{
	unsigned int i;

	for (i = 0; i < info->nr; i++)
		if (!strcmp(info->word[i].name, name))
			return info->word[i].value;
	return NULL;
}

void info_free(struct sse_info *info)
{
	free(info->text);
	memset(info, 0, sizeof(*info));
}
