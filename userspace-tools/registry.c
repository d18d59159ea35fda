// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "blockdev.h"
#include "files.h"
#include "json_file.h"
#include "paths.h"
#include "registry.h"

#define ENTRY_VERSION	1
#define SUFFIX		".json"
#define HASH_SIZE	32
#define NAME_SIZE	(2 * HASH_SIZE + sizeof(SUFFIX))
#define PATH_SIZE	(sizeof(PATH_DISKS) + 1 + NAME_SIZE)

#define PATH_MAPPINGS	PATH_DISKS "/mappings"
#define LINK_PREFIX	"of-"
#define LINK_SIZE	(sizeof(PATH_MAPPINGS) + sizeof("/" LINK_PREFIX) + 128)

#define BY_ID		"/dev/disk/by-id"

/* The file of an entry: SHA-256 of the device, a NUL, and the header. */
static int entry_name(const char *device, const char *header, char *name, struct reason *why)
{
	char text[2 * PATH_MAX];
	unsigned char hash[HASH_SIZE];
	size_t i;
	int len;

	len = snprintf(text, sizeof(text), "%s%c%s", device, '\0', header);
	if (len < 0 || (size_t)len >= sizeof(text))
		return reason_set(why, RC_PARAM, "The path of a device or header is too long.");
	if (!EVP_Digest(text, (size_t)len, hash, NULL, EVP_sha256(), NULL))
		return reason_set(why, RC_DEVICE, "SHA-256 can't be computed: libcrypto refuses.");
	for (i = 0; i < HASH_SIZE; i++)
		snprintf(name + 2 * i, 3, "%02x", hash[i]);
	strcpy(name + 2 * HASH_SIZE, SUFFIX);
	return RC_OK;
}

static int entry_path(const char *device, const char *header, char *path, struct reason *why)
{
	char name[NAME_SIZE];
	int rc = entry_name(device, header ? header : "", name, why);

	if (!rc)
		snprintf(path, PATH_SIZE, PATH_DISKS "/%s", name);
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

/* RC_PARAM: damaged. */
static int read_entry(const char *path, struct known_disk *disk, bool *missing,
		      struct reason *why)
{
	struct json_object *entry;
	char name[NAME_SIZE];
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

static int write_entry(const struct known_disk *disk, struct reason *why)
{
	struct json_object *entry;
	char path[PATH_SIZE];
	int rc;

	rc = entry_path(disk->device, disk->header, path, why);
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

/*
 * A symbolic link for each mapping, to the entry of the disk that was opened
 * under that name last. It alone says whose a name is: a disk may have several,
 * but no name leads to two disks. And a thousand open disks find theirs without
 * reading a thousand entries each.
 */
static int link_path(const char *mapping, char *path, size_t size, struct reason *why)
{
	if (!strchr(mapping, '/') &&
	    (size_t)snprintf(path, size, PATH_MAPPINGS "/" LINK_PREFIX "%s", mapping) < size)
		return RC_OK;
	return reason_set(why, RC_PARAM, "'%.128s' is no name of a mapping.", mapping);
}

static int link_mapping(const char *mapping, const char *entry, struct reason *why)
{
	char path[LINK_SIZE], temporary[] = PATH_MAPPINGS "/.new", target[NAME_SIZE + 4];
	int rc;

	rc = link_path(mapping, path, sizeof(path), why);
	if (!rc)
		rc = files_make_directory(PATH_MAPPINGS, why);
	if (rc)
		return rc;
	snprintf(target, sizeof(target), "../%s", strrchr(entry, '/') + 1);
	/* The register's lock makes this the only one. */
	unlink(temporary);
	if (symlink(target, temporary) || rename(temporary, path))
		return reason_set(why, errno == EACCES || errno == EPERM ? RC_PERM : RC_DEVICE,
				  "%s can't be made: %s.", path, strerror(errno));
	return RC_OK;
}

/* For a change of what is there; closing @lock ends it. */
static int lock_entry(const struct known_disk *disk, char *path, int *lock, struct reason *why)
{
	int rc = entry_path(disk->device, disk->header, path, why);

	return rc ? rc : files_lock(PATH_DISKS, lock, why);
}

int registry_change(const struct known_disk *place, const char *mapping,
		    registry_change_fn *change, void *arg, struct reason *why)
{
	struct known_disk old, new = *place;
	struct reason ignored;
	char path[PATH_SIZE];
	bool missing, there;
	int lock, rc;

	rc = lock_entry(place, path, &lock, why);
	if (rc)
		return rc;
	/* One that is damaged is replaced. */
	there = !read_entry(path, &old, &missing, &ignored);
	change(&new, there ? &old : NULL, arg);
	if (mapping)
		snprintf(new.mapping, sizeof(new.mapping), "%s", mapping);
	if (!new.added && there)
		new.added = old.added;
	if (!new.added)
		new.added = time(NULL);
	rc = write_entry(&new, why);
	/* A name that the disk had once may be another's by now. */
	if (!rc && mapping && *mapping)
		rc = link_mapping(mapping, path, why);
	close(lock);
	return rc;
}

static void replace(struct known_disk *new, const struct known_disk *old, void *arg)
{
	(void)new;
	(void)old;
	(void)arg;
}

int registry_put(const struct known_disk *disk, struct reason *why)
{
	return registry_change(disk, disk->mapping, replace, NULL, why);
}

int registry_note_versions(const struct known_disk *disk, struct reason *why)
{
	struct known_disk now;
	char path[PATH_SIZE];
	bool missing;
	int lock, rc;

	rc = lock_entry(disk, path, &lock, why);
	if (rc)
		return rc;
	rc = read_entry(path, &now, &missing, why);
	if (!rc && !strcmp(now.uuid, disk->uuid)) {
		memcpy(now.key_version, disk->key_version, sizeof(now.key_version));
		memcpy(now.outer_key_version, disk->outer_key_version,
		       sizeof(now.outer_key_version));
		rc = write_entry(&now, why);
	}
	close(lock);
	/* Forgotten meanwhile. */
	return missing ? RC_OK : rc;
}

static bool is_entry(const char *file)
{
	size_t len = strlen(file), suffix = strlen(SUFFIX);

	return *file != '.' && len > suffix && !strcmp(file + len - suffix, SUFFIX);
}

static int add_entry(const char *file, const char *des, struct known_disk **list, size_t *nr,
		     struct reason *why)
{
	struct known_disk *more, disk;
	char path[PATH_MAX];
	struct reason damage;
	bool missing;

	snprintf(path, sizeof(path), PATH_DISKS "/%s", file);
	if (read_entry(path, &disk, &missing, &damage)) {
		/* Forgotten in between, if it is missing. */
		if (!missing)
			diag_warn("%s\nIt is left out of the register of disks.", damage.text);
		return RC_OK;
	}
	if (des && strcmp(des, disk.des))
		return RC_OK;
	/* By powers of two: a thousand disks are copied ten times. */
	if (!(*nr & (*nr - 1))) {
		more = reallocarray(*list, *nr ? 2 * *nr : 1, sizeof(**list));
		if (!more)
			return reason_nomem(why);
		*list = more;
	}
	(*list)[(*nr)++] = disk;
	return RC_OK;
}

static int compare(const void *a, const void *b)
{
	const struct known_disk *one = a, *other = b;
	int order = strcmp(one->device, other->device);

	return order ? order : strcmp(one->header, other->header);
}

int registry_list(const char *des, struct known_disk **list, size_t *nr, struct reason *why)
{
	struct dirent *entry;
	int rc = RC_OK;
	DIR *dir;

	*list = NULL;
	*nr = 0;
	dir = opendir(PATH_DISKS);
	if (!dir && errno == ENOENT)
		return RC_OK;
	if (!dir)
		return reason_set(why, errno == EACCES ? RC_PERM : RC_DEVICE,
				  "Directory %s can't be read: %s.", PATH_DISKS, strerror(errno));
	while (!rc && (entry = readdir(dir)))
		if (is_entry(entry->d_name))
			rc = add_entry(entry->d_name, des, list, nr, why);
	closedir(dir);
	if (rc) {
		free(*list);
		*list = NULL;
		*nr = 0;
	} else if (*nr) {
		qsort(*list, *nr, sizeof(**list), compare);
	}
	return rc;
}

static int not_known(const char *device, const char *header, struct reason *why)
{
	if (header && *header)
		return reason_set(why, RC_DEVICE, "%.200s with header %.200s is not in the register of disks.",
				  device, header);
	return reason_set(why, RC_DEVICE, "%.400s is not in the register of disks.", device);
}

static int find_exactly(const char *device, const char *header, struct known_disk *disk,
			bool *missing, struct reason *why)
{
	char path[PATH_SIZE];
	int rc = entry_path(device, header, path, why);

	*missing = false;
	return rc ? rc : read_entry(path, disk, missing, why);
}

/* As it is given, for one that is gone; else under its stable name. */
int registry_find(const char *device, const char *header, struct known_disk *disk,
		  struct reason *why)
{
	char stable_device[PATH_MAX], stable_header[PATH_MAX] = "";
	bool missing;
	int rc;

	rc = find_exactly(device, header, disk, &missing, why);
	if (!missing)
		return rc;
	if (registry_stable_name(device, stable_device, sizeof(stable_device), why))
		snprintf(stable_device, sizeof(stable_device), "%s", device);
	if (header && *header &&
	    registry_stable_name(header, stable_header, sizeof(stable_header), why))
		snprintf(stable_header, sizeof(stable_header), "%s", header);
	rc = find_exactly(stable_device, stable_header, disk, &missing, why);
	return missing ? not_known(device, header, why) : rc;
}

int registry_forget(const char *device, const char *header, struct reason *why)
{
	struct known_disk disk;
	char path[PATH_SIZE];
	int rc;

	rc = registry_find(device, header, &disk, why);
	/* A damaged entry can be forgotten too. */
	if (rc == RC_PARAM)
		rc = entry_path(device, header, path, why);
	else if (!rc)
		rc = entry_path(disk.device, disk.header, path, why);
	return rc ? rc : files_remove(path, why);
}

/* The file that a link leads to, without a directory; false if there is no such link. */
static bool read_link(const char *link, char *entry)
{
	char target[NAME_SIZE + 4];
	ssize_t n = readlink(link, target, sizeof(target) - 1);

	if (n <= 3)
		return false;
	target[n] = '\0';
	memcpy(entry, target + 3, (size_t)n - 2);
	return true;
}

int registry_find_mapping(const char *mapping, struct known_disk *disk, struct reason *why)
{
	char link[LINK_SIZE], entry[NAME_SIZE + 1], path[PATH_SIZE];
	struct reason ignored;
	bool missing;

	if (!link_path(mapping, link, sizeof(link), &ignored) && read_link(link, entry)) {
		snprintf(path, sizeof(path), PATH_DISKS "/%.*s", (int)NAME_SIZE, entry);
		if (!read_entry(path, disk, &missing, &ignored))
			return RC_OK;
	}
	return reason_set(why, RC_DEVICE, "No disk in the register was opened as %.128s.", mapping);
}

struct find_link {
	const char *entry;
	char mapping[128];
};

static void find_link(const char *mapping, void *arg)
{
	char link[LINK_SIZE], entry[NAME_SIZE + 1];
	struct find_link *f = arg;
	struct reason ignored;

	if (!*f->mapping && !link_path(mapping, link, sizeof(link), &ignored) &&
	    read_link(link, entry) && !strcmp(entry, f->entry))
		snprintf(f->mapping, sizeof(f->mapping), "%s", mapping);
}

/* With the register's lock. The entry shows another name that is the disk's, if it has one. */
static int drop_mapping(const char *mapping, const char *link, struct reason *why)
{
	char entry[NAME_SIZE + 1], path[PATH_SIZE];
	struct find_link other = { .entry = entry };
	struct known_disk disk;
	struct reason ignored;
	bool missing;

	if (!read_link(link, entry))
		return RC_OK;
	if (unlink(link))
		return reason_set(why, errno == EACCES || errno == EPERM ? RC_PERM : RC_DEVICE,
				  "%s can't be removed: %s.", link, strerror(errno));
	snprintf(path, sizeof(path), PATH_DISKS "/%.*s", (int)NAME_SIZE, entry);
	if (read_entry(path, &disk, &missing, &ignored) || strcmp(disk.mapping, mapping))
		return RC_OK;
	registry_each_mapping(find_link, &other);
	memcpy(disk.mapping, other.mapping, sizeof(disk.mapping));
	return write_entry(&disk, why);
}

int registry_drop_mapping(const char *mapping, struct reason *why)
{
	char link[LINK_SIZE];
	int lock, rc;

	rc = link_path(mapping, link, sizeof(link), why);
	/* Where nothing was ever registered there is nothing to lock. */
	if (rc || access(PATH_MAPPINGS, F_OK))
		return rc;
	rc = files_lock(PATH_DISKS, &lock, why);
	if (rc)
		return rc;
	rc = drop_mapping(mapping, link, why);
	close(lock);
	return rc;
}

void registry_each_mapping(void (*fn)(const char *mapping, void *arg), void *arg)
{
	struct dirent *entry;
	DIR *dir;

	dir = opendir(PATH_MAPPINGS);
	if (!dir)
		return;
	while ((entry = readdir(dir)))
		if (!strncmp(entry->d_name, LINK_PREFIX, strlen(LINK_PREFIX)))
			fn(entry->d_name + strlen(LINK_PREFIX), arg);
	closedir(dir);
}

/* Names that stay when the disk is moved to another slot or the kernel counts anew. */
static unsigned int rank(const char *link)
{
	static const char * const best_first[] = {
		"wwn-", "nvme-eui.", "nvme-", "virtio-", "scsi-", "ata-", "md-uuid-", "dm-uuid-",
	};
	const unsigned int nr = sizeof(best_first) / sizeof(best_first[0]);
	unsigned int i;

	for (i = 0; i < nr; i++)
		if (!strncmp(link, best_first[i], strlen(best_first[i])))
			return i;
	return nr;
}

static bool link_is_better(const char *link, const char *than)
{
	if (!*than || rank(link) != rank(than))
		return !*than || rank(link) < rank(than);
	return strcmp(link, than) < 0;
}

/* "" if udev has none. */
static void find_by_id(dev_t device, char *name, size_t size)
{
	char path[sizeof(BY_ID) + NAME_MAX + 1], best[NAME_MAX + 1] = "";
	struct dirent *entry;
	struct stat st;
	DIR *dir;

	*name = '\0';
	dir = opendir(BY_ID);
	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		snprintf(path, sizeof(path), BY_ID "/%s", entry->d_name);
		if (stat(path, &st) || !S_ISBLK(st.st_mode) || st.st_rdev != device)
			continue;
		if (link_is_better(entry->d_name, best))
			snprintf(best, sizeof(best), "%s", entry->d_name);
	}
	closedir(dir);
	if (*best)
		snprintf(name, size, BY_ID "/%s", best);
}

int registry_stable_name(const char *device, char *name, size_t size, struct reason *why)
{
	char real[PATH_MAX];
	struct stat st;

	if (!realpath(device, real) || stat(real, &st))
		return reason_set(why, errno == EACCES ? RC_PERM : RC_DEVICE, "%.400s: %s.", device,
				  strerror(errno));
	if (S_ISBLK(st.st_mode)) {
		find_by_id(st.st_rdev, name, size);
		if (*name)
			return RC_OK;
		/* The file stays, whichever loop device it gets next time. */
		if (blockdev_loop_is_file(major(st.st_rdev), minor(st.st_rdev), name, size))
			return RC_OK;
		/* /dev/mapper/NAME, where the real path is /dev/dm-0. */
		blockdev_name(major(st.st_rdev), minor(st.st_rdev), real, sizeof(real));
		if (*real != '/')
			return reason_set(why, RC_DEVICE, "%.400s has no name below /dev.", device);
	}
	if ((size_t)snprintf(name, size, "%s", real) >= size)
		return reason_set(why, RC_PARAM, "The path of %.400s is too long.", device);
	return RC_OK;
}
