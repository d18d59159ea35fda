// SPDX-License-Identifier: GPL-2.0-only
/*
 * A write that several CPUs encrypt.
 *
 * The run is cut into chunks. The submitter takes one after the other, and so
 * does each helper, a work item, for as long as there are any. Then the
 * submitter waits for those that are at work, and calls off those that have not
 * begun: it never waits for a CPU to become free.
 *
 * So nothing new has to be said about forward progress: a helper takes no
 * memory that it has to wait for, save a buffer for a sector in pieces, which
 * it holds no longer than a cipher takes. It neither submits bios nor waits for
 * any.
 */
#include "dmsse.h"

#include <linux/cpumask.h>
#include <linux/minmax.h>
#include <linux/sched.h>
#include <linux/slab.h>

struct spread;

struct helper {
	struct work_struct work;
	struct spread *spread;
};

/**
 * struct spread - a run while it is shared
 * @run: all of it; not changed
 * @chunk: bytes of a chunk; the last one may have less
 * @nr_chunks: how many there are
 * @next: the first that nobody has taken
 * @helped: chunks that helpers did
 * @error: the first error, or 0
 * @failed: the sector it met
 * @helper: on the submitter's stack, like all of this
 */
struct spread {
	const struct dmsse_crypt *run;
	unsigned int chunk;
	unsigned int nr_chunks;
	atomic_t next;
	atomic_t helped;
	int error;
	u64 failed;
	struct helper helper[DMSSE_MAX_HELPERS];
};

static struct dmsse_span part_of(const struct dmsse_span *span, unsigned int from,
				 unsigned int size)
{
	struct dmsse_span part = *span;

	bvec_iter_advance(part.vec, &part.iter, from);
	part.iter.bi_size = size;
	return part;
}

static int crypt_chunk(struct dmsse_crypt *crypt, const struct spread *spread, unsigned int index)
{
	const struct dmsse_crypt *run = spread->run;
	unsigned int from = index * spread->chunk;
	unsigned int size = min(spread->chunk, run->src.iter.bi_size - from);

	dmsse_crypt_init(crypt, run->stack, run->sector + (from >> SECTOR_SHIFT), run->encrypt);
	crypt->src = part_of(&run->src, from, size);
	crypt->dst = part_of(&run->dst, from, size);
	return dmsse_crypt_run(crypt, true);
}

/* Return: chunks that were done. */
static unsigned int crypt_chunks(struct dmsse_crypt *crypt, struct spread *spread)
{
	unsigned int nr;

	for (nr = 0; !READ_ONCE(spread->error); nr++) {
		unsigned int index = atomic_fetch_inc(&spread->next);
		int r;

		if (index >= spread->nr_chunks)
			break;
		r = crypt_chunk(crypt, spread, index);
		if (r && !cmpxchg(&spread->error, 0, r))
			spread->failed = crypt->sector;
		cond_resched();
	}
	return nr;
}

static void help(struct work_struct *work)
{
	struct spread *spread = container_of(work, struct helper, work)->spread;
	unsigned int size = spread->run->stack->crypt_size;
	struct dmsse_crypt *crypt = kmalloc(size, GFP_NOWAIT | __GFP_NOWARN);

	/* The submitter does without. */
	if (!crypt)
		return;
	atomic_add(crypt_chunks(crypt, spread), &spread->helped);
	kfree_sensitive(crypt);
}

/**
 * dmsse_spread_run - dmsse_crypt_run() for a write that may be large
 * @crypt: prepared by dmsse_crypt_init(), not in place; the run's sector and
 *	what is left of src and dst are not what they were afterwards
 * @wq: where helpers run; NULL for a run without
 *
 * Context: process, sleeps, as dmsse_crypt_run() with may_sleep does; lets others
 * run after each of dmsse_policy_chunk() bytes.
 *
 * Return: 0, or an error of the crypto API; then the sector of @crypt is the one
 * it met, and any other may be half done or not begun.
 */
int dmsse_spread_run(struct dmsse_crypt *crypt, struct workqueue_struct *wq)
{
	const struct dmsse_crypt run = {
		.stack = crypt->stack,
		.src = crypt->src,
		.dst = crypt->dst,
		.sector = crypt->sector,
		.encrypt = crypt->encrypt,
	};
	struct spread spread = {
		.run = &run,
		.chunk = dmsse_policy_chunk(run.stack),
	};
	unsigned int i, helpers = 0;

	spread.nr_chunks = DIV_ROUND_UP(run.src.iter.bi_size, spread.chunk);
	if (wq)
		helpers = dmsse_policy_helpers(spread.nr_chunks, num_online_cpus());

	for (i = 0; i < helpers; i++) {
		spread.helper[i].spread = &spread;
		INIT_WORK_ONSTACK(&spread.helper[i].work, help);
		queue_work(wq, &spread.helper[i].work);
	}
	crypt_chunks(crypt, &spread);
	for (i = 0; i < helpers; i++) {
		cancel_work_sync(&spread.helper[i].work);
		destroy_work_on_stack(&spread.helper[i].work);
	}

	if (helpers)
		dmsse_policy_helped(atomic_read(&spread.helped));
	if (spread.error)
		crypt->sector = spread.failed;
	return spread.error;
}
