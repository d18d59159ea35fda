// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "files.h"
#include "json_file.h"

struct json_object *json_parse_object(const char *text, size_t size)
{
	struct json_tokener *tokener = json_tokener_new_ex(8);
	struct json_object *object = NULL;

	if (!tokener || size > JSON_FILE_MAX)
		goto out;
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	/* With the final NUL: a number could go on after what was given. */
	object = json_tokener_parse_ex(tokener, text, (int)size + 1);
	if (json_tokener_get_error(tokener) != json_tokener_success ||
	    !json_object_is_type(object, json_type_object)) {
		json_object_put(object);
		object = NULL;
	}
out:
	if (tokener)
		json_tokener_free(tokener);
	return object;
}

int json_read_file(const char *path, struct json_object **object, bool *missing,
		   struct reason *why)
{
	size_t size, end;
	char *text;
	int rc;

	*object = NULL;
	rc = files_read(path, FILES_ROOTS, JSON_FILE_MAX - 1, &text, &size, missing, why);
	if (rc)
		return rc;
	for (end = size; end && strchr(" \t\r\n", text[end - 1]); end--)
		text[end - 1] = '\0';
	if (strlen(text) == end)
		*object = json_parse_object(text, end);
	free(text);
	if (!*object)
		return reason_set(why, RC_PARAM, "%s is damaged: it isn't a JSON object.", path);
	return RC_OK;
}

int json_write_file(const char *path, struct json_object *object, struct reason *why)
{
	const char *text = json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY |
							  JSON_C_TO_STRING_SPACED |
							  JSON_C_TO_STRING_NOSLASHESCAPE);
	char *line;
	int rc;

	if (!text || asprintf(&line, "%s\n", text) < 0)
		return reason_nomem(why);
	rc = files_write(path, line, strlen(line), false, why);
	free(line);
	return rc;
}

bool json_get_text(struct json_object *object, const char *name, char *text, size_t size)
{
	struct json_object *field;
	size_t len;

	*text = '\0';
	if (!json_object_object_get_ex(object, name, &field))
		return true;
	if (!json_object_is_type(field, json_type_string))
		return false;
	len = (size_t)json_object_get_string_len(field);
	if (len >= size || strlen(json_object_get_string(field)) != len)
		return false;
	memcpy(text, json_object_get_string(field), len + 1);
	return true;
}

bool json_get_time(struct json_object *object, const char *name, time_t *when)
{
	char text[FILES_TIME_SIZE];

	*when = 0;
	return json_get_text(object, name, text, sizeof(text)) && files_parse_time(text, when);
}

static bool put(struct json_object *object, const char *name, struct json_object *field)
{
	if (field && !json_object_object_add(object, name, field))
		return true;
	json_object_put(field);
	return false;
}

bool json_put_text(struct json_object *object, const char *name, const char *text)
{
	if (*text)
		return put(object, name, json_object_new_string(text));
	json_object_object_del(object, name);
	return true;
}

bool json_put_time(struct json_object *object, const char *name, time_t when)
{
	char text[FILES_TIME_SIZE];

	files_format_time(when, text, sizeof(text));
	return json_put_text(object, name, text);
}

bool json_put_number(struct json_object *object, const char *name, int64_t number)
{
	return put(object, name, json_object_new_int64(number));
}

int json_print(struct json_object *object, bool complete, struct reason *why)
{
	const char *text = NULL;

	if (object && complete)
		text = json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY |
						      JSON_C_TO_STRING_SPACED |
						      JSON_C_TO_STRING_NOSLASHESCAPE);
	if (text)
		printf("%s\n", text);
	json_object_put(object);
	return text ? RC_OK : reason_nomem(why);
}
