// SPDX-License-Identifier: GPL-2.0-only
/* Sector numbers to IVs, and runs of sectors. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "oracle.h"

struct oracle {
	struct oracle_spec spec;
	struct block_cipher *data;
	struct block_cipher *tweak;	/* of XTS */
	struct block_cipher *essiv;
	struct adiantum *adiantum;
};

/* ESSIV encrypts the sector number under a hash of the key. */
static struct block_cipher *essiv_new(const struct oracle_spec *spec, const uint8_t *key,
				      size_t keylen, struct oracle_err *err)
{
	const EVP_MD *md = EVP_get_digestbyname(spec->hash);
	uint8_t salt[EVP_MAX_MD_SIZE];
	unsigned int len;

	if (!md || !EVP_Digest(key, keylen, salt, &len, md, NULL)) {
		snprintf(err->text, sizeof(err->text), "no hash %s", spec->hash);
		return NULL;
	}
	return block_new(spec->block, salt, len, err);
}

struct oracle *oracle_new(const char *cipher, const uint8_t *key, size_t keylen,
			  struct oracle_err *err)
{
	struct oracle *o = calloc(1, sizeof(*o));
	struct oracle_spec *spec;

	*err = (struct oracle_err){ "no memory" };
	if (!o)
		return NULL;
	spec = &o->spec;
	if (oracle_spec_parse(spec, cipher, err))
		goto fail;

	switch (spec->mode) {
	case MODE_XTS:
		if (keylen % 2) {
			snprintf(err->text, sizeof(err->text), "XTS has two keys of equal size");
			goto fail;
		}
		o->data = block_new(spec->block, key, keylen / 2, err);
		o->tweak = block_new(spec->block, key + keylen / 2, keylen / 2, err);
		if (!o->data || !o->tweak)
			goto fail;
		break;
	case MODE_CBC:
	case MODE_ECB:
		o->data = block_new(spec->block, key, keylen, err);
		if (!o->data)
			goto fail;
		break;
	case MODE_ADIANTUM:
		o->adiantum = adiantum_new(spec->rounds, key, keylen, err);
		if (!o->adiantum)
			goto fail;
		break;
	case MODE_NULL:
		break;
	}
	if (spec->iv == IV_ESSIV) {
		if (spec->mode == MODE_ADIANTUM || spec->mode == MODE_NULL) {
			snprintf(err->text, sizeof(err->text), "ESSIV needs a block cipher");
			goto fail;
		}
		o->essiv = essiv_new(spec, key, keylen, err);
		if (!o->essiv)
			goto fail;
	}
	return o;
fail:
	oracle_free(o);
	return NULL;
}

void oracle_free(struct oracle *o)
{
	if (!o)
		return;
	block_free(o->data);
	block_free(o->tweak);
	block_free(o->essiv);
	adiantum_free(o->adiantum);
	free(o);
}

const struct oracle_spec *oracle_spec(const struct oracle *o)
{
	return &o->spec;
}

struct adiantum *oracle_adiantum(struct oracle *o)
{
	return o->adiantum;
}

size_t oracle_iv_size(const struct oracle *o)
{
	return o->spec.mode == MODE_ADIANTUM ? 32 : ORACLE_BLOCK;
}

int oracle_unit(struct oracle *o, bool enc, uint8_t *buf, size_t len, const uint8_t *iv)
{
	uint8_t hidden[ORACLE_BLOCK];

	if (o->essiv) {
		memcpy(hidden, iv, sizeof(hidden));
		if (block_crypt(o->essiv, true, hidden, sizeof(hidden)))
			return -1;
		iv = hidden;
	}
	switch (o->spec.mode) {
	case MODE_XTS:
		return mode_xts(o->data, o->tweak, enc, buf, len, iv);
	case MODE_CBC:
		return mode_cbc(o->data, enc, buf, len, iv);
	case MODE_ECB:
		return block_crypt(o->data, enc, buf, len);
	case MODE_ADIANTUM:
		return adiantum_crypt(o->adiantum, enc, buf, len, iv, oracle_iv_size(o));
	case MODE_NULL:
		return 0;
	}
	return -1;
}

void oracle_sector_iv(const struct oracle *o, const struct oracle_layout *l,
		      uint64_t sector, uint8_t iv[ORACLE_MAX_IV])
{
	uint64_t number = sector + l->iv_offset;
	size_t i, n = 8;

	if (l->iv_large_sectors)
		number /= l->sector_size / 512;
	if (o->spec.iv == IV_PLAIN)
		n = 4;
	memset(iv, 0, ORACLE_MAX_IV);
	if (o->spec.iv == IV_NONE)
		return;
	for (i = 0; i < n; i++) {
		size_t at = o->spec.iv == IV_PLAIN64BE ? oracle_iv_size(o) - 1 - i : i;

		iv[at] = (uint8_t)(number >> 8 * i);
	}
}

int oracle_run(struct oracle *o, const struct oracle_layout *l, bool enc, uint8_t *buf,
	       size_t len, uint64_t sector)
{
	uint8_t iv[ORACLE_MAX_IV];
	size_t i;

	if (len % l->sector_size || sector % (l->sector_size / 512))
		return -1;
	for (i = 0; i < len; i += l->sector_size) {
		oracle_sector_iv(o, l, sector + i / 512, iv);
		if (oracle_unit(o, enc, buf + i, l->sector_size, iv))
			return -1;
	}
	return 0;
}
