/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KEK_HSM_INTERNAL_H
#define KEK_HSM_INTERNAL_H

/* Between kek_hsm*.c: they and their headers are the only includers of p11-kit. */

#include "kek_hsm.h"

#include <p11-kit/p11-kit.h>
#include <p11-kit/uri.h>

struct hsm {
	const struct kek_config *config;
	P11KitUri *uri;
	struct ck_function_list **modules;	/* ends with NULL */
	bool by_path;				/* one, and not one of p11-kit's list */
	/* Of the token. */
	struct ck_function_list *module;
	ck_slot_id_t slot;
	char label[33];
	unsigned long flags;
	bool in_session;
	ck_session_handle_t session;
	bool logged_in;
	bool lost;
};

/* Text only, and nothing of it is judged yet; *@uri to be freed, NULL after a failure. */
int hsm_parse_uri(const char *text, P11KitUri **uri, struct reason *why);

/* The module that the URI names, or all that p11-kit has; starts them. */
int hsm_load_modules(struct hsm *h, struct reason *why);
/* After a failure of hsm_load_modules() too. Does nothing where none are loaded. */
void hsm_unload_modules(struct hsm *h);

/* In the modules that are loaded; fails unless there is exactly one. */
int hsm_find_token(struct hsm *h, struct reason *why);
/* Is there in @slot what the URI means? Fills @token in if it is. */
bool hsm_slot_matches(const struct hsm *h, struct ck_function_list *module, ck_slot_id_t slot,
		      struct ck_token_info *token);
/* Says so of the token that the URI means; returns RC_PERM. */
int hsm_not_there(const struct hsm *h, struct reason *why);

/* Does it take another session, or another look at the token? */
bool hsm_means_lost(ck_rv_t rv);

/*
 * In a session, and whatever hsm_login() has done before: as @user, with the PIN of
 * the identity, which is not tried if it was refused before.
 */
int hsm_do_login(struct hsm *h, ck_user_type_t user, struct reason *why);

#endif
