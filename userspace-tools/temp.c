// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <string.h>

#include "diag.h"
#include "ssesetup.h"
#include "temp.h"

#define TEMP_PREFIX	DMSSE_UUID_PREFIX "TEMP-"

void temp_uuid(const char *name, char *uuid, size_t size)
{
	snprintf(uuid, size, TEMP_PREFIX "%.116s", name);
}

bool temp_is_uuid(const char *uuid)
{
	return !strncmp(uuid, TEMP_PREFIX, strlen(TEMP_PREFIX));
}

bool temp_is(const struct dm_mapping *m)
{
	return temp_is_uuid(m->uuid);
}

int temp_refuse(const char *name, const char *what)
{
	return diag_fail(RC_PARAM, "Device %s is a temporary disk: nobody has its key but the kernel, so %s",
			 name, what);
}
