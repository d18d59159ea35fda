// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "audit.h"
#include "blockdev.h"
#include "confirm.h"
#include "new_disk.h"
#include "policy.h"
#include "recovery.h"
#include "signature.h"

int new_disk_check(const struct options *o, struct format_params *p, struct reason *why)
{
	int rc;

	rc = des_keys_usable(p->dk, why);
	if (!rc)
		rc = format_pair(&p->dk->des, opt_given(o, OPT_DOUBLE), o->str[OPT_DOUBLE], &p->pair,
				 why);
	if (!rc)
		rc = policy_check_layers(p->device, p->dk->des.name, p->pair ? 2 : 1, why);
	return rc ? rc : format_check_size(p, why);
}

int new_disk_confirm(const struct options *o, const struct format_params *p, struct reason *why)
{
	char what[128], old[PATH_MAX + 64] = "";
	int rc;

	rc = signature_find(p->device, what, sizeof(what), why);
	if (rc)
		return rc;
	if (p->header && !access(p->header, F_OK))
		snprintf(old, sizeof(old), "\nIt also overwrites the header file %s.", p->header);
	rc = confirm(o, "This will overwrite data on %s irrevocably.%s%s%s%s", p->device,
		     *what ? "\nIt holds " : "", what, *what ? "." : "", old);
	return rc ? reason_said(why, rc) : RC_OK;
}

static int show_recovery_keys(const struct disk *d, struct secmem *recovery[SSE_LAYERS_MAX],
			      struct reason *why)
{
	unsigned int i;
	int rc = RC_OK;

	for (i = d->nr_layers; i > 0 && !rc; i--)
		if (recovery[i - 1])
			rc = recovery_key_show(recovery[i - 1],
					       d->nr_layers > 1 ? layer_name(i - 1) : "", why);
	if (!rc && recovery[0])
		fprintf(stderr, "Write %s down and keep %s safe: nothing shows %s again.\n",
			d->nr_layers > 1 ? "them" : "it", d->nr_layers > 1 ? "them" : "it",
			d->nr_layers > 1 ? "them" : "it");
	return rc;
}

static int format_and_enter(const struct format_params *p, struct disk *made, struct reason *why)
{
	struct secmem *recovery[SSE_LAYERS_MAX] = { NULL };
	unsigned int i;
	int rc;

	rc = format_disk(p, made, recovery, why);
	if (!rc) {
		rc = disk_register(made, NULL, why);
		if (!rc)
			rc = show_recovery_keys(made, recovery, why);
		if (rc)
			disk_close(made);
	}
	for (i = 0; i < SSE_LAYERS_MAX; i++)
		secmem_free(&recovery[i]);
	return rc;
}

int new_disk_make(const struct format_params *p, struct disk *made, struct reason *why)
{
	struct audit_subject subject = { .des = p->dk->des.name };
	struct audit audit, recovery;
	char device[PATH_MAX];
	int rc;

	blockdev_absolute(p->device, device, sizeof(device));
	subject.device = device;
	rc = audit_intent(&audit, AUDIT_FORMAT, &subject, why);
	if (rc)
		return rc;
	if (p->recovery_key)
		rc = audit_intent(&recovery, AUDIT_RECOVERY_KEY, &subject, why);
	if (!rc)
		rc = format_and_enter(p, made, why);
	if (p->recovery_key)
		audit_result(&recovery, rc ? why : NULL);
	audit_result(&audit, rc ? why : NULL);
	return rc;
}
