// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache.h"
#include "cache_run.h"
#include "cache_session.h"

static int load_recalled(const struct cache_recalled *r, struct disk *d, struct reason *why)
{
	int rc;

	/* No key is needed: a passphrase may have opened it. */
	rc = disk_load_without_tokens(d, r->device, *r->header ? r->header : NULL, why);
	if (!rc)
		rc = disk_lock(d, why);
	if (!rc && strcmp(disk_uuid(d), r->uuid))
		rc = reason_set(why, RC_DEVICE, "%s is another disk now than the one that was open.",
				r->device);
	return rc;
}

/* Once the mappings are gone. @fd is of the cache device. */
static int note_clean(const struct cache_recalled *r, int fd, uint64_t sectors, struct reason *why)
{
	struct cache_label label;
	struct cache_note note;
	char *text = NULL;
	struct disk d;
	bool found;
	int rc;

	disk_init(&d);
	rc = load_recalled(r, &d, why);
	if (!rc)
		rc = cache_note_read(&d, &text, &note, why);
	if (!rc)
		rc = cache_label_read(fd, sectors, &label, &found, why);
	if (!rc && (!text || !found || !cache_note_fits(&note, &label)))
		rc = reason_set(why, RC_DEVICE, "The header of %.200s speaks of another cache.", d.device);
	if (!rc)
		rc = cache_session_renew(&label, &d, &note, text, why);
	if (!rc)
		rc = cache_session_end(fd, &label, &d, &note, text, why);
	free(text);
	disk_close(&d);
	return rc;
}

static int flush(const struct cache_stack *s, struct blockdev *cache, const char *path,
		 struct reason *why)
{
	/* A loop device goes with its last user: this keeps it. */
	int rc = blockdev_open(cache, path, false, true);

	return rc ? reason_said(why, rc) : cache_stack_flush(s, why);
}

int cache_close(const char *name, const struct cache_stack *s, struct reason *why)
{
	char path[PATH_MAX], file[PATH_MAX];
	struct blockdev cache = { .fd = -1 };
	struct reason gone = { 0 };
	struct cache_recalled r;
	int rc;

	blockdev_name(s->cache_major, s->cache_minor, path, sizeof(path));
	if (!blockdev_loop_is_file(s->cache_major, s->cache_minor, file, sizeof(file)))
		memcpy(file, path, sizeof(file));
	rc = flush(s, &cache, path, why);
	if (!rc)
		rc = cache_recall(&r, name, s, why);
	if (cache_stack_remove(s, rc ? &gone : why) && !rc)
		rc = why->rc;
	if (!rc)
		rc = note_clean(&r, cache.fd, cache.sectors, why);
	if (!rc) {
		cache_forget(name);
	} else {
		reason_say(&gone);
		if (*why->text)
			reason_prefix(why, "The cache of %.120s was left as it is, and the next\n"
				      "'open --cache %.120s' goes on with it", name, file);
	}
	blockdev_close(&cache);
	return rc;
}
