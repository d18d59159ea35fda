// SPDX-License-Identifier: GPL-2.0-only
/* Bounce pages: how many a target may have, and that a write gets its own all the same. */
#include "dmsse.h"
#include "test.h"

#include <linux/completion.h>
#include <linux/mm.h>
#include <linux/preempt.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#define LARGEST		(DMSSE_BOUNCE_MAX_PAGES * PAGE_SIZE)

static void destroy_pool(void *data)
{
	dmsse_bounce_pool_destroy(data);
}

static struct dmsse_bounce_pool *new_pool(struct kunit *test)
{
	struct dmsse_bounce_pool *pool = kunit_kzalloc(test, sizeof(*pool), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, pool);
	KUNIT_ASSERT_EQ(test, dmsse_bounce_pool_init(pool), 0);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, destroy_pool, pool), 0);
	return pool;
}

static unsigned long held(struct dmsse_bounce_pool *pool)
{
	return percpu_counter_sum(&pool->held);
}

/* Does it cover @size bytes, with no more pages than these need? */
static void expect_whole(struct kunit *test, const struct dmsse_bounce *bounce, unsigned int size)
{
	unsigned int i, len = 0, pages = 0;

	for (i = 0; i < bounce->nr; i++) {
		const struct bio_vec *bv = &bounce->vec[i];

		KUNIT_EXPECT_EQ(test, bv->bv_offset, 0U);
		KUNIT_EXPECT_LE(test, (unsigned long)bv->bv_len, page_size(bv->bv_page));
		len += bv->bv_len;
		pages += compound_nr(bv->bv_page);
	}
	KUNIT_EXPECT_EQ(test, len, size);
	KUNIT_EXPECT_EQ(test, pages, bounce->nr_pages);
	KUNIT_EXPECT_EQ(test, bounce->nr_pages, (unsigned int)DIV_ROUND_UP(size, PAGE_SIZE));
}

/* Writes of all sizes, many at a time; when they have ended nothing is held. */
static void test_held(struct kunit *test)
{
	struct dmsse_bounce_pool *pool = new_pool(test);
	struct dmsse_bounce *bounces;
	u64 state = dmsse_test_begin(test);
	unsigned int i, round, nr = 16;
	unsigned long pages;

	bounces = kunit_kcalloc(test, nr, sizeof(*bounces), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, bounces);
	for (round = 0; round < 20; round++) {
		for (i = 0, pages = 0; i < nr; i++) {
			unsigned int size = 512 * (1 + test_below(&state, LARGEST / 512));

			dmsse_bounce_alloc(pool, &bounces[i], size);
			expect_whole(test, &bounces[i], size);
			pages += bounces[i].nr_pages;
			KUNIT_EXPECT_EQ(test, held(pool), pages);
		}
		for (i = 0; i < nr; i++) {
			pages -= bounces[i].nr_pages;
			dmsse_bounce_free(pool, &bounces[i]);
			KUNIT_EXPECT_EQ(test, held(pool), pages);
		}
		/* What is wrong now could have the next ones wait for ever. */
		if (test->status == KUNIT_FAILURE)
			break;
	}
	KUNIT_EXPECT_EQ(test, held(pool), 0UL);
}

/* The pages of a write that has ended are those of the next one. */
static void test_again(struct kunit *test)
{
	static const unsigned int sizes[] = { SZ_4K, SZ_8K, SZ_16K, SZ_32K, SZ_128K };
	struct dmsse_bounce_pool *pool = new_pool(test);
	struct dmsse_bounce *bounce = kunit_kzalloc(test, sizeof(*bounce), GFP_KERNEL);
	unsigned int i, j, order;

	KUNIT_ASSERT_NOT_NULL(test, bounce);
	dmsse_recycle_drain(ULONG_MAX);
	migrate_disable();
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct page *first, *pages[4];
		unsigned int nr;

		dmsse_bounce_alloc(pool, bounce, sizes[i]);
		nr = min_t(unsigned int, bounce->nr, ARRAY_SIZE(pages));
		first = bounce->vec[0].bv_page;
		order = compound_order(first);
		for (j = 0; j < nr; j++)
			pages[j] = bounce->vec[j].bv_page;
		dmsse_bounce_free(pool, bounce);
		KUNIT_EXPECT_GT(test, dmsse_recycle_count(), 0UL);

		dmsse_bounce_alloc(pool, bounce, sizes[i]);
		/* Last in, first out: of several the order is the same again. */
		if (compound_order(bounce->vec[0].bv_page) == order)
			for (j = 0; j < nr; j++)
				KUNIT_EXPECT_PTR_EQ(test, bounce->vec[j].bv_page, pages[j]);
		else
			KUNIT_FAIL(test, "%u bytes: another order than %u", sizes[i], order);
		dmsse_bounce_free(pool, bounce);
	}
	migrate_enable();
}

/* As if writes had all pages that there are: no other one gets any but the reserve's. */
static void hold_too_many(struct dmsse_bounce_pool *pool)
{
	percpu_counter_add(&pool->held, totalram_pages());
}

static void hold_no_more(struct dmsse_bounce_pool *pool)
{
	percpu_counter_sub(&pool->held, totalram_pages());
}

static void test_limit(struct kunit *test)
{
	struct dmsse_bounce_pool *pool = new_pool(test);
	struct dmsse_bounce *bounce = kunit_kzalloc(test, sizeof(*bounce), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, bounce);
	dmsse_bounce_alloc(pool, bounce, LARGEST);
	KUNIT_EXPECT_EQ(test, atomic64_read(&pool->waits), 0LL);
	dmsse_bounce_free(pool, bounce);
	KUNIT_EXPECT_GT(test, dmsse_recycle_count(), 0UL);

	for (i = 1; i <= 3; i++) {
		unsigned long piled = dmsse_recycle_count();

		hold_too_many(pool);
		dmsse_bounce_alloc(pool, bounce, LARGEST);
		expect_whole(test, bounce, LARGEST);
		KUNIT_EXPECT_EQ(test, bounce->nr, DMSSE_BOUNCE_MAX_PAGES);
		KUNIT_EXPECT_EQ(test, atomic64_read(&pool->waits), (long long)i);
		KUNIT_EXPECT_EQ(test, pool->pages.curr_nr, 0);
		/* Those that lie about are pages, too. */
		KUNIT_EXPECT_EQ(test, dmsse_recycle_count(), piled);
		dmsse_bounce_free(pool, bounce);
		KUNIT_EXPECT_EQ(test, pool->pages.curr_nr, DMSSE_BOUNCE_MAX_PAGES);
		hold_no_more(pool);
		/* With less in reserve the next one would wait for ever. */
		if (test->status == KUNIT_FAILURE)
			return;
	}
	/* And without a limit in the way, as before. */
	dmsse_bounce_alloc(pool, bounce, LARGEST);
	KUNIT_EXPECT_EQ(test, atomic64_read(&pool->waits), 3LL);
	dmsse_bounce_free(pool, bounce);
}

/* A write that waits for the reserve, which another one has. */
struct waiter {
	struct work_struct work;
	struct dmsse_bounce_pool *pool;
	struct dmsse_bounce bounce;
	unsigned int size;
	struct completion done;
	bool ended;
};

static void wait_for_pages(struct work_struct *work)
{
	struct waiter *waiter = container_of(work, struct waiter, work);

	dmsse_bounce_alloc(waiter->pool, &waiter->bounce, waiter->size);
	complete(&waiter->done);
}

static void end_waiter(struct kunit *test, struct waiter *waiter)
{
	expect_whole(test, &waiter->bounce, waiter->size);
	dmsse_bounce_free(waiter->pool, &waiter->bounce);
	waiter->ended = true;
}

static void test_waiting(struct kunit *test)
{
	struct dmsse_bounce_pool *pool = new_pool(test);
	struct dmsse_bounce *bounce = kunit_kzalloc(test, sizeof(*bounce), GFP_KERNEL);
	struct waiter *waiters = kunit_kcalloc(test, 3, sizeof(*waiters), GFP_KERNEL);
	unsigned int i, tries, nr_done = 0;

	KUNIT_ASSERT_NOT_NULL(test, bounce);
	KUNIT_ASSERT_NOT_NULL(test, waiters);
	hold_too_many(pool);
	dmsse_bounce_alloc(pool, bounce, LARGEST);
	for (i = 0; i < 3; i++) {
		waiters[i].pool = pool;
		waiters[i].size = LARGEST >> i;
		init_completion(&waiters[i].done);
		INIT_WORK(&waiters[i].work, wait_for_pages);
		queue_work(system_unbound_wq, &waiters[i].work);
	}
	KUNIT_EXPECT_EQ(test, wait_for_completion_timeout(&waiters[0].done, HZ / 10), 0UL);
	KUNIT_EXPECT_FALSE(test, completion_done(&waiters[1].done));
	KUNIT_EXPECT_FALSE(test, completion_done(&waiters[2].done));

	/* One after the other, in whatever order they came. */
	dmsse_bounce_free(pool, bounce);
	for (tries = 0; nr_done < 3 && tries < 300; tries++) {
		struct waiter *waiter = &waiters[tries % 3];

		if (!waiter->ended && wait_for_completion_timeout(&waiter->done, HZ / 10)) {
			end_waiter(test, waiter);
			nr_done++;
		}
	}
	KUNIT_EXPECT_EQ(test, nr_done, 3U);
	hold_no_more(pool);
	/* Whoever waits in spite of it gets new pages now. */
	for (i = 0; i < 3; i++) {
		flush_work(&waiters[i].work);
		if (!waiters[i].ended)
			end_waiter(test, &waiters[i]);
	}
	KUNIT_EXPECT_EQ(test, pool->pages.curr_nr, DMSSE_BOUNCE_MAX_PAGES);
	KUNIT_EXPECT_EQ(test, held(pool), 0UL);
}

/* Pages are there for writes to come: until no target is left that could have any. */
static void test_last_pool(struct kunit *test)
{
	struct dmsse_bounce_pool *pools = kunit_kcalloc(test, 2, sizeof(*pools), GFP_KERNEL);
	struct dmsse_bounce *bounce = kunit_kzalloc(test, sizeof(*bounce), GFP_KERNEL);
	unsigned long piled;

	KUNIT_ASSERT_NOT_NULL(test, pools);
	KUNIT_ASSERT_NOT_NULL(test, bounce);
	KUNIT_EXPECT_EQ(test, dmsse_bounce_pool_init(&pools[0]), 0);
	KUNIT_EXPECT_EQ(test, dmsse_bounce_pool_init(&pools[1]), 0);
	dmsse_bounce_alloc(&pools[0], bounce, LARGEST);
	dmsse_bounce_free(&pools[0], bounce);
	piled = dmsse_recycle_count();
	KUNIT_EXPECT_GT(test, piled, 0UL);
	dmsse_bounce_pool_destroy(&pools[0]);
	/* Its reserve has come, too. */
	KUNIT_EXPECT_GE(test, dmsse_recycle_count(), piled);
	dmsse_bounce_pool_destroy(&pools[1]);
	KUNIT_EXPECT_EQ(test, dmsse_recycle_count(), 0UL);
}

static struct kunit_case bounce_cases[] = {
	KUNIT_CASE(test_held),
	KUNIT_CASE(test_again),
	KUNIT_CASE(test_limit),
	KUNIT_CASE(test_waiting),
	KUNIT_CASE(test_last_pool),
	{}
};

static struct kunit_suite bounce_suite = {
	.name = "dmsse-bounce",
	.test_cases = bounce_cases,
};

kunit_test_suite(bounce_suite);
