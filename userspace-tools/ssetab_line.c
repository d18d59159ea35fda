// SPDX-License-Identifier: GPL-2.0-only
/*
 * A line to an entry: its fields, and what goes together.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "des.h"
#include "ssetab_internal.h"
#include "unit_name.h"

int ssetab_broken(struct ssetab_entry *e, const char *fmt, ...)
{
	char text[sizeof(e->why.text)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return reason_set(&e->why, RC_PARAM, "line %u: %.480s", e->line, text);
}

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
		return ssetab_broken(e,
			"'%s' can't be the name of a mapping: 1 to 127 letters, digits and\n"
			"any of #+-.:=@_, but none of '-' and '.' in front.", name);
	e->name = name;
	if (!unit_name_escape("blockdev@dev-mapper-", name, ".target", unit)) {
		e->name = NULL;
		return ssetab_broken(e, "the name '%s' is too long for a unit of systemd's.", name);
	}
	return RC_OK;
}

static int take_device(struct ssetab_entry *e, const char *device)
{
	char path[PATH_MAX], unit[UNIT_NAME_SIZE];

	if (!ssetab_device_ok(device))
		return ssetab_broken(e,
			"'%s' is no device: a path from the root without '..', UUID=, LABEL=,\n"
			"PARTUUID= or PARTLABEL= is.", device);
	if (!ssetab_device_path(device, path) ||
	    (ssetab_is_device(path) && !unit_name_of_path(path, ".device", unit)))
		return ssetab_broken(e,
			"device '%s' has a name that is too long for a unit of systemd's.", device);
	e->device = device;
	return RC_OK;
}

static int take_key(struct ssetab_entry *e, const char *key)
{
	if (!strcmp(key, "-") || !strcmp(key, "none"))
		return RC_OK;
	if (key[0] == '/') {
		if (!ssetab_path_ok(key))
			return ssetab_broken(e,
				"'%s' is no key file: it takes a path without '..'.", key);
		e->key_file = key;
	} else if (des_name_ok(key)) {
		e->des = key;
	} else {
		return ssetab_broken(e,
			"'%s' is neither a key file, nor the name of a disk encryption set, nor '-'.",
			key);
	}
	return RC_OK;
}

static int check_temp(struct ssetab_entry *e)
{
	if (e->key_file || e->des)
		return ssetab_broken(e,
			"a temporary disk has a random key: '-' is what it takes, not '%s'.",
			e->key_file ? e->key_file : e->des);
	if (ssetab_device_of_content(e->device))
		return ssetab_broken(e,
			"'%s' is gone when a temporary disk is made: give its path, PARTUUID= or\n"
			"PARTLABEL=.", e->device);
	if (e->header || e->cache || e->clone || e->readonly || e->scan)
		return ssetab_broken(e, "option %s is not for a temporary disk.",
				     e->header ? "header" : e->cache ? "cache" : e->clone ? "clone" :
				     e->readonly ? "read-only" : "scan");
	if (e->two_layers && (e->cipher || e->key_size))
		return ssetab_broken(e, "double chooses ciphers and keys: there is no %s with it.",
				     e->cipher ? "cipher" : "size");
	if (!!e->swap + !!e->mkfs + !!e->image > 1)
		return ssetab_broken(e, "swap, mkfs and image exclude each other.");
	return RC_OK;
}

static int check_together(struct ssetab_entry *e)
{
	const char *of_key = e->keyfile_offset ? "keyfile-offset" :
			     e->keyfile_size ? "keyfile-size" : NULL;

	if (of_key && !e->key_file)
		return ssetab_broken(e, "%s is for a key file, which isn't there.", of_key);
	if (e->temp)
		return check_temp(e);
	if (e->swap || e->mkfs || e->image)
		return ssetab_broken(e,
			"%s would overwrite the disk: it is for a temporary one, with temp.",
			e->swap ? "swap" : e->mkfs ? "mkfs" : "image");
	if (e->two_layers || e->cipher || e->key_size || e->sector_size)
		return ssetab_broken(e, "%s is for a temporary disk: of others the header says it.",
				     e->two_layers ? "double" : e->cipher ? "cipher" :
				     e->key_size ? "size" : "sector-size");
	if (e->cache && e->readonly)
		return ssetab_broken(e,
			"a cache is written to, whatever is read: leave out read-only.");
	return RC_OK;
}

int ssetab_take_fields(struct ssetab_entry *e, char *text)
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
		return ssetab_broken(e, "there is no device behind the name '%s'.", field[0]);
	if (nr > 4)
		return ssetab_broken(e,
			"there is '%.64s' behind the options: they have commas between them, and no\n"
			"blanks.", field[4]);
	rc = take_device(e, field[1]);
	if (!rc && nr > 2)
		rc = take_key(e, field[2]);
	if (!rc && nr > 3)
		rc = ssetab_take_options(e, field[3]);
	return rc ? rc : check_together(e);
}
