// SPDX-License-Identifier: GPL-2.0-only
/*
 * LUKS2 headers: making one.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "meta_internal.h"

#define HEADER_BYTES	(META_HEADER_SECTORS * 512)

/*
 * Each copy of the metadata: its JSON has room for the tokens and keyslots of
 * a rotation, whatever names they have. The rest is 7 keyslots of a 512-bit
 * key, or 15 of a 256-bit one.
 */
#define METADATA_BYTES	(32 * 1024)
#define KEYSLOTS_BYTES	(HEADER_BYTES - 2 * METADATA_BYTES)

/* libcryptsetup wants "aes-xts-plain64" in two parts. */
static int split_cipher(const char *spec, char *cipher, size_t size, const char **mode,
			struct reason *why)
{
	const char *dash = strchr(spec, '-');

	if (!dash || dash == spec || !dash[1] || (size_t)(dash - spec) >= size)
		return reason_set(why, RC_PARAM,
			"'%s' is no cipher for a disk; one is aes-xts-plain64.", spec);
	memcpy(cipher, spec, (size_t)(dash - spec));
	cipher[dash - spec] = '\0';
	*mode = dash + 1;
	return RC_OK;
}

static int no_header_file(const char *path, struct reason *why)
{
	return reason_set(why, errno == EACCES || errno == EPERM ? RC_PERM : RC_DEVICE,
			  "Header file %s can't be made: %s.", path, strerror(errno));
}

/* A file that is there already may be too short, but not too long. */
int meta_header_file(const char *path, bool *created, struct reason *why)
{
	struct stat st;
	int fd, rc = RC_OK;

	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	*created = fd >= 0;
	if (fd < 0 && errno == EEXIST)
		fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return no_header_file(path, why);
	if (fstat(fd, &st) ||
	    (S_ISREG(st.st_mode) && st.st_size < HEADER_BYTES && ftruncate(fd, HEADER_BYTES)))
		rc = no_header_file(path, why);
	close(fd);
	if (rc && *created)
		unlink(path);
	return rc;
}

int meta_sync_directory(const char *path)
{
	char *copy = strdup(path);
	int fd, err = 0;

	if (!copy)
		return -1;
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(copy);
	if (fd < 0)
		return -1;
	if (fsync(fd))
		err = errno;
	close(fd);
	errno = err;
	return err ? -1 : 0;
}

/* A slot secret has full entropy: stretching it would cost time and add nothing. */
static const struct crypt_pbkdf_type no_stretching = {
	.type		= CRYPT_KDF_PBKDF2,
	.hash		= "sha256",
	.iterations	= 1000,
	.flags		= CRYPT_PBKDF_NO_BENCHMARK,
};

static int format(struct meta *m, const struct meta_format *f, bool detached,
		  struct reason *why)
{
	struct crypt_params_luks2 params = {
		/* The digest of the volume key follows it: it is random as well. */
		.pbkdf = &no_stretching,
		.sector_size = f->sector_size,
		.label = f->label,
	};
	uint64_t offset = f->data_offset;
	const char *mode = NULL;
	char cipher[64];
	int rc, err;

	rc = split_cipher(f->cipher, cipher, sizeof(cipher), &mode, why);
	if (rc)
		return rc;
	if (!offset && !detached)
		offset = META_HEADER_SECTORS;
	meta_log_start();
	err = crypt_set_metadata_size(m->cd, METADATA_BYTES, KEYSLOTS_BYTES);
	if (!err && offset)
		err = crypt_set_data_offset(m->cd, offset);
	if (!err)
		err = crypt_format(m->cd, CRYPT_LUKS2, cipher, mode, f->uuid, NULL, f->key_bytes,
				   &params);
	if (err)
		return meta_fail(why, err, "No LUKS2 header could be made on %s", m->name);
	return RC_OK;
}

int meta_format(struct meta **m, const char *device, const char *header,
		const struct meta_format *f, struct reason *why)
{
	struct meta *new = NULL;
	bool created = false;
	int rc = RC_OK;

	if (header)
		rc = meta_header_file(header, &created, why);
	if (rc)
		return rc;
	rc = meta_init(&new, device, header, why);
	if (!rc)
		rc = format(new, f, header, why);
	if (!rc && created && meta_sync_directory(header))
		rc = no_header_file(header, why);
	if (rc) {
		meta_free(&new);
		if (created)
			unlink(header);
		return rc;
	}
	*m = new;
	return RC_OK;
}

int meta_new_volume_key(struct meta *m, struct secmem **volume_key, size_t *key_size,
			struct reason *why)
{
	int size = crypt_get_volume_key_size(m->cd);
	struct secmem *key;
	int err;

	if (size <= 0)
		return reason_set(why, RC_DEVICE, "The header of %s wasn't made just now.", m->name);
	key = secmem_new((size_t)size);
	if (!key)
		return reason_nomem(why);
	*key_size = (size_t)size;
	meta_log_start();
	err = crypt_volume_key_get(m->cd, CRYPT_ANY_SLOT, (char *)secmem_data(key), key_size, NULL,
				   0);
	if (err < 0) {
		secmem_free(&key);
		return meta_fail(why, err, "The volume key of %s is not known", m->name);
	}
	*volume_key = key;
	return RC_OK;
}
