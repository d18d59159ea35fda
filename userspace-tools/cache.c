// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "cache.h"
#include "cache_session.h"
#include "claim.h"
#include "confirm.h"
#include "registry.h"
#include "signature.h"
#include "tree.h"

static const char *default_mode_name(void)
{
	return cache_mode_name(CACHE_WRITETHROUGH);
}

int cache_parse(struct cache *c, const char *text)
{
	const char *comma;

	memset(c, 0, sizeof(*c));
	c->device.fd = -1;
	if (!text)
		return RC_OK;
	if (!strcmp(text, "none")) {
		c->given_up = true;
		return RC_OK;
	}
	c->wanted = true;
	comma = strrchr(text, ',');
	if (comma) {
		c->mode = cache_mode_find(comma + 1);
		/* The path itself may have a comma. */
		if (c->mode == CACHE_NO_MODE && access(text, F_OK))
			return diag_fail(RC_PARAM,
				"Cache mode '%s' is not known: writecache, writethrough and writeback are.",
				comma + 1);
		if (c->mode == CACHE_NO_MODE)
			comma = NULL;
	}
	snprintf(c->path, sizeof(c->path), "%.*s",
		 comma ? (int)(comma - text) : (int)strlen(text), text);
	if (!*c->path)
		return diag_fail(RC_PARAM, "Which cache device? --cache DEVICE[,MODE] says it.");
	return RC_OK;
}

void cache_free(struct cache *c)
{
	blockdev_close(&c->device);
	free(c->note_text);
	c->note_text = NULL;
}

/*
 * A snapshot of a disk that is open has the note of the moment, which fits the
 * cache if the disk was never closed. It tells by where the disk was then.
 */
static bool is_anothers(const struct disk *d, const struct cache_note *note)
{
	char here[PATH_MAX];
	struct reason unknown;

	return d->clone && *note->previous &&
	       (registry_stable_name(d->device, here, sizeof(here), &unknown) ||
		strcmp(here, note->disk));
}

static int lacks_cache(const struct disk *d, const struct cache_note *note, struct reason *why)
{
	if (is_anothers(d, note))
		return reason_set(why, RC_BUSY,
			"Snapshot %.120s was made while %.120s was open with a cache, and lacks what was in that\n"
			"alone. '--cache none' gives it up.", d->device,
			*note->disk ? note->disk : "the disk");
	return reason_set(why, RC_BUSY,
		"%s cache of %.120s on %.120s has data that the disk lacks: it opens with\n"
		"'--cache %.100s'. '--cache none' gives them up.",
		note->restored ? "By its header, which is from a backup, the" : "The", d->device,
		note->device, note->device);
}

int cache_refuse_dirty(const struct disk *d, struct reason *why)
{
	struct cache_note note;
	char *text = NULL;
	int rc;

	rc = cache_note_read(d, &text, &note, why);
	free(text);
	return !rc && note.dirty ? lacks_cache(d, &note, why) : rc;
}

int cache_note_carry(struct disk *d, const char *now, bool lost, struct reason *why)
{
	struct cache_note note;
	char *text = NULL;
	int rc;

	if (!lost)
		return meta_note_set(cache_note_meta(d), CACHE_NOTE_TYPE, now, why);
	rc = cache_note_read(d, &text, &note, why);
	if (!rc && text) {
		note.restored = true;
		rc = cache_note_write(d, &note, text, why);
	}
	free(text);
	return rc;
}

/* Which cache, and may it be? */

static int check_options(const struct options *o, const char *name)
{
	if (opt_given(o, OPT_READONLY))
		return diag_fail(RC_PARAM, "A cache is written to, whatever is read: leave out --readonly.");
	if (opt_given(o, OPT_SHARED))
		return diag_fail(RC_PARAM, "Who shares the device would not see what is in the cache: leave out --shared.");
	if (strlen(name) > CACHE_NAME_MAX)
		return diag_fail(RC_PARAM, "With a cache a name has %d characters at most.", CACHE_NAME_MAX);
	return RC_OK;
}

static int refuse_together(const struct cache *c, const char *what, const char *device,
			   struct reason *why)
{
	return reason_set(why, RC_PARAM, "The cache device %.150s and the %s %.150s lie on one another.",
			  c->path, what, device);
}

/* One device for both, or one within the other, would overwrite the disk. */
static int check_apart(const struct cache *c, const char *what, const char *device,
		       struct reason *why)
{
	size_t disk = TREE_NONE, cache;
	bool *below, together;
	struct tree t;
	struct stat st;
	int rc;

	together = blockdev_same(c->path, device);
	if (together || stat(device, &st) || !S_ISBLK(st.st_mode))
		return together ? refuse_together(c, what, device, why) : RC_OK;
	rc = tree_read(&t, why);
	if (rc)
		return rc;
	below = calloc(t.nr, sizeof(*below));
	cache = tree_find(&t, c->device.major, c->device.minor);
	disk = tree_find(&t, major(st.st_rdev), minor(st.st_rdev));
	if (!below) {
		rc = reason_nomem(why);
	} else if (cache != TREE_NONE && disk != TREE_NONE) {
		tree_mark_below(&t, cache, below);
		together = below[disk];
		tree_mark_below(&t, disk, below);
		together |= below[cache];
	}
	if (together)
		rc = refuse_together(c, what, device, why);
	free(below);
	tree_free(&t);
	return rc;
}

static int check_place(const struct cache *c, const struct disk *d, struct reason *why)
{
	char inner[PATH_MAX];
	int rc;

	rc = check_apart(c, "disk", d->device, why);
	if (rc || !*d->header)
		return rc;
	rc = check_apart(c, "header", d->header, why);
	if (rc || d->nr_layers == 1)
		return rc;
	disk_inner_header(d, inner, sizeof(inner));
	return check_apart(c, "header", inner, why);
}

static int open_device(struct cache *c, const struct disk *d, struct reason *why)
{
	bool found;
	int rc;

	rc = blockdev_open(&c->device, c->path, false, false);
	if (rc)
		return reason_said(why, rc);
	if (c->device.readonly)
		return reason_set(why, RC_DEVICE, "The cache device %.200s is read-only.", c->path);
	rc = check_place(c, d, why);
	if (!rc)
		rc = cache_label_read(c->device.fd, c->device.sectors, &c->label, &found, why);
	if (!rc && !found)
		memset(&c->label, 0, sizeof(c->label));
	return rc;
}

static int refuse_label(const struct cache *c, struct reason *why)
{
	return reason_set(why, RC_BUSY,
		"%.200s is a cache with data that disk %s lacks: open that disk with it, and close it.\n"
		"'dd if=/dev/zero of=%.100s bs=8K count=1 conv=notrunc' gives them up.",
		c->path, c->label.disk, c->path);
}

/* Nothing that is on the device is of use any more: may it go? */
static int ask_to_use(const struct cache *c, const struct options *o, struct reason *why)
{
	char what[256];
	int rc;

	rc = claim_find(c->path, what, sizeof(what), why);
	if (rc)
		return rc;
	if (!*what && *c->label.disk) {
		rc = confirm(o, "%s is the cache of disk %s, and would be this one's.", c->path,
			     c->label.disk);
		return rc ? reason_said(why, rc) : RC_OK;
	}
	if (!*what)
		rc = signature_find(c->path, what, sizeof(what), why);
	if (rc || !*what)
		return rc;
	rc = confirm(o, "This will overwrite data on %s irrevocably.\nIt holds %s.", c->path, what);
	return rc ? reason_said(why, rc) : RC_OK;
}

/* The label is of this disk. */
static int join(struct cache *c, const struct disk *d, struct reason *why)
{
	bool fits = c->note_text && cache_note_fits(&c->note, &c->label) &&
		    !is_anothers(d, &c->note);

	if (c->mode == CACHE_NO_MODE)
		c->mode = c->label.mode;
	if (!fits && c->label.dirty && d->clone)
		return reason_set(why, RC_BUSY,
			"%.200s is the cache of another disk with this UUID, and has data that that one lacks:\n"
			"open that one with it, and close it.", c->path);
	if (!fits && c->label.dirty)
		return reason_set(why, RC_BUSY,
			"%.200s is a cache of this disk, but of another time than its header tells of: the disk\n"
			"was opened without it, or has a header from a backup.\n"
			"'dd if=/dev/zero of=%.100s bs=8K count=1 conv=notrunc' gives up what is in the cache.",
			c->path, c->path);
	if (!fits)
		return c->note.dirty ? lacks_cache(d, &c->note, why) : RC_OK;
	if (c->mode != c->label.mode && c->label.dirty)
		return reason_set(why, RC_PARAM,
			"The cache %.200s is in mode %s, and has data that the disk lacks: open it like that, and\n"
			"close it, before it gets another mode.", c->path, cache_mode_name(c->label.mode));
	/* Somebody else has written there: what is clean is on the disk as well. */
	c->goes_on = c->mode == c->label.mode &&
		     (c->label.dirty || c->label.copies == CACHE_LABEL_COPIES);
	return RC_OK;
}

static int choose(struct cache *c, const struct options *o, const struct disk *d,
		  struct reason *why)
{
	int rc;

	if (*c->label.disk && !strcmp(c->label.disk, disk_uuid(d))) {
		rc = join(c, d, why);
	} else {
		if (*c->label.disk && c->label.dirty)
			return refuse_label(c, why);
		if (c->note.dirty)
			return lacks_cache(d, &c->note, why);
		rc = ask_to_use(c, o, why);
	}
	if (c->mode == CACHE_NO_MODE)
		c->mode = cache_mode_find(default_mode_name());
	return rc;
}

static int give_up(const struct cache *c, const struct options *o, const struct disk *d,
		   struct reason *why)
{
	int rc;

	if (!c->note.dirty)
		return RC_OK;
	rc = confirm(o, "The cache of %s on %s has data that the disk lacks.\n"
		     "Without them what is on the disk may be old, or damaged, for good.", d->device,
		     c->note.device);
	return rc ? reason_said(why, rc) : RC_OK;
}

int cache_plan(struct cache *c, const struct options *o, struct disk *d, const char *name,
	       struct reason *why)
{
	struct cache_stack left;
	int rc;

	if (c->wanted) {
		rc = check_options(o, name);
		if (rc)
			return reason_said(why, rc);
		/* Of a close that was cut off. */
		if (cache_stack_find_left(name, &left)) {
			rc = cache_stack_remove(&left, why);
			if (rc)
				return rc;
		}
	}
	rc = meta_note_get(cache_note_meta(d), CACHE_NOTE_TYPE, &c->note_text, why);
	if (rc || (!c->wanted && !c->note_text))
		return rc;
	free(c->note_text);
	c->note_text = NULL;
	rc = disk_lock(d, why);
	if (rc)
		return rc;
	rc = cache_note_read(d, &c->note_text, &c->note, why);
	if (rc == RC_PARAM && c->given_up) {
		c->note.dirty = true;
		snprintf(c->note.device, sizeof(c->note.device), "another device");
		rc = RC_OK;
	}
	if (rc == RC_PARAM)
		return reason_set(why, rc, "The header of %.200s has a note of a cache that is damaged: '--cache none' opens the\n"
				  "disk, and gives up what a cache has that it lacks.", d->device);
	if (rc)
		return rc;
	if (c->given_up)
		return give_up(c, o, d, why);
	if (!c->wanted)
		return c->note.dirty ? lacks_cache(d, &c->note, why) : RC_OK;
	rc = open_device(c, d, why);
	return rc ? rc : choose(c, o, d, why);
}
