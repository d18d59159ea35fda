/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef META_INTERNAL_H
#define META_INTERNAL_H

/* Between meta*.c, which nobody else includes libcryptsetup for. */

#include <libcryptsetup.h>

#include "meta.h"

struct meta {
	struct meta *next;	/* of all that there are */
	struct crypt_device *cd;
	char *name;		/* of what has the header, for messages */
};

/* A handle without a header yet. */
int meta_init(struct meta **m, const char *device, const char *header, struct reason *why);

/*
 * What libcryptsetup's @err, a negative errno, means: the exit code, and in
 * @why what was tried and its last words.
 */
int meta_fail(struct reason *why, int err, const char *fmt, ...) PRINTF(3, 4);

/* Puts @m, which has a context of libcryptsetup, with the others; meta_free() takes it off. */
void meta_enlist(struct meta *m);

/* Forgets what libcryptsetup said; to be called before what may fail. */
void meta_log_start(void);
/* While it is on, what libcryptsetup would print is printed. */
void meta_log_to_stdout(bool on);

/*
 * To be called after a change that failed: libcryptsetup leaves its copy of
 * the header in between, and would write that with the next change.
 */
void meta_reload(struct meta *m);

/* Makes a detached header's file if there is none; 0600, as long as a header. */
int meta_header_file(const char *path, bool *created, struct reason *why);
/* A new file is there after a power cut only if its directory says so. -1 with errno. */
int meta_sync_directory(const char *path);

/* RC_BUSY if a re-encryption is under way; @otherwise: what would come of it. */
int meta_must_be_settled(struct meta *m, const char *otherwise, struct reason *why);

#endif
