// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "blockdev.h"
#include "registry.h"
#include "shred.h"

#define MIB	(UINT64_C(1) << 20)

/*
 * What a header takes at most that cryptsetup or we have made. Overwriting more
 * than a header has does no harm: the data behind it are lost with it.
 */
#define HEADER_MOST	(16 * MIB)
/* The two copies of the smallest header, for one that can't be read any more. */
#define COPIES_LEAST	(32 * UINT64_C(1024))

static int refuse_others(const char *path, struct reason *why)
{
	if (access(path, F_OK))
		return reason_set(why, RC_DEVICE, "%.400s: %s.", path, strerror(errno));
	switch (meta_remains(path)) {
	case META_LUKS1:
		return reason_set(why, RC_DEVICE,
			"%.400s has a header of LUKS1: 'cryptsetup erase' is for it.", path);
	case META_NOTHING:
		return reason_set(why, RC_DEVICE,
			"There is no LUKS2 header on %.400s, nor anything of one: it has no keys to destroy.",
			path);
	default:
		return RC_OK;
	}
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
	int rc;

	rc = disk_load(d, s->device, header, &ignored);
	if (!rc && lock) {
		rc = disk_lock(d, why);
		if (rc)
			return rc;
	}
	if (!rc && !meta_extent(d->layer[d->nr_layers - 1].meta, &part->extent, &ignored)) {
		part->inner = d->nr_layers > 1 && part->extent.data;
		snprintf(s->uuid, sizeof(s->uuid), "%s", disk_uuid(d));
		memcpy(s->des, d->des, sizeof(s->des));
		warn_of_plaintext(s, d->layer[d->nr_layers - 1].meta);
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
	disk_init(&s->disk);
	blockdev_absolute(device, s->device, sizeof(s->device));
	if (header)
		blockdev_absolute(header, s->header, sizeof(s->header));
	part = add_part(s, header ? header : device);
	rc = refuse_others(part->path, why);
	if (!rc && header)
		rc = overwrite_open(&s->data, device, why);
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
}

uint64_t shred_bytes(const struct shred *s)
{
	uint64_t bytes = 0;
	unsigned int i;

	for (i = 0; i < s->nr_parts; i++)
		bytes += overwrite_bytes(s->part[i].overwrite);
	return bytes;
}

/*
 * The keys first, and what tells that there is a header last: after a power cut
 * the same command finds the disk and begins anew.
 */
static int overwrite(struct shred_part *part, struct reason *why)
{
	const struct meta_extent *e = &part->extent;
	uint64_t inner = e->data > e->header ? e->data : e->header;
	int rc = RC_OK;

	if (part->inner)
		rc = overwrite_part(part->overwrite, inner, inner + HEADER_MOST, why);
	if (!rc)
		rc = overwrite_part(part->overwrite, e->copies, e->header, why);
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
