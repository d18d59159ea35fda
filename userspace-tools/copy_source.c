// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "cache.h"
#include "clone.h"
#include "copy_source.h"
#include "registry.h"

/* Whatever else is wrong with a device, whoever opens it next says. */
static bool device_is_claimed(const char *path)
{
	int fd = open(path, O_RDONLY | O_EXCL | O_CLOEXEC);

	if (fd < 0)
		return errno == EBUSY;
	close(fd);
	return false;
}

static int check_unused(const char *path, const struct stat *st, const char *advice,
			struct reason *why)
{
	char users[256];
	uint64_t sectors;
	int rc;

	if (S_ISREG(st->st_mode)) {
		rc = blockdev_look(path, true, &sectors);
		return rc ? reason_said(why, rc) : RC_OK;
	}
	if (!device_is_claimed(path))
		return RC_OK;
	blockdev_users(major(st->st_rdev), minor(st->st_rdev), users, sizeof(users));
	return reason_set(why, RC_BUSY, "Source %.200s is in use%s%s: %s", path, *users ? ": " : "",
			  users, advice);
}

/*
 * What is written to the source while it is copied would be in the copy by half.
 * Nothing can be written to a read-only device.
 */
static int check_quiet(const char *path, const struct stat *st, bool shared, struct reason *why)
{
	if (shared || (S_ISBLK(st->st_mode) && blockdev_readonly(path)))
		return RC_OK;
	return check_unused(path, st,
		"what is written to it meanwhile would be in the copy by half.\n"
		"Unmount and close it. --shared copies it all the same; nothing must write to it then.",
		why);
}

static int unlock_and_map(struct copy_source *s, struct disk *d, struct reason *why)
{
	struct des_keys dk;
	int rc;

	rc = disk_open_keys(d, &dk, why);
	if (rc)
		return rc;
	rc = des_keys_usable(&dk, why);
	if (!rc)
		rc = disk_unlock(d, &dk, why);
	if (!rc)
		rc = hidden_open(&s->map, d, &dk, true, why);
	des_keys_close(&dk);
	return rc;
}

static int refuse_unfinished(struct disk *d, struct reason *why)
{
	char *note = NULL;
	int rc;

	rc = meta_note_get(d->layer[d->nr_layers - 1].meta, COPY_NOTE_TYPE, &note, why);
	if (!rc && note)
		rc = reason_set(why, RC_PARAM,
			"Source %s is itself a copy that isn't complete: finish that one first.",
			d->device);
	free(note);
	return rc;
}

static int open_ours(struct copy_source *s, const struct stat *st, struct reason *why)
{
	struct clone_twin twin;
	struct disk d;
	int rc;

	/* A mapping beside the first would not see what is in the page cache of that. */
	rc = check_unused(s->path, st, "close it, or copy the mapping itself: /dev/mapper/NAME.", why);
	if (rc)
		return rc;
	disk_init(&d);
	rc = disk_load(&d, s->path, NULL, why);
	if (!rc && !d.ours)
		rc = reason_set(why, RC_PARAM,
			"Source %s has a LUKS2 header, but belongs to no disk encryption set:\n"
			"open it, with ssesetup or cryptsetup, and copy /dev/mapper/NAME.", s->path);
	if (!rc)
		rc = refuse_unfinished(&d, why);
	/* Only read, the wrong one does no harm: that it is one is for the register. */
	if (!rc)
		rc = clone_detect(&d, &twin, why);
	if (!rc)
		rc = cache_refuse_dirty(&d, why);
	if (!rc)
		rc = unlock_and_map(s, &d, why);
	if (rc)
		goto out;
	s->fd = s->map.fd;
	s->identity.size = s->map.size;
	snprintf(s->identity.uuid, sizeof(s->identity.uuid), "%s", disk_uuid(&d));
	memcpy(s->des, d.des, sizeof(s->des));
	if (S_ISREG(st->st_mode)) {
		s->image = open(s->path, O_RDONLY | O_CLOEXEC);
		s->image_offset = s->map.start;
	}
out:
	disk_close(&d);
	return rc;
}

static int open_plain_source(struct copy_source *s, const struct stat *st, bool shared,
			     struct reason *why)
{
	char node[64];
	int rc;

	if (S_ISREG(st->st_mode) && st->st_size % SECTOR_SIZE)
		return reason_set(why, RC_DEVICE,
			"File %s is no image of a disk: its size isn't a multiple of %d bytes.",
			s->path, SECTOR_SIZE);
	rc = blockdev_open(&s->device, s->path, true, true);
	if (rc)
		return reason_said(why, rc);
	snprintf(node, sizeof(node), "/proc/self/fd/%d", s->device.fd);
	/* Held until the end: nobody can mount it meanwhile. */
	s->fd = open(node, O_RDONLY | O_DIRECT | O_CLOEXEC | (shared ? 0 : O_EXCL));
	if (s->fd < 0 && errno == EBUSY)
		s->fd = open(node, O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (s->fd < 0)
		return reason_set(why, RC_DEVICE, "Source %s can't be opened: %s.", s->path,
				  strerror(errno));
	s->identity.size = s->device.sectors * SECTOR_SIZE;
	return RC_OK;
}

int copy_source_open(struct copy_source *s, const char *path, bool shared, struct reason *why)
{
	struct meta *meta = NULL;
	bool found = false;
	struct stat st;
	int rc;

	memset(s, 0, sizeof(*s));
	s->path = path;
	s->fd = -1;
	s->image = -1;
	s->device.fd = -1;
	hidden_init(&s->map);
	if (stat(path, &st) || !(S_ISREG(st.st_mode) || S_ISBLK(st.st_mode)))
		return reason_set(why, RC_DEVICE, "Source %s is neither a block device nor an image.", path);
	rc = check_quiet(path, &st, shared, why);
	if (rc)
		return rc;
	rc = registry_stable_name(path, s->identity.source, sizeof(s->identity.source), why);
	if (rc)
		return rc;
	rc = meta_load(&meta, path, NULL, &found, why);
	meta_free(&meta);
	if (rc && found)
		return rc;
	if (found)
		rc = open_ours(s, &st, why);
	else
		rc = open_plain_source(s, &st, shared, why);
	if (rc)
		copy_source_close(s);
	return rc;
}

void copy_source_close(struct copy_source *s)
{
	if (s->fd >= 0 && s->fd != s->map.fd)
		close(s->fd);
	s->fd = -1;
	hidden_close(&s->map);
	blockdev_close(&s->device);
	if (s->image >= 0)
		close(s->image);
	s->image = -1;
}
