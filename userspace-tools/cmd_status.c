// SPDX-License-Identifier: GPL-2.0-only
/*
 * ssesetup status [--json] NAME
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "blockdev.h"
#include "cache_stack.h"
#include "diag.h"
#include "dm.h"
#include "info.h"
#include "json_file.h"
#include "keyring.h"
#include "lease.h"
#include "monitor.h"
#include "opened.h"
#include "ssesetup.h"
#include "table.h"
#include "temp.h"

static void print_type(const char *uuid)
{
	size_t prefix = strlen(DMSSE_UUID_PREFIX);
	size_t len;

	if (strncmp(uuid, DMSSE_UUID_PREFIX, prefix)) {
		printf("  type:    n/a (not opened by ssesetup)\n");
		return;
	}
	len = strcspn(uuid + prefix, "-");
	printf("  type:    %.*s\n", (int)len, uuid + prefix);
}

/* resize and resume will need it; its state now says whether they would work. */
static void print_key(const char *prefix, const struct keyref *key)
{
	struct key_info info;
	int err;

	if (!key->type[0]) {
		printf("  %skeysize: 0 bits\n", prefix);
		return;
	}
	printf("  %skeysize: %u bits\n", prefix, key->bytes * 8);
	printf("  %skey location: keyring\n", prefix);
	printf("  %skey description: %s:%s\n", prefix, key->type, key->desc);
	err = keyring_probe(key, &info);
	if (!err)
		printf("  %skey in keyring: yes (%d, expires: %s)\n", prefix, info.serial, info.expires);
	else
		printf("  %skey in keyring: %s\n", prefix, err == EKEYREVOKED ? "revoked" :
		       err == EKEYEXPIRED ? "expired" : "no");
}

/* The inner layer's lines are those of a mapping with one. */
static void print_layer(const struct sse_table *t, unsigned int index, bool temporary)
{
	const struct sse_layer *layer = &t->layer[index];
	char prefix[16] = "";

	if (index)
		snprintf(prefix, sizeof(prefix), "%s ", layer_name(index));
	printf("  %scipher:  %s\n", prefix, layer->cipher);
	if (temporary)
		printf("  %skeysize: %u bits\n  %skey location: kernel\n", prefix, layer->key.bytes * 8,
		       prefix);
	else
		print_key(prefix, &layer->key);
	if (layer->iv_offset)
		printf("  %sskipped: %" PRIu64 " sectors\n", prefix, layer->iv_offset);
}

static void print_cache(const struct cache_stack *s)
{
	struct cache_status status;
	struct reason why = { 0 };
	char name[PATH_MAX];

	blockdev_name(s->cache_major, s->cache_minor, name, sizeof(name));
	printf("  cache:   %s\n", name);
	printf("  cache mode:   %s\n", cache_mode_name(s->mode));
	if (cache_stack_status(s, &status, &why)) {
		reason_say(&why);
		return;
	}
	if (status.failed) {
		printf("  cache state:  failed\n");
		return;
	}
	printf("  cache block:  %u bytes\n", s->block * SECTOR_SIZE);
	printf("  cache used:   %" PRIu64 " of %" PRIu64 " blocks\n", status.used, status.blocks);
	printf("  cache dirty:  %" PRIu64 " blocks\n", status.dirty);
	if (!status.has_hits)
		return;
	printf("  cache reads:  %" PRIu64 " hits, %" PRIu64 " misses\n", status.read_hits,
	       status.read_misses);
	printf("  cache writes: %" PRIu64 " hits, %" PRIu64 " misses\n", status.write_hits,
	       status.write_misses);
}

/* *@start: where the data begin on the device that it names. */
static void print_device(const struct sse_table *t, uint64_t *start)
{
	char name[PATH_MAX], file[PATH_MAX];
	unsigned int major, minor;
	struct cache_stack cache;

	*start = t->start;
	if (sscanf(t->device, "%u:%u", &major, &minor) != 2) {
		printf("  device:  %s\n", t->device);
		return;
	}
	if (cache_stack_find(major, minor, &cache)) {
		print_cache(&cache);
		major = cache.disk_major;
		minor = cache.disk_minor;
		*start += cache.disk_start;
	}
	blockdev_name(major, minor, name, sizeof(name));
	printf("  device:  %s\n", name);
	blockdev_loop_file(major, minor, file, sizeof(file));
	if (*file)
		printf("  loop:    %s\n", file);
}

/* Every word of the target, also those of later versions. */
static void print_info(const struct sse_info *info)
{
	unsigned int i;
	const char *p;

	printf("  state:   %s\n", info->state);
	for (i = 0; i < info->nr; i++) {
		printf("  ");
		for (p = info->word[i].name; *p; p++)
			putchar(*p == '_' ? ' ' : *p);
		printf(": %s\n", *info->word[i].value ? info->word[i].value : "yes");
	}
}

/* Which set a disk belongs to is not the kernel's to know. */
static void print_set(const char *name, const struct dm_mapping *m)
{
	struct known_disk known;
	struct reason why;

	if (!lease_is_ours(m) || opened_find(name, m, &known, &why))
		return;
	printf("  disk encryption set: %s\n", known.des);
	printf("  uuid:    %s\n", known.uuid);
	if (known.clone)
		printf("  clone:   yes\n");
	if (*known.header)
		printf("  header:  %s\n", known.header);
}

static int print_mapping(const char *name, const struct dm_mapping *m)
{
	struct sse_table t;
	struct sse_info info;
	uint64_t start;
	unsigned int i;
	char *flags;
	int rc;

	print_type(m->uuid);
	print_set(name, m);
	if (temp_is(m))
		printf("  temporary: yes (the key is in the kernel alone, and gone with the mapping)\n");
	rc = table_parse(m->table, &t);
	if (rc)
		return rc;
	rc = info_parse(m->info, &info);
	if (rc)
		goto free_table;
	flags = table_flag_words(&t);
	if (!flags) {
		rc = diag_nomem();
		goto free_info;
	}
	for (i = 0; i < t.nr_layers; i++)
		print_layer(&t, i, temp_is(m));
	print_device(&t, &start);
	printf("  sector size:  %u\n", t.sector_size);
	printf("  offset:  %" PRIu64 " sectors\n", start);
	printf("  size:    %" PRIu64 " sectors\n", m->size);
	printf("  mode:    %s%s\n", m->readonly ? "readonly" : "read/write",
	       m->suspended ? " (suspended)" : "");
	if (*flags)
		printf("  flags:   %s\n", flags);
	print_info(&info);
	free(flags);
free_info:
	info_free(&info);
free_table:
	table_free(&t);
	return rc;
}

static bool add_fields(struct json_object *o, struct json_object *from)
{
	json_object_object_foreach(from, field, value) {
		if (json_object_object_add(o, field, json_object_get(value))) {
			json_object_put(value);
			return false;
		}
	}
	return true;
}

/* "version" is first, and a mapping that isn't there has nothing but these three. */
static int print_json(const char *name, const struct dm_mapping *m)
{
	struct json_object *o = json_object_new_object(), *disk = NULL;
	struct reason why = { 0 };
	struct monitor_disk d;
	bool complete;

	complete = o && json_put_number(o, "version", MONITOR_JSON_VERSION) &&
		   json_put_text(o, "name", name) &&
		   !json_object_object_add(o, "active", json_object_new_boolean(m != NULL));
	if (m) {
		monitor_read(name, m, &d);
		disk = monitor_json(&d);
		complete = complete && disk && add_fields(o, disk);
		json_object_put(disk);
		monitor_release(&d);
	}
	return json_print(o, complete, &why) ? reason_say(&why) : RC_OK;
}

int cmd_status(const struct options *o, int argc, char **argv)
{
	struct dm_mapping m;
	const char *name;
	int rc, err;

	(void)argc;
	name = dm_name(argv[0]);
	if (!name)
		return RC_PARAM;
	if (opt_given(o, OPT_TEST_ARGS))
		return RC_OK;
	rc = dm_ready();
	if (rc)
		return rc;
	err = dm_query(name, &m);
	if (err)
		return diag_kernel_refusal("Looking at the mapping", err, NULL);
	if (!m.exists) {
		if (!opt_given(o, OPT_JSON))
			printf("%s/%s is inactive.\n", dm_dev_dir(), name);
		else if (print_json(name, NULL))
			return RC_NOMEM;
		return RC_DEVICE;
	}
	dm_mapping_free(&m);
	rc = dm_find(name, &m);
	if (rc)
		return rc;
	if (opt_given(o, OPT_JSON)) {
		rc = print_json(name, &m);
		goto out;
	}
	printf("%s/%s is active%s.\n", dm_dev_dir(), name, m.in_use ? " and is in use" : "");
	if (m.deferred_remove)
		printf("  It will be closed when its last user closes it.\n");
	rc = print_mapping(name, &m);
out:
	dm_mapping_free(&m);
	return rc;
}
