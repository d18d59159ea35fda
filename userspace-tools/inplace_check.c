// SPDX-License-Identifier: GPL-2.0-only
/*
 * What must be right before anything of a disk is rewritten where it is.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "blockdev.h"
#include "cache.h"
#include "clone.h"
#include "copy_note.h"
#include "inplace.h"
#include "registry.h"

#define SIZE_NOTE_TYPE	"dm-sse-in-place"

static int check_header_device(const char *device, const char *header, struct reason *why)
{
	uint64_t sectors;
	struct stat st;
	int rc;

	if (blockdev_same(device, header))
		return reason_set(why, RC_PARAM,
			"%.300s is the disk itself: --header names another place for the header.", header);
	if (stat(header, &st) || !S_ISBLK(st.st_mode))
		return RC_OK;
	rc = blockdev_look(header, true, &sectors);
	return rc ? reason_said(why, rc) : RC_OK;
}

int inplace_claim(const char *device, const char *header, const char *verb, uint64_t *sectors,
		  struct reason *why)
{
	char other[64];
	int rc;

	rc = blockdev_look(device, true, sectors);
	if (rc == RC_BUSY)
		diag_error("A disk is %s while nobody uses it: close it first.", verb);
	if (rc)
		return reason_said(why, rc);
	if (blockdev_other_loop(device, other, sizeof(other)))
		return reason_set(why, RC_BUSY,
			"The file behind %.200s is behind %s as well, where it may be in use: detach that one first.",
			device, other);
	if (blockdev_readonly(device))
		return reason_set(why, RC_DEVICE, "Device %.300s is read-only: it can't be %s.", device, verb);
	return header ? check_header_device(device, header, why) : RC_OK;
}

static int refuse_other_header(const struct known_disk *known, const char *device,
			       struct reason *why)
{
	return reason_set(why, RC_PARAM,
		"%.100s is a disk of set %s, with its header in %.100s: --header names that one.\n"
		"If it isn't any more, 'ssesetup des forget %s %.100s --header FILE' takes it out of the register.",
		device, known->des, known->header, known->des, known->device);
}

static int refuse_other_device(const struct known_disk *known, const char *device,
			       struct reason *why)
{
	return reason_set(why, RC_PARAM,
		"%.100s is the header of %.100s, as the register has it, not of %.100s.\n"
		"If that is the same disk, 'ssesetup des forget %s %.60s --header FILE' forgets its older name.",
		known->header, known->device, device, known->des, known->device);
}

int inplace_check_register(const char *device, const char *header, struct reason *why)
{
	struct known_disk *list = NULL, *known;
	bool same_device, same_header;
	int rc;
	size_t nr, i;

	rc = registry_list(NULL, &list, &nr, why);
	for (i = 0; i < nr && !rc; i++) {
		known = &list[i];
		if (!*known->header || access(known->device, F_OK))
			continue;
		same_device = blockdev_same(known->device, device);
		same_header = header && blockdev_same(known->header, header);
		if (same_device == same_header ||
		    !clone_has_uuid(known->device, known->header, known->uuid))
			continue;
		rc = same_device ? refuse_other_header(known, device, why) :
				   refuse_other_device(known, device, why);
	}
	free(list);
	return rc;
}

int inplace_check_own_header(const char *device, const char *header, struct reason *why)
{
	struct meta *own = NULL;
	struct reason none;
	bool found;

	if (meta_load(&own, device, NULL, &found, &none))
		return RC_OK;
	meta_free(&own);
	return reason_set(why, RC_PARAM,
		"%.200s has a header of its own, so that %.200s isn't its: leave --header out, or name another file.",
		device, header);
}

static int refuse_half_copy(struct disk *d, struct reason *why)
{
	char *note = NULL;
	int rc;

	rc = meta_note_get(d->layer[d->nr_layers - 1].meta, COPY_NOTE_TYPE, &note, why);
	if (!rc && note)
		rc = reason_set(why, RC_PARAM,
			"The copy to %.300s is not complete: 'ssesetup copy' with the same source finishes it.",
			d->device);
	free(note);
	return rc;
}

static int refuse_clone(const struct options *o, struct disk *d, struct reason *why)
{
	struct clone_twin twin;
	int rc;

	rc = clone_detect(d, &twin, why);
	if (rc || !d->clone || opt_given(o, OPT_CLONE))
		return rc;
	return reason_set(why, RC_BUSY,
		"Device %.150s has the UUID of %.150s, which is %s%.100s: --clone says that the former is meant.",
		d->device, twin.device, *twin.mapping ? "open as " : "registered here", twin.mapping);
}

int inplace_check_disk(const struct options *o, struct disk *d, struct reason *why)
{
	int rc;

	rc = refuse_half_copy(d, why);
	if (!rc)
		rc = cache_refuse_dirty(d, why);
	return rc ? rc : refuse_clone(o, d, why);
}

int inplace_note_size(struct meta *meta, uint64_t sectors, struct reason *why)
{
	char note[64];

	snprintf(note, sizeof(note), "{\"sectors\":\"%" PRIu64 "\"}", sectors);
	return meta_note_set(meta, SIZE_NOTE_TYPE, note, why);
}

int inplace_check_size(struct meta *meta, const char *device, uint64_t sectors,
		       struct reason *why)
{
	uint64_t begun = sectors;
	char *note = NULL;
	int rc;

	rc = meta_note_get(meta, SIZE_NOTE_TYPE, &note, why);
	if (rc || !note)
		return rc;
	if (sscanf(note, "{\"sectors\":\"%" SCNu64 "\"}", &begun) != 1)
		rc = reason_set(why, RC_DEVICE, "The note of the size of %.300s in its header is damaged.",
				device);
	else if (begun != sectors)
		rc = reason_set(why, RC_DEVICE,
			"%.300s has %" PRIu64 " sectors, and had %" PRIu64 " when this was begun: it is another device,\n"
			"or its size was changed. Give it the size that it had.",
			device, sectors, begun);
	free(note);
	return rc;
}

int inplace_forget_size(struct meta *meta, struct reason *why)
{
	return meta_note_set(meta, SIZE_NOTE_TYPE, NULL, why);
}
