// SPDX-License-Identifier: GPL-2.0-only
/*
 * An entry of the register: its file's name, and the file itself, read and written.
 */
#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "json_file.h"
#include "paths.h"
#include "registry_internal.h"

#define ENTRY_VERSION	1

/* The file of an entry: SHA-256 of the device, a NUL, and the header. */
static int entry_name(const char *device, const char *header, char *name, struct reason *why)
{
	char text[2 * PATH_MAX];
	unsigned char hash[ENTRY_HASH_SIZE];
	size_t i;
	int len;

	len = snprintf(text, sizeof(text), "%s%c%s", device, '\0', header);
	if (len < 0 || (size_t)len >= sizeof(text))
		return reason_set(why, RC_PARAM, "The path of a device or header is too long.");
	if (!EVP_Digest(text, (size_t)len, hash, NULL, EVP_sha256(), NULL))
		return reason_set(why, RC_DEVICE, "SHA-256 can't be computed: libcrypto refuses.");
	for (i = 0; i < ENTRY_HASH_SIZE; i++)
		snprintf(name + 2 * i, 3, "%02x", hash[i]);
	strcpy(name + 2 * ENTRY_HASH_SIZE, ENTRY_SUFFIX);
	return RC_OK;
}

int registry_entry_path(const char *device, const char *header, char *path, struct reason *why)
{
	char name[ENTRY_NAME_SIZE];
	int rc = entry_name(device, header ? header : "", name, why);

	if (!rc)
		snprintf(path, ENTRY_PATH_SIZE, PATH_DISKS "/%s", name);
	return rc;
}

static bool take(struct json_object *entry, struct known_disk *disk)
{
	struct json_object *version, *clone;

	disk->clone = json_object_object_get_ex(entry, "clone", &clone) &&
		      json_object_get_boolean(clone);
	return json_object_object_get_ex(entry, "version", &version) &&
	       json_object_get_int64(version) == ENTRY_VERSION &&
	       json_get_text(entry, "device", disk->device, sizeof(disk->device)) &&
	       json_get_text(entry, "header", disk->header, sizeof(disk->header)) &&
	       json_get_text(entry, "uuid", disk->uuid, sizeof(disk->uuid)) &&
	       json_get_text(entry, "des", disk->des, sizeof(disk->des)) &&
	       json_get_text(entry, "des-id", disk->des_id, sizeof(disk->des_id)) &&
	       json_get_text(entry, "mapping", disk->mapping, sizeof(disk->mapping)) &&
	       json_get_text(entry, "key-version", disk->key_version,
			     sizeof(disk->key_version)) &&
	       json_get_text(entry, "outer-key-version", disk->outer_key_version,
			     sizeof(disk->outer_key_version)) &&
	       json_get_time(entry, "added", &disk->added) && *disk->device && *disk->des;
}

static bool put(struct json_object *entry, const struct known_disk *disk)
{
	return json_put_number(entry, "version", ENTRY_VERSION) &&
	       json_put_text(entry, "device", disk->device) &&
	       json_put_text(entry, "header", disk->header) &&
	       json_put_text(entry, "uuid", disk->uuid) &&
	       json_put_text(entry, "des", disk->des) &&
	       json_put_text(entry, "des-id", disk->des_id) &&
	       json_put_text(entry, "mapping", disk->mapping) &&
	       json_put_text(entry, "key-version", disk->key_version) &&
	       json_put_text(entry, "outer-key-version", disk->outer_key_version) &&
	       (!disk->clone ||
		!json_object_object_add(entry, "clone", json_object_new_boolean(true))) &&
	       json_put_time(entry, "added", disk->added);
}

int registry_read_entry(const char *path, struct known_disk *disk, bool *missing,
			struct reason *why)
{
	struct json_object *entry;
	char name[ENTRY_NAME_SIZE];
	int rc;

	memset(disk, 0, sizeof(*disk));
	rc = json_read_file(path, &entry, missing, why);
	if (rc)
		return rc;
	if (!take(entry, disk))
		rc = reason_set(why, RC_PARAM, "%s is damaged: it doesn't tell a disk.", path);
	json_object_put(entry);
	if (!rc)
		rc = entry_name(disk->device, disk->header, name, why);
	/* A copy under another name would make two disks of one. */
	if (!rc && strcmp(strrchr(path, '/') + 1, name))
		rc = reason_set(why, RC_PARAM, "%s is not the name of what is in it, %s.", path, name);
	return rc;
}

int registry_write_entry(const struct known_disk *disk, struct reason *why)
{
	struct json_object *entry;
	char path[ENTRY_PATH_SIZE];
	int rc;

	rc = registry_entry_path(disk->device, disk->header, path, why);
	if (rc)
		return rc;
	entry = json_object_new_object();
	if (entry && put(entry, disk))
		rc = json_write_file(path, entry, why);
	else
		rc = reason_nomem(why);
	json_object_put(entry);
	return rc;
}
