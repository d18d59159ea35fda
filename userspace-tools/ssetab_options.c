// SPDX-License-Identifier: GPL-2.0-only
/*
 * The fourth field of a line: the options that there are, and their values.
 */
#include <string.h>

#include "config_text.h"
#include "ssetab_internal.h"
#include "unit_name.h"

static const char *take_path(const char *value)
{
	return ssetab_path_ok(value) ? NULL : "a path from the root without '..'";
}

static const char *take_any_device(const char *value)
{
	return ssetab_device_ok(value) ? NULL : "a path, UUID=, LABEL=, PARTUUID= or PARTLABEL=";
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
	return (value[0] == '/' ? ssetab_path_ok(value) : unit_name_valid(value)) ? NULL :
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
		return ssetab_broken(e, "unknown option '%.64s': is '%s' meant?", word, near);
	return ssetab_broken(e, "unknown option '%.64s': ssetab(5) lists those that are known.", word);
}

/* Several of one kind are for x-systemd.requires alone. */
static int store_value(struct ssetab_entry *e, const struct option *o, const char *value)
{
	const char **string = (const char **)((char *)e + o->string);
	const char *right = o->check(value);

	if (right)
		return ssetab_broken(e, "%s takes %s, not '%s'.", o->name, right, value);
	if (string != e->requires) {
		*string = value;
		return RC_OK;
	}
	if (e->nr_requires == SSETAB_REQUIRES_MAX)
		return ssetab_broken(e, "%s is there more than %d times.", o->name, SSETAB_REQUIRES_MAX);
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
		return ssetab_broken(e, "option %s is there twice.", o->name);
	if (value && !o->string)
		return ssetab_broken(e, "option %s takes no value.", o->name);
	if (!value && !o->flag)
		return ssetab_broken(e, "option %s needs a value: %s=...", o->name, o->name);
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

int ssetab_take_options(struct ssetab_entry *e, char *text)
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
			return ssetab_broken(e, "an option is empty: there is a comma too many.");
		value = strchr(word, '=');
		if (value)
			*value++ = '\0';
		rc = take_option(e, word, value);
		behind_cache = !strcmp(word, "cache");
	}
	return rc;
}
