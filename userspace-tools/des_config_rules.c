// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the values of a disk encryption set are when nothing is said, and which
 * rules tie one to another.
 */
#include <ctype.h>
#include <string.h>

#include "config_text.h"
#include "des_config_internal.h"

void des_config_defaults(struct des *des)
{
	des->enabled = true;
	des->auto_rotate = false;
	des->queue_on_lapse = false;
	des->lease = des->type == DES_PLATFORM ? 0 : DES_LEASE_DEFAULT;
	des->timeout = DES_TIMEOUT_DEFAULT;
	des->owner[0] = '\0';
	des->key[0] = '\0';
	des->identity[0] = '\0';
	des->wrapping[0] = '\0';
}

/* One rule that is broken: which key it is about, and why; NR_KEYS if none is. */
static enum key_id broken_rule(const struct des *des, const char **what)
{
	if (!strcmp(des->name, DES_DEFAULT) && des->type != DES_PLATFORM) {
		*what = "the set 'platform' is of type platform: give a set for another type another name.";
		return KEY_TYPE;
	}
	if (des->type == DES_PLATFORM) {
		*what = "a set of type platform has no customer's key: leave it out.";
		if (*des->key)
			return KEY_KEY;
		if (*des->identity)
			return KEY_IDENTITY;
		return *des->wrapping ? KEY_WRAPPING : NR_KEYS;
	}
	if (!*des->key) {
		*what = "a set of this type needs the URI of the customer's key: file:/PATH or pkcs11:...";
		return KEY_KEY;
	}
	if (!des->lease) {
		*what = "the disks of a customer's key have a lease, such as 1h: 'none' is for type platform.";
		return KEY_LEASE;
	}
	return NR_KEYS;
}

/* Key, identity and wrapping one after the other, to tell which is wrong. */
static enum key_id broken_source(const struct des *des, struct reason *why)
{
	struct kek_config config = { .uri = des->key, .timeout = des->timeout };

	if (des->type == DES_PLATFORM)
		return NR_KEYS;
	if (kek_config_check(&config, why))
		return KEY_KEY;
	if (!kek_uri_is_customer(des->key)) {
		reason_set(why, RC_PARAM, "it is no customer's: file:/PATH or pkcs11:... are.");
		return KEY_KEY;
	}
	config.identity = *des->identity ? des->identity : NULL;
	if (kek_config_check(&config, why))
		return KEY_IDENTITY;
	config.wrapping = *des->wrapping ? des->wrapping : NULL;
	return kek_config_check(&config, why) ? KEY_WRAPPING : NR_KEYS;
}

/* What would not be read again as it was written. */
static enum key_id broken_text(const struct des *des)
{
	char value[CONFIG_VALUE_MAX];
	enum key_id id;
	size_t len;

	for (id = 0; id < NR_KEYS; id++) {
		des_config_get(des, id, value, sizeof(value));
		len = strlen(value);
		if (!config_text_printable(value, len))
			break;
		if (len && (isblank((unsigned char)*value) ||
			    isblank((unsigned char)value[len - 1])))
			break;
	}
	return id;
}

enum key_id des_config_broken(const struct des *des, struct reason *why)
{
	const char *what = "it is one line of text in UTF-8, with no blanks around it.";
	enum key_id id;

	id = broken_text(des);
	if (id == NR_KEYS)
		id = broken_rule(des, &what);
	if (id == NR_KEYS)
		return broken_source(des, why);
	reason_set(why, RC_PARAM, "%s", what);
	return id;
}

int des_config_check(const struct des *des, struct reason *why)
{
	enum key_id id = des_config_broken(des, why);

	if (id == NR_KEYS)
		return RC_OK;
	why->rc = RC_PARAM;
	return reason_prefix(why, "%s", des_config_names[id]);
}
