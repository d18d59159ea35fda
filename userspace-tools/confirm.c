// SPDX-License-Identifier: GPL-2.0-only
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "confirm.h"

int confirm(const struct options *o, const char *fmt, ...)
{
	char text[1024], answer[16];
	va_list ap;

	if (opt_given(o, OPT_BATCH_MODE))
		return RC_OK;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	diag_warn("%s", text);
	if (!isatty(STDIN_FILENO))
		return diag_fail(RC_PARAM, "--batch-mode does it without asking.");
	fprintf(stderr, "Are you sure? (Type 'yes' in capital letters): ");
	if (!fgets(answer, sizeof(answer), stdin) || strcmp(answer, "YES\n"))
		return diag_fail(RC_PARAM, "Operation aborted.");
	return RC_OK;
}
