// SPDX-License-Identifier: GPL-2.0-only
/*
 * ssesetup open DEVICE NAME
 */
#include <string.h>

#include "diag.h"
#include "dm.h"
#include "open.h"
#include "ssesetup.h"

int cmd_open(const struct options *o, int argc, char **argv)
{
	const char *type = o->str[OPT_TYPE] ? o->str[OPT_TYPE] : "luks2";
	const char *name;

	(void)argc;
	name = dm_name(argv[1]);
	if (!name)
		return RC_PARAM;
	if (!strcmp(type, "plain"))
		return open_plain(o, argv[0], name);
	if (!strcmp(type, "luks2") || !strcmp(type, "luks"))
		return open_luks2(o, argv[0], name);
	return diag_fail(RC_PARAM, "Device type '%s' is not known: luks2 and plain are.", type);
}
