// SPDX-License-Identifier: GPL-2.0-only
/*
 * ssesetup dump DEVICE
 */
#include <stdio.h>
#include <string.h>

#include "disk.h"
#include "ssesetup.h"

/* Does an inner header belong to this one? A header of another's has no tokens of ours. */
static bool is_outer(struct meta *m)
{
	struct token *list = NULL;
	struct reason ignored;
	bool outer = false;
	size_t nr, i;

	if (meta_tokens(m, &list, &nr, &ignored))
		return false;
	for (i = 0; i < nr; i++)
		outer |= list[i].layer == TOKEN_OUTER;
	meta_tokens_free(list, nr);
	return outer;
}

static int reach_inner(struct disk *d, struct reason *why)
{
	struct des_keys dk;
	int rc;

	/* A detached one lies open. */
	if (*d->header)
		return disk_reach(d, NULL, why);
	rc = disk_open_keys(d, &dk, why);
	if (rc)
		return rc;
	rc = des_keys_usable(&dk, why);
	if (!rc)
		rc = disk_reach(d, &dk, why);
	des_keys_close(&dk);
	return rc;
}

/* That it can't be reached takes nothing away from what the outer one says. */
static int dump_inner(const char *device, const char *header, struct reason *why)
{
	struct disk d;
	int rc;

	disk_init(&d);
	rc = disk_load(&d, device, header, why);
	if (!rc)
		rc = reach_inner(&d, why);
	if (rc) {
		printf("\nInner header: not reached.\n");
		fflush(stdout);
		if (why->text[0])
			diag_warn("The inner header can't be shown: %s", why->text);
		rc = RC_OK;
	} else {
		printf("\nInner header:\n\n");
		rc = meta_dump(d.layer[0].meta, why);
	}
	disk_close(&d);
	return rc;
}

int cmd_dump(const struct options *o, int argc, char **argv)
{
	const char *header = o->str[OPT_HEADER];
	struct reason why = { 0 };
	struct meta *meta = NULL;
	bool found, outer;
	int rc;

	(void)argc;
	if (opt_given(o, OPT_TEST_ARGS))
		return RC_OK;
	rc = meta_load(&meta, argv[0], header, &found, &why);
	if (rc)
		return reason_say(&why);
	outer = is_outer(meta);
	if (outer)
		printf("Outer header:\n\n");
	rc = meta_dump(meta, &why);
	meta_free(&meta);
	if (!rc && outer)
		rc = dump_inner(argv[0], header, &why);
	return rc ? reason_say(&why) : RC_OK;
}
