/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ASSIGN_H
#define ASSIGN_H

#include "des_keys.h"
#include "disk.h"

/*
 * Gives a disk to another set, in place: its keyslots get secrets that are
 * wrapped by that set's keys. A customer's key is not taken off a disk again,
 * and a layer is neither added nor taken away: those are for a copy.
 */

/* May a disk with these layers, of @from (NULL: of no set), come to @to? RC_PARAM if not. */
int assign_check(const struct disk *d, const struct des *from, const struct des *to,
		 struct reason *why);

/*
 * The disk is locked and all layers are unlocked. Enters it in the register. If
 * it is of set @to already, what an earlier call was kept from is finished.
 */
int assign_disk(struct disk *d, struct des_keys *to, struct reason *why);

#endif
