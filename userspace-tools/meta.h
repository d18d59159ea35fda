/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef META_H
#define META_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reason.h"
#include "secmem.h"
#include "token.h"

/*
 * LUKS2 headers: meta*.c are the only includers of libcryptsetup. They write
 * nothing but what stock cryptsetup reads. Functions return an enum exit_code
 * and leave the words to the caller. Each change is one atomic write of the
 * metadata; one that fails leaves the handle as the header is on disk. A header
 * that was changed by somebody else since it was loaded is not written to: it
 * must be loaded again.
 */

/* Room for the header, its keyslots, and those that a rotation makes: 2 MiB. */
#define META_HEADER_SECTORS	4096

struct meta;	/* one header, loaded */

/* Where and how the data are encrypted. */
struct meta_segment {
	char cipher[128];		/* "aes-xts-plain64" */
	unsigned int key_bytes;
	unsigned int sector_size;	/* bytes */
	uint64_t offset;		/* of the data on their device, in 512-byte sectors */
	uint64_t size;			/* in 512-byte sectors; 0: to the device's end */
	uint64_t iv_offset;		/* in 512-byte sectors */
};

/*
 * RC_DEVICE if there is no LUKS2 header; @found: there is one, but it is damaged
 * or of LUKS1, as @why says.
 */
int meta_load(struct meta **m, const char *device, const char *header, bool *found,
	      struct reason *why);
void meta_free(struct meta **m);
/*
 * In a child that has no use for headers: wipes its copy of what libcryptsetup has in
 * memory of them, which may be a disk's key. The parent's is not touched.
 */
void meta_forget_all(void);

/* What is on a device as far as its first bytes tell. */
enum meta_remains {
	META_NOTHING,
	META_LUKS1,
	META_LUKS2,	/* a header or the other copy of one, whole or not */
};
enum meta_remains meta_remains(const char *path);

/*
 * Bytes from the beginning on that the header's copies take, and with the
 * keyslots behind them; where the data begin: 0 with a detached header.
 */
struct meta_extent {
	uint64_t copies, header, data;
};
int meta_extent(struct meta *m, struct meta_extent *extent, struct reason *why);

struct meta_format {
	const char *cipher;
	unsigned int key_bytes;
	unsigned int sector_size;
	const char *uuid;		/* NULL: a random one */
	const char *label;		/* or NULL */
	uint64_t data_offset;		/* 512-byte sectors; 0 with a detached header */
};

/*
 * Writes a header with a random volume key and no keyslot yet. @header: the
 * file or device for a detached one, or NULL. Destroys what was there.
 */
int meta_format(struct meta **m, const char *device, const char *header,
		const struct meta_format *f, struct reason *why);

const char *meta_uuid(const struct meta *m);
/* Refuses what dm-sse can't map: integrity, several segments, re-encryption half done. */
int meta_segment(struct meta *m, struct meta_segment *segment, struct reason *why);

/* Keyslots. A slot of -1 is "any". */
int meta_slot_add(struct meta *m, int slot, struct secmem *volume_key, size_t key_size,
		  struct secmem *secret, size_t secret_size, int *used, struct reason *why);
/* Opened by a person's passphrase: argon2id, or PBKDF2 with fips=1. */
int meta_slot_add_passphrase(struct meta *m, int slot, struct secmem *volume_key,
			     size_t key_size, struct secmem *passphrase, size_t passphrase_size,
			     int *used, struct reason *why);
/* RC_PERM if the secret doesn't open it. *@volume_key is the caller's. */
int meta_slot_open(struct meta *m, int slot, struct secmem *secret, size_t secret_size,
		   struct secmem **volume_key, size_t *key_size, struct reason *why);
int meta_slot_destroy(struct meta *m, int slot, struct reason *why);
bool meta_slot_in_use(struct meta *m, int slot);
/* A slot that is free, or -1. */
int meta_slot_free(struct meta *m);
/* The volume key of a header that meta_format() has just made. */
int meta_new_volume_key(struct meta *m, struct secmem **volume_key, size_t *key_size,
			struct reason *why);

/*
 * Tokens of type dm-sse, newest first; *@list to be freed with meta_tokens_free().
 * Of those that can't be read, or are of a later version, there is a warning as
 * long as others can; they are a failure if they are all there is.
 */
int meta_tokens(struct meta *m, struct token **list, size_t *nr, struct reason *why);
void meta_tokens_free(struct token *list, size_t nr);
/* Does any token of ours, even one that can't be read, say that it is of this layer? */
bool meta_tokens_name_layer(struct meta *m, enum token_layer layer);
/* Stores it under token->id, or a new one, which it sets. */
int meta_token_set(struct meta *m, struct token *token, struct reason *why);
int meta_token_remove(struct meta *m, int id, struct reason *why);

/*
 * Small notes of ours in the header, one each of a type such as "dm-sse-copy":
 * JSON that LUKS2 keeps. @json NULL removes it; *@json is to be freed, NULL if
 * there is none.
 */
int meta_note_set(struct meta *m, const char *type, const char *json, struct reason *why);
int meta_note_get(struct meta *m, const char *type, char **json, struct reason *why);

/*
 * Re-encryption. libcryptsetup does it, each step so that power may fail: what
 * it says of the data is in the header, and the keys stay in their keyslots.
 */
enum meta_reencryption {
	META_SETTLED,		/* none is under way */
	META_ENCRYPTING,
	META_DECRYPTING,
	META_REENCRYPTING,	/* to another key, which is cryptsetup's */
};
enum meta_reencryption meta_reencryption(struct meta *m);
/* By how many sectors it moves the data; 0: it doesn't. */
uint64_t meta_data_shift(struct meta *m);
/* Where the data begin on their device, in sectors. */
uint64_t meta_data_offset(struct meta *m);
/* Are the data plain, since all of them were decrypted? */
bool meta_is_plain(struct meta *m);
/*
 * Writes into the header that the data, so far plain, are to be encrypted. The
 * keyslot @slot is there. @shift, in sectors, is where data will begin: the first
 * @shift sectors are copied to the device's last ones, for which nothing may
 * need the last 2 * @shift. Nothing else is written to the device.
 */
int meta_encrypt_begin(struct meta *m, int slot, struct secmem *secret, size_t secret_size,
		       uint64_t shift, struct reason *why);
/*
 * The same for data that are to be plain. The header is a detached one; if it
 * has data begin behind another header, they are moved to the device's begin,
 * which this does with the first piece of them.
 */
int meta_decrypt_begin(struct meta *m, int slot, struct secmem *secret, size_t secret_size,
		       struct reason *why);
/*
 * Are all data encrypted, and only the header doesn't say so? *@moved is how many
 * sectors at the device's end hold a copy of data then, 0 otherwise.
 */
void meta_encrypt_over(struct meta *m, bool *over, uint64_t *moved);
/* The header says so from now on. */
int meta_encrypt_end(struct meta *m, struct reason *why);
/*
 * Does it, or what is left of it, in bytes. @progress says with anything but 0
 * that it should stop: meta_reencryption() tells whether it was finished.
 */
int meta_reencrypt_run(struct meta *m, int slot, struct secmem *secret, size_t secret_size,
		       int (*progress)(uint64_t size, uint64_t done, void *arg), void *arg,
		       struct reason *why);

/* RC_BUSY if there is a file of that name. */
int meta_backup(const char *device, const char *header, const char *file, struct reason *why);
/*
 * Refused: another disk's header, one of another volume key, and to overwrite
 * something else. A detached header that is lost is made again.
 */
int meta_restore(const char *device, const char *header, const char *file, struct reason *why);
/* libcryptsetup's repair: the copy of the header that is right replaces the other. */
int meta_repair(const char *device, const char *header, struct reason *why);
/* Prints it as cryptsetup luksDump does, then what our tokens say, to stdout. */
int meta_dump(struct meta *m, struct reason *why);

#endif
