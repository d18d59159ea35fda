// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a target is told while it exists: suspend, resume, and messages that give it
 * keys and take them away.
 */
#include "dmsse.h"
#include "key.h"

#include <linux/slab.h>

/**
 * dmsse_presuspend - device-mapper's presuspend function
 * @ti: the target
 *
 * What it means for bios that wait for a lease says dmsse_lease_presuspend().
 *
 * Context: process; may sleep.
 */
void dmsse_presuspend(struct dm_target *ti)
{
	struct dmsse_target *sse = ti->private;

	dmsse_lease_presuspend(sse->lease);
}

/**
 * dmsse_postsuspend - device-mapper's postsuspend function: no I/O is under way
 * @ti: the target
 *
 * Context: process; may sleep.
 */
void dmsse_postsuspend(struct dm_target *ti)
{
	struct dmsse_target *sse = ti->private;

	mutex_lock(&sse->lock);
	sse->live = false;
	mutex_unlock(&sse->lock);
}

/* Has each layer a key, and a valid one? Under sse->lock. */
static int check_keys(struct dmsse_target *sse, struct dmsse_error *err)
{
	const struct dmsse_stack *stack = &sse->stack;
	const char *layer = "", *space = "";
	unsigned int i;

	dmsse_lease_check(sse->lease);
	for (i = 0; i < stack->nr_layers; i++)
		if (!stack->layer[i].tfm)
			break;
	if (i == stack->nr_layers && dmsse_lease_state(sse->lease) == DMSSE_LEASE_VALID)
		return 0;

	if (stack->nr_layers > 1) {
		layer = dmsse_layer_name(i % stack->nr_layers);
		space = " ";
	}
	if (dmsse_lease_state(sse->lease) == DMSSE_LEASE_VALID)
		dmsse_err(err,
			  "cannot resume without a key: send the message 'key set %s%s<reference>' first",
				layer, space);
	else
		dmsse_err(err,
			  "cannot resume, key %s: send the message 'key set %s%s<reference>' first",
				dmsse_lease_reason(sse->lease), layer, space);
	return -ENOKEY;
}

/**
 * dmsse_preresume - device-mapper's preresume function
 * @ti: the target
 *
 * Context: process; may sleep.
 * Return: 0, or -ENOKEY if a layer has no key or the lease has lapsed, of which the
 * log has a line.
 */
int dmsse_preresume(struct dm_target *ti)
{
	struct dmsse_target *sse = ti->private;
	struct dmsse_error err;
	int r;

	mutex_lock(&sse->lock);
	r = check_keys(sse, &err);
	mutex_unlock(&sse->lock);

	if (r)
		dmsse_log_error(ti, &err);
	return r;
}

/**
 * dmsse_resume - device-mapper's resume function: I/O may arrive
 * @ti: the target
 *
 * A key wiped since dmsse_preresume() is not noticed here: there is no way to
 * refuse any more. The bios will be.
 *
 * Context: process; may sleep.
 */
void dmsse_resume(struct dm_target *ti)
{
	struct dmsse_target *sse = ti->private;

	mutex_lock(&sse->lock);
	sse->live = true;
	dmsse_lease_resumed(sse->lease);
	mutex_unlock(&sse->lock);
}

/* The new reference takes the place of the old one only if its key works. */
static int message_key_set(struct dmsse_target *sse, unsigned int index,
			   const struct dmsse_key_ref *ref, struct dmsse_error *err)
{
	struct dmsse_layer_params *params = &sse->params.layer[index];
	const char *description = kstrdup(ref->description, GFP_NOIO);
	int r;

	if (!description)
		return -ENOMEM;
	r = dmsse_key_set(&sse->stack, index, ref, sse->lease, err);
	if (!r) {
		swap(params->key.description, description);
		params->key.size = ref->size;
		params->key.type = ref->type;
		dmsse_lease_renew(sse->lease);
	}
	kfree(description);
	return r;
}

static int message_key_wipe(struct dmsse_target *sse, const struct dmsse_message *message)
{
	unsigned int i, index;

	for (i = 0; i < message->nr; i++) {
		index = message->first + i;
		dmsse_key_wipe(&sse->stack.layer[index]);
		dmsse_lease_drop(sse->lease, index);
	}
	return 0;
}

/**
 * dmsse_takes_io - may I/O arrive?
 * @ti: the target
 *
 * dmsse_target.live alone doesn't tell: device-mapper's internal suspend calls
 * postsuspend, but its internal resume doesn't call resume.
 *
 * Context: process; dmsse_target.lock held.
 */
bool dmsse_takes_io(struct dm_target *ti)
{
	const struct dmsse_target *sse = ti->private;

	return sse->live || !dm_suspended(ti);
}

/* May keys change? If the lease has lapsed nothing uses them, suspended or not. */
static int check_idle(struct dm_target *ti, const struct dmsse_target *sse,
		      struct dmsse_error *err)
{
	switch (dmsse_lease_state(sse->lease)) {
	case DMSSE_LEASE_LAPSED:
		return 0;
	case DMSSE_LEASE_LAPSING:
		dmsse_err(err, "the key lapses at this moment: send the message again");
		return -EBUSY;
	case DMSSE_LEASE_VALID:
		break;
	}
	if (!dmsse_takes_io(ti))
		return 0;
	dmsse_err(err, "keys change only while the device is suspended%s: suspend it first",
		  sse->lease ? " or its lease has lapsed" : "");
	return -EBUSY;
}

static int change_keys(struct dm_target *ti, const struct dmsse_message *message,
		       struct dmsse_error *err)
{
	struct dmsse_target *sse = ti->private;
	int r = check_idle(ti, sse, err);

	if (r)
		return r;
	if (message->set)
		return message_key_set(sse, message->first, &message->ref, err);
	return message_key_wipe(sse, message);
}

static int obey_message(struct dm_target *ti, unsigned int argc, char **argv,
			struct dmsse_error *err)
{
	struct dmsse_target *sse = ti->private;
	struct dmsse_message message;
	int r;

	r = dmsse_message_parse(&message, sse->stack.nr_layers, argc, argv, err);
	if (r)
		return r;
	r = dmsse_lease_settle(sse->lease);
	if (r) {
		dmsse_err(err, "interrupted while I/O under way came to its end: send the message again");
		return r;
	}
	mutex_lock(&sse->lock);
	r = change_keys(ti, &message, err);
	mutex_unlock(&sse->lock);
	return r;
}

/**
 * dmsse_handle_message - device-mapper's message function
 * @ti: the target
 * @argc: number of words
 * @argv: the words, device-mapper's copy; a key among them is wiped
 * @result: for an answer; no message has one
 * @maxlen: bytes there
 *
 * Context: process; may sleep. Takes dmsse_target.lock.
 * Return: 0; -EINVAL for a message that is not known or malformed; -EBUSY while keys
 * are in use; -ERESTARTSYS if a signal came; -ENOMEM; or what
 * dmsse_key_set() returns. The log has a line of each.
 */
int dmsse_handle_message(struct dm_target *ti, unsigned int argc, char **argv,
			 char *result, unsigned int maxlen)
{
	struct dmsse_error err = { "out of memory" };
	int r = obey_message(ti, argc, argv, &err);

	if (r)
		dmsse_log_error(ti, &err);
	return r;
}
