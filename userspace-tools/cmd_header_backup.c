// SPDX-License-Identifier: GPL-2.0-only
/*
 * ssesetup header backup DEVICE --header-backup-file FILE
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit.h"
#include "blockdev.h"
#include "disk.h"
#include "header_backups.h"
#include "ssesetup.h"

#define INNER	0

static int save(const char *device, const char *header, const char *file, struct reason *why)
{
	int rc;

	rc = meta_backup(device, header, file, why);
	if (!rc && chmod(file, 0600))
		rc = reason_set(why, RC_DEVICE, "The mode of %s can't be set: %s.", file, strerror(errno));
	return rc;
}

static int save_inner(struct disk *d, const char *file, struct reason *why)
{
	char device[PATH_MAX], header[PATH_MAX];
	struct des_keys dk;
	int rc;

	rc = disk_open_keys(d, &dk, why);
	if (rc)
		return rc;
	rc = des_keys_usable(&dk, why);
	if (!rc)
		rc = disk_reach(d, &dk, why);
	if (!rc) {
		disk_inner_device(d, device, sizeof(device), header, sizeof(header));
		rc = save(device, *header ? header : NULL, file, why);
	}
	des_keys_close(&dk);
	return rc;
}

/* Both or none: half of a backup would be found out when it is needed. */
static int backup(struct disk *d, const char *file, struct reason *why)
{
	const char *header = *d->header ? d->header : NULL;
	char inner[PATH_MAX];
	int rc;

	snprintf(inner, sizeof(inner), "%.4000s.inner", file);
	if (d->nr_layers > 1 && !access(inner, F_OK))
		return reason_set(why, RC_BUSY,
			"%s exists already: a backup doesn't replace an older one.", inner);
	rc = save(d->device, header, file, why);
	if (rc || d->nr_layers == 1)
		return rc;
	rc = save_inner(d, inner, why);
	if (rc)
		unlink(file);
	return rc;
}

static int backup_audited(struct disk *d, const char *file, struct reason *why)
{
	char device[PATH_MAX];
	struct audit_subject subject = {
		.des = d->des,
		.device = device,
		.uuid = disk_uuid(d),
	};
	struct audit audit;
	int rc;

	blockdev_absolute(d->device, device, sizeof(device));
	rc = audit_intent(&audit, AUDIT_HEADER_BACKUP, &subject, why);
	if (rc)
		return rc;
	rc = backup(d, file, why);
	audit_result(&audit, rc ? why : NULL);
	return rc;
}

/* For "shred", which must tell of it. The backup is good without. */
static void note(const struct disk *d, const char *file)
{
	char inner[PATH_MAX];
	struct reason why;
	int rc;

	snprintf(inner, sizeof(inner), "%.4000s.inner", file);
	rc = header_backups_note(disk_uuid(d), file, &why);
	if (!rc && d->nr_layers > 1)
		rc = header_backups_note(disk_uuid(d), inner, &why);
	if (rc)
		diag_warn("Where the backup is can't be remembered: %s", why.text);
}

int cmd_header_backup(const struct options *o, int argc, char **argv)
{
	const char *file = o->str[OPT_HEADER_BACKUP_FILE];
	struct reason why = { 0 };
	struct disk d;
	int rc;

	(void)argc;
	if (!file)
		return diag_fail(RC_PARAM, "Where to? --header-backup-file FILE says it.");
	if (opt_given(o, OPT_TEST_ARGS))
		return RC_OK;
	disk_init(&d);
	rc = disk_load(&d, argv[0], o->str[OPT_HEADER], &why);
	if (!rc)
		rc = disk_lock(&d, &why);
	if (!rc)
		rc = backup_audited(&d, file, &why);
	if (!rc && d.nr_layers > 1)
		diag_verbose("The outer header is in %s, the inner one in %s.inner.", file, file);
	if (!rc)
		note(&d, file);
	disk_close(&d);
	return rc ? reason_say(&why) : RC_OK;
}
