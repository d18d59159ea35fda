/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a lease is made of, for the files lease*.c and nobody else: one section per
 * file. What others call is in dmsse.h.
 */
#ifndef DMSSE_LEASE_H
#define DMSSE_LEASE_H

#include "dmsse.h"

#include <linux/key.h>
#include <linux/percpu-refcount.h>
#include <linux/spinlock.h>
#include <linux/timekeeping.h>
#include <linux/wait.h>

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
 * @state: see lease.c
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

/* lease.c: the lease's life ------------------------------------------------ */

void dmsse_lease_lapse(struct dmsse_lease *lease, unsigned int index, int reason);
void dmsse_lease_queue_work(struct dmsse_lease *lease);

/* lease_key.c: keys and clocks --------------------------------------------- */

/**
 * dmsse_read_clocks - read both clocks
 *
 * Context: any. Return: the clocks, in seconds.
 */
static inline struct dmsse_clocks dmsse_read_clocks(void)
{
	return (struct dmsse_clocks) {
		.real = ktime_get_real_seconds(),
		.boot = ktime_get_boottime_seconds(),
	};
}

/**
 * dmsse_is_never - is this the end of a key that has none?
 * @expiry: when a key ends by the wall clock
 *
 * Older kernels say 0, newer ones TIME64_MAX.
 *
 * Context: any.
 */
static inline bool dmsse_is_never(time64_t expiry)
{
	return !expiry || expiry == TIME64_MAX;
}

/**
 * dmsse_validate_key - is a key valid, by the keyring?
 * @key: the key
 *
 * As key_validate(), which has no word for the time when it was we who invalidated
 * a key that has expired: see drop_key().
 *
 * Context: any. Return: 0, -EKEYEXPIRED, -EKEYREVOKED, or -ENOKEY.
 */
static inline int dmsse_validate_key(const struct key *key)
{
	time64_t expiry = READ_ONCE(key->expiry);
	int r = key_validate(key);

	if (r == -ENOKEY && !dmsse_is_never(expiry) && ktime_get_real_seconds() >= expiry)
		return -EKEYEXPIRED;
	return r;
}

int dmsse_leased_validate(struct leased_key *leased, const struct dmsse_clocks *now,
			  time64_t before);

/* lease_io.c: the gate, and bios that wait --------------------------------- */

void dmsse_lease_release_held(struct dmsse_lease *lease);

/* lease_tell.c: what the world hears of it --------------------------------- */

bool dmsse_lease_have_news(struct dmsse_lease *lease);
void dmsse_lease_tell(struct dmsse_lease *lease, bool lapsed);

#endif
