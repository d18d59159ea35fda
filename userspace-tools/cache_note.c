// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "cache_note.h"
#include "json_file.h"

static bool get_bool(struct json_object *object, const char *name, bool *value)
{
	struct json_object *field;

	*value = false;
	if (!json_object_object_get_ex(object, name, &field))
		return true;
	*value = json_object_get_boolean(field);
	return json_object_is_type(field, json_type_boolean);
}

static bool put_bool(struct json_object *object, const char *name, bool value)
{
	struct json_object *field = json_object_new_boolean(value);

	if (field && !json_object_object_add(object, name, field))
		return true;
	json_object_put(field);
	return false;
}

static bool get_all(struct json_object *object, struct cache_note *note)
{
	char mode[32];

	if (!json_get_text(object, "device", note->device, sizeof(note->device)) ||
	    !json_get_text(object, "disk", note->disk, sizeof(note->disk)) ||
	    !json_get_text(object, "mode", mode, sizeof(mode)) ||
	    !json_get_text(object, "session", note->session, sizeof(note->session)) ||
	    !json_get_text(object, "previous", note->previous, sizeof(note->previous)) ||
	    !get_bool(object, "dirty", &note->dirty) ||
	    !get_bool(object, "restored", &note->restored))
		return false;
	note->mode = cache_mode_find(mode);
	return note->mode != CACHE_NO_MODE && *note->session;
}

int cache_note_parse(const char *json, struct cache_note *note, struct reason *why)
{
	struct json_object *object = json_parse_object(json, strlen(json));
	bool ok;

	memset(note, 0, sizeof(*note));
	ok = object && get_all(object, note);
	json_object_put(object);
	if (ok)
		return RC_OK;
	return reason_set(why, RC_PARAM, "The header's note of a cache is damaged.");
}

char *cache_note_format(const struct cache_note *note, const char *old)
{
	struct json_object *object = old ? json_parse_object(old, strlen(old)) : NULL;
	char *text = NULL;

	if (!object)
		object = json_object_new_object();
	if (object && json_put_text(object, "device", note->device) &&
	    json_put_text(object, "disk", note->disk) &&
	    json_put_text(object, "mode", cache_mode_name(note->mode)) &&
	    json_put_text(object, "session", note->session) &&
	    json_put_text(object, "previous", note->previous) &&
	    put_bool(object, "dirty", note->dirty)) {
		json_object_object_del(object, "restored");
		if (!note->restored || put_bool(object, "restored", true))
			text = strdup(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN));
	}
	json_object_put(object);
	return text;
}

bool cache_note_fits(const struct cache_note *note, const struct cache_label *label)
{
	if (strcmp(label->session, note->session) &&
	    (!*note->previous || strcmp(label->session, note->previous)))
		return false;
	/* Of what was written past a clean cache an older header knows nothing. */
	return label->dirty || !note->restored;
}
