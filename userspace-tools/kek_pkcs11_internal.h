/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KEK_PKCS11_INTERNAL_H
#define KEK_PKCS11_INTERNAL_H

/* Between kek_pkcs11*.c. */

#include <openssl/evp.h>

#include "kek.h"
#include "kek_hsm.h"

/* Hex digits of it are the version. */
#define ID_MAX		((KEK_VERSION_MAX - 1) / 2)
#define DATE_SIZE	9	/* YYYYMMDD */

struct version {
	char text[KEK_VERSION_MAX];
	unsigned char id[ID_MAX];
	size_t id_size;
	char start[DATE_SIZE];		/* "": none */
	char end[DATE_SIZE];
	bool has_private;
	bool may_decrypt;
	bool may_unwrap;
	ck_object_handle_t private;
	EVP_PKEY *public;		/* NULL: there is a problem */
	char algorithm[16];
	char fingerprint[KEK_FINGERPRINT_MAX];
	struct reason problem;
};

struct trial;

struct pkcs11 {
	const struct kek_config *config;
	struct hsm *hsm;
	struct version *versions;	/* oldest first */
	size_t nr;
	struct trial *trials;
};

/*
 * Reads from the token, which is ready, what versions there are: oldest first, maybe
 * none. Anew for each operation: a key that was taken away must not work on.
 * What is wrong with one of them only is in its @problem.
 */
int pkcs11_scan(struct pkcs11 *p, struct reason *why);
/* All pointers to versions are void then; pkcs11_scan() does it too. */
void pkcs11_forget_versions(struct pkcs11 *p);

/* NULL: not there. */
struct version *pkcs11_find(const struct pkcs11 *p, const char *text);
/* For messages. */
void pkcs11_describe(const struct pkcs11 *p, const struct version *v, char *what, size_t size);

/* By its dates: not good yet? RC_PERM if not any more. */
bool pkcs11_is_future(const struct version *v);
int pkcs11_check_expired(const struct pkcs11 *p, const struct version *v, struct reason *why);

/*
 * By the token, into @out with room for KEK_WRAPPED_MAX bytes.
 * @rv: what the module said, for who wants to try something else.
 */
int pkcs11_token_unwrap(struct pkcs11 *p, const struct version *v, enum kek_wrapping wrapping,
			const unsigned char *wrapped, size_t wrapped_size, struct secmem *out,
			size_t *size, ck_rv_t *rv, struct reason *why);

/* The one that is asked for, if it works. */
int pkcs11_prove_wrapping(struct pkcs11 *p, const struct version *v, enum kek_wrapping wrapping,
			  struct reason *why);
/* The best that the token can unwrap. */
int pkcs11_choose_wrapping(struct pkcs11 *p, const struct version *v,
			   enum kek_wrapping *wrapping, struct reason *why);
/* What was seen to work is kept from one operation to the next, until this. */
void pkcs11_forget_trials(struct pkcs11 *p);

#endif
