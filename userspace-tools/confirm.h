/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CONFIRM_H
#define CONFIRM_H

#include "diag.h"
#include "options.h"

/*
 * Warns, then asks a person who must type YES. --batch-mode is a yes; without
 * it, and without a terminal, it is a no. An enum exit_code.
 */
int confirm(const struct options *o, const char *fmt, ...) PRINTF(2, 3);

#endif
