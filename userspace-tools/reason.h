/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef REASON_H
#define REASON_H

#include "diag.h"

/*
 * Why something failed, for those who don't say it themselves: it may go to
 * the terminal, into the state of a disk encryption set, into the audit, or
 * through a pipe to another process.
 */
struct reason {
	int rc;			/* enum exit_code */
	char text[512];		/* lines as diag_error() takes them, harmless; never a secret */
};

/* Returns @rc: "return reason_set(why, RC_PARAM, ...)". */
int reason_set(struct reason *why, int rc, const char *fmt, ...) PRINTF(3, 4);
int reason_nomem(struct reason *why);
/* What failed has said so itself: nothing is left to say. Returns @rc. */
int reason_said(struct reason *why, int rc);
/* Puts "CONTEXT: " in front of the text; returns why->rc. */
int reason_prefix(struct reason *why, const char *fmt, ...) PRINTF(2, 3);
/* Prints it with diag_error(); returns why->rc. */
int reason_say(const struct reason *why);

#endif
