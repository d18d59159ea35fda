// SPDX-License-Identifier: GPL-2.0-only
/*
 * ssesetup des where-used
 */
#include <stdio.h>

#include "des_show.h"
#include "des_usage.h"
#include "json_file.h"
#include "ssesetup.h"

static void print_use(const struct des_use *use)
{
	size_t i;

	printf("%s%s%s\n", use->known.device, use->known.clone ? "  (clone)" : "",
	       use->missing ? "  (missing)" : "");
	if (*use->known.header)
		printf("  %-10s %s\n", "header:", use->known.header);
	printf("  %-10s %s\n", "uuid:", des_show_text(use->known.uuid));
	for (i = 0; i < use->nr_names; i++)
		printf("  %-10s %s\n", i ? "" : "open as:", use->names[i]);
	for (i = 0; i < use->nr_keys; i++)
		printf("  %-10s version %s of %s%s%s\n", i ? "" : "key:", use->keys[i].version,
		       use->keys[i].uri, use->keys[i].layer == TOKEN_SINGLE ? "" : ", layer ",
		       use->keys[i].layer == TOKEN_SINGLE ? "" :
		       token_layer_name(use->keys[i].layer));
	if (*use->problem && !use->missing)
		printf("  %-10s %s\n", "problem:", use->problem);
}

static struct json_object *keys_json(const struct des_use *use)
{
	struct json_object *array = json_object_new_array(), *o;
	bool complete = array;
	size_t i;

	for (i = 0; i < use->nr_keys && complete; i++) {
		o = des_show_key(&use->keys[i]);
		complete = des_show_append(array, o, o && json_put_text(o, "layer",
						token_layer_name(use->keys[i].layer)));
	}
	if (complete)
		return array;
	json_object_put(array);
	return NULL;
}

static struct json_object *names_json(const struct des_use *use)
{
	struct json_object *array = json_object_new_array();
	bool complete = array;
	size_t i;

	for (i = 0; i < use->nr_names && complete; i++)
		complete = des_show_append(array, json_object_new_string(use->names[i]), true);
	if (complete)
		return array;
	json_object_put(array);
	return NULL;
}

static struct json_object *use_json(const struct des_use *use)
{
	const struct known_disk *known = &use->known;
	struct json_object *o = json_object_new_object();

	if (o && json_put_text(o, "device", known->device) &&
	    json_put_text(o, "header", known->header) && json_put_text(o, "uuid", known->uuid) &&
	    des_show_put_bool(o, "clone", known->clone) &&
	    json_put_text(o, "mapping", use->nr_names ? use->names[0] : "") &&
	    des_show_put(o, "mappings", names_json(use)) &&
	    des_show_put_bool(o, "missing", use->missing) &&
	    des_show_put(o, "keys", keys_json(use)) &&
	    json_put_text(o, "problem", use->problem))
		return o;
	json_object_put(o);
	return NULL;
}

static int print_uses(const struct options *o, const struct des_use *use, size_t nr,
		      struct reason *why)
{
	struct json_object *array;
	bool complete;
	size_t i;

	if (!opt_given(o, OPT_JSON)) {
		for (i = 0; i < nr; i++)
			print_use(&use[i]);
		return RC_OK;
	}
	array = json_object_new_array();
	complete = array;
	for (i = 0; i < nr && complete; i++)
		complete = des_show_append(array, use_json(&use[i]), true);
	return json_print(array, complete, why);
}

int cmd_des_where_used(const struct options *o, int argc, char **argv)
{
	struct reason why = { 0 };
	struct des_use *use = NULL;
	size_t nr = 0;
	struct des des;
	int rc;

	(void)argc;
	if (opt_given(o, OPT_TEST_ARGS))
		return RC_OK;
	rc = des_load(argv[0], &des, &why);
	if (!rc)
		rc = des_usage_read(&des, &use, &nr, &why);
	if (!rc)
		rc = print_uses(o, use, nr, &why);
	des_usage_free(use, nr);
	return rc ? reason_say(&why) : RC_OK;
}
