/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CIPHERS_H
#define CIPHERS_H

#include <stddef.h>

/* A cipher as a table line has it, and a size of key in bytes. */
struct cipher_choice {
	const char *text;
	size_t keylen;
};

/* What the kernel is held against the oracle with. */
extern const struct cipher_choice ciphers[];
extern const size_t nr_ciphers;

#endif
