// SPDX-License-Identifier: GPL-2.0-only
/*
 * Metrics of open disks.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "metrics.h"

static const char * const states[] = { "active", "suspended", "no-key", "lapsing", "lapsed" };

/* A set of states has a sample for each, of which one is 1: none is, where it isn't known. */
static void put_states(FILE *out, const struct metrics *c)
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

static void put_disk_info(FILE *out, const struct metrics *c)
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

static void put_layers(FILE *out, const struct metrics *c)
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

static void put_problems(FILE *out, const struct metrics *c)
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

static void put_numbers(FILE *out, const struct metrics *c)
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

static void put_size(FILE *out, const struct metrics *c)
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

void metrics_put_disks(FILE *out, const struct metrics *c)
{
	put_disk_info(out, c);
	put_layers(out, c);
	put_problems(out, c);
	put_states(out, c);
	put_size(out, c);
	put_numbers(out, c);
}
