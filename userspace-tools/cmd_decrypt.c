// SPDX-License-Identifier: GPL-2.0-only
/*
 * ssesetup decrypt DEVICE --header FILE
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit.h"
#include "blockdev.h"
#include "cache.h"
#include "cipher.h"
#include "confirm.h"
#include "files.h"
#include "header_copies.h"
#include "inplace.h"
#include "interrupt.h"
#include "policy.h"
#include "registry.h"
#include "signature.h"
#include "ssesetup.h"
#include "table.h"

/*
 * The data move to where the header is, so that it goes into a file first. This
 * note in the file says that it was put there for that.
 */
#define NOTE_TYPE	"dm-sse-decrypt"

struct decrypting {
	const struct options *o;
	const char *device;
	char header[PATH_MAX];	/* absolute */
	uint64_t sectors;	/* of the device */
	int lock;
	struct disk disk;
};

static void note_refusal(const struct disk *d, const struct reason *refusal)
{
	struct audit_subject subject = {
		.des = d->des,
		.device = d->device,
		.uuid = disk_uuid(d),
	};
	struct reason why = { 0 };

	if (audit_note(AUDIT_REFUSE, &subject, refusal, &why))
		reason_say(&why);
}

static bool is_customers(struct meta *m)
{
	struct token *list = NULL;
	struct reason ignored;
	bool customers = false;
	size_t nr, i;

	/* What can't be read is no reason to believe otherwise. */
	if (meta_tokens(m, &list, &nr, &ignored))
		return true;
	for (i = 0; i < nr; i++)
		customers |= list[i].customer;
	meta_tokens_free(list, nr);
	return customers;
}

static int check_allowed(const struct decrypting *c, struct reason *why)
{
	const struct disk *d = &c->disk;
	const char *what = NULL;

	if (!d->ours)
		return reason_set(why, RC_PARAM,
			"%s belongs to no disk encryption set: 'cryptsetup reencrypt --decrypt' is for such volumes.",
			d->device);
	if (d->nr_layers > 1)
		what = "A disk with two layers is not decrypted in place.";
	else if (is_customers(d->layer[0].meta))
		what = "A disk under a customer's key is not decrypted: its data never rest without one.";
	if (!what)
		return RC_OK;
	reason_set(why, RC_PARAM,
		   "%s\n'ssesetup copy %.120s DESTINATION --des %s' copies the data to a new disk.", what,
		   d->device, DES_DEFAULT);
	note_refusal(d, why);
	return why->rc;
}

/* A new file with the header, there as a whole or not at all. */
static int export_header(const struct decrypting *c, struct reason *why)
{
	char part[PATH_MAX + 8];
	struct meta *meta = NULL;
	bool found;
	int rc, err;

	snprintf(part, sizeof(part), "%s.part", c->header);
	unlink(part);
	rc = meta_backup(c->device, NULL, part, why);
	if (!rc && chmod(part, 0600))
		rc = reason_set(why, RC_DEVICE, "The mode of %s can't be set: %s.", part,
				strerror(errno));
	if (!rc)
		rc = meta_load(&meta, c->device, part, &found, why);
	if (!rc)
		rc = meta_note_set(meta, NOTE_TYPE, "{}", why);
	meta_free(&meta);
	if (!rc) {
		err = rename(part, c->header) ? errno : files_sync_parent(c->header);
		if (err)
			rc = reason_set(why, RC_DEVICE, "Header file %s can't be made: %s.", c->header,
					strerror(err));
	}
	if (rc)
		unlink(part);
	return rc;
}

/* @header: "" if it is on the device. */
static void forget(const struct decrypting *c, const char *header)
{
	char device[PATH_MAX], file[PATH_MAX] = "";
	struct reason ignored;

	if (!registry_stable_name(c->device, device, sizeof(device), &ignored) &&
	    (!*header || !registry_stable_name(header, file, sizeof(file), &ignored)))
		registry_forget(device, file, &ignored);
}

/* The device has a header of its own still: it goes into the file. */
static int move_header(struct decrypting *c, struct reason *why)
{
	struct header_copies exported, now;
	int rc;

	header_copies_read(&exported, c->device);
	rc = export_header(c, why);
	if (rc)
		return rc;
	disk_close(&c->disk);
	rc = disk_load(&c->disk, c->device, c->header, why);
	if (!rc)
		rc = disk_lock(&c->disk, why);
	header_copies_read(&now, c->device);
	/* There was a moment without the lock, and a rotation may have taken it. */
	if (!rc && memcmp(&exported, &now, sizeof(now)))
		rc = reason_set(why, RC_BUSY, "The header of %.300s was changed just now: try again.",
				c->device);
	if (!rc)
		rc = disk_register(&c->disk, NULL, why);
	if (rc)
		return rc;
	forget(c, "");
	return signature_wipe(c->device, why);
}

/* What decryption takes: a segment that can be mapped, a cipher, and the volume key. */
static int check_header(const struct decrypting *c, int slot, struct secmem *secret,
			struct reason *why)
{
	struct meta *meta = c->disk.layer[0].meta;
	SECMEM_AUTO volume_key = NULL;
	struct meta_segment segment;
	size_t size;
	int rc;

	rc = meta_segment(meta, &segment, why);
	if (!rc && cipher_check(segment.cipher))
		rc = reason_said(why, RC_DEVICE);
	if (!rc)
		rc = meta_slot_open(meta, slot, secret, SLOT_SECRET_SIZE, &volume_key, &size, why);
	return rc;
}

static void say_where(const struct decrypting *c, struct reason *why)
{
	struct reason first = *why;

	reason_set(why, first.rc, "%.340s\nThe header is in %.120s now: the same command tries it again.",
		   first.text, c->header);
}

static int begin(struct decrypting *c, struct des_keys *dk, struct reason *why)
{
	SECMEM_AUTO secret = NULL;
	bool moved = false;
	int rc, slot = -1;

	rc = policy_check_clear(c->device, why);
	if (!rc)
		rc = inplace_check_disk(c->o, &c->disk, why);
	if (rc)
		return rc;
	rc = confirm(c->o, "This will decrypt the data on %s in place: they will lie there for anybody to read.",
		     c->device);
	if (rc)
		return reason_said(why, rc);
	/* From here on a signal waits until what is begun can go on. */
	interrupt_catch();
	/* Proves that the key is to be had before the header goes anywhere. */
	rc = inplace_secret(&c->disk, 0, dk, &secret, &slot, why);
	if (!rc)
		rc = check_header(c, slot, secret, why);
	if (!rc && !*c->disk.header) {
		rc = move_header(c, why);
		moved = !rc;
	}
	if (!rc)
		rc = inplace_note_size(c->disk.layer[0].meta, c->sectors, why);
	if (!rc)
		rc = meta_decrypt_begin(c->disk.layer[0].meta, slot, secret, SLOT_SECRET_SIZE, why);
	if (rc && moved)
		say_where(c, why);
	return rc;
}

/* The file, of no use any more, goes last: as long as it is there this can be repeated. */
static int end(const struct decrypting *c, struct reason *why)
{
	struct stat st;

	forget(c, c->header);
	if (!stat(c->header, &st) && S_ISREG(st.st_mode) && unlink(c->header))
		return reason_set(why, RC_DEVICE, "Header file %s, which is of no use any more, can't be removed: %s.",
				  c->header, strerror(errno));
	return RC_OK;
}

static int run(struct decrypting *c, struct des_keys *dk, struct reason *why)
{
	int rc;

	rc = des_keys_usable(dk, why);
	if (!rc && dk->des.type != DES_PLATFORM)
		rc = reason_set(why, RC_PARAM, "Disk encryption set %s is of type %s: its disks are not decrypted.",
				dk->des.name, des_type_name(dk->des.type));
	if (!rc && meta_reencryption(c->disk.layer[0].meta) == META_SETTLED)
		rc = begin(c, dk, why);
	else if (!rc)
		rc = inplace_check_size(c->disk.layer[0].meta, c->device, c->sectors, why);
	if (!rc)
		rc = disk_register(&c->disk, NULL, why);
	if (!rc)
		rc = inplace_run(c->o, &c->disk, 0, dk, "decrypted", why);
	return rc ? rc : end(c, why);
}

static int run_audited(struct decrypting *c, struct reason *why)
{
	char device[PATH_MAX], uuid[UUID_TEXT_SIZE], des[DES_NAME_MAX];
	struct audit_subject subject = { .des = des, .device = device, .uuid = uuid };
	struct des_keys dk;
	struct audit audit;
	int rc;

	/* The disk is loaded anew meanwhile. */
	snprintf(device, sizeof(device), "%s", c->disk.device);
	snprintf(uuid, sizeof(uuid), "%s", disk_uuid(&c->disk));
	snprintf(des, sizeof(des), "%s", c->disk.des);
	rc = audit_intent(&audit, AUDIT_DECRYPT, &subject, why);
	if (rc)
		return rc;
	rc = disk_open_keys(&c->disk, &dk, why);
	if (!rc) {
		rc = run(c, &dk, why);
		des_keys_close(&dk);
	}
	audit_result(&audit, rc ? why : NULL);
	return rc;
}

static int decrypt_loaded(struct decrypting *c, struct reason *why)
{
	enum meta_reencryption state;
	int rc;

	/* First, as there may be no header at all. */
	rc = check_allowed(c, why);
	if (rc)
		return rc;
	state = meta_reencryption(c->disk.layer[0].meta);
	if (state == META_ENCRYPTING || state == META_REENCRYPTING)
		return reason_set(why, RC_PARAM, "%s is being %s: that has to be finished first.",
				  c->disk.device,
				  state == META_ENCRYPTING ? "encrypted" : "re-encrypted");
	if (state == META_SETTLED && opt_given(c->o, OPT_RESUME_ONLY))
		return reason_set(why, RC_PARAM, "No decryption of %s is under way: nothing to go on with.",
				  c->disk.device);
	rc = disk_lock(&c->disk, why);
	if (!rc)
		rc = cache_refuse_dirty(&c->disk, why);
	return rc ? rc : run_audited(c, why);
}

static bool has_note(struct meta *m)
{
	struct reason ignored;
	char *note = NULL;
	bool found;

	found = !meta_note_get(m, NOTE_TYPE, &note, &ignored) && note;
	free(note);
	return found;
}

/*
 * The file is there. A header that the device has beside it is what counts if the
 * file came from it, and power was cut before it was wiped: it may be newer.
 */
static int choose(struct decrypting *c, struct meta *file, bool *from_device,
		  struct reason *why)
{
	struct meta *own = NULL;
	struct reason ignored;
	bool found;
	int rc = RC_OK;

	*from_device = false;
	if (meta_load(&own, c->device, NULL, &found, &ignored))
		return RC_OK;
	if (meta_reencryption(file) == META_SETTLED && has_note(file) &&
	    !strcmp(meta_uuid(own), meta_uuid(file)))
		*from_device = true;
	else
		rc = reason_set(why, RC_BUSY,
			"%s exists already, and %s has a header of its own: --header names a new file\n"
			"that it is moved to.", c->header, c->device);
	meta_free(&own);
	return rc;
}

static int load(struct decrypting *c, bool *over, struct reason *why)
{
	struct meta *meta = NULL;
	bool found, from_device = true;
	int rc = RC_OK;

	*over = false;
	if (!access(c->header, F_OK)) {
		rc = meta_load(&meta, c->device, c->header, &found, why);
		*over = !rc && meta_is_plain(meta);
		if (!rc && !*over)
			rc = choose(c, meta, &from_device, why);
		meta_free(&meta);
	}
	if (rc || *over)
		return rc;
	return disk_load(&c->disk, c->device, from_device ? NULL : c->header, why);
}

static int decrypt(struct decrypting *c, struct reason *why)
{
	bool over;
	int rc;

	rc = inplace_claim(c->device, c->header, "decrypted", &c->sectors, why);
	if (!rc)
		rc = inplace_check_register(c->device, c->header, why);
	if (!rc)
		rc = load(c, &over, why);
	if (rc)
		return rc;
	if (!over)
		return decrypt_loaded(c, why);
	printf("%s: is decrypted already.\n", c->device);
	return end(c, why);
}

int cmd_decrypt(const struct options *o, int argc, char **argv)
{
	struct decrypting c = { .o = o, .device = argv[0], .lock = -1 };
	struct reason why = { 0 };
	int rc;

	(void)argc;
	if (!opt_given(o, OPT_HEADER))
		return diag_fail(RC_PARAM,
			"Where to have the header meanwhile? --header FILE names a file: a new one, to which the\n"
			"header is moved, or that of a disk with a detached header.");
	if (opt_given(o, OPT_TEST_ARGS))
		return RC_OK;
	blockdev_absolute(o->str[OPT_HEADER], c.header, sizeof(c.header));
	disk_init(&c.disk);
	rc = inplace_lock(c.device, &c.lock, &why);
	if (!rc)
		rc = decrypt(&c, &why);
	disk_close(&c.disk);
	if (c.lock >= 0)
		close(c.lock);
	if (rc)
		reason_say(&why);
	interrupt_end();
	return rc;
}
