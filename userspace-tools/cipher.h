/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CIPHER_H
#define CIPHER_H

#include <stdbool.h>

/*
 * Cipher specifications. Pure text: a typing error is told before the kernel is
 * asked.
 */

/* Both return an enum exit_code, and say what is wrong. */
int cipher_check(const char *cipher);
int cipher_check_key_size(const char *cipher, unsigned int bytes);

bool cipher_takes_no_key(const char *cipher);

#endif
