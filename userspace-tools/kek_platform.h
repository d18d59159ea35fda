/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KEK_PLATFORM_H
#define KEK_PLATFORM_H

#include <stdbool.h>
#include <sys/stat.h>

#include "kek.h"

/*
 * Keys of the host's own: AES-256, made when first needed, numbered. Each is a
 * file in PATH_PLATFORM/NAME: N.cred, sealed by systemd-creds to the TPM or to
 * the host, or N.key, bare, where that can't be had.
 *
 * Between kek_platform*.c; nobody else includes this. Those with an int return
 * an enum exit_code, and set @why.
 */

#define NAME_MAX_LEN	63
#define NUMBER_MAX	999999999u

struct version {
	unsigned int number;
	bool sealed;
};

/* A rotation uses two in turn, and a TPM takes its time. */
#define NR_LOADED	2

struct loaded {
	struct secmem *key;	/* NULL: none */
	unsigned int number;
	struct stat from;
};

struct platform {
	char name[NAME_MAX_LEN + 1];
	int dir;
	struct loaded loaded[NR_LOADED];
	struct loaded *key;	/* the one used last; NULL: none */
};

/* The directory */

/* Makes it if need be, and sets p->dir: only root may use it. */
int platform_dir_open(struct platform *p, struct reason *why);
/* Against other processes; waits. For whoever creates or destroys a file. */
int platform_dir_lock(const struct platform *p, struct reason *why);
void platform_dir_unlock(const struct platform *p);
/* Fills in @why by errno: "DOING DIRECTORY: ...". */
int platform_errno(const struct platform *p, const char *doing, struct reason *why);

/* Oldest first; *@list to be freed. */
int platform_scan(const struct platform *p, struct version **list, size_t *nr,
		  struct reason *why);
/* In the list; NULL if it isn't there. */
const struct version *platform_find(const struct version *list, size_t nr, const char *version);
void platform_file_name(const struct version *v, char name[32]);

/* All of it is there under its name, or nothing is. Under the directory's lock. */
int platform_write_file(const struct platform *p, const char *name, const unsigned char *data,
			size_t size, struct reason *why);
/* What was there is overwritten, as far as the file system lets us. It may be gone already. */
int platform_destroy_file(const struct platform *p, const char *name, struct reason *why);

/* The keys */

/* A new random one. Under the directory's lock. */
int platform_create_key(const struct platform *p, unsigned int number, struct reason *why);
/* The versions, the first of them made if there is none; *@list to be freed. */
int platform_scan_or_create(const struct platform *p, struct version **list, size_t *nr,
			    struct reason *why);
/* Makes it p->key; reads it if that has to be, or its file isn't the same any more. */
int platform_load(struct platform *p, const struct version *v, struct reason *why);
/* The same, and its fingerprint. */
int platform_load_fingerprint(struct platform *p, const struct version *v,
			      char text[KEK_FINGERPRINT_MAX], struct reason *why);
/* Wipes all that were loaded. */
void platform_forget_keys(struct platform *p);
/* Always an error: @version isn't there. */
int platform_gone(const struct platform *p, const char *version, struct reason *why);

#endif
