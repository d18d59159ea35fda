// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proc_keys.h"

struct proc_keys_row {
	struct key_info info;
	char type[KEY_TYPE_MAX];
	char *desc;
};

static bool parse(char *line, struct proc_key *pk)
{
	char flags[16], expires[16], *desc, *colon;
	unsigned int id, perm, uid, gid;
	int usage, at = 0;

	memset(pk, 0, sizeof(*pk));
	pk->info.bytes = -1;
	if (sscanf(line, "%x %15s %d %15s %x %u %u %15s %n", &id, flags, &usage, expires, &perm,
		   &uid, &gid, pk->type, &at) != 8)
		return false;
	pk->info.serial = (int32_t)id;
	line[strcspn(line, "\n")] = '\0';
	desc = line + at;
	/* Of other types the number behind the description is something else. */
	colon = strrchr(desc, ':');
	if (colon && (!strcmp(pk->type, "user") || !strcmp(pk->type, "logon")))
		sscanf(colon, ": %" SCNd64, &pk->info.bytes);
	if (colon && colon[1] == ' ')
		*colon = '\0';
	snprintf(pk->desc, sizeof(pk->desc), "%s", desc);
	pk->info.revoked = flags[1] == 'R';
	if (pk->info.revoked)
		pk->info.bytes = -1;
	snprintf(pk->info.expires, sizeof(pk->info.expires), "%s",
		 !strcmp(expires, "perm") ? "never" :
		 !strcmp(expires, "expd") ? "expired" : expires);
	return true;
}

/* Calls @fn for each key until it returns true. */
static bool each(bool (*fn)(const struct proc_key *pk, void *arg), void *arg)
{
	char line[KEY_DESC_MAX + 256];
	struct proc_key pk;
	bool done = false;
	FILE *f;

	f = fopen("/proc/keys", "re");
	while (f && !done && fgets(line, sizeof(line), f))
		done = parse(line, &pk) && fn(&pk, arg);
	if (f)
		fclose(f);
	return done;
}

static void know_nothing(int32_t serial, struct proc_key *pk)
{
	memset(pk, 0, sizeof(*pk));
	pk->info.serial = serial;
	pk->info.bytes = -1;
	snprintf(pk->info.expires, sizeof(pk->info.expires), "?");
}

static bool take_wanted(const struct proc_key *pk, void *arg)
{
	struct proc_key *wanted = arg;

	if (pk->info.serial != wanted->info.serial)
		return false;
	*wanted = *pk;
	return true;
}

bool proc_keys_find(int32_t serial, struct proc_key *pk)
{
	know_nothing(serial, pk);
	return each(take_wanted, pk);
}

/* A key for which there is no memory is as one that isn't there. */
static bool add_row(const struct proc_key *pk, void *arg)
{
	struct proc_keys *keys = arg;
	struct proc_keys_row *row;

	/* By powers of two: a thousand keys are copied ten times. */
	if (!(keys->nr & (keys->nr - 1))) {
		row = reallocarray(keys->row, keys->nr ? 2 * keys->nr : 1, sizeof(*row));
		if (!row)
			return true;
		keys->row = row;
	}
	row = &keys->row[keys->nr];
	row->info = pk->info;
	memcpy(row->type, pk->type, sizeof(row->type));
	row->desc = strdup(pk->desc);
	if (!row->desc)
		return true;
	keys->nr++;
	return false;
}

static int by_serial(const void *a, const void *b)
{
	const struct proc_keys_row *one = a, *other = b;

	return (one->info.serial > other->info.serial) - (one->info.serial < other->info.serial);
}

bool proc_keys_look(struct proc_keys *keys, int32_t serial, struct proc_key *pk)
{
	const struct proc_keys_row wanted = { .info.serial = serial }, *row = NULL;

	if (!keys->read) {
		keys->read = true;
		each(add_row, keys);
		if (keys->nr)
			qsort(keys->row, keys->nr, sizeof(*keys->row), by_serial);
	}
	know_nothing(serial, pk);
	if (keys->nr)
		row = bsearch(&wanted, keys->row, keys->nr, sizeof(*keys->row), by_serial);
	if (!row)
		return false;
	pk->info = row->info;
	memcpy(pk->type, row->type, sizeof(pk->type));
	snprintf(pk->desc, sizeof(pk->desc), "%s", row->desc);
	return true;
}

void proc_keys_free(struct proc_keys *keys)
{
	size_t i;

	for (i = 0; i < keys->nr; i++)
		free(keys->row[i].desc);
	free(keys->row);
	memset(keys, 0, sizeof(*keys));
}
