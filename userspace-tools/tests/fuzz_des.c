// SPDX-License-Identifier: GPL-2.0-only
/*
 * Throws mutations of good configuration files at the parser and the editor; the
 * sanitizers judge. What is taken must come back the same, from a file that is
 * written anew and from one that is edited. State and register: any text.
 *
 *	fuzz_des [ROUNDS [SEED]]
 *
 * With -DLIBFUZZER it is a target for "clang -fsanitize=fuzzer".
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_text.h"
#include "des_config.h"
#include "json_file.h"
#include "utf8.h"

#ifndef LIBFUZZER
#define ID	"37061e16-c960-4b96-9aa7-6651b94e3976"

static const char * const seeds[] = {
	"id = " ID "\ntype = customer\nkey = file:/k.pem\nlease = 1h\n",
	"# comment\n\ntype = platform\nid = " ID "\nowner = Ann\xc3\xa9 # 1\non-lapse = queue\n",
	"type=platform-and-customer\n key\t= pkcs11:token=a;object=b\nidentity = file:/pin\nid=" ID
		"\nwrapping = RSA-OAEP\nkey-timeout = 2m\nenabled = no\nauto-rotate = yes",
	"{ \"version\": 1, \"id\": \"" ID "\", \"last-rotation\": \"2026-01-01T00:00:00Z\" }",
};

#endif

static uint64_t state;

static unsigned int rnd(unsigned int n)
{
	/* xorshift64*: the same everywhere, so that a seed reproduces a failure */
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (unsigned int)((state * UINT64_C(2685821657736338717)) >> 33) % n;
}

#ifndef LIBFUZZER
static size_t mutate(char *s, size_t len, size_t size)
{
	static const char * const words[] = {
		"lease", " = ", "\n", "none", "1h", "#", "\n#", "=", "id", "type = platform\n", "\r\n",
		"\xc3\xa9", "\xed\xa0\x80", "\xff", "\t", "99999999999", "key-timeout = 1s\n", "{", "\"",
		"owner = \n", "lease =\n", "enabled=yes", "\x01", "[", "'",
	};
	unsigned int n = rnd(4);
	const char *word;
	size_t at, cut, word_len;

	while (n--) {
		at = rnd((unsigned int)len + 1);
		switch (rnd(3)) {
		case 0:
			if (at < len)
				s[at] = (char)rnd(256);
			break;
		case 1:
			cut = rnd((unsigned int)(len - at) + 1) / (1 + rnd(8));
			memmove(s + at, s + at + cut, len - at - cut);
			len -= cut;
			break;
		default:
			word = words[rnd(sizeof(words) / sizeof(words[0]))];
			word_len = strlen(word);
			if (len + word_len >= size)
				break;
			memmove(s + at + word_len, s + at, len - at);
			memcpy(s + at, word, word_len);
			len += word_len;
		}
	}
	return len;
}
#endif

static bool same(const struct des *a, const struct des *b)
{
	return !strcmp(a->id, b->id) && !strcmp(a->owner, b->owner) && a->type == b->type &&
	       !strcmp(a->key, b->key) && !strcmp(a->identity, b->identity) &&
	       !strcmp(a->wrapping, b->wrapping) && a->auto_rotate == b->auto_rotate &&
	       a->enabled == b->enabled && a->queue_on_lapse == b->queue_on_lapse &&
	       a->lease == b->lease && a->timeout == b->timeout;
}

static bool comes_back(const char *text, size_t size, const struct des *want, const char *how)
{
	struct des is = *want;
	struct reason why = { 0 };

	if (text && !des_config_parse(text, size, &is, &why) && same(&is, want))
		return true;
	printf("# %s: %s\n# ---\n%.*s\n# ---\n", how, why.text, (int)size, text ? text : "");
	return false;
}

/* A quoted copy of exactly this size: one byte too far is found. */
static char *exact_copy(const char *text, size_t size)
{
	char *copy = malloc(size ? size : 1);

	if (!copy)
		exit(1);
	memcpy(copy, text, size);
	return copy;
}

static void change(struct des *des)
{
	if (rnd(2))
		des->lease = 1 + rnd(DES_LEASE_MAX);
	if (rnd(2))
		des->enabled = !des->enabled;
	if (rnd(2))
		des->queue_on_lapse = !des->queue_on_lapse;
	if (rnd(2))
		des->timeout = 1 + rnd(DES_TIMEOUT_MAX);
	if (rnd(2))
		snprintf(des->owner, sizeof(des->owner), "%s", rnd(2) ? "" : "somebody = else");
}

static bool config_survives(const char *text, size_t size)
{
	struct des des = { .name = "x" };
	struct reason why = { 0 };
	char *copy;
	bool ok;

	if (des_config_parse(text, size, &des, &why)) {
		/* A refusal names its line. */
		ok = why.rc == RC_PARAM && !strncmp(why.text, "line ", 5);
		if (!ok)
			printf("# a refusal without a line: %s\n", why.text);
		return ok;
	}
	copy = des_config_format(&des);
	ok = comes_back(copy, copy ? strlen(copy) : 0, &des, "written");
	free(copy);
	if (ok && !des_config_edit(text, size, &des, &copy, &why)) {
		ok = !strncmp(copy, text, size) && strlen(copy) <= size + 1;
		if (!ok)
			printf("# an edit without a change changed something\n");
		free(copy);
	}
	change(&des);
	if (ok && !des_config_edit(text, size, &des, &copy, &why)) {
		ok = comes_back(copy, strlen(copy), &des, "edited");
		free(copy);
	}
	return ok;
}

/* NUL-terminated in a file that was read. */
static bool json_survives(const char *text, size_t size)
{
	char *line = malloc(size + 1), clean[4096], field[64];
	struct json_object *object;
	time_t when;
	bool ok;

	if (!line)
		return false;
	memcpy(line, text, size);
	line[size] = '\0';
	object = json_parse_object(line, size);
	if (object) {
		json_get_text(object, "id", field, sizeof(field));
		json_get_time(object, "last-rotation", &when);
	}
	json_object_put(object);
	utf8_clean(line, clean, sizeof(clean));
	for (ok = true, object = NULL, size = 0; clean[size]; ) {
		size_t n = utf8_size(clean + size, strlen(clean + size));

		ok = ok && n;
		size += n ? n : 1;
	}
	if (!ok)
		printf("# what was cleaned isn't UTF-8\n");
	free(line);
	return ok;
}

#ifdef LIBFUZZER
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = exact_copy((const char *)data, size);

	/* What it changes depends on nothing but the text. */
	state = size + 1;
	if (!config_survives(copy, size) || !json_survives(copy, size)) {
		fflush(stdout);
		abort();
	}
	free(copy);
	return 0;
}
#else
int main(int argc, char **argv)
{
	unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 100000, i, bad = 0, taken = 0;
	char buf[2048], *copy;
	size_t len;

	state = argc > 2 ? strtoull(argv[2], NULL, 10) | 1 : 20260101;
	if (!freopen("/dev/null", "w", stderr))
		return 1;
	for (i = 0; i < rounds; i++) {
		struct des des = { .name = "x" };
		struct reason why;

		strcpy(buf, seeds[rnd(sizeof(seeds) / sizeof(seeds[0]))]);
		len = mutate(buf, strlen(buf), sizeof(buf));
		copy = exact_copy(buf, len);
		taken += !des_config_parse(copy, len, &des, &why);
		bad += !config_survives(copy, len) || !json_survives(copy, len);
		free(copy);
	}
	printf("TAP version 13\n1..2\n%sok 1 - %lu mutated files\n", bad ? "not " : "", rounds);
	/* A parser that refuses everything would pass the rest. */
	printf("%sok 2 - %lu of them were taken\n", taken > rounds / 20 ? "" : "not ", taken);
	return bad != 0 || taken <= rounds / 20;
}
#endif
