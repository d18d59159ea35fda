// SPDX-License-Identifier: GPL-2.0-only
/*
 * LUKS2 headers: re-encryption, which libcryptsetup does.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "header_copies.h"
#include "meta_internal.h"
#include "meta_settle.h"

/* What a step may have spoilt is found by this digest of each of its sectors. */
#define CHECKSUM_HASH	"sha256"

enum meta_reencryption meta_reencryption(struct meta *m)
{
	struct crypt_params_reencrypt params = { .flags = 0 };
	uint32_t requirements = 0;

	/* The status alone doesn't tell a header that demands it, but is damaged. */
	if (crypt_persistent_flags_get(m->cd, CRYPT_FLAGS_REQUIREMENTS, &requirements) ||
	    !(requirements & (CRYPT_REQUIREMENT_ONLINE_REENCRYPT |
			      CRYPT_REQUIREMENT_OFFLINE_REENCRYPT)))
		return META_SETTLED;
	switch (crypt_reencrypt_status(m->cd, &params)) {
	case CRYPT_REENCRYPT_CLEAN:
	case CRYPT_REENCRYPT_CRASH:
		break;
	default:
		return META_REENCRYPTING;
	}
	switch (params.mode) {
	case CRYPT_REENCRYPT_ENCRYPT:
		return META_ENCRYPTING;
	case CRYPT_REENCRYPT_DECRYPT:
		return META_DECRYPTING;
	default:
		return META_REENCRYPTING;
	}
}

int meta_must_be_settled(struct meta *m, const char *otherwise, struct reason *why)
{
	if (meta_reencryption(m) == META_SETTLED)
		return RC_OK;
	return reason_set(why, RC_BUSY,
		"The header of %s is that of a disk whose re-encryption is not finished: %s.", m->name,
		otherwise);
}

uint64_t meta_data_shift(struct meta *m)
{
	struct crypt_params_reencrypt params = { .flags = 0 };

	if (meta_reencryption(m) == META_SETTLED ||
	    crypt_reencrypt_status(m->cd, &params) == CRYPT_REENCRYPT_INVALID)
		return 0;
	return params.data_shift;
}

uint64_t meta_data_offset(struct meta *m)
{
	return crypt_get_data_offset(m->cd);
}

bool meta_is_plain(struct meta *m)
{
	enum meta_reencryption state = meta_reencryption(m);
	const char *json;

	return (state == META_SETTLED || state == META_DECRYPTING) &&
	       !crypt_dump_json(m->cd, &json, 0) && meta_settle_all(json, "linear");
}

/*
 * Between the last step and the header that says it is over, power may fail too.
 * libcryptsetup 2.6 can't go on from there: it looks for data to encrypt, and
 * finds none. What is left to do are the words in the header.
 */
void meta_encrypt_over(struct meta *m, bool *over, uint64_t *moved)
{
	const char *json;

	*over = meta_reencryption(m) == META_ENCRYPTING && !crypt_dump_json(m->cd, &json, 0) &&
		meta_settle_all(json, "crypt");
	*moved = *over ? meta_data_shift(m) : 0;
}

int meta_encrypt_end(struct meta *m, struct reason *why)
{
	const char *json;
	char *settled;
	int err;

	meta_log_start();
	err = crypt_dump_json(m->cd, &json, 0);
	if (err)
		return meta_fail(why, err, "The LUKS2 header of %s can't be read", m->name);
	settled = meta_settle_json(json);
	if (!settled)
		return reason_nomem(why);
	err = header_copies_write(m->name, settled);
	free(settled);
	if (!err)
		err = crypt_load(m->cd, CRYPT_LUKS2, NULL);
	return err ? meta_fail(why, err, "The LUKS2 header of %s can't be written", m->name) : RC_OK;
}

/*
 * What is written of volume keys is a digest: they are random, stretching one
 * would take time and add nothing.
 */
static const struct crypt_pbkdf_type no_stretching = {
	.type		= CRYPT_KDF_PBKDF2,
	.hash		= "sha256",
	.iterations	= 1000,
	.flags		= CRYPT_PBKDF_NO_BENCHMARK,
};

static int begin(struct meta *m, int old, int new, struct secmem *secret, size_t secret_size,
		 const struct crypt_params_reencrypt *params, struct reason *why)
{
	int err;

	meta_log_start();
	err = crypt_set_pbkdf_type(m->cd, &no_stretching);
	if (!err)
		err = crypt_reencrypt_init_by_passphrase(m->cd, NULL,
							 (const char *)secmem_data(secret),
							 secret_size, old, new,
							 new < 0 ? NULL : crypt_get_cipher(m->cd),
							 new < 0 ? NULL :
							 crypt_get_cipher_mode(m->cd), params);
	if (err >= 0)
		return RC_OK;
	meta_fail(why, err, "Re-encryption can't be begun on %s", m->name);
	meta_reload(m);
	return why->rc;
}

int meta_encrypt_begin(struct meta *m, int slot, struct secmem *secret, size_t secret_size,
		       uint64_t shift, struct reason *why)
{
	struct crypt_params_luks2 luks2 = {
		.sector_size = (uint32_t)crypt_get_sector_size(m->cd),
	};
	struct crypt_params_reencrypt params = {
		.mode = CRYPT_REENCRYPT_ENCRYPT,
		.direction = shift ? CRYPT_REENCRYPT_BACKWARD : CRYPT_REENCRYPT_FORWARD,
		.resilience = shift ? "datashift" : "checksum",
		.hash = CHECKSUM_HASH,
		.data_shift = shift,
		.luks2 = &luks2,
		.flags = CRYPT_REENCRYPT_INITIALIZE_ONLY,
	};

	if (shift)
		params.flags |= CRYPT_REENCRYPT_MOVE_FIRST_SEGMENT;
	return begin(m, CRYPT_ANY_SLOT, slot, secret, secret_size, &params, why);
}

int meta_decrypt_begin(struct meta *m, int slot, struct secmem *secret, size_t secret_size,
		       struct reason *why)
{
	uint64_t shift = crypt_get_data_offset(m->cd);
	struct crypt_params_reencrypt params = {
		.mode = CRYPT_REENCRYPT_DECRYPT,
		.direction = shift ? CRYPT_REENCRYPT_FORWARD : CRYPT_REENCRYPT_BACKWARD,
		.resilience = shift ? "datashift-checksum" : "checksum",
		.hash = CHECKSUM_HASH,
		.data_shift = shift,
		.flags = CRYPT_REENCRYPT_INITIALIZE_ONLY,
	};

	if (shift)
		params.flags |= CRYPT_REENCRYPT_MOVE_FIRST_SEGMENT;
	return begin(m, slot, CRYPT_ANY_SLOT, secret, secret_size, &params, why);
}

/* A step that was cut off is finished first, or undone. */
static int recover(struct meta *m, int slot, struct secmem *secret, size_t secret_size,
		   struct reason *why)
{
	struct crypt_params_reencrypt params = { .flags = CRYPT_REENCRYPT_RECOVERY };
	int err;

	if (crypt_reencrypt_status(m->cd, NULL) != CRYPT_REENCRYPT_CRASH)
		return RC_OK;
	meta_log_start();
	err = crypt_reencrypt_init_by_passphrase(m->cd, NULL, (const char *)secmem_data(secret),
						 secret_size, slot, slot, NULL, NULL, &params);
	if (err < 0)
		return meta_fail(why, err, "What was cut off on %s can't be recovered", m->name);
	/* The library's copy of the header is not what recovery has written. */
	meta_log_start();
	err = crypt_load(m->cd, CRYPT_LUKS2, NULL);
	return err ? meta_fail(why, err, "The LUKS2 header of %s can't be read", m->name) : RC_OK;
}

int meta_reencrypt_run(struct meta *m, int slot, struct secmem *secret, size_t secret_size,
		       int (*progress)(uint64_t size, uint64_t done, void *arg), void *arg,
		       struct reason *why)
{
	struct crypt_params_reencrypt params = { .flags = CRYPT_REENCRYPT_RESUME_ONLY };
	int rc, err;

	rc = recover(m, slot, secret, secret_size, why);
	if (rc || meta_reencryption(m) == META_SETTLED)
		return rc;
	meta_log_start();
	err = crypt_reencrypt_init_by_passphrase(m->cd, NULL, (const char *)secmem_data(secret),
						 secret_size, slot, slot, NULL, NULL, &params);
	if (err >= 0)
		err = crypt_reencrypt_run(m->cd, progress, arg);
	if (err < 0)
		return meta_fail(why, err, "Re-encryption of %s has stopped", m->name);
	return RC_OK;
}
