// SPDX-License-Identifier: GPL-2.0-only
/*
 * ssesetup format DEVICE
 */
#include "new_disk.h"
#include "policy.h"
#include "ssesetup.h"

static int format(const struct options *o, struct format_params *p, struct reason *why)
{
	struct disk made;
	int rc;

	rc = new_disk_check(o, p, why);
	if (!rc)
		rc = new_disk_confirm(o, p, why);
	if (!rc)
		rc = new_disk_make(p, &made, why);
	if (!rc)
		disk_close(&made);
	return rc;
}

int cmd_format(const struct options *o, int argc, char **argv)
{
	const char *given = o->str[OPT_DES];
	uint64_t sector_size = opt_given(o, OPT_SECTOR_SIZE) ? o->num[OPT_SECTOR_SIZE] : 4096;
	struct reason why = { 0 };
	char set[DES_NAME_MAX];
	struct des_keys dk;
	struct format_params p = {
		.device = argv[0],
		.header = o->str[OPT_HEADER],
		.dk = &dk,
		.sector_size = (unsigned int)sector_size,
		.uuid = o->str[OPT_UUID],
		.label = o->str[OPT_LABEL],
		.recovery_key = opt_given(o, OPT_RECOVERY_KEY),
	};
	int rc;

	(void)argc;
	if (sector_size != 512 && sector_size != 1024 && sector_size != 2048 && sector_size != 4096)
		return diag_fail(RC_PARAM, "--sector-size must be 512, 1024, 2048 or 4096.");
	if (given && !des_name_ok(given))
		return diag_fail(RC_PARAM, "'%s' can't be the name of a disk encryption set.", given);
	if (opt_given(o, OPT_TEST_ARGS))
		return RC_OK;
	rc = policy_default_des(given, set, &why);
	if (!rc)
		rc = des_keys_open(&dk, set, &why);
	if (rc)
		return reason_say(&why);
	rc = format(o, &p, &why);
	des_keys_close(&dk);
	return rc ? reason_say(&why) : RC_OK;
}
