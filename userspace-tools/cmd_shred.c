// SPDX-License-Identifier: GPL-2.0-only
/*
 * ssesetup shred DEVICE...
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit.h"
#include "blockdev.h"
#include "cache_label.h"
#include "confirm.h"
#include "files.h"
#include "header_backups.h"
#include "registry.h"
#include "shred.h"
#include "ssesetup.h"

/* A disk, and others that have its UUID: snapshots of it. */
struct family {
	struct shred *member;		/* the first is the one that was named */
	size_t nr;
	struct known_disk *left;	/* registered ones that stay */
	size_t nr_left;
};

static void family_close(struct family *f)
{
	while (f->nr > 0)
		shred_close(&f->member[--f->nr]);
	free(f->member);
	free(f->left);
}

/* Where the header of a registered disk is. */
static const char *header_of(const struct known_disk *known)
{
	return *known->header ? known->header : known->device;
}

/* Is it the header that is shredded? A detached one may be named by itself. */
static bool is_named(const struct shred *s, const struct known_disk *known)
{
	return blockdev_same(s->part[0].path, header_of(known));
}

/* The register may be of another day: is there something else by now? */
static bool is_replaced(const struct known_disk *known)
{
	struct meta *meta = NULL;
	struct reason ignored;
	bool replaced, found;

	if (access(known->device, F_OK) || access(header_of(known), F_OK))
		return false;
	if (!meta_load(&meta, known->device, *known->header ? known->header : NULL, &found, &ignored))
		replaced = strcmp(meta_uuid(meta), known->uuid) != 0;
	else
		replaced = meta_remains(header_of(known)) == META_NOTHING;
	meta_free(&meta);
	return replaced;
}

/* Others of the same UUID in the register, in front of the list. */
static int find_others(const struct shred *s, struct known_disk **list, size_t *nr,
		       struct reason *why)
{
	size_t all, i;
	int rc;

	*list = NULL;
	*nr = 0;
	if (!*s->uuid)
		return RC_OK;
	rc = registry_list(NULL, list, &all, why);
	if (rc)
		return rc;
	for (i = 0; i < all; i++)
		if (!strcmp((*list)[i].uuid, s->uuid) && !is_named(s, &(*list)[i]) &&
		    !is_replaced(&(*list)[i]))
			(*list)[(*nr)++] = (*list)[i];
	return RC_OK;
}

/* One that can't be shredded is told of, and the others are. Returns the first failure. */
static int prepare_others(struct family *f, struct reason *why)
{
	struct known_disk *known;
	int rc = RC_OK, failed;
	struct shred *more;
	size_t i;

	more = reallocarray(f->member, f->nr_left + 1, sizeof(*more));
	if (!more)
		return reason_nomem(why);
	f->member = more;
	for (i = 0; i < f->nr_left; i++) {
		known = &f->left[i];
		failed = shred_prepare(&f->member[f->nr], known->device,
				       *known->header ? known->header : NULL, false, why);
		if (!failed) {
			f->nr++;
			continue;
		}
		reason_prefix(why, "Snapshot %.200s", known->device);
		reason_say(why);
		if (!rc)
			rc = failed;
	}
	f->nr_left = 0;
	return rc;
}

static int ask(const struct options *o, const struct family *f)
{
	const struct shred *s = &f->member[0];
	size_t i;

	for (i = 1; i < f->nr && !opt_given(o, OPT_BATCH_MODE); i++)
		diag_warn("%s is a snapshot of the same disk, and goes with it.", f->member[i].device);
	return confirm(o, "This will destroy all keyslots and tokens of %s%s%s%s%s%s irrevocably:\n"
		       "nobody opens the disk any more, whatever key there is, and its data are lost.",
		       s->device, *s->header ? " in " : "", s->header, *s->des ? ", of set " : "", s->des,
		       *s->des ? "," : "");
}

/* It isn't where a key is used any more, for any disk whose header it was. */
static void forget_disks(struct shred *s)
{
	struct known_disk *list = NULL;
	struct reason why;
	size_t nr, i;
	int rc;

	rc = registry_list(NULL, &list, &nr, &why);
	for (i = 0; !rc && i < nr; i++) {
		if (!is_named(s, &list[i]))
			continue;
		s->was_known = true;
		rc = registry_forget(list[i].device, list[i].header, &why);
	}
	free(list);
	if (rc)
		diag_warn("The disk stays in the register: %s", why.text);
}

static void forget(struct shred *s)
{
	struct reason why;
	unsigned int i;

	forget_disks(s);
	/* What was shredded may have been a backup. */
	for (i = 0; *s->uuid && i < s->nr_parts; i++)
		if (header_backups_forget(s->uuid, s->part[i].path, &why))
			diag_warn("%s", why.text);
}

static int destroy(struct shred *s, struct reason *why)
{
	struct audit_subject subject = { .des = s->des, .device = s->device, .uuid = s->uuid };
	struct audit audit;
	int rc;

	rc = audit_intent(&audit, AUDIT_SHRED, &subject, why);
	if (rc)
		return rc;
	rc = shred_destroy(s, why);
	audit_result(&audit, rc ? why : NULL);
	if (rc)
		return rc;
	forget(s);
	printf("%s: shredded; %" PRIu64 " bytes of %s overwritten and read back, no keyslot is left.\n",
	       s->device, shred_bytes(s), s->nr_parts > 1 || s->part[0].inner ? "headers" : "a header");
	return RC_OK;
}

/* What opens the disk all the same, as far as it is known. Returns whether there is any. */
static bool tell_of_backups(const char *uuid)
{
	struct header_backup *list;
	char when[FILES_TIME_SIZE];
	struct reason why;
	size_t nr, i;

	if (!*uuid)
		return false;
	if (header_backups_list(uuid, &list, &nr, &why)) {
		diag_warn("Which backups of the header there are can't be told: %s", why.text);
		return true;
	}
	for (i = 0; i < nr; i++) {
		files_format_time(list[i].made, when, sizeof(when));
		diag_warn("%s, of %s, is a backup of the header: with it the disk can be opened.\n"
			  "'ssesetup shred %s' destroys it.", list[i].file, when, list[i].file);
	}
	header_backups_free(list, nr);
	return nr;
}

/*
 * The cache of a disk that nothing opens any more: what is in it is lost too, but
 * its label would keep another disk from using it.
 */
static void tell_of_cache(const struct shred *s)
{
	int fd = *s->cache ? open(s->cache, O_RDONLY | O_CLOEXEC) : -1;
	struct cache_label label;
	struct reason ignored;
	bool found;
	off_t size;

	if (fd < 0)
		return;
	size = lseek(fd, 0, SEEK_END);
	if (size > 0 && !cache_label_read(fd, (uint64_t)size / SECTOR_SIZE, &label, &found, &ignored) &&
	    found && !strcmp(label.disk, s->uuid))
		diag_warn("%s was the cache of %s: all that is left there is ciphertext under the key that was destroyed.\n"
			  "'dd if=/dev/zero of=%s bs=8K count=1 conv=notrunc' frees it for another disk.", s->cache,
			  s->device, s->cache);
	close(fd);
}

static void tell_of_others(const struct family *f)
{
	size_t i;

	for (i = 0; i < f->nr_left; i++)
		diag_warn("%s is registered as a disk of the same UUID, and keeps its own header:\n"
			  "--with-snapshots, or 'ssesetup shred %s', destroys that.", f->left[i].device,
			  f->left[i].device);
}

static int shred_family(const struct options *o, struct family *f, struct reason *why)
{
	int rc, first = RC_OK;
	size_t i;

	rc = find_others(&f->member[0], &f->left, &f->nr_left, why);
	if (rc)
		return rc;
	if (opt_given(o, OPT_WITH_SNAPSHOTS))
		first = prepare_others(f, why);
	rc = ask(o, f);
	if (rc)
		return reason_said(why, rc);
	for (i = 0; i < f->nr; i++) {
		rc = destroy(&f->member[i], why);
		if (rc && !first)
			first = rc;
		if (rc)
			reason_say(why);
	}
	tell_of_others(f);
	if (!tell_of_backups(f->member[0].uuid) && !first && !f->nr_left && f->member[0].was_known)
		tell_of_cache(&f->member[0]);
	return first ? reason_said(why, first) : RC_OK;
}

static int shred_one(const struct options *o, const char *device)
{
	struct family f = { .nr = 0 };
	struct reason why = { 0 };
	int rc;

	f.member = calloc(1, sizeof(*f.member));
	if (!f.member)
		return diag_nomem();
	rc = shred_prepare(&f.member[0], device, o->str[OPT_HEADER], true, &why);
	if (!rc) {
		f.nr = 1;
		rc = shred_family(o, &f, &why);
	}
	if (rc)
		reason_say(&why);
	family_close(&f);
	return rc;
}

int cmd_shred(const struct options *o, int argc, char **argv)
{
	int i, rc, first = RC_OK;
	bool done = false;

	if (o->str[OPT_HEADER] && argc > 1)
		return diag_fail(RC_PARAM, "--header names the header of one device: shred the others by themselves.");
	if (opt_given(o, OPT_TEST_ARGS))
		return RC_OK;
	for (i = 0; i < argc; i++) {
		rc = shred_one(o, argv[i]);
		done |= !rc;
		if (rc && !first)
			first = rc;
	}
	if (done)
		printf("What can't be proven: that no flash, file system or snapshot below keeps older blocks,\n"
		       "and that nobody has a copy of a header elsewhere.\n");
	return first;
}
