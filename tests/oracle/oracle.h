/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The oracle: what dm-crypt's disk format looks like on disk, written from the
 * cipher standards and the documented format, on OpenSSL and libgcrypt. It
 * shares no code with the kernel module, so that an error would have to be made
 * twice to go unseen.
 *
 * spec.c	cipher text, in both spellings, to a struct
 * block.c	block ciphers, one call for many blocks
 * mode.c	XTS, CBC and ECB over any block cipher
 * adiantum.c	Adiantum, whole
 * sector.c	sector numbers to IVs, runs of sectors
 */
#ifndef ORACLE_H
#define ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ORACLE_MAX_KEY		128
#define ORACLE_MAX_IV		32
#define ORACLE_BLOCK		16
#define ORACLE_MAX_SECTOR	4096

enum oracle_mode { MODE_XTS, MODE_CBC, MODE_ECB, MODE_ADIANTUM, MODE_NULL };
enum oracle_iv { IV_NONE, IV_PLAIN, IV_PLAIN64, IV_PLAIN64BE, IV_ESSIV };

struct oracle_spec {
	enum oracle_mode mode;
	enum oracle_iv iv;
	char block[32];		/* "aes", "serpent", ... */
	char hash[32];		/* of ESSIV */
	unsigned int rounds;	/* of XChaCha */
};

/* The rest of a table line that decides about bytes. */
struct oracle_layout {
	uint64_t iv_offset;	/* in 512-byte sectors, as in the table */
	unsigned int sector_size;
	bool iv_large_sectors;
};

struct oracle_err {
	char text[160];
};

/* spec.c */
int oracle_spec_parse(struct oracle_spec *spec, const char *text, struct oracle_err *err);

/* block.c */
struct block_cipher;
struct block_cipher *block_new(const char *name, const uint8_t *key, size_t keylen,
			       struct oracle_err *err);
void block_free(struct block_cipher *bc);
int block_crypt(struct block_cipher *bc, bool enc, uint8_t *buf, size_t len);

/* mode.c: buf is one data unit, a multiple of 16 bytes, changed in place. */
int mode_xts(struct block_cipher *data, struct block_cipher *tweak, bool enc,
	     uint8_t *buf, size_t len, const uint8_t iv[ORACLE_BLOCK]);
int mode_cbc(struct block_cipher *bc, bool enc, uint8_t *buf, size_t len,
	     const uint8_t iv[ORACLE_BLOCK]);

/* adiantum.c */
struct adiantum;
struct adiantum *adiantum_new(unsigned int rounds, const uint8_t *key, size_t keylen,
			      struct oracle_err *err);
void adiantum_free(struct adiantum *ad);
int adiantum_crypt(struct adiantum *ad, bool enc, uint8_t *buf, size_t len,
		   const uint8_t *tweak, size_t tweaklen);
/* Poly1305 of tweak and length, the only part of the hash a tweak goes into. */
void adiantum_tweak_hash(const struct adiantum *ad, size_t len, const uint8_t *tweak,
			 size_t tweaklen, uint8_t out[16]);
void xchacha_stream(const uint8_t key[32], const uint8_t nonce[24], unsigned int rounds,
		    uint8_t *buf, size_t len);
void le128_add(uint8_t a[16], const uint8_t b[16]);
void le128_sub(uint8_t a[16], const uint8_t b[16]);

/* sector.c */
struct oracle;
struct oracle *oracle_new(const char *cipher, const uint8_t *key, size_t keylen,
			  struct oracle_err *err);
void oracle_free(struct oracle *o);
const struct oracle_spec *oracle_spec(const struct oracle *o);
/* NULL unless the cipher is Adiantum. */
struct adiantum *oracle_adiantum(struct oracle *o);
size_t oracle_iv_size(const struct oracle *o);
/* One data unit under an IV as the cipher takes it (before ESSIV). */
int oracle_unit(struct oracle *o, bool enc, uint8_t *buf, size_t len, const uint8_t *iv);
/* The IV of the sector at @sector (512-byte units from the start of the target). */
void oracle_sector_iv(const struct oracle *o, const struct oracle_layout *l,
		      uint64_t sector, uint8_t iv[ORACLE_MAX_IV]);
/* @len bytes that start at @sector; both must be multiples of the sector size. */
int oracle_run(struct oracle *o, const struct oracle_layout *l, bool enc, uint8_t *buf,
	       size_t len, uint64_t sector);

#endif
