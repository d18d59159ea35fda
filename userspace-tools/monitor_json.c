// SPDX-License-Identifier: GPL-2.0-only
#include <json-c/json.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "blockdev.h"
#include "monitor.h"
#include "utf8.h"

/*
 * Every field is always there, null if it isn't known or has no meaning, so that
 * whoever reads need not tell what is missing from what is misspelt.
 */

static bool put(struct json_object *to, const char *name, struct json_object *object)
{
	if (object && !json_object_object_add(to, name, object))
		return true;
	json_object_put(object);
	return false;
}

static bool put_null(struct json_object *to, const char *name)
{
	return !json_object_object_add(to, name, NULL);
}

/* JSON is UTF-8; names and paths are bytes. */
static struct json_object *new_text(const char *text)
{
	char clean[3 * PATH_MAX];

	utf8_clean(text, clean, sizeof(clean));
	return json_object_new_string(clean);
}

static bool put_text(struct json_object *to, const char *name, const char *text)
{
	return text && *text ? put(to, name, new_text(text)) : put_null(to, name);
}

static bool put_bool(struct json_object *to, const char *name, bool value)
{
	return put(to, name, json_object_new_boolean(value));
}

static bool put_number(struct json_object *to, const char *name, uint64_t number)
{
	return put(to, name, json_object_new_uint64(number));
}

/* The number of a word, or null. */
static bool put_word(struct json_object *to, const char *name, const struct monitor_disk *d,
		     const char *word)
{
	uint64_t number;

	if (monitor_number(d, word, &number))
		return put_number(to, name, number);
	return put_null(to, name);
}

static bool put_device(struct json_object *to, const struct monitor_disk *d)
{
	char device[PATH_MAX], number[32], file[PATH_MAX] = "";
	const char *below = d->table.device;
	unsigned int major, minor;

	monitor_device(d, device, sizeof(device));
	if (monitor_below(d, &major, &minor)) {
		snprintf(number, sizeof(number), "%u:%u", major, minor);
		below = number;
		blockdev_loop_file(major, minor, file, sizeof(file));
	}
	return put_text(to, "device", device) && put_text(to, "device-number", below) &&
	       put_text(to, "loop-file", file) && put_text(to, "header", d->known.header);
}

/* A cache that has failed counts nothing any more, and not every kernel counts hits. */
static bool put_cache_numbers(struct json_object *o, const struct monitor_disk *d)
{
	const struct cache_status *s = &d->cache_status;
	const struct {
		const char *name;
		uint64_t number;
		bool known;
	} numbers[] = {
		{ "blocks", s->blocks, true },
		{ "used-blocks", s->used, true },
		{ "dirty-blocks", s->dirty, true },
		{ "read-hits", s->read_hits, s->has_hits },
		{ "read-misses", s->read_misses, s->has_hits },
		{ "write-hits", s->write_hits, s->has_hits },
		{ "write-misses", s->write_misses, s->has_hits },
	};
	bool ok = true;
	size_t i;

	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]) && ok; i++)
		ok = d->cache_understood && !s->failed && numbers[i].known ?
			put_number(o, numbers[i].name, numbers[i].number) :
			put_null(o, numbers[i].name);
	return ok;
}

static bool put_cache(struct json_object *to, const struct monitor_disk *d)
{
	struct json_object *o;
	char device[PATH_MAX];

	if (!d->cached)
		return put_null(to, "cache");
	blockdev_name(d->cache.cache_major, d->cache.cache_minor, device, sizeof(device));
	o = json_object_new_object();
	if (o && put_text(o, "device", device) &&
	    put_text(o, "mode", cache_mode_name(d->cache.mode)) &&
	    (d->cache_understood ? put_bool(o, "failed", d->cache_status.failed) :
				   put_null(o, "failed")) &&
	    put_number(o, "block-bytes", (uint64_t)d->cache.block * SECTOR_SIZE) &&
	    put_cache_numbers(o, d))
		return put(to, "cache", o);
	json_object_put(o);
	return false;
}

/* The table's words but "key_lease MODE", which has a field of its own. */
static struct json_object *flags_json(const struct monitor_disk *d)
{
	struct json_object *array = json_object_new_array(), *word;
	char *flags = d->table.device ? table_flag_words(&d->table) : NULL;
	bool complete = array && (flags || !d->table.device);
	char *save = NULL, *p;

	for (p = flags ? strtok_r(flags, " ", &save) : NULL; p && complete;
	     p = strtok_r(NULL, " ", &save)) {
		if (!strcmp(p, "key_lease")) {
			strtok_r(NULL, " ", &save);
			continue;
		}
		word = new_text(p);
		complete = word && !json_object_array_add(array, word);
		if (!complete)
			json_object_put(word);
	}
	free(flags);
	if (complete)
		return array;
	json_object_put(array);
	return NULL;
}

/* "keyed" or "no-key", and who does the work, as the target says. */
static bool put_layer_status(struct json_object *o, const struct monitor_disk *d, unsigned int i)
{
	char driver[32];
	const char *key = info_word(&d->info, layer_name(i));

	snprintf(driver, sizeof(driver), "%s_driver", layer_name(i));
	return (key ? put_bool(o, "keyed", !strcmp(key, "keyed")) : put_null(o, "keyed")) &&
	       put_text(o, "driver", info_word(&d->info, driver));
}

static struct json_object *layer_json(const struct monitor_disk *d, unsigned int i)
{
	const struct sse_layer *layer = &d->table.layer[i];
	struct json_object *o = json_object_new_object();
	char key[KEY_TYPE_MAX + KEY_DESC_MAX + 2] = "";

	/* By the name that a temporary disk's had there is no key any more. */
	if (layer->key.type[0] && !d->temporary)
		snprintf(key, sizeof(key), "%s:%s", layer->key.type, layer->key.desc);
	if (o && put_text(o, "layer", layer_name(i)) && put_text(o, "cipher", layer->cipher) &&
	    put_number(o, "key-bits", (uint64_t)layer->key.bytes * 8) && put_text(o, "key", key) &&
	    put_text(o, "key-version", monitor_key_version(d, i)) &&
	    put_number(o, "iv-offset-sectors", layer->iv_offset) && put_layer_status(o, d, i))
		return o;
	json_object_put(o);
	return NULL;
}

static struct json_object *layers_json(const struct monitor_disk *d)
{
	struct json_object *array = json_object_new_array(), *layer;
	bool complete = array;
	unsigned int i;

	for (i = 0; i < d->table.nr_layers && complete; i++) {
		layer = layer_json(d, i);
		complete = layer && !json_object_array_add(array, layer);
		if (!complete)
			json_object_put(layer);
	}
	if (complete)
		return array;
	json_object_put(array);
	return NULL;
}

/* Numbers of the status that have fields of their own, or are none to be added up. */
static bool is_counter(const char *word)
{
	return strcmp(word, "layers") && strcmp(word, "lease_seconds") && strcmp(word, "held_bios");
}

/* All that the target counts, also what a later one does. */
static struct json_object *counters_json(const struct monitor_disk *d)
{
	struct json_object *o = json_object_new_object();
	bool complete = o;
	char name[64], *p;
	uint64_t number;
	unsigned int i;

	for (i = 0; i < d->info.nr && complete; i++) {
		if (!is_counter(d->info.word[i].name) ||
		    !monitor_number(d, d->info.word[i].name, &number))
			continue;
		snprintf(name, sizeof(name), "%s", d->info.word[i].name);
		for (p = name; *p; p++)
			if (*p == '_')
				*p = '-';
		complete = put_number(o, name, number);
	}
	if (complete)
		return o;
	json_object_put(o);
	return NULL;
}

static bool put_identity(struct json_object *o, const struct monitor_disk *d)
{
	char type[16];

	monitor_type(d, type, sizeof(type));
	return put_text(o, "name", d->name) && put_text(o, "type", type) &&
	       put_text(o, "mapping-uuid", d->uuid) && put_text(o, "uuid", d->known.uuid) &&
	       put_text(o, "des", d->known.des) && put_text(o, "des-id", d->known.des_id) &&
	       (*d->known.des ? put_bool(o, "clone", d->known.clone) : put_null(o, "clone")) &&
	       put_bool(o, "temporary", d->temporary);
}

static bool put_geometry(struct json_object *o, const struct monitor_disk *d)
{
	bool known = d->table.device;

	return put_number(o, "size-bytes", d->size * SECTOR_SIZE) &&
	       (known ? put_number(o, "sector-size", d->table.sector_size) :
			put_null(o, "sector-size")) &&
	       (known ? put_number(o, "offset-sectors",
				   d->table.start + (d->cached ? d->cache.disk_start : 0)) :
			put_null(o, "offset-sectors")) &&
	       put_bool(o, "read-only", d->readonly) && put(o, "flags", flags_json(d));
}

static bool put_state(struct json_object *o, const struct monitor_disk *d)
{
	return put_text(o, "state", d->info.state) && put_bool(o, "suspended", d->suspended) &&
	       put_bool(o, "in-use", d->in_use) &&
	       put_bool(o, "close-deferred", d->deferred_remove) &&
	       put_text(o, "on-lapse", info_word(&d->info, "key_lease")) &&
	       put_word(o, "lease-seconds", d, "lease_seconds") &&
	       put_text(o, "lapse-reason", info_word(&d->info, "lapse_reason")) &&
	       put_word(o, "held-bios", d, "held_bios");
}

struct json_object *monitor_json(const struct monitor_disk *d)
{
	struct json_object *o = json_object_new_object();

	if (o && put_identity(o, d) && put_device(o, d) && put_cache(o, d) &&
	    put_geometry(o, d) && put_state(o, d) && put(o, "layers", layers_json(d)) && put(o, "counters", counters_json(d)) &&
	    put_text(o, "problem", d->problem))
		return o;
	json_object_put(o);
	return NULL;
}
