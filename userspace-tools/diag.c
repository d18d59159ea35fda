// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages and exit codes: the only file that turns an errno into words.
 */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diag.h"
#include "utf8.h"

static bool verbose_on;
static bool debug_on;

void diag_setup(bool verbose, bool debug)
{
	verbose_on = verbose || debug;
	debug_on = debug;
}

bool diag_debugging(void)
{
	return debug_on;
}

/* Some of it is from headers, which anybody may have written. */
static void PRINTF(3, 0) vsay(FILE *to, const char *prefix, const char *fmt, va_list ap)
{
	char *text;

	if (vasprintf(&text, fmt, ap) < 0) {
		fprintf(to, "%sOut of memory.\n", prefix);
		return;
	}
	utf8_defuse(text);
	fprintf(to, "%s%s\n", prefix, text);
	free(text);
}

void diag_error(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsay(stderr, "", fmt, ap);
	va_end(ap);
}

void diag_warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsay(stderr, "WARNING: ", fmt, ap);
	va_end(ap);
}

bool diag_is_verbose(void)
{
	return verbose_on;
}

void diag_verbose(const char *fmt, ...)
{
	va_list ap;

	if (!verbose_on)
		return;
	va_start(ap, fmt);
	vsay(stderr, "", fmt, ap);
	va_end(ap);
}

void diag_debug(const char *fmt, ...)
{
	va_list ap;

	if (!debug_on)
		return;
	va_start(ap, fmt);
	vsay(stderr, "# ", fmt, ap);
	va_end(ap);
}

int diag_fail(int rc, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsay(stderr, "", fmt, ap);
	va_end(ap);
	return rc;
}

int diag_nomem(void)
{
	return diag_fail(RC_NOMEM, "Out of memory.");
}

void diag_result(int rc)
{
	static const char * const meaning[] = {
		[RC_PARAM]	= "wrong or missing parameters",
		[RC_PERM]	= "no permission or no usable key",
		[RC_NOMEM]	= "out of memory",
		[RC_DEVICE]	= "wrong device or file specified",
		[RC_BUSY]	= "device already exists or device is busy",
		[RC_FOUND]	= "something was found",
	};

	if (rc == RC_OK)
		diag_verbose("Command successful.");
	else
		diag_verbose("Command failed with code %d (%s).", -rc, meaning[rc]);
}

int diag_key_error(int err, const char *type, const char *desc)
{
	switch (err) {
	case ENOKEY:
		return diag_fail(RC_PERM,
			"No key '%s' of type %s in the keyrings of this process and user.\n"
			"Load it with 'ssesetup key load'; 'ssesetup key list' shows what is there.",
			desc, type);
	case EKEYREVOKED:
		return diag_fail(RC_PERM, "Key '%s' of type %s was revoked.\n"
				 "Load it again with 'ssesetup key load'.", desc, type);
	case EKEYEXPIRED:
		return diag_fail(RC_PERM, "Key '%s' of type %s has expired.\n"
				 "Load it again with 'ssesetup key load'.", desc, type);
	case EACCES:
	case EPERM:
		return diag_fail(RC_PERM, "No permission for key '%s' of type %s.\n"
				 "'keyctl describe' shows who may use it.", desc, type);
	case ENOMEM:
		return diag_nomem();
	default:
		return diag_fail(RC_PERM, "Key '%s' of type %s can't be used: %s.",
				 desc, type, strerror(err));
	}
}

static const struct {
	int err;
	int rc;
	const char *advice;
} refusals[] = {
	{ EINVAL, RC_PARAM,
	  "The kernel found a parameter that it doesn't take; its log (dmesg) names it." },
	{ ENOKEY, RC_PERM,
	  "The key isn't in a keyring that this process can search; load it with 'ssesetup key load'." },
	{ EKEYREVOKED, RC_PERM, "The key was revoked; load it again with 'ssesetup key load'." },
	{ EKEYEXPIRED, RC_PERM, "The key has expired; load it again with 'ssesetup key load'." },
	{ EKEYREJECTED, RC_PERM, "The kernel refused the key; its log (dmesg) says why." },
	{ EACCES, RC_PERM, "No permission for the key or the device." },
	{ EPERM, RC_PERM, "This takes root (CAP_SYS_ADMIN)." },
	{ ENOENT, RC_PARAM,
	  "This kernel has no such cipher, mode or hash; check the spelling of --cipher,\n"
	  "and with 'modprobe' whether the cipher's module is installed." },
	{ ENOMEM, RC_NOMEM, "The kernel is out of memory." },
	{ EOPNOTSUPP, RC_PARAM, "The device or an option isn't supported by the dm-sse target." },
	{ ENODEV, RC_DEVICE, "There is no such device." },
	{ ENXIO, RC_DEVICE, "There is no such device." },
	{ ENOTBLK, RC_DEVICE, "The device isn't a block device." },
	{ EROFS, RC_DEVICE, "The device is read-only; try --readonly." },
	{ EBUSY, RC_BUSY, "The device is in use, or the name or UUID is taken." },
	{ EEXIST, RC_BUSY, "A device of that name exists already." },
	{ EIO, RC_DEVICE, "The device reported an I/O error." },
};

int diag_kernel_refusal(const char *what, int err, const char *line)
{
	const char *advice = NULL;
	int rc = RC_PARAM;
	size_t i;

	for (i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		if (refusals[i].err == err) {
			advice = refusals[i].advice;
			rc = refusals[i].rc;
			break;
		}
	}

	if (err)
		diag_error("%s failed: %s.", what, strerror(err));
	else
		diag_error("%s failed.", what);
	if (line)
		diag_error("The kernel says: %s", line);
	if (advice && !(line && err == EINVAL))
		diag_error("%s", advice);
	return rc;
}
