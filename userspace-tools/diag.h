/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef DIAG_H
#define DIAG_H

#include <stdbool.h>

/* cryptsetup's exit codes. */
enum exit_code {
	RC_OK		= 0,
	RC_PARAM	= 1,	/* wrong or missing parameters */
	RC_PERM		= 2,	/* no permission, or no usable key */
	RC_NOMEM	= 3,
	RC_DEVICE	= 4,	/* wrong device or file */
	RC_BUSY		= 5,	/* device exists already or is in use */

	/* Ours: */
	RC_FOUND	= 6,	/* a check has found what it looks for */
};

void diag_setup(bool verbose, bool debug);
bool diag_debugging(void);
bool diag_is_verbose(void);

#define PRINTF(f, a)	__attribute__((format(printf, f, a)))

void diag_error(const char *fmt, ...) PRINTF(1, 2);
void diag_warn(const char *fmt, ...) PRINTF(1, 2);
void diag_verbose(const char *fmt, ...) PRINTF(1, 2);
void diag_debug(const char *fmt, ...) PRINTF(1, 2);

/* diag_error(), then @rc: "return diag_fail(RC_PARAM, ...)". */
int diag_fail(int rc, const char *fmt, ...) PRINTF(2, 3);

int diag_nomem(void);

/* The line that --verbose ends with. */
void diag_result(int rc);

/* What a key that can't be used means, and what to do. @err is an errno. */
int diag_key_error(int err, const char *type, const char *desc);

/*
 * What the kernel's refusal means. @what: what was tried; @err: errno of the
 * ioctl; @line: what the kernel logged about it, may be NULL.
 */
int diag_kernel_refusal(const char *what, int err, const char *line);

#endif
