// SPDX-License-Identifier: GPL-2.0-only
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "meta_settle.h"

/* Segments that only tell how it was, how it will be, and what was moved. */
#define BACKUP		"backup-"
#define IN_REENCRYPTION	"in-reencryption"

static bool has_flag(struct json_object *segment, const char *prefix)
{
	struct json_object *list, *item;
	size_t i;

	if (!json_object_object_get_ex(segment, "flags", &list) ||
	    !json_object_is_type(list, json_type_array))
		return false;
	for (i = 0; i < json_object_array_length(list); i++) {
		item = json_object_array_get_idx(list, i);
		if (json_object_is_type(item, json_type_string) &&
		    !strncmp(json_object_get_string(item), prefix, strlen(prefix)))
			return true;
	}
	return false;
}

static bool is_type(struct json_object *object, const char *type)
{
	struct json_object *value;

	return json_object_object_get_ex(object, "type", &value) &&
	       json_object_is_type(value, json_type_string) &&
	       !strcmp(json_object_get_string(value), type);
}

static struct json_object *objects(struct json_object *root, const char *name)
{
	struct json_object *found;

	if (!json_object_object_get_ex(root, name, &found) ||
	    !json_object_is_type(found, json_type_object))
		return NULL;
	return found;
}

bool meta_settle_all(const char *json, const char *type)
{
	struct json_object *root = json_tokener_parse(json);
	struct json_object *segments = objects(root, "segments");
	unsigned int live = 0, right = 0;

	if (segments) {
		json_object_object_foreach(segments, number, segment) {
			(void)number;
			if (has_flag(segment, BACKUP))
				continue;
			live++;
			right += is_type(segment, type) && !has_flag(segment, IN_REENCRYPTION);
		}
	}
	json_object_put(root);
	return live == 1 && right == 1;
}

/* The numbers in a list of a digest whose objects are there. */
static struct json_object *only_present(struct json_object *list, struct json_object *in)
{
	struct json_object *kept = json_object_new_array(), *item;
	size_t i;

	for (i = 0; kept && i < json_object_array_length(list); i++) {
		item = json_object_array_get_idx(list, i);
		if (json_object_object_get_ex(in, json_object_get_string(item), NULL))
			json_object_array_add(kept, json_object_get(item));
	}
	return kept;
}

static bool prune(struct json_object *digest, const char *name, struct json_object *in, bool *empty)
{
	struct json_object *list, *kept;

	if (!json_object_object_get_ex(digest, name, &list) ||
	    !json_object_is_type(list, json_type_array))
		return false;
	kept = only_present(list, in);
	if (!kept)
		return false;
	*empty = !json_object_array_length(kept);
	return !json_object_object_add(digest, name, kept);
}

/* json-c lets the current one be deleted while it goes through them. */
static bool remove_notes(struct json_object *root)
{
	struct json_object *segments = objects(root, "segments"), *keyslots = objects(root, "keyslots");
	struct json_object *digests = objects(root, "digests"), *config = objects(root, "config");
	bool no_keyslots, no_segments, right = true;

	if (!segments || !keyslots || !digests || !config)
		return false;
	json_object_object_foreach(segments, segment_number, segment)
		if (has_flag(segment, BACKUP))
			json_object_object_del(segments, segment_number);
	json_object_object_foreach(keyslots, keyslot_number, keyslot)
		if (is_type(keyslot, "reencrypt"))
			json_object_object_del(keyslots, keyslot_number);
	json_object_object_foreach(digests, digest_number, digest) {
		right = right && prune(digest, "keyslots", keyslots, &no_keyslots) &&
			prune(digest, "segments", segments, &no_segments);
		if (right && no_keyslots && no_segments)
			json_object_object_del(digests, digest_number);
	}
	json_object_object_del(config, "requirements");
	return right;
}

char *meta_settle_json(const char *json)
{
	struct json_object *root = json_tokener_parse(json);
	const char *text;
	char *settled = NULL;

	if (root && remove_notes(root)) {
		text = json_object_to_json_string_ext(root, JSON_C_TO_STRING_PLAIN |
						      JSON_C_TO_STRING_NOSLASHESCAPE);
		settled = text ? strdup(text) : NULL;
	}
	json_object_put(root);
	return settled;
}
