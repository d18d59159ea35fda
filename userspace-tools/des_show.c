// SPDX-License-Identifier: GPL-2.0-only
/*
 * Text and JSON that the commands which show disk encryption sets have in common.
 */
#include "des_show.h"
#include "json_file.h"

const char *des_show_text(const char *text)
{
	return *text ? text : "-";
}

bool des_show_put(struct json_object *to, const char *name, struct json_object *object)
{
	if (object && !json_object_object_add(to, name, object))
		return true;
	json_object_put(object);
	return false;
}

bool des_show_append(struct json_object *array, struct json_object *object, bool complete)
{
	if (object && complete && !json_object_array_add(array, object))
		return true;
	json_object_put(object);
	return false;
}

bool des_show_put_bool(struct json_object *object, const char *name, bool value)
{
	return des_show_put(object, name, json_object_new_boolean(value));
}

struct json_object *des_show_key(const struct des_use_key *key)
{
	struct json_object *o = json_object_new_object();

	if (o && json_put_text(o, "uri", key->uri) && json_put_text(o, "version", key->version) &&
	    json_put_text(o, "fingerprint", key->fingerprint))
		return o;
	json_object_put(o);
	return NULL;
}
