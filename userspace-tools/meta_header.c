// SPDX-License-Identifier: GPL-2.0-only
/*
 * LUKS2 headers as a whole: backup, restore, repair, and a listing.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "meta_internal.h"
#include "meta_segment.h"
#include "signature.h"

static int sync_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (fsync(fd))
		err = -errno;
	close(fd);
	return err;
}

int meta_backup(const char *device, const char *header, const char *file, struct reason *why)
{
	struct meta *m = NULL;
	bool found;
	int rc, err;

	rc = meta_load(&m, device, header, &found, why);
	if (rc)
		return rc;
	if (!access(file, F_OK)) {
		meta_free(&m);
		return reason_set(why, RC_BUSY,
			"%s exists already: a backup doesn't replace an older one.", file);
	}
	rc = meta_must_be_settled(m, "a backup of it would soon lose data", why);
	if (rc) {
		meta_free(&m);
		return rc;
	}
	meta_log_start();
	err = crypt_header_backup(m->cd, CRYPT_LUKS2, file);
	if (!err)
		err = meta_sync_directory(file) ? -errno : sync_file(file);
	if (err)
		rc = meta_fail(why, err, "No backup of the header of %s could be made in %s",
			       m->name, file);
	meta_free(&m);
	return rc;
}

static char *dump_json(struct meta *m)
{
	const char *json;

	return crypt_dump_json(m->cd, &json, 0) ? NULL : strdup(json);
}

/* A disk that was re-encrypted has kept its UUID, and is lost with its older key. */
static int compare_headers(struct meta *now, struct meta *backup, const char *file,
			   struct reason *why)
{
	char *mine, *its;
	int rc = RC_OK;

	if (strcmp(meta_uuid(now), meta_uuid(backup)))
		return reason_set(why, RC_DEVICE,
			"%s is the backup of another disk's header, of UUID %s; that of %s is %s.",
			file, meta_uuid(backup), now->name, meta_uuid(now));
	rc = meta_must_be_settled(now, "another header would lose the data", why);
	if (rc)
		return rc;
	mine = dump_json(now);
	its = dump_json(backup);
	if (!mine || !its)
		rc = reason_nomem(why);
	else if (!meta_same_volume_key(mine, its))
		rc = reason_set(why, RC_DEVICE,
			"%s is from before %s was encrypted with another volume key: it would lose the data.",
			file, now->name);
	free(mine);
	free(its);
	return rc;
}

/* Where no header is left to compare with, nothing else may be there either. */
static int check_blank(const char *path, struct reason *why)
{
	char what[64] = "";
	int rc = RC_OK;

	if (meta_remains(path) != META_LUKS2)
		rc = signature_find(path, what, sizeof(what), why);
	if (rc || !*what)
		return rc;
	return reason_set(why, RC_DEVICE,
		"%s has no LUKS2 header but %s: 'wipefs' removes it if that is meant.",
		path, what);
}

static int check_restore(const char *device, const char *header, const char *file,
			 struct reason *why)
{
	struct meta *backup = NULL, *now = NULL;
	struct reason ignored;
	bool found;
	int rc;

	rc = meta_load(&backup, file, NULL, &found, why);
	if (rc) {
		reason_prefix(why, "No backup");
		return rc;
	}
	rc = meta_must_be_settled(backup, "where its data are now it doesn't know", why);
	if (rc)
		reason_prefix(why, "No backup");
	else if (meta_load(&now, device, header, &found, &ignored))
		rc = check_blank(header ? header : device, why);
	else
		rc = compare_headers(now, backup, file, why);
	meta_free(&now);
	meta_free(&backup);
	return rc;
}

int meta_restore(const char *device, const char *header, const char *file, struct reason *why)
{
	bool created = false;
	struct meta *m = NULL;
	int rc = RC_OK, err;

	/* A detached header may be lost altogether. */
	if (header)
		rc = meta_header_file(header, &created, why);
	if (!rc)
		rc = check_restore(device, header, file, why);
	if (!rc)
		rc = meta_init(&m, device, header, why);
	if (!rc) {
		err = crypt_header_restore(m->cd, CRYPT_LUKS2, file);
		if (err)
			rc = meta_fail(why, err, "The header of %s can't be restored from %s",
				       m->name, file);
		meta_free(&m);
	}
	if (rc && created)
		unlink(header);
	return rc;
}

int meta_repair(const char *device, const char *header, struct reason *why)
{
	struct meta *m = NULL;
	int rc, err;

	rc = meta_init(&m, device, header, why);
	if (rc)
		return rc;
	err = crypt_repair(m->cd, CRYPT_LUKS2, NULL);
	if (err && meta_remains(m->name) == META_NOTHING)
		rc = reason_set(why, RC_DEVICE,
			"There is nothing of a LUKS2 header on %s: 'ssesetup header restore' puts a backup there.",
			m->name);
	else if (err)
		rc = meta_fail(why, err,
			"No copy of the LUKS2 header of %s is whole, 'ssesetup header restore' puts a backup there",
			m->name);
	meta_free(&m);
	return rc;
}

static void print_token(const struct token *t)
{
	printf("  %d: %s layer, ", t->id, token_layer_name(t->layer));
	if (t->keyslot >= 0)
		printf("keyslot %d\n", t->keyslot);
	else
		printf("no keyslot yet\n");
	if (t->pending_keyslot >= 0)
		printf("\tPending:    keyslot %d\n", t->pending_keyslot);
	printf("\tSet:        %s (%s)%s%s\n", t->des, t->des_id, *t->owner ? ", of " : "", t->owner);
	printf("\tKey:        %s (%s)\n", t->kek_uri, t->customer ? "a customer's" : "the platform's");
	printf("\tVersion:    %s\n", t->kek_version);
	printf("\tFingerprint:%s\n", t->kek_fingerprint);
	printf("\tWrapping:   %s, %zu bytes\n", kek_wrapping_name(t->wrapping), t->wrapped_size);
	printf("\tCreated:    %s\n", t->created);
}

int meta_dump(struct meta *m, struct reason *why)
{
	struct token *list = NULL;
	size_t nr = 0, i;
	int rc, err;

	meta_log_start();
	meta_log_to_stdout(true);
	err = crypt_dump(m->cd);
	meta_log_to_stdout(false);
	if (err)
		return meta_fail(why, err, "The header of %s can't be shown", m->name);
	rc = meta_tokens(m, &list, &nr, why);
	if (rc)
		return rc;
	if (nr)
		printf("Tokens of dm-sse:\n");
	for (i = 0; i < nr; i++)
		print_token(&list[i]);
	meta_tokens_free(list, nr);
	return RC_OK;
}
