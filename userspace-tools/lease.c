// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "audit.h"
#include "files.h"
#include "info.h"
#include "kmsg.h"
#include "lease.h"
#include "opened.h"
#include "own_keys.h"
#include "paths.h"
#include "registry.h"

void lease_mapping_uuid(const char *disk_uuid, const char *name, char *uuid, size_t size)
{
	char hex[UUID_TEXT_SIZE];
	size_t n = 0;

	for (; *disk_uuid && n < sizeof(hex) - 1; disk_uuid++)
		if (*disk_uuid != '-')
			hex[n++] = *disk_uuid;
	hex[n] = '\0';
	snprintf(uuid, size, LUKS2_PREFIX "%s-%s", hex, name);
}

bool lease_is_ours(const struct dm_mapping *m)
{
	return !strncmp(m->uuid, LUKS2_PREFIX, strlen(LUKS2_PREFIX));
}

int lease_lock(const char *des, struct reason *why)
{
	char path[sizeof(PATH_RUN) + DES_NAME_MAX + 16];
	int fd;

	if (files_make_directory(PATH_RUN "/locks", why))
		return -1;
	snprintf(path, sizeof(path), PATH_RUN "/locks/des-%s", des);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0 && !flock(fd, LOCK_EX))
		return fd;
	reason_set(why, RC_PERM, "Lock %s can't be taken: %s.", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

static void key_desc(char *desc, size_t size, const char *mapping, unsigned int layer)
{
	snprintf(desc, size, "dmsse:%s:%s", mapping, layer_name(layer));
}

/*
 * The kernel takes a disk away without anyone's help; who finds it so writes it
 * down, once: a file says that it was.
 */
static void lapse_file(const char *mapping, char *path, size_t size)
{
	snprintf(path, size, PATH_RUN "/lapsed-%s", mapping);
}

static void note_lapse(const struct audit_subject *subject, const char *cause)
{
	char path[sizeof(PATH_RUN) + 160];
	struct reason why = { 0 }, outcome;
	int fd;

	lapse_file(subject->mapping, path, sizeof(path));
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return;
	close(fd);
	reason_set(&outcome, RC_PERM, "%s", cause);
	if (audit_note(AUDIT_LAPSE, subject, &outcome, &why))
		reason_say(&why);
}

static void forget_lapse(const char *mapping)
{
	char path[sizeof(PATH_RUN) + 160];

	lapse_file(mapping, path, sizeof(path));
	unlink(path);
}

int lease_grant(const struct disk *d, const struct des *des, const char *mapping,
		struct reason *why)
{
	char desc[160];
	unsigned int i;
	int rc;

	for (i = 0; i < d->nr_layers; i++) {
		key_desc(desc, sizeof(desc), mapping, i);
		rc = own_keys_put(desc, d->layer[i].volume_key, d->layer[i].key_size, des->lease, why);
		if (rc) {
			lease_drop(mapping);
			return rc;
		}
	}
	return RC_OK;
}

void lease_drop(const char *mapping)
{
	char desc[160];
	unsigned int i;

	for (i = 0; i < SSE_LAYERS_MAX; i++) {
		key_desc(desc, sizeof(desc), mapping, i);
		own_keys_drop(desc);
	}
	forget_lapse(mapping);
}

/* An open mapping of ours, as it stands. */
struct leased {
	const char *mapping;
	struct dm_mapping dm;
	struct sse_table table;
	bool lapsed;
	char cause[32];		/* of the lapse, as the target names it */
	struct known_disk known;
	char device[PATH_MAX];	/* where it is now */
	struct disk disk;
};

static void leased_free(struct leased *l)
{
	table_free(&l->table);
	dm_mapping_free(&l->dm);
	disk_close(&l->disk);
}

static int leased_find(struct leased *l, const char *mapping, struct reason *why)
{
	struct sse_info info;
	const char *cause;
	int rc;

	memset(l, 0, sizeof(*l));
	disk_init(&l->disk);
	l->mapping = mapping;
	rc = dm_find(mapping, &l->dm);
	if (rc)
		return reason_said(why, rc);
	if (!lease_is_ours(&l->dm))
		return reason_set(why, RC_PARAM, "Device %s was not opened from a disk encryption set.",
				  mapping);
	rc = opened_find(mapping, &l->dm, &l->known, why);
	if (rc)
		return rc;
	opened_device(&l->dm, &l->known, l->device, sizeof(l->device));
	rc = table_parse(l->dm.table, &l->table);
	if (!rc)
		rc = info_parse(l->dm.info, &info);
	if (rc)
		return reason_said(why, rc);
	l->lapsed = !strcmp(info.state, "lapsed");
	cause = info_word(&info, "lapse_reason");
	snprintf(l->cause, sizeof(l->cause), "%s", cause ? cause : "unknown");
	info_free(&info);
	return RC_OK;
}

/* Every layer's secret is unwrapped; nothing less shows that the keys are usable. */
static int prove(struct leased *l, struct des_keys *dk, struct reason *why)
{
	int rc;

	rc = des_keys_usable(dk, why);
	if (!rc)
		rc = disk_load(&l->disk, l->device, *l->known.header ? l->known.header : NULL, why);
	if (!rc && strcmp(disk_uuid(&l->disk), l->known.uuid))
		rc = reason_set(why, RC_DEVICE, "%s is another disk now than the one that is open.",
				l->device);
	if (!rc)
		rc = disk_unlock(&l->disk, dk, why);
	return rc;
}

static int extend(const struct leased *l, unsigned int lease, struct reason *why)
{
	char desc[160];
	unsigned int i;
	int rc = RC_OK;

	for (i = 0; i < l->table.nr_layers && !rc; i++) {
		key_desc(desc, sizeof(desc), l->mapping, i);
		rc = own_keys_extend(desc, lease, why);
	}
	return rc;
}

/*
 * A key that is gone from the keyring is noticed by the target with the next
 * I/O, or within a second; until then it takes no other. The message that is
 * refused then says so.
 */
static void await_lapse(const char *mapping)
{
	const struct timespec pause = { .tv_nsec = 100 * 1000 * 1000 };
	struct dm_mapping m;
	bool lapsed = false;
	int i;

	for (i = 0; i < 30 && !lapsed; i++) {
		if (i)
			nanosleep(&pause, NULL);
		if (dm_query(mapping, &m))
			return;
		/* Suspended it takes keys anyway. */
		lapsed = m.suspended ||
			 (m.info && !strncmp(m.info, "lapsed", strlen("lapsed")));
		dm_mapping_free(&m);
	}
}

/* New keys in the keyring, and the target told to take them. */
static int bring_back(const struct leased *l, const struct des *des, struct reason *why)
{
	char message[512], line[1024];
	unsigned int i;
	int rc, err, mark;

	rc = lease_grant(&l->disk, des, l->mapping, why);
	for (i = 0; i < l->table.nr_layers && !rc; i++) {
		const struct keyref *key = &l->table.layer[i].key;

		snprintf(message, sizeof(message), "key set %s :%u:%s:%.400s", layer_name(i),
			 key->bytes, key->type, key->desc);
		mark = kmsg_mark();
		err = dm_message(l->mapping, message);
		if (err)
			rc = reason_set(why, RC_PERM, "Device %s doesn't take its key back: %s.",
					l->mapping,
					kmsg_last(mark, line, sizeof(line)) ? line : strerror(err));
		else
			kmsg_close(mark);
	}
	return rc;
}

/* The set may have been disabled while the key was asked. */
static int go_on(const struct leased *l, const struct des_keys *dk, struct reason *why)
{
	struct des_keys now = *dk;
	struct reason gone;
	int lock, rc;

	lock = lease_lock(dk->des.name, why);
	if (lock < 0)
		return why->rc;
	rc = des_load(dk->des.name, &now.des, why);
	if (!rc)
		rc = des_keys_usable(&now, why);
	if (!rc && (l->lapsed || extend(l, now.des.lease, &gone))) {
		await_lapse(l->mapping);
		rc = bring_back(l, &now.des, why);
	}
	close(lock);
	return rc;
}

int lease_renew(struct des_keys *dk, const char *mapping, struct reason *why)
{
	struct audit_subject subject = { .des = dk->des.name, .mapping = mapping };
	struct audit audit;
	struct leased l;
	int rc;

	rc = leased_find(&l, mapping, why);
	if (rc)
		goto out;
	subject.device = l.device;
	subject.uuid = l.known.uuid;
	if (l.lapsed)
		note_lapse(&subject, l.cause);
	rc = audit_intent(&audit, AUDIT_RENEW, &subject, why);
	if (rc)
		goto out;
	rc = prove(&l, dk, why);
	if (!rc)
		rc = go_on(&l, dk, why);
	if (!rc)
		forget_lapse(mapping);
	audit_result(&audit, rc ? why : NULL);
out:
	leased_free(&l);
	return rc;
}

/* The mappings of one set. */

struct each {
	const struct des *des;
	struct des_keys *dk;
	struct reason *why;
	int rc;
	unsigned int failed;
};

static bool belongs(const char *mapping, const struct dm_mapping *m, const struct des *des)
{
	struct known_disk known;
	struct reason unknown;

	return lease_is_ours(m) && !opened_find(mapping, m, &known, &unknown) &&
	       !strcmp(known.des, des->name);
}

static int revoke_one(const char *mapping, const struct dm_mapping *m, void *arg)
{
	struct each *e = arg;
	char desc[160];
	unsigned int i;

	if (!belongs(mapping, m, e->des))
		return 0;
	for (i = 0; i < SSE_LAYERS_MAX; i++) {
		key_desc(desc, sizeof(desc), mapping, i);
		if (own_keys_revoke(desc, e->why))
			e->rc = e->why->rc;
	}
	return 0;
}

int lease_revoke_des(const struct des *des, struct reason *why)
{
	struct each e = { .des = des, .why = why };

	if (dm_each(revoke_one, &e))
		return reason_set(why, RC_DEVICE, "The open devices can't be listed.");
	return e.rc;
}

static int restore_one(const char *mapping, const struct dm_mapping *m, void *arg)
{
	struct each *e = arg;
	struct reason why = { 0 };

	if (!belongs(mapping, m, e->des) || !lease_renew(e->dk, mapping, &why))
		return 0;
	e->failed++;
	reason_prefix(&why, "%s", mapping);
	reason_say(&why);
	*e->why = why;
	return 0;
}

int lease_restore_des(const struct des *des, struct reason *why)
{
	struct des_keys dk;
	struct each e = { .des = des, .dk = &dk, .why = why };
	int rc;

	rc = des_keys_open(&dk, des->name, why);
	if (rc)
		return rc;
	if (dm_each(restore_one, &e))
		rc = reason_set(why, RC_DEVICE, "The open devices can't be listed.");
	else if (e.failed)
		rc = reason_said(why, why->rc);
	des_keys_close(&dk);
	return rc;
}
