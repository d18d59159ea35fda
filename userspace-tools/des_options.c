// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the command line says of a disk encryption set: its name and its options.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "des_config.h"
#include "des_options.h"

static int take_text(const struct options *o, enum opt_id id, const char *name, char *text,
		     size_t size, struct reason *why)
{
	const char *arg = o->str[id];

	if (!opt_given(o, id))
		return RC_OK;
	if (!strcmp(arg, "none"))
		arg = "";
	if ((size_t)snprintf(text, size, "%s", arg) < size)
		return RC_OK;
	return reason_set(why, RC_PARAM, "--%s takes at most %zu bytes.", name, size - 1);
}

static int take_switch(const struct options *o, enum opt_id id, const char *name,
		       const char *off, const char *on, bool *value, struct reason *why)
{
	const char *arg = o->str[id] ? o->str[id] : on;

	if (!opt_given(o, id))
		return RC_OK;
	*value = !strcmp(arg, on);
	if (*value || !strcmp(arg, off))
		return RC_OK;
	return reason_set(why, RC_PARAM, "--%s takes %s or %s, not '%.100s'.", name, off, on, arg);
}

static int take_lease(const struct options *o, unsigned int *lease, struct reason *why)
{
	if (!opt_given(o, OPT_LEASE))
		return RC_OK;
	if (des_parse_duration(o->str[OPT_LEASE], lease) && *lease <= DES_LEASE_MAX)
		return RC_OK;
	return reason_set(why, RC_PARAM,
		"--lease takes a time from 1s to 365d, such as 90s, 15m or 1h, or none, not '%.100s'.",
		o->str[OPT_LEASE]);
}

static int take_timeout(const struct options *o, unsigned int *timeout, struct reason *why)
{
	uint64_t seconds = o->num[OPT_KEK_TIMEOUT];

	if (!opt_given(o, OPT_KEK_TIMEOUT))
		return RC_OK;
	if (!seconds || seconds > DES_TIMEOUT_MAX)
		return reason_set(why, RC_PARAM,
			"--kek-timeout takes a number of seconds from 1 to %d, not %" PRIu64 ".",
			DES_TIMEOUT_MAX, seconds);
	*timeout = (unsigned int)seconds;
	return RC_OK;
}

int des_take_options(struct des *des, void *arg, struct reason *why)
{
	const struct options *o = arg;
	int rc;

	rc = take_text(o, OPT_KEY, "key", des->key, sizeof(des->key), why);
	if (!rc)
		rc = take_text(o, OPT_IDENTITY, "identity", des->identity, sizeof(des->identity), why);
	if (!rc)
		rc = take_text(o, OPT_OWNER, "owner", des->owner, sizeof(des->owner), why);
	if (!rc)
		rc = take_text(o, OPT_WRAPPING, "wrapping", des->wrapping, sizeof(des->wrapping), why);
	if (!rc)
		rc = take_switch(o, OPT_AUTO_ROTATE, "auto-rotate", "no", "yes", &des->auto_rotate, why);
	if (!rc)
		rc = take_switch(o, OPT_ON_LAPSE, "on-lapse", "error", "queue", &des->queue_on_lapse,
				 why);
	if (!rc)
		rc = take_lease(o, &des->lease, why);
	if (!rc)
		rc = take_timeout(o, &des->timeout, why);
	return rc ? rc : des_config_check(des, why);
}

int des_check_name(const char *name, struct reason *why)
{
	if (des_name_ok(name))
		return RC_OK;
	return reason_set(why, RC_PARAM,
		"'%.80s' is no name of a disk encryption set: it takes letters, digits, '-', '_' and '.',\n"
		"at most %d of them, and none of '-' and '.' in front.", name, DES_NAME_MAX - 1);
}
