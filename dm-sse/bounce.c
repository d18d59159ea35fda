// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bounce pages: where a write's ciphertext lies until the device below has
 * taken it.
 *
 * Forward progress. A write needs up to DMSSE_BOUNCE_MAX_PAGES pages at once.
 * Were several writes to draw them one by one from a shared reserve, each
 * could hold a part and wait for the rest for ever. Hence:
 *
 *  - First all pages are asked for without waiting and without touching the
 *    reserve: those of earlier writes, or new ones. If not all are to be had
 *    they are given back.
 *  - Then the write takes the pool's lock, and only then may it draw from the
 *    reserve and wait. The reserve is as large as the largest write, so the
 *    holder waits for nothing but pages of writes that are complete in bounce
 *    pages, and so are on their way to the device below, or through it.
 *  - These were submitted before: the block layer hands a bio that a map
 *    function has remapped to the device below before it calls another map
 *    function from the same task, and a task that sleeps flushes its plug.
 *
 * A bvec table is drawn before the pages, from a reserve of its own; its
 * holders either own their pages or wait for them by the rule above.
 */
#include "dmsse.h"

#include <linux/highmem.h>
#include <linux/mm.h>

/* Share of the memory that all targets' bounce pages may take: one in 50. */
#define MEMORY_SHARE	50

/* Bvec tables in reserve; one would do for progress. */
#define RESERVED_TABLES	2

/* For a first try: from the allocator's per-CPU lists, or not at all. */
#define GFP_TRY	(GFP_NOWAIT | __GFP_HIGHMEM | __GFP_NOMEMALLOC | __GFP_NORETRY | \
		 __GFP_NOWARN | __GFP_COMP)

static atomic_t nr_pools = ATOMIC_INIT(0);

/*
 * Dirty pages are throttled, their bounce pages are not: bound them, or a
 * slow disk's writeback would eat the memory.
 */
static bool may_take(struct dmsse_bounce_pool *pool, unsigned int nr)
{
	u64 pages = percpu_counter_read_positive(&pool->held) + nr;

	return pages <= DMSSE_BOUNCE_MAX_PAGES ||
	       pages * MEMORY_SHARE * atomic_read(&nr_pools) <= totalram_pages();
}

static struct page *take_pages(gfp_t gfp, unsigned int order)
{
	return dmsse_recycle_take(order) ?: alloc_pages(gfp, order);
}

static void *reserve_alloc(gfp_t gfp, void *data)
{
	return may_take(data, 1) ? take_pages(gfp, 0) : NULL;
}

static void reserve_free(void *element, void *data)
{
	dmsse_recycle_put(element, 0);
}

/* A single page goes back by way of the reserve, which may be short of it. */
static void put_pages(struct dmsse_bounce_pool *pool, struct page *page)
{
	unsigned int order = compound_order(page);

	if (order)
		dmsse_recycle_put(page, order);
	else
		mempool_free(page, &pool->pages);
}

static void append_pages(struct dmsse_bounce *bounce, struct page *page, unsigned int len)
{
	struct bio_vec *bv = &bounce->vec[bounce->nr++];

	bounce->nr_pages += compound_nr(page);

	bv->bv_page = page;
	bv->bv_len = len;
	bv->bv_offset = 0;
}

static void drop_pages(struct dmsse_bounce_pool *pool, struct dmsse_bounce *bounce)
{
	while (bounce->nr)
		put_pages(pool, bounce->vec[--bounce->nr].bv_page);
	bounce->nr_pages = 0;
}

/* Few large pieces are cheaper to get and to submit than many pages. */
static bool fill_without_waiting(struct dmsse_bounce_pool *pool, struct dmsse_bounce *bounce,
				 unsigned int size)
{
	unsigned int order = DMSSE_RECYCLE_ORDERS - 1;

	if (!may_take(pool, DIV_ROUND_UP(size, PAGE_SIZE)))
		return false;
	while (size) {
		struct page *page;
		unsigned int len;

		order = min_t(unsigned int, order, ilog2(DIV_ROUND_UP(size, PAGE_SIZE)));
		page = take_pages(GFP_TRY, order);
		if (!page && !order) {
			drop_pages(pool, bounce);
			return false;
		}
		if (!page) {
			order--;
			continue;
		}
		len = min_t(unsigned int, size, PAGE_SIZE << order);
		append_pages(bounce, page, len);
		size -= len;
	}
	return true;
}

static void fill_from_reserve(struct dmsse_bounce_pool *pool, struct dmsse_bounce *bounce,
			      unsigned int size)
{
	atomic64_inc(&pool->waits);

	mutex_lock(&pool->lock);
	while (size) {
		unsigned int len = min_t(unsigned int, size, PAGE_SIZE);

		append_pages(bounce, mempool_alloc(&pool->pages, GFP_NOIO | __GFP_HIGHMEM), len);
		size -= len;
	}
	mutex_unlock(&pool->lock);
}

/**
 * dmsse_bounce_alloc - get bounce pages for a write
 * @pool: the target's pool
 * @bounce: result; the caller's, given back by dmsse_bounce_free()
 * @size: bytes, at most DMSSE_BOUNCE_MAX_PAGES pages
 *
 * Context: process, may sleep until earlier writes have completed.
 */
void dmsse_bounce_alloc(struct dmsse_bounce_pool *pool, struct dmsse_bounce *bounce,
			unsigned int size)
{
	bounce->nr = 0;
	bounce->nr_pages = 0;
	bounce->vec = bounce->inline_vec;
	if (size > DMSSE_BOUNCE_INLINE_VECS * PAGE_SIZE)
		bounce->vec = mempool_alloc(&pool->tables, GFP_NOIO);

	if (!fill_without_waiting(pool, bounce, size))
		fill_from_reserve(pool, bounce, size);
	percpu_counter_add(&pool->held, bounce->nr_pages);
}

/**
 * dmsse_bounce_free - give bounce pages back
 * @pool: the target's pool
 * @bounce: what dmsse_bounce_alloc() filled in
 *
 * Context: any.
 */
void dmsse_bounce_free(struct dmsse_bounce_pool *pool, struct dmsse_bounce *bounce)
{
	percpu_counter_sub(&pool->held, bounce->nr_pages);
	drop_pages(pool, bounce);
	if (bounce->vec != bounce->inline_vec)
		mempool_free(bounce->vec, &pool->tables);
}

/**
 * dmsse_bounce_wipe - zero bounce pages that hold something else than ciphertext
 * @bounce: the pages
 *
 * Context: any.
 */
void dmsse_bounce_wipe(struct dmsse_bounce *bounce)
{
	unsigned int i, page;

	for (i = 0; i < bounce->nr; i++)
		for (page = 0; page < compound_nr(bounce->vec[i].bv_page); page++)
			clear_highpage(bounce->vec[i].bv_page + page);
}

/**
 * dmsse_bounce_pool_init - set a target's pool up
 * @pool: zeroed
 *
 * Context: process, sleeps. Return: 0 or -ENOMEM, after which
 * dmsse_bounce_pool_destroy() is to be called all the same.
 */
int dmsse_bounce_pool_init(struct dmsse_bounce_pool *pool)
{
	int r;

	mutex_init(&pool->lock);
	atomic_inc(&nr_pools);

	r = percpu_counter_init(&pool->held, 0, GFP_KERNEL);
	if (r)
		return r;
	r = mempool_init(&pool->pages, DMSSE_BOUNCE_MAX_PAGES, reserve_alloc, reserve_free, pool);
	if (r)
		return r;
	return mempool_init_kmalloc_pool(&pool->tables, RESERVED_TABLES,
					 DMSSE_BOUNCE_MAX_PAGES * sizeof(struct bio_vec));
}

/**
 * dmsse_bounce_pool_destroy - undo dmsse_bounce_pool_init()
 * @pool: no pages of it may be in use; what a failed init left is fine
 *
 * Context: process, sleeps.
 */
void dmsse_bounce_pool_destroy(struct dmsse_bounce_pool *pool)
{
	if (percpu_counter_initialized(&pool->held))
		WARN_ON_ONCE(percpu_counter_sum(&pool->held));
	percpu_counter_destroy(&pool->held);
	mempool_exit(&pool->tables);
	mempool_exit(&pool->pages);
	if (atomic_dec_and_test(&nr_pools))
		dmsse_recycle_drain(ULONG_MAX);
}
