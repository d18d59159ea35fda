// SPDX-License-Identifier: GPL-2.0-only
#include <fts.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "blockdev.h"
#include "devnames.h"

static void add(struct devnames *d, dev_t device, const char *path)
{
	struct devname *more = reallocarray(d->name, d->nr + 1, sizeof(*more));

	if (!more)
		return;
	d->name = more;
	more[d->nr].device = device;
	more[d->nr].path = strdup(path);
	if (more[d->nr].path)
		d->nr++;
}

/* @only: of this device, or NULL. */
static void walk(struct devnames *d, const dev_t *only)
{
	char root[] = "/dev";
	char *roots[] = { root, NULL };
	struct stat st;
	FTSENT *e;
	FTS *fts;

	/* What is mounted below it has no devices, and may be large. */
	fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
	while (fts && (e = fts_read(fts))) {
		if (e->fts_info != FTS_DEFAULT && e->fts_info != FTS_SL)
			continue;
		if (stat(e->fts_path, &st) || !S_ISBLK(st.st_mode))
			continue;
		if (!only || st.st_rdev == *only)
			add(d, st.st_rdev, e->fts_path);
	}
	if (fts)
		fts_close(fts);
}

void devnames_read(struct devnames *d)
{
	memset(d, 0, sizeof(*d));
	walk(d, NULL);
}

void devnames_of(struct devnames *d, const char *device)
{
	char path[PATH_MAX];
	struct stat st;

	memset(d, 0, sizeof(*d));
	blockdev_absolute(device, path, sizeof(path));
	add(d, 0, path);
	if (realpath(device, path))
		add(d, 0, path);
	if (!stat(device, &st) && S_ISBLK(st.st_mode))
		walk(d, &st.st_rdev);
}

void devnames_free(struct devnames *d)
{
	size_t i;

	for (i = 0; i < d->nr; i++)
		free(d->name[i].path);
	free(d->name);
	memset(d, 0, sizeof(*d));
}
