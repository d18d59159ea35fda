// SPDX-License-Identifier: GPL-2.0-only
/*
 * LUKS2 headers: loading one, and what it says of the disk.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "meta_internal.h"
#include "meta_segment.h"

#define SECTOR_BYTES	512

enum meta_remains meta_remains(const char *path)
{
	/* Where the second copy may begin: behind the first, whose size can't be known. */
	static const off_t second[] = { 0x4000, 0x8000, 0x10000, 0x20000, 0x40000, 0x80000,
					0x100000, 0x200000, 0x400000 };
	enum meta_remains found = META_NOTHING;
	char bytes[8];
	size_t i;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return META_NOTHING;
	if (pread(fd, bytes, sizeof(bytes), 0) == sizeof(bytes) &&
	    !memcmp(bytes, "LUKS\xba\xbe", 6))
		found = bytes[6] == 0 && bytes[7] == 1 ? META_LUKS1 : META_LUKS2;
	for (i = 0; i < sizeof(second) / sizeof(second[0]) && found == META_NOTHING; i++)
		if (pread(fd, bytes, sizeof(bytes), second[i]) == sizeof(bytes) &&
		    !memcmp(bytes, "SKUL\xba\xbe", 6))
			found = META_LUKS2;
	close(fd);
	return found;
}

static int load_failed(const struct meta *m, int err, bool *found, struct reason *why)
{
	enum meta_remains remains = meta_remains(m->name);

	*found = remains != META_NOTHING;
	if (err == -EACCES || err == -ENOMEM || err == -EIO)
		return meta_fail(why, err, "The LUKS2 header of %s can't be read", m->name);
	if (remains == META_NOTHING)
		return reason_set(why, RC_DEVICE, "There is no LUKS2 header on %s.", m->name);
	if (remains == META_LUKS1)
		return reason_set(why, RC_DEVICE,
			"The header of %s is of LUKS1; 'cryptsetup convert --type luks2' makes LUKS2 of it.",
			m->name);
	return meta_fail(why, err,
		"The LUKS2 header of %s is damaged, 'ssesetup repair' or 'ssesetup header restore' may help",
		m->name);
}

static bool is_uuid(const char *text)
{
	size_t i;

	for (i = 0; i < UUID_TEXT_SIZE - 1; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
			return false;
	}
	return !text[i];
}

/* Files are called by it, and libcryptsetup takes any text that a header has there. */
static int check_uuid(const struct meta *m, struct reason *why)
{
	const char *uuid = meta_uuid(m);

	if (uuid && is_uuid(uuid))
		return RC_OK;
	return reason_set(why, RC_DEVICE,
		"The LUKS2 header of %s is damaged: its UUID, '%.40s', is none. 'ssesetup header restore' may help.",
		m->name, uuid ? uuid : "");
}

int meta_load(struct meta **m, const char *device, const char *header, bool *found,
	      struct reason *why)
{
	struct meta *new = NULL;
	int rc, err;

	*found = false;
	rc = meta_init(&new, device, header, why);
	if (rc)
		return rc;
	err = crypt_load(new->cd, CRYPT_LUKS2, NULL);
	if (err) {
		rc = load_failed(new, err, found, why);
		meta_free(&new);
		return rc;
	}
	*found = true;
	rc = check_uuid(new, why);
	if (rc)
		meta_free(&new);
	else
		*m = new;
	return rc;
}

static struct meta *all;

void meta_enlist(struct meta *m)
{
	m->next = all;
	all = m;
}

void meta_free(struct meta **m)
{
	struct meta **link;

	if (!*m)
		return;
	for (link = &all; *link; link = &(*link)->next) {
		if (*link == *m) {
			*link = (*m)->next;
			break;
		}
	}
	crypt_free((*m)->cd);
	free((*m)->name);
	free(*m);
	*m = NULL;
}

void meta_forget_all(void)
{
	for (; all; all = all->next) {
		crypt_free(all->cd);
		all->cd = NULL;
	}
}

void meta_reload(struct meta *m)
{
	int err = crypt_load(m->cd, CRYPT_LUKS2, NULL);

	if (err)
		diag_debug("Header of %s can't be loaded again: %s.", m->name, strerror(-err));
}

const char *meta_uuid(const struct meta *m)
{
	return crypt_get_uuid(m->cd);
}

int meta_segment(struct meta *m, struct meta_segment *segment, struct reason *why)
{
	const char *json;
	int err, rc, size;

	meta_log_start();
	err = crypt_dump_json(m->cd, &json, 0);
	if (err)
		return meta_fail(why, err, "The LUKS2 header of %s can't be read", m->name);
	rc = meta_segment_parse(json, segment, why);
	if (rc) {
		reason_prefix(why, "%s", m->name);
		return rc;
	}
	/* Keyslots know it; the segment doesn't. */
	size = crypt_get_volume_key_size(m->cd);
	if (size <= 0)
		return reason_set(why, RC_DEVICE,
			"The LUKS2 header of %s has no keyslot: nobody can open it any more.",
			m->name);
	segment->key_bytes = (unsigned int)size;
	return RC_OK;
}

int meta_extent(struct meta *m, struct meta_extent *extent, struct reason *why)
{
	uint64_t metadata, keyslots;
	int err;

	meta_log_start();
	err = crypt_get_metadata_size(m->cd, &metadata, &keyslots);
	if (err)
		return meta_fail(why, err, "The size of the header of %s can't be learnt", m->name);
	extent->copies = 2 * metadata;
	extent->header = extent->copies + keyslots;
	extent->data = crypt_get_data_offset(m->cd) * SECTOR_BYTES;
	return RC_OK;
}
