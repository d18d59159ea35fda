// SPDX-License-Identifier: GPL-2.0-only
/*
 * Key references, ":<size>:<type>:<description>", from text and back.
 *
 * Nothing here quotes the text: somebody may have put a key there.
 */
#include <linux/ctype.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "table.h"

static const char * const key_types[] = {
	[DMSSE_KEY_LOGON]	= "logon",
	[DMSSE_KEY_USER]	= "user",
	[DMSSE_KEY_ENCRYPTED]	= "encrypted",
	[DMSSE_KEY_TRUSTED]	= "trusted",
};

static int parse_key_type(struct dmsse_key_ref *ref, const char *name, size_t len,
			  struct dmsse_error *err)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(key_types); i++) {
		if (strlen(key_types[i]) == len && !strncmp(name, key_types[i], len)) {
			ref->type = i;
			return 0;
		}
	}
	dmsse_err(err, "unknown key type: use logon, user, encrypted or trusted");
	return -EINVAL;
}

/**
 * dmsse_key_ref_parse - parse ":<size>:<type>:<description>"
 * @ref: result; its description points into @text
 * @text: the argument; wiped if it is no reference, since it may be a key
 * @err: why it was refused
 *
 * Context: any. Return: 0, or -EINVAL with @err set.
 */
int dmsse_key_ref_parse(struct dmsse_key_ref *ref, char *text,
			struct dmsse_error *err)
{
	char *size, *type, *p;
	u64 value;
	int r;

	if (!strcmp(text, "-")) {
		ref->size = 0;
		ref->type = DMSSE_KEY_LOGON;
		ref->description = "";
		return 0;
	}
	if (text[0] != ':') {
		memzero_explicit(text, strlen(text));
		dmsse_err(err,
			  "key must be a keyring reference ':<bytes>:<type>:<description>', a key itself is not taken");
		return -EINVAL;
	}

	/* Device-mapper would read another line than status has written. */
	for (p = text; *p; p++) {
		if (isspace(*p) || *p == '\\') {
			dmsse_err(err,
				  "key reference contains white space or a backslash; rename the key");
			return -EINVAL;
		}
	}

	size = text + 1;
	type = strchr(size, ':');
	p = type ? strchr(type + 1, ':') : NULL;
	if (!p) {
		dmsse_err(err, "key reference is incomplete: use ':<bytes>:<type>:<description>'");
		return -EINVAL;
	}
	if (!dmsse_parse_u64(size, type - size, &value) || !value || value > DMSSE_MAX_KEY_SIZE) {
		dmsse_err(err, "size in the key reference must be a number of bytes from 1 to %u",
			  DMSSE_MAX_KEY_SIZE);
		return -EINVAL;
	}
	r = parse_key_type(ref, type + 1, p - type - 1, err);
	if (r)
		return r;
	if (!p[1]) {
		dmsse_err(err,
			  "key reference has no description: use ':<bytes>:<type>:<description>'");
		return -EINVAL;
	}

	ref->size = value;
	ref->description = p + 1;
	return 0;
}

/**
 * dmsse_key_ref_emit - write a key reference as a table line has it
 * @ref: the reference
 * @buf: where to; always terminated if @size is not zero
 * @size: room in @buf, in bytes
 *
 * Context: any. Return: characters written, without the terminating zero.
 */
size_t dmsse_key_ref_emit(const struct dmsse_key_ref *ref, char *buf, size_t size)
{
	if (!ref->size)
		return scnprintf(buf, size, "-");
	return scnprintf(buf, size, ":%u:%s:%s", ref->size, key_types[ref->type],
			 ref->description);
}
