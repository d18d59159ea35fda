// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device-mapper target: what it is made of, in which order, and what device-mapper
 * may ask of it.
 */
#include "dmsse.h"
#include "key.h"

#include <linux/blkdev.h>
#include <linux/slab.h>

/**
 * dmsse_log_error - tell the log why something was refused
 * @ti: the target
 * @err: why, one line
 *
 * Context: any.
 */
void dmsse_log_error(struct dm_target *ti, const struct dmsse_error *err)
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
		dmsse_log_error(ti, &err);
		ti->error = "refused, the dm-sse line above says why";
	}
	return r;
}

static void sse_dtr(struct dm_target *ti)
{
	sse_destroy(ti, ti->private);
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
	.status		= dmsse_status,
	.presuspend	= dmsse_presuspend,
	.postsuspend	= dmsse_postsuspend,
	.preresume	= dmsse_preresume,
	.resume		= dmsse_resume,
	.message	= dmsse_handle_message,
	.iterate_devices = sse_iterate_devices,
	.io_hints	= sse_io_hints,
};
