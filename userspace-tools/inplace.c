// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "files.h"
#include "header_place.h"
#include "inplace.h"
#include "interrupt.h"
#include "paths.h"
#include "progress.h"

int inplace_lock(const char *device, int *fd, struct reason *why)
{
	char path[sizeof(PATH_RUN) + 64];
	struct stat st;
	int rc;

	*fd = -1;
	if (stat(device, &st))
		return reason_set(why, RC_DEVICE, "Device %s can't be opened: %s.", device,
				  strerror(errno));
	rc = files_make_directory(PATH_RUN "/locks", why);
	if (rc)
		return rc;
	if (S_ISBLK(st.st_mode))
		snprintf(path, sizeof(path), PATH_RUN "/locks/in-place-%u:%u", major(st.st_rdev),
			 minor(st.st_rdev));
	else
		snprintf(path, sizeof(path), PATH_RUN "/locks/in-place-%llx-%llx",
			 (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
	*fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (*fd >= 0 && !flock(*fd, LOCK_EX | LOCK_NB))
		return RC_OK;
	if (errno == EWOULDBLOCK)
		rc = reason_set(why, RC_BUSY, "Device %s is being encrypted or decrypted just now.",
				device);
	else
		rc = reason_set(why, RC_PERM, "Lock %s can't be taken: %s.", path, strerror(errno));
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	return rc;
}

int inplace_secret(struct disk *d, unsigned int index, struct des_keys *dk,
		   struct secmem **secret, int *slot, struct reason *why)
{
	enum token_layer role = disk_layer_role(d->nr_layers, index);
	struct meta *meta = d->layer[index].meta;
	struct des_keys_use use = { .device = d->device, .uuid = meta_uuid(meta) };
	struct reason first = { 0 };
	struct token *list = NULL;
	size_t nr = 0, i;
	int rc;

	rc = meta_tokens(meta, &list, &nr, why);
	if (rc)
		return rc;
	rc = reason_set(&first, RC_PERM, "The header of %s has no token that opens it.", d->device);
	for (i = 0; i < nr && rc; i++) {
		if (list[i].keyslot < 0 || list[i].layer != role)
			continue;
		*slot = list[i].keyslot;
		rc = des_keys_unwrap(dk, &use, &list[i], secret, &first);
	}
	meta_tokens_free(list, nr);
	if (rc)
		*why = first;
	return rc;
}

struct run {
	struct progress progress;
	uint64_t done;
	bool started;
	const struct options *o;
	const char *verb;
	const volatile sig_atomic_t *stop;
};

static int show(uint64_t size, uint64_t done, void *arg)
{
	struct run *r = arg;

	if (!r->started) {
		r->started = true;
		progress_start(&r->progress, r->verb, size, done, opt_given(r->o, OPT_BATCH_MODE) &&
			       !opt_given(r->o, OPT_PROGRESS_FREQUENCY));
		if (opt_given(r->o, OPT_PROGRESS_FREQUENCY))
			progress_every(&r->progress, r->o->num[OPT_PROGRESS_FREQUENCY]);
	}
	r->done = done;
	progress_show(&r->progress, done);
	return *r->stop;
}

/* All data are encrypted, and power was cut before the header said so. */
static int end(struct disk *d, unsigned int index, bool *over, struct reason *why)
{
	struct meta *meta = d->layer[index].meta;
	uint64_t moved;
	int rc = RC_OK;

	meta_encrypt_over(meta, over, &moved);
	if (!*over)
		return RC_OK;
	if (moved)
		rc = place_wipe(d->device, moved * SECTOR_SIZE, why);
	return rc ? rc : meta_encrypt_end(meta, why);
}

int inplace_run(const struct options *o, struct disk *d, unsigned int index,
		struct des_keys *dk, const char *done, struct reason *why)
{
	struct meta *meta = d->layer[index].meta;
	struct run r = { .o = o, .verb = done, .stop = interrupt_catch() };
	SECMEM_AUTO secret = NULL;
	int rc, slot = -1;
	bool over;

	rc = end(d, index, &over, why);
	if (rc || over)
		return rc;
	rc = inplace_secret(d, index, dk, &secret, &slot, why);
	if (rc)
		return rc;
	rc = meta_reencrypt_run(meta, slot, secret, SLOT_SECRET_SIZE, show, &r, why);
	if (r.started)
		progress_end(&r.progress, r.done);
	if (!rc && meta_reencryption(meta) != META_SETTLED)
		rc = reason_set(why, RC_PARAM, "Stopped: the same command goes on with it.");
	return rc;
}
