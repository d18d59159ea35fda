// SPDX-License-Identifier: GPL-2.0-only
/*
 * LUKS2 headers: our tokens, and notes.
 */
#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "meta_internal.h"

#define NOTE_PREFIX	TOKEN_TYPE "-"

static const char *type_of(struct meta *m, int id)
{
	const char *type = NULL;

	if (crypt_token_status(m->cd, id, &type) <= CRYPT_TOKEN_INACTIVE)
		return "";
	return type ? type : "";
}

/* The first token of this type from @id on, or -1. */
static int next_of_type(struct meta *m, const char *type, int id)
{
	for (; id < crypt_token_max(CRYPT_LUKS2); id++)
		if (!strcmp(type_of(m, id), type))
			return id;
	return -1;
}

/* The newest first; of one second, the one of the higher number. */
static int compare(const void *one, const void *other)
{
	const struct token *a = one, *b = other;
	int order = strcmp(b->created, a->created);

	return order ? order : b->id - a->id;
}

static int read_token(struct meta *m, int id, struct token *token, struct reason *why)
{
	const char *json;
	int rc, err;

	meta_log_start();
	err = crypt_token_json_get(m->cd, id, &json);
	if (err < 0)
		return meta_fail(why, err, "Token %d of %s can't be read", id, m->name);
	rc = token_parse(json, token, why);
	if (rc) {
		reason_prefix(why, "Token %d of %s", id, m->name);
		return rc;
	}
	token->id = id;
	return RC_OK;
}

/*
 * One that can't be read takes no disk away as long as another can: it is said,
 * and left alone.
 */
int meta_tokens(struct meta *m, struct token **list, size_t *nr, struct reason *why)
{
	struct token *all = calloc((size_t)crypt_token_max(CRYPT_LUKS2), sizeof(*all));
	struct reason broken = { .rc = RC_OK };
	size_t n = 0;
	int id;

	if (!all)
		return reason_nomem(why);
	for (id = next_of_type(m, TOKEN_TYPE, 0); id >= 0;
	     id = next_of_type(m, TOKEN_TYPE, id + 1)) {
		if (!read_token(m, id, &all[n], why))
			n++;
		else
			broken = *why;
	}
	if (!n && broken.rc) {
		free(all);
		*why = broken;
		return broken.rc;
	}
	if (broken.rc)
		diag_warn("%s", broken.text);
	qsort(all, n, sizeof(*all), compare);
	*list = all;
	*nr = n;
	return RC_OK;
}

void meta_tokens_free(struct token *list, size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++)
		token_free(&list[i]);
	free(list);
}

static bool names_layer(const char *json, enum token_layer layer)
{
	struct json_object *token = json_tokener_parse(json), *value;
	const char *name = NULL;
	bool same;

	if (json_object_object_get_ex(token, "layer", &value))
		name = json_object_get_string(value);
	same = name && !strcmp(name, token_layer_name(layer));
	json_object_put(token);
	return same;
}

bool meta_tokens_name_layer(struct meta *m, enum token_layer layer)
{
	const char *json;
	int id;

	for (id = next_of_type(m, TOKEN_TYPE, 0); id >= 0;
	     id = next_of_type(m, TOKEN_TYPE, id + 1))
		if (crypt_token_json_get(m->cd, id, &json) >= 0 && names_layer(json, layer))
			return true;
	return false;
}

/* Returns the token's number, or -1 with the reason. */
static int store(struct meta *m, int id, const char *json, struct reason *why)
{
	int err;

	meta_log_start();
	err = crypt_token_json_set(m->cd, id < 0 ? CRYPT_ANY_TOKEN : id, json);
	if (err >= 0)
		return err;
	if (err == -ENOSPC)
		reason_set(why, RC_DEVICE,
			"The LUKS2 header of %s has no room for another token: 'cryptsetup token remove' makes some.",
			m->name);
	else
		meta_fail(why, err, "The token can't be written to %s", m->name);
	/* Of a token that should be replaced, nothing is left in memory. */
	meta_reload(m);
	return -1;
}

int meta_token_set(struct meta *m, struct token *token, struct reason *why)
{
	char *json;
	int id;

	if (token->keyslot >= 0 && !meta_slot_in_use(m, token->keyslot))
		return reason_set(why, RC_PARAM, "Keyslot %d of %s, which a token is to be for, isn't in use.",
				  token->keyslot, m->name);
	json = token_format(token);
	if (!json)
		return reason_nomem(why);
	if (strlen(json) >= TOKEN_TEXT_MAX) {
		free(json);
		return reason_set(why, RC_PARAM,
			"The token would have more than %d bytes: a shorter URI or owner is needed.",
			TOKEN_TEXT_MAX - 1);
	}
	id = store(m, token->id, json, why);
	free(json);
	if (id < 0)
		return why->rc;
	token->id = id;
	return RC_OK;
}

int meta_token_remove(struct meta *m, int id, struct reason *why)
{
	if (strcmp(type_of(m, id), TOKEN_TYPE))
		return reason_set(why, RC_PARAM, "Token %d of %s is not of type " TOKEN_TYPE ".", id,
				  m->name);
	return store(m, id, NULL, why) < 0 ? why->rc : RC_OK;
}

/* A note's JSON with what LUKS2 wants of a token. */
static int note_to_token(const char *type, const char *json, char **token, struct reason *why)
{
	struct json_object *object = json_tokener_parse(json);
	const char *text = NULL;

	*token = NULL;
	if (!json_object_is_type(object, json_type_object)) {
		json_object_put(object);
		return reason_set(why, RC_PARAM, "A note of type %s must be a JSON object.", type);
	}
	if (!json_object_object_add(object, "type", json_object_new_string(type)) &&
	    !json_object_object_add(object, "keyslots", json_object_new_array()))
		text = json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN);
	if (text)
		*token = strdup(text);
	json_object_put(object);
	return *token ? RC_OK : reason_nomem(why);
}

static int check_note_type(const char *type, struct reason *why)
{
	if (!strncmp(type, NOTE_PREFIX, strlen(NOTE_PREFIX)))
		return RC_OK;
	return reason_set(why, RC_PARAM, "A note of type '%s': " NOTE_PREFIX "... is right.", type);
}

int meta_note_set(struct meta *m, const char *type, const char *json, struct reason *why)
{
	int id = next_of_type(m, type, 0);
	char *token = NULL;
	int rc;

	rc = check_note_type(type, why);
	if (rc || (!json && id < 0))
		return rc;
	if (json)
		rc = note_to_token(type, json, &token, why);
	if (!rc && store(m, id, token, why) < 0)
		rc = why->rc;
	free(token);
	return rc;
}

int meta_note_get(struct meta *m, const char *type, char **json, struct reason *why)
{
	struct json_object *object;
	const char *text;
	int id, rc, err;

	*json = NULL;
	rc = check_note_type(type, why);
	id = next_of_type(m, type, 0);
	if (rc || id < 0)
		return rc;
	meta_log_start();
	err = crypt_token_json_get(m->cd, id, &text);
	if (err < 0)
		return meta_fail(why, err, "Token %d of %s can't be read", id, m->name);
	object = json_tokener_parse(text);
	if (!object)
		return reason_nomem(why);
	json_object_object_del(object, "type");
	json_object_object_del(object, "keyslots");
	text = json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN);
	if (text)
		*json = strdup(text);
	json_object_put(object);
	return *json ? RC_OK : reason_nomem(why);
}
