/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KEK_FILE_INTERNAL_H
#define KEK_FILE_INTERNAL_H

/* Between kek_file.c and kek_file_pem.c. */

#include <limits.h>
#include <sys/stat.h>

#include <openssl/evp.h>

#include "kek.h"

/* A version and its key, once it has been needed. */
struct key {
	char version[KEK_VERSION_MAX];
	char path[PATH_MAX];
	EVP_PKEY *key;
	bool private;
	char algorithm[16];
	char fingerprint[KEK_FINGERPRINT_MAX];
	struct stat loaded_from;
};

struct file {
	const struct kek_config *config;
	const char *path;
	struct key *keys;	/* oldest first */
	size_t nr;
};

/*
 * From @k's path, unless it is there already: the private half if the file has it,
 * which nobody else may use then. A key that isn't good is not kept.
 */
int kek_file_load(const struct file *f, struct key *k, struct reason *why);
/* Loaded or not. */
void kek_file_forget(struct key *k);

#endif
