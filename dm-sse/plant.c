// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bugs on purpose, one of each class that a checker of the kernel finds: "make
 * DMSSE_PLANT=y" links them into the module, which shows that its objects are
 * instrumented, and writing the name of a class to the parameter "plant" makes
 * it happen. Not in any module that is for use.
 *
 * Each comes to no harm where its checker is there; where it isn't, memory may be
 * corrupted.
 */
#include "dmsse.h"

#include <linux/bug.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/kfence.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/spinlock.h>
#include <linux/timer.h>

/* What is read goes here, or the compiler would leave out the reading. */
static unsigned long sink;

static void take(unsigned long value)
{
	WRITE_ONCE(sink, value);
}

/* A pointer of which the compiler doesn't know where it points to. */
static u8 *hide(void *p)
{
	OPTIMIZER_HIDE_VAR(p);
	return p;
}

/* KASAN --------------------------------------------------------------------- */

#define OBJECT_SIZE	48

static noinline void plant_slab_bounds(void)
{
	u8 *p = kmalloc(OBJECT_SIZE, GFP_KERNEL);

	if (!p)
		return;
	take(hide(p)[OBJECT_SIZE]);
	kfree(p);
}

static noinline void plant_use_after_free(void)
{
	u8 *p = kmalloc(OBJECT_SIZE, GFP_KERNEL), *stale = hide(p);

	if (!p)
		return;
	kfree(p);
	take(*stale);
}

static noinline void plant_stack_bounds(void)
{
	u8 buf[OBJECT_SIZE] = {};

	take(hide(buf)[OBJECT_SIZE]);
}

/* KFENCE, of which KASAN doesn't know -------------------------------------- */

#define KFENCE_TRIES	2000

static noinline void plant_kfence(void)
{
	u8 *p, *stale;
	int i;

	/* Now and then one comes from its pool. */
	for (i = 0; i < KFENCE_TRIES; i++) {
		p = kmalloc(OBJECT_SIZE, GFP_KERNEL);
		stale = hide(p);
		kfree(p);
		if (is_kfence_address(stale)) {
			take(*stale);
			return;
		}
		usleep_range(500, 1000);
	}
	pr_err("planted: KFENCE gave no object\n");
}

/* Locks, and where one may sleep -------------------------------------------- */

static noinline void plant_lock_inversion(void)
{
	static DEFINE_MUTEX(first);
	static DEFINE_MUTEX(second);

	mutex_lock(&first);
	mutex_lock(&second);
	mutex_unlock(&second);
	mutex_unlock(&first);

	mutex_lock(&second);
	mutex_lock(&first);
	mutex_unlock(&first);
	mutex_unlock(&second);
}

static noinline void plant_sleep_in_atomic(void)
{
	static DEFINE_SPINLOCK(lock);
	void *p;

	spin_lock(&lock);
	p = kmalloc(OBJECT_SIZE, GFP_KERNEL);
	spin_unlock(&lock);
	kfree(p);
}

static noinline void plant_rcu_dereference(void)
{
	static unsigned long __rcu *pointer;

	take((unsigned long)rcu_dereference(pointer));
}

static noinline void plant_preemptible(void)
{
	take(smp_processor_id());
}

/* Objects ------------------------------------------------------------------- */

static noinline void plant_scatterlist(void)
{
	struct scatterlist sg[2], more[1];

	sg_init_table(sg, ARRAY_SIZE(sg));
	sg_init_table(more, ARRAY_SIZE(more));
	sg_chain(sg, ARRAY_SIZE(sg), more);
	take((unsigned long)sg_page(&sg[1]));
}

static void expires(struct timer_list *timer)
{
}

static noinline void plant_timer_freed(void)
{
	struct timer_list *timer = kmalloc(sizeof(*timer), GFP_KERNEL);

	if (!timer)
		return;
	timer_setup(timer, expires, 0);
	mod_timer(timer, jiffies + 600 * HZ);
	kfree(timer);
}

static noinline void plant_timer_twice(void)
{
	static struct timer_list timer;

	timer_setup(&timer, expires, 0);
	mod_timer(&timer, jiffies + 600 * HZ);
	timer_setup(&timer, expires, 0);
}

static noinline void plant_list(void)
{
	LIST_HEAD(head);
	LIST_HEAD(entry);

	list_add(&entry, &head);
	list_del(&entry);
	list_del(&entry);
}

/* Some of the pointers may be left over where kmemleak looks. */
#define LEAKS	16

static noinline void plant_leak(void)
{
	int i;

	for (i = 0; i < LEAKS; i++)
		take((unsigned long)kmalloc(OBJECT_SIZE, GFP_KERNEL));
	take(0);
}

/* UBSAN --------------------------------------------------------------------- */

static noinline void plant_shift(void)
{
	unsigned int by = BITS_PER_LONG + 1;

	OPTIMIZER_HIDE_VAR(by);
	take(1UL << by);
}

static noinline void plant_array_bounds(void)
{
	static struct {
		u8 array[4];
		u8 behind[4];
	} object;
	unsigned int index = ARRAY_SIZE(object.array) + 1;

	OPTIMIZER_HIDE_VAR(index);
	take(object.array[index]);
}

/* Pages --------------------------------------------------------------------- */

/* As a device would, behind KASAN's back. */
static noinline __no_sanitize_address void scribble(u8 *to)
{
	*(u32 *)to = 0x12345678;
}

static noinline void plant_page(void)
{
	struct page *page = alloc_page(GFP_KERNEL), *again;
	u8 *stale;

	if (!page)
		return;
	stale = hide(page_address(page));
	/* The last to go is the first to come, on the same CPU. */
	preempt_disable();
	__free_page(page);
	scribble(stale);
	again = alloc_page(GFP_NOWAIT);
	preempt_enable();
	if (again)
		__free_page(again);
}

/* KCSAN --------------------------------------------------------------------- */

#define RACE_ROUNDS	500000

static unsigned long shared;

static noinline void plant_race_write(struct work_struct *work)
{
	int i;

	for (i = 0; i < RACE_ROUNDS; i++) {
		shared++;
		barrier(); /* or there would be one sum in the end */
		cond_resched();
	}
}

static noinline void plant_race(void)
{
	static DECLARE_WORK(work, plant_race_write);
	int i;

	queue_work(system_unbound_wq, &work);
	for (i = 0; i < RACE_ROUNDS; i++) {
		take(shared);
		barrier();
		cond_resched();
	}
	flush_work(&work);
}

/* The plain one ------------------------------------------------------------- */

static noinline void plant_warning(void)
{
	WARN(1, "planted\n");
}

static const struct {
	const char *name;
	void (*plant)(void);
} classes[] = {
	{ "slab-bounds",	plant_slab_bounds },
	{ "use-after-free",	plant_use_after_free },
	{ "stack-bounds",	plant_stack_bounds },
	{ "kfence",		plant_kfence },
	{ "lock-inversion",	plant_lock_inversion },
	{ "sleep-in-atomic",	plant_sleep_in_atomic },
	{ "rcu-dereference",	plant_rcu_dereference },
	{ "preemptible",	plant_preemptible },
	{ "scatterlist",	plant_scatterlist },
	{ "timer-freed",	plant_timer_freed },
	{ "timer-twice",	plant_timer_twice },
	{ "list",		plant_list },
	{ "leak",		plant_leak },
	{ "shift",		plant_shift },
	{ "array-bounds",	plant_array_bounds },
	{ "page",		plant_page },
	{ "race",		plant_race },
	{ "warning",		plant_warning },
};

static int plant_set(const char *value, const struct kernel_param *param)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(classes); i++) {
		if (sysfs_streq(value, classes[i].name)) {
			classes[i].plant();
			return 0;
		}
	}
	return -EINVAL;
}

static const struct kernel_param_ops plant_ops = {
	.set = plant_set,
};
module_param_cb(plant, &plant_ops, NULL, 0200);
MODULE_PARM_DESC(plant, "A bug of this class happens, for tests of the kernel's checkers");
