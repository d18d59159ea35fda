// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "blockdev.h"
#include "clone.h"
#include "copy_destination.h"
#include "new_disk.h"
#include "policy.h"

#define SECTOR_BYTES	4096

/*
 * @note NULL removes it. The header is read anew each time: a rotation may have
 * changed it meanwhile.
 */
static int write_note(const struct copy_destination *d, const struct copy_note *note,
		      struct reason *why)
{
	char *json = NULL;
	struct disk disk;
	int rc;

	if (note) {
		json = copy_note_format(note);
		if (!json)
			return reason_nomem(why);
	}
	disk_init(&disk);
	rc = disk_load(&disk, d->path, d->header, why);
	if (!rc)
		rc = disk_lock(&disk, why);
	if (!rc)
		rc = meta_note_set(disk.layer[disk.nr_layers - 1].meta, COPY_NOTE_TYPE, json, why);
	disk_close(&disk);
	free(json);
	return rc;
}

int copy_destination_note(struct copy_destination *d, uint64_t done, struct reason *why)
{
	d->note.copied = done;
	return write_note(d, &d->note, why);
}

int copy_destination_finish(struct copy_destination *d, struct reason *why)
{
	return write_note(d, NULL, why);
}

/* Is there an unfinished copy, and of what? A header that can't be read has none. */
static bool find_note(const struct copy_destination *d, struct copy_note *note)
{
	struct meta *meta = NULL;
	struct reason ignored;
	bool header, found;
	char *json = NULL;

	found = !meta_load(&meta, d->path, d->header, &header, &ignored) &&
		!meta_note_get(meta, COPY_NOTE_TYPE, &json, &ignored) && json &&
		!copy_note_parse(json, note, &ignored);
	free(json);
	meta_free(&meta);
	return found;
}

/* Has a new disk of this kind room for the data? */
static int check_room(const struct copy_destination *d, const struct format_params *p,
		      const struct copy_note *source, struct reason *why)
{
	uint64_t headers = p->header ? 0 : p->pair ? 2 : 1, sectors, room;
	int rc;

	rc = blockdev_look(d->path, true, &sectors);
	if (rc)
		return reason_said(why, rc);
	/* That it isn't smaller than its headers was checked. */
	room = (sectors - headers * META_HEADER_SECTORS) * SECTOR_SIZE;
	room = room / SECTOR_BYTES * SECTOR_BYTES;
	if (room >= source->size)
		return RC_OK;
	return reason_set(why, RC_DEVICE,
		"Destination %s has room for %" PRIu64 " bytes of data%s, the source has %" PRIu64 ".",
		d->path, room, p->header ? "" : headers > 1 ? " behind its headers" : " behind its header",
		source->size);
}

/* @agreed: to overwrite it, when this copy was begun the first time. */
static int make_disk(struct copy_destination *d, const struct options *o, struct des_keys *dk,
		     const struct copy_note *source, bool agreed, struct disk *made,
		     struct reason *why)
{
	struct format_params p = {
		.device = d->path,
		.header = d->header,
		.dk = dk,
		.sector_size = SECTOR_BYTES,
		.recovery_key = opt_given(o, OPT_RECOVERY_KEY),
		.note_type = COPY_NOTE_TYPE,
	};
	char *note;
	int rc;

	d->note = *source;
	rc = new_disk_check(o, &p, why);
	if (!rc)
		rc = check_room(d, &p, source, why);
	if (!rc && !agreed)
		rc = new_disk_confirm(o, &p, why);
	if (rc)
		return rc;
	note = copy_note_format(&d->note);
	if (!note)
		return reason_nomem(why);
	p.note = note;
	rc = new_disk_make(&p, made, why);
	free(note);
	if (rc)
		return rc;
	d->note.formatted = true;
	return write_note(d, &d->note, why);
}

/* The same command again is what goes on; another one is a mistake somewhere. */
static int check_wish(const struct copy_destination *d, const struct options *o,
		      const struct disk *disk, struct reason *why)
{
	const char *set = o->str[OPT_DES];

	if (set && strcmp(set, disk->des))
		return reason_set(why, RC_PARAM,
			"The unfinished copy on %s was begun for disk encryption set %s, not for %s.",
			d->path, disk->des, set);
	if (opt_given(o, OPT_DOUBLE) && disk->nr_layers == 1)
		return reason_set(why, RC_PARAM,
			"The unfinished copy on %s was begun with one layer, without --double.", d->path);
	if (opt_given(o, OPT_RECOVERY_KEY))
		diag_warn("The copy was begun earlier: if it has a recovery key, that was shown then.");
	return RC_OK;
}

static int begin(struct copy_destination *d, const struct options *o,
		 const struct copy_note *source, bool agreed, struct disk *disk,
		 struct reason *why)
{
	char set[DES_NAME_MAX];
	struct des_keys dk;
	int rc;

	rc = policy_default_des(o->str[OPT_DES], set, why);
	if (!rc)
		rc = des_keys_open(&dk, set, why);
	if (rc)
		return rc;
	rc = make_disk(d, o, &dk, source, agreed, disk, why);
	if (!rc)
		rc = hidden_open(&d->map, disk, &dk, false, why);
	des_keys_close(&dk);
	return rc;
}

static int go_on(struct copy_destination *d, const struct options *o, struct disk *disk,
		 struct reason *why)
{
	struct des_keys dk;
	uint64_t sectors;
	int rc;

	rc = blockdev_look(d->path, true, &sectors);
	if (rc)
		return reason_said(why, rc);
	rc = disk_load(disk, d->path, d->header, why);
	if (!rc)
		rc = check_wish(d, o, disk, why);
	if (!rc)
		rc = disk_open_keys(disk, &dk, why);
	if (rc)
		return rc;
	rc = des_keys_usable(&dk, why);
	if (!rc)
		rc = disk_unlock(disk, &dk, why);
	if (!rc)
		rc = hidden_open(&d->map, disk, &dk, false, why);
	des_keys_close(&dk);
	return rc;
}

/*
 * Under another name it is the disk that the copy was begun of, unless that one is
 * still there: then this is a clone of it, which may have other data.
 */
static bool same_source(const struct copy_note *note, const struct copy_note *source)
{
	if (!copy_note_same_source(note, source))
		return false;
	return !*source->uuid || blockdev_same(note->source, source->source) ||
	       !clone_has_uuid(note->source, "", source->uuid);
}

int copy_destination_open(struct copy_destination *d, const struct options *o, const char *path,
			  const struct copy_note *source, struct reason *why)
{
	struct disk disk;
	bool mine;
	int rc;

	memset(d, 0, sizeof(*d));
	d->path = path;
	d->header = o->str[OPT_HEADER];
	hidden_init(&d->map);
	disk_init(&disk);
	mine = find_note(d, &d->note) && same_source(&d->note, source);
	if (mine && d->note.formatted)
		rc = go_on(d, o, &disk, why);
	else
		rc = begin(d, o, source, mine, &disk, why);
	if (!rc) {
		memcpy(d->des, disk.des, sizeof(d->des));
		snprintf(d->uuid, sizeof(d->uuid), "%s", disk_uuid(&disk));
	}
	disk_close(&disk);
	return rc;
}

void copy_destination_close(struct copy_destination *d)
{
	hidden_close(&d->map);
}
