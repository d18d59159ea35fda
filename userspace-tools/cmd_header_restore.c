// SPDX-License-Identifier: GPL-2.0-only
/*
 * ssesetup header restore DEVICE --header-backup-file FILE
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit.h"
#include "blockdev.h"
#include "cache.h"
#include "confirm.h"
#include "disk.h"
#include "rollback.h"
#include "ssesetup.h"

struct restore {
	const struct options *o;
	const char *device;
	const char *header;		/* detached, or NULL */
	const char *file;
	char inner_file[PATH_MAX];
	struct disk backup;		/* the headers as they are in the files */
	char *cache_note;		/* of the header that is replaced; NULL: none */
};

/* A backup is a header that isn't where its data are. */
static int load_backup(struct restore *r, struct reason *why)
{
	int rc;

	if (access(r->file, R_OK))
		return reason_set(why, RC_DEVICE, "There is no backup %s that can be read.", r->file);
	rc = disk_load(&r->backup, r->device, r->file, why);
	if (rc)
		return rc;
	if (r->backup.nr_layers == 1 || !access(r->inner_file, R_OK))
		return RC_OK;
	return reason_set(why, RC_DEVICE,
		"%s is the outer header of a disk with two layers: %s, with the inner one, is missing.",
		r->file, r->inner_file);
}

/* An inner header is below the outer layer: without its key it can't be put there. */
static int prove_outer(struct restore *r, struct reason *why)
{
	struct des_keys dk;
	int rc;

	if (r->backup.nr_layers == 1 || r->header)
		return RC_OK;
	rc = disk_open_keys(&r->backup, &dk, why);
	if (rc)
		return rc;
	rc = disk_unlock_layer(&r->backup, r->backup.nr_layers - 1, &dk, why);
	des_keys_close(&dk);
	if (rc)
		reason_prefix(why, "Nothing was restored, for the outer layer can't be opened with the backup");
	return rc;
}

static int check_target(struct restore *r, bool *empty, struct reason *why)
{
	const char *uuid = disk_uuid(&r->backup);
	struct meta *now = NULL;
	struct reason ignored;
	uint64_t sectors;
	bool found;
	int rc;

	rc = blockdev_look(r->device, true, &sectors);
	if (rc) {
		diag_error("A header is restored while the disk is closed.");
		return reason_said(why, rc);
	}
	*empty = true;
	if (r->header && access(r->header, F_OK))
		return RC_OK;
	if (meta_load(&now, r->device, r->header, &found, &ignored))
		return RC_OK;
	*empty = false;
	/* A cache may have been used, and another time be full, since the backup was made. */
	rc = meta_note_get(now, CACHE_NOTE_TYPE, &r->cache_note, why);
	if (!rc && strcmp(meta_uuid(now), uuid))
		rc = reason_set(why, RC_DEVICE,
			"%s is the backup of another disk's header, of UUID %s; that of %s is %s.",
			r->file, uuid, r->header ? r->header : r->device, meta_uuid(now));
	meta_free(&now);
	return rc;
}

static int ask(const struct restore *r, bool empty, struct reason *why)
{
	const char *path = r->header ? r->header : r->device;
	int rc;

	if (empty)
		rc = confirm(r->o, "%s has no LUKS2 header that could tell whether the backup is its own.\n"
			     "What is there now is overwritten by the header of UUID %s.", path,
			     disk_uuid(&r->backup));
	else
		rc = confirm(r->o, "The header of %s is replaced by the backup, with all of its keyslots:\n"
			     "keys that were added since open the disk no more, and those that were removed do.",
			     path);
	return rc ? reason_said(why, rc) : RC_OK;
}

static int restore_inner(struct restore *r, struct disk *d, struct des_keys *dk,
			 struct reason *why)
{
	char device[PATH_MAX], header[PATH_MAX];
	unsigned int outer = d->nr_layers - 1;
	int rc = RC_OK;

	if (!*d->header) {
		rc = disk_unlock_layer(d, outer, dk, why);
		if (!rc)
			rc = disk_peel(d, why);
	}
	if (rc)
		return rc;
	disk_inner_device(d, device, sizeof(device), header, sizeof(header));
	rc = meta_restore(device, *header ? header : NULL, r->inner_file, why);
	return rc ? rc : disk_reach(d, dk, why);
}

static int restore(struct restore *r, struct disk *d, bool empty, struct reason *why)
{
	struct des_keys dk;
	int rc;

	rc = meta_restore(r->device, r->header, r->file, why);
	if (!rc)
		rc = disk_load(d, r->device, r->header, why);
	if (!rc)
		rc = cache_note_carry(d, r->cache_note, empty, why);
	if (rc || d->nr_layers == 1)
		return rc;
	rc = disk_open_keys(d, &dk, why);
	if (!rc) {
		rc = restore_inner(r, d, &dk, why);
		des_keys_close(&dk);
	}
	if (rc)
		reason_prefix(why, "The outer header was restored, the inner one was not");
	return rc;
}

static int restore_audited(struct restore *r, bool empty, struct reason *why)
{
	char device[PATH_MAX];
	struct audit_subject subject = {
		.des = r->backup.des,
		.device = device,
		.uuid = disk_uuid(&r->backup),
	};
	struct audit audit;
	struct disk d;
	int rc;

	blockdev_absolute(r->device, device, sizeof(device));
	rc = audit_intent(&audit, AUDIT_HEADER_RESTORE, &subject, why);
	if (rc)
		return rc;
	disk_init(&d);
	rc = restore(r, &d, empty, why);
	audit_result(&audit, rc ? why : NULL);
	if (!rc)
		rollback_report(&d);
	disk_close(&d);
	return rc;
}

static int run(struct restore *r, struct reason *why)
{
	bool empty = false;
	int rc;

	rc = load_backup(r, why);
	if (!rc)
		rc = disk_lock(&r->backup, why);
	if (!rc)
		rc = check_target(r, &empty, why);
	if (!rc)
		rc = prove_outer(r, why);
	if (!rc)
		rc = ask(r, empty, why);
	return rc ? rc : restore_audited(r, empty, why);
}

int cmd_header_restore(const struct options *o, int argc, char **argv)
{
	struct restore r = {
		.o = o,
		.device = argv[0],
		.header = o->str[OPT_HEADER],
		.file = o->str[OPT_HEADER_BACKUP_FILE],
	};
	struct reason why = { 0 };
	int rc;

	(void)argc;
	if (!r.file)
		return diag_fail(RC_PARAM, "Where from? --header-backup-file FILE says it.");
	if (opt_given(o, OPT_TEST_ARGS))
		return RC_OK;
	snprintf(r.inner_file, sizeof(r.inner_file), "%.4000s.inner", r.file);
	disk_init(&r.backup);
	rc = run(&r, &why);
	disk_close(&r.backup);
	free(r.cache_note);
	return rc ? reason_say(&why) : RC_OK;
}
