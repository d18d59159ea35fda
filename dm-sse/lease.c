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
 * The gate is a per-CPU reference count, held by each bio on its way. Closing
 * it, it tells when the last one is through, and this costs a bio no more than
 * an increment and a decrement of memory that no other CPU looks at. Each bio
 * looks at the keys and their deadlines on top of that: a few loads. So a
 * revocation is seen by the very next bio, and so is a key that ended while the
 * machine was asleep. That of a device without any I/O is seen by the watchdog,
 * of which there is one for all targets.
 *
 * A key's end is a time of the wall clock, which jumps. Set forward, the keyring
 * itself says that the key has expired. Set back, it would make the lease
 * longer, so there is a deadline in seconds since boot as well.
 */
#include "dmsse.h"
#include "key.h"

#include <linux/key.h>
#include <linux/kobject.h>
#include <linux/percpu-refcount.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/wait.h>

/* How often the watchdog looks. */
#define WATCH_PERIOD	HZ

/*
 * Both clocks are read in whole seconds, at two times: rounding must not have a
 * deadline come before the key's own end.
 */
#define ROUNDING	2

/**
 * struct leased_key - the key of a layer
 * @key: our reference to it, or NULL while the layer has no key
 * @serial: its number; stays when the key is gone, as does all that follows
 * @expiry: its end by the wall clock, as it was when we last looked
 * @deadline: the same in seconds since boot, see dmsse_lease_deadline()
 *
 * Bios read the last two while they change: set_expiry(), is_over().
 */
struct leased_key {
	struct key *key;
	key_serial_t serial;
	time64_t expiry;
	time64_t deadline;
};

/**
 * struct dmsse_lease - what watches over a target's keys
 * @ti: the target
 * @sse: the same
 * @node: place among those that the watchdog looks at
 * @key: the keys. dmsse_target.lock orders changes and all who look, save bios:
 *	these have passed the gate, which is closed or unused during changes.
 * @clock_offset: wall clock less seconds since boot, when we last looked
 * @gate: held by each bio under way; dead unless @state is DMSSE_LEASE_VALID
 * @lock: changes of @state, @reason and @nr_held, which are read without it; @held
 * @state: see above
 * @reason: what key_validate() said when the lease lapsed
 * @held: bios that wait for another key
 * @nr_held: how many
 * @settled: woken when @state has become DMSSE_LEASE_LAPSED
 * @work: whatever is to be done in process context after a change of @state
 * @resumed: this table has been the device's
 * @told_lapsed: what the last event told the world; dmsse_target.lock
 */
struct dmsse_lease {
	struct dm_target *ti;
	struct dmsse_target *sse;
	struct list_head node;
	struct leased_key key[DMSSE_MAX_LAYERS];
	time64_t clock_offset;
	struct percpu_ref gate;
	spinlock_t lock; /* see @lock above */
	enum dmsse_lease_state state;
	int reason;
	struct bio_list held;
	unsigned int nr_held;
	wait_queue_head_t settled;
	struct work_struct work;
	bool resumed;
	bool told_lapsed;
};

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

/* Time ---------------------------------------------------------------------- */

static struct dmsse_clocks read_clocks(void)
{
	return (struct dmsse_clocks) {
		.real = ktime_get_real_seconds(),
		.boot = ktime_get_boottime_seconds(),
	};
}

/* Older kernels say 0, newer ones TIME64_MAX. */
static bool is_never(time64_t expiry)
{
	return !expiry || expiry == TIME64_MAX;
}

/**
 * dmsse_lease_deadline - when a key ends, in seconds since boot
 * @expiry: when it ends by the wall clock; 0 or TIME64_MAX: never
 * @now: the clocks, right after @expiry was seen to have changed
 * @before: how far the wall clock was ahead of seconds since boot, when the key
 *	was last looked at and @expiry was another
 *
 * If the wall clock was set back since then, nobody knows by which of the two
 * settings @expiry was meant. It was by the earlier one if that makes sense:
 * then the lease may be too short, until it is renewed, but not too long.
 *
 * Context: any. Return: the deadline, TIME64_MAX for never.
 */
time64_t dmsse_lease_deadline(time64_t expiry, const struct dmsse_clocks *now, time64_t before)
{
	time64_t deadline, earlier;

	if (is_never(expiry))
		return TIME64_MAX;
	deadline = expiry - (now->real - now->boot);
	earlier = expiry - before;
	if (earlier < deadline && earlier > now->boot)
		deadline = earlier;
	return deadline + ROUNDING;
}

/* A bio that sees the new expiry must see its deadline as well. */
static void set_expiry(struct leased_key *leased, time64_t expiry, time64_t deadline)
{
	WRITE_ONCE(leased->deadline, deadline);
	smp_wmb(); /* pairs with is_over() */
	WRITE_ONCE(leased->expiry, expiry);
}

/*
 * As key_validate(), which has no word for the time when it was we who invalidated
 * a key that has expired: see drop_key().
 */
static int validate_key(const struct key *key)
{
	time64_t expiry = READ_ONCE(key->expiry);
	int r = key_validate(key);

	if (r == -ENOKEY && !is_never(expiry) && ktime_get_real_seconds() >= expiry)
		return -EKEYEXPIRED;
	return r;
}

/* Is the key valid, by the keyring and by the deadline? As key_validate(). */
static int validate(struct leased_key *leased, const struct dmsse_clocks *now, time64_t before)
{
	time64_t expiry;
	int r;

	if (!leased->key)
		return 0;
	expiry = READ_ONCE(leased->key->expiry);
	if (expiry != leased->expiry)
		set_expiry(leased, expiry, dmsse_lease_deadline(expiry, now, before));
	r = validate_key(leased->key);
	if (r)
		return r;
	return now->boot < leased->deadline ? 0 : -EKEYEXPIRED;
}

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

/* Under lease->lock. What is left to do is work's when the gate is empty. */
static void lapse(struct dmsse_lease *lease, unsigned int index, int reason)
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

/*
 * A key that was revoked has no bytes any more. One that has expired keeps them for
 * minutes (gc_delay), though nobody can use or prolong it: not if we can help it.
 */
static void drop_key(struct leased_key *leased)
{
	if (leased->key && key_validate(leased->key) == -EKEYEXPIRED)
		key_invalidate(leased->key);
	key_put(leased->key);
	leased->key = NULL;
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
		drop_key(&lease->key[i]);
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
	struct dmsse_clocks now = read_clocks();
	unsigned int i;
	int r = 0;

	if (!lease)
		return;
	for (i = 0; i < lease->sse->stack.nr_layers && !r; i++)
		r = validate(&lease->key[i], &now, lease->clock_offset);
	lease->clock_offset = now.real - now.boot;
	if (!r)
		return;

	spin_lock(&lease->lock);
	lapse(lease, i - 1, r);
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

/* Bios ---------------------------------------------------------------------- */

/*
 * Has the deadline passed? Not that of a key that was renewed since the watchdog
 * looked: it has another one, which the watchdog is to work out.
 */
static bool is_over(const struct leased_key *leased)
{
	time64_t expiry = READ_ONCE(leased->expiry);

	smp_rmb(); /* pairs with set_expiry() */
	return expiry == READ_ONCE(leased->key->expiry) &&
	       ktime_get_boottime_seconds() >= READ_ONCE(leased->deadline);
}

/* Or the lease begins to lapse. The caller has passed the gate. */
static bool keys_are_valid(struct dmsse_lease *lease)
{
	unsigned int i;
	int r;

	for (i = 0; i < lease->sse->stack.nr_layers; i++) {
		const struct leased_key *leased = &lease->key[i];

		if (!leased->key)
			continue;
		r = validate_key(leased->key);
		if (!r && is_over(leased))
			r = -EKEYEXPIRED;
		if (!r)
			continue;
		spin_lock(&lease->lock);
		lapse(lease, i, r);
		spin_unlock(&lease->lock);
		return false;
	}
	return true;
}

static bool pass_gate(struct dmsse_lease *lease)
{
	if (!percpu_ref_tryget_live(&lease->gate))
		return false;
	/* The keys and tfms that were there when it was opened: dmsse_lease_renew(). */
	smp_rmb();
	return true;
}

/**
 * dmsse_lease_enter - may a bio pass?
 * @lease: the lease
 *
 * Context: any that may take a spinlock that is not safe from interrupts.
 * Return: true; then dmsse_lease_leave() must follow when the bio has ended, and
 * the keys stay until then. Or false: see dmsse_lease_refuse().
 */
bool dmsse_lease_enter(struct dmsse_lease *lease)
{
	if (!pass_gate(lease))
		return false;
	if (keys_are_valid(lease))
		return true;
	dmsse_lease_leave(lease);
	return false;
}

/**
 * dmsse_lease_leave - a bio has ended
 * @lease: the lease whose gate it has passed
 *
 * Context: any.
 */
void dmsse_lease_leave(struct dmsse_lease *lease)
{
	percpu_ref_put(&lease->gate);
}

/*
 * Have a bio wait for another key, behind those that do or before them. Not if
 * device-mapper is about to suspend without waiting for any.
 */
static bool hold(struct dmsse_lease *lease, struct bio *bio, bool first)
{
	bool held;

	spin_lock(&lease->lock);
	held = !dm_noflush_suspending(lease->ti);
	if (held) {
		if (first)
			bio_list_add_head(&lease->held, bio);
		else
			bio_list_add(&lease->held, bio);
		WRITE_ONCE(lease->nr_held, lease->nr_held + 1);
		/* Who renewed the lease just now has not seen this one. */
		if (lease->state == DMSSE_LEASE_VALID)
			queue_work(lease_wq, &lease->work);
	}
	spin_unlock(&lease->lock);
	return held;
}

/**
 * dmsse_lease_refuse - what becomes of a bio that may not pass
 * @lease: the lease
 * @bio: device-mapper's clone, not changed but for its length. Ends by
 *	bio_endio(), or goes on by dmsse_io_go_on().
 *
 * Context: process.
 * Return: what the map function returns: DM_MAPIO_KILL; DM_MAPIO_SUBMITTED for
 * a bio that now waits; or DM_MAPIO_REQUEUE for one that device-mapper is to
 * keep itself, since it is about to suspend and won't wait.
 */
int dmsse_lease_refuse(struct dmsse_lease *lease, struct bio *bio)
{
	if (lease->sse->params.lease != DMSSE_LEASE_QUEUE)
		return DM_MAPIO_KILL;
	return hold(lease, bio, false) ? DM_MAPIO_SUBMITTED : DM_MAPIO_REQUEUE;
}

static struct bio *next_held(struct dmsse_lease *lease)
{
	struct bio *bio;

	spin_lock(&lease->lock);
	bio = bio_list_pop(&lease->held);
	if (bio)
		WRITE_ONCE(lease->nr_held, lease->nr_held - 1);
	spin_unlock(&lease->lock);
	return bio;
}

/* As DM_MAPIO_REQUEUE, for a bio that was held. */
static void hand_back(struct bio *bio)
{
	bio->bi_status = BLK_STS_DM_REQUEUE;
	bio_endio(bio);
}

/*
 * In the order in which they came. If the lease lapses again the rest waits on.
 *
 * The keys are not looked at before there is a bio in hand, which is what keeps
 * them in place: without I/O a suspended device's may be changed at any time.
 */
static void release_held(struct dmsse_lease *lease)
{
	struct bio *bio;

	while (pass_gate(lease)) {
		bio = next_held(lease);
		if (bio && keys_are_valid(lease)) {
			dmsse_io_go_on(lease->ti, bio);
			continue;
		}
		if (bio && !hold(lease, bio, true))
			hand_back(bio);
		dmsse_lease_leave(lease);
		return;
	}
}

/**
 * dmsse_lease_presuspend - device-mapper is about to suspend
 * @lease: the lease, or NULL
 *
 * A suspend without flush doesn't wait for bios that wait for a key: they go
 * back to device-mapper, which has set its flag by now, so that no more will
 * come to be held. A suspend with flush does wait, and can be interrupted.
 *
 * Context: process.
 */
void dmsse_lease_presuspend(struct dmsse_lease *lease)
{
	struct bio_list back = BIO_EMPTY_LIST;
	struct bio *bio;

	if (!lease || !dm_noflush_suspending(lease->ti))
		return;
	/* Device-mapper puts each before the others. */
	while ((bio = next_held(lease)))
		bio_list_add_head(&back, bio);
	while ((bio = bio_list_pop(&back)))
		hand_back(bio);
}

/* Renewal ------------------------------------------------------------------- */

/**
 * dmsse_lease_accepts - may a key be set?
 * @lease: the lease
 * @index: position of its layer
 * @key: the key, which the keyring itself finds valid
 * @err: why not
 *
 * A key that was seen to end stays ended, even if the clock was set back since.
 *
 * Context: process; dmsse_target.lock held.
 * Return: 0, or -EKEYEXPIRED with @err set.
 */
int dmsse_lease_accepts(struct dmsse_lease *lease, unsigned int index, struct key *key,
			struct dmsse_error *err)
{
	const struct leased_key *leased = &lease->key[index];

	if (key->serial != leased->serial || READ_ONCE(key->expiry) != leased->expiry ||
	    ktime_get_boottime_seconds() < leased->deadline)
		return 0;
	dmsse_err(err,
		  "key had expired before the clock was set back: renew it with keyctl timeout");
	return -EKEYEXPIRED;
}

/**
 * dmsse_lease_adopt - watch over a key
 * @lease: the lease
 * @index: position of its layer; the key it had is let go
 * @key: the key, accepted by dmsse_lease_accepts(); the reference becomes the
 *	lease's
 *
 * Context: process; dmsse_target.lock held, no I/O under way.
 */
void dmsse_lease_adopt(struct dmsse_lease *lease, unsigned int index, struct key *key)
{
	struct leased_key *leased = &lease->key[index];
	struct dmsse_clocks now = read_clocks();
	time64_t expiry = READ_ONCE(key->expiry);

	drop_key(leased);
	leased->key = key;
	if (leased->serial == key->serial && leased->expiry == expiry)
		return;
	leased->serial = key->serial;
	set_expiry(leased, expiry, dmsse_lease_deadline(expiry, &now, now.real - now.boot));
}

/**
 * dmsse_lease_drop - watch over a layer's key no longer
 * @lease: the lease, or NULL
 * @index: position of the layer, whose key was wiped
 *
 * Context: process; dmsse_target.lock held, no I/O under way.
 */
void dmsse_lease_drop(struct dmsse_lease *lease, unsigned int index)
{
	if (lease)
		drop_key(&lease->key[index]);
}

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

/* Telling ------------------------------------------------------------------- */

/**
 * dmsse_lease_state - whether I/O passes
 * @lease: the lease, or NULL: it always does
 *
 * Context: any; with dmsse_target.lock held a lease that has lapsed stays so.
 */
enum dmsse_lease_state dmsse_lease_state(const struct dmsse_lease *lease)
{
	/* Pairs with lapse(). */
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

/* Seconds that are left, or a negative number if the keys never end. */
static time64_t seconds_left(const struct dmsse_lease *lease)
{
	struct dmsse_clocks now = read_clocks();
	time64_t least = TIME64_MAX;
	unsigned int i;

	if (dmsse_lease_state(lease) != DMSSE_LEASE_VALID)
		return 0;
	for (i = 0; i < lease->sse->stack.nr_layers; i++) {
		const struct key *key = lease->key[i].key;
		time64_t expiry = key ? READ_ONCE(key->expiry) : 0;

		if (is_never(expiry))
			continue;
		least = min(least, expiry - now.real);
		/* One that was renewed this second has no deadline yet. */
		if (expiry == lease->key[i].expiry)
			least = min(least, lease->key[i].deadline - now.boot);
	}
	return least == TIME64_MAX ? -1 : max_t(time64_t, least, 0);
}

/**
 * dmsse_lease_emit - the lease's words of the status line
 * @lease: the lease, or NULL, of which there is nothing to say
 * @buf: where to; always terminated if @size is not zero
 * @size: room in @buf, in bytes
 *
 * Context: process; dmsse_target.lock held.
 * Return: characters written, without the terminating zero.
 */
size_t dmsse_lease_emit(struct dmsse_lease *lease, char *buf, size_t size)
{
	time64_t left;
	size_t n;

	if (!lease)
		return 0;
	n = scnprintf(buf, size, " key_lease:%s",
		      dmsse_lease_mode_name(lease->sse->params.lease));
	left = seconds_left(lease);
	if (left < 0)
		n += scnprintf(buf + n, size - n, " lease_seconds:-");
	else
		n += scnprintf(buf + n, size - n, " lease_seconds:%lld", left);
	if (lease->sse->params.lease == DMSSE_LEASE_QUEUE)
		n += scnprintf(buf + n, size - n, " held_bios:%u", READ_ONCE(lease->nr_held));
	if (dmsse_lease_state(lease) != DMSSE_LEASE_VALID)
		n += scnprintf(buf + n, size - n, " lapse_reason:%s", dmsse_lease_reason(lease));
	return n;
}

/*
 * Is there news for the world? Under dmsse_target.lock. That a suspended device
 * has its keys again is none before it is resumed.
 */
static bool have_news(struct dmsse_lease *lease)
{
	bool lapsed = lease->told_lapsed;

	if (dmsse_lease_state(lease) == DMSSE_LEASE_LAPSED)
		lapsed = true;
	else if (dmsse_lease_state(lease) == DMSSE_LEASE_VALID && dmsse_takes_io(lease->ti))
		lapsed = false;
	if (!lease->resumed || lapsed == lease->told_lapsed)
		return false;
	lease->told_lapsed = lapsed;
	return true;
}

/*
 * KOBJ_CHANGE, since udev takes a device of which it hears another action for
 * one to set up anew.
 */
static void tell(struct dmsse_lease *lease, bool lapsed)
{
	struct gendisk *disk = dm_disk(dm_table_get_md(lease->ti->table));
	char state[32], reason[32];
	char *env[3] = { state, lapsed ? reason : NULL };
	unsigned int noio;

	snprintf(state, sizeof(state), "DM_SSE_STATE=%s", lapsed ? "lapsed" : "active");
	snprintf(reason, sizeof(reason), "DM_SSE_REASON=%s", dmsse_lease_reason(lease));
	dm_table_event(lease->ti->table);
	/* Memory must not depend on the I/O that waits here. */
	noio = memalloc_noio_save();
	kobject_uevent_env(&disk_to_dev(disk)->kobj, KOBJ_CHANGE, env);
	memalloc_noio_restore(noio);
}

/* All that follows from a change of state. Bios before words: they may be needed. */
static void follow_up(struct work_struct *work)
{
	struct dmsse_lease *lease = container_of(work, struct dmsse_lease, work);
	bool news, lapsed;

	mutex_lock(&lease->sse->lock);
	finish_lapse(lease);
	news = have_news(lease);
	lapsed = lease->told_lapsed;
	mutex_unlock(&lease->sse->lock);

	release_held(lease);
	if (news)
		tell(lease, lapsed);
}

/**
 * dmsse_lease_resumed - the device takes I/O now
 * @lease: the lease, or NULL
 *
 * Context: process; dmsse_target.lock held.
 */
void dmsse_lease_resumed(struct dmsse_lease *lease)
{
	if (!lease)
		return;
	lease->resumed = true;
	if (lease->told_lapsed)
		queue_work(lease_wq, &lease->work);
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
		drop_key(&lease->key[i]);
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
