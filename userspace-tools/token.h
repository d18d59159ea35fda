/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TOKEN_H
#define TOKEN_H

#include <stdbool.h>
#include <stddef.h>

#include "kek.h"
#include "reason.h"

/*
 * The token of type "dm-sse" in a LUKS2 header: which disk encryption set the
 * disk belongs to, and the secret of a keyslot, wrapped by a key encryption
 * key. Text only: JSON to struct and back. Documentation/on-disk-format.rst
 * has the schema.
 */

#define TOKEN_TYPE		"dm-sse"
#define TOKEN_VERSION		1

/* The secret that opens a keyslot, in bytes. */
#define SLOT_SECRET_SIZE	32
/* SHA-256. */
#define TOKEN_CHECK_SIZE	32

/* Of a token's JSON, with what is unknown: two of them fit into any LUKS2 header. */
#define TOKEN_TEXT_MAX		4096	/* with the final NUL */
/* LUKS2's own limit. */
#define KEYSLOTS_MAX		32

#define DES_NAME_MAX		64	/* with the final NUL */
#define UUID_TEXT_SIZE		37

/* Which of a disk's encryptions the header is of. */
enum token_layer {
	TOKEN_SINGLE,	/* the only one */
	TOKEN_INNER,
	TOKEN_OUTER,
};

struct json_object;

struct token {
	int id;				/* LUKS2's number; -1: not stored yet */
	int keyslot;			/* that the secret opens; -1: none yet */
	int pending_keyslot;		/* that is being made for it; -1: none */
	enum token_layer layer;
	char des[DES_NAME_MAX];
	char des_id[UUID_TEXT_SIZE];	/* names may be the same on two hosts */
	char owner[256];		/* whose key; to say so where it isn't to be had */
	bool customer;			/* the KEK is a customer's */
	char kek_uri[1024];		/* where the KEK was; without any secret */
	char kek_version[KEK_VERSION_MAX];
	char kek_fingerprint[KEK_FINGERPRINT_MAX];
	enum kek_wrapping wrapping;
	unsigned char wrapped[KEK_WRAPPED_MAX];
	size_t wrapped_size;
	unsigned char check[TOKEN_CHECK_SIZE];	/* tells the right secret */
	char created[32];		/* RFC 3339, UTC */
	struct json_object *unknown;	/* fields of later minor revisions; kept */
};

/* An empty token: ids are -1. */
void token_init(struct token *t);
void token_free(struct token *t);

/* Refuses other types and versions, missing and malformed fields; never crashes. */
int token_parse(const char *json, struct token *t, struct reason *why);
/* To be freed; NULL: no memory. */
char *token_format(const struct token *t);

const char *token_layer_name(enum token_layer layer);

#endif
