/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KEYSEARCH_FORMS_H
#define KEYSEARCH_FORMS_H

#include <stddef.h>
#include <stdint.h>

/* What is found is at least so long: chance finds nothing of that length. */
#define WINDOW		16

#define NAME_LEN	96

/* One way in which a secret may lie in memory. */
struct form {
	char name[NAME_LEN];	/* of the secret, or of what is derived from it */
	char how[32];
	uint8_t *data;
	size_t size;
};

struct forms {
	struct form *list;
	size_t nr;
};

/*
 * Adds all forms of a secret:
 *
 *	bytes		of no structure
 *	text		characters
 *	number		big-endian, as of an RSA key
 *	aes		a key of AES
 *	xts		two of them, .data and .tweak
 *	essiv		one of AES-CBC-ESSIV with SHA-256: itself, and .salt
 *	adiantum	one of XChaCha12,AES-Adiantum, and .block, .tweak, .message, .nh
 *
 * Each is looked for as it is, with the bytes of words of 4 or of 8, or all of
 * them in reverse order, and as text that stands for it. Returns NULL, or what is
 * wrong with it.
 */
const char *forms_add(struct forms *f, const char *name, const char *kind, const uint8_t *secret,
		      size_t size);
void forms_free(struct forms *f);

#endif
