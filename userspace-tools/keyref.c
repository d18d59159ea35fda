// SPDX-License-Identifier: GPL-2.0-only
/*
 * The names of keys: as a user gives them, and as a table has them.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diag.h"
#include "keyref.h"
#include "number.h"

bool key_type_known(const char *type)
{
	return !strcmp(type, "logon") || !strcmp(type, "user") ||
	       !strcmp(type, "encrypted") || !strcmp(type, "trusted");
}

static int keyref_set(struct keyref *key, const char *type, const char *desc)
{
	const unsigned char *p;

	if (!*desc)
		return diag_fail(RC_PARAM, "The key's description is empty.");
	if (strlen(desc) >= KEY_DESC_MAX)
		return diag_fail(RC_PARAM, "The key's description is longer than %d bytes.",
				 KEY_DESC_MAX - 1);
	/* Device-mapper splits its table at blanks, and takes \ as an escape. */
	for (p = (const unsigned char *)desc; *p; p++)
		if (*p <= ' ' || *p == 0x7f || *p == '\\')
			return diag_fail(RC_PARAM,
				"The key's description has a blank, a control character or a backslash,\n"
				"which a device-mapper table can't carry.");
	if (!strcmp(type, "logon") && !strchr(desc, ':'))
		return diag_fail(RC_PARAM,
			"The description of a logon key needs a prefix with a colon, such as dmsse:%s\n"
			"(for a key of type user write user:%s).", desc, desc);

	snprintf(key->type, sizeof(key->type), "%s", type);
	snprintf(key->desc, sizeof(key->desc), "%s", desc);
	return RC_OK;
}

/* ":BYTES:TYPE:DESC"; quiet, since the caller knows what it is part of. */
static bool reference_split(const char *text, unsigned int *bytes, char *type, const char **desc)
{
	char digits[12];
	const char *p, *q;
	uint64_t n;

	if (text[0] != ':')
		return false;
	p = strchr(text + 1, ':');
	if (!p || (size_t)(p - text) > sizeof(digits))
		return false;
	memcpy(digits, text + 1, (size_t)(p - text - 1));
	digits[p - text - 1] = '\0';
	if (!number_parse(digits, INT_MAX, &n) || !n)
		return false;

	q = strchr(p + 1, ':');
	if (!q || q - p - 1 >= KEY_TYPE_MAX)
		return false;
	memcpy(type, p + 1, (size_t)(q - p - 1));
	type[q - p - 1] = '\0';

	*bytes = (unsigned int)n;
	*desc = q + 1;
	return key_type_known(type);
}

int keyref_parse(const char *text, const char *default_type, struct keyref *key)
{
	char type[KEY_TYPE_MAX] = "";
	const char *colon, *desc;

	key->bytes = 0;
	if (text[0] == ':') {
		if (!reference_split(text, &key->bytes, type, &desc))
			return diag_fail(RC_PARAM,
				"'%s' is not a key reference: it would be :BYTES:TYPE:DESCRIPTION with\n"
				"a type of logon, user, encrypted or trusted.", text);
	} else {
		desc = text;
		colon = strchr(text, ':');
		if (colon && colon - text < KEY_TYPE_MAX) {
			memcpy(type, text, (size_t)(colon - text));
			type[colon - text] = '\0';
			if (key_type_known(type))
				desc = colon + 1;
			else
				type[0] = '\0';
		}
	}

	if (type[0] && default_type && strcmp(type, default_type))
		return diag_fail(RC_PARAM, "'%s' names a key of type %s, but --key-type is %s.",
				 text, type, default_type);
	if (!type[0])
		snprintf(type, sizeof(type), "%s", default_type ? default_type : "logon");
	return keyref_set(key, type, desc);
}

char *keyref_format(const struct keyref *key)
{
	char *text;

	if (!key->type[0])
		return strdup("-");
	if (asprintf(&text, ":%u:%s:%s", key->bytes, key->type, key->desc) < 0)
		return NULL;
	return text;
}

bool keyref_parse_table(struct keyref *key, const char *word)
{
	const char *desc;

	if (!strcmp(word, "-"))
		return true;
	if (!reference_split(word, &key->bytes, key->type, &desc) || strlen(desc) >= sizeof(key->desc))
		return false;
	memcpy(key->desc, desc, strlen(desc) + 1);
	return true;
}
