// SPDX-License-Identifier: GPL-2.0-only
/*
 * ssesetup list
 */
#include <inttypes.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cells.h"
#include "des.h"
#include "json_file.h"
#include "monitor.h"
#include "ssesetup.h"

enum column { NAME, STATE, SET, LAYERS, LEASE, KEY, READ, WRITTEN, ERRORS, DEVICE, NR_COLUMNS };

static const struct cells_column columns[NR_COLUMNS] = {
	[NAME]		= { .title = "NAME" },
	[STATE]		= { .title = "STATE" },
	[SET]		= { .title = "SET" },
	[LAYERS]	= { .title = "LAYERS", .right = true },
	[LEASE]		= { .title = "LEASE LEFT", .right = true },
	[KEY]		= { .title = "KEY VERSION" },
	[READ]		= { .title = "READ", .right = true },
	[WRITTEN]	= { .title = "WRITTEN", .right = true },
	[ERRORS]	= { .title = "ERRORS", .right = true },
	[DEVICE]	= { .title = "DEVICE" },
};

/* In powers of 1024, as lsblk has them; the metrics have every byte. */
static void format_bytes(uint64_t bytes, char *text, size_t size)
{
	static const char units[] = "BKMGTPE";
	double value = (double)bytes;
	size_t unit = 0;

	while (value >= 1024 && unit < sizeof(units) - 2) {
		value /= 1024;
		unit++;
	}
	snprintf(text, size, unit && value < 10 ? "%.1f%c" : "%.0f%c", value, units[unit]);
}

static bool put_bytes(struct cells *c, const struct monitor_disk *d, const char *word)
{
	char text[32] = "";
	uint64_t sectors;

	if (monitor_number(d, word, &sectors))
		format_bytes(sectors * SECTOR_SIZE, text, sizeof(text));
	return cells_add(c, text);
}

static bool put_errors(struct cells *c, const struct monitor_disk *d)
{
	uint64_t crypt, io;
	char text[32] = "";

	if (monitor_number(d, "crypt_errors", &crypt) && monitor_number(d, "io_errors", &io))
		snprintf(text, sizeof(text), "%" PRIu64, crypt + io);
	return cells_add(c, text);
}

static bool put_lease(struct cells *c, const struct monitor_disk *d)
{
	char text[32] = "";
	uint64_t seconds;

	if (monitor_number(d, "lease_seconds", &seconds))
		snprintf(text, sizeof(text), "%" PRIu64 "s", seconds);
	return cells_add(c, text);
}

/* Of the inner layer and the outer one. */
static bool put_versions(struct cells *c, const struct monitor_disk *d)
{
	const char *inner = monitor_key_version(d, 0), *outer = monitor_key_version(d, 1);
	char text[2 * KEK_VERSION_MAX + 2];

	if (d->table.nr_layers < 2 || (!*inner && !*outer))
		return cells_add(c, inner);
	snprintf(text, sizeof(text), "%s/%s", *inner ? inner : "-", *outer ? outer : "-");
	return cells_add(c, text);
}

/* In brackets, which the name of a set can't have. */
static const char *set_of(const struct monitor_disk *d)
{
	return d->temporary ? "(temporary)" : d->known.des;
}

static bool put_row(struct cells *c, const struct monitor_disk *d)
{
	char device[PATH_MAX], layers[16] = "";

	if (d->table.nr_layers)
		snprintf(layers, sizeof(layers), "%u", d->table.nr_layers);
	monitor_device(d, device, sizeof(device));
	return cells_add(c, d->name) && cells_add(c, *d->problem ? "?" : d->info.state) &&
	       cells_add(c, set_of(d)) && cells_add(c, layers) && put_lease(c, d) &&
	       put_versions(c, d) && put_bytes(c, d, "read_sectors") &&
	       put_bytes(c, d, "write_sectors") && put_errors(c, d) && cells_add(c, device);
}

static int print_table(const struct monitor_disk *list, size_t nr, struct reason *why)
{
	struct cells c;
	bool ok = true;
	size_t i;

	cells_init(&c, columns, NR_COLUMNS);
	for (i = 0; i < nr && ok; i++)
		ok = put_row(&c, &list[i]);
	if (ok)
		cells_print(&c);
	cells_free(&c);
	return ok ? RC_OK : reason_nomem(why);
}

static int print_json(const struct monitor_disk *list, size_t nr, struct reason *why)
{
	struct json_object *o = json_object_new_object(), *array = json_object_new_array(), *disk;
	bool complete = o && array && json_put_number(o, "version", MONITOR_JSON_VERSION);
	size_t i;

	for (i = 0; i < nr && complete; i++) {
		disk = monitor_json(&list[i]);
		complete = disk && !json_object_array_add(array, disk);
		if (!complete)
			json_object_put(disk);
	}
	if (complete && !json_object_object_add(o, "disks", array))
		array = NULL;
	else
		complete = false;
	json_object_put(array);
	return json_print(o, complete, why);
}

int cmd_list(const struct options *o, int argc, char **argv)
{
	struct monitor_disk *list = NULL;
	struct reason why = { 0 };
	size_t nr = 0;
	int rc;

	(void)argc;
	(void)argv;
	if (opt_given(o, OPT_TEST_ARGS))
		return RC_OK;
	rc = dm_ready();
	if (rc)
		return rc;
	rc = monitor_list(&list, &nr, &why);
	if (!rc && opt_given(o, OPT_JSON))
		rc = print_json(list, nr, &why);
	else if (!rc)
		rc = print_table(list, nr, &why);
	monitor_free(list, nr);
	return rc ? reason_say(&why) : RC_OK;
}
