/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PAIRS_H
#define PAIRS_H

#include <stdbool.h>

#include "table.h"

/* Pairs of ciphers for two layers, unlike in algorithm or in mode. */

#define DEFAULT_CIPHER	"aes-xts-plain64"

struct cipher_pair {
	const char *name;
	const char *cipher[SSE_LAYERS_MAX];
	unsigned int key_bytes[SSE_LAYERS_MAX];
	bool approved;	/* with fips=1 */
};

/*
 * The pair of this name, NULL: the default. An enum exit_code; says what is
 * wrong.
 */
int pair_find(const char *name, const struct cipher_pair **pair);

bool host_is_fips(void);

#endif
