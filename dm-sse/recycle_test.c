// SPDX-License-Identifier: GPL-2.0-only
/* Piles of pages: what was put is what is taken, and no page is lost or has two owners. */
#include "dmsse.h"
#include "test.h"

#include <linux/cpu.h>
#include <linux/delay.h>
#include <linux/hrtimer.h>
#include <linux/mm.h>
#include <linux/preempt.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/smp.h>

#define TOP_ORDER	(DMSSE_RECYCLE_ORDERS - 1)

/* What a CPU's pile may have of an order, and of all, in single pages. */
static unsigned int limit_of(unsigned int order)
{
	return max((order == TOP_ORDER ? SZ_1M : SZ_256K) >> (PAGE_SHIFT + order), 2U) << order;
}

/*
 * Pages that a test has made, each with a reference of the test's own beside
 * that of whoever owns it: so a page that was freed has one, one that wasn't
 * has two.
 */
struct made {
	struct page *page[1024];
	unsigned int order[1024];
	unsigned int nr;
};

static void free_made(void *data)
{
	struct made *made = data;

	dmsse_recycle_drain(ULONG_MAX);
	while (made->nr--)
		__free_pages(made->page[made->nr], made->order[made->nr]);
	kvfree(made);
}

static struct made *new_made(struct kunit *test)
{
	struct made *made = kvzalloc(sizeof(*made), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, made);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, free_made, made), 0);
	dmsse_recycle_drain(ULONG_MAX);
	KUNIT_ASSERT_EQ(test, dmsse_recycle_count(), 0UL);
	return made;
}

static struct page *make(struct kunit *test, struct made *made, unsigned int order)
{
	struct page *page = alloc_pages(GFP_KERNEL | __GFP_COMP, order);

	KUNIT_ASSERT_NOT_NULL(test, page);
	KUNIT_ASSERT_LT(test, made->nr, (unsigned int)ARRAY_SIZE(made->page));
	get_page(page);
	made->order[made->nr] = order;
	made->page[made->nr++] = page;
	return page;
}

/* Single pages in those that were freed. */
static unsigned long freed_of(const struct made *made)
{
	unsigned long freed = 0;
	unsigned int i;

	for (i = 0; i < made->nr; i++)
		if (page_count(made->page[i]) == 1)
			freed += 1UL << made->order[i];
	return freed;
}

/* Taken pages are the test's, which gives them up. */
static void give_up(struct page *page, unsigned int order)
{
	if (page)
		__free_pages(page, order);
}

static void test_empty(struct kunit *test)
{
	unsigned int order;

	new_made(test);
	for (order = 0; order < DMSSE_RECYCLE_ORDERS; order++)
		KUNIT_EXPECT_PTR_EQ(test, dmsse_recycle_take(order), (struct page *)NULL);
	KUNIT_EXPECT_EQ(test, dmsse_recycle_drain(ULONG_MAX), 0UL);
	KUNIT_EXPECT_EQ(test, dmsse_recycle_count(), 0UL);
}

/* The last one first, of each order by itself; nothing in them has changed. */
static void test_order(struct kunit *test)
{
	struct made *made = new_made(test);
	unsigned int order, i;

	for (i = 0; i < 2; i++)
		for (order = 0; order < DMSSE_RECYCLE_ORDERS; order++) {
			struct page *page = make(test, made, order);

			memset(page_address(page), 0x40 + made->nr, PAGE_SIZE << order);
		}

	migrate_disable();
	for (i = 0; i < made->nr; i++)
		dmsse_recycle_put(made->page[i], made->order[i]);
	KUNIT_EXPECT_EQ(test, dmsse_recycle_count(), 2UL * ((1UL << DMSSE_RECYCLE_ORDERS) - 1));
	for (order = 0; order < DMSSE_RECYCLE_ORDERS; order++) {
		for (i = 2; i--;) {
			unsigned int index = i * DMSSE_RECYCLE_ORDERS + order;
			struct page *page = dmsse_recycle_take(order);

			KUNIT_EXPECT_PTR_EQ(test, page, made->page[index]);
			if (!page)
				continue;
			KUNIT_EXPECT_EQ(test, page_private(page), 0UL);
			KUNIT_EXPECT_EQ(test, page_count(page), 2);
			KUNIT_EXPECT_NULL(test, memchr_inv(page_address(page), 0x41 + index,
							   PAGE_SIZE << order));
			give_up(page, order);
		}
		KUNIT_EXPECT_PTR_EQ(test, dmsse_recycle_take(order), (struct page *)NULL);
	}
	migrate_enable();
	KUNIT_EXPECT_EQ(test, dmsse_recycle_count(), 0UL);
}

/* What is beyond the bound goes to the page allocator at once. */
static void test_bound(struct kunit *test)
{
	unsigned int order;

	for (order = 0; order < DMSSE_RECYCLE_ORDERS; order++) {
		struct made *made = new_made(test);
		unsigned int i, limit = limit_of(order), nr = (limit >> order) + 3;

		for (i = 0; i < nr; i++)
			make(test, made, order);
		migrate_disable();
		for (i = 0; i < nr; i++)
			dmsse_recycle_put(made->page[i], order);
		migrate_enable();
		KUNIT_EXPECT_EQ(test, dmsse_recycle_count(), (unsigned long)limit);
		KUNIT_EXPECT_EQ(test, freed_of(made), 3UL << order);
		KUNIT_EXPECT_EQ(test, page_count(made->page[nr - 1]), 1);
		KUNIT_EXPECT_EQ(test, dmsse_recycle_drain(ULONG_MAX), (unsigned long)limit);
		KUNIT_EXPECT_EQ(test, freed_of(made), (unsigned long)nr << order);
	}
}

static void fill(struct kunit *test, struct made *made, unsigned int order, unsigned int nr)
{
	while (nr--)
		dmsse_recycle_put(make(test, made, order), order);
}

/* At least so many, and no more than the last one that it took to get there. */
static void test_drain(struct kunit *test)
{
	static const unsigned long wanted[] = { 0, 1, 3, 8, 9, 20 };
	struct made *made = new_made(test);
	unsigned long all, freed = 0;
	unsigned int i;

	fill(test, made, TOP_ORDER, 3);
	fill(test, made, 1, 5);
	fill(test, made, 0, 20);
	all = (3UL << TOP_ORDER) + 10 + 20;
	KUNIT_EXPECT_EQ(test, dmsse_recycle_count(), all);
	for (i = 0; i < ARRAY_SIZE(wanted); i++) {
		unsigned long got = dmsse_recycle_drain(wanted[i]);

		freed += got;
		KUNIT_EXPECT_GE(test, got, min(wanted[i], all - freed + got));
		KUNIT_EXPECT_LT(test, got, wanted[i] + (1UL << TOP_ORDER));
		KUNIT_EXPECT_EQ(test, freed_of(made), freed);
		KUNIT_EXPECT_EQ(test, dmsse_recycle_count(), all - freed);
	}
	KUNIT_EXPECT_EQ(test, dmsse_recycle_drain(0), 0UL);
	KUNIT_EXPECT_EQ(test, dmsse_recycle_drain(ULONG_MAX), all - freed);
	KUNIT_EXPECT_EQ(test, dmsse_recycle_count(), 0UL);
	KUNIT_EXPECT_EQ(test, freed_of(made), all);
}

/* Those of the CPUs that none puts to at the moment as well. */
static void put_here(void *data)
{
	struct made *made = data;

	dmsse_recycle_put(made->page[raw_smp_processor_id()], 0);
}

static void test_all_cpus(struct kunit *test)
{
	struct made *made = new_made(test);
	unsigned int cpu, nr = num_online_cpus();

	for (cpu = 0; cpu < nr_cpu_ids; cpu++)
		make(test, made, 0);
	cpus_read_lock();
	for_each_online_cpu(cpu)
		smp_call_function_single(cpu, put_here, made, 1);
	cpus_read_unlock();
	KUNIT_EXPECT_EQ(test, dmsse_recycle_count(), (unsigned long)nr);
	KUNIT_EXPECT_EQ(test, dmsse_recycle_drain(ULONG_MAX), (unsigned long)nr);
	KUNIT_EXPECT_EQ(test, freed_of(made), (unsigned long)nr);
	/* Of one that isn't online, nobody has put any: it is the test's still. */
	for (cpu = 0; cpu < nr_cpu_ids; cpu++)
		if (!cpu_online(cpu))
			__free_pages(made->page[cpu], 0);
}

/* Owners at the same time ---------------------------------------------------- */

#define NR_WORKERS	4
#define TICK		(500 * NSEC_PER_USEC)

/**
 * struct crowd - several that take and put at the same time
 * @work: each in a context of its own
 * @timer: another one, in hardirq context
 * @ticks: times that it had a page
 * @rounds: of each of @work
 * @state: for random numbers of @work
 * @clashes: pages that had two owners
 */
struct crowd {
	struct crowd_work {
		struct work_struct work;
		struct crowd *crowd;
		u64 state;
		bool drains;
	} work[NR_WORKERS];
	struct hrtimer timer;
	atomic_t ticks;
	unsigned int rounds;
	atomic_t clashes;
};

static void own(struct crowd *crowd, struct page *page, unsigned long owner, bool sleep)
{
	unsigned long *word = page_address(page);

	WRITE_ONCE(*word, owner);
	if (sleep)
		usleep_range(1, 20);
	if (READ_ONCE(*word) != owner)
		atomic_inc(&crowd->clashes);
}

static void take_and_put(struct work_struct *work)
{
	struct crowd_work *worker = container_of(work, struct crowd_work, work);
	unsigned int i;

	for (i = 0; i < worker->crowd->rounds; i++) {
		unsigned int order = test_below(&worker->state, DMSSE_RECYCLE_ORDERS);
		struct page *page = dmsse_recycle_take(order);

		if (!page)
			page = alloc_pages(GFP_KERNEL | __GFP_COMP, order);
		if (page) {
			own(worker->crowd, page, (unsigned long)worker,
			    !test_below(&worker->state, 4));
			dmsse_recycle_put(page, order);
		}
		if (worker->drains)
			dmsse_recycle_drain(test_below(&worker->state, 12));
		cond_resched();
	}
}

static enum hrtimer_restart tick(struct hrtimer *timer)
{
	struct crowd *crowd = container_of(timer, struct crowd, timer);
	struct page *page = dmsse_recycle_take(0);

	if (page) {
		atomic_inc(&crowd->ticks);
		own(crowd, page, (unsigned long)timer, false);
		dmsse_recycle_put(page, 0);
	}
	hrtimer_forward_now(timer, TICK);
	return HRTIMER_RESTART;
}

static void test_crowd(struct kunit *test)
{
	struct crowd *crowd = kunit_kzalloc(test, sizeof(*crowd), GFP_KERNEL);
	u64 state = dmsse_test_begin(test);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, crowd);
	new_made(test);
	crowd->rounds = dmsse_test_rounds;
	hrtimer_init(&crowd->timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_HARD);
	crowd->timer.function = tick;
	hrtimer_start(&crowd->timer, TICK, HRTIMER_MODE_REL_HARD);
	for (i = 0; i < NR_WORKERS; i++) {
		crowd->work[i].crowd = crowd;
		crowd->work[i].state = test_random(&state);
		crowd->work[i].drains = !i;
		INIT_WORK(&crowd->work[i].work, take_and_put);
		queue_work(system_unbound_wq, &crowd->work[i].work);
	}
	for (i = 0; i < NR_WORKERS; i++)
		flush_work(&crowd->work[i].work);
	hrtimer_cancel(&crowd->timer);
	kunit_info(test, "%d pages in interrupts\n", atomic_read(&crowd->ticks));

	KUNIT_EXPECT_EQ(test, atomic_read(&crowd->clashes), 0);
	KUNIT_EXPECT_EQ(test, dmsse_recycle_count(), dmsse_recycle_drain(ULONG_MAX));
	KUNIT_EXPECT_EQ(test, dmsse_recycle_count(), 0UL);
}

static struct kunit_case recycle_cases[] = {
	KUNIT_CASE(test_empty),
	KUNIT_CASE(test_order),
	KUNIT_CASE(test_bound),
	KUNIT_CASE(test_drain),
	KUNIT_CASE(test_all_cpus),
	KUNIT_CASE(test_crowd),
	{}
};

static struct kunit_suite recycle_suite = {
	.name = "dmsse-recycle",
	.test_cases = recycle_cases,
};

kunit_test_suite(recycle_suite);
