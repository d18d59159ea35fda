/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SECMEM_H
#define SECMEM_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Memory for a secret, and the only type that may hold one. It is locked
 * against swapping, left out of core dumps, not inherited by children, and
 * wiped before it is given back. Nothing prints it.
 */
struct secmem;

/* NULL with errno set: ENOMEM, EAGAIN or EPERM (can't be locked). */
struct secmem *secmem_new(size_t capacity);
/*
 * The same, but the next child that is forked shares it: the way of a secret
 * from one process to another. secmem_keep() ends that, for later children.
 */
struct secmem *secmem_new_shared(size_t capacity);
int secmem_keep(struct secmem *sm);
/* Forgets memory of the parent, in a child that hasn't inherited it. */
void secmem_disown(struct secmem **sm);
/* Wipes all of it. NULL is fine; *@sm becomes NULL. */
void secmem_free(struct secmem **sm);

/* For read(2) and add_key(2); valid until secmem_free(). */
unsigned char *secmem_data(struct secmem *sm);
size_t secmem_capacity(const struct secmem *sm);

/*
 * Wipes what functions that have returned left on the stack and in vector registers:
 * memcpy() uses these, and a signal, the dynamic linker at a function's first call and
 * the kernel, when another process gets its turn, save them. secmem_free() does it.
 */
void secmem_wipe_traces(void);

/*
 * Has libcrypto wipe all that it frees, since its decoders don't wipe what they made
 * of a private key. False: it's too late, it has been used.
 */
bool secmem_guard_libcrypto(void);

#define SECMEM_AUTO	__attribute__((cleanup(secmem_free))) struct secmem *

#endif
