// SPDX-License-Identifier: GPL-2.0-only
/*
 * ssesetup assign DEVICE --des NAME
 */
#include <stdio.h>
#include <string.h>

#include "assign.h"
#include "audit.h"
#include "passphrase.h"
#include "ssesetup.h"

struct assignment {
	const struct options *o;
	struct disk disk;
	struct des_keys to;
	struct des_keys from;	/* if the disk is of a set */
};

/* What the register, or a person, must know of a disk that comes from outside. */
static int unlock_foreign(struct assignment *a, struct reason *why)
{
	SECMEM_AUTO passphrase = NULL;
	size_t size;
	int rc;

	rc = assign_check(&a->disk, NULL, &a->to.des, why);
	if (!rc)
		rc = passphrase_read(a->o, a->disk.device, &passphrase, &size, why);
	if (!rc)
		rc = disk_unlock_passphrase(&a->disk, passphrase, size, why);
	return rc;
}

static int unlock_ours(struct assignment *a, struct reason *why)
{
	int rc;

	rc = assign_check(&a->disk, &a->from.des, &a->to.des, why);
	if (!rc)
		rc = des_keys_usable(&a->from, why);
	if (!rc)
		rc = disk_unlock(&a->disk, &a->from, why);
	return rc;
}

static int assign_audited(struct assignment *a, struct reason *why)
{
	struct audit_subject subject = {
		.des = a->to.des.name,
		.device = a->disk.device,
		.uuid = disk_uuid(&a->disk),
	};
	struct audit audit;
	int rc;

	rc = audit_intent(&audit, AUDIT_ASSIGN, &subject, why);
	if (rc)
		return rc;
	rc = a->disk.ours ? unlock_ours(a, why) : unlock_foreign(a, why);
	if (!rc)
		rc = assign_disk(&a->disk, &a->to, why);
	audit_result(&audit, rc ? why : NULL);
	return rc;
}

static int assign_known(struct assignment *a, struct reason *why)
{
	bool same;
	int rc;

	rc = disk_open_keys(&a->disk, &a->from, why);
	if (rc)
		return rc;
	same = !strcmp(a->disk.des_id, a->to.des.id);
	rc = assign_audited(a, why);
	if (!rc && same)
		printf("%s: belongs to set %s already.\n", a->disk.device, a->to.des.name);
	des_keys_close(&a->from);
	return rc;
}

static int assign(struct assignment *a, struct reason *why)
{
	int rc;

	rc = des_keys_usable(&a->to, why);
	if (!rc)
		rc = disk_lock(&a->disk, why);
	if (rc)
		return rc;
	if (a->disk.ours && opt_given(a->o, OPT_KEY_FILE))
		return reason_set(why, RC_PARAM,
			"%s belongs to set %s, whose key opens it: --key-file is for disks of no set.",
			a->disk.device, a->disk.des);
	return a->disk.ours ? assign_known(a, why) : assign_audited(a, why);
}

int cmd_assign(const struct options *o, int argc, char **argv)
{
	struct assignment a = { .o = o };
	const char *set = o->str[OPT_DES];
	struct reason why = { 0 };
	int rc;

	(void)argc;
	if (!set)
		return diag_fail(RC_PARAM, "To which set? --des NAME says it.");
	if (!des_name_ok(set))
		return diag_fail(RC_PARAM, "'%s' can't be the name of a disk encryption set.", set);
	if (opt_given(o, OPT_TEST_ARGS))
		return RC_OK;
	rc = des_keys_open(&a.to, set, &why);
	if (rc)
		return reason_say(&why);
	disk_init(&a.disk);
	rc = disk_load(&a.disk, argv[0], o->str[OPT_HEADER], &why);
	if (!rc)
		rc = assign(&a, &why);
	disk_close(&a.disk);
	des_keys_close(&a.to);
	return rc ? reason_say(&why) : RC_OK;
}
