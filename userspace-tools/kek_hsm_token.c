// SPDX-License-Identifier: GPL-2.0-only
/*
 * PKCS#11 modules, and the one token behind them that the URI means.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kek_hsm_internal.h"

/* Modules */

/* "?": nothing more is known. */
static const char *last_message(void)
{
	const char *message = p11_kit_message();

	return message ? message : "?";
}

static int load_by_path(struct hsm *h, const char *path, struct reason *why)
{
	ck_rv_t rv;

	h->modules = calloc(2, sizeof(h->modules[0]));
	if (!h->modules)
		return reason_nomem(why);
	h->by_path = true;
	h->modules[0] = p11_kit_module_load(path, 0);
	if (!h->modules[0])
		return reason_set(why, RC_PERM, "The PKCS#11 module %s can't be loaded: %s.",
				  path, last_message());
	rv = p11_kit_module_initialize(h->modules[0]);
	if (rv == CKR_OK)
		return RC_OK;
	p11_kit_module_release(h->modules[0]);
	h->modules[0] = NULL;
	return reason_set(why, RC_PERM, "The PKCS#11 module %s doesn't start: %s.", path,
			  p11_kit_strerror(rv));
}

int hsm_load_modules(struct hsm *h, struct reason *why)
{
	const char *path = p11_kit_uri_get_module_path(h->uri);

	if (path)
		return load_by_path(h, path, why);
	h->by_path = false;
	h->modules = p11_kit_modules_load_and_initialize(0);
	if (!h->modules)
		return reason_set(why, RC_PERM, "p11-kit has no PKCS#11 modules: %s.",
				  last_message());
	return RC_OK;
}

void hsm_unload_modules(struct hsm *h)
{
	if (!h->modules)
		return;
	if (!h->by_path) {
		p11_kit_modules_finalize_and_release(h->modules);
	} else {
		if (h->modules[0]) {
			p11_kit_module_finalize(h->modules[0]);
			p11_kit_module_release(h->modules[0]);
		}
		free(h->modules);
	}
	h->modules = NULL;
}

/* The token */

const char *hsm_label(const struct hsm *h)
{
	return h->label;
}

static bool module_matches(const struct hsm *h, struct ck_function_list *module)
{
	const char *wanted = p11_kit_uri_get_module_name(h->uri);
	struct ck_info info;
	bool same;
	char *name;

	if (wanted && !h->by_path) {
		name = p11_kit_module_get_name(module);
		same = name && !strcmp(name, wanted);
		free(name);
		if (!same)
			return false;
	}
	return module->C_GetInfo(&info) == CKR_OK &&
	       p11_kit_uri_match_module_info(h->uri, &info);
}

bool hsm_slot_matches(const struct hsm *h, struct ck_function_list *module, ck_slot_id_t slot,
		      struct ck_token_info *token)
{
	ck_slot_id_t wanted = p11_kit_uri_get_slot_id(h->uri);
	struct ck_slot_info info;

	if (wanted != (ck_slot_id_t)-1 && wanted != slot)
		return false;
	return module->C_GetSlotInfo(slot, &info) == CKR_OK &&
	       p11_kit_uri_match_slot_info(h->uri, &info) &&
	       module->C_GetTokenInfo(slot, token) == CKR_OK &&
	       (token->flags & CKF_TOKEN_INITIALIZED) &&
	       p11_kit_uri_match_token_info(h->uri, token);
}

static void copy_padded(char *to, size_t size, const unsigned char *from, size_t len)
{
	len = p11_kit_space_strlen(from, len);
	if (len >= size)
		len = size - 1;
	memcpy(to, from, len);
	to[len] = '\0';
}

/* Returns how many slots of @module have the token. */
static unsigned int search_module(struct hsm *h, struct ck_function_list *module)
{
	struct ck_token_info token;
	unsigned int found = 0;
	ck_slot_id_t slots[256];
	unsigned long nr = sizeof(slots) / sizeof(slots[0]), i;

	if (!module_matches(h, module) || module->C_GetSlotList(1, slots, &nr) != CKR_OK)
		return 0;
	for (i = 0; i < nr; i++) {
		if (!hsm_slot_matches(h, module, slots[i], &token))
			continue;
		h->module = module;
		h->slot = slots[i];
		h->flags = token.flags;
		copy_padded(h->label, sizeof(h->label), token.label, sizeof(token.label));
		found++;
	}
	return found;
}

int hsm_not_there(const struct hsm *h, struct reason *why)
{
	struct ck_token_info *wanted = p11_kit_uri_get_token_info(h->uri);
	char label[33] = "", serial[17] = "";

	/* 0xff: not given. */
	if (wanted->label[0] != 0xff)
		copy_padded(label, sizeof(label), wanted->label, sizeof(wanted->label));
	if (wanted->serial_number[0] != 0xff)
		copy_padded(serial, sizeof(serial), wanted->serial_number,
			    sizeof(wanted->serial_number));
	return reason_set(why, RC_PERM,
		"The token %s%s%s isn't there.\n"
		"Is it plugged in or reachable? 'p11-kit list-modules' shows what is.",
		label[0] || serial[0] ? label : "of the key", serial[0] ? " serial " : "", serial);
}

int hsm_find_token(struct hsm *h, struct reason *why)
{
	unsigned int found = 0;
	size_t i;

	for (i = 0; h->modules[i]; i++)
		found += search_module(h, h->modules[i]);
	if (found == 1)
		return RC_OK;
	h->module = NULL;
	if (!found)
		return hsm_not_there(h, why);
	/* Trying a PIN at each would be the way to lock the others. */
	return reason_set(why, RC_PARAM,
		"%u tokens match the key's URI; add token=, serial= or module-name= to make it one.",
		found);
}
