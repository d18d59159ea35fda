// SPDX-License-Identifier: GPL-2.0-only
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "reason.h"
#include "utf8.h"

int reason_set(struct reason *why, int rc, const char *fmt, ...)
{
	va_list ap;

	why->rc = rc;
	va_start(ap, fmt);
	vsnprintf(why->text, sizeof(why->text), fmt, ap);
	va_end(ap);
	utf8_defuse(why->text);
	return rc;
}

int reason_nomem(struct reason *why)
{
	return reason_set(why, RC_NOMEM, "Out of memory.");
}

int reason_said(struct reason *why, int rc)
{
	why->rc = rc;
	why->text[0] = '\0';
	return rc;
}

int reason_prefix(struct reason *why, const char *fmt, ...)
{
	char old[sizeof(why->text)];
	size_t len;
	va_list ap;

	if (!why->text[0])
		return why->rc;
	memcpy(old, why->text, sizeof(old));
	va_start(ap, fmt);
	vsnprintf(why->text, sizeof(why->text), fmt, ap);
	va_end(ap);
	len = strlen(why->text);
	snprintf(why->text + len, sizeof(why->text) - len, ": %s", old);
	utf8_defuse(why->text);
	return why->rc;
}

int reason_say(const struct reason *why)
{
	if (why->text[0])
		diag_error("%s", why->text);
	return why->rc;
}
