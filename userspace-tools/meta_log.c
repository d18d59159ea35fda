// SPDX-License-Identifier: GPL-2.0-only
/*
 * libcryptsetup's messages, and what its errors mean.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "meta_internal.h"
#include "utf8.h"

/* There is one for all handles, since some messages have none. */
static _Thread_local char last_words[256];
static _Thread_local bool printing;

void meta_log_start(void)
{
	last_words[0] = '\0';
}

void meta_log_to_stdout(bool on)
{
	printing = on;
}

/* A listing has labels and the like from the header: no orders to the terminal. */
static void print(const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		return;
	utf8_defuse(copy);
	fputs(copy, stdout);
	free(copy);
}

static void on_message(int level, const char *text, void *unused)
{
	size_t length = strcspn(text, "\n");

	(void)unused;
	if (level == CRYPT_LOG_NORMAL && printing) {
		print(text);
		return;
	}
	diag_debug("libcryptsetup: %.*s", (int)length, text);
	if (level == CRYPT_LOG_ERROR)
		snprintf(last_words, sizeof(last_words), "%.*s", (int)length, text);
}

static int code_of(int err)
{
	switch (err) {
	case -EPERM:
	case -EACCES:
		return RC_PERM;
	case -ENOMEM:
		return RC_NOMEM;
	case -EBUSY:
	case -EEXIST:
		return RC_BUSY;
	default:
		return RC_DEVICE;
	}
}

int meta_fail(struct reason *why, int err, const char *fmt, ...)
{
	char what[sizeof(why->text)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	if (*last_words)
		return reason_set(why, code_of(err), "%.240s: %s", what, last_words);
	return reason_set(why, code_of(err), "%.240s: %s.", what, strerror(-err));
}

int meta_init(struct meta **m, const char *device, const char *header, struct reason *why)
{
	struct meta *new = calloc(1, sizeof(*new));
	int err;

	if (!new)
		return reason_nomem(why);
	new->name = strdup(header ? header : device);
	if (!new->name) {
		meta_free(&new);
		return reason_nomem(why);
	}

	crypt_set_log_callback(NULL, on_message, NULL);
	/* Ours needs no plugin, and another's has no business in a process with keys. */
	crypt_token_external_disable();
	crypt_set_debug_level(diag_debugging() ? CRYPT_DEBUG_ALL : CRYPT_DEBUG_NONE);
	meta_log_start();
	err = header ? crypt_init_data_device(&new->cd, header, device)
		     : crypt_init(&new->cd, device);
	if (err) {
		meta_fail(why, err, "%s can't be used", new->name);
		meta_free(&new);
		return why->rc;
	}
	meta_enlist(new);
	*m = new;
	return RC_OK;
}
