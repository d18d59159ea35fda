// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cache.h"
#include "cache_layout.h"
#include "cache_run.h"
#include "cache_session.h"
#include "cipher.h"
#include "des_state.h"
#include "signature.h"

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
		rc = cache_remember(d, name, why);
	if (!rc)
		rc = cache_session_begin(c, d, why);
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
	    cache_session_end(c->device.fd, &c->label, d, &c->note, c->note_text, &why))
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
		rc = meta_note_set(cache_note_meta(d), CACHE_NOTE_TYPE, NULL, why);
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
