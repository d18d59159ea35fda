/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PROC_KEYS_H
#define PROC_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "keyref.h"
#include "keyring.h"

/*
 * /proc/keys: the one place that tells the size of a key which can't be read,
 * when a key expires, and anything at all of a key that was revoked. It has a
 * line for every key within reach, so whoever asks for many reads it once.
 */

struct proc_key {
	char type[KEY_TYPE_MAX];
	char desc[KEY_DESC_MAX];
	struct key_info info;
};

/* One key; false: there is none, and @pk says that nothing is known of it. */
bool proc_keys_find(int32_t serial, struct proc_key *pk);

struct proc_keys_row;

/* All of them, as they were when the first was asked for. Begins with zeroes. */
struct proc_keys {
	struct proc_keys_row *row;
	size_t nr;
	bool read;
};

/* As proc_keys_find(). */
bool proc_keys_look(struct proc_keys *keys, int32_t serial, struct proc_key *pk);
void proc_keys_free(struct proc_keys *keys);

#endif
