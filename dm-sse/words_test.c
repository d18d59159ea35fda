// SPDX-License-Identifier: GPL-2.0-only
/* The text of a refusal: one line, cut where its room ends, with the layer's name. */
#include <linux/slab.h>
#include <linux/string.h>

#include "table.h"
#include "test.h"

static void test_error_names_layer(struct kunit *test)
{
	struct dmsse_error err;
	size_t size = sizeof(err.text);

	dmsse_err(&err, "x");
	dmsse_err_layer(&err, 1, 0);
	KUNIT_EXPECT_STREQ(test, err.text, "x");
	dmsse_err_layer(&err, 2, 1);
	KUNIT_EXPECT_STREQ(test, err.text, "outer layer: x");

	/* A text that fills its room is cut, and still ends. */
	memset(err.text, 'x', size - 1);
	err.text[size - 1] = '\0';
	dmsse_err_layer(&err, 2, 0);
	KUNIT_EXPECT_EQ(test, strnlen(err.text, size), size - 1);
	KUNIT_EXPECT_EQ(test, strncmp(err.text, "inner layer: xxx", 16), 0);
}

static void test_error_text_is_cut(struct kunit *test)
{
	struct dmsse_error err;
	size_t size = sizeof(err.text);
	char *text = kunit_kzalloc(test, 2 * size, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, text);
	memset(text, 'x', 2 * size - 1);
	dmsse_err(&err, "%s", text);
	KUNIT_EXPECT_EQ(test, strnlen(err.text, size), size - 1);
}

/* A word of a line must not look like a line of the log. */
static void test_error_text_is_one_line(struct kunit *test)
{
	struct dmsse_error err;

	dmsse_err(&err, "unknown option '%s'", "a\nBUG: b\x1b[2J\x7f\t\xc3\xa9");
	KUNIT_EXPECT_STREQ(test, err.text, "unknown option 'a?BUG: b?[2J??\xc3\xa9'");
}

static struct kunit_case words_cases[] = {
	KUNIT_CASE(test_error_names_layer),
	KUNIT_CASE(test_error_text_is_cut),
	KUNIT_CASE(test_error_text_is_one_line),
	{}
};

static struct kunit_suite words_suite = {
	.name = "dmsse-words",
	.test_cases = words_cases,
};

kunit_test_suite(words_suite);
