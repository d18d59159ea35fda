// SPDX-License-Identifier: GPL-2.0-only
/*
 * The token as text: writing it.
 */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base64.h"
#include "token.h"

/* Owns @value. */
static bool add(struct json_object *object, const char *name, struct json_object *value)
{
	if (value && !json_object_object_add(object, name, value))
		return true;
	json_object_put(value);
	return false;
}

static bool add_text(struct json_object *object, const char *name, const char *text)
{
	return add(object, name, json_object_new_string(text));
}

static bool add_bytes(struct json_object *object, const char *name, const unsigned char *bytes,
		      size_t size)
{
	char text[BASE64_TEXT_SIZE(KEK_WRAPPED_MAX)];

	base64_encode(bytes, size, text);
	return add_text(object, name, text);
}

static bool add_keyslot(struct json_object *object, int keyslot)
{
	struct json_object *array = json_object_new_array_ext(1);
	struct json_object *number;
	char text[16];

	if (!array || keyslot < 0)
		return add(object, "keyslots", array);
	snprintf(text, sizeof(text), "%d", keyslot);
	number = json_object_new_string(text);
	if (!number || json_object_array_add(array, number)) {
		json_object_put(number);
		json_object_put(array);
		return false;
	}
	return add(object, "keyslots", array);
}

static bool add_keyslots(struct json_object *object, const struct token *t)
{
	return add_keyslot(object, t->keyslot) &&
	       (t->pending_keyslot < 0 ||
		add(object, "pending-keyslot", json_object_new_int(t->pending_keyslot)));
}

static bool add_set(struct json_object *object, const struct token *t)
{
	return add_text(object, "layer", token_layer_name(t->layer)) &&
	       add_text(object, "des", t->des) &&
	       add_text(object, "des-id", t->des_id) &&
	       (!*t->owner || add_text(object, "owner", t->owner)) &&
	       add(object, "customer", json_object_new_boolean(t->customer));
}

/* The fields of @from but @except are shared with it. */
static bool add_unknown(struct json_object *object, struct json_object *from, const char *except)
{
	json_object_object_foreach(from, name, value)
		if (strcmp(name, except) && !add(object, name, json_object_get(value)))
			return false;
	return true;
}

static bool add_kek(struct json_object *object, const struct token *t)
{
	struct json_object *kek = json_object_new_object();
	struct json_object *unknown;

	if (!add(object, "kek", kek) ||
	    !add_text(kek, "uri", t->kek_uri) ||
	    !add_text(kek, "version", t->kek_version) ||
	    !add_text(kek, "fingerprint", t->kek_fingerprint))
		return false;
	return !json_object_object_get_ex(t->unknown, "kek", &unknown) ||
	       add_unknown(kek, unknown, "");
}

static bool add_wrapped(struct json_object *object, const struct token *t)
{
	return add_text(object, "wrapping", kek_wrapping_name(t->wrapping)) &&
	       add_bytes(object, "wrapped", t->wrapped, t->wrapped_size) &&
	       add_bytes(object, "check", t->check, sizeof(t->check)) &&
	       add_text(object, "created", t->created);
}

static bool add_all(struct json_object *object, const struct token *t)
{
	return add_text(object, "type", TOKEN_TYPE) &&
	       add_keyslots(object, t) &&
	       add(object, "dm-sse-version", json_object_new_int(TOKEN_VERSION)) &&
	       add_set(object, t) &&
	       add_kek(object, t) &&
	       add_wrapped(object, t) &&
	       (!t->unknown || add_unknown(object, t->unknown, "kek"));
}

char *token_format(const struct token *t)
{
	struct json_object *object = json_object_new_object();
	const char *text = NULL;
	char *copy = NULL;

	if (object && add_all(object, t))
		text = json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN |
						      JSON_C_TO_STRING_NOSLASHESCAPE);
	if (text)
		copy = strdup(text);
	json_object_put(object);
	return copy;
}
