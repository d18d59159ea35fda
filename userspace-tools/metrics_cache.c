// SPDX-License-Identifier: GPL-2.0-only
/*
 * Metrics of caches below disks.
 */
#include <limits.h>
#include <stdio.h>

#include "blockdev.h"
#include "metrics.h"

static bool cache_failed(const struct monitor_disk *d, uint64_t *value)
{
	*value = d->cache_status.failed;
	return d->cache_understood;
}

static bool in_bytes(const struct monitor_disk *d, uint64_t blocks, uint64_t *value)
{
	*value = blocks * d->cache.block * SECTOR_SIZE;
	return d->cache_understood && !d->cache_status.failed;
}

static bool cache_size(const struct monitor_disk *d, uint64_t *value)
{
	return in_bytes(d, d->cache_status.blocks, value);
}

static bool cache_used(const struct monitor_disk *d, uint64_t *value)
{
	return in_bytes(d, d->cache_status.used, value);
}

static bool cache_dirty(const struct monitor_disk *d, uint64_t *value)
{
	return in_bytes(d, d->cache_status.dirty, value);
}

static bool counts_hits(const struct monitor_disk *d)
{
	return d->cache_understood && !d->cache_status.failed && d->cache_status.has_hits;
}

static bool cache_read_hits(const struct monitor_disk *d, uint64_t *value)
{
	*value = d->cache_status.read_hits;
	return counts_hits(d);
}

static bool cache_read_misses(const struct monitor_disk *d, uint64_t *value)
{
	*value = d->cache_status.read_misses;
	return counts_hits(d);
}

static bool cache_write_hits(const struct monitor_disk *d, uint64_t *value)
{
	*value = d->cache_status.write_hits;
	return counts_hits(d);
}

static bool cache_write_misses(const struct monitor_disk *d, uint64_t *value)
{
	*value = d->cache_status.write_misses;
	return counts_hits(d);
}

static const struct {
	const char *name;
	const char *type;
	bool (*value)(const struct monitor_disk *d, uint64_t *value);
	const char *help;
} cache_numbers[] = {
	{ "dm_sse_disk_cache_failed", "gauge", cache_failed,
	  "Has the disk's cache met an error and stopped? If it is 1 other metrics of the cache are missing." },
	{ "dm_sse_disk_cache_size_bytes", "gauge", cache_size, "Size of the disk's cache." },
	{ "dm_sse_disk_cache_used_bytes", "gauge", cache_used, "What of the cache is used." },
	{ "dm_sse_disk_cache_dirty_bytes", "gauge", cache_dirty,
	  "What the cache has and the disk lacks." },
	{ "dm_sse_disk_cache_read_hits_total", "counter", cache_read_hits,
	  "Reads that the cache had." },
	{ "dm_sse_disk_cache_read_misses_total", "counter", cache_read_misses,
	  "Reads that it had not." },
	{ "dm_sse_disk_cache_write_hits_total", "counter", cache_write_hits,
	  "Writes of what the cache had." },
	{ "dm_sse_disk_cache_write_misses_total", "counter", cache_write_misses,
	  "Writes of what it had not." },
};

void metrics_put_caches(FILE *out, const struct metrics *c)
{
	const char *name = "dm_sse_disk_cache_info";
	char device[PATH_MAX];
	uint64_t value;
	size_t i, j;

	prom_family(out, name, "gauge", "The cache below an open disk. Always 1.");
	for (j = 0; j < c->nr_disks; j++) {
		const struct monitor_disk *d = &c->disks[j];
		const struct prom_label labels[] = {
			{ "disk", d->name }, { "device", device },
			{ "mode", cache_mode_name(d->cache.mode) }, { NULL, NULL },
		};

		if (!d->cached)
			continue;
		blockdev_name(d->cache.cache_major, d->cache.cache_minor, device, sizeof(device));
		prom_sample(out, name, labels, 1);
	}
	for (i = 0; i < sizeof(cache_numbers) / sizeof(cache_numbers[0]); i++) {
		prom_family(out, cache_numbers[i].name, cache_numbers[i].type, cache_numbers[i].help);
		for (j = 0; j < c->nr_disks; j++) {
			const struct prom_label labels[] = {
				{ "disk", c->disks[j].name }, { NULL, NULL },
			};

			if (cache_numbers[i].value(&c->disks[j], &value))
				prom_sample(out, cache_numbers[i].name, labels, value);
		}
	}
}
