// SPDX-License-Identifier: GPL-2.0-only
/*
 * Not a test by itself: opens the headers of a disk as "ssesetup open" does,
 * and stops where the kernel would come in.
 *
 *	unlock DEVICE [HEADER]
 *
 * Prints "SET VERSION[ VERSION]", the versions of the layers' keys, innermost
 * first; or why it doesn't open. Ends with an exit code of ssesetup's.
 */
#include <stdio.h>

#include "disk.h"

int main(int argc, char **argv)
{
	struct reason why = { 0 };
	struct des_keys dk;
	struct disk d;
	unsigned int i;
	int rc;

	if (argc < 2)
		return RC_PARAM;
	disk_init(&d);
	rc = disk_load(&d, argv[1], argv[2], &why);
	if (!rc)
		rc = disk_open_keys(&d, &dk, &why);
	if (rc)
		return reason_say(&why);
	rc = disk_unlock(&d, &dk, &why);
	if (!rc) {
		printf("%s", d.des);
		for (i = 0; i < d.nr_layers; i++)
			printf(" %s", d.layer[i].token.kek_version);
		printf("\n");
	}
	des_keys_close(&dk);
	disk_close(&d);
	return rc ? reason_say(&why) : RC_OK;
}
