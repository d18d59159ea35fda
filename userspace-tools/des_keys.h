/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef DES_KEYS_H
#define DES_KEYS_H

#include "audit.h"
#include "des.h"
#include "envelope.h"
#include "kek.h"
#include "meta.h"

/*
 * A disk encryption set at work: its configuration and the key encryption keys
 * of its layers, whose processes are shared by all disks that it is used for.
 * Every use of a key is audited here.
 */
struct des_keys {
	struct des des;
	struct kek *platform;
	struct kek *customer;
	int wrapping;		/* holds off who would destroy versions; -1: nothing wrapped yet */
};

/* The set must be there. It may be disabled: that is for des_keys_usable() to say. */
int des_keys_open(struct des_keys *dk, const char *name, struct reason *why);
void des_keys_close(struct des_keys *dk);

/* RC_PERM if the set is disabled. */
int des_keys_usable(const struct des_keys *dk, struct reason *why);

/* Is the token's disk of this very set? Two hosts may have one name for two. RC_PERM. */
int des_keys_match(const struct des_keys *dk, const struct token *token, struct reason *why);

/* Which disk a key is used for; for the audit. */
struct des_keys_use {
	const char *device;
	const char *uuid;	/* of the LUKS2 header that has the token */
};

/* Unwraps the secret of a token's keyslot. */
int des_keys_unwrap(struct des_keys *dk, const struct des_keys_use *use, const struct token *token,
		    struct secmem **secret, struct reason *why);

/*
 * Makes a secret for a keyslot and wraps it: the token's des, kek, wrapping and
 * check are filled in, its layer is the caller's. @version: NULL for the
 * newest.
 */
int des_keys_wrap(struct des_keys *dk, const struct des_keys_use *use, const char *version,
		  struct token *token, struct secmem **secret, struct reason *why);

/* Did one of its keys not answer in time? The next use would wait as long. */
bool des_keys_timed_out(const struct des_keys *dk);

/*
 * What was wrapped may lie in a header that the register doesn't know yet, so
 * whoever wraps is known by a lock until des_keys_close(). This is the other
 * side of it, for who destroys versions of a key: as long as *@fd is open nobody
 * wraps. RC_BUSY if somebody is at it.
 */
int des_keys_stop_wrapping(const struct des *des, int *fd, struct reason *why);

/* The newest version of a layer's key, or the one of this name. RC_PERM if there is none. */
int des_keys_version(struct des_keys *dk, enum token_layer layer, const char *name,
		     struct kek_version *version, struct reason *why);

/* URI and provider of a layer's key; the URI is @dk's until it is closed. */
struct kek *des_keys_kek(struct des_keys *dk, enum token_layer layer);

#endif
