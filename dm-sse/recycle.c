// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages of writes that have ended, for the next ones.
 *
 * A page from the allocator has been zeroed, where the kernel is built or booted
 * with init_on_alloc, only to be overwritten with ciphertext; one that has just
 * held ciphertext need not be, and is still in the CPU's cache. So each CPU has a
 * pile for each order, last in first out, which all targets share.
 *
 * What lies there is ciphertext, and on its way to a disk or there already: a
 * write that failed zeroes its pages before it gives them back.
 *
 * The piles are bounded, see pile_limit(). They serve no promise: who finds none
 * asks the page allocator. They go back to it when memory is short, by a
 * shrinker, and when the last target is destroyed.
 */
#include "dmsse.h"

#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/shrinker.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

/**
 * struct pile - pages of one CPU
 * @lock: of everything in it; taken in any context
 * @top: a chain of pages, by page_private(), for each order
 * @nr: how many there are in it
 */
struct pile {
	spinlock_t lock; /* see @lock above */
	struct page *top[DMSSE_RECYCLE_ORDERS];
	unsigned int nr[DMSSE_RECYCLE_ORDERS];
};

static DEFINE_PER_CPU(struct pile, piles);

static struct shrinker *shrinker;

/*
 * In 4 KiB pages: 32 pieces of 32 KiB, which is what writes of 64 KiB at a queue
 * depth of 16 take, and 256 KiB in each of the smaller orders: 1.75 MiB for a CPU.
 */
static unsigned int pile_limit(unsigned int order)
{
	unsigned int size = order == DMSSE_RECYCLE_ORDERS - 1 ? SZ_1M : SZ_256K;

	return max(size >> (PAGE_SHIFT + order), 2U);
}

static struct page *pop(struct pile *pile, unsigned int order)
{
	struct page *page = pile->top[order];

	if (page) {
		pile->top[order] = (struct page *)page_private(page);
		WRITE_ONCE(pile->nr[order], pile->nr[order] - 1);
		set_page_private(page, 0);
	}
	return page;
}

/* Whoever is moved to another CPU meanwhile may use this one's all the same. */
static struct pile *this_pile(void)
{
	return raw_cpu_ptr(&piles);
}

/**
 * dmsse_recycle_take - a page that has held ciphertext
 * @order: its order, below DMSSE_RECYCLE_ORDERS
 *
 * Context: any. Return: the page, the caller's, its contents arbitrary; or NULL.
 */
struct page *dmsse_recycle_take(unsigned int order)
{
	struct pile *pile = this_pile();
	struct page *page;
	unsigned long flags;

	if (!READ_ONCE(pile->nr[order]))
		return NULL;
	spin_lock_irqsave(&pile->lock, flags);
	page = pop(pile, order);
	spin_unlock_irqrestore(&pile->lock, flags);
	return page;
}

/**
 * dmsse_recycle_put - give a page back, to the pile or to the page allocator
 * @page: the caller's until now; nobody else has a reference
 * @order: its order, below DMSSE_RECYCLE_ORDERS
 *
 * A page of another node than this CPU's isn't kept.
 *
 * Context: any.
 */
void dmsse_recycle_put(struct page *page, unsigned int order)
{
	struct pile *pile = this_pile();
	unsigned long flags;
	bool full;

	if (page_to_nid(page) != numa_mem_id()) {
		__free_pages(page, order);
		return;
	}
	spin_lock_irqsave(&pile->lock, flags);
	full = pile->nr[order] >= pile_limit(order);
	if (!full) {
		set_page_private(page, (unsigned long)pile->top[order]);
		pile->top[order] = page;
		WRITE_ONCE(pile->nr[order], pile->nr[order] + 1);
	}
	spin_unlock_irqrestore(&pile->lock, flags);
	if (full)
		__free_pages(page, order);
}

/* Return: the number of pages that were freed; it may be a few more than @nr. */
static unsigned long drain_pile(struct pile *pile, unsigned long nr)
{
	unsigned int order = DMSSE_RECYCLE_ORDERS;
	unsigned long freed = 0, flags;

	while (freed < nr && order--) {
		struct page *page;

		do {
			spin_lock_irqsave(&pile->lock, flags);
			page = pop(pile, order);
			spin_unlock_irqrestore(&pile->lock, flags);
			if (!page)
				break;
			__free_pages(page, order);
			freed += 1UL << order;
		} while (freed < nr);
	}
	return freed;
}

/**
 * dmsse_recycle_drain - give piled pages back to the page allocator
 * @nr: about how many single pages; ULONG_MAX for all
 *
 * Context: any. Return: how many single pages it were.
 */
unsigned long dmsse_recycle_drain(unsigned long nr)
{
	unsigned long freed = 0;
	int cpu;

	for_each_possible_cpu(cpu) {
		if (freed >= nr)
			break;
		freed += drain_pile(per_cpu_ptr(&piles, cpu), nr - freed);
	}
	return freed;
}

/**
 * dmsse_recycle_count - how much lies in the piles
 *
 * Context: any. Return: single pages, as of some moment ago.
 */
unsigned long dmsse_recycle_count(void)
{
	unsigned long nr = 0;
	unsigned int order;
	int cpu;

	for_each_possible_cpu(cpu)
		for (order = 0; order < DMSSE_RECYCLE_ORDERS; order++)
			nr += (unsigned long)READ_ONCE(per_cpu(piles, cpu).nr[order]) << order;
	return nr;
}

static unsigned long shrink_count(struct shrinker *shrink, struct shrink_control *control)
{
	return dmsse_recycle_count() ?: SHRINK_EMPTY;
}

static unsigned long shrink_scan(struct shrinker *shrink, struct shrink_control *control)
{
	return dmsse_recycle_drain(control->nr_to_scan) ?: SHRINK_STOP;
}

/**
 * dmsse_recycle_init - once, before there is a target
 *
 * Context: process, sleeps. Return: 0 or -ENOMEM.
 */
int dmsse_recycle_init(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		spin_lock_init(&per_cpu(piles, cpu).lock);
	shrinker = dmsse_shrinker_alloc();
	if (!shrinker)
		return -ENOMEM;
	shrinker->count_objects = shrink_count;
	shrinker->scan_objects = shrink_scan;
	shrinker->seeks = DEFAULT_SEEKS;
	if (dmsse_shrinker_register(shrinker)) {
		dmsse_shrinker_free(shrinker);
		return -ENOMEM;
	}
	return 0;
}

/**
 * dmsse_recycle_exit - undo dmsse_recycle_init()
 *
 * Context: process, sleeps; no page may come any more.
 */
void dmsse_recycle_exit(void)
{
	dmsse_shrinker_free(shrinker);
	dmsse_recycle_drain(ULONG_MAX);
}
