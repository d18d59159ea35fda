// SPDX-License-Identifier: GPL-2.0-only
/* When a lease ends, whatever becomes of the clock. */
#include "dmsse.h"
#include "test.h"

#define HOUR	3600
#define DAY	(24 * HOUR)

/* What rounding may cost, in seconds. */
#define LATE	2

/* A machine that was started at START and has been up for UP. */
#define START	1800000000LL
#define UP	1000LL
#define NOW	(START + UP)

struct deadline {
	const char *name;
	time64_t expiry;
	time64_t real;
	time64_t before; /* what the wall clock was ahead by at the last look */
	time64_t left;
};

static const struct deadline deadlines[] = {
	{ "an hour", NOW + HOUR, NOW, START, HOUR },
	{ "a second", NOW + 1, NOW, START, 1 },
	{ "seventy years", NOW + 70LL * 365 * DAY, NOW, START, 70LL * 365 * DAY },
	{ "over already", NOW - HOUR, NOW, START, -HOUR },
	{ "a wall clock that begins with 1970", UP + HOUR, UP, 0, HOUR },
	{ "renewed, then the clock set back", NOW + HOUR, NOW - DAY, START, HOUR },
	{ "the clock set back, then renewed", NOW - DAY + HOUR, NOW - DAY, START, HOUR },
	{ "renewed, then the clock set forward", NOW + HOUR, NOW + DAY, START, HOUR - DAY },
	{ "the clock set forward, then renewed", NOW + DAY + HOUR, NOW + DAY, START, HOUR },
	/* Nobody can know which of the two it was: the shorter one it is. */
	{ "the clock set back by a little", NOW + HOUR, NOW - 60, START, HOUR },
	{ "the clock set back by a little, then renewed", NOW - 60 + HOUR, NOW - 60, START,
	  HOUR - 60 },
};

static void deadline_name(const struct deadline *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(deadlines, deadlines, deadline_name);

static void test_deadline(struct kunit *test)
{
	const struct deadline *c = test->param_value;
	const struct dmsse_clocks now = { .real = c->real, .boot = UP };
	time64_t left = dmsse_lease_deadline(c->expiry, &now, c->before) - UP;

	KUNIT_EXPECT_GE(test, left, c->left);
	KUNIT_EXPECT_LE(test, left, c->left + LATE);
}

static void test_no_deadline(struct kunit *test)
{
	const struct dmsse_clocks now = { .real = NOW, .boot = UP };

	KUNIT_EXPECT_EQ(test, dmsse_lease_deadline(0, &now, START), TIME64_MAX);
	KUNIT_EXPECT_EQ(test, dmsse_lease_deadline(TIME64_MAX, &now, START), TIME64_MAX);
	KUNIT_EXPECT_EQ(test, dmsse_lease_deadline(TIME64_MAX, &now, START + DAY), TIME64_MAX);
}

/* The words are an interface. */
static void test_names(struct kunit *test)
{
	KUNIT_EXPECT_STREQ(test, dmsse_lease_mode_name(DMSSE_LEASE_ERROR), "error");
	KUNIT_EXPECT_STREQ(test, dmsse_lease_mode_name(DMSSE_LEASE_QUEUE), "queue");
}

/* Without the option there is nothing to ask, and all calls say so. */
static void test_no_lease(struct kunit *test)
{
	char text[8] = "x";

	KUNIT_EXPECT_EQ(test, dmsse_lease_state(NULL), DMSSE_LEASE_VALID);
	KUNIT_EXPECT_EQ(test, dmsse_lease_settle(NULL), 0);
	KUNIT_EXPECT_EQ(test, dmsse_lease_emit(NULL, text, sizeof(text)), 0UL);
	dmsse_lease_check(NULL);
	dmsse_lease_drop(NULL, 0);
	dmsse_lease_renew(NULL);
	dmsse_lease_presuspend(NULL);
	dmsse_lease_resumed(NULL);
	dmsse_lease_watch(NULL);
	dmsse_lease_destroy(NULL);
}

static struct kunit_case lease_cases[] = {
	KUNIT_CASE_PARAM(test_deadline, deadlines_gen_params),
	KUNIT_CASE(test_no_deadline),
	KUNIT_CASE(test_names),
	KUNIT_CASE(test_no_lease),
	{}
};

static struct kunit_suite lease_suite = {
	.name = "dmsse-lease",
	.test_cases = lease_cases,
};

kunit_test_suite(lease_suite);
