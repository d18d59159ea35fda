// SPDX-License-Identifier: GPL-2.0-only
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tablegrammar.h"

#define MAX_WORDS	200
#define NR(array)	(sizeof(array) / sizeof((array)[0]))

static uint64_t state;

void grammar_seed(uint64_t seed)
{
	state = seed * UINT64_C(2862933555777941757) + 3037000493;
	state |= !state;
}

uint64_t grammar_number(void)
{
	/* xorshift64*: the same everywhere, so that a seed reproduces a line */
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * UINT64_C(2685821657736338717);
}

unsigned int grammar_random(unsigned int n)
{
	return (unsigned int)(grammar_number() >> 33) % n;
}

static bool chance(unsigned int per_cent)
{
	return grammar_random(100) < per_cent;
}

#define PICK(array)	((array)[grammar_random(NR(array))])

/* A line under construction. */
struct out {
	char *at;
	size_t left;	/* with the final NUL */
};

static void put(struct out *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void put(struct out *out, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(out->at, out->left, fmt, args);
	va_end(args);
	if ((size_t)n >= out->left)
		n = (int)out->left - 1;
	out->at += n;
	out->left -= (size_t)n;
}

static void put_repeated(struct out *out, char c, unsigned int n)
{
	while (n--)
		put(out, "%c", c);
}

/* Words ------------------------------------------------------------------------ */

/* Those that work, with the key that fits. */
static const struct cipher {
	const char *spec;
	unsigned int bytes;
} ciphers[] = {
	{ "aes-xts-plain64", 64 },		{ "aes-xts-plain64", 32 },
	{ "aes-xts-plain", 64 },		{ "aes-xts-plain64be", 48 },
	{ "capi:xts(aes)-plain64", 64 },	{ "capi:xts(serpent)-plain64", 64 },
	{ "serpent-xts-plain64", 64 },		{ "twofish-xts-plain64", 64 },
	{ "camellia-cbc-plain", 32 },		{ "aes-cbc-essiv:sha256", 32 },
	{ "capi:cbc(aes)-essiv:sha256", 16 },	{ "aes", 16 },
	{ "aes-plain", 32 },			{ "aes-cbc-plain64", 24 },
	{ "xchacha12,aes-adiantum-plain64", 32 },
	{ "capi:adiantum(xchacha12,aes)-plain64", 32 },
	{ "capi:adiantum(xchacha20,aes)-plain64", 32 },
	{ "capi:essiv(cbc(aes),sha256)-plain64", 32 },
	{ "capi:cts(cbc(aes))-plain64", 32 },	{ "capi:cryptd(xts(aes))-plain64", 64 },
	{ "aes-ecb", 32 },			{ "cipher_null-ecb", 0 },
	{ "aes-ctr-plain64", 32 },		{ "capi:ctr(aes)-plain64", 16 },
	{ "serpent-cbc-essiv:sha256", 32 },
};

bool grammar_good(const struct scene *scene, struct text *text, unsigned int index)
{
	if (index >= NR(ciphers))
		return false;
	text->secret[0] = '\0';
	snprintf(text->line, sizeof(text->line), "%s :%u:logon:" KEY_PREFIX "a%u 0 %s 0",
		 ciphers[index].spec, ciphers[index].bytes, ciphers[index].bytes, scene->disk);
	return true;
}

static const char * const cipher_parts[] = {
	"aes", "serpent", "twofish", "cipher_null", "none", "", "aes:2", "xchacha12,aes", "(aes)",
	"capi:xts(aes)", "capi:", "capi:capi:aes", "aes64", "sha256", "ghash", "*", "a_b", "\xc3\xa9",
};

static const char * const modes[] = {
	"xts", "cbc", "ecb", "ctr", "adiantum", "lrw", "gcm", "essiv", "plain", "", "xts(", "plain64",
	"rfc3686(ctr", "cts(cbc", "pcbc", "cbc:1",
};

static const char * const ivs[] = {
	"plain64", "plain", "plain64be", "essiv:sha256", "essiv", "essiv:", "essiv:nohash",
	"essiv:sha256:x", "plain64:", "plain64:x", "benbi", "null", "lmk", "tcw", "random", "eboiv",
	"PLAIN64", "", "plain65", "essiv:-", "essiv:sha256)",
};

static void put_long(struct out *out)
{
	static const unsigned int lengths[] = { 47, 48, 49, 63, 95, 96, 97, 126, 127, 128, 129, 223, 224,
						225, 300, 1000, 2500 };

	put_repeated(out, "xaA1:-,()%\\\xe2"[grammar_random(12)], PICK(lengths));
}

/* Returns the size of the key that it takes. */
static unsigned int put_cipher(struct out *out)
{
	const struct cipher *good = &PICK(ciphers);
	bool capi;

	if (chance(88)) {
		put(out, "%s", good->spec);
		return good->bytes;
	}
	if (chance(5)) {
		put_long(out);
		return good->bytes;
	}
	capi = chance(30);
	put(out, "%s%s", capi ? "capi:" : "", PICK(cipher_parts));
	if (chance(90))
		put(out, "%s%s", capi && chance(70) ? "(" : "-", PICK(modes));
	if (capi && chance(70))
		put(out, ")");
	if (chance(90))
		put(out, "-%s", PICK(ivs));
	return good->bytes;
}

static const char * const types[] = {
	"logon", "user", "encrypted", "trusted", "keyring", "LOGON", "", "asymmetric", "big_key",
	"logon:", "user ", "loghon",
};

/* Those that are there, and are of no use. */
static const char * const useless_keys[] = {
	"halves64", "shared64", "revoked32", "expired32", "denied32", "none",
};

static const char * const bad_keys[] = {
	"halves64", "expired32", "none", "", "a", ":", "::", "%s%n",
	"a64\\\\", "sp\\ ace", "\x7f", "\xff\xfe", "a64:a64", "\\\nx",
};

static void put_number(struct out *out)
{
	static const char * const numbers[] = {
		"1", "7", "8", "16", "512", "4096", "2048", "-1", "+1", "0x10", "010", "1e3", "",
		"4294967295", "4294967296", "9223372036854775807", "9223372036854775808",
		"18446744073709551615", "18446744073709551616", "18446744073709551608",
		"99999999999999999999999999999999", "0000000000000000000000008", "8s", "x", "\xd9\xa3",
		"1844674407370955161", "36028797018963968",
	};

	if (chance(80))
		put(out, "%u", chance(70) ? 0 : 8 * grammar_random(16));
	else if (chance(20))
		put(out, "%" PRIu64, grammar_number() >> grammar_random(64));
	else
		put(out, "%s", PICK(numbers));
}

static void put_key(struct out *out, unsigned int bytes, bool outer)
{
	static const char * const sizes[] = { "", "0", "1", "16", "24", "31", "33", "64", "128", "256", "257",
					      "-64", "064", "64k", "99999999999999999999", "x" };

	static const unsigned int lengths[] = { 16, 24, 32, 48, 64 };

	if (!bytes && chance(90)) {
		put(out, "-");
		return;
	}
	if (chance(6)) {
		put(out, ":%u:logon:" KEY_PREFIX "%s", bytes, PICK(useless_keys));
		return;
	}
	if (chance(3)) {
		put(out, ":%u:logon:" KEY_PREFIX "a%u", bytes, PICK(lengths));
		return;
	}
	if (chance(90)) {
		put(out, ":%u:%s:" KEY_PREFIX "%s%s%u", bytes, types[grammar_random(chance(98) ? 2 : NR(types))],
		    chance(10) ? "long" : chance(2) ? "back\\\\" : "", outer != chance(2) ? "b" : "a", bytes);
		return;
	}
	if (chance(4)) {
		put_long(out);
		return;
	}
	if (chance(5)) {
		put(out, "%s", chance(50) ? "-" : "");
		return;
	}
	put(out, "%s", chance(96) ? ":" : "");
	if (chance(60))
		put(out, "%u", bytes);
	else
		put(out, "%s", PICK(sizes));
	if (chance(96))
		put(out, ":%s", types[grammar_random(chance(70) ? 3 : NR(types))]);
	if (chance(96))
		put(out, ":%s%s", chance(90) ? KEY_PREFIX : "", PICK(bad_keys));
	if (chance(4))
		put_long(out);
}

static void put_device(struct out *out, const struct scene *scene)
{
	static const char * const devices[] = {
		"/dev/null", "/dev/no-such-device", "/", "", "0:0", "1:3", "4095:1048575", "4294967296:0",
		"-1:-1", "/proc/self", "253:", ":", "outer", "7:0:0", "../../dev/loop0", "/dev/\\\nx",
	};
	unsigned int n = grammar_random(100);

	if (n < 88)
		put(out, "%s", n < 70 ? scene->disk : scene->path);
	else if (n < 91)
		put(out, "%s", n < 90 ? scene->other : scene->self);
	else if (n < 97)
		put(out, "%s", PICK(devices));
	else
		put_long(out);
}

/* As it is, or in other letters. */
static void put_name(struct out *out, const char *name)
{
	bool shout = chance(5);

	for (; *name; name++)
		put(out, "%c", shout ? toupper((unsigned char)*name) : *name);
}

static const char * const flags[] = {
	"allow_discards", "same_cpu_crypt", "submit_from_crypt_cpus", "no_read_workqueue",
	"no_write_workqueue", "high_priority", "allow_same_cipher", "iv_large_sectors",
};

static const char * const sizes[] = {
	"4096", "4096", "512", "1024", "2048", "8192", "0", "256", "513", "-1", "", "4096k", "4294967808",
	"18446744073709551616", "04096",
};

static const char * const odd_options[] = {
	"integrity:16:none", "integrity", "INTEGRITY:x", "journal", "outer_", "oute", "key_lease:error",
	"sector_size", "sector_size:", "allow_discards:1", "sector_size 4096", "\\\nx", "\x1b[2J",
	"%s%n%p", "-", "0", "allow_discard", "inner",
};

static unsigned int put_outer(struct out *out)
{
	unsigned int bytes;

	put(out, " ");
	put_name(out, "outer");
	put(out, " ");
	bytes = put_cipher(out);
	if (chance(2))
		return 2;
	put(out, " ");
	put_key(out, bytes, true);
	if (chance(2))
		return 3;
	put(out, " ");
	put_number(out);
	return 4;
}

/* One option with a blank in front; returns its words. */
static unsigned int put_option(struct out *out)
{
	static const char * const lease[] = { "error", "queue", "QUEUE", "n", "", "x", "error:1" };
	unsigned int n = grammar_random(100);

	if (n < 45) {
		put(out, " ");
		put_name(out, PICK(flags));
		return 1;
	}
	if (n < 60) {
		put(out, " ");
		put_name(out, "sector_size");
		put(out, ":%s", sizes[grammar_random(chance(90) ? 5 : NR(sizes))]);
		return 1;
	}
	if (n < 70) {
		put(out, " ");
		put_name(out, "key_lease");
		if (chance(3))
			return 1;
		put(out, " %s", lease[grammar_random(chance(80) ? 2 : NR(lease))]);
		return 2;
	}
	if (n < 93)
		return put_outer(out);
	put(out, " ");
	if (chance(10))
		put_long(out);
	else
		put(out, "%s", PICK(odd_options));
	return 1;
}

static void put_options(struct out *out)
{
	char body[LINE_SIZE];
	struct out inside = { body, sizeof(body) };
	unsigned int n = grammar_random(chance(90) ? 4 : 12), words = 0;

	if (!n && chance(80))
		return;
	body[0] = '\0';
	while (n--)
		words += put_option(&inside);
	put(out, " ");
	if (chance(93)) {
		put(out, "%u", words);
	} else {
		unsigned int lie = grammar_random(5);

		if (lie == 0)
			put(out, "%u", words + 1);
		else if (lie == 1)
			put(out, "%u", words ? words - 1 : 1);
		else
			put_number(out);
	}
	put(out, "%s", body);
}

void grammar_table(const struct scene *scene, struct text *text)
{
	struct out out = { text->line, sizeof(text->line) };
	unsigned int bytes;

	text->secret[0] = '\0';
	text->line[0] = '\0';
	bytes = put_cipher(&out);
	put(&out, " ");
	put_key(&out, bytes, false);
	put(&out, " ");
	put_number(&out);
	put(&out, " ");
	put_device(&out, scene);
	put(&out, " ");
	put_number(&out);
	put_options(&out);
}

void grammar_message(unsigned int nr_layers, struct text *text)
{
	static const char * const verbs[] = { "set", "wipe", "SET", "Wipe", "get", "", "set:", "reload" };
	static const char * const layers[] = { "inner", "outer", "INNER", "both", "", "middle", "0", "-" };
	struct out out = { text->line, sizeof(text->line) };
	const char *verb = verbs[grammar_random(chance(93) ? 2 : NR(verbs))];
	bool outer = false;

	text->secret[0] = '\0';
	text->line[0] = '\0';
	put(&out, "%s %s", chance(96) ? "key" : chance(50) ? "KEY" : "keys", verb);
	if (chance(nr_layers > 1 ? 85 : 30)) {
		const char *layer = layers[grammar_random(chance(85) ? 2 : NR(layers))];

		outer = !strcmp(layer, "outer");
		put(&out, " %s", layer);
	}
	if (!strcasecmp(verb, "set") ? chance(96) : chance(4)) {
		put(&out, " ");
		put_key(&out, outer ? 32 : 64, outer);
	}
	if (chance(3))
		put(&out, " %s", PICK(layers));
}

/* Mutation ----------------------------------------------------------------------- */

struct words {
	char copy[LINE_SIZE];
	const char *word[MAX_WORDS];
	unsigned int nr;
};

static void split(struct words *words, const char *line)
{
	char *rest = words->copy, *word;

	snprintf(words->copy, sizeof(words->copy), "%s", line);
	words->nr = 0;
	while (words->nr < MAX_WORDS - 1 && (word = strsep(&rest, " ")))
		words->word[words->nr++] = word;
}

static void join(const struct words *words, char *line, size_t size)
{
	struct out out = { line, size };
	unsigned int i;

	line[0] = '\0';
	for (i = 0; i < words->nr; i++)
		put(&out, "%s%s", i ? (chance(1) ? "  \t" : " ") : "", words->word[i]);
}

static void insert_word(struct words *words, unsigned int at, const char *word)
{
	if (words->nr >= MAX_WORDS - 1)
		return;
	memmove(&words->word[at + 1], &words->word[at], (words->nr - at) * sizeof(words->word[0]));
	words->word[at] = word;
	words->nr++;
}

static void delete_word(struct words *words, unsigned int at)
{
	words->nr--;
	memmove(&words->word[at], &words->word[at + 1], (words->nr - at) * sizeof(words->word[0]));
}

/* A word of the language, whatever its place. */
static void put_any(struct out *out, const struct scene *scene, bool message)
{
	static const char * const plain[] = { "outer", "inner", "key", "set", "wipe", "key_lease", "error",
					      "queue", "4", "2", "1", "-", "\\", "\\\\" };

	switch (grammar_random(message ? 4 : 7)) {
	case 0:
		put(out, "%s", PICK(plain));
		break;
	case 1:
		put_key(out, PICK(ciphers).bytes, chance(50));
		break;
	case 2:
		put_number(out);
		break;
	case 3:
		put_long(out);
		break;
	case 4:
		put_cipher(out);
		break;
	case 5:
		put_device(out, scene);
		break;
	default:
		put(out, "%s", PICK(flags));
	}
}

static void change_bytes(char *word, size_t size)
{
	static const char alphabet[] = "::::--,()0123456789aeosx_%\\\x01\x1b\x7f\xff";
	size_t len = strlen(word), at = len ? grammar_random((unsigned int)len) : 0;

	switch (grammar_random(4)) {
	case 0:
		if (len)
			word[at] = alphabet[grammar_random(sizeof(alphabet) - 1)];
		break;
	case 1:
		if (len)
			memmove(word + at, word + at + 1, len - at);
		break;
	case 2:
		if (len + 2 < size) {
			memmove(word + at + 1, word + at, len - at + 1);
			word[at] = alphabet[grammar_random(sizeof(alphabet) - 1)];
		}
		break;
	default:
		word[at] = '\0';
	}
}

void grammar_mutate(const struct scene *scene, struct text *text, const char *other, bool message)
{
	static struct words words, donor;
	static char fresh[4][LINE_SIZE];
	unsigned int n = 1 + grammar_random(3), i, at;
	struct out out;

	split(&words, text->line);
	split(&donor, other);
	for (i = 0; i < n && words.nr; i++) {
		at = grammar_random(words.nr);
		out = (struct out){ fresh[i], sizeof(fresh[i]) };
		fresh[i][0] = '\0';
		switch (grammar_random(8)) {
		case 0:
			delete_word(&words, at);
			break;
		case 1:
			insert_word(&words, at, words.word[grammar_random(words.nr)]);
			break;
		case 2: {
			unsigned int with = grammar_random(words.nr);
			const char *word = words.word[at];

			words.word[at] = words.word[with];
			words.word[with] = word;
			break;
		}
		case 3:
			put_any(&out, scene, message);
			insert_word(&words, at, fresh[i]);
			break;
		case 4:
			if (donor.nr)
				words.word[at] = donor.word[grammar_random(donor.nr)];
			break;
		case 5:
			put_any(&out, scene, message);
			words.word[at] = fresh[i];
			break;
		default:
			put(&out, "%s", words.word[at]);
			change_bytes(fresh[i], sizeof(fresh[i]));
			words.word[at] = fresh[i];
		}
	}
	text->secret[0] = '\0';
	join(&words, text->line, sizeof(text->line));
}

/* One blank between words, and nothing that a backslash makes of them. */
static void plain_words(char *line)
{
	char *from, *to = line;

	for (from = line; *from; from++) {
		char c = *from == '\\' ? '/' : isspace((unsigned char)*from) ? ' ' : *from;

		if (c != ' ' || (to > line && to[-1] != ' '))
			*to++ = c;
	}
	if (to > line && to[-1] == ' ')
		to--;
	*to = '\0';
}

void grammar_betray(struct text *text, bool message)
{
	static const unsigned int lengths[] = { 32, 33, 48, 64, 96, 128, 256, 500 };
	static struct words words;
	unsigned int place, i, n = PICK(lengths), outer = 0;

	plain_words(text->line);
	split(&words, text->line);
	if (message) {
		/* Any of its words may be one. */
		place = grammar_random(words.nr);
	} else {
		for (i = 5; i + 2 < words.nr && !outer; i++)
			if (!strcasecmp(words.word[i], "outer"))
				outer = i + 2;
		place = outer && chance(50) ? outer : 1;
	}
	if (place >= words.nr)
		return;
	for (i = 0; i < n; i++)
		text->secret[i] = "0123456789abcdef"[grammar_random(16)];
	text->secret[n] = '\0';
	words.word[place] = text->secret;
	join(&words, text->line, sizeof(text->line));
	/* Cut off at the end of the room: then there is none. */
	if (!strstr(text->line, text->secret))
		text->secret[0] = '\0';
}
