/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KEK_PROVIDER_H
#define KEK_PROVIDER_H

#include "kek.h"

/*
 * What a provider has to do; kek.c calls it, in a child process, and sees to
 * time-outs. A provider may block, and may keep a session.
 */
struct kek_provider {
	const char *scheme;		/* of its URIs */
	bool customer;			/* its keys are a customer's */
	/* Text only; @uri begins with the scheme. */
	int (*check)(const struct kek_config *config, struct reason *why);
	int (*open)(const struct kek_config *config, void **session, struct reason *why);
	void (*close)(void *session);
	int (*versions)(void *session, struct kek_version **list, size_t *nr, struct reason *why);
	int (*wrap)(void *session, const char *version, struct secmem *plain, size_t size,
		    enum kek_wrapping *wrapping, unsigned char *wrapped, size_t *wrapped_size,
		    struct reason *why);
	int (*unwrap)(void *session, const char *version, const char *fingerprint,
		      enum kek_wrapping wrapping, const unsigned char *wrapped,
		      size_t wrapped_size, struct secmem *plain, size_t *size,
		      struct reason *why);
	/* NULL where versions are made elsewhere. */
	int (*new_version)(void *session, struct kek_version *version, struct reason *why);
	int (*drop_versions)(void *session, const char *keep, struct reason *why);
};

extern const struct kek_provider kek_platform;
extern const struct kek_provider kek_file;
extern const struct kek_provider kek_pkcs11;

#endif
