/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KEK_IDENTITY_H
#define KEK_IDENTITY_H

#include "reason.h"
#include "secmem.h"

/*
 * Where the PIN or the passphrase of a key comes from:
 *
 *	file:/path		the first line of a file that nobody else can read
 *	credential:NAME		... of a credential that systemd gave the service
 *	keyring:DESC		... of a key of type user in the keyrings of root
 */

/* Text only. */
int kek_identity_check(const char *identity, struct reason *why);

/*
 * Reads it; @uri is whose it is. *@secret ends with a NUL, which *@size doesn't
 * count.
 */
int kek_identity_read(const char *identity, const char *uri, struct secmem **secret,
		      size_t *size, struct reason *why);

/*
 * Text that changes when what @identity names is changed: written, exchanged,
 * or loaded anew. It tells nothing of the secret.
 */
#define KEK_IDENTITY_MARK_MAX	128

void kek_identity_mark(const char *identity, char mark[KEK_IDENTITY_MARK_MAX]);

#endif
