// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device-mapper target: calls the other files in order and says why
 * something was refused.
 */
#include "dmsse.h"
#include "key.h"

#include <linux/blkdev.h>
#include <linux/slab.h>

/* The words of the status line; order and spelling are an interface. */
static const char * const counter_names[DMSSE_NR_COUNTERS] = {
	[DMSSE_READ_BIOS]	= "read_bios",
	[DMSSE_READ_SECTORS]	= "read_sectors",
	[DMSSE_WRITE_BIOS]	= "write_bios",
	[DMSSE_WRITE_SECTORS]	= "write_sectors",
	[DMSSE_DISCARD_BIOS]	= "discard_bios",
	[DMSSE_FLUSH_BIOS]	= "flush_bios",
	[DMSSE_CRYPT_ERRORS]	= "crypt_errors",
	[DMSSE_IO_ERRORS]	= "io_errors",
	[DMSSE_QUEUED_BIOS]	= "queued_bios",
};

static void log_error(struct dm_target *ti, const struct dmsse_error *err)
{
	pr_err("%s: %s\n", dm_table_device_name(ti->table), err->text);
}

/* Construction -------------------------------------------------------------- */

static void free_params(struct dmsse_params *params)
{
	unsigned int i;

	for (i = 0; i < params->nr_layers; i++) {
		kfree(params->layer[i].spec);
		kfree(params->layer[i].key.description);
	}
}

/*
 * Copy parsed parameters, whose strings are the caller's, with the strings of
 * the layers; open_device() sees to the device.
 */
static int copy_params(struct dmsse_params *to, const struct dmsse_params *from)
{
	bool failed = false;
	unsigned int i;

	*to = *from;
	to->device = NULL;
	for (i = 0; i < from->nr_layers; i++) {
		to->layer[i].spec = kstrdup(from->layer[i].spec, GFP_KERNEL);
		to->layer[i].key.description = kstrdup(from->layer[i].key.description, GFP_KERNEL);
		failed |= !to->layer[i].spec || !to->layer[i].key.description;
	}
	return failed ? -ENOMEM : 0;
}

static int open_device(struct dm_target *ti, struct dmsse_target *sse, const char *path,
		       struct dmsse_error *err)
{
	struct dmsse_params *params = &sse->params;
	sector_t size;
	int r;

	if (ti->len & ((params->sector_size >> SECTOR_SHIFT) - 1)) {
		dmsse_err(err,
			  "length %llu must be a multiple of %u, the 512-byte sectors in sector_size:%u",
				(unsigned long long)ti->len,
				params->sector_size >> SECTOR_SHIFT, params->sector_size);
		return -EINVAL;
	}
	if (params->start + ti->len < params->start) {
		dmsse_err(err, "start %llu is beyond what a device can have",
			  (unsigned long long)params->start);
		return -EINVAL;
	}

	r = dm_get_device(ti, path, dm_table_get_mode(ti->table), &sse->dev);
	if (r) {
		dmsse_err(err,
			  "device '%.96s' cannot be opened, error %d: see that it exists and is a block device not in use",
				path, r);
		return r;
	}
	/* A path may mean another device tomorrow; the number is this one. */
	params->device = sse->dev->name;
	if (bdev_is_zoned(sse->dev->bdev)) {
		dmsse_err(err,
			  "zoned device '%.96s' is not supported: use dm-crypt, or dm-zoned below",
				params->device);
		return -EOPNOTSUPP;
	}
	/* A device without a size yet is left to device-mapper, which allows it. */
	size = bdev_nr_sectors(sse->dev->bdev);
	if (size && params->start + ti->len > size) {
		dmsse_err(err,
			  "device '%.96s' has %llu sectors, start %llu and length %llu need %llu",
				params->device, (unsigned long long)size,
				(unsigned long long)params->start, (unsigned long long)ti->len,
				(unsigned long long)(params->start + ti->len));
		return -EINVAL;
	}
	return 0;
}

static int create_lease(struct dm_target *ti, struct dmsse_target *sse)
{
	struct dmsse_lease *lease = dmsse_lease_create(ti, sse);

	if (IS_ERR(lease))
		return PTR_ERR(lease);
	sse->lease = lease;
	return 0;
}

static int set_keys(struct dmsse_target *sse, struct dmsse_error *err)
{
	unsigned int i;
	int r;

	for (i = 0; i < sse->params.nr_layers; i++) {
		r = dmsse_key_set(&sse->stack, i, &sse->params.layer[i].key, sse->lease, err);
		if (r)
			return r;
	}
	return 0;
}

static void set_target_flags(struct dm_target *ti, const struct dmsse_target *sse)
{
	ti->per_io_data_size = dmsse_io_size(sse);
	ti->num_flush_bios = 1;
	ti->limit_swap_bios = true;

	/*
	 * Write-zeroes would leave zeroes, which decrypt to noise. Declined,
	 * the block layer writes pages of zeroes instead.
	 */
	ti->num_write_zeroes_bios = 0;
	if (sse->params.flags & DMSSE_ALLOW_DISCARDS) {
		ti->num_discard_bios = 1;
		ti->num_secure_erase_bios = 1;
	}
}

static void sse_destroy(struct dm_target *ti, struct dmsse_target *sse)
{
	dmsse_lease_destroy(sse->lease);
	dmsse_bounce_pool_destroy(&sse->bounce);
	if (sse->dev)
		dm_put_device(ti, sse->dev);
	dmsse_stack_destroy(&sse->stack);
	free_params(&sse->params);
	free_percpu(sse->counters);
	mutex_destroy(&sse->lock);
	kfree(sse);
}

static int sse_create(struct dm_target *ti, const struct dmsse_params *params,
		      struct dmsse_error *err)
{
	struct dmsse_target *sse;
	int r = -ENOMEM;

	sse = kzalloc(sizeof(*sse), GFP_KERNEL);
	if (!sse)
		return -ENOMEM;
	mutex_init(&sse->lock);
	sse->name = dm_table_device_name(ti->table);
	sse->wq = dmsse_workqueue(params->flags);

	r = dmsse_bounce_pool_init(&sse->bounce);
	if (r)
		goto bad;
	sse->counters = alloc_percpu(struct dmsse_counters);
	if (!sse->counters) {
		r = -ENOMEM;
		goto bad;
	}
	r = copy_params(&sse->params, params);
	if (r)
		goto bad;
	r = dmsse_stack_init(&sse->stack, &sse->params, err);
	if (r)
		goto bad;
	r = open_device(ti, sse, params->device, err);
	if (r)
		goto bad;
	r = create_lease(ti, sse);
	if (r)
		goto bad;
	r = set_keys(sse, err);
	if (r)
		goto bad;

	dmsse_policy_init(&sse->stack);
	set_target_flags(ti, sse);
	ti->private = sse;
	dmsse_lease_watch(sse->lease);
	return 0;

bad:
	sse_destroy(ti, sse);
	return r;
}

static int sse_ctr(struct dm_target *ti, unsigned int argc, char **argv)
{
	struct dmsse_params params;
	struct dmsse_error err = { "out of memory" };
	int r;

	r = dmsse_table_parse(&params, argc, argv, &err);
	if (!r)
		r = sse_create(ti, &params, &err);
	if (r) {
		log_error(ti, &err);
		ti->error = "refused, the dm-sse line above says why";
	}
	return r;
}

static void sse_dtr(struct dm_target *ti)
{
	sse_destroy(ti, ti->private);
}

/* Status -------------------------------------------------------------------- */

static u64 sum_counter(const struct dmsse_target *sse, enum dmsse_counter counter)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu_ptr(sse->counters, cpu)->value[counter]);
	return sum;
}

/* Of the things there are to say about a target the worst is its state. */
static const char *state_name(const struct dmsse_target *sse)
{
	switch (dmsse_lease_state(sse->lease)) {
	case DMSSE_LEASE_LAPSING:
		return "lapsing";
	case DMSSE_LEASE_LAPSED:
		return "lapsed";
	case DMSSE_LEASE_VALID:
		break;
	}
	if (!dmsse_stack_keyed(&sse->stack))
		return "no-key";
	return sse->live ? "active" : "suspended";
}

static size_t emit_info(struct dmsse_target *sse, char *result, unsigned int maxlen)
{
	const struct dmsse_stack *stack = &sse->stack;
	bool insecure = false;
	unsigned int i;
	size_t sz = 0;

	mutex_lock(&sse->lock);
	DMEMIT("%s", state_name(sse));

	DMEMIT(" layers:%u", stack->nr_layers);
	for (i = 0; i < stack->nr_layers; i++) {
		const struct dmsse_layer *layer = &stack->layer[i];
		const char *name = dmsse_layer_name(i);

		DMEMIT(" %s:%s %s_driver:%s", name, layer->tfm ? "keyed" : "no-key",
		       name, layer->driver);
		insecure |= layer->insecure;
	}
	sz += dmsse_lease_emit(sse->lease, result + sz, maxlen - sz);
	mutex_unlock(&sse->lock);

	for (i = 0; i < DMSSE_NR_COUNTERS; i++)
		DMEMIT(" %s:%llu", counter_names[i],
		       (unsigned long long)sum_counter(sse, i));
	DMEMIT(" bounce_waits:%llu", (unsigned long long)atomic64_read(&sse->bounce.waits));
	if (insecure)
		DMEMIT(" insecure");
	return sz;
}

static void sse_status(struct dm_target *ti, status_type_t type, unsigned int status_flags,
		       char *result, unsigned int maxlen)
{
	struct dmsse_target *sse = ti->private;
	size_t sz = 0;

	switch (type) {
	case STATUSTYPE_INFO:
		emit_info(sse, result, maxlen);
		break;
	case STATUSTYPE_TABLE:
		mutex_lock(&sse->lock);
		dmsse_table_emit(&sse->params, result, maxlen);
		mutex_unlock(&sse->lock);
		break;
	case STATUSTYPE_IMA:
		DMEMIT_TARGET_NAME_VERSION(ti->type);
		sz += dmsse_table_emit_ima(&sse->params, result + sz, maxlen - sz);
		DMEMIT(";");
		break;
	}
}

/* Suspend, resume, messages ------------------------------------------------- */

static void sse_presuspend(struct dm_target *ti)
{
	struct dmsse_target *sse = ti->private;

	dmsse_lease_presuspend(sse->lease);
}

static void sse_postsuspend(struct dm_target *ti)
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

static int sse_preresume(struct dm_target *ti)
{
	struct dmsse_target *sse = ti->private;
	struct dmsse_error err;
	int r;

	mutex_lock(&sse->lock);
	r = check_keys(sse, &err);
	mutex_unlock(&sse->lock);

	if (r)
		log_error(ti, &err);
	return r;
}

/*
 * A key wiped since sse_preresume() is not noticed here: there is no way to
 * refuse any more. The bios will be.
 */
static void sse_resume(struct dm_target *ti)
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

static int handle_message(struct dm_target *ti, unsigned int argc, char **argv,
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

static int sse_message(struct dm_target *ti, unsigned int argc, char **argv,
		       char *result, unsigned int maxlen)
{
	struct dmsse_error err = { "out of memory" };
	int r = handle_message(ti, argc, argv, &err);

	if (r)
		log_error(ti, &err);
	return r;
}

/* What the device can do ---------------------------------------------------- */

static int sse_iterate_devices(struct dm_target *ti, iterate_devices_callout_fn fn, void *data)
{
	struct dmsse_target *sse = ti->private;

	return fn(ti, sse->dev, sse->params.start, ti->len, data);
}

static void sse_io_hints(struct dm_target *ti, struct queue_limits *limits)
{
	struct dmsse_target *sse = ti->private;
	unsigned int size = sse->stack.sector_size;

	limits->logical_block_size = max(limits->logical_block_size, size);
	limits->physical_block_size = max(limits->physical_block_size, size);
	limits->io_min = max(limits->io_min, size);

	/*
	 * Direct I/O that is aligned like this need not be gathered. A read goes
	 * straight into the submitter's memory, so what the device below wants
	 * holds as well.
	 */
	limits->dma_alignment = max(limits->dma_alignment, limits->logical_block_size - 1);
}

struct target_type dmsse_target_type = {
	.name		= "sse",
	.version	= { 1, 2, 0 },
	.module		= THIS_MODULE,
	.ctr		= sse_ctr,
	.dtr		= sse_dtr,
	.map		= dmsse_map,
	.end_io		= dmsse_end_io,
	.status		= sse_status,
	.presuspend	= sse_presuspend,
	.postsuspend	= sse_postsuspend,
	.preresume	= sse_preresume,
	.resume		= sse_resume,
	.message	= sse_message,
	.iterate_devices = sse_iterate_devices,
	.io_hints	= sse_io_hints,
};
