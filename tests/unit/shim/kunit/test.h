/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * As much of KUnit as the suites over the pure files use, so that the same
 * suites run in userspace under ASan and UBSan. See shim/kunit.c.
 */
#ifndef SHIM_KUNIT_TEST_H
#define SHIM_KUNIT_TEST_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define KUNIT_PARAM_DESC_SIZE	128
#define KUNIT_MAX_ALLOCS	16

struct kunit {
	const void *param_value;
	bool failed;
	jmp_buf abort;
	void *alloc[KUNIT_MAX_ALLOCS];
	unsigned int nr_allocs;
};

struct kunit_case {
	void (*run)(struct kunit *test);
	const char *name;
	const void *(*generate)(struct kunit *test, const void *prev, char *desc);
};

struct kunit_suite {
	const char *name;
	struct kunit_case *test_cases;
};

#define KUNIT_CASE(fn)			{ .run = fn, .name = #fn }
#define KUNIT_CASE_PARAM(fn, gen)	{ .run = fn, .name = #fn, .generate = gen }

#define KUNIT_ARRAY_PARAM(prefix, array, describe)				\
static const void *prefix##_gen_params(struct kunit *test, const void *prev, char *desc) \
{										\
	const __typeof__((array)[0]) *next = prev;				\
										\
	(void)test;								\
	next = next ? next + 1 : (array);					\
	if (next >= (array) + sizeof(array) / sizeof((array)[0]))		\
		return NULL;							\
	describe(next, desc);							\
	return next;								\
}

/* Each suite is a file; a constructor puts it on the list. */
void kunit_add_suite(const struct kunit_suite *suite);

#define kunit_test_suite(suite)							\
__attribute__((constructor)) static void add_##suite(void)			\
{										\
	kunit_add_suite(&suite);						\
}										\
extern int shim_unused

void *kunit_kzalloc(struct kunit *test, size_t size, int gfp);

#define kunit_info(test, fmt, ...)	((void)(test), printf("# " fmt, ##__VA_ARGS__))

__attribute__((format(printf, 6, 7)))
void kunit_check(struct kunit *test, bool good, bool abort, const char *file, int line,
		 const char *fmt, ...);

#define KUNIT_CHECK(test, good, abort, ...) \
	kunit_check(test, good, abort, __FILE__, __LINE__, __VA_ARGS__)

#define KUNIT_EXPECT_EQ(test, a, b)	KUNIT_CHECK(test, (a) == (b), false, "%s == %s", #a, #b)
#define KUNIT_ASSERT_EQ(test, a, b)	KUNIT_CHECK(test, (a) == (b), true, "%s == %s", #a, #b)
#define KUNIT_EXPECT_EQ_MSG(test, a, b, ...)	KUNIT_CHECK(test, (a) == (b), false, __VA_ARGS__)
#define KUNIT_ASSERT_EQ_MSG(test, a, b, ...)	KUNIT_CHECK(test, (a) == (b), true, __VA_ARGS__)
#define KUNIT_ASSERT_LT(test, a, b)	KUNIT_CHECK(test, (a) < (b), true, "%s < %s", #a, #b)
#define KUNIT_EXPECT_GT(test, a, b)	KUNIT_CHECK(test, (a) > (b), false, "%s > %s", #a, #b)
#define KUNIT_EXPECT_NULL(test, a)	KUNIT_CHECK(test, !(a), false, "%s is null", #a)
#define KUNIT_EXPECT_NULL_MSG(test, a, ...)	KUNIT_CHECK(test, !(a), false, __VA_ARGS__)
#define KUNIT_ASSERT_NOT_NULL(test, a)	KUNIT_CHECK(test, (a) != NULL, true, "%s", #a)
#define KUNIT_EXPECT_TRUE(test, a)	KUNIT_CHECK(test, (a), false, "%s", #a)
#define KUNIT_EXPECT_TRUE_MSG(test, a, ...)	KUNIT_CHECK(test, (a), false, __VA_ARGS__)
#define KUNIT_EXPECT_STREQ(test, a, b) \
	KUNIT_CHECK(test, !strcmp(a, b), false, "'%s' is '%s'", a, b)
#define KUNIT_ASSERT_STREQ(test, a, b) \
	KUNIT_CHECK(test, !strcmp(a, b), true, "'%s' is '%s'", a, b)

#endif
