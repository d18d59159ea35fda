/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SECMEM_H
#define SECMEM_H

#include <stddef.h>

/*
 * Memory for a secret, and the only type that may hold one. It is locked
 * against swapping, left out of core dumps, not inherited by children, and
 * wiped before it is given back. Nothing prints it.
 */
struct secmem;

/* NULL with errno set: ENOMEM, EAGAIN or EPERM (can't be locked). */
struct secmem *secmem_new(size_t capacity);
/* Wipes all of it. NULL is fine; *@sm becomes NULL. */
void secmem_free(struct secmem **sm);

/* For read(2) and add_key(2); valid until secmem_free(). */
unsigned char *secmem_data(struct secmem *sm);
size_t secmem_capacity(const struct secmem *sm);

#define SECMEM_AUTO	__attribute__((cleanup(secmem_free))) struct secmem *

#endif
