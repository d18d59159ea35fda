// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <unistd.h>

#include "blockdev.h"
#include "cache_run.h"
#include "json_file.h"
#include "paths.h"

static void run_file(const char *name, char *path, size_t size)
{
	snprintf(path, size, PATH_RUN "/cache-%.127s.json", name);
}

int cache_remember(const struct disk *d, const char *name, struct reason *why)
{
	char path[sizeof(PATH_RUN) + 160];
	struct json_object *object = json_object_new_object();
	int rc;

	run_file(name, path, sizeof(path));
	if (!object || !json_put_text(object, "device", d->device) ||
	    !json_put_text(object, "header", d->header) ||
	    !json_put_text(object, "uuid", disk_uuid(d)))
		rc = reason_nomem(why);
	else
		rc = json_write_file(path, object, why);
	json_object_put(object);
	return rc;
}

int cache_recall(struct cache_recalled *r, const char *name, const struct cache_stack *s,
		 struct reason *why)
{
	char path[sizeof(PATH_RUN) + 160];
	struct json_object *object;
	bool missing, ok;
	int rc;

	run_file(name, path, sizeof(path));
	rc = json_read_file(path, &object, &missing, why);
	if (rc)
		return rc;
	ok = json_get_text(object, "device", r->device, sizeof(r->device)) &&
	     json_get_text(object, "header", r->header, sizeof(r->header)) &&
	     json_get_text(object, "uuid", r->uuid, sizeof(r->uuid)) && *r->device;
	json_object_put(object);
	if (!ok)
		return reason_set(why, RC_PARAM, "%s is damaged.", path);
	/* The path may be a clone's by now, which has the same note. */
	if (!blockdev_is(r->device, s->disk_major, s->disk_minor))
		blockdev_name(s->disk_major, s->disk_minor, r->device, sizeof(r->device));
	return RC_OK;
}

void cache_forget(const char *name)
{
	char path[sizeof(PATH_RUN) + 160];

	run_file(name, path, sizeof(path));
	unlink(path);
}
