// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "blockdev.h"
#include "cache_stack.h"
#include "lease.h"
#include "monitor.h"
#include "number.h"
#include "opened.h"
#include "ssesetup.h"
#include "temp.h"

static void read_cache(struct monitor_disk *d)
{
	struct reason unknown;
	unsigned int major, minor;

	if (!d->table.device || sscanf(d->table.device, "%u:%u", &major, &minor) != 2)
		return;
	d->cached = cache_stack_find(major, minor, &d->cache);
	if (d->cached)
		d->cache_understood = !cache_stack_status(&d->cache, &d->cache_status, &unknown);
}

static void read_mapping(const char *name, const struct dm_mapping *m, struct monitor_disk *d)
{
	memset(d, 0, sizeof(*d));
	snprintf(d->name, sizeof(d->name), "%s", name);
	memcpy(d->uuid, m->uuid, sizeof(d->uuid));
	d->suspended = m->suspended;
	d->readonly = m->readonly;
	d->in_use = m->in_use;
	d->deferred_remove = m->deferred_remove;
	d->size = m->size;
	if (table_parse(m->table, &d->table))
		snprintf(d->problem, sizeof(d->problem), "its table isn't understood");
	else if (info_parse(m->info, &d->info))
		snprintf(d->problem, sizeof(d->problem), "its status isn't understood");
	if (*d->problem)
		diag_warn("Device %s is left out in part: %s.", d->name, d->problem);
	read_cache(d);
}

void monitor_read(const char *name, const struct dm_mapping *m, struct monitor_disk *d)
{
	struct reason unknown;

	read_mapping(name, m, d);
	d->temporary = temp_is(m);
	if (!lease_is_ours(m) || opened_find(name, m, &d->known, &unknown))
		memset(&d->known, 0, sizeof(d->known));
}

void monitor_release(struct monitor_disk *d)
{
	table_free(&d->table);
	info_free(&d->info);
}

struct listing {
	struct monitor_disk *list;
	size_t nr;
};

static int add(const char *name, const struct dm_mapping *m, void *arg)
{
	struct listing *l = arg;
	struct monitor_disk *more;

	/* By powers of two: a thousand disks are copied ten times. */
	if (!(l->nr & (l->nr - 1))) {
		more = reallocarray(l->list, l->nr ? 2 * l->nr : 1, sizeof(*more));
		if (!more)
			return ENOMEM;
		l->list = more;
	}
	monitor_read(name, m, &l->list[l->nr++]);
	return 0;
}

static int by_name(const void *a, const void *b)
{
	const struct monitor_disk *one = a, *other = b;

	return strcmp(one->name, other->name);
}

int monitor_list(struct monitor_disk **list, size_t *nr, struct reason *why)
{
	struct listing l = { 0 };
	int err;

	*list = NULL;
	*nr = 0;
	err = dm_each(add, &l);
	if (err) {
		monitor_free(l.list, l.nr);
		return reason_set(why, err == ENOMEM ? RC_NOMEM : RC_DEVICE,
				  "The open devices can't be listed: %s.", strerror(err));
	}
	if (l.nr)
		qsort(l.list, l.nr, sizeof(*l.list), by_name);
	*list = l.list;
	*nr = l.nr;
	return RC_OK;
}

void monitor_free(struct monitor_disk *list, size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++)
		monitor_release(&list[i]);
	free(list);
}

void monitor_type(const struct monitor_disk *d, char *type, size_t size)
{
	size_t prefix = strlen(DMSSE_UUID_PREFIX);

	*type = '\0';
	if (!strncmp(d->uuid, DMSSE_UUID_PREFIX, prefix))
		snprintf(type, size, "%.*s", (int)strcspn(d->uuid + prefix, "-"), d->uuid + prefix);
}

const char *monitor_key_version(const struct monitor_disk *d, unsigned int layer)
{
	return layer ? d->known.outer_key_version : d->known.key_version;
}

bool monitor_below(const struct monitor_disk *d, unsigned int *major, unsigned int *minor)
{
	if (!d->cached)
		return d->table.device && sscanf(d->table.device, "%u:%u", major, minor) == 2;
	*major = d->cache.disk_major;
	*minor = d->cache.disk_minor;
	return true;
}

void monitor_device(const struct monitor_disk *d, char *name, size_t size)
{
	unsigned int major, minor;

	if (monitor_below(d, &major, &minor))
		blockdev_name(major, minor, name, size);
	else
		snprintf(name, size, "%s", d->table.device ? d->table.device : "");
}

bool monitor_number(const struct monitor_disk *d, const char *word, uint64_t *number)
{
	const char *value = info_word(&d->info, word);

	return value && number_parse(value, UINT64_MAX, number);
}
