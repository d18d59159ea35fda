// SPDX-License-Identifier: GPL-2.0-only
/* Messages: what they mean, and what is refused. */
#include <linux/errno.h>
#include <linux/string.h>

#include "table.h"
#include "test_line.h"

struct message_case {
	const char *text;
	const char *message; /* NULL: it is right */
	unsigned int nr_layers;
	bool set;
	unsigned int first;
	unsigned int nr;
};

#define UNKNOWN		"unknown message: use 'key set [<layer>] <reference>' or 'key wipe [<layer>]'"
#define WHICH		"which layer? Use 'key set inner <reference>' or 'key set outer <reference>'"
#define NO_OUTER	"this device has no outer layer: its only one is inner"
#define NO_LAYER	"unknown layer: use inner or outer"

static const struct message_case messages[] = {
	{ "key set " REF64, NULL, 1, true, 0, 1 },
	{ "KEY SET " REF64, NULL, 1, true, 0, 1 },
	{ "key set inner " REF64, NULL, 1, true, 0, 1 },
	{ "key set inner " REF64, NULL, 2, true, 0, 1 },
	{ "key set outer " REF64, NULL, 2, true, 1, 1 },
	{ "key set Outer " REF64, NULL, 2, true, 1, 1 },
	{ "key wipe", NULL, 1, false, 0, 1 },
	{ "key wipe", NULL, 2, false, 0, 2 },
	{ "key wipe inner", NULL, 1, false, 0, 1 },
	{ "key wipe inner", NULL, 2, false, 0, 1 },
	{ "key wipe outer", NULL, 2, false, 1, 1 },
	{ "", UNKNOWN, 2 },
	{ "key", UNKNOWN, 2 },
	{ "set", UNKNOWN, 2 },
	{ "key set", UNKNOWN, 2 },
	{ "key get inner", UNKNOWN, 2 },
	{ "keys wipe", UNKNOWN, 2 },
	{ "key set inner " REF64 " outer", UNKNOWN, 2 },
	{ "key set inner " REF64 " outer " REF64, UNKNOWN, 2 },
	{ "key wipe inner outer", UNKNOWN, 2 },
	{ "wipe key inner", UNKNOWN, 2 },
	{ "key set inner " HEX64 " outer", UNKNOWN, 2 },
	{ "key get " HEX64, UNKNOWN, 1 },
	{ HEX64, UNKNOWN, 1 },
	{ "key set " REF64, WHICH, 2 },
	{ "key set outer " REF64, NO_OUTER, 1 },
	{ "key wipe outer", NO_OUTER, 1 },
	{ "key set middle " REF64, NO_LAYER, 2 },
	{ "key set 0 " REF64, NO_LAYER, 2 },
	{ "key set inne " REF64, NO_LAYER, 2 },
	{ "key set innermost " REF64, NO_LAYER, 2 },
	{ "key set " REF64 " inner", NO_LAYER, 2 },
	{ "key wipe both", NO_LAYER, 2 },
	{ "key wipe now", NO_LAYER, 1 },
	{ "key set inner", NOT_A_KEY, 2 },
	{ "key set outer " HEX64, NOT_A_KEY, 2 },
	{ "key set " HEX64, NOT_A_KEY, 2 },
	{ "key set " HEX64, NOT_A_KEY, 1 },
	{ "key set inner :64:logon", INCOMPLETE, 2 },
	{ "key set outer :x:logon:vm:d", KEY_SIZE, 2 },
	{ "key set outer :32:key:vm:d", KEY_TYPE, 2 },
	{ "key wipe " HEX64, NO_LAYER, 2 },
	{ "key set " HEX64 " " HEX64, NO_LAYER, 2 },
};

static void message_name(const struct message_case *c, char *desc)
{
	/* KUnit cuts what is too long. */
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%u layers: %s", c->nr_layers, c->text);
}

KUNIT_ARRAY_PARAM(messages, messages, message_name);

static void test_message(struct kunit *test)
{
	const struct message_case *c = test->param_value;
	struct words *words = cut(test, new_words(test), c->text);
	struct dmsse_message message;
	struct dmsse_error err = {};
	unsigned int i;
	int r;

	r = dmsse_message_parse(&message, c->nr_layers, words->argc, words->argv, &err);
	KUNIT_EXPECT_EQ(test, r, c->message ? -EINVAL : 0);
	KUNIT_EXPECT_STREQ(test, err.text, c->message ?: "");
	for (i = 0; i < words->argc; i++)
		KUNIT_EXPECT_NULL(test, strstr(words->argv[i], HEX64));
	if (c->message)
		return;
	KUNIT_EXPECT_EQ(test, message.set, c->set);
	KUNIT_EXPECT_EQ(test, message.first, c->first);
	KUNIT_EXPECT_EQ(test, message.nr, c->nr);
	if (c->set)
		KUNIT_EXPECT_STREQ(test, message.ref.description, "vm:disk0");
}

static struct kunit_case message_cases[] = {
	KUNIT_CASE_PARAM(test_message, messages_gen_params),
	{}
};

static struct kunit_suite message_suite = {
	.name = "dmsse-message",
	.test_cases = message_cases,
};

kunit_test_suite(message_suite);
