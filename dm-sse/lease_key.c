// SPDX-License-Identifier: GPL-2.0-only
/*
 * The keys of a lease, and when they end.
 *
 * A key's end is a time of the wall clock, which jumps. Set forward, the keyring
 * itself says that the key has expired. Set back, it would make the lease
 * longer, so there is a deadline in seconds since boot as well.
 */
#include "dmsse.h"
#include "lease.h"

#include <linux/key.h>
#include <linux/timekeeping.h>

/*
 * Both clocks are read in whole seconds, at two times: rounding must not have a
 * deadline come before the key's own end.
 */
#define ROUNDING	2

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

	if (dmsse_is_never(expiry))
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

/**
 * dmsse_leased_validate - is a key valid, by the keyring and by the deadline?
 * @leased: the key, or none: then it is. Its deadline is worked out anew if it
 *	has another expiry.
 * @now: the clocks
 * @before: see dmsse_lease_deadline()
 *
 * Context: process; dmsse_target.lock held. Return: as dmsse_validate_key().
 */
int dmsse_leased_validate(struct leased_key *leased, const struct dmsse_clocks *now,
			  time64_t before)
{
	time64_t expiry;
	int r;

	if (!leased->key)
		return 0;
	expiry = READ_ONCE(leased->key->expiry);
	if (expiry != leased->expiry)
		set_expiry(leased, expiry, dmsse_lease_deadline(expiry, now, before));
	r = dmsse_validate_key(leased->key);
	if (r)
		return r;
	return now->boot < leased->deadline ? 0 : -EKEYEXPIRED;
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
	struct dmsse_clocks now = dmsse_read_clocks();
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
 * Context: process; no I/O under way, dmsse_target.lock held unless the lease is
 * about to be freed.
 */
void dmsse_lease_drop(struct dmsse_lease *lease, unsigned int index)
{
	if (lease)
		drop_key(&lease->key[index]);
}
