// SPDX-License-Identifier: GPL-2.0-only
/*
 * Throws mutations of good lines at the parsers; the sanitizers judge. What is
 * taken must survive a second round.
 *
 *	fuzz_table [ROUNDS [SEED]]
 *
 * With -DLIBFUZZER it is a target for "clang -fsanitize=fuzzer".
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cipher.h"
#include "diag.h"
#include "info.h"
#include "table.h"

#ifndef LIBFUZZER
static const char * const seeds[] = {
	"aes-xts-plain64 :64:logon:dmsse:a 0 7:0 0",
	"capi:cbc(aes)-essiv:sha256 :32:user:a 8 253:12 2048 2 allow_discards sector_size:4096",
	"aes-xts-plain64 :64:logon:dmsse:a 0 7:0 0 4 outer aes-cbc-essiv:sha256 :32:logon:a:b 8",
	"active layers:1 inner:keyed read_bios:12 insecure",
	":64:logon:dmsse:a", "user:abc", "xchacha12,aes-adiantum-plain64", "capi:xts(aes)-plain64be",
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

static void mutate(char *s, size_t size)
{
	static const char alphabet[] = ":::   ---(),0123456789aeinosx_\\\t\x7f\xff";
	unsigned int n = rnd(6), at;
	size_t len;

	while (n--) {
		len = strlen(s);
		at = rnd((unsigned int)len + 1);
		switch (rnd(4)) {
		case 0:
			s[at] = alphabet[rnd(sizeof(alphabet) - 1)];
			break;
		case 1:
			s[at] = '\0';
			break;
		case 2:
			memmove(s + at / 2, s + at, len - at + 1);
			break;
		case 3:
			if (len + 41 < size) {
				memmove(s + at + 40, s + at, len - at + 1);
				memset(s + at, alphabet[rnd(sizeof(alphabet) - 1)], 40);
			}
		}
		s[size - 1] = '\0';
	}
}
#endif

static int one(const char *s)
{
	struct sse_table t, again;
	struct sse_info info;
	struct keyref key;
	char *line, *second;
	int same = 1;

	cipher_check(s);
	keyref_parse(s, NULL, &key);
	if (!info_parse(s, &info)) {
		info_word(&info, "insecure");
		info_free(&info);
	}
	if (table_parse(s, &t))
		return 1;
	line = table_format(&t);
	if (!line || table_parse(line, &again)) {
		printf("# taken once, refused then: '%s' -> '%s'\n", s, line ? line : "");
		same = 0;
	} else {
		second = table_format(&again);
		same = second && !strcmp(line, second);
		free(second);
		table_free(&again);
	}
	free(line);
	table_free(&t);
	return same;
}

#ifdef LIBFUZZER
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	static FILE *sink;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	/* The sanitizers have a way of their own. */
	if (!sink)
		sink = stderr = fopen("/dev/null", "w");
	if (!one(text)) {
		fflush(stdout);
		abort();
	}
	free(text);
	return 0;
}
#else
int main(int argc, char **argv)
{
	unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 100000, i, bad = 0;
	char buf[1024];

	state = argc > 2 ? strtoull(argv[2], NULL, 10) | 1 : 20260101;
	if (!freopen("/dev/null", "w", stderr))
		return 1;
	for (i = 0; i < rounds; i++) {
		memset(buf, 0, sizeof(buf));
		strcpy(buf, seeds[rnd(sizeof(seeds) / sizeof(seeds[0]))]);
		mutate(buf, sizeof(buf));
		bad += !one(buf);
	}
	printf("TAP version 13\n1..1\n%sok 1 - %lu mutated lines\n", bad ? "not " : "", rounds);
	return bad != 0;
}
#endif
