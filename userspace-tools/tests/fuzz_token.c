// SPDX-License-Identifier: GPL-2.0-only
/*
 * Throws mutations of tokens and of headers' JSON at the parsers; the
 * sanitizers judge. A token that is taken must survive a second round.
 *
 *	fuzz_token [ROUNDS [SEED]]
 *
 * With -DLIBFUZZER it is a target for "clang -fsanitize=fuzzer".
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base64.h"
#include "meta_segment.h"
#include "token.h"

static const char * const seeds[] = {
	"{\"type\":\"dm-sse\",\"keyslots\":[\"0\"],\"dm-sse-version\":1,\"layer\":\"single\","
	"\"des\":\"prod\",\"des-id\":\"6f9a1a52-4ed1-4a3b-8f0e-2f0f7f1f2a3b\",\"owner\":\"Ada\","
	"\"customer\":true,\"kek\":{\"uri\":\"pkcs11:token=a\",\"version\":\"3\","
	"\"fingerprint\":\"sha256:00\"},\"wrapping\":\"RSA-OAEP-256\",\"wrapped\":\"3q2+7w==\","
	"\"check\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\","
	"\"created\":\"2021-03-01T12:00:00Z\"}",
	"{\"type\":\"dm-sse\",\"keyslots\":[],\"pending-keyslot\":3,\"dm-sse-version\":1,"
	"\"layer\":\"outer\",\"des\":\"platform\",\"des-id\":\"00000000-0000-0000-0000-000000000000\","
	"\"customer\":false,\"kek\":{\"uri\":\"platform:default\",\"version\":\"1\","
	"\"fingerprint\":\"sha256:ff\",\"more\":[1,{}]},\"wrapping\":\"AES-256-KW\","
	"\"wrapped\":\"AAAAAAAA\",\"check\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\","
	"\"created\":\"2021-03-01T12:00:00Z\",\"unknown\":{\"kek\":null}}",
	"{\"keyslots\":{},\"tokens\":{},\"segments\":{\"0\":{\"type\":\"crypt\","
	"\"offset\":\"2097152\",\"size\":\"dynamic\",\"iv_tweak\":\"0\","
	"\"encryption\":\"aes-xts-plain64\",\"sector_size\":4096}},\"digests\":{\"0\":"
	"{\"segments\":[\"0\"],\"digest\":\"AAAA\"}},"
	"\"config\":{\"requirements\":{\"mandatory\":[\"online-reencrypt\"]}}}",
};

#ifndef LIBFUZZER
/* Pieces that mean something at many places. */
static const char * const pieces[] = {
	"\"", "{", "}", "[", "]", ",", ":", "null", "true", "0", "1", "-1", "1e9", "\\u0000",
	"\\ud800", "\"kek\":", "\"0\"", "{}", "[]", "\"uri\":\"x\",", "99999999999999999999",
	"\"dynamic\"", "=", "\xc2\x9b", "\xff", "AAAA", "[[[[[[[[[[",
};

static uint64_t state;

static unsigned int rnd(unsigned int n)
{
	/* xorshift64*: the same everywhere, so that a seed reproduces a failure */
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (unsigned int)((state * UINT64_C(2685821657736338717)) >> 33) % n;
}

static void insert(char *s, size_t size, unsigned int at, const char *piece)
{
	size_t len = strlen(s), more = strlen(piece);

	if (len + more + 1 > size)
		return;
	memmove(s + at + more, s + at, len - at + 1);
	memcpy(s + at, piece, more);
}

static void cut(char *s, unsigned int at, unsigned int nr)
{
	size_t len = strlen(s);

	if (at + nr <= len)
		memmove(s + at, s + at + nr, len - at - nr + 1);
}

static void mutate(char *s, size_t size)
{
	unsigned int n = rnd(4), at;

	while (n--) {
		at = rnd((unsigned int)strlen(s) + 1);
		switch (rnd(5)) {
		case 0:
			if (s[at])
				s[at] = (char)(1 + rnd(255));
			break;
		case 1:
			s[at] = '\0';
			break;
		case 2:
			cut(s, at, 1 + rnd(20));
			break;
		default:
			insert(s, size, at, pieces[rnd(sizeof(pieces) / sizeof(pieces[0]))]);
		}
	}
}
#endif

static bool second_round(const struct token *t)
{
	char *text = token_format(t), *again = NULL;
	struct reason why;
	struct token other;
	bool same;

	if (!text || token_parse(text, &other, &why)) {
		free(text);
		return false;
	}
	again = token_format(&other);
	same = again && !strcmp(text, again);
	token_free(&other);
	free(again);
	free(text);
	return same;
}

static bool one(const char *s, unsigned long *taken)
{
	unsigned char bytes[KEK_WRAPPED_MAX];
	struct meta_segment segment;
	struct reason why;
	struct token t;
	size_t size;
	bool ok;

	base64_decode(s, bytes, sizeof(bytes), &size);
	meta_segment_parse(s, &segment, &why);
	meta_same_volume_key(s, seeds[2]);
	if (token_parse(s, &t, &why))
		return true;
	(*taken)++;
	ok = second_round(&t);
	token_free(&t);
	if (!ok)
		printf("# differs after a second round: %s\n", s);
	return ok;
}

#ifdef LIBFUZZER
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	unsigned long taken = 0;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (!one(text, &taken)) {
		fflush(stdout);
		abort();
	}
	free(text);
	return 0;
}
#else
int main(int argc, char **argv)
{
	unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 100000;
	unsigned long bad = 0, taken = 0, i;
	char buf[TOKEN_TEXT_MAX + 100];

	state = argc > 2 ? strtoull(argv[2], NULL, 10) : 20210301;
	for (i = 0; i < rounds; i++) {
		strcpy(buf, seeds[rnd(sizeof(seeds) / sizeof(seeds[0]))]);
		mutate(buf, sizeof(buf));
		bad += !one(buf, &taken);
	}
	/* Some of them must get that far, or nothing was tried. */
	printf("TAP version 13\n1..2\n%sok 1 - %lu mutated texts\n", bad ? "not " : "", rounds);
	printf("%sok 2 - %lu of them taken for tokens\n", taken > rounds / 50 ? "" : "not ", taken);
	return bad != 0 || taken <= rounds / 50;
}
#endif
