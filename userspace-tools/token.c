// SPDX-License-Identifier: GPL-2.0-only
/*
 * The token as text. What it says comes from a disk, which may be anybody's:
 * nothing in it is believed before it has been looked at.
 */
#include <json-c/json.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base64.h"
#include "number.h"
#include "token.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* No field of ours is deeper than this; later ones have room. */
#define DEPTH_MAX	8

static const char * const layer_names[] = {
	[TOKEN_SINGLE]	= "single",
	[TOKEN_INNER]	= "inner",
	[TOKEN_OUTER]	= "outer",
};

const char *token_layer_name(enum token_layer layer)
{
	if ((size_t)layer >= ARRAY_SIZE(layer_names))
		return "?";
	return layer_names[layer];
}

void token_init(struct token *t)
{
	memset(t, 0, sizeof(*t));
	t->id = -1;
	t->keyslot = -1;
	t->pending_keyslot = -1;
}

void token_free(struct token *t)
{
	json_object_put(t->unknown);
	t->unknown = NULL;
}

/* An object whose fields are read, and how it is called in messages. */
struct scope {
	struct json_object *object;
	const char *prefix;
	struct reason *why;
};

#define WRONG(s, name, fmt, ...)							\
	reason_set((s)->why, RC_DEVICE, "The dm-sse token's field '%s%s' " fmt ".",	\
		   (s)->prefix, name, ##__VA_ARGS__)

/* A field that must be there, and of this type. */
static int get(const struct scope *s, const char *name, enum json_type type,
	       struct json_object **value)
{
	if (!json_object_object_get_ex(s->object, name, value))
		return WRONG(s, name, "is missing");
	if (!json_object_is_type(*value, type))
		return WRONG(s, name, "is of type %s; %s is right",
			     json_type_to_name(json_object_get_type(*value)),
			     json_type_to_name(type));
	return RC_OK;
}

static bool has(const struct scope *s, const char *name)
{
	return json_object_object_get_ex(s->object, name, NULL);
}

/* It is going to be printed on terminals: no C0 and C1 control characters. */
static bool printable(const char *text)
{
	const unsigned char *c;

	for (c = (const unsigned char *)text; *c; c++)
		if (*c < 0x20 || *c == 0x7f || (*c == 0xc2 && c[1] < 0xa0))
			return false;
	return true;
}

static int get_text(const struct scope *s, const char *name, char *buf, size_t size)
{
	struct json_object *value;
	const char *text;
	size_t length;
	int rc;

	rc = get(s, name, json_type_string, &value);
	if (rc)
		return rc;
	text = json_object_get_string(value);
	length = (size_t)json_object_get_string_len(value);
	if (!length)
		return WRONG(s, name, "is empty");
	if (length >= size)
		return WRONG(s, name, "has %zu bytes; at most %zu are right", length, size - 1);
	if (strlen(text) != length || !printable(text))
		return WRONG(s, name, "has a control character");
	memcpy(buf, text, length + 1);
	return RC_OK;
}

static int get_bytes(const struct scope *s, const char *name, unsigned char *bytes, size_t room,
		     size_t *size)
{
	char text[BASE64_TEXT_SIZE(KEK_WRAPPED_MAX)];
	int rc;

	rc = get_text(s, name, text, sizeof(text));
	if (rc)
		return rc;
	if (!base64_decode(text, bytes, room, size))
		return WRONG(s, name, "isn't base64 of at most %zu bytes: it was cut off or changed",
			     room);
	return RC_OK;
}

static int check_version(const struct scope *s)
{
	struct json_object *value;
	int64_t version;
	int rc;

	rc = get(s, "dm-sse-version", json_type_int, &value);
	if (rc)
		return rc;
	version = json_object_get_int64(value);
	if (version != TOKEN_VERSION)
		return reason_set(s->why, RC_DEVICE,
			"The dm-sse token is of version %lld; this ssesetup knows version %d. Use the one that wrote it.",
			(long long)version, TOKEN_VERSION);
	return RC_OK;
}

static int check_type(const struct scope *s)
{
	struct json_object *value;
	int rc;

	rc = get(s, "type", json_type_string, &value);
	if (rc)
		return rc;
	if (strcmp(json_object_get_string(value), TOKEN_TYPE))
		return WRONG(s, "type", "isn't " TOKEN_TYPE);
	return RC_OK;
}

/* LUKS2 writes the numbers of keyslots as strings. */
static int get_keyslot(const struct scope *s, int *keyslot)
{
	struct json_object *array, *value;
	const char *text;
	uint64_t nr;
	int rc;

	rc = get(s, "keyslots", json_type_array, &array);
	if (rc || !json_object_array_length(array))
		return rc;
	if (json_object_array_length(array) > 1)
		return WRONG(s, "keyslots", "has %zu keyslots; a secret opens one",
			     json_object_array_length(array));
	value = json_object_array_get_idx(array, 0);
	if (!json_object_is_type(value, json_type_string))
		return WRONG(s, "keyslots", "isn't an array of strings");
	text = json_object_get_string(value);
	if (!number_parse(text, KEYSLOTS_MAX - 1, &nr) || (*text == '0' && text[1]))
		return WRONG(s, "keyslots", "has no number from 0 to %d", KEYSLOTS_MAX - 1);
	*keyslot = (int)nr;
	return RC_OK;
}

static int get_pending_keyslot(const struct scope *s, int *keyslot)
{
	struct json_object *value;
	int64_t nr;
	int rc;

	if (!has(s, "pending-keyslot"))
		return RC_OK;
	rc = get(s, "pending-keyslot", json_type_int, &value);
	if (rc)
		return rc;
	nr = json_object_get_int64(value);
	if (nr < 0 || nr >= KEYSLOTS_MAX)
		return WRONG(s, "pending-keyslot", "isn't a number from 0 to %d", KEYSLOTS_MAX - 1);
	*keyslot = (int)nr;
	return RC_OK;
}

static int get_layer(const struct scope *s, enum token_layer *layer)
{
	char name[16];
	size_t i;
	int rc;

	rc = get_text(s, "layer", name, sizeof(name));
	if (rc)
		return rc;
	for (i = 0; i < ARRAY_SIZE(layer_names); i++) {
		if (strcmp(name, layer_names[i]))
			continue;
		*layer = (enum token_layer)i;
		return RC_OK;
	}
	return WRONG(s, "layer", "is '%s'; single, inner or outer are right", name);
}

/* The name becomes one of a file: it must not lead anywhere else. */
static int get_des(const struct scope *s, char *des, size_t size)
{
	static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
	int rc;

	rc = get_text(s, "des", des, size);
	if (rc)
		return rc;
	if (*des == '.' || *des == '-' || des[strspn(des, good)])
		return WRONG(s, "des", "is '%s', which no disk encryption set is called", des);
	return RC_OK;
}

/* Is @text like @form, in which x is a hexadecimal digit in lower case and d a decimal one? */
static bool has_form(const char *text, const char *form)
{
	for (; *form; text++, form++) {
		if (*form == 'x' ? !*text || !strchr("0123456789abcdef", *text) :
		    *form == 'd' ? *text < '0' || *text > '9' : *text != *form)
			return false;
	}
	return !*text;
}

static int get_des_id(const struct scope *s, char *id, size_t size)
{
	int rc = get_text(s, "des-id", id, size);

	if (!rc && !has_form(id, "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"))
		return WRONG(s, "des-id", "is '%s'; a UUID in lower case is right", id);
	return rc;
}

/* RFC 3339 in the one form that sorts as text. */
static int get_created(const struct scope *s, char *created, size_t size)
{
	int rc = get_text(s, "created", created, size);

	if (!rc && !has_form(created, "dddd-dd-ddTdd:dd:ddZ"))
		return WRONG(s, "created", "is '%s'; a time like 2021-03-01T12:00:00Z is right",
			     created);
	return rc;
}

static int get_wrapped(const struct scope *s, struct token *t)
{
	char name[32];
	size_t size;
	int rc;

	rc = get_text(s, "wrapping", name, sizeof(name));
	if (rc)
		return rc;
	if (!kek_wrapping_parse(name, &t->wrapping))
		return WRONG(s, "wrapping", "is '%s', which this ssesetup doesn't know", name);
	rc = get_bytes(s, "wrapped", t->wrapped, sizeof(t->wrapped), &t->wrapped_size);
	if (!rc)
		rc = get_bytes(s, "check", t->check, sizeof(t->check), &size);
	if (!rc && size != sizeof(t->check))
		rc = WRONG(s, "check", "has %zu bytes; %d are right", size, TOKEN_CHECK_SIZE);
	return rc;
}

static int get_kek(const struct scope *s, struct token *t, struct json_object **kek)
{
	struct scope inner = { .prefix = "kek.", .why = s->why };
	int rc;

	rc = get(s, "kek", json_type_object, kek);
	if (rc)
		return rc;
	inner.object = *kek;
	rc = get_text(&inner, "uri", t->kek_uri, sizeof(t->kek_uri));
	if (!rc)
		rc = get_text(&inner, "version", t->kek_version, sizeof(t->kek_version));
	if (!rc)
		rc = get_text(&inner, "fingerprint", t->kek_fingerprint,
			      sizeof(t->kek_fingerprint));
	return rc;
}

static int get_set(const struct scope *s, struct token *t)
{
	struct json_object *value;
	int rc;

	rc = get_layer(s, &t->layer);
	if (!rc)
		rc = get_des(s, t->des, sizeof(t->des));
	if (!rc)
		rc = get_des_id(s, t->des_id, sizeof(t->des_id));
	if (!rc && has(s, "owner"))
		rc = get_text(s, "owner", t->owner, sizeof(t->owner));
	if (!rc)
		rc = get(s, "customer", json_type_boolean, &value);
	if (!rc)
		t->customer = json_object_get_boolean(value);
	return rc;
}

static const char * const known[] = {
	"type", "keyslots", "pending-keyslot", "dm-sse-version", "layer", "des", "des-id", "owner",
	"customer", "wrapping", "wrapped", "check", "created",
};

static const char * const known_of_kek[] = { "uri", "version", "fingerprint" };

static void remove_all(struct json_object *object, const char * const *names, size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++)
		json_object_object_del(object, names[i]);
}

/* What has been read is taken out of @root; the rest is kept. */
static void keep_unknown(struct token *t, struct json_object *root, struct json_object *kek)
{
	remove_all(kek, known_of_kek, ARRAY_SIZE(known_of_kek));
	if (!json_object_object_length(kek))
		json_object_object_del(root, "kek");
	remove_all(root, known, ARRAY_SIZE(known));
	if (json_object_object_length(root))
		t->unknown = json_object_get(root);
}

static int read_token(struct json_object *root, struct token *t, struct reason *why)
{
	struct scope s = { .object = root, .prefix = "", .why = why };
	struct json_object *kek;
	int rc;

	/* Of another version nothing else is to be understood. */
	rc = check_type(&s);
	if (!rc)
		rc = check_version(&s);
	if (!rc)
		rc = get_keyslot(&s, &t->keyslot);
	if (!rc)
		rc = get_pending_keyslot(&s, &t->pending_keyslot);
	if (!rc)
		rc = get_set(&s, t);
	if (!rc)
		rc = get_kek(&s, t, &kek);
	if (!rc)
		rc = get_wrapped(&s, t);
	if (!rc)
		rc = get_created(&s, t->created, sizeof(t->created));
	if (!rc)
		keep_unknown(t, root, kek);
	return rc;
}

static int parse_object(const char *json, struct json_object **root, struct reason *why)
{
	struct json_tokener *tokener;
	size_t length = strlen(json);
	int rc = RC_OK;

	if (length >= TOKEN_TEXT_MAX)
		return reason_set(why, RC_DEVICE, "The dm-sse token has %zu bytes; at most %d are right.",
				  length, TOKEN_TEXT_MAX - 1);
	tokener = json_tokener_new_ex(DEPTH_MAX);
	if (!tokener)
		return reason_nomem(why);
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	/* With its NUL: a number at the end would otherwise wait for more digits. */
	*root = json_tokener_parse_ex(tokener, json, (int)length + 1);
	if (json_tokener_get_error(tokener) != json_tokener_success)
		rc = reason_set(why, RC_DEVICE, "The dm-sse token isn't JSON: %s.",
				json_tokener_error_desc(json_tokener_get_error(tokener)));
	else if (!json_object_is_type(*root, json_type_object))
		rc = reason_set(why, RC_DEVICE, "The dm-sse token isn't a JSON object.");
	json_tokener_free(tokener);
	return rc;
}

int token_parse(const char *json, struct token *t, struct reason *why)
{
	struct json_object *root = NULL;
	int rc;

	token_init(t);
	rc = parse_object(json, &root, why);
	if (!rc)
		rc = read_token(root, t, why);
	json_object_put(root);
	if (rc)
		token_init(t);
	return rc;
}
