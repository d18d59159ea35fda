// SPDX-License-Identifier: GPL-2.0-only
/*
 * The gate that bios pass while the lease is valid, and those that wait before it.
 *
 * The gate is a per-CPU reference count, held by each bio on its way. Closing
 * it, it tells when the last one is through, and this costs a bio no more than
 * an increment and a decrement of memory that no other CPU looks at. Each bio
 * looks at the keys and their deadlines on top of that: a few loads. So a
 * revocation is seen by the very next bio, and so is a key that ended while the
 * machine was asleep.
 */
#include "dmsse.h"
#include "lease.h"

#include <linux/key.h>
#include <linux/percpu-refcount.h>
#include <linux/timekeeping.h>

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
		r = dmsse_validate_key(leased->key);
		if (!r && is_over(leased))
			r = -EKEYEXPIRED;
		if (!r)
			continue;
		spin_lock(&lease->lock);
		dmsse_lease_lapse(lease, i, r);
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
			dmsse_lease_queue_work(lease);
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

/**
 * dmsse_lease_release_held - bios that wait go on
 * @lease: the lease; if it isn't valid nothing happens
 *
 * In the order in which they came. If the lease lapses again the rest waits on.
 *
 * The keys are not looked at before there is a bio in hand, which is what keeps
 * them in place: without I/O a suspended device's may be changed at any time.
 *
 * Context: process, sleeps: what goes on may wait for memory and for the device
 * below; dmsse_target.lock not held.
 */
void dmsse_lease_release_held(struct dmsse_lease *lease)
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
