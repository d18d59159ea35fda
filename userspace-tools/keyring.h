/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KEYRING_H
#define KEYRING_H

#include <stdbool.h>
#include <stdint.h>

#include "keyref.h"
#include "secmem.h"

/*
 * Keys in the kernel's keyrings. Nothing but keyring_read() reads a payload
 * back. All functions return an enum exit_code and say what is wrong, unless
 * noted.
 */

struct key_info {
	int32_t serial;
	int64_t bytes;		/* -1: can't be learnt */
	bool revoked;
	char expires[16];	/* "never", "expired", or a time left such as "5m" */
};

/*
 * Finds a key, and links it to the keyring of this thread: there the kernel
 * finds it, whichever keyring it comes from, and nothing outlives the process.
 * @ring: only look here; NULL: as the kernel would, then in the keyrings of
 * the user.
 */
int keyring_find(const struct keyref *key, const char *ring, struct key_info *info);

/* The same without a word, for a look at the state: an errno, or 0. */
int keyring_probe(const struct keyref *key, struct key_info *info);

/*
 * Reads a key of type user, wherever keyring_find() would find it; without a
 * word. Returns an errno, or 0; EFBIG if it is larger than @payload.
 */
int keyring_read(const char *desc, struct secmem *payload, size_t *size);

/* Sets key->bytes from the key where it isn't known, and compares it where it is. */
int keyring_resolve_size(struct keyref *key, const struct key_info *info);

int keyring_add(const struct keyref *key, struct secmem *secret, unsigned int timeout,
		const char *ring, bool replace, int32_t *serial);
int keyring_revoke(const struct keyref *key, const char *ring, int32_t *serial);
/* Takes the key out of @ring, or of every keyring within reach; @links: of how many. */
int keyring_unlink(const struct keyref *key, const char *ring, unsigned int *links);

typedef void (*keyring_visit_fn)(const char *ring_desc, const char *type, const char *desc,
				 const struct key_info *info);
/* Every key of a type that a table may name, once. */
int keyring_list(const char *ring, keyring_visit_fn visit);

#endif
