// SPDX-License-Identifier: GPL-2.0-only
/* Where work runs and how much of it at a time. No limit of time is the machine's. */
#include "test_rig.h"

#include <linux/delay.h>
#include <linux/interrupt.h>
#include <linux/irqflags.h>
#include <linux/log2.h>
#include <linux/sched/clock.h>
#include <linux/slab.h>

/* As documented: what a part of a run, and a part of a read, may take. */
#define CHUNK_NS	25000U
#define PIECE_NS	100000U
#define BURST_NS	200000U

/* Sizes ---------------------------------------------------------------------- */

struct cost {
	const char *name;
	unsigned int sector_size;
	u64 takes_ns; /* each sector */
};

static const struct cost costs[] = {
	{ "nothing, 512", 512, 0 },
	{ "nothing, 4096", 4096, 0 },
	{ "1 us, 512", 512, 1000 },
	{ "20 us, 512", 512, 20000 },
	{ "20 us, 4096", 4096, 20000 },
	{ "1 ms, 512", 512, 1000000 },
	{ "5 ms, 4096", 4096, 5000000 },
};

static void cost_name(const struct cost *cost, char *desc)
{
	strscpy(desc, cost->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(costs, costs, cost_name);

static struct rig *toy_rig(struct kunit *test, unsigned int sector_size)
{
	const struct rig_pair pair = { "toy", sector_size, false, &dmsse_rig_toy };
	u64 state = 1;

	memset(&dmsse_rig_plan, 0, sizeof(dmsse_rig_plan));
	return dmsse_rig_create(test, dmsse_rig_config(test, &pair), 0, 0, &state);
}

/* As much as can be done in @ns: a power of two, and twice that is too much. */
static void expect_fits(struct kunit *test, const struct dmsse_stack *stack, unsigned int size,
			unsigned int ns, unsigned int least)
{
	KUNIT_EXPECT_TRUE(test, is_power_of_2(size));
	KUNIT_EXPECT_EQ(test, size % stack->sector_size, 0U);
	KUNIT_EXPECT_GE(test, size, least);
	KUNIT_EXPECT_LE(test, size, (unsigned int)SZ_1M);
	if (size > least)
		KUNIT_EXPECT_LE(test, (u64)size / SZ_1K * stack->ns_per_kib, ns);
	if (size < SZ_1M)
		KUNIT_EXPECT_GT(test, (u64)size / SZ_1K * 2 * stack->ns_per_kib, ns);
}

static void test_sizes(struct kunit *test)
{
	const struct cost *cost = test->param_value;
	struct rig *rig = toy_rig(test, cost->sector_size);
	struct dmsse_stack *stack = &rig->stack;
	unsigned int chunk, piece;

	dmsse_rig_plan.takes_ns = cost->takes_ns;
	dmsse_policy_init(stack);
	kunit_info(test, "%u ns for 1 KiB\n", stack->ns_per_kib);
	KUNIT_EXPECT_GE(test, stack->ns_per_kib, 1U);
	KUNIT_EXPECT_GE(test, (u64)stack->ns_per_kib,
			min_t(u64, cost->takes_ns * SZ_1K / cost->sector_size, NSEC_PER_MSEC));

	chunk = dmsse_policy_chunk(stack);
	piece = dmsse_policy_piece(stack);
	expect_fits(test, stack, chunk, CHUNK_NS, max(SZ_1K, cost->sector_size));
	expect_fits(test, stack, piece, PIECE_NS, SZ_128K);

	dmsse_rig_policy(test, "here");
	KUNIT_EXPECT_EQ(test, dmsse_policy_chunk(stack), chunk);
	KUNIT_EXPECT_EQ(test, dmsse_policy_piece(stack), piece);
	dmsse_rig_policy(test, "spread");
	KUNIT_EXPECT_EQ(test, dmsse_policy_chunk(stack), cost->sector_size);
	KUNIT_EXPECT_EQ(test, dmsse_policy_piece(stack), 4 * cost->sector_size);
}

/* Of the tries the best counts, however they are disturbed: never one that failed. */
static void test_not_measured(struct kunit *test)
{
	unsigned int nth;

	for (nth = 1; nth <= 3; nth++) {
		struct rig *rig = toy_rig(test, 512);

		dmsse_rig_plan.takes_ns = 1000000;
		dmsse_rig_plan.fail_at = nth;
		dmsse_rig_plan.error = -EIO;
		dmsse_policy_init(&rig->stack);
		KUNIT_EXPECT_EQ(test, rig->stack.ns_per_kib, 1000U);
		KUNIT_EXPECT_EQ(test, dmsse_policy_chunk(&rig->stack), (unsigned int)SZ_16K);
		KUNIT_EXPECT_EQ(test, dmsse_policy_piece(&rig->stack), (unsigned int)SZ_128K);
	}
}

/* Helpers -------------------------------------------------------------------- */

static void forget_failures(void)
{
	unsigned int i;

	for (i = 0; i < 64; i++)
		dmsse_policy_helpers(4, 4);
	dmsse_policy_helped(1);
}

static void test_helpers(struct kunit *test)
{
	migrate_disable();
	forget_failures();
	KUNIT_EXPECT_EQ(test, dmsse_policy_helpers(1, 8), 0U);
	KUNIT_EXPECT_EQ(test, dmsse_policy_helpers(2, 8), 1U);
	KUNIT_EXPECT_EQ(test, dmsse_policy_helpers(3, 8), 1U);
	KUNIT_EXPECT_EQ(test, dmsse_policy_helpers(4, 8), 2U);
	KUNIT_EXPECT_EQ(test, dmsse_policy_helpers(1000, 8), (unsigned int)DMSSE_MAX_HELPERS);
	KUNIT_EXPECT_EQ(test, dmsse_policy_helpers(1000, 2), 1U);
	KUNIT_EXPECT_EQ(test, dmsse_policy_helpers(1000, 1), 0U);

	dmsse_rig_policy(test, "here");
	KUNIT_EXPECT_EQ(test, dmsse_policy_helpers(1000, 8), 0U);
	dmsse_rig_policy(test, "spread");
	KUNIT_EXPECT_EQ(test, dmsse_policy_helpers(1, 1), (unsigned int)DMSSE_MAX_HELPERS);
	migrate_enable();
}

/* Runs without helpers until one has some again. */
static unsigned int alone(void)
{
	unsigned int nr = 0;

	while (nr < 1000 && !dmsse_policy_helpers(4, 4))
		nr++;
	return nr;
}

static void test_back_off(struct kunit *test)
{
	static const unsigned int want[] = { 1, 3, 7, 15, 31, 63, 63, 63 };
	unsigned int i;

	migrate_disable();
	forget_failures();
	KUNIT_EXPECT_EQ(test, alone(), 0U);
	for (i = 0; i < ARRAY_SIZE(want); i++) {
		dmsse_policy_helped(0);
		KUNIT_EXPECT_EQ(test, alone(), want[i]);
		KUNIT_EXPECT_EQ(test, alone(), 0U);
	}
	/* One chunk is enough, and all is as in the beginning. */
	dmsse_policy_helped(1);
	KUNIT_EXPECT_EQ(test, alone(), 0U);
	dmsse_policy_helped(0);
	KUNIT_EXPECT_EQ(test, alone(), 1U);
	dmsse_policy_helped(0);
	dmsse_policy_helpers(1, 4);
	/* A run that could have had none isn't one without. */
	KUNIT_EXPECT_EQ(test, alone(), 3U);
	dmsse_policy_helped(1);
	migrate_enable();
}

/*
 * A part of a read that is taken too late counts as helpers that did not come. Some
 * machines have a clock of jiffies.
 */
static void test_late(struct kunit *test)
{
	const struct dmsse_stack dear = { .sector_size = 512, .ns_per_kib = NSEC_PER_MSEC };
	const struct dmsse_stack cheap = { .sector_size = 512, .ns_per_kib = 1 };
	struct dmsse_handover handover;

	migrate_disable();
	forget_failures();
	dmsse_policy_gave_away(&handover, &cheap, SZ_1K);
	msleep(50);
	dmsse_policy_begun(&handover);
	KUNIT_EXPECT_EQ(test, alone(), 1U);
	/* What would have been queued anyway tells nothing. */
	dmsse_policy_gave_away(&handover, &cheap, 0);
	msleep(50);
	dmsse_policy_begun(&handover);
	KUNIT_EXPECT_EQ(test, alone(), 0U);
	/* A second is enough for any machine. */
	dmsse_policy_gave_away(&handover, &dear, SZ_1M);
	dmsse_policy_begun(&handover);
	KUNIT_EXPECT_EQ(test, alone(), 0U);
	dmsse_policy_helped(0);
	KUNIT_EXPECT_EQ(test, alone(), 1U);
	dmsse_policy_helped(1);
	migrate_enable();
}

/* Reads ---------------------------------------------------------------------- */

/* 1 KiB takes 10 us. */
static const struct dmsse_stack slow = { .sector_size = 512, .ns_per_kib = 10000 };

#define KIB_OF(ns)	((ns) / 10000 * SZ_1K)

struct where {
	const char *policy;
	enum dmsse_place process;
	enum dmsse_place softirq;
	enum dmsse_place no_irqs;
	enum dmsse_place hardirq;
};

static const struct where wheres[] = {
	{ "auto", DMSSE_HERE, DMSSE_HERE, DMSSE_SOON, DMSSE_SOON },
	{ "here", DMSSE_HERE, DMSSE_HERE, DMSSE_SOON, DMSSE_SOON },
	{ "spread", DMSSE_ELSEWHERE, DMSSE_ELSEWHERE, DMSSE_ELSEWHERE, DMSSE_ELSEWHERE },
};

static void where_name(const struct where *where, char *desc)
{
	strscpy(desc, where->policy, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(wheres, wheres, where_name);

/* A softirq, or a hardirq, that asks. */
struct asking {
	struct tasklet_struct tasklet;
	struct hrtimer timer;
	void (*ask)(struct asking *asking);
	enum dmsse_place place;
	unsigned int bytes;
	u64 elapsed;
	u64 granted;
	bool refused;
	struct completion done;
};

static void ask_once(struct asking *asking)
{
	asking->place = dmsse_policy_read(&slow, asking->bytes, false);
}

static void tasklet_asks(struct tasklet_struct *tasklet)
{
	struct asking *asking = from_tasklet(asking, tasklet, tasklet);

	asking->ask(asking);
	complete(&asking->done);
}

static void by_softirq(struct asking *asking)
{
	init_completion(&asking->done);
	tasklet_setup(&asking->tasklet, tasklet_asks);
	tasklet_schedule(&asking->tasklet);
	wait_for_completion(&asking->done);
	tasklet_kill(&asking->tasklet);
}

static enum hrtimer_restart timer_asks(struct hrtimer *timer)
{
	struct asking *asking = container_of(timer, struct asking, timer);

	asking->ask(asking);
	complete(&asking->done);
	return HRTIMER_NORESTART;
}

static void by_hardirq(struct asking *asking)
{
	init_completion(&asking->done);
	hrtimer_init(&asking->timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_HARD);
	asking->timer.function = timer_asks;
	hrtimer_start(&asking->timer, 10 * NSEC_PER_USEC, HRTIMER_MODE_REL_HARD);
	wait_for_completion(&asking->done);
	hrtimer_cancel(&asking->timer);
}

static struct asking *new_asking(struct kunit *test, void (*ask)(struct asking *asking))
{
	struct asking *asking = kunit_kzalloc(test, sizeof(*asking), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, asking);
	asking->ask = ask;
	asking->bytes = SZ_1K;
	return asking;
}

/* By the clock that fills it, which may be a coarse one. */
static void wait_for_budget(void)
{
	u64 start = local_clock();

	while (local_clock() - start < 2 * BURST_NS)
		fsleep(1000);
}

static void test_where(struct kunit *test)
{
	const struct where *where = test->param_value;
	struct asking *asking = new_asking(test, ask_once);
	enum dmsse_place place;
	unsigned long flags;

	dmsse_rig_policy(test, where->policy);
	KUNIT_EXPECT_EQ(test, dmsse_policy_read(&slow, SZ_1K, false), where->process);
	local_bh_disable();
	/* However much: softirqs wait no longer for this one than for any other. */
	place = dmsse_policy_read(&slow, SZ_1M, false);
	local_bh_enable();
	KUNIT_EXPECT_EQ(test, place, where->process);
	local_irq_save(flags);
	place = dmsse_policy_read(&slow, SZ_1K, false);
	local_irq_restore(flags);
	KUNIT_EXPECT_EQ(test, place, where->no_irqs);

	wait_for_budget();
	by_softirq(asking);
	KUNIT_EXPECT_EQ(test, asking->place, where->softirq);
	by_hardirq(asking);
	KUNIT_EXPECT_EQ(test, asking->place, where->hardirq);
}

/* A part of a read is for another CPU if there is one that may have time. */
static void test_parts(struct kunit *test)
{
	enum dmsse_place away = num_online_cpus() > 1 ? DMSSE_ELSEWHERE : DMSSE_HERE;
	unsigned int bytes = roundup(KIB_OF(CHUNK_NS), SZ_4K);
	struct dmsse_handover first, second;

	migrate_disable();
	forget_failures();
	KUNIT_EXPECT_EQ(test, dmsse_policy_read(&slow, bytes, true), away);
	KUNIT_EXPECT_EQ(test, dmsse_policy_read(&slow, bytes, false), DMSSE_HERE);
	/* Too little to be worth it. */
	KUNIT_EXPECT_EQ(test, dmsse_policy_read(&slow, SZ_2K, true), DMSSE_HERE);

	dmsse_policy_gave_away(&first, &slow, 0);
	KUNIT_EXPECT_EQ(test, first.cpu, (int)raw_smp_processor_id());
	KUNIT_EXPECT_EQ(test, dmsse_policy_read(&slow, bytes, true), DMSSE_HERE);
	dmsse_policy_gave_away(&second, &slow, 0);
	dmsse_policy_begun(&first);
	KUNIT_EXPECT_EQ(test, dmsse_policy_read(&slow, bytes, true), DMSSE_HERE);
	dmsse_policy_begun(&second);
	KUNIT_EXPECT_EQ(test, dmsse_policy_read(&slow, bytes, true), away);
	migrate_enable();
}

/* Until it is too much. */
static void ask_for_more(struct asking *asking)
{
	u64 start = local_clock();
	unsigned int i;

	for (i = 0; i < 100000 && !asking->refused; i++) {
		if (dmsse_policy_read(&slow, asking->bytes, false) == DMSSE_HERE)
			asking->granted += (u64)asking->bytes / SZ_1K * slow.ns_per_kib;
		else
			asking->refused = true;
	}
	asking->elapsed = local_clock() - start;
}

/* Bounds hold however long the test itself takes: the budget grows with time. */
static void test_softirq_budget(struct kunit *test)
{
	static const unsigned int sizes[] = { SZ_1K, SZ_4K, SZ_16K };
	unsigned int i;

	for (i = 0; i < 3 * ARRAY_SIZE(sizes); i++) {
		struct asking *asking = new_asking(test, ask_for_more);
		unsigned int cost;

		asking->bytes = sizes[i % ARRAY_SIZE(sizes)];
		cost = asking->bytes / SZ_1K * slow.ns_per_kib;
		wait_for_budget();
		by_softirq(asking);
		KUNIT_EXPECT_TRUE(test, asking->refused);
		KUNIT_EXPECT_LE(test, asking->granted, BURST_NS + asking->elapsed / 2);
		KUNIT_EXPECT_GT(test, asking->granted + cost, BURST_NS);
	}
}

static void test_softirq_too_long(struct kunit *test)
{
	struct asking *asking = new_asking(test, ask_once);

	asking->bytes = KIB_OF(BURST_NS) + SZ_1K;
	wait_for_budget();
	by_softirq(asking);
	KUNIT_EXPECT_EQ(test, asking->place, DMSSE_ELSEWHERE);
	/* What is refused costs nothing. */
	asking->bytes = KIB_OF(BURST_NS);
	by_softirq(asking);
	KUNIT_EXPECT_EQ(test, asking->place, DMSSE_HERE);
}

static struct kunit_case policy_cases[] = {
	KUNIT_CASE_PARAM(test_sizes, costs_gen_params),
	KUNIT_CASE(test_not_measured),
	KUNIT_CASE(test_helpers),
	KUNIT_CASE(test_back_off),
	KUNIT_CASE(test_late),
	KUNIT_CASE_PARAM(test_where, wheres_gen_params),
	KUNIT_CASE(test_parts),
	KUNIT_CASE(test_softirq_budget),
	KUNIT_CASE(test_softirq_too_long),
	{}
};

static struct kunit_suite policy_suite = {
	.name = "dmsse-policy",
	.suite_init = dmsse_rig_init,
	.suite_exit = dmsse_rig_exit,
	.test_cases = policy_cases,
};

kunit_test_suite(policy_suite);
