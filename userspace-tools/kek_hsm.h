/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KEK_HSM_H
#define KEK_HSM_H

#define CRYPTOKI_GNU
#include <p11-kit/pkcs11.h>

#include "kek.h"

/*
 * A token behind a PKCS#11 module, and a session with it. Tokens are pulled and
 * sessions end: what fails for such a reason sets hsm_lost(), and hsm_reset()
 * begins anew.
 */
struct hsm;

/* The URI as text. */
int hsm_check_uri(const char *uri, struct reason *why);

/* Touches no module yet. @config must live as long. */
int hsm_new(struct hsm **hsm, const struct kek_config *config, struct reason *why);
void hsm_free(struct hsm **hsm);

/* Modules are loaded, the token is there, a session is open. */
int hsm_ready(struct hsm *hsm, struct reason *why);
bool hsm_lost(const struct hsm *hsm);
void hsm_reset(struct hsm *hsm);

const char *hsm_label(const struct hsm *hsm);

/* Is nothing needed to log in, or an identity there that says what? */
bool hsm_can_login(const struct hsm *hsm);
/* Does nothing where it is done already. Never tries a PIN again that was refused. */
int hsm_login(struct hsm *hsm, struct reason *why);

/* The keys of a class that the URI means; *@objects to be freed. */
int hsm_find(struct hsm *hsm, ck_object_class_t class, ck_object_handle_t **objects, size_t *nr,
	     struct reason *why);

/* Returns the length, 0 for an attribute that isn't there, isn't shown, or is too long. */
size_t hsm_bytes(struct hsm *hsm, ck_object_handle_t object, ck_attribute_type_t type,
		 void *value, size_t size);
bool hsm_flag(struct hsm *hsm, ck_object_handle_t object, ck_attribute_type_t type);
unsigned long hsm_number(struct hsm *hsm, ck_object_handle_t object, ck_attribute_type_t type);

/*
 * RSA-OAEP by the token, into @plain with room for KEK_WRAPPED_MAX bytes.
 * They return what the module says, and leave the words to hsm_error().
 */
ck_rv_t hsm_decrypt(struct hsm *hsm, ck_object_handle_t key, enum kek_wrapping wrapping,
		    const unsigned char *wrapped, size_t wrapped_size, struct secmem *plain,
		    size_t *size, struct reason *why);
/* The same by unwrapping into a key of the session's, and reading that. */
ck_rv_t hsm_unwrap_key(struct hsm *hsm, ck_object_handle_t key, enum kek_wrapping wrapping,
		       const unsigned char *wrapped, size_t wrapped_size, struct secmem *plain,
		       size_t *size);

/* "Token LABEL: DOING: what the module said"; notices what is lost. */
int hsm_error(struct hsm *hsm, const char *doing, ck_rv_t rv, struct reason *why);

#endif
