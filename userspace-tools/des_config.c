// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_text.h"
#include "des_config.h"

static const char * const type_names[] = {
	[DES_PLATFORM]			= "platform",
	[DES_CUSTOMER]			= "customer",
	[DES_PLATFORM_AND_CUSTOMER]	= "platform-and-customer",
};

#define NR_TYPES	(sizeof(type_names) / sizeof(type_names[0]))

const char *des_type_name(enum des_type type)
{
	return type_names[type];
}

bool des_type_parse(const char *name, enum des_type *type)
{
	size_t i;

	for (i = 0; i < NR_TYPES; i++) {
		if (!strcmp(name, type_names[i])) {
			*type = (enum des_type)i;
			return true;
		}
	}
	return false;
}

static const struct {
	char unit;
	unsigned int seconds;
} units[] = {
	{ 'd', 24 * 3600 },
	{ 'h', 3600 },
	{ 'm', 60 },
	{ 's', 1 },
};

#define NR_UNITS	(sizeof(units) / sizeof(units[0]))

static bool unit_factor(const char *unit, unsigned int *factor)
{
	size_t i;

	*factor = 1;
	if (!*unit)
		return true;
	for (i = 0; i < NR_UNITS; i++) {
		if (unit[0] == units[i].unit && !unit[1]) {
			*factor = units[i].seconds;
			return true;
		}
	}
	return false;
}

bool des_parse_duration(const char *text, unsigned int *seconds)
{
	unsigned int n = 0, factor;

	if (!strcmp(text, "none")) {
		*seconds = 0;
		return true;
	}
	if (!isdigit((unsigned char)*text))
		return false;
	for (; isdigit((unsigned char)*text); text++)
		if (__builtin_mul_overflow(n, 10U, &n) ||
		    __builtin_add_overflow(n, (unsigned int)(*text - '0'), &n))
			return false;
	/* Nobody who writes 0 can be sure whether that is "at once" or "never". */
	if (!n || !unit_factor(text, &factor))
		return false;
	return !__builtin_mul_overflow(n, factor, seconds);
}

void des_format_duration(unsigned int seconds, char *text, size_t size)
{
	size_t i = 0;

	if (!seconds) {
		snprintf(text, size, "none");
		return;
	}
	while (seconds % units[i].seconds)
		i++;
	snprintf(text, size, "%u%c", seconds / units[i].seconds, units[i].unit);
}

enum key_id {
	KEY_ID,
	KEY_TYPE,
	KEY_ENABLED,
	KEY_OWNER,
	KEY_KEY,
	KEY_IDENTITY,
	KEY_WRAPPING,
	KEY_AUTO_ROTATE,
	KEY_LEASE,
	KEY_ON_LAPSE,
	KEY_TIMEOUT,
	NR_KEYS
};

/* In the order of the file that is written, with the comments that it has. */
static const char * const key_names[NR_KEYS] = {
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

/* NULL, or what would be right. */
static const char *set_value(struct des *des, enum key_id id, const char *text)
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

static void get_value(const struct des *des, enum key_id id, char *text, size_t size)
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

void des_config_defaults(struct des *des)
{
	des->enabled = true;
	des->auto_rotate = false;
	des->queue_on_lapse = false;
	des->lease = des->type == DES_PLATFORM ? 0 : DES_LEASE_DEFAULT;
	des->timeout = DES_TIMEOUT_DEFAULT;
	des->owner[0] = '\0';
	des->key[0] = '\0';
	des->identity[0] = '\0';
	des->wrapping[0] = '\0';
}

/* One rule that is broken: which key it is about, and why; NR_KEYS if none is. */
static enum key_id broken_rule(const struct des *des, const char **what)
{
	if (!strcmp(des->name, DES_DEFAULT) && des->type != DES_PLATFORM) {
		*what = "the set 'platform' is of type platform: give a set for another type another name.";
		return KEY_TYPE;
	}
	if (des->type == DES_PLATFORM) {
		*what = "a set of type platform has no customer's key: leave it out.";
		if (*des->key)
			return KEY_KEY;
		if (*des->identity)
			return KEY_IDENTITY;
		return *des->wrapping ? KEY_WRAPPING : NR_KEYS;
	}
	if (!*des->key) {
		*what = "a set of this type needs the URI of the customer's key: file:/PATH or pkcs11:...";
		return KEY_KEY;
	}
	if (!des->lease) {
		*what = "the disks of a customer's key have a lease, such as 1h: 'none' is for type platform.";
		return KEY_LEASE;
	}
	return NR_KEYS;
}

/* Key, identity and wrapping one after the other, to tell which is wrong. */
static enum key_id broken_source(const struct des *des, struct reason *why)
{
	struct kek_config config = { .uri = des->key, .timeout = des->timeout };

	if (des->type == DES_PLATFORM)
		return NR_KEYS;
	if (kek_config_check(&config, why))
		return KEY_KEY;
	if (!kek_uri_is_customer(des->key)) {
		reason_set(why, RC_PARAM, "it is no customer's: file:/PATH or pkcs11:... are.");
		return KEY_KEY;
	}
	config.identity = *des->identity ? des->identity : NULL;
	if (kek_config_check(&config, why))
		return KEY_IDENTITY;
	config.wrapping = *des->wrapping ? des->wrapping : NULL;
	return kek_config_check(&config, why) ? KEY_WRAPPING : NR_KEYS;
}

/* What would not be read again as it was written. */
static enum key_id broken_text(const struct des *des)
{
	char value[CONFIG_VALUE_MAX];
	enum key_id id;
	size_t len;

	for (id = 0; id < NR_KEYS; id++) {
		get_value(des, id, value, sizeof(value));
		len = strlen(value);
		if (!config_text_printable(value, len))
			break;
		if (len && (isblank((unsigned char)*value) ||
			    isblank((unsigned char)value[len - 1])))
			break;
	}
	return id;
}

static enum key_id broken(const struct des *des, struct reason *why)
{
	const char *what = "it is one line of text in UTF-8, with no blanks around it.";
	enum key_id id;

	id = broken_text(des);
	if (id == NR_KEYS)
		id = broken_rule(des, &what);
	if (id == NR_KEYS)
		return broken_source(des, why);
	reason_set(why, RC_PARAM, "%s", what);
	return id;
}

int des_config_check(const struct des *des, struct reason *why)
{
	enum key_id id = broken(des, why);

	if (id == NR_KEYS)
		return RC_OK;
	why->rc = RC_PARAM;
	return reason_prefix(why, "%s", key_names[id]);
}

static enum key_id find_key(const char *name)
{
	enum key_id id;

	for (id = 0; id < NR_KEYS; id++)
		if (!strcmp(name, key_names[id]))
			break;
	return id;
}

static int refuse_key(const struct config_line *line, struct reason *why)
{
	const char *near = config_text_near(line->key, key_names, NR_KEYS);

	if (near)
		return reason_set(why, RC_PARAM, "line %u: unknown key '%s': is '%s' meant?",
				  line->number, line->key, near);
	return reason_set(why, RC_PARAM,
		"line %u: unknown key '%s': id, type, enabled, owner, key, identity, wrapping,\n"
		"auto-rotate, lease, on-lapse and key-timeout are known.",
		line->number, line->key);
}

static int take_line(struct des *des, const struct config_line *line, enum key_id id,
		     struct reason *why)
{
	const char *right = set_value(des, id, line->value);

	if (!right)
		return RC_OK;
	return reason_set(why, RC_PARAM, "line %u: %s takes %s, not '%.200s'%s.", line->number,
			  line->key, right, line->value,
			  strchr(line->value, '#') ? " (comments are on lines of their own)" : "");
}

/*
 * Where each key is, and nothing else yet: defaults depend on the type, which
 * may come last. 0: nowhere.
 */
struct places {
	struct config_line line[NR_KEYS];
	unsigned int last;	/* line of the file */
};

static int find_places(const char *text, size_t size, struct places *places, struct reason *why)
{
	struct config_line line;
	struct config_text t;
	enum key_id id;

	memset(places, 0, sizeof(*places));
	why->rc = RC_OK;
	config_text_start(&t, text, size);
	while (config_text_next(&t, &line, why)) {
		if (!*line.key)
			continue;
		id = find_key(line.key);
		if (id == NR_KEYS)
			return refuse_key(&line, why);
		if (places->line[id].number)
			return reason_set(why, RC_PARAM,
				"line %u: %s is set in line %u already: one of them is right.",
				line.number, line.key, places->line[id].number);
		places->line[id] = line;
	}
	places->last = t.number ? t.number : 1;
	return why->rc;
}

/* The implicit set needs neither. */
static int find_missing(const struct des *des, const struct places *places, struct reason *why)
{
	if (!strcmp(des->name, DES_DEFAULT))
		return RC_OK;
	if (!places->line[KEY_ID].number)
		return reason_set(why, RC_PARAM,
			"line %u: the file ends without an 'id': add 'id = UUID', as 'uuidgen' prints it.",
			places->last);
	if (!places->line[KEY_TYPE].number)
		return reason_set(why, RC_PARAM,
			"line %u: the file ends without a 'type': platform, customer or platform-and-customer.",
			places->last);
	return RC_OK;
}

static int parse_places(const struct places *places, struct des *des, struct reason *why)
{
	const struct config_line *line = &places->line[KEY_TYPE];
	enum key_id id;
	int rc;

	des->type = DES_PLATFORM;
	des->id[0] = '\0';
	rc = line->number ? take_line(des, line, KEY_TYPE, why) : RC_OK;
	if (rc)
		return rc;
	des_config_defaults(des);
	for (id = 0; id < NR_KEYS; id++) {
		line = &places->line[id];
		rc = line->number ? take_line(des, line, id, why) : RC_OK;
		if (rc)
			return rc;
	}
	return find_missing(des, places, why);
}

int des_config_parse(const char *text, size_t size, struct des *des, struct reason *why)
{
	struct places *places = malloc(sizeof(*places));
	enum key_id id;
	int rc;

	if (!places)
		return reason_nomem(why);
	rc = find_places(text, size, places, why);
	if (!rc)
		rc = parse_places(places, des, why);
	if (!rc) {
		id = broken(des, why);
		if (id != NR_KEYS) {
			unsigned int number = places->line[id].number;

			why->rc = RC_PARAM;
			rc = reason_prefix(why, "line %u: %s", number ? number : places->last,
					   key_names[id]);
		}
	}
	free(places);
	return rc;
}

static void put_line(FILE *f, const struct des *des, enum key_id id)
{
	char value[CONFIG_VALUE_MAX];

	get_value(des, id, value, sizeof(value));
	fprintf(f, "\n%s%s =%s%s\n", comments[id], key_names[id], *value ? " " : "", value);
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

	get_value(a, id, one, sizeof(one));
	get_value(b, id, other, sizeof(other));
	return !strcmp(one, other);
}

/* A line with another value; indentation and what is around the '=' stay. */
static void put_edited(FILE *f, const struct config_line *line, const struct des *des,
		       enum key_id id)
{
	char value[CONFIG_VALUE_MAX];
	bool glued = line->value_at && line->start[line->value_at - 1] == '=';

	get_value(des, id, value, sizeof(value));
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
		id = *line.key ? find_key(line.key) : NR_KEYS;
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
