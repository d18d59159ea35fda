// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the world hears of a lease: the words of the status line, and events when
 * I/O stops and when it goes on.
 */
#include "dmsse.h"
#include "lease.h"

#include <linux/kobject.h>
#include <linux/sched/mm.h>

/* Seconds that are left, or a negative number if the keys never end. */
static time64_t seconds_left(const struct dmsse_lease *lease)
{
	struct dmsse_clocks now = dmsse_read_clocks();
	time64_t least = TIME64_MAX;
	unsigned int i;

	if (dmsse_lease_state(lease) != DMSSE_LEASE_VALID)
		return 0;
	for (i = 0; i < lease->sse->stack.nr_layers; i++) {
		const struct key *key = lease->key[i].key;
		time64_t expiry = key ? READ_ONCE(key->expiry) : 0;

		if (dmsse_is_never(expiry))
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

/**
 * dmsse_lease_have_news - is there news for the world?
 * @lease: the lease; if there is, its @told_lapsed says what, and is told then
 *
 * That a suspended device has its keys again is none before it is resumed.
 *
 * Context: process; dmsse_target.lock held.
 */
bool dmsse_lease_have_news(struct dmsse_lease *lease)
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

/**
 * dmsse_lease_tell - tell the world: by an event of device-mapper's and a uevent
 * @lease: the lease
 * @lapsed: that it has lapsed; else that it is valid again
 *
 * KOBJ_CHANGE, since udev takes a device of which it hears another action for
 * one to set up anew.
 *
 * Context: process, sleeps; dmsse_target.lock not held.
 */
void dmsse_lease_tell(struct dmsse_lease *lease, bool lapsed)
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
		dmsse_lease_queue_work(lease);
}
