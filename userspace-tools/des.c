// SPDX-License-Identifier: GPL-2.0-only
/*
 * Disk encryption sets in their directory. The text of a file is des_config*.c's,
 * the state des_state.c's.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config_text.h"
#include "des_config.h"
#include "des_state.h"
#include "files.h"
#include "paths.h"

#define SUFFIX		".conf"
#define PATH_SIZE	(sizeof(PATH_DES) + DES_NAME_MAX + 8)

static void config_path(const char *name, char *path)
{
	snprintf(path, PATH_SIZE, PATH_DES "/%.63s" SUFFIX, name);
}

static bool is_default(const char *name)
{
	return !strcmp(name, DES_DEFAULT);
}

static int check_name(const char *name, struct reason *why)
{
	if (des_name_ok(name))
		return RC_OK;
	return reason_set(why, RC_PARAM,
		"'%.80s' is no name of a disk encryption set: it takes letters, digits, '-', '_' and '.',\n"
		"at most %d of them, and none of '-' and '.' in front.", name, DES_NAME_MAX - 1);
}

static int no_such_set(const char *name, struct reason *why)
{
	return reason_set(why, RC_DEVICE,
		"There is no disk encryption set %s: 'ssesetup des list' shows those that are.", name);
}

/* Whoever can write the directory can write any file in it. */
static int check_directory(struct reason *why)
{
	struct stat st;

	if (stat(PATH_DES, &st))
		return RC_OK;
	if ((st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & (S_IWGRP | S_IWOTH)))
		return reason_set(why, RC_PERM,
			"Directory %s can be written by others: 'chown root' and 'chmod go-w' it.",
			PATH_DES);
	return RC_OK;
}

/* *@text is NULL for the implicit set without a file. */
static int read_config(const char *name, char **text, size_t *size, struct reason *why)
{
	char path[PATH_SIZE];
	bool missing;
	int rc;

	*text = NULL;
	*size = 0;
	rc = check_directory(why);
	if (rc)
		return rc;
	config_path(name, path);
	rc = files_read(path, FILES_ROOTS, CONFIG_TEXT_MAX, text, size, &missing, why);
	if (!rc || !missing)
		return rc;
	return is_default(name) ? RC_OK : no_such_set(name, why);
}

static void set_name(struct des *des, const char *name)
{
	memset(des, 0, sizeof(*des));
	snprintf(des->name, sizeof(des->name), "%s", name);
}

static int parse_config(const char *text, size_t size, struct des *des, struct reason *why)
{
	char path[PATH_SIZE];

	if (!des_config_parse(text, size, des, why))
		return RC_OK;
	config_path(des->name, path);
	return reason_prefix(why, "%s", path);
}

static int load_config(const char *name, struct des *des, struct reason *why)
{
	size_t size;
	char *text;
	int rc;

	set_name(des, name);
	rc = check_name(name, why);
	if (!rc)
		rc = read_config(name, &text, &size, why);
	if (rc)
		return rc;
	if (text) {
		rc = parse_config(text, size, des, why);
	} else {
		des->type = DES_PLATFORM;
		des_config_defaults(des);
	}
	free(text);
	return rc;
}

static int default_id(struct des *des, struct reason *why)
{
	int rc = des_state_id(des->name, des->id, why);

	if (rc != RC_PARAM)
		return rc;
	/* Disks know the set by this id: a new one would shut them out. */
	reason_prefix(why, "The id of disk encryption set " DES_DEFAULT " is lost");
	return RC_PARAM;
}

int des_load(const char *name, struct des *des, struct reason *why)
{
	struct reason damage;
	int rc;

	rc = load_config(name, des, why);
	if (!rc && !*des->id)
		rc = default_id(des, why);
	if (rc)
		return rc;
	rc = des_state_load(des, &damage);
	if (rc == RC_PARAM) {
		/* No disk depends on it. */
		diag_warn("%s", damage.text);
		return RC_OK;
	}
	if (rc)
		*why = damage;
	return rc;
}

int des_create(struct des *des, struct reason *why)
{
	char path[PATH_SIZE], *text;
	int rc;

	rc = check_name(des->name, why);
	if (!rc && is_default(des->name))
		rc = reason_set(why, RC_BUSY,
			"The set " DES_DEFAULT " is always there: 'ssesetup des update' changes it.");
	if (!rc && !*des->id)
		rc = des_new_id(des->id, why);
	if (!rc)
		rc = des_config_check(des, why);
	if (!rc)
		rc = files_make_directory(PATH_DES, why);
	if (!rc)
		rc = check_directory(why);
	if (rc)
		return rc;
	text = des_config_format(des);
	if (!text)
		return reason_nomem(why);
	config_path(des->name, path);
	rc = files_write(path, text, strlen(text), true, why);
	free(text);
	if (rc == RC_BUSY)
		reason_set(why, rc, "Disk encryption set %s exists already.", des->name);
	return rc;
}

static int format_edited(const struct des *des, char **edited, struct reason *why)
{
	char path[PATH_SIZE], *text;
	size_t size;
	int rc;

	rc = read_config(des->name, &text, &size, why);
	if (rc)
		return rc;
	if (!text) {
		*edited = des_config_format(des);
		return *edited ? RC_OK : reason_nomem(why);
	}
	rc = des_config_edit(text, size, des, edited, why);
	free(text);
	if (rc) {
		config_path(des->name, path);
		reason_prefix(why, "%s", path);
	}
	return rc;
}

/* The directory's lock is the caller's. */
static int save_config(const struct des *des, struct reason *why)
{
	char path[PATH_SIZE], *edited;
	int rc;

	rc = des_config_check(des, why);
	if (!rc)
		rc = format_edited(des, &edited, why);
	if (rc)
		return rc;
	config_path(des->name, path);
	rc = files_write(path, edited, strlen(edited), false, why);
	free(edited);
	return rc;
}

int des_save_config(const struct des *des, struct reason *why)
{
	int lock, rc;

	rc = check_name(des->name, why);
	if (!rc)
		rc = files_lock(PATH_DES, &lock, why);
	if (rc)
		return rc;
	rc = save_config(des, why);
	close(lock);
	return rc;
}

int des_change_config(struct des *des, int (*change)(struct des *des, void *arg,
						     struct reason *why),
		      void *arg, struct reason *why)
{
	char name[DES_NAME_MAX];
	int lock, rc;

	memcpy(name, des->name, sizeof(name));
	rc = files_lock(PATH_DES, &lock, why);
	if (rc)
		return rc;
	rc = des_load(name, des, why);
	if (!rc)
		rc = change(des, arg, why);
	if (!rc)
		rc = save_config(des, why);
	close(lock);
	return rc;
}

int des_update_state(struct des *des, void (*change)(struct des *des, void *arg), void *arg,
		     struct reason *why)
{
	int rc = check_name(des->name, why);

	return rc ? rc : des_state_update(des, change, arg, why);
}

int des_delete(const char *name, struct reason *why)
{
	char path[PATH_SIZE];
	struct stat st;
	int lock, rc;

	rc = check_name(name, why);
	if (!rc && is_default(name))
		rc = reason_set(why, RC_PARAM, "The set " DES_DEFAULT " is always there.");
	if (!rc)
		rc = files_lock(PATH_DES, &lock, why);
	if (rc)
		return rc;
	config_path(name, path);
	if (lstat(path, &st))
		rc = no_such_set(name, why);
	else
		rc = files_remove(path, why);
	if (!rc)
		rc = des_state_remove(name, why);
	close(lock);
	return rc;
}

void des_names_free(char **names, size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++)
		free(names[i]);
	free(names);
}

static int add_name(char ***names, size_t *nr, const char *name, struct reason *why)
{
	char **more = reallocarray(*names, *nr + 1, sizeof(**names));

	if (!more)
		return reason_nomem(why);
	*names = more;
	more[*nr] = strdup(name);
	if (!more[*nr])
		return reason_nomem(why);
	(*nr)++;
	return RC_OK;
}

/* Backups of editors and the like are no sets. */
static bool name_of_file(const char *file, char *name)
{
	size_t len = strlen(file), suffix = strlen(SUFFIX);

	if (len <= suffix || *file == '.' || strcmp(file + len - suffix, SUFFIX))
		return false;
	len -= suffix;
	if (len < DES_NAME_MAX) {
		memcpy(name, file, len);
		name[len] = '\0';
		if (des_name_ok(name))
			return true;
	}
	diag_warn("%s/%s is left out: its name is no set's.", PATH_DES, file);
	return false;
}

static int read_names(char ***names, size_t *nr, struct reason *why)
{
	char name[DES_NAME_MAX];
	struct dirent *entry;
	int rc = RC_OK;
	DIR *dir;

	dir = opendir(PATH_DES);
	if (!dir && errno == ENOENT)
		return RC_OK;
	if (!dir)
		return reason_set(why, errno == EACCES ? RC_PERM : RC_DEVICE,
				  "Directory %s can't be read: %s.", PATH_DES, strerror(errno));
	while (!rc && (entry = readdir(dir)))
		if (name_of_file(entry->d_name, name) && !is_default(name))
			rc = add_name(names, nr, name, why);
	closedir(dir);
	return rc;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char * const *)a, *(char * const *)b);
}

int des_names(char ***names, size_t *nr, struct reason *why)
{
	int rc;

	*names = NULL;
	*nr = 0;
	rc = add_name(names, nr, DES_DEFAULT, why);
	if (!rc)
		rc = read_names(names, nr, why);
	if (rc) {
		des_names_free(*names, *nr);
		*names = NULL;
		*nr = 0;
		return rc;
	}
	qsort(*names, *nr, sizeof(**names), compare);
	return RC_OK;
}

void des_kek_config(const struct des *des, enum token_layer layer, char *uri, size_t uri_size,
		    struct kek_config *config)
{
	bool platform = des->type == DES_PLATFORM || layer == TOKEN_OUTER;

	memset(config, 0, sizeof(*config));
	if (platform)
		snprintf(uri, uri_size, "platform:%s", des->name);
	else
		snprintf(uri, uri_size, "%s", des->key);
	config->uri = uri;
	config->timeout = des->timeout;
	if (platform)
		return;
	config->identity = *des->identity ? des->identity : NULL;
	config->wrapping = *des->wrapping ? des->wrapping : NULL;
}
