// SPDX-License-Identifier: GPL-2.0-only
/*
 * ssesetup metrics
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "blockdev.h"
#include "des.h"
#include "files.h"
#include "monitor.h"
#include "prometheus.h"
#include "ssesetup.h"

/* A set as far as its files tell; one that is broken doesn't hide the others. */
struct set {
	struct des des;
	bool broken;
	size_t disks;		/* in the register */
};

struct collected {
	struct monitor_disk *disks;
	size_t nr_disks;
	struct set *sets;
	size_t nr_sets;
};

static size_t count_disks(const struct set *s, const struct known_disk *known, size_t nr)
{
	size_t count = 0, i;

	for (i = 0; i < nr; i++)
		if (!strcmp(known[i].des, s->des.name) &&
		    (s->broken || !*known[i].des_id || !strcmp(known[i].des_id, s->des.id)))
			count++;
	return count;
}

static void load_set(struct set *s, const char *name, const struct known_disk *known, size_t nr)
{
	struct reason why = { 0 };

	s->broken = des_load(name, &s->des, &why);
	if (s->broken) {
		diag_verbose("%s", why.text);
		memset(&s->des, 0, sizeof(s->des));
		snprintf(s->des.name, sizeof(s->des.name), "%s", name);
	}
	s->disks = count_disks(s, known, nr);
}

static int load_sets(struct collected *c, const struct known_disk *known, size_t nr_known,
		     struct reason *why)
{
	char **names;
	size_t i;
	int rc;

	rc = des_names(&names, &c->nr_sets, why);
	if (rc)
		return rc;
	c->sets = calloc(c->nr_sets, sizeof(*c->sets));
	for (i = 0; c->sets && i < c->nr_sets; i++)
		load_set(&c->sets[i], names[i], known, nr_known);
	des_names_free(names, c->nr_sets);
	return c->sets ? RC_OK : reason_nomem(why);
}

static int collect(struct collected *c, struct reason *why)
{
	struct known_disk *known = NULL;
	size_t nr_known;
	int rc;

	rc = registry_list(NULL, &known, &nr_known, why);
	if (!rc)
		rc = monitor_list(&c->disks, &c->nr_disks, why);
	if (!rc)
		rc = load_sets(c, known, nr_known, why);
	free(known);
	return rc;
}

/* Disks */

static const char * const states[] = { "active", "suspended", "no-key", "lapsing", "lapsed" };

/* A set of states has a sample for each, of which one is 1: none is, where it isn't known. */
static void put_states(FILE *out, const struct collected *c)
{
	const char *name = "dm_sse_disk_state", *state;
	size_t i, j;

	prom_family(out, name, "gauge", "State of an open disk: 1 for the one it is in.");
	for (i = 0; i < c->nr_disks; i++) {
		state = c->disks[i].info.state;
		for (j = 0; j < sizeof(states) / sizeof(states[0]); j++) {
			const struct prom_label labels[] = {
				{ "disk", c->disks[i].name }, { "state", states[j] }, { NULL, NULL },
			};

			prom_sample(out, name, labels, state && !strcmp(state, states[j]));
		}
	}
}

static void put_disk_info(FILE *out, const struct collected *c)
{
	const char *name = "dm_sse_disk_info";
	char type[16], device[PATH_MAX];
	size_t i;

	prom_family(out, name, "gauge",
		    "What an open disk is: its set, device and UUID. Always 1.");
	for (i = 0; i < c->nr_disks; i++) {
		const struct monitor_disk *d = &c->disks[i];
		const struct prom_label labels[] = {
			{ "disk", d->name }, { "des", d->known.des }, { "type", type },
			{ "device", device }, { "uuid", d->known.uuid }, { NULL, NULL },
		};

		monitor_type(d, type, sizeof(type));
		monitor_device(d, device, sizeof(device));
		prom_sample(out, name, labels, 1);
	}
}

static void put_layers(FILE *out, const struct collected *c)
{
	const char *name = "dm_sse_disk_layer_info", *driver;
	char word[32];
	unsigned int layer;
	size_t i;

	prom_family(out, name, "gauge",
		    "A layer of an open disk: its cipher, who computes it, and the version of the key encryption key. Always 1.");
	for (i = 0; i < c->nr_disks; i++) {
		const struct monitor_disk *d = &c->disks[i];

		for (layer = 0; layer < d->table.nr_layers; layer++) {
			snprintf(word, sizeof(word), "%s_driver", layer_name(layer));
			driver = info_word(&d->info, word);
			const struct prom_label labels[] = {
				{ "disk", d->name }, { "des", d->known.des },
				{ "layer", layer_name(layer) },
				{ "cipher", d->table.layer[layer].cipher },
				{ "driver", driver ? driver : "" },
				{ "key_version", monitor_key_version(d, layer) }, { NULL, NULL },
			};

			prom_sample(out, name, labels, 1);
		}
	}
}

static void put_problems(FILE *out, const struct collected *c)
{
	const char *name = "dm_sse_disk_readable";
	size_t i;

	prom_family(out, name, "gauge",
		    "Is what the target says of an open disk understood? If it is 0 other metrics of the disk are missing.");
	for (i = 0; i < c->nr_disks; i++) {
		const struct prom_label labels[] = {
			{ "disk", c->disks[i].name }, { NULL, NULL },
		};

		prom_sample(out, name, labels, !*c->disks[i].problem);
	}
}

/* What the target counts, in the units that Prometheus likes. */
static const struct {
	const char *word;
	const char *name;
	const char *type;
	unsigned int factor;
	const char *help;
} numbers[] = {
	{ "lease_seconds", "dm_sse_disk_lease_left_seconds", "gauge", 1,
	  "How long the disk's keys are valid; not there if they don't end by themselves." },
	{ "held_bios", "dm_sse_disk_held_bios", "gauge", 1,
	  "I/O that waits for the key to come back." },
	{ "read_bios", "dm_sse_disk_reads_total", "counter", 1, "Reads." },
	{ "read_sectors", "dm_sse_disk_read_bytes_total", "counter", SECTOR_SIZE, "Bytes read." },
	{ "write_bios", "dm_sse_disk_writes_total", "counter", 1, "Writes." },
	{ "write_sectors", "dm_sse_disk_written_bytes_total", "counter", SECTOR_SIZE,
	  "Bytes written." },
	{ "discard_bios", "dm_sse_disk_discards_total", "counter", 1, "Discards." },
	{ "flush_bios", "dm_sse_disk_flushes_total", "counter", 1, "Cache flushes." },
	{ "crypt_errors", "dm_sse_disk_crypt_errors_total", "counter", 1,
	  "Reads and writes that could not be encrypted or decrypted." },
	{ "io_errors", "dm_sse_disk_io_errors_total", "counter", 1,
	  "Reads and writes that the device below failed." },
	{ "queued_bios", "dm_sse_disk_queued_total", "counter", 1,
	  "Reads that were decrypted elsewhere than where they completed." },
	{ "bounce_waits", "dm_sse_disk_bounce_waits_total", "counter", 1,
	  "Writes that had to wait for memory." },
};

static void put_numbers(FILE *out, const struct collected *c)
{
	uint64_t value;
	size_t i, j;

	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		prom_family(out, numbers[i].name, numbers[i].type, numbers[i].help);
		for (j = 0; j < c->nr_disks; j++) {
			const struct prom_label labels[] = {
				{ "disk", c->disks[j].name }, { NULL, NULL },
			};

			if (monitor_number(&c->disks[j], numbers[i].word, &value))
				prom_sample(out, numbers[i].name, labels, value * numbers[i].factor);
		}
	}
}

static void put_size(FILE *out, const struct collected *c)
{
	const char *name = "dm_sse_disk_size_bytes";
	size_t i;

	prom_family(out, name, "gauge", "Size of an open disk.");
	for (i = 0; i < c->nr_disks; i++) {
		const struct prom_label labels[] = {
			{ "disk", c->disks[i].name }, { NULL, NULL },
		};

		prom_sample(out, name, labels, c->disks[i].size * SECTOR_SIZE);
	}
}

/* Caches below disks */

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

static void put_caches(FILE *out, const struct collected *c)
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

/* Disk encryption sets */

static bool des_disks(const struct set *s, uint64_t *value)
{
	*value = s->disks;
	return true;
}

static bool des_readable(const struct set *s, uint64_t *value)
{
	*value = !s->broken;
	return true;
}

static bool des_enabled(const struct set *s, uint64_t *value)
{
	*value = s->des.enabled;
	return !s->broken;
}

static bool des_auto_rotate(const struct set *s, uint64_t *value)
{
	*value = s->des.auto_rotate;
	return !s->broken;
}

static bool des_lease(const struct set *s, uint64_t *value)
{
	*value = s->des.lease;
	return !s->broken && s->des.lease;
}

static bool a_time(time_t when, uint64_t *value)
{
	*value = (uint64_t)when;
	return when > 0;
}

static bool des_last_renewal(const struct set *s, uint64_t *value)
{
	return a_time(s->des.last_renewal, value);
}

static bool des_last_rotation(const struct set *s, uint64_t *value)
{
	return a_time(s->des.last_rotation, value);
}

static bool des_last_error_time(const struct set *s, uint64_t *value)
{
	return a_time(s->des.last_error_time, value);
}

static const struct {
	const char *name;
	bool (*value)(const struct set *s, uint64_t *value);
	const char *help;
} set_numbers[] = {
	{ "dm_sse_des_readable", des_readable,
	  "Can the set's file and state be read? If it is 0 other metrics of the set are missing." },
	{ "dm_sse_des_enabled", des_enabled, "May the set's keys be used?" },
	{ "dm_sse_des_auto_rotate", des_auto_rotate,
	  "Do the set's disks follow the newest version of its key?" },
	{ "dm_sse_des_disks", des_disks, "Disks of the set that this host knows, open or not." },
	{ "dm_sse_des_lease_seconds", des_lease, "The set's lease; not there without one." },
	{ "dm_sse_des_last_renewal_timestamp_seconds", des_last_renewal,
	  "When the leases of all open disks of the set were renewed last; not there before that." },
	{ "dm_sse_des_last_rotation_timestamp_seconds", des_last_rotation,
	  "When all disks of the set were rotated last; not there before that." },
	{ "dm_sse_des_last_error_timestamp_seconds", des_last_error_time,
	  "When the last rotation of the set failed; not there if it was right." },
};

static void put_set_numbers(FILE *out, const struct collected *c)
{
	uint64_t value;
	size_t i, j;

	for (i = 0; i < sizeof(set_numbers) / sizeof(set_numbers[0]); i++) {
		prom_family(out, set_numbers[i].name, "gauge", set_numbers[i].help);
		for (j = 0; j < c->nr_sets; j++) {
			const struct prom_label labels[] = {
				{ "des", c->sets[j].des.name }, { NULL, NULL },
			};

			if (set_numbers[i].value(&c->sets[j], &value))
				prom_sample(out, set_numbers[i].name, labels, value);
		}
	}
}

static void put_set_info(FILE *out, const struct collected *c)
{
	const char *name = "dm_sse_des_info";
	size_t i;

	prom_family(out, name, "gauge",
		    "A disk encryption set: its type and the active version of its key, which is the customer's where there is one. Always 1.");
	for (i = 0; i < c->nr_sets; i++) {
		const struct des *des = &c->sets[i].des;
		const struct prom_label labels[] = {
			{ "des", des->name }, { "type", des_type_name(des->type) },
			{ "key_version", des->active_version },
			{ "outer_key_version", des->outer_version }, { NULL, NULL },
		};

		if (!c->sets[i].broken)
			prom_sample(out, name, labels, 1);
	}
}

static void put_set_errors(FILE *out, const struct collected *c)
{
	const char *name = "dm_sse_des_last_error_info";
	size_t i;

	prom_family(out, name, "gauge",
		    "Why the last rotation of the set failed; not there if it was right. Always 1.");
	for (i = 0; i < c->nr_sets; i++) {
		const struct prom_label labels[] = {
			{ "des", c->sets[i].des.name }, { "error", c->sets[i].des.last_error },
			{ NULL, NULL },
		};

		if (*c->sets[i].des.last_error)
			prom_sample(out, name, labels, 1);
	}
}

static void put_all(FILE *out, const struct collected *c)
{
	const struct prom_label version[] = { { "version", SSESETUP_VERSION }, { NULL, NULL } };

	prom_family(out, "dm_sse_ssesetup_info", "gauge", "Who wrote this. Always 1.");
	prom_sample(out, "dm_sse_ssesetup_info", version, 1);
	put_disk_info(out, c);
	put_layers(out, c);
	put_problems(out, c);
	put_states(out, c);
	put_size(out, c);
	put_numbers(out, c);
	put_caches(out, c);
	put_set_info(out, c);
	put_set_numbers(out, c);
	put_set_errors(out, c);
}

static int write_out(const char *file, const char *text, size_t size, struct reason *why)
{
	char path[PATH_MAX];

	if (!file) {
		fwrite(text, 1, size, stdout);
		return RC_OK;
	}
	blockdev_absolute(file, path, sizeof(path));
	return files_publish(path, text, size, why);
}

/* Whole or not at all, also where it goes into a pipe. */
static int put_out(const struct collected *c, const char *file, struct reason *why)
{
	char *text = NULL;
	size_t size = 0;
	bool failed;
	FILE *out;
	int rc;

	out = open_memstream(&text, &size);
	if (!out)
		return reason_nomem(why);
	put_all(out, c);
	failed = ferror(out);
	if (fclose(out) || failed)
		rc = reason_nomem(why);
	else
		rc = write_out(file, text, size, why);
	free(text);
	return rc;
}

int cmd_metrics(const struct options *o, int argc, char **argv)
{
	struct collected c = { 0 };
	struct reason why = { 0 };
	int rc;

	(void)argc;
	(void)argv;
	if (opt_given(o, OPT_TEST_ARGS))
		return RC_OK;
	rc = dm_ready();
	if (rc)
		return rc;
	rc = collect(&c, &why);
	if (!rc)
		rc = put_out(&c, opt_given(o, OPT_OUTPUT) ? o->str[OPT_OUTPUT] : NULL, &why);
	free(c.sets);
	monitor_free(c.disks, c.nr_disks);
	return rc ? reason_say(&why) : RC_OK;
}
