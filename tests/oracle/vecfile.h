/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Files of published vectors: "name = value" lines, hex values may go on after
 * a backslash, a vector ends where the next name starts.
 */
#ifndef VECFILE_H
#define VECFILE_H

#include <stddef.h>
#include <stdint.h>

#include "oracle.h"

struct vector {
	char name[80];
	char cipher[48];
	uint8_t key[ORACLE_MAX_KEY];
	uint8_t iv[ORACLE_MAX_IV];
	uint8_t pt[ORACLE_MAX_SECTOR];
	uint8_t ct[ORACLE_MAX_SECTOR];
	size_t keylen, ivlen, ptlen, ctlen;
};

/* Both halves the same: allowed by the standard, refused for disks. */
bool vector_weak(const struct vector *v);

typedef void (*vector_fn)(const struct vector *v, void *data);
/* The number of vectors given to @fn, or -1: the whole file is checked first. */
int vecfile_each(const char *path, vector_fn fn, void *data, struct oracle_err *err);

#endif
