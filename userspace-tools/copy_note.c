// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "copy_note.h"
#include "json_file.h"
#include "number.h"

/* As LUKS2 has them: numbers of 64 bits are text. */
static bool get_number(struct json_object *object, const char *name, uint64_t *number)
{
	char text[24];

	return json_get_text(object, name, text, sizeof(text)) &&
	       number_parse(text, UINT64_MAX, number);
}

static bool put_number(struct json_object *object, const char *name, uint64_t number)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, number);
	return json_put_text(object, name, text);
}

/* How far it is, is only there once there is something to go on with. */
static bool get_all(struct json_object *object, struct copy_note *note)
{
	if (!json_get_text(object, "source", note->source, sizeof(note->source)) ||
	    !json_get_text(object, "source-uuid", note->uuid, sizeof(note->uuid)) ||
	    !get_number(object, "size", &note->size))
		return false;
	note->formatted = json_object_object_get_ex(object, "copied", NULL);
	return !note->formatted ||
	       (get_number(object, "copied", &note->copied) && note->copied <= note->size);
}

int copy_note_parse(const char *json, struct copy_note *note, struct reason *why)
{
	struct json_object *object = json_parse_object(json, strlen(json));
	bool ok;

	memset(note, 0, sizeof(*note));
	ok = object && get_all(object, note);
	json_object_put(object);
	if (ok)
		return RC_OK;
	return reason_set(why, RC_PARAM, "The header's note of a copy that is under way is damaged.");
}

char *copy_note_format(const struct copy_note *note)
{
	struct json_object *object = json_object_new_object();
	char *text = NULL;

	if (object && json_put_text(object, "source", note->source) &&
	    json_put_text(object, "source-uuid", note->uuid) &&
	    put_number(object, "size", note->size) &&
	    (!note->formatted || put_number(object, "copied", note->copied)))
		text = strdup(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN));
	json_object_put(object);
	return text;
}

bool copy_note_same_source(const struct copy_note *a, const struct copy_note *b)
{
	if (a->size != b->size || strcmp(a->uuid, b->uuid))
		return false;
	/* A disk may have another name after the next boot, but keeps its UUID. */
	return *a->uuid || !strcmp(a->source, b->source);
}
