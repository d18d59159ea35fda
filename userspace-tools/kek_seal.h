/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KEK_SEAL_H
#define KEK_SEAL_H

#include "reason.h"
#include "secmem.h"

/*
 * Seals a secret to the TPM, or to the host's own key if there is none or it
 * doesn't seal, with the program systemd-creds. Secrets go through pipes only.
 */

#define KEK_SEALED_MAX	16384

/* Has been seen to open again when it succeeds. @name: is sealed in as well. */
int kek_seal(const char *name, struct secmem *secret, size_t size,
	     unsigned char sealed[KEK_SEALED_MAX], size_t *sealed_size, struct reason *why);
/* Exactly @size bytes, or it fails. */
int kek_unseal(const char *name, const unsigned char *sealed, size_t sealed_size,
	       struct secmem *secret, size_t size, struct reason *why);

#endif
