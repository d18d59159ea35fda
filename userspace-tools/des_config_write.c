// SPDX-License-Identifier: GPL-2.0-only
/*
 * The configuration file of a disk encryption set, written: a new one, or one
 * that is there with other values.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_text.h"
#include "des_config_internal.h"

static const char * const comments[NR_KEYS] = {
	[KEY_ID] =
		"# Tells this set from others of the same name: the disks have it too. A copy\n"
		"# of this file on another host keeps it. Never changes.\n",
	[KEY_TYPE] =
		"# platform: the host's own key. customer: the key below. platform-and-customer:\n"
		"# two layers, the customer's inside the platform's. Never changes.\n",
	[KEY_ENABLED] =
		"# no: the set's disks can't be opened, and those that are open go away when\n"
		"# their lease ends. 'ssesetup des disable --now' does it at once.\n",
	[KEY_OWNER] =
		"# Whose disks they are; for messages where the key isn't to be had.\n",
	[KEY_KEY] =
		"# The customer's key, RSA of 2048, 3072 or 4096 bits: file:/PATH of a PEM file, or\n"
		"# of a directory with one for each version, or pkcs11:token=NAME;object=NAME.\n",
	[KEY_IDENTITY] =
		"# Where its PIN or passphrase comes from: file:/PATH, credential:NAME or\n"
		"# keyring:DESCRIPTION. Empty: it needs none.\n",
	[KEY_WRAPPING] =
		"# RSA-OAEP-256, or RSA-OAEP for a token that knows SHA-1 only. Empty: the best\n"
		"# that works.\n",
	[KEY_AUTO_ROTATE] =
		"# yes: disks are moved to the newest version of the key, within the hour.\n",
	[KEY_LEASE] =
		"# Disks go away that long after the key was last proven to be usable: 90s, 15m,\n"
		"# 1h, 2d. 'none', the disks stay, is for type platform only.\n",
	[KEY_ON_LAPSE] =
		"# What I/O does when the lease has ended: error (fails) or queue (waits for the\n"
		"# key to come back).\n",
	[KEY_TIMEOUT] =
		"# An operation that takes the key's holder longer than this is given up.\n",
};

static void put_line(FILE *f, const struct des *des, enum key_id id)
{
	char value[CONFIG_VALUE_MAX];

	des_config_get(des, id, value, sizeof(value));
	fprintf(f, "\n%s%s =%s%s\n", comments[id], des_config_names[id], *value ? " " : "", value);
}

/* Has a set of this type any use for it? */
static bool applies(const struct des *des, enum key_id id)
{
	return des->type != DES_PLATFORM ||
	       (id != KEY_KEY && id != KEY_IDENTITY && id != KEY_WRAPPING);
}

char *des_config_format(const struct des *des)
{
	char *text = NULL;
	enum key_id id;
	size_t size;
	FILE *f;

	f = open_memstream(&text, &size);
	if (!f)
		return NULL;
	fprintf(f, "# Disk encryption set %s, of dm-sse. 'ssesetup des update' changes it, and so does\n"
		"# an editor; Documentation/disk-encryption-sets.rst says more.\n", des->name);
	for (id = 0; id < NR_KEYS; id++)
		if (applies(des, id))
			put_line(f, des, id);
	if (!fclose(f))
		return text;
	free(text);
	return NULL;
}

static bool same_value(const struct des *a, const struct des *b, enum key_id id)
{
	char one[CONFIG_VALUE_MAX], other[CONFIG_VALUE_MAX];

	des_config_get(a, id, one, sizeof(one));
	des_config_get(b, id, other, sizeof(other));
	return !strcmp(one, other);
}

/* A line with another value; indentation and what is around the '=' stay. */
static void put_edited(FILE *f, const struct config_line *line, const struct des *des,
		       enum key_id id)
{
	char value[CONFIG_VALUE_MAX];
	bool glued = line->value_at && line->start[line->value_at - 1] == '=';

	des_config_get(des, id, value, sizeof(value));
	fwrite(line->start, 1, line->value_at, f);
	fprintf(f, "%s%s\n", glued && !line->value_size && *value ? " " : "", value);
}

static void edit(FILE *f, const char *text, size_t size, const struct des *old,
		 const struct des *des)
{
	bool seen[NR_KEYS] = { false };
	struct config_line line;
	struct config_text t;
	struct reason why;
	enum key_id id;

	config_text_start(&t, text, size);
	while (config_text_next(&t, &line, &why)) {
		id = *line.key ? des_config_find(line.key) : NR_KEYS;
		if (id != NR_KEYS)
			seen[id] = true;
		if (id != NR_KEYS && !same_value(old, des, id))
			put_edited(f, &line, des, id);
		else
			fprintf(f, "%.*s\n", (int)line.size, line.start);
	}
	for (id = 0; id < NR_KEYS; id++)
		if (!seen[id] && !same_value(old, des, id))
			put_line(f, des, id);
}

int des_config_edit(const char *text, size_t size, const struct des *des, char **edited,
		    struct reason *why)
{
	struct des old = *des;
	size_t edited_size;
	FILE *f;
	int rc;

	*edited = NULL;
	rc = des_config_parse(text, size, &old, why);
	if (rc)
		return rc;
	/* Where the file has no id, the one that was made is not lost with the state. */
	if (strcmp(old.id, des->id) && *old.id)
		return reason_set(why, RC_PARAM, "the id of a set never changes.");
	if (old.type != des->type)
		return reason_set(why, RC_PARAM,
			"the type of a set never changes: make another set, and move its disks there.");
	f = open_memstream(edited, &edited_size);
	if (!f)
		return reason_nomem(why);
	edit(f, text, size, &old, des);
	if (!fclose(f))
		return RC_OK;
	free(*edited);
	*edited = NULL;
	return reason_nomem(why);
}
