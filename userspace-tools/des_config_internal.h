/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef DES_CONFIG_INTERNAL_H
#define DES_CONFIG_INTERNAL_H

/* Between des_config*.c. */

#include "des_config.h"

/* In the order of the file that is written. */
enum key_id {
	KEY_ID,
	KEY_TYPE,
	KEY_ENABLED,
	KEY_OWNER,
	KEY_KEY,
	KEY_IDENTITY,
	KEY_WRAPPING,
	KEY_AUTO_ROTATE,
	KEY_LEASE,
	KEY_ON_LAPSE,
	KEY_TIMEOUT,
	NR_KEYS
};

extern const char * const des_config_names[NR_KEYS];

/* NR_KEYS if there is no such key. */
enum key_id des_config_find(const char *name);

/* One value from its text; NULL, or what would be right. */
const char *des_config_set(struct des *des, enum key_id id, const char *text);
/* The text of one value; no longer than CONFIG_VALUE_MAX. */
void des_config_get(const struct des *des, enum key_id id, char *text, size_t size);

/* The first key whose value breaks a rule, with @why set; NR_KEYS if none does. */
enum key_id des_config_broken(const struct des *des, struct reason *why);

#endif
