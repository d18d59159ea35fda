// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>

#include "blockdev.h"
#include "claim.h"
#include "clone.h"
#include "registry.h"

int claim_find(const char *device, char *what, size_t size, struct reason *why)
{
	struct known_disk *list = NULL;
	size_t nr = 0, i;
	int rc;

	*what = '\0';
	rc = registry_list(NULL, &list, &nr, why);
	for (i = 0; !rc && i < nr && !*what; i++)
		if (*list[i].header && blockdev_same(list[i].device, device) &&
		    clone_has_uuid(list[i].device, list[i].header, list[i].uuid))
			snprintf(what, size, "a disk of set %.40s, with its header in %.120s",
				 list[i].des, list[i].header);
	free(list);
	return rc;
}
