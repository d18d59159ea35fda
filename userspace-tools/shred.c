// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "blockdev.h"
#include "cache_note.h"
#include "header_place.h"
#include "inplace.h"
#include "opened.h"
#include "shred.h"

#define MIB	(UINT64_C(1) << 20)

/*
 * What a header takes at most that cryptsetup or we have made. Overwriting more
 * than a header has does no harm: the data behind it are lost with it.
 */
#define HEADER_MOST	(16 * MIB)
/* By how much an encryption in place moves data, from a header's length on and doubled. */
#define SHIFT_MOST	(128 * MIB)
/* The two copies of the smallest header, for one that can't be read any more. */
#define COPIES_LEAST	(32 * UINT64_C(1024))

/*
 * The shift of an encryption in place that was cut off when it was begun; 0: there is
 * none, or none that is known of.
 */
static uint64_t shift_of_begin(const char *path)
{
	enum place_state state;
	char uuid[UUID_TEXT_SIZE];
	struct reason ignored;
	uint64_t shift;

	for (shift = PLACE_HEADER_BYTES; shift <= SHIFT_MOST; shift *= 2)
		if (!place_look(path, shift, &state, uuid, &ignored) && state != PLACE_NOTHING)
			return shift;
	return 0;
}

/* What is at the begin of the device was about to be overwritten. */
static int refuse_nothing(const char *path, struct reason *why)
{
	uint64_t shift = shift_of_begin(path);

	if (!shift)
		return reason_set(why, RC_DEVICE,
			"There is no LUKS2 header on %.400s, nor anything of one: it has no keys to destroy.",
			path);
	if (place_moved_header(path, shift))
		return RC_OK;
	return reason_set(why, RC_DEVICE,
		"An encryption in place of %.300s was begun and cut off: the data are plain, and no key is of any use.\n"
		"'ssesetup encrypt' goes on with it.", path);
}

static int refuse_others(const char *path, struct reason *why)
{
	if (access(path, F_OK))
		return reason_set(why, RC_DEVICE, "%.400s: %s.", path, strerror(errno));
	switch (meta_remains(path)) {
	case META_LUKS1:
		return reason_set(why, RC_DEVICE,
			"%.400s has a header of LUKS1: 'cryptsetup erase' is for it.", path);
	case META_NOTHING:
		return refuse_nothing(path, why);
	default:
		return RC_OK;
	}
}

static bool is_inner_of(const char *path, const char *header)
{
	char inner[PATH_MAX];

	snprintf(inner, sizeof(inner), "%.4000s.inner", header);
	return blockdev_same(path, inner);
}

static bool is_header_of(const char *path, const struct known_disk *known)
{
	return *known->header && (blockdev_same(path, known->header) ||
				  is_inner_of(path, known->header));
}

/* A header elsewhere, which nobody holds while its disk is open, */
static int refuse_open(const char *path, struct reason *why)
{
	struct opened *list;
	size_t nr, i;
	int rc;

	rc = opened_list(&list, &nr, why);
	if (rc)
		return rc;
	for (i = 0; i < nr && !rc; i++)
		if (is_header_of(path, &list[i].known))
			rc = reason_set(why, RC_BUSY,
				"%.200s is the header of %.120s, which is open as %s: close it first.",
				path, list[i].known.device, list[i].mapping);
	free(list);
	return rc;
}

/* ... or is encrypted in place. */
static int refuse_in_place(const char *path, struct reason *why)
{
	struct known_disk *list;
	struct reason unknown;
	size_t nr, i;
	int rc, fd;

	rc = registry_list(NULL, &list, &nr, why);
	if (rc)
		return rc;
	for (i = 0; i < nr && rc != RC_BUSY; i++) {
		if (!is_header_of(path, &list[i]))
			continue;
		rc = inplace_lock(list[i].device, &fd, &unknown);
		if (fd >= 0)
			close(fd);
	}
	free(list);
	if (rc != RC_BUSY)
		return RC_OK;
	*why = unknown;
	return rc;
}

static struct shred_part *add_part(struct shred *s, const char *path)
{
	struct shred_part *part = &s->part[s->nr_parts++];

	snprintf(part->path, sizeof(part->path), "%s", path);
	return part;
}

/* Where a header is that can't be loaded, but of which something is there. */
static void assume_extent(struct shred_part *part)
{
	part->extent.copies = COPIES_LEAST;
	part->extent.header = HEADER_MOST;
	/* An inner header may begin anywhere up to there. */
	part->extent.data = HEADER_MOST;
	part->inner = true;
	diag_warn("The header of %s can't be read: it is taken to be as large as headers are.", part->path);
}

/*
 * An encryption in place that isn't over has copies near the device's end: of the
 * header that it puts there, and of the first piece, which may be the header of a
 * layer within. Where the header doesn't say by how much, it may have been cut off
 * when it was begun.
 */
static void find_copies(const struct shred *s, struct shred_part *part, struct meta *meta)
{
	if (*s->header)
		return;
	part->shift = meta ? meta_data_shift(meta) * SECTOR_SIZE : 0;
	if (!part->shift)
		part->shift = shift_of_begin(part->path);
	part->moved = part->shift && place_moved_header(part->path, part->shift);
}

/* One whose tokens tell too little, or an inner one by itself. */
static void measure(struct shred *s, struct shred_part *part)
{
	struct meta *meta = NULL;
	struct reason ignored;
	bool found;

	if (!meta_load(&meta, part->path, NULL, &found, &ignored) &&
	    !meta_extent(meta, &part->extent, &ignored)) {
		part->inner = part->extent.data != 0;
		if (!*s->uuid)
			snprintf(s->uuid, sizeof(s->uuid), "%s", meta_uuid(meta));
	} else {
		assume_extent(part);
	}
	find_copies(s, part, meta);
	meta_free(&meta);
}

/* Of a disk that can't be read any more, the register may know. */
static void ask_register(struct shred *s)
{
	struct known_disk known;
	struct reason ignored;

	if (registry_find(s->device, s->header, &known, &ignored))
		return;
	snprintf(s->uuid, sizeof(s->uuid), "%s", known.uuid);
	memcpy(s->des, known.des, sizeof(s->des));
}

static void find_cache(struct shred *s, struct meta *meta)
{
	struct cache_note note;
	struct reason ignored;
	char *text = NULL;

	if (!meta_note_get(meta, CACHE_NOTE_TYPE, &text, &ignored) && text &&
	    !cache_note_parse(text, &note, &ignored))
		memcpy(s->cache, note.device, sizeof(s->cache));
	free(text);
}

/* What was encrypted, or was to be, only in part. */
static void warn_of_plaintext(const struct shred *s, struct meta *meta)
{
	struct meta_segment segment;
	struct reason why;

	if (meta_segment(meta, &segment, &why))
		diag_warn("%s\nWhat of the data of %s isn't encrypted stays readable.", why.text, s->device);
}

static int identify(struct shred *s, struct shred_part *part, bool lock, struct reason *why)
{
	const char *header = *s->header ? s->header : NULL;
	struct disk *d = &s->disk;
	struct reason ignored;
	struct meta *outer;
	int rc;

	rc = disk_load(d, s->device, header, &ignored);
	if (!rc && lock) {
		rc = disk_lock(d, why);
		if (rc)
			return rc;
	}
	outer = rc ? NULL : d->layer[d->nr_layers - 1].meta;
	if (outer && !meta_extent(outer, &part->extent, &ignored)) {
		part->inner = d->nr_layers > 1 && part->extent.data;
		snprintf(s->uuid, sizeof(s->uuid), "%s", disk_uuid(d));
		memcpy(s->des, d->des, sizeof(s->des));
		find_copies(s, part, outer);
		find_cache(s, outer);
		warn_of_plaintext(s, outer);
		return RC_OK;
	}
	measure(s, part);
	if (!*s->uuid)
		ask_register(s);
	return RC_OK;
}

/* FILE.inner goes with FILE: of a detached header, or of a backup. */
static int find_inner_file(struct shred *s, struct reason *why)
{
	const struct shred_part *outer = &s->part[0];
	struct shred_part *inner;
	char path[PATH_MAX];
	struct stat st;

	if (stat(outer->path, &st) || !S_ISREG(st.st_mode))
		return RC_OK;
	snprintf(path, sizeof(path), "%.4000s.inner", outer->path);
	if (meta_remains(path) != META_LUKS2) {
		if (*s->header && s->disk.nr_layers > 1)
			diag_warn("There is no inner header in %s: if it was moved, shred it where it is.", path);
		return RC_OK;
	}
	inner = add_part(s, path);
	measure(s, inner);
	inner->inner = false;
	return overwrite_open(&inner->overwrite, path, why);
}

int shred_prepare(struct shred *s, const char *device, const char *header, bool lock,
		  struct reason *why)
{
	struct shred_part *part;
	int rc;

	memset(s, 0, sizeof(*s));
	s->in_place = -1;
	disk_init(&s->disk);
	blockdev_absolute(device, s->device, sizeof(s->device));
	if (header)
		blockdev_absolute(header, s->header, sizeof(s->header));
	part = add_part(s, header ? header : device);
	rc = refuse_others(part->path, why);
	if (!rc)
		rc = inplace_lock(device, &s->in_place, why);
	if (!rc && header)
		rc = overwrite_open(&s->data, device, why);
	if (!rc)
		rc = refuse_open(part->path, why);
	/* Of one that is named with its device that is known already. */
	if (!rc && !header)
		rc = refuse_in_place(part->path, why);
	if (!rc)
		rc = overwrite_open(&part->overwrite, part->path, why);
	if (!rc)
		rc = identify(s, part, lock, why);
	if (!rc)
		rc = find_inner_file(s, why);
	if (rc)
		shred_close(s);
	return rc;
}

void shred_close(struct shred *s)
{
	while (s->nr_parts > 0)
		overwrite_close(&s->part[--s->nr_parts].overwrite);
	overwrite_close(&s->data);
	disk_close(&s->disk);
	if (s->in_place >= 0)
		close(s->in_place);
	s->in_place = -1;
}

uint64_t shred_bytes(const struct shred *s)
{
	uint64_t bytes = 0;
	unsigned int i;

	for (i = 0; i < s->nr_parts; i++)
		bytes += overwrite_bytes(s->part[i].overwrite);
	return bytes;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/*
 * The keys first, and what tells that there is a header last: after a power cut
 * the same command finds the disk and begins anew.
 */
static int overwrite(struct shred_part *part, struct reason *why)
{
	const struct meta_extent *e = &part->extent;
	uint64_t inner = e->data > e->header ? e->data : e->header;
	uint64_t size = overwrite_size(part->overwrite) / SECTOR_SIZE * SECTOR_SIZE;
	uint64_t end = overwrite_size(part->overwrite);
	int rc = RC_OK;

	if (part->shift && size >= 3 * part->shift) {
		/* What is read back must have been written once. */
		end = size - 2 * part->shift;
		rc = overwrite_part(part->overwrite, end, part->moved ? size : end + part->shift, why);
	}
	if (!rc && part->inner)
		rc = overwrite_part(part->overwrite, inner, least(inner + HEADER_MOST, end), why);
	if (!rc)
		rc = overwrite_part(part->overwrite, e->copies, least(e->header, end), why);
	if (!rc)
		rc = overwrite_part(part->overwrite, 0, e->copies, why);
	return rc;
}

/* As whoever would open it finds it. */
static int prove(struct shred_part *part, struct reason *why)
{
	struct meta *meta = NULL;
	struct reason expected;
	bool found = false;
	int rc;

	rc = overwrite_verify(part->overwrite, why);
	if (rc)
		return rc;
	rc = meta_load(&meta, part->path, NULL, &found, &expected);
	meta_free(&meta);
	if (!rc || found || meta_remains(part->path) != META_NOTHING)
		return reason_set(why, RC_DEVICE, "%.400s still has something of a header.", part->path);
	if (!overwrite_is_direct(part->overwrite))
		diag_warn("The file system of %s was read through its page cache: it has no direct I/O.",
			  part->path);
	return RC_OK;
}

int shred_destroy(struct shred *s, struct reason *why)
{
	unsigned int i;
	int rc = RC_OK;

	for (i = s->nr_parts; i > 0 && !rc; i--)
		rc = overwrite(&s->part[i - 1], why);
	for (i = 0; i < s->nr_parts && !rc; i++)
		rc = prove(&s->part[i], why);
	return rc;
}
