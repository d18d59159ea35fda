// SPDX-License-Identifier: GPL-2.0-only
/*
 * The keys of a disk encryption set's file: the text of each into struct des
 * and back.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "des_config_internal.h"

const char * const des_config_names[NR_KEYS] = {
	[KEY_ID]		= "id",
	[KEY_TYPE]		= "type",
	[KEY_ENABLED]		= "enabled",
	[KEY_OWNER]		= "owner",
	[KEY_KEY]		= "key",
	[KEY_IDENTITY]		= "identity",
	[KEY_WRAPPING]		= "wrapping",
	[KEY_AUTO_ROTATE]	= "auto-rotate",
	[KEY_LEASE]		= "lease",
	[KEY_ON_LAPSE]		= "on-lapse",
	[KEY_TIMEOUT]		= "key-timeout",
};

enum key_id des_config_find(const char *name)
{
	enum key_id id;

	for (id = 0; id < NR_KEYS; id++)
		if (!strcmp(name, des_config_names[id]))
			break;
	return id;
}

static bool uuid_ok(const char *text)
{
	size_t i;

	for (i = 0; i < UUID_TEXT_SIZE - 1; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? text[i] != '-' : !isxdigit((unsigned char)text[i]) ||
		    isupper((unsigned char)text[i]))
			return false;
	}
	return !text[i];
}

static bool parse_switch(const char *text, const char *off, const char *on, bool *value)
{
	*value = !strcmp(text, on);
	return *value || !strcmp(text, off);
}

static bool parse_range(const char *text, unsigned int max, unsigned int *seconds)
{
	return des_parse_duration(text, seconds) && *seconds <= max;
}

static bool copy_text(const char *text, char *copy, size_t size)
{
	return (size_t)snprintf(copy, size, "%s", text) < size;
}

static bool parse_wrapping(const char *text, char *wrapping, size_t size)
{
	enum kek_wrapping known;

	/* The platform's own is nothing to choose. */
	if (*text && (!kek_wrapping_parse(text, &known) || known == KEK_AES_256_KW))
		return false;
	return copy_text(text, wrapping, size);
}

const char *des_config_set(struct des *des, enum key_id id, const char *text)
{
	switch (id) {
	case KEY_ID:
		return uuid_ok(text) && copy_text(text, des->id, sizeof(des->id)) ? NULL :
		       "a UUID in lower case, such as 'uuidgen' prints";
	case KEY_TYPE:
		return des_type_parse(text, &des->type) ? NULL :
		       "platform, customer or platform-and-customer";
	case KEY_ENABLED:
		return parse_switch(text, "no", "yes", &des->enabled) ? NULL : "yes or no";
	case KEY_OWNER:
		return copy_text(text, des->owner, sizeof(des->owner)) ? NULL :
		       "at most 255 bytes of text";
	case KEY_KEY:
		return copy_text(text, des->key, sizeof(des->key)) ? NULL : "a key's URI";
	case KEY_IDENTITY:
		return copy_text(text, des->identity, sizeof(des->identity)) ? NULL : "a source";
	case KEY_WRAPPING:
		return parse_wrapping(text, des->wrapping, sizeof(des->wrapping)) ? NULL :
		       "RSA-OAEP-256, RSA-OAEP or nothing";
	case KEY_AUTO_ROTATE:
		return parse_switch(text, "no", "yes", &des->auto_rotate) ? NULL : "yes or no";
	case KEY_LEASE:
		return parse_range(text, DES_LEASE_MAX, &des->lease) ? NULL :
		       "a time from 1s to 365d, such as 90s, 15m or 1h, or none";
	case KEY_ON_LAPSE:
		return parse_switch(text, "error", "queue", &des->queue_on_lapse) ? NULL :
		       "error or queue";
	case KEY_TIMEOUT:
		return parse_range(text, DES_TIMEOUT_MAX, &des->timeout) && des->timeout ? NULL :
		       "a time from 1s to 10m";
	case NR_KEYS:
		break;
	}
	return "another key";
}

void des_config_get(const struct des *des, enum key_id id, char *text, size_t size)
{
	switch (id) {
	case KEY_ID:
		snprintf(text, size, "%s", des->id);
		break;
	case KEY_TYPE:
		snprintf(text, size, "%s", des_type_name(des->type));
		break;
	case KEY_ENABLED:
		snprintf(text, size, "%s", des->enabled ? "yes" : "no");
		break;
	case KEY_OWNER:
		snprintf(text, size, "%s", des->owner);
		break;
	case KEY_KEY:
		snprintf(text, size, "%s", des->key);
		break;
	case KEY_IDENTITY:
		snprintf(text, size, "%s", des->identity);
		break;
	case KEY_WRAPPING:
		snprintf(text, size, "%s", des->wrapping);
		break;
	case KEY_AUTO_ROTATE:
		snprintf(text, size, "%s", des->auto_rotate ? "yes" : "no");
		break;
	case KEY_LEASE:
		des_format_duration(des->lease, text, size);
		break;
	case KEY_ON_LAPSE:
		snprintf(text, size, "%s", des->queue_on_lapse ? "queue" : "error");
		break;
	case KEY_TIMEOUT:
		des_format_duration(des->timeout, text, size);
		break;
	case NR_KEYS:
		break;
	}
}
