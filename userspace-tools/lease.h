/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LEASE_H
#define LEASE_H

#include <stdbool.h>

#include "disk.h"
#include "dm.h"
#include "ssesetup.h"

/*
 * Leases: the keys of an open disk live that long, and longer only after the
 * key encryption key was really used once more. The kernel takes the disk away
 * when they end; nobody has to be there for it.
 */

#define LUKS2_PREFIX	DMSSE_UUID_PREFIX "LUKS2-"

/* DMSSE-LUKS2-<uuid without dashes>-<name>. */
void lease_mapping_uuid(const char *disk_uuid, const char *name, char *uuid, size_t size);
/* Is it a disk of a set (or a plain mapping, or another's)? */
bool lease_is_ours(const struct dm_mapping *m);

/*
 * Keeps "open", "renew" and "enable" apart from "disable": what is granted
 * under this lock was allowed when it was. A file descriptor to be closed, or
 * -1 with the reason.
 */
int lease_lock(const char *des, struct reason *why);

/* Puts the volume keys of an unlocked disk into the keyring, for the lease of its set. */
int lease_grant(const struct disk *d, const struct des *des, const char *mapping,
		struct reason *why);
/* Takes the keys of a mapping that is closed out of the keyring. */
void lease_drop(const char *mapping);

/*
 * Proves that the keys of a mapping's set are usable, by unwrapping, and lets
 * the disk live for another lease. One that has lapsed gets its keys back.
 */
int lease_renew(struct des_keys *dk, const char *mapping, struct reason *why);

/* The open disks of a set: revoked at once; or renewed and brought back, as far as possible. */
int lease_revoke_des(const struct des *des, struct reason *why);
int lease_restore_des(const struct des *des, struct reason *why);

#endif
