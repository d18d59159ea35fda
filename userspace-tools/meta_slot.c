// SPDX-License-Identifier: GPL-2.0-only
/*
 * LUKS2 headers: keyslots.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "meta_internal.h"

/* What encrypts a volume key in its keyslot, whatever the volume's cipher is. */
#define KEYSLOT_CIPHER		"aes-xts-plain64"
#define KEYSLOT_KEY_BYTES	64

/* Longer ones are no cipher's. */
#define VOLUME_KEY_MAX		512

/* A secret of full entropy needs no stretching; 1000 is the least that LUKS2 takes. */
static const struct crypt_pbkdf_type for_secret = {
	.type		= CRYPT_KDF_PBKDF2,
	.hash		= "sha256",
	.iterations	= 1000,
	.flags		= CRYPT_PBKDF_NO_BENCHMARK,
};

/* A benchmark finds how often. */
static const struct crypt_pbkdf_type for_passphrase_with_fips = {
	.type		= CRYPT_KDF_PBKDF2,
	.hash		= "sha256",
	.time_ms	= 2000,
};

static bool fips_enabled(void)
{
	char digit = '0';
	int fd;

	fd = open("/proc/sys/crypto/fips_enabled", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (read(fd, &digit, 1) != 1)
		digit = '0';
	close(fd);
	return digit == '1';
}

bool meta_slot_in_use(struct meta *m, int slot)
{
	crypt_keyslot_info info = crypt_keyslot_status(m->cd, slot);

	return info == CRYPT_SLOT_ACTIVE || info == CRYPT_SLOT_ACTIVE_LAST ||
	       info == CRYPT_SLOT_UNBOUND;
}

int meta_slot_free(struct meta *m)
{
	int slot;

	for (slot = 0; slot < crypt_keyslot_max(CRYPT_LUKS2); slot++)
		if (crypt_keyslot_status(m->cd, slot) == CRYPT_SLOT_INACTIVE)
			return slot;
	return -1;
}

static int add_slot(struct meta *m, int slot, const struct crypt_pbkdf_type *pbkdf,
		    struct secmem *volume_key, size_t key_size, struct secmem *secret,
		    size_t secret_size, int *used, struct reason *why)
{
	int err;

	if (slot >= 0 && meta_slot_in_use(m, slot))
		return reason_set(why, RC_BUSY, "Keyslot %d of %s is in use already.", slot, m->name);
	meta_log_start();
	err = crypt_keyslot_set_encryption(m->cd, KEYSLOT_CIPHER, KEYSLOT_KEY_BYTES);
	if (!err)
		err = crypt_set_pbkdf_type(m->cd, pbkdf);
	if (!err)
		err = crypt_keyslot_add_by_volume_key(m->cd, slot < 0 ? CRYPT_ANY_SLOT : slot,
						      (const char *)secmem_data(volume_key), key_size,
						      (const char *)secmem_data(secret),
						      secret_size);
	if (err < 0) {
		meta_fail(why, err, "No keyslot could be added to %s", m->name);
		meta_reload(m);
		return why->rc;
	}
	*used = err;
	return RC_OK;
}

int meta_slot_add(struct meta *m, int slot, struct secmem *volume_key, size_t key_size,
		  struct secmem *secret, size_t secret_size, int *used, struct reason *why)
{
	return add_slot(m, slot, &for_secret, volume_key, key_size, secret, secret_size, used, why);
}

int meta_slot_add_passphrase(struct meta *m, int slot, struct secmem *volume_key,
			     size_t key_size, struct secmem *passphrase, size_t passphrase_size,
			     int *used, struct reason *why)
{
	const struct crypt_pbkdf_type *pbkdf = crypt_get_pbkdf_default(CRYPT_LUKS2);

	if (!pbkdf || fips_enabled())
		pbkdf = &for_passphrase_with_fips;
	return add_slot(m, slot, pbkdf, volume_key, key_size, passphrase, passphrase_size, used, why);
}

static int open_failed(const struct meta *m, int slot, int err, struct reason *why)
{
	if (err == -EPERM && slot >= 0)
		return reason_set(why, RC_PERM, "The secret does not open keyslot %d of %s.", slot,
				  m->name);
	if (err == -EPERM)
		return reason_set(why, RC_PERM, "The secret opens no keyslot of %s.", m->name);
	if (err == -ENOENT)
		return reason_set(why, RC_DEVICE, "The header of %s has no keyslot to open.", m->name);
	return meta_fail(why, err, "The keyslot of %s can't be opened", m->name);
}

int meta_slot_open(struct meta *m, int slot, struct secmem *secret, size_t secret_size,
		   struct secmem **volume_key, size_t *key_size, struct reason *why)
{
	crypt_keyslot_info info;
	struct secmem *key;
	int err;

	if (slot >= 0) {
		info = crypt_keyslot_status(m->cd, slot);
		/* An unbound one has a key that isn't the volume's. */
		if (info != CRYPT_SLOT_ACTIVE && info != CRYPT_SLOT_ACTIVE_LAST)
			return reason_set(why, RC_DEVICE, "Keyslot %d of %s has no volume key.",
					  slot, m->name);
	}
	key = secmem_new(VOLUME_KEY_MAX);
	if (!key)
		return reason_nomem(why);
	*key_size = VOLUME_KEY_MAX;
	meta_log_start();
	err = crypt_volume_key_get(m->cd, slot < 0 ? CRYPT_ANY_SLOT : slot,
				   (char *)secmem_data(key), key_size,
				   (const char *)secmem_data(secret), secret_size);
	if (err < 0) {
		secmem_free(&key);
		return open_failed(m, slot, err, why);
	}
	*volume_key = key;
	return RC_OK;
}

int meta_slot_destroy(struct meta *m, int slot, struct reason *why)
{
	int err;

	if (!meta_slot_in_use(m, slot))
		return reason_set(why, RC_DEVICE, "Keyslot %d of %s is not in use.", slot, m->name);
	meta_log_start();
	err = crypt_keyslot_destroy(m->cd, slot);
	if (err) {
		meta_fail(why, err, "Keyslot %d of %s can't be destroyed", slot, m->name);
		meta_reload(m);
		return why->rc;
	}
	return RC_OK;
}
