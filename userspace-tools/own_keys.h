/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef OWN_KEYS_H
#define OWN_KEYS_H

#include <stddef.h>

#include "reason.h"
#include "secmem.h"

/*
 * The keys of open disks: logon keys, with the lease as their time-out, in a
 * keyring of ssesetup's own below root's, "dm-sse". Nothing reads them back
 * but the target.
 */

/*
 * Puts a key there, and where the kernel finds it for this process. It never
 * exists without its time-out, even if this process is killed.
 * @timeout: seconds; 0: none
 */
int own_keys_put(const char *desc, struct secmem *key, size_t size, unsigned int timeout,
		 struct reason *why);
/* From now on it lives @timeout seconds. RC_PERM if it is gone: put it anew. */
int own_keys_extend(const char *desc, unsigned int timeout, struct reason *why);
/* Unusable at once, wherever it is in use. A key that is gone is no error. */
int own_keys_revoke(const char *desc, struct reason *why);
/* Out of the keyring; a device that has it open keeps it. */
void own_keys_drop(const char *desc);

#endif
