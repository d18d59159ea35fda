// SPDX-License-Identifier: GPL-2.0-only
/*
 * ssesetup metrics
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "blockdev.h"
#include "files.h"
#include "metrics.h"
#include "ssesetup.h"

static int collect(struct metrics *c, struct reason *why)
{
	struct known_disk *known = NULL;
	size_t nr_known;
	int rc;

	rc = registry_list(NULL, &known, &nr_known, why);
	if (!rc)
		rc = monitor_list(&c->disks, &c->nr_disks, why);
	if (!rc)
		rc = metrics_load_sets(c, known, nr_known, why);
	free(known);
	return rc;
}

static void put_all(FILE *out, const struct metrics *c)
{
	const struct prom_label version[] = { { "version", SSESETUP_VERSION }, { NULL, NULL } };

	prom_family(out, "dm_sse_ssesetup_info", "gauge", "Who wrote this. Always 1.");
	prom_sample(out, "dm_sse_ssesetup_info", version, 1);
	metrics_put_disks(out, c);
	metrics_put_caches(out, c);
	metrics_put_sets(out, c);
}

static int write_out(const char *file, const char *text, size_t size, struct reason *why)
{
	char path[PATH_MAX];

	if (!file) {
		fwrite(text, 1, size, stdout);
		return RC_OK;
	}
	blockdev_absolute(file, path, sizeof(path));
	return files_publish(path, text, size, why);
}

/* Whole or not at all, also where it goes into a pipe. */
static int put_out(const struct metrics *c, const char *file, struct reason *why)
{
	char *text = NULL;
	size_t size = 0;
	bool failed;
	FILE *out;
	int rc;

	out = open_memstream(&text, &size);
	if (!out)
		return reason_nomem(why);
	put_all(out, c);
	failed = ferror(out);
	if (fclose(out) || failed)
		rc = reason_nomem(why);
	else
		rc = write_out(file, text, size, why);
	free(text);
	return rc;
}

int cmd_metrics(const struct options *o, int argc, char **argv)
{
	struct metrics c = { 0 };
	struct reason why = { 0 };
	int rc;

	(void)argc;
	(void)argv;
	if (opt_given(o, OPT_TEST_ARGS))
		return RC_OK;
	rc = dm_ready();
	if (rc)
		return rc;
	rc = collect(&c, &why);
	if (!rc)
		rc = put_out(&c, opt_given(o, OPT_OUTPUT) ? o->str[OPT_OUTPUT] : NULL, &why);
	free(c.sets);
	monitor_free(c.disks, c.nr_disks);
	return rc ? reason_say(&why) : RC_OK;
}
