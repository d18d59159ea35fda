/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KEYREF_H
#define KEYREF_H

#include <stdbool.h>

/* How a key is named, in options and in tables. Pure text. */

/* No cipher takes more. */
#define KEY_BYTES_MAX	256
/* The kernel's limit, with the final NUL. */
#define KEY_DESC_MAX	4096
#define KEY_TYPE_MAX	16

/* A key's name; never its bytes. */
struct keyref {
	unsigned int bytes;		/* 0: not known yet */
	char type[KEY_TYPE_MAX];
	char desc[KEY_DESC_MAX];
};

/*
 * "[TYPE:]DESC", or a whole reference ":BYTES:TYPE:DESC". Without TYPE it is
 * @default_type, or logon. Says what is wrong.
 */
int keyref_parse(const char *text, const char *default_type, struct keyref *key);
/* A whole reference, or "-" without a key; to be freed. NULL: no memory. */
char *keyref_format(const struct keyref *key);
bool key_type_known(const char *type);

/*
 * A word as keyref_format() writes it; "-" leaves @key as it is. Quiet, since the
 * caller knows what it is part of.
 */
bool keyref_parse_table(struct keyref *key, const char *word);

#endif
