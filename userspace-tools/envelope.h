/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ENVELOPE_H
#define ENVELOPE_H

#include "kek.h"
#include "token.h"

/*
 * The secret of a keyslot in its wrapping. What is wrapped is the secret and a
 * digest of which disk, set and layer it is for, so that one that was taken
 * from another disk's token is told apart, whatever its KEK.
 */

/*
 * Makes a new secret of SLOT_SECRET_SIZE bytes and fills in the token's
 * kek_version, kek_fingerprint, wrapping, wrapped, check and created; layer,
 * des, des_id, and where the KEK is are set already. @uuid: of the LUKS2 header.
 */
int envelope_seal(struct kek *kek, const struct kek_version *version, const char *uuid,
		  struct token *token, struct secmem **secret, struct reason *why);

/* Really unwraps; a result that isn't this token's secret is RC_PERM. */
int envelope_open(struct kek *kek, const char *uuid, const struct token *token,
		  struct secmem **secret, struct reason *why);

#endif
