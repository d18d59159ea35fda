/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ROTATE_H
#define ROTATE_H

#include "des_keys.h"
#include "registry.h"

/*
 * Rotation of one disk: each of its headers gets a keyslot and a token of the
 * wanted version of its key, and loses those of other versions. Keyslots that
 * aren't ours, passphrases and recovery keys, are never touched.
 */

/* Where a set's disks are to go. */
struct rotate_goal {
	struct kek_version platform;	/* "" where the set has no such key */
	struct kek_version customer;
};

enum rotate_outcome {
	ROTATE_MOVED,
	ROTATE_WAS_THERE,
	ROTATE_ELSEWHERE,	/* it belongs to another set, as the register knows now */
};

/*
 * Goes on where an earlier call was cut off; one that finds nothing to do uses
 * no key. The disk may be in use. RC_DEVICE: it can't be read, or is no disk of
 * the set; RC_PERM: a key can't be used.
 */
int rotate_disk(const struct known_disk *known, struct des_keys *dk,
		const struct rotate_goal *goal, enum rotate_outcome *outcome,
		struct reason *why);

/* Is all that can be seen of a disk without a key at the goal? */
bool rotate_is_there(const struct known_disk *known, const struct des *des,
		     const struct rotate_goal *goal);

#endif
