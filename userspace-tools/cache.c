// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "cache.h"
#include "cache_layout.h"
#include "confirm.h"
#include "des_state.h"
#include "json_file.h"
#include "paths.h"
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

/* The note in the header */

static struct meta *outermost(const struct disk *d)
{
	return d->layer[d->nr_layers - 1].meta;
}

static int read_note(const struct disk *d, char **text, struct cache_note *note,
		     struct reason *why)
{
	int rc;

	memset(note, 0, sizeof(*note));
	rc = meta_note_get(outermost(d), CACHE_NOTE_TYPE, text, why);
	return rc || !*text ? rc : cache_note_parse(*text, note, why);
}

static int write_note(const struct disk *d, const struct cache_note *note, const char *old,
		      struct reason *why)
{
	char *text = cache_note_format(note, old);
	int rc;

	if (!text)
		return reason_nomem(why);
	rc = meta_note_set(outermost(d), CACHE_NOTE_TYPE, text, why);
	free(text);
	return rc;
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

	rc = read_note(d, &text, &note, why);
	free(text);
	return !rc && note.dirty ? lacks_cache(d, &note, why) : rc;
}

int cache_note_carry(struct disk *d, const char *now, bool lost, struct reason *why)
{
	struct cache_note note;
	char *text = NULL;
	int rc;

	if (!lost)
		return meta_note_set(outermost(d), CACHE_NOTE_TYPE, now, why);
	rc = read_note(d, &text, &note, why);
	if (!rc && text) {
		note.restored = true;
		rc = write_note(d, &note, text, why);
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
	char what[128];
	int rc;

	if (*c->label.disk) {
		rc = confirm(o, "%s is the cache of disk %s, and would be this one's.", c->path,
			     c->label.disk);
		return rc ? reason_said(why, rc) : RC_OK;
	}
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
	c->goes_on = c->mode == c->label.mode;
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
	rc = meta_note_get(outermost(d), CACHE_NOTE_TYPE, &c->note_text, why);
	if (rc || (!c->wanted && !c->note_text))
		return rc;
	free(c->note_text);
	c->note_text = NULL;
	rc = disk_lock(d, why);
	if (rc)
		return rc;
	rc = read_note(d, &c->note_text, &c->note, why);
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

/* Putting it there */

static void run_file(const char *name, char *path, size_t size)
{
	snprintf(path, size, PATH_RUN "/cache-%.127s.json", name);
}

/* Where the header is that has the note, for whoever closes the disk. */
static int remember(const struct disk *d, const char *name, struct reason *why)
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

static int zero(int fd, uint64_t sector, struct reason *why)
{
	static const unsigned char zeroes[4096];

	errno = 0;
	if (pwrite(fd, zeroes, sizeof(zeroes), (off_t)(sector * SECTOR_SIZE)) ==
	    (ssize_t)sizeof(zeroes) && !fsync(fd))
		return RC_OK;
	return reason_set(why, RC_DEVICE, "The cache device can't be written to: %s.",
			  strerror(errno ? errno : EIO));
}

/*
 * An empty cache, that is: labelled, but the header doesn't know of it yet. What
 * the target finds in place of its superblock makes it begin anew.
 */
static int make_empty(struct cache *c, const struct disk *d, uint64_t data,
		      unsigned int data_block, struct reason *why)
{
	uint64_t sequence = c->label.sequence;
	int rc;

	memset(&c->label, 0, sizeof(c->label));
	c->label.sequence = sequence;
	c->label.mode = c->mode;
	c->label.data = data;
	snprintf(c->label.disk, sizeof(c->label.disk), "%s", disk_uuid(d));
	rc = cache_layout(&c->label, c->device.sectors, data_block, why);
	if (!rc)
		rc = des_new_id(c->label.session, why);
	if (!rc)
		rc = signature_wipe(c->path, why);
	if (!rc)
		rc = zero(c->device.fd, c->label.metadata_size ? c->label.metadata_start :
								 c->label.start, why);
	if (!rc)
		rc = cache_label_write(c->device.fd, &c->label, why);
	return rc;
}

/*
 * The header first, and with both sessions: wherever this is cut off, what it
 * says fits the label.
 */
static int begin_session(struct cache *c, const struct disk *d, struct reason *why)
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
		rc = write_note(d, &note, c->note_text, why);
	if (rc)
		return reason_prefix(why, "A cache is noted in the disk's header");
	c->begun = true;
	c->note = note;
	c->label.dirty = note.dirty;
	memcpy(c->label.session, note.session, sizeof(c->label.session));
	return cache_label_write(c->device.fd, &c->label, why);
}

/*
 * What is written back makes a session of its own: a snapshot of the disk, taken
 * during the last one, has a note that the cache must not fit any more. The header
 * first, as above.
 */
static int renew_session(struct cache_label *label, const struct disk *d,
			 struct cache_note *note, const char *old, struct reason *why)
{
	int rc;

	memcpy(note->previous, label->session, sizeof(note->previous));
	rc = des_new_id(note->session, why);
	if (!rc)
		rc = write_note(d, note, old, why);
	if (!rc)
		memcpy(label->session, note->session, sizeof(label->session));
	return rc;
}

/* All that was written is on the disk itself. The label first, for the same reason. */
static int end_session(int fd, struct cache_label *label, const struct disk *d,
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
	return write_note(d, note, old, why);
}

/* What the VM sees must not depend on whether there is a cache. */
static int check_blocks(const struct cache *c, const struct sse_table *t,
			const struct blockdev *b, unsigned int *block, struct reason *why)
{
	*block = t->sector_size > b->block_size ? t->sector_size : b->block_size;
	if (c->device.block_size > *block)
		return reason_set(why, RC_DEVICE,
			"The cache device %.200s has blocks of %u bytes, the disk of %u.", c->path,
			c->device.block_size, *block);
	if (c->mode == CACHE_WRITECACHE && *block > 4096)
		return reason_set(why, RC_DEVICE, "The disk has blocks of %u bytes: writecache takes up to 4096.",
				  *block);
	return RC_OK;
}

static int check_cipher(const struct sse_table *t, struct reason *why)
{
	unsigned int i;

	for (i = 0; i < t->nr_layers; i++)
		if (!cipher_takes_no_key(t->layer[i].cipher))
			return RC_OK;
	return reason_set(why, RC_PARAM,
		"The disk has a cipher that encrypts nothing: its cache would hold plaintext.");
}

/* A cache that was left when the disk grew, or shrank. */
static int check_size(struct cache *c, uint64_t data, struct reason *why)
{
	if (!c->goes_on || c->label.data == data)
		return RC_OK;
	if (!c->label.dirty) {
		c->goes_on = false;
		return RC_OK;
	}
	if (c->label.data > data)
		return reason_set(why, RC_DEVICE,
			"The cache %.150s has data for %" PRIu64 " sectors, but the disk has only %" PRIu64 " now.",
			c->path, c->label.data, data);
	diag_warn("The disk opens with %" PRIu64 " sectors, as its cache has them; when it was closed once,\n"
		  "with %" PRIu64 ".", c->label.data, data);
	return RC_OK;
}

static int attach(struct cache *c, struct disk *d, const char *name, struct sse_table *t,
		  struct blockdev *b, struct reason *why)
{
	struct cache_part data = { .major = b->major, .minor = b->minor, .start = t->start };
	struct cache_part cache = { .major = c->device.major, .minor = c->device.minor };
	struct cache_stack stack;
	unsigned int block;
	uint64_t size;
	int rc;

	rc = check_cipher(t, why);
	if (!rc)
		rc = check_blocks(c, t, b, &block, why);
	if (rc)
		return rc;
	size = d->layer[0].segment.size ? d->layer[0].segment.size : b->sectors - t->start;
	size = size / (block / SECTOR_SIZE) * (block / SECTOR_SIZE);
	rc = check_size(c, size, why);
	if (!rc && !c->goes_on)
		rc = make_empty(c, d, size, block, why);
	if (!rc)
		rc = remember(d, name, why);
	if (!rc)
		rc = begin_session(c, d, why);
	if (rc)
		return rc;
	rc = cache_stack_make(&stack, name, &c->label, &data, &cache, why);
	if (rc)
		return rc;
	t->start = 0;
	b->major = stack.major;
	b->minor = stack.minor;
	b->sectors = c->label.data;
	b->block_size = block;
	return RC_OK;
}

/* Of a session in which nothing was written. */
static void undo(struct cache *c, struct disk *d)
{
	struct reason why = { 0 };

	if (c->begun && !c->was_dirty &&
	    end_session(c->device.fd, &c->label, d, &c->note, c->note_text, &why))
		reason_say(&why);
	c->begun = false;
}

int cache_attach(struct cache *c, struct disk *d, const char *name, struct sse_table *t,
		 struct blockdev *b, struct reason *why)
{
	int rc;

	if (!c->wanted) {
		/* Whoever writes past a cache makes it stale. */
		if (!c->note_text || b->readonly)
			return RC_OK;
		rc = meta_note_set(outermost(d), CACHE_NOTE_TYPE, NULL, why);
		return rc ? reason_prefix(why, "That the cache is no more can't be noted") : rc;
	}
	if (b->readonly)
		return reason_set(why, RC_DEVICE, "Device %.200s is read-only, and a cache writes back to it.",
				  d->device);
	rc = attach(c, d, name, t, b, why);
	if (rc)
		undo(c, d);
	return rc;
}

void cache_detach(struct cache *c, struct disk *d, const char *name)
{
	struct reason why = { 0 };
	struct cache_stack s;

	if (!c->wanted || !c->begun)
		return;
	if (cache_stack_find_left(name, &s) && cache_stack_remove(&s, &why))
		reason_say(&why);
	else
		undo(c, d);
}

/* Taking it down */

/* As remember() has it. */
struct recalled {
	char device[PATH_MAX], header[PATH_MAX], uuid[UUID_TEXT_SIZE];
};

/* To be called while the mappings are there: they know which disk it is. */
static int recall(struct recalled *r, const char *name, const struct cache_stack *s,
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

static int load_recalled(const struct recalled *r, struct disk *d, struct reason *why)
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
static int note_clean(const struct recalled *r, int fd, uint64_t sectors, struct reason *why)
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
		rc = read_note(&d, &text, &note, why);
	if (!rc)
		rc = cache_label_read(fd, sectors, &label, &found, why);
	if (!rc && (!text || !found || !cache_note_fits(&note, &label)))
		rc = reason_set(why, RC_DEVICE, "The header of %.200s speaks of another cache.", d.device);
	if (!rc)
		rc = renew_session(&label, &d, &note, text, why);
	if (!rc)
		rc = end_session(fd, &label, &d, &note, text, why);
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
	char path[PATH_MAX], file[PATH_MAX], run[sizeof(PATH_RUN) + 160];
	struct blockdev cache = { .fd = -1 };
	struct reason gone = { 0 };
	struct recalled r;
	int rc;

	blockdev_name(s->cache_major, s->cache_minor, path, sizeof(path));
	if (!blockdev_loop_is_file(s->cache_major, s->cache_minor, file, sizeof(file)))
		memcpy(file, path, sizeof(file));
	rc = flush(s, &cache, path, why);
	if (!rc)
		rc = recall(&r, name, s, why);
	if (cache_stack_remove(s, rc ? &gone : why) && !rc)
		rc = why->rc;
	if (!rc)
		rc = note_clean(&r, cache.fd, cache.sectors, why);
	if (!rc) {
		run_file(name, run, sizeof(run));
		unlink(run);
	} else {
		reason_say(&gone);
		if (*why->text)
			reason_prefix(why, "The cache of %.120s was left as it is, and the next\n"
				      "'open --cache %.120s' goes on with it", name, file);
	}
	blockdev_close(&cache);
	return rc;
}
