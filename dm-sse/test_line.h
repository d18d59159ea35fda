/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the suites over the words of table lines and messages share: how a line is
 * cut, and words and refusals that more than one of them has.
 */
#ifndef DMSSE_TEST_LINE_H
#define DMSSE_TEST_LINE_H

#include <linux/errno.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "table.h"
#include "test.h"

#define MAX_ARGS	24
#define MAX_LINE	1024

/* A table line cut into words, as device-mapper does. */
struct words {
	char text[MAX_LINE];
	unsigned int argc;
	char *argv[MAX_ARGS];
};

static inline struct words *cut(struct kunit *test, struct words *words, const char *line)
{
	char *p = words->text, *word;

	KUNIT_ASSERT_LT(test, strlen(line), sizeof(words->text));
	strscpy(words->text, line, sizeof(words->text));
	words->argc = 0;
	while ((word = strsep(&p, " "))) {
		if (!*word)
			continue;
		KUNIT_ASSERT_LT(test, words->argc, (unsigned int)MAX_ARGS);
		words->argv[words->argc++] = word;
	}
	return words;
}

static inline struct words *new_words(struct kunit *test)
{
	struct words *words = kunit_kzalloc(test, sizeof(*words), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, words);
	return words;
}

#define REF64	":64:logon:vm:disk0"
#define ADIANTUM	"capi:adiantum(xchacha12,aes)-plain64"
#define OUTER		"outer " ADIANTUM " :32:logon:vm:disk0-outer"
#define HEX64		"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

#define NOT_A_KEY	"key must be a keyring reference ':<bytes>:<type>:<description>', a key itself is not taken"
#define INCOMPLETE	"key reference is incomplete: use ':<bytes>:<type>:<description>'"
#define KEY_SIZE	"size in the key reference must be a number of bytes from 1 to 256"
#define KEY_TYPE	"unknown key type: use logon, user, encrypted or trusted"

#endif
