// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_text.h"
#include "des.h"
#include "files.h"
#include "paths.h"
#include "ssetab.h"
#include "unit_name.h"

#define BLANKS	" \t"

static int PRINTF(2, 3) broken(struct ssetab_entry *e, const char *fmt, ...)
{
	char text[sizeof(e->why.text)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return reason_set(&e->why, RC_PARAM, "line %u: %.480s", e->line, text);
}

/* Paths */

static bool has_dots(const char *path)
{
	size_t part;

	for (; *path; path += part) {
		path += strspn(path, "/");
		part = strcspn(path, "/");
		if (part == 2 && !strncmp(path, "..", 2))
			return true;
	}
	return false;
}

static bool path_ok(const char *path)
{
	return path[0] == '/' && path[strspn(path, "/")] && strlen(path) < PATH_MAX &&
	       !has_dots(path);
}

static const struct {
	const char *tag;
	const char *directory;	/* of udev's links */
	bool hex;		/* which are in small letters */
	bool of_content;	/* gone when the content is overwritten */
} tags[] = {
	{ "UUID=",	"by-uuid",	true,	true },
	{ "LABEL=",	"by-label",	false,	true },
	{ "PARTUUID=",	"by-partuuid",	true,	false },
	{ "PARTLABEL=",	"by-partlabel",	false,	false },
};

#define NR_TAGS	(sizeof(tags) / sizeof(tags[0]))

static size_t tag_of(const char *device)
{
	size_t i;

	for (i = 0; i < NR_TAGS; i++)
		if (!strncmp(device, tags[i].tag, strlen(tags[i].tag)))
			break;
	return i;
}

/* The characters that udev leaves as they are in the name of a link. */
static bool is_plain(unsigned char c)
{
	return c >= 0x80 || isalnum(c) || strchr("#+-.:=@_", c);
}

bool ssetab_device_path(const char *device, char path[PATH_MAX])
{
	size_t tag = tag_of(device), len;

	if (tag == NR_TAGS)
		return snprintf(path, PATH_MAX, "%s", device) < PATH_MAX;
	len = (size_t)snprintf(path, PATH_MAX, "/dev/disk/%s/", tags[tag].directory);
	for (device += strlen(tags[tag].tag); *device; device++) {
		unsigned char c = (unsigned char)*device;

		if (len + 5 > PATH_MAX)
			return false;
		if (!is_plain(c))
			len += (size_t)sprintf(path + len, "\\x%02x", c);
		else
			path[len++] = (char)(tags[tag].hex ? tolower(c) : c);
	}
	path[len] = '\0';
	return true;
}

bool ssetab_is_device(const char *path)
{
	return !strncmp(path, "/dev/", strlen("/dev/"));
}

static bool uuid_ok(const char *text)
{
	return *text && !text[strspn(text, "0123456789abcdefABCDEF-")];
}

static bool device_ok(const char *device)
{
	size_t tag = tag_of(device);
	const char *value;

	if (tag == NR_TAGS)
		return path_ok(device);
	value = device + strlen(tags[tag].tag);
	return *value && (!tags[tag].hex || uuid_ok(value)) && strcmp(value, ".") &&
	       strcmp(value, "..");
}

/* Fields */

/* As libdevmapper has names in /dev/mapper without encoding them. */
static bool name_ok(const char *name)
{
	size_t len = strlen(name);

	return len && len < 128 && name[0] != '-' && name[0] != '.' && strcmp(name, "control") &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789#+-.:=@_") ==
	       len;
}

static int take_name(struct ssetab_entry *e, const char *name)
{
	char unit[UNIT_NAME_SIZE];

	if (!name_ok(name))
		return broken(e, "'%s' can't be the name of a mapping: 1 to 127 letters, digits and\n"
			      "any of #+-.:=@_, but none of '-' and '.' in front.", name);
	e->name = name;
	if (!unit_name_escape("blockdev@dev-mapper-", name, ".target", unit)) {
		e->name = NULL;
		return broken(e, "the name '%s' is too long for a unit of systemd's.", name);
	}
	return RC_OK;
}

static int take_device(struct ssetab_entry *e, const char *device)
{
	char path[PATH_MAX], unit[UNIT_NAME_SIZE];

	if (!device_ok(device))
		return broken(e, "'%s' is no device: a path from the root without '..', UUID=, LABEL=,\n"
			      "PARTUUID= or PARTLABEL= is.", device);
	if (!ssetab_device_path(device, path) ||
	    (ssetab_is_device(path) && !unit_name_of_path(path, ".device", unit)))
		return broken(e, "device '%s' has a name that is too long for a unit of systemd's.",
			      device);
	e->device = device;
	return RC_OK;
}

static int take_key(struct ssetab_entry *e, const char *key)
{
	if (!strcmp(key, "-") || !strcmp(key, "none"))
		return RC_OK;
	if (key[0] == '/') {
		if (!path_ok(key))
			return broken(e, "'%s' is no key file: it takes a path without '..'.", key);
		e->key_file = key;
	} else if (des_name_ok(key)) {
		e->des = key;
	} else {
		return broken(e, "'%s' is neither a key file, nor the name of a disk encryption set, nor '-'.",
			      key);
	}
	return RC_OK;
}

/* Options */

static const char *take_path(const char *value)
{
	return path_ok(value) ? NULL : "a path from the root without '..'";
}

static const char *take_any_device(const char *value)
{
	return device_ok(value) ? NULL : "a path, UUID=, LABEL=, PARTUUID= or PARTLABEL=";
}

static const char *take_type(const char *value)
{
	return *value && !value[strspn(value, "abcdefghijklmnopqrstuvwxyz0123456789")] ? NULL :
		"the type of a file system, such as ext4";
}

static const char *take_number(const char *value)
{
	return *value && strlen(value) < 20 && !value[strspn(value, "0123456789")] ? NULL : "a number";
}

/* Whether there is such a cipher the kernel says. */
static const char *take_cipher(const char *value)
{
	return *value && *value != '-' &&
	       !value[strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_:")] ?
		NULL : "a cipher without blanks and commas, such as aes-xts-plain64";
}

static const char *take_pair(const char *value)
{
	return !strcmp(value, "adiantum") || !strcmp(value, "fips") ? NULL : "adiantum or fips";
}

static const char *take_time(const char *value)
{
	static const char * const units[] = { "", "s", "sec", "min", "h", "ms" };
	const char *unit = value + strspn(value, "0123456789");
	size_t i;

	if (!strcmp(value, "infinity"))
		return NULL;
	for (i = 0; unit > value && unit < value + 10 && i < sizeof(units) / sizeof(units[0]); i++)
		if (!strcmp(unit, units[i]))
			return NULL;
	return "a time such as 90s, 5min or infinity";
}

static const char *take_unit(const char *value)
{
	return (value[0] == '/' ? path_ok(value) : unit_name_valid(value)) ? NULL :
		"the name of a unit, or the path of a device or a mount point";
}

static const struct option {
	const char *name;
	size_t flag;		/* offset of a bool, or 0 */
	size_t string;		/* offset of a const char *, or 0: there is no "=..." */
	/* What the value should have been, or NULL. */
	const char *(*check)(const char *value);
} options[] = {
#define FLAG(member)	offsetof(struct ssetab_entry, member)
	{ "_netdev",	FLAG(netdev),		0, NULL },
	{ "cache",	0,			FLAG(cache), take_any_device },
	{ "cipher",	0,			FLAG(cipher), take_cipher },
	{ "clone",	FLAG(clone),		0, NULL },
	{ "discard",	FLAG(discard),		0, NULL },
	{ "double",	FLAG(two_layers),	FLAG(pair), take_pair },
	{ "header",	0,			FLAG(header), take_path },
	{ "image",	0,			FLAG(image), take_path },
	{ "keyfile-offset", 0,			FLAG(keyfile_offset), take_number },
	{ "keyfile-size", 0,			FLAG(keyfile_size), take_number },
	{ "mkfs",	0,			FLAG(mkfs), take_type },
	{ "no-read-workqueue", FLAG(no_read_workqueue), 0, NULL },
	{ "no-write-workqueue", FLAG(no_write_workqueue), 0, NULL },
	{ "noauto",	FLAG(noauto),		0, NULL },
	{ "nofail",	FLAG(nofail),		0, NULL },
	{ "read-only",	FLAG(readonly),		0, NULL },
	{ "readonly",	FLAG(readonly),		0, NULL },
	{ "same-cpu-crypt", FLAG(same_cpu_crypt), 0, NULL },
	{ "scan",	FLAG(scan),		0, NULL },
	{ "sector-size", 0,			FLAG(sector_size), take_number },
	{ "size",	0,			FLAG(key_size), take_number },
	{ "submit-from-crypt-cpus", FLAG(submit_from_crypt_cpus), 0, NULL },
	{ "swap",	FLAG(swap),		0, NULL },
	{ "temp",	FLAG(temp),		0, NULL },
	{ "x-systemd.device-timeout", 0,	FLAG(device_timeout), take_time },
	{ "x-systemd.requires",	0,		FLAG(requires), take_unit },
#undef FLAG
};

#define NR_OPTIONS	(sizeof(options) / sizeof(options[0]))

static const char * const cache_modes[] = { "writethrough", "writeback", "writecache" };

#define NR_CACHE_MODES	(sizeof(cache_modes) / sizeof(cache_modes[0]))

static int unknown_option(struct ssetab_entry *e, const char *word)
{
	const char *names[NR_OPTIONS], *near;
	size_t i;

	for (i = 0; i < NR_OPTIONS; i++)
		names[i] = options[i].name;
	near = config_text_near(word, names, NR_OPTIONS);
	if (near)
		return broken(e, "unknown option '%.64s': is '%s' meant?", word, near);
	return broken(e, "unknown option '%.64s': ssetab(5) lists those that are known.", word);
}

/* Several of one kind are for x-systemd.requires alone. */
static int store_value(struct ssetab_entry *e, const struct option *o, const char *value)
{
	const char **string = (const char **)((char *)e + o->string);
	const char *right = o->check(value);

	if (right)
		return broken(e, "%s takes %s, not '%s'.", o->name, right, value);
	if (string != e->requires) {
		*string = value;
		return RC_OK;
	}
	if (e->nr_requires == SSETAB_REQUIRES_MAX)
		return broken(e, "%s is there more than %d times.", o->name, SSETAB_REQUIRES_MAX);
	e->requires[e->nr_requires++] = value;
	return RC_OK;
}

static bool is_set(const struct ssetab_entry *e, const struct option *o)
{
	if (o->flag)
		return *(const bool *)((const char *)e + o->flag);
	return *(const char * const *)((const char *)e + o->string) &&
	       o->string != offsetof(struct ssetab_entry, requires);
}

/* @value: behind the "=", or NULL. */
static int take_option(struct ssetab_entry *e, const char *word, const char *value)
{
	const struct option *o;

	for (o = options; o < options + NR_OPTIONS; o++)
		if (!strcmp(word, o->name))
			break;
	if (o == options + NR_OPTIONS)
		return unknown_option(e, word);
	if (is_set(e, o))
		return broken(e, "option %s is there twice.", o->name);
	if (value && !o->string)
		return broken(e, "option %s takes no value.", o->name);
	if (!value && !o->flag)
		return broken(e, "option %s needs a value: %s=...", o->name, o->name);
	if (o->flag)
		*(bool *)((char *)e + o->flag) = true;
	return value ? store_value(e, o, value) : RC_OK;
}

/* What follows "cache=DEVICE" may be its mode: "cache=DEVICE,writeback". */
static bool take_cache_mode(struct ssetab_entry *e, const char *word)
{
	size_t i;

	for (i = 0; i < NR_CACHE_MODES; i++)
		if (!strcmp(word, cache_modes[i]))
			e->cache_mode = cache_modes[i];
	return e->cache_mode;
}

static int take_options(struct ssetab_entry *e, char *text)
{
	bool behind_cache = false;
	char *word, *value;
	int rc = RC_OK;

	if (!strcmp(text, "-") || !strcmp(text, "none") || !strcmp(text, "defaults"))
		return RC_OK;
	while (!rc && (word = strsep(&text, ","))) {
		if (behind_cache && take_cache_mode(e, word)) {
			behind_cache = false;
			continue;
		}
		if (!*word)
			return broken(e, "an option is empty: there is a comma too many.");
		value = strchr(word, '=');
		if (value)
			*value++ = '\0';
		rc = take_option(e, word, value);
		behind_cache = !strcmp(word, "cache");
	}
	return rc;
}

/* What goes together */

static int check_temp(struct ssetab_entry *e)
{
	size_t tag = tag_of(e->device);

	if (e->key_file || e->des)
		return broken(e, "a temporary disk has a random key: '-' is what it takes, not '%s'.",
			      e->key_file ? e->key_file : e->des);
	if (tag < NR_TAGS && tags[tag].of_content)
		return broken(e, "'%s' is gone when a temporary disk is made: give its path, PARTUUID= or\n"
			      "PARTLABEL=.", e->device);
	if (e->header || e->cache || e->clone || e->readonly || e->scan)
		return broken(e, "option %s is not for a temporary disk.",
			      e->header ? "header" : e->cache ? "cache" : e->clone ? "clone" :
			      e->readonly ? "read-only" : "scan");
	if (e->two_layers && (e->cipher || e->key_size))
		return broken(e, "double chooses ciphers and keys: there is no %s with it.",
			      e->cipher ? "cipher" : "size");
	if (!!e->swap + !!e->mkfs + !!e->image > 1)
		return broken(e, "swap, mkfs and image exclude each other.");
	return RC_OK;
}

static int check_together(struct ssetab_entry *e)
{
	const char *of_key = e->keyfile_offset ? "keyfile-offset" :
			     e->keyfile_size ? "keyfile-size" : NULL;

	if (of_key && !e->key_file)
		return broken(e, "%s is for a key file, which isn't there.", of_key);
	if (e->temp)
		return check_temp(e);
	if (e->swap || e->mkfs || e->image)
		return broken(e, "%s would overwrite the disk: it is for a temporary one, with temp.",
			      e->swap ? "swap" : e->mkfs ? "mkfs" : "image");
	if (e->two_layers || e->cipher || e->key_size || e->sector_size)
		return broken(e, "%s is for a temporary disk: of others the header says it.",
			      e->two_layers ? "double" : e->cipher ? "cipher" :
			      e->key_size ? "size" : "sector-size");
	if (e->cache && e->readonly)
		return broken(e, "a cache is written to, whatever is read: leave out read-only.");
	return RC_OK;
}

static int take_fields(struct ssetab_entry *e, char *text)
{
	char *field[5] = { NULL };
	size_t nr = 0;
	char *word;
	int rc;

	while (nr < 5 && (word = strsep(&text, BLANKS)))
		if (*word)
			field[nr++] = word;
	rc = take_name(e, field[0]);
	if (rc)
		return rc;
	if (nr < 2)
		return broken(e, "there is no device behind the name '%s'.", field[0]);
	if (nr > 4)
		return broken(e, "there is '%.64s' behind the options: they have commas between them, and no\n"
			      "blanks.", field[4]);
	rc = take_device(e, field[1]);
	if (!rc && nr > 2)
		rc = take_key(e, field[2]);
	if (!rc && nr > 3)
		rc = take_options(e, field[3]);
	return rc ? rc : check_together(e);
}

/* Lines */

static struct ssetab_entry *add_entry(struct ssetab *tab, const struct config_line *line)
{
	struct ssetab_entry *grown, *e;

	grown = realloc(tab->entries, (tab->nr + 1) * sizeof(*grown));
	if (!grown)
		return NULL;
	tab->entries = grown;
	e = &grown[tab->nr];
	memset(e, 0, sizeof(*e));
	e->line = line->number;
	e->text = strndup(line->start, line->size);
	if (!e->text)
		return NULL;
	tab->nr++;
	return e;
}

/* The second one goes: what the first one opens is what the host has relied on. */
static void refuse_twice(struct ssetab *tab, struct ssetab_entry *e)
{
	const struct ssetab_entry *first;

	if (!e->name)
		return;
	for (first = tab->entries; first < e; first++) {
		if (!first->name || strcmp(first->name, e->name))
			continue;
		broken(e, "%s is in line %u already.", e->name, first->line);
		e->name = NULL;
		return;
	}
}

static bool is_comment(const struct config_line *line)
{
	size_t i = 0;

	while (i < line->size && strchr(BLANKS, line->start[i]))
		i++;
	return i == line->size || line->start[i] == '#';
}

int ssetab_parse(const char *text, size_t size, struct ssetab *tab, struct reason *why)
{
	struct config_text t;
	struct config_line line;
	struct reason bad;
	struct ssetab_entry *e;
	bool ok;

	memset(tab, 0, sizeof(*tab));
	config_text_start(&t, text, size);
	while (t.next < t.end) {
		ok = config_text_line(&t, &line, &bad);
		if (ok && is_comment(&line))
			continue;
		e = add_entry(tab, &line);
		if (!e) {
			ssetab_free(tab);
			return reason_nomem(why);
		}
		if (ok)
			take_fields(e, e->text);
		else
			e->why = bad;
		refuse_twice(tab, e);
	}
	return RC_OK;
}

int ssetab_load(struct ssetab *tab, struct reason *why)
{
	bool missing;
	size_t size;
	char *text;
	int rc;

	memset(tab, 0, sizeof(*tab));
	rc = files_read(PATH_SSETAB, FILES_ROOTS, SSETAB_MAX, &text, &size, &missing, why);
	if (missing)
		return RC_OK;
	if (!rc)
		rc = ssetab_parse(text, size, tab, why);
	free(text);
	return rc;
}

void ssetab_free(struct ssetab *tab)
{
	size_t i;

	for (i = 0; i < tab->nr; i++)
		free(tab->entries[i].text);
	free(tab->entries);
	memset(tab, 0, sizeof(*tab));
}

const struct ssetab_entry *ssetab_find(const struct ssetab *tab, const char *name)
{
	size_t i;

	for (i = 0; i < tab->nr; i++)
		if (tab->entries[i].name && !strcmp(tab->entries[i].name, name))
			return &tab->entries[i];
	return NULL;
}
