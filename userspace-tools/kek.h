/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KEK_H
#define KEK_H

#include <stdbool.h>
#include <stddef.h>

#include "reason.h"
#include "secmem.h"

/*
 * Key encryption keys. Who holds one is a provider, kek_*.c, found by the
 * scheme of its URI:
 *
 *	platform:NAME			the host's own, AES-256
 *	file:/path/to/key.pem		a customer's RSA key, one version
 *	file:/path/to/directory		... a version for each *.pem in it
 *	pkcs11:token=...;object=...	... in whatever has a PKCS#11 module
 *
 * A provider runs in a process of its own, so that one that hangs can be given
 * up and what it holds in memory is gone with it.
 */

#define KEK_VERSION_MAX		80	/* with the final NUL */
#define KEK_FINGERPRINT_MAX	80
#define KEK_WRAPPED_MAX		512	/* RSA 4096 */
#define KEK_PLAIN_MAX		128	/* what fits into OAEP-256 under RSA 2048, and more */

enum kek_wrapping {
	KEK_AES_256_KW,		/* RFC 3394 */
	KEK_RSA_OAEP_256,	/* RFC 8017, SHA-256 and MGF1 with SHA-256 */
	KEK_RSA_OAEP,		/* ... SHA-1, for HSMs that know no other */
};

/* JSON Web Algorithms' names (RFC 7518), "A256KW" spelled "AES-256-KW". */
const char *kek_wrapping_name(enum kek_wrapping wrapping);
bool kek_wrapping_parse(const char *name, enum kek_wrapping *wrapping);

/* What a disk encryption set says of its key. Strings are the caller's. */
struct kek_config {
	const char *uri;
	const char *identity;	/* where the PIN or passphrase comes from; NULL: none needed */
	const char *wrapping;	/* a kek_wrapping_name(), or NULL: the best that works */
	unsigned int timeout;	/* seconds that one operation may take */
};

struct kek_version {
	char version[KEK_VERSION_MAX];
	char fingerprint[KEK_FINGERPRINT_MAX];	/* "sha256:" and hex digits, of the public key */
	char algorithm[16];			/* "RSA-3072", "AES-256" */
	bool can_unwrap;			/* the private half is there */
};

/*
 * Checks a URI, an identity and a wrapping as text: nothing is opened. Refuses
 * a secret in a URI (pin-value).
 */
int kek_config_check(const struct kek_config *config, struct reason *why);
/* Is it a customer's key (or the platform's)? */
bool kek_uri_is_customer(const char *uri);

struct kek;	/* a provider at work */

/* Strings of @config are copied. Starts nothing yet: that is done when needed. */
int kek_open(struct kek **kek, const struct kek_config *config, struct reason *why);
void kek_close(struct kek **kek);

/*
 * All of the below take at most config.timeout seconds, then fail with the
 * reason. Exit codes: RC_PERM: no usable key (gone, wrong, PIN wrong or locked,
 * token away, time-out); RC_PARAM: the key isn't of a kind we take.
 */

/* Did its last operation end because time was up? */
bool kek_timed_out(const struct kek *kek);

/* The key's versions, oldest first; *@list to be freed. */
int kek_versions(struct kek *kek, struct kek_version **list, size_t *nr, struct reason *why);

/*
 * Wraps @size bytes of @plain with a version of the key; only the public half
 * is needed. @wrapping is set to what was used.
 */
int kek_wrap(struct kek *kek, const char *version, struct secmem *plain, size_t size,
	     enum kek_wrapping *wrapping, unsigned char *wrapped, size_t *wrapped_size,
	     struct reason *why);

/*
 * Unwraps into @plain, which has room for KEK_PLAIN_MAX bytes. @fingerprint:
 * of the key that wrapped, compared before anything is tried.
 */
int kek_unwrap(struct kek *kek, const char *version, const char *fingerprint,
	       enum kek_wrapping wrapping, const unsigned char *wrapped, size_t wrapped_size,
	       struct secmem *plain, size_t *size, struct reason *why);

/* platform: only: makes a new version. RC_PARAM from the others. */
int kek_new_version(struct kek *kek, struct kek_version *version, struct reason *why);
/* platform: only: destroys the versions but @keep; whatever they wrapped is lost. */
int kek_drop_versions(struct kek *kek, const char *keep, struct reason *why);

#endif
