// SPDX-License-Identifier: GPL-2.0-only
/*
 * A run that is shared gives what one gives that isn't; and what fails in it is
 * told as if it had not been shared.
 */
#include "test_rig.h"

#include <linux/slab.h>

/* Random cases that a configuration gets, of dmsse_test_rounds. */
#define SHARE	20

static const struct rig_pair spread_pairs[] = {
	{ "xts 512", 512, false, &dmsse_rig_xts },
	{ "xts 4096", 4096, false, &dmsse_rig_xts },
	{ "cryptd 4096 large", 4096, true, &dmsse_rig_xts_cryptd },
	{ "xts, adiantum 512", 512, false, &dmsse_rig_xts, &dmsse_rig_adiantum },
	{ "adiantum, cryptd 2048 large", 2048, true, &dmsse_rig_adiantum, &dmsse_rig_xts_cryptd },
	{ "cbc essiv, serpent 1024", 1024, false, &dmsse_rig_essiv, &dmsse_rig_serpent_be },
	{ "toy 512", 512, false, &dmsse_rig_toy },
	{ "xts, toy 4096", 4096, false, &dmsse_rig_xts, &dmsse_rig_toy },
};

static void pair_name(const struct rig_pair *pair, char *desc)
{
	strscpy(desc, pair->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(spread_pairs, spread_pairs, pair_name);

static const struct rig_config *random_pair(struct kunit *test)
{
	return dmsse_rig_config(test, test->param_value);
}

static void plan_anew(enum manner manner)
{
	memset(&dmsse_rig_plan, 0, sizeof(dmsse_rig_plan));
	dmsse_rig_plan.manner = manner;
	dmsse_rig_plan.submitter = current;
}

static bool prepare(struct rig *rig, const struct arena *src, const struct arena *dst,
		    u64 sector, unsigned int size)
{
	if (!dmsse_rig_new_crypt(rig, 0))
		return false;
	memset(rig->crypt, 0x5a, rig->stack.crypt_size);
	dmsse_crypt_init(rig->crypt, &rig->stack, sector, true);
	rig->crypt->src = dmsse_arena_span(src, size);
	rig->crypt->dst = dmsse_arena_span(dst, size);
	return true;
}

static void lay_out_both(u64 *state, struct arena *src, struct arena *dst, unsigned int size)
{
	unsigned int lead;

	do {
		lead = test_below(state, 2) ? test_below(state, 3000) : 0;
	} while (!dmsse_arena_lay_out(state, src, test_below(state, NR_LAYOUTS), lead, size));
	do {
		lead = test_below(state, 2) ? test_below(state, 3000) : 0;
	} while (!dmsse_arena_lay_out(state, dst, test_below(state, NR_LAYOUTS), lead, size));
}

static struct workqueue_struct *random_queue(u64 *state)
{
	static const unsigned long flags[] = {
		0, DMSSE_HIGH_PRIORITY, DMSSE_SAME_CPU_CRYPT,
	};

	return test_below(state, 4) ? dmsse_workqueue(flags[test_below(state, ARRAY_SIZE(flags))]) :
		NULL;
}

/* One run: alone, what is expected; and again, over what was there before. */
static void random_spread(struct kunit *test, struct rig *rig, struct arena *src,
			  struct arena *dst, u8 *before_dst, u64 *state)
{
	unsigned int sector_size = rig->config->sector_size, size;
	u64 before = *state, sector = dmsse_rig_sector(state, sector_size / 512);
	struct workqueue_struct *wq = random_queue(state);
	int r;

	size = sector_size * (1 + test_below(state, test_below(state, 4) ? 12 :
					     MAX_RUN / sector_size));
	lay_out_both(state, src, dst, size);
	rig->stack.chunk = sector_size << test_below(state, 4);
	memcpy(src->expected, src->data, ARENA_SIZE);
	memcpy(before_dst, dst->data, ARENA_SIZE);

	KUNIT_ASSERT_TRUE(test, prepare(rig, src, dst, sector, size));
	KUNIT_ASSERT_EQ(test, dmsse_crypt_run(rig->crypt, true), 0);
	memcpy(dst->expected, dst->data, ARENA_SIZE);
	memcpy(dst->data, before_dst, ARENA_SIZE);

	KUNIT_ASSERT_TRUE(test, prepare(rig, src, dst, sector, size));
	r = dmsse_spread_run(rig->crypt, wq);
	if (r || memcmp(src->data, src->expected, ARENA_SIZE) ||
	    memcmp(dst->data, dst->expected, ARENA_SIZE))
		KUNIT_FAIL(test, "state %llu: %u at sector %llu, lead %u, %u, %s: %d, %s",
			   before, size, sector, src->lead, dst->lead,
			   wq ? "workqueue" : "no workqueue", r,
			   memcmp(dst->data, dst->expected, ARENA_SIZE) ? "wrong result" :
			   "source damaged or error");
}

static void random_spreads(struct kunit *test, const char *policy)
{
	u64 state = dmsse_test_begin(test);
	unsigned int rounds = dmsse_test_rounds / SHARE, round;
	struct arena *src = dmsse_arena_new(test, &state), *dst = dmsse_arena_new(test, &state);
	struct rig *rig = dmsse_rig_create(test, random_pair(test), 0, 1ULL << 40, &state);
	u8 *before_dst = kunit_kmalloc(test, ARENA_SIZE, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, before_dst);
	dmsse_rig_policy(test, policy);
	plan_anew(LATER);
	for (round = 0; round < rounds; round++) {
		random_spread(test, rig, src, dst, before_dst, &state);
		if (test->status == KUNIT_FAILURE)
			break;
		cond_resched();
	}
}

static void test_spread(struct kunit *test)
{
	random_spreads(test, "spread");
}

static void test_auto(struct kunit *test)
{
	random_spreads(test, "auto");
}

static void test_here(struct kunit *test)
{
	random_spreads(test, "here");
}

/* A run of one sector for each chunk, over the toy cipher. */
#define SECTORS_OF_RUN	12

struct toy {
	struct rig *rig;
	struct arena *src;
	struct arena *dst;
	unsigned int size;
};

/* Far from where it would be confused with a position in the run. */
#define TOY_SECTOR	640
#define TOY_OFFSET	80

static void begin_toy(struct kunit *test, struct toy *toy, bool two_layers)
{
	static const struct rig_pair one = { "toy", 512, false, &dmsse_rig_toy };
	static const struct rig_pair two = { "toys", 512, false, &dmsse_rig_toy, &dmsse_rig_toy };
	u64 state = dmsse_test_seed ?: 1;

	toy->rig = dmsse_rig_create(test, dmsse_rig_config(test, two_layers ? &two : &one),
				    TOY_OFFSET, TOY_OFFSET, &state);
	toy->rig->stack.chunk = 512;
	toy->src = dmsse_arena_new(test, &state);
	toy->dst = dmsse_arena_new(test, &state);
	toy->size = SECTORS_OF_RUN * 512;
	KUNIT_ASSERT_TRUE(test, dmsse_arena_lay_out(&state, toy->src, PAGES, 0, toy->size));
	KUNIT_ASSERT_TRUE(test, dmsse_arena_lay_out(&state, toy->dst, PAGES, 0, toy->size));
	KUNIT_ASSERT_TRUE(test, prepare(toy->rig, toy->src, toy->dst, TOY_SECTOR, toy->size));
}

/* What the submitter begins with isn't done before a helper has begun, too. */
static void test_helpers_help(struct kunit *test)
{
	struct toy toy;

	begin_toy(test, &toy, false);
	dmsse_rig_policy(test, "spread");
	plan_anew(LATER);
	dmsse_rig_plan.needs_others = true;
	KUNIT_EXPECT_EQ(test, dmsse_spread_run(toy.rig->crypt, dmsse_workqueue(0)), 0);
	KUNIT_EXPECT_GT(test, atomic_read(&dmsse_rig_plan.others), 0);
	/* Each chunk by one of them, and by no more than one. */
	KUNIT_EXPECT_EQ(test, atomic_read(&dmsse_rig_plan.requests), SECTORS_OF_RUN);
}

static void test_no_helpers(struct kunit *test)
{
	static const char * const policies[] = { "spread", "here" };
	struct workqueue_struct *wqs[] = { NULL, dmsse_workqueue(0) };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(policies); i++) {
		struct toy toy;

		begin_toy(test, &toy, false);
		dmsse_rig_policy(test, policies[i]);
		plan_anew(LATER);
		KUNIT_EXPECT_EQ(test, dmsse_spread_run(toy.rig->crypt, wqs[i]), 0);
		KUNIT_EXPECT_EQ(test, atomic_read(&dmsse_rig_plan.others), 0);
		KUNIT_EXPECT_EQ(test, atomic_read(&dmsse_rig_plan.requests), SECTORS_OF_RUN);
	}
}

/* Larger than what can be allocated: helpers come and leave with nothing done. */
static void test_helpers_without_memory(struct kunit *test)
{
	struct toy toy;

	begin_toy(test, &toy, false);
	dmsse_rig_policy(test, "spread");
	plan_anew(LATER);
	dmsse_rig_plan.flush = dmsse_workqueue(0);
	toy.rig->stack.crypt_size = 2 * KMALLOC_MAX_SIZE;
	KUNIT_EXPECT_EQ(test, dmsse_spread_run(toy.rig->crypt, dmsse_workqueue(0)), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&dmsse_rig_plan.others), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&dmsse_rig_plan.requests), SECTORS_OF_RUN);
}

static void fail_at(struct kunit *test, enum manner manner, bool two_layers, unsigned int nth,
		    struct workqueue_struct *wq)
{
	unsigned int requests;
	struct toy toy;

	begin_toy(test, &toy, two_layers);
	plan_anew(manner);
	dmsse_rig_plan.fail_at = nth;
	dmsse_rig_plan.error = -EILSEQ;
	KUNIT_EXPECT_EQ(test, dmsse_spread_run(toy.rig->crypt, wq), -EILSEQ);
	KUNIT_EXPECT_EQ(test, toy.rig->crypt->sector, dmsse_rig_plan.failed_iv - TOY_OFFSET);

	/* Whoever was at work came to an end of it, and nobody began anew. */
	requests = atomic_read(&dmsse_rig_plan.requests);
	if (!wq)
		KUNIT_EXPECT_EQ(test, requests, nth);
	flush_workqueue(dmsse_rig_queue);
	if (wq)
		flush_workqueue(wq);
	KUNIT_EXPECT_EQ(test, atomic_read(&dmsse_rig_plan.requests), requests);
}

static void test_failure(struct kunit *test)
{
	static const enum manner manners[] = { AT_ONCE, LATER, BACKLOG };
	unsigned int nth, i;

	dmsse_rig_policy(test, "spread");
	for (i = 0; i < ARRAY_SIZE(manners); i++) {
		for (nth = 1; nth <= SECTORS_OF_RUN; nth++) {
			fail_at(test, manners[i], false, nth, NULL);
			fail_at(test, manners[i], false, nth, dmsse_workqueue(0));
			fail_at(test, manners[i], true, 2 * nth, NULL);
			fail_at(test, manners[i], true, 2 * nth, dmsse_workqueue(0));
		}
	}
}

/* A failure of a helper's is the run's. */
static void test_helper_fails(struct kunit *test)
{
	struct toy toy;

	begin_toy(test, &toy, false);
	dmsse_rig_policy(test, "spread");
	plan_anew(LATER);
	dmsse_rig_plan.needs_others = true;
	/* The first of the submitter's waits for the second, which isn't its own. */
	dmsse_rig_plan.fail_at = 2;
	dmsse_rig_plan.error = -EILSEQ;
	KUNIT_EXPECT_EQ(test, dmsse_spread_run(toy.rig->crypt, dmsse_workqueue(0)), -EILSEQ);
	KUNIT_EXPECT_GT(test, atomic_read(&dmsse_rig_plan.others), 0);
	KUNIT_EXPECT_EQ(test, toy.rig->crypt->sector, dmsse_rig_plan.failed_iv - TOY_OFFSET);
}

static struct kunit_case spread_cases[] = {
	KUNIT_CASE_PARAM(test_spread, spread_pairs_gen_params),
	KUNIT_CASE_PARAM(test_auto, spread_pairs_gen_params),
	KUNIT_CASE_PARAM(test_here, spread_pairs_gen_params),
	KUNIT_CASE(test_helpers_help),
	KUNIT_CASE(test_no_helpers),
	KUNIT_CASE(test_helpers_without_memory),
	KUNIT_CASE(test_failure),
	KUNIT_CASE(test_helper_fails),
	{}
};

static struct kunit_suite spread_suite = {
	.name = "dmsse-spread",
	.suite_init = dmsse_rig_init,
	.suite_exit = dmsse_rig_exit,
	.test_cases = spread_cases,
};

kunit_test_suite(spread_suite);
