// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "des_state.h"
#include "files.h"
#include "json_file.h"
#include "paths.h"

#define STATE_VERSION	1

#define PATH_SIZE	(sizeof(PATH_DES_STATE) + DES_NAME_MAX + 8)

static void state_path(const char *name, char *path)
{
	snprintf(path, PATH_SIZE, PATH_DES_STATE "/%.63s.json", name);
}

int des_new_id(char *id, struct reason *why)
{
	unsigned char r[16];

	if (getrandom(r, sizeof(r), 0) != sizeof(r))
		return reason_set(why, RC_DEVICE, "The kernel has no random numbers for a new id.");
	r[6] = (unsigned char)((r[6] & 0x0f) | 0x40);	/* version 4, */
	r[8] = (unsigned char)((r[8] & 0x3f) | 0x80);	/* RFC 9562 */
	snprintf(id, UUID_TEXT_SIZE,
		 "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
		 r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7], r[8], r[9], r[10], r[11], r[12],
		 r[13], r[14], r[15]);
	return RC_OK;
}

static void clear(struct des *des)
{
	des->active_version[0] = '\0';
	des->active_fingerprint[0] = '\0';
	des->outer_version[0] = '\0';
	des->last_error[0] = '\0';
	des->last_rotation = 0;
	des->last_renewal = 0;
	des->last_error_time = 0;
}

static bool take(struct json_object *state, struct des *des)
{
	return json_get_text(state, "active-version", des->active_version,
			     sizeof(des->active_version)) &&
	       json_get_text(state, "active-fingerprint", des->active_fingerprint,
			     sizeof(des->active_fingerprint)) &&
	       json_get_text(state, "outer-version", des->outer_version,
			     sizeof(des->outer_version)) &&
	       json_get_text(state, "last-error", des->last_error, sizeof(des->last_error)) &&
	       json_get_time(state, "last-rotation", &des->last_rotation) &&
	       json_get_time(state, "last-renewal", &des->last_renewal) &&
	       json_get_time(state, "last-error-time", &des->last_error_time);
}

static bool put(struct json_object *state, const struct des *des)
{
	return json_put_number(state, "version", STATE_VERSION) &&
	       json_put_text(state, "id", des->id) &&
	       json_put_text(state, "active-version", des->active_version) &&
	       json_put_text(state, "active-fingerprint", des->active_fingerprint) &&
	       json_put_text(state, "outer-version", des->outer_version) &&
	       json_put_text(state, "last-error", des->last_error) &&
	       json_put_time(state, "last-rotation", des->last_rotation) &&
	       json_put_time(state, "last-renewal", des->last_renewal) &&
	       json_put_time(state, "last-error-time", des->last_error_time);
}

/* The file as it is, or an empty object. */
static int read_state(const char *name, struct json_object **state, char *id, struct reason *why)
{
	struct json_object *version;
	char path[PATH_SIZE];
	bool missing;
	int rc;

	*id = '\0';
	state_path(name, path);
	rc = json_read_file(path, state, &missing, why);
	if (rc && missing) {
		*state = json_object_new_object();
		return *state ? RC_OK : reason_nomem(why);
	}
	if (rc)
		return rc;
	if (json_object_object_get_ex(*state, "version", &version) &&
	    json_object_get_int64(version) != STATE_VERSION)
		rc = reason_set(why, RC_PARAM,
			"%s is of version %s: this ssesetup knows version %d.", path,
			json_object_get_string(version), STATE_VERSION);
	else if (!json_get_text(*state, "id", id, UUID_TEXT_SIZE))
		rc = reason_set(why, RC_PARAM, "%s is damaged: its id isn't one.", path);
	if (rc) {
		json_object_put(*state);
		*state = NULL;
	}
	return rc;
}

static int parse(struct json_object *state, const char *id, struct des *des, struct reason *why)
{
	char path[PATH_SIZE];

	clear(des);
	if (strcmp(id, des->id) || take(state, des))
		return RC_OK;
	clear(des);
	state_path(des->name, path);
	return reason_set(why, RC_PARAM, "%s is damaged: its fields aren't text or are too long.",
			  path);
}

int des_state_load(struct des *des, struct reason *why)
{
	struct json_object *state;
	char id[UUID_TEXT_SIZE];
	int rc;

	clear(des);
	rc = read_state(des->name, &state, id, why);
	if (rc)
		return rc;
	rc = parse(state, id, des, why);
	json_object_put(state);
	return rc;
}

static int store(struct json_object *state, const struct des *des, struct reason *why)
{
	char path[PATH_SIZE];

	if (!put(state, des))
		return reason_nomem(why);
	state_path(des->name, path);
	return json_write_file(path, state, why);
}

/* What can't be read is begun anew: all of it is found out again, in time. */
static int start_over(struct json_object **state, struct des *des, struct reason *why)
{
	diag_warn("%s\nIt is begun anew.", why->text);
	clear(des);
	json_object_put(*state);
	*state = json_object_new_object();
	return *state ? RC_OK : reason_nomem(why);
}

int des_state_update(struct des *des, void (*change)(struct des *des, void *arg), void *arg,
		     struct reason *why)
{
	struct json_object *state = NULL;
	char id[UUID_TEXT_SIZE];
	int lock, rc;

	rc = files_lock(PATH_DES_STATE, &lock, why);
	if (rc)
		return rc;
	rc = read_state(des->name, &state, id, why);
	if (!rc)
		rc = parse(state, id, des, why);
	if (rc == RC_PARAM)
		rc = start_over(&state, des, why);
	if (!rc) {
		change(des, arg);
		rc = store(state, des, why);
	}
	json_object_put(state);
	close(lock);
	return rc;
}

int des_state_id(const char *name, char *id, struct reason *why)
{
	struct json_object *state = NULL;
	struct des des = { 0 };
	int lock, rc;

	/* Without a lock, and where nothing can be written, if it is there already. */
	rc = read_state(name, &state, id, why);
	json_object_put(state);
	if (rc || *id)
		return rc;

	state = NULL;
	rc = files_lock(PATH_DES_STATE, &lock, why);
	if (rc)
		return rc;
	rc = read_state(name, &state, id, why);
	if (!rc && !*id) {
		snprintf(des.name, sizeof(des.name), "%s", name);
		rc = des_new_id(des.id, why);
		if (!rc)
			rc = store(state, &des, why);
		if (!rc)
			memcpy(id, des.id, UUID_TEXT_SIZE);
	}
	json_object_put(state);
	close(lock);
	return rc;
}

int des_state_remove(const char *name, struct reason *why)
{
	char path[PATH_SIZE];

	state_path(name, path);
	return files_remove(path, why);
}
