// SPDX-License-Identifier: GPL-2.0-only
/*
 * The lease of a target's keys: with the option key_lease I/O passes only while
 * the keyring's key of each layer is valid, that is neither expired nor revoked
 * nor invalidated. Whoever may use the keys so decides, from outside and without
 * a word to this target, how long the disk is to be had.
 *
 *	          a key is not valid            nothing is under way
 *	  VALID ---------------------> LAPSING ---------------------> LAPSED
 *	    ^     gate is closed                  keys are wiped        |
 *	    '-----------------------------------------------------------'
 *	          the message "key set", until each layer has a valid key
 *
 * The gate and the bios that pass it, or wait, are in lease_io.c; the keys, and
 * when they end, in lease_key.c; what the world hears of it in lease_tell.c. Each
 * bio looks at the keys. Those of a device without any I/O are looked at by the
 * watchdog, of which there is one for all targets.
 */
#include "dmsse.h"
#include "key.h"
#include "lease.h"

#include <linux/slab.h>

/* How often the watchdog looks. */
#define WATCH_PERIOD	HZ

/* All that are watched. The lock is taken before a dmsse_target.lock, by trylock only. */
static LIST_HEAD(leases);
static DEFINE_MUTEX(leases_lock);

static void watch(struct work_struct *work);
static DECLARE_DELAYED_WORK(watchdog, watch);

/*
 * Of its own: what goes on with held bios may wait for memory and for the device
 * below, so neither reads in need of decryption nor anyone else may queue here.
 */
static struct workqueue_struct *lease_wq;

/* Lapse --------------------------------------------------------------------- */

static const char *reason_name(int reason)
{
	switch (reason) {
	case -EKEYEXPIRED:
		return "expired";
	case -EKEYREVOKED:
		return "revoked";
	default:
		return "invalidated";
	}
}

/**
 * dmsse_lease_lapse - a key is not valid any more: let no more bios pass
 * @lease: the lease
 * @index: position of the key's layer
 * @reason: what dmsse_validate_key() said
 *
 * What is left to do is work's when the gate is empty.
 *
 * Context: any that may take a spinlock that is not safe from interrupts;
 * dmsse_lease.lock held.
 */
void dmsse_lease_lapse(struct dmsse_lease *lease, unsigned int index, int reason)
{
	const struct dmsse_params *params = &lease->sse->params;

	if (lease->state == DMSSE_LEASE_LAPSING)
		return;
	pr_warn("%s: %s%skey %s: %s until the message 'key set' brings another\n",
		lease->sse->name, params->nr_layers > 1 ? dmsse_layer_name(index) : "",
		params->nr_layers > 1 ? " layer: " : "", reason_name(reason),
		params->lease == DMSSE_LEASE_QUEUE ? "I/O waits" : "I/O fails");

	/* A lease that has lapsed and got some of its keys back has its gate closed. */
	if (lease->state == DMSSE_LEASE_VALID)
		percpu_ref_kill(&lease->gate);
	else
		queue_work(lease_wq, &lease->work);
	WRITE_ONCE(lease->reason, reason);
	/* Who sees the state has its reason: pairs with dmsse_lease_state(). */
	smp_store_release(&lease->state, DMSSE_LEASE_LAPSING);
}

/* The last bio is through; in whatever context that ended. */
static void gate_is_empty(struct percpu_ref *gate)
{
	struct dmsse_lease *lease = container_of(gate, struct dmsse_lease, gate);

	queue_work(lease_wq, &lease->work);
}

/* Under dmsse_target.lock. */
static void finish_lapse(struct dmsse_lease *lease)
{
	struct dmsse_stack *stack = &lease->sse->stack;
	unsigned int i;

	if (dmsse_lease_state(lease) != DMSSE_LEASE_LAPSING || !percpu_ref_is_zero(&lease->gate))
		return;
	for (i = 0; i < stack->nr_layers; i++) {
		dmsse_key_wipe(&stack->layer[i]);
		dmsse_lease_drop(lease, i);
	}
	spin_lock(&lease->lock);
	WRITE_ONCE(lease->state, DMSSE_LEASE_LAPSED);
	spin_unlock(&lease->lock);
	wake_up_all(&lease->settled);
}

/**
 * dmsse_lease_check - look whether each key is still valid
 * @lease: the lease, or NULL; if a key is not, it begins to lapse
 *
 * Context: process; dmsse_target.lock held.
 */
void dmsse_lease_check(struct dmsse_lease *lease)
{
	struct dmsse_clocks now = dmsse_read_clocks();
	unsigned int i;
	int r = 0;

	if (!lease)
		return;
	for (i = 0; i < lease->sse->stack.nr_layers && !r; i++)
		r = dmsse_leased_validate(&lease->key[i], &now, lease->clock_offset);
	lease->clock_offset = now.real - now.boot;
	if (!r)
		return;

	spin_lock(&lease->lock);
	dmsse_lease_lapse(lease, i - 1, r);
	spin_unlock(&lease->lock);
}

/*
 * A target whose lock is taken has its keys changed or is told about at this
 * very moment; and while a key is set nothing else may happen to it. There is
 * another look in a second.
 */
static void check_if_idle(struct dmsse_lease *lease)
{
	if (!mutex_trylock(&lease->sse->lock))
		return;
	dmsse_lease_check(lease);
	mutex_unlock(&lease->sse->lock);
}

static void watch(struct work_struct *work)
{
	struct dmsse_lease *lease;

	mutex_lock(&leases_lock);
	list_for_each_entry(lease, &leases, node)
		check_if_idle(lease);
	if (!list_empty(&leases))
		queue_delayed_work(lease_wq, &watchdog, WATCH_PERIOD);
	mutex_unlock(&leases_lock);
}

/* Renewal ------------------------------------------------------------------- */

/**
 * dmsse_lease_renew - a key was set: does I/O pass again?
 * @lease: the lease, or NULL; nothing happens until each layer has a valid key
 *
 * Context: process; dmsse_target.lock held.
 */
void dmsse_lease_renew(struct dmsse_lease *lease)
{
	if (!lease || !dmsse_stack_keyed(&lease->sse->stack))
		return;
	/* It may have been a while since the first of the keys was set. */
	dmsse_lease_check(lease);

	spin_lock(&lease->lock);
	if (lease->state == DMSSE_LEASE_LAPSED) {
		pr_info("%s: each key is valid: I/O goes on\n", lease->sse->name);
		WRITE_ONCE(lease->state, DMSSE_LEASE_VALID);
		smp_wmb(); /* keys and tfms first: pairs with dmsse_lease_enter() */
		percpu_ref_reinit(&lease->gate);
		queue_work(lease_wq, &lease->work);
	}
	spin_unlock(&lease->lock);
}

/**
 * dmsse_lease_settle - wait until a lease that lapses has lapsed
 * @lease: the lease, or NULL
 *
 * Context: process, sleeps for as long as the device below needs for what is
 * under way; dmsse_target.lock not held.
 * Return: 0, or -ERESTARTSYS if there is a signal.
 */
int dmsse_lease_settle(struct dmsse_lease *lease)
{
	if (!lease)
		return 0;
	return wait_event_interruptible(lease->settled,
					dmsse_lease_state(lease) != DMSSE_LEASE_LAPSING);
}

/* State --------------------------------------------------------------------- */

/**
 * dmsse_lease_state - whether I/O passes
 * @lease: the lease, or NULL: it always does
 *
 * Context: any; with dmsse_target.lock held a lease that has lapsed stays so.
 */
enum dmsse_lease_state dmsse_lease_state(const struct dmsse_lease *lease)
{
	/* Pairs with dmsse_lease_lapse(). */
	return lease ? smp_load_acquire(&lease->state) : DMSSE_LEASE_VALID;
}

/**
 * dmsse_lease_reason - what has befallen the key
 * @lease: a lease that is not valid
 *
 * Context: any. Return: a word that lives as long as the module.
 */
const char *dmsse_lease_reason(const struct dmsse_lease *lease)
{
	return reason_name(READ_ONCE(lease->reason));
}

/**
 * dmsse_lease_queue_work - have all done that follows from a change of state
 * @lease: the lease, set up by dmsse_lease_create()
 *
 * Context: any. It is done in process context, soon.
 */
void dmsse_lease_queue_work(struct dmsse_lease *lease)
{
	queue_work(lease_wq, &lease->work);
}

/* All that follows from a change of state. Bios before words: they may be needed. */
static void follow_up(struct work_struct *work)
{
	struct dmsse_lease *lease = container_of(work, struct dmsse_lease, work);
	bool news, lapsed;

	mutex_lock(&lease->sse->lock);
	finish_lapse(lease);
	news = dmsse_lease_have_news(lease);
	lapsed = lease->told_lapsed;
	mutex_unlock(&lease->sse->lock);

	dmsse_lease_release_held(lease);
	if (news)
		dmsse_lease_tell(lease, lapsed);
}

/* Life ---------------------------------------------------------------------- */

/**
 * dmsse_lease_create - set a lease up; it watches over nothing yet
 * @ti: the target
 * @sse: the same, its parameters set
 *
 * Context: process, sleeps.
 * Return: the lease, to be freed by dmsse_lease_destroy(); NULL without the
 * option key_lease; or ERR_PTR(-ENOMEM).
 */
struct dmsse_lease *dmsse_lease_create(struct dm_target *ti, struct dmsse_target *sse)
{
	struct dmsse_lease *lease;

	if (sse->params.lease == DMSSE_LEASE_NONE)
		return NULL;
	lease = kzalloc(sizeof(*lease), GFP_KERNEL);
	if (!lease)
		return ERR_PTR(-ENOMEM);
	if (percpu_ref_init(&lease->gate, gate_is_empty, PERCPU_REF_ALLOW_REINIT, GFP_KERNEL)) {
		kfree(lease);
		return ERR_PTR(-ENOMEM);
	}
	lease->ti = ti;
	lease->sse = sse;
	INIT_LIST_HEAD(&lease->node);
	spin_lock_init(&lease->lock);
	bio_list_init(&lease->held);
	init_waitqueue_head(&lease->settled);
	INIT_WORK(&lease->work, follow_up);
	return lease;
}

/**
 * dmsse_lease_watch - have the watchdog look at a lease from now on
 * @lease: the lease, or NULL; each layer has a key
 *
 * Context: process, sleeps; dmsse_target.lock not held.
 */
void dmsse_lease_watch(struct dmsse_lease *lease)
{
	if (!lease)
		return;
	mutex_lock(&leases_lock);
	if (list_empty(&leases))
		queue_delayed_work(lease_wq, &watchdog, WATCH_PERIOD);
	list_add_tail(&lease->node, &leases);
	mutex_unlock(&leases_lock);
}

/**
 * dmsse_lease_destroy - undo dmsse_lease_create() and dmsse_lease_watch()
 * @lease: the lease, or NULL
 *
 * Context: process, sleeps; no I/O under way. What the lease is about, the
 * stack above all, must outlive this call.
 */
void dmsse_lease_destroy(struct dmsse_lease *lease)
{
	unsigned int i;

	if (!lease)
		return;
	mutex_lock(&leases_lock);
	list_del(&lease->node);
	mutex_unlock(&leases_lock);

	/* Nobody makes it lapse any more; if it does at this moment, that must end first. */
	wait_event(lease->settled, dmsse_lease_state(lease) != DMSSE_LEASE_LAPSING);
	cancel_work_sync(&lease->work);

	percpu_ref_exit(&lease->gate);
	for (i = 0; i < DMSSE_MAX_LAYERS; i++)
		dmsse_lease_drop(lease, i);
	kfree(lease);
}

/**
 * dmsse_leases_init - what all leases share
 *
 * Context: process, sleeps. Return: 0 or -ENOMEM.
 */
int dmsse_leases_init(void)
{
	lease_wq = alloc_workqueue("dmsse_lease", WQ_MEM_RECLAIM | WQ_UNBOUND, 0);
	return lease_wq ? 0 : -ENOMEM;
}

/**
 * dmsse_leases_exit - undo dmsse_leases_init()
 *
 * Context: process, sleeps; there are no targets any more.
 */
void dmsse_leases_exit(void)
{
	cancel_delayed_work_sync(&watchdog);
	destroy_workqueue(lease_wq);
}
