// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache_session.h"
#include "des_state.h"
#include "registry.h"

struct meta *cache_note_meta(const struct disk *d)
{
	return d->layer[d->nr_layers - 1].meta;
}

int cache_note_read(const struct disk *d, char **text, struct cache_note *note,
		    struct reason *why)
{
	int rc;

	memset(note, 0, sizeof(*note));
	rc = meta_note_get(cache_note_meta(d), CACHE_NOTE_TYPE, text, why);
	return rc || !*text ? rc : cache_note_parse(*text, note, why);
}

int cache_note_write(const struct disk *d, const struct cache_note *note, const char *old,
		     struct reason *why)
{
	char *text = cache_note_format(note, old);
	int rc;

	if (!text)
		return reason_nomem(why);
	rc = meta_note_set(cache_note_meta(d), CACHE_NOTE_TYPE, text, why);
	free(text);
	return rc;
}

int cache_session_begin(struct cache *c, const struct disk *d, struct reason *why)
{
	struct cache_note note = {
		.mode = c->mode,
		.dirty = c->mode != CACHE_WRITETHROUGH,
	};
	char place[PATH_MAX];
	int rc;

	blockdev_absolute(c->path, note.device, sizeof(note.device));
	rc = registry_stable_name(d->device, place, sizeof(place), why);
	if (rc)
		return rc;
	snprintf(note.disk, sizeof(note.disk), "%.*s", (int)sizeof(note.disk) - 1, place);
	memcpy(note.previous, c->label.session, sizeof(note.previous));
	c->was_dirty = c->label.dirty;
	rc = des_new_id(note.session, why);
	if (!rc)
		rc = cache_note_write(d, &note, c->note_text, why);
	if (rc)
		return reason_prefix(why, "A cache is noted in the disk's header");
	c->begun = true;
	c->note = note;
	c->label.dirty = note.dirty;
	memcpy(c->label.session, note.session, sizeof(c->label.session));
	return cache_label_write(c->device.fd, &c->label, why);
}

int cache_session_renew(struct cache_label *label, const struct disk *d,
			struct cache_note *note, const char *old, struct reason *why)
{
	int rc;

	memcpy(note->previous, label->session, sizeof(note->previous));
	rc = des_new_id(note->session, why);
	if (!rc)
		rc = cache_note_write(d, note, old, why);
	if (!rc)
		memcpy(label->session, note->session, sizeof(label->session));
	return rc;
}

int cache_session_end(int fd, struct cache_label *label, const struct disk *d,
		      struct cache_note *note, const char *old, struct reason *why)
{
	int rc;

	label->dirty = false;
	rc = cache_label_write(fd, label, why);
	if (rc)
		return rc;
	memcpy(note->session, label->session, sizeof(note->session));
	note->previous[0] = '\0';
	note->dirty = false;
	note->restored = false;
	return cache_note_write(d, note, old, why);
}
