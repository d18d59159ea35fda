/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef RECOVERY_H
#define RECOVERY_H

#include "reason.h"
#include "secmem.h"

/*
 * Recovery keys: 256 random bits that a person can type, as a passphrase of
 * their own slot, so that nothing but stock cryptsetup is needed. Eight groups
 * of eight letters of the modhex alphabet, which keyboards agree on.
 */
#define RECOVERY_KEY_CHARS	(8 * 8 + 7)

int recovery_key_new(struct secmem **key, struct reason *why);
/* To the terminal, once. @which: "", or the layer it is for. */
int recovery_key_show(struct secmem *key, const char *which, struct reason *why);

#endif
