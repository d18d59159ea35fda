// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "blockdev.h"
#include "files.h"
#include "header_backups.h"
#include "json_file.h"
#include "meta.h"
#include "paths.h"

/* UUID.json: the time of each backup, by its path, which begins with a slash. */
#define PATH_SIZE	(sizeof(PATH_BACKUPS) + UUID_TEXT_SIZE + sizeof(".json") + 1)

static int notes_path(const char *uuid, char *path, struct reason *why)
{
	if (!*uuid || strspn(uuid, "0123456789abcdefABCDEF-") != strlen(uuid) ||
	    (size_t)snprintf(path, PATH_SIZE, PATH_BACKUPS "/%s.json", uuid) >= PATH_SIZE)
		return reason_set(why, RC_PARAM, "'%.40s' is no UUID.", uuid);
	return RC_OK;
}

/* An empty object if there are none. */
static int load(const char *uuid, char *path, struct json_object **notes, struct reason *why)
{
	bool missing;
	int rc;

	rc = notes_path(uuid, path, why);
	if (rc)
		return rc;
	rc = json_read_file(path, notes, &missing, why);
	if (!rc || !missing)
		return rc;
	*notes = json_object_new_object();
	return *notes ? RC_OK : reason_nomem(why);
}

static int change(const char *uuid, const char *file, time_t made, struct reason *why)
{
	char path[PATH_SIZE], absolute[PATH_MAX];
	struct json_object *notes = NULL;
	int lock, rc;

	blockdev_absolute(file, absolute, sizeof(absolute));
	rc = files_lock(PATH_BACKUPS, &lock, why);
	if (rc)
		return rc;
	rc = load(uuid, path, &notes, why);
	if (!rc && !json_put_time(notes, absolute, made))
		rc = reason_nomem(why);
	if (!rc && !json_object_object_length(notes))
		rc = files_remove(path, why);
	else if (!rc)
		rc = json_write_file(path, notes, why);
	json_object_put(notes);
	close(lock);
	return rc;
}

int header_backups_note(const char *uuid, const char *file, struct reason *why)
{
	return change(uuid, file, time(NULL), why);
}

int header_backups_forget(const char *uuid, const char *file, struct reason *why)
{
	return change(uuid, file, 0, why);
}

/* The file may be gone since, or be something else: then it opens nothing. */
static int add(const char *file, time_t made, struct header_backup **list, size_t *nr,
	       struct reason *why)
{
	struct header_backup *more;

	if (meta_remains(file) == META_NOTHING)
		return RC_OK;
	more = reallocarray(*list, *nr + 1, sizeof(**list));
	if (!more)
		return reason_nomem(why);
	*list = more;
	more[*nr].file = strdup(file);
	if (!more[*nr].file)
		return reason_nomem(why);
	more[(*nr)++].made = made;
	return RC_OK;
}

int header_backups_list(const char *uuid, struct header_backup **list, size_t *nr,
			struct reason *why)
{
	struct json_object *notes = NULL;
	char path[PATH_SIZE];
	time_t made;
	int rc;

	*list = NULL;
	*nr = 0;
	rc = load(uuid, path, &notes, why);
	if (rc)
		return rc;
	json_object_object_foreach(notes, file, value) {
		(void)value;
		if (!rc && *file == '/' && json_get_time(notes, file, &made))
			rc = add(file, made, list, nr, why);
	}
	json_object_put(notes);
	if (rc) {
		header_backups_free(*list, *nr);
		*list = NULL;
		*nr = 0;
	}
	return rc;
}

void header_backups_free(struct header_backup *list, size_t nr)
{
	while (nr > 0)
		free(list[--nr].file);
	free(list);
}
