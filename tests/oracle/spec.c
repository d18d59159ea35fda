// SPDX-License-Identifier: GPL-2.0-only
/*
 * Cipher texts. The old spelling is cipher[-chainmode][-ivmode[:ivopts]], the
 * new one capi:algorithm-ivmode[:ivopts] with the kernel's algorithm name. The
 * parts are cut from the right, since only the left one may contain dashes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle.h"

static int bad(struct oracle_err *err, const char *what, const char *text)
{
	snprintf(err->text, sizeof(err->text), "%s: %s", what, text);
	return -1;
}

static int set_iv(struct oracle_spec *spec, const char *text, struct oracle_err *err)
{
	if (!strcmp(text, "plain")) {
		spec->iv = IV_PLAIN;
	} else if (!strcmp(text, "plain64")) {
		spec->iv = IV_PLAIN64;
	} else if (!strcmp(text, "plain64be")) {
		spec->iv = IV_PLAIN64BE;
	} else if (!strcmp(text, "null") || !*text) {
		spec->iv = IV_NONE;
	} else if (!strncmp(text, "essiv:", 6) && text[6] &&
		   strlen(text + 6) < sizeof(spec->hash)) {
		spec->iv = IV_ESSIV;
		snprintf(spec->hash, sizeof(spec->hash), "%s", text + 6);
	} else {
		return bad(err, "unknown IV", text);
	}
	return 0;
}

static int set_mode(struct oracle_spec *spec, const char *mode, struct oracle_err *err)
{
	if (!strcmp(mode, "xts"))
		spec->mode = MODE_XTS;
	else if (!strcmp(mode, "cbc"))
		spec->mode = MODE_CBC;
	else if (!strcmp(mode, "ecb"))
		spec->mode = MODE_ECB;
	else
		return bad(err, "unknown mode", mode);
	return 0;
}

/* "xchacha12,aes": Adiantum is only ever used with AES-256. */
static int set_adiantum(struct oracle_spec *spec, const char *args, struct oracle_err *err)
{
	if (!strncmp(args, "xchacha12,aes", 13))
		spec->rounds = 12;
	else if (!strncmp(args, "xchacha20,aes", 13))
		spec->rounds = 20;
	else
		return bad(err, "unknown Adiantum", args);
	spec->mode = MODE_ADIANTUM;
	return 0;
}

static int set_block(struct oracle_spec *spec, const char *name, size_t len,
		     struct oracle_err *err)
{
	if (!len || len >= sizeof(spec->block))
		return bad(err, "bad block cipher", name);
	memcpy(spec->block, name, len);
	spec->block[len] = 0;
	if (!strcmp(spec->block, "cipher_null"))
		spec->mode = MODE_NULL;
	return 0;
}

static int parse_capi(struct oracle_spec *spec, char *text, struct oracle_err *err)
{
	char *iv, *args, *end, mode[16];

	/* An IV has no dash and no bracket, so it starts after the last bracket. */
	end = strrchr(text, ')');
	if (!end)
		return bad(err, "no algorithm(arguments)", text);
	iv = end + 1;
	if (*iv == '-')
		*iv++ = 0;
	else if (*iv)
		return bad(err, "no IV after the algorithm", text);

	if (set_iv(spec, iv, err))
		return -1;

	/* essiv(cbc(aes),sha256)-plain64 is what cbc(aes)-essiv:sha256 becomes. */
	if (!strncmp(text, "essiv(", 6)) {
		char *hash = strrchr(text, ',');

		if (!hash || spec->iv != IV_PLAIN64)
			return bad(err, "bad ESSIV algorithm", text);
		*end = 0;
		*hash++ = 0;
		if (strlen(hash) >= sizeof(spec->hash))
			return bad(err, "bad ESSIV hash", hash);
		snprintf(spec->hash, sizeof(spec->hash), "%s", hash);
		spec->iv = IV_ESSIV;
		text += 6;
		end = strrchr(text, ')');
		if (!end)
			return bad(err, "bad ESSIV algorithm", text);
	}
	if (!strncmp(text, "adiantum(", 9))
		return set_adiantum(spec, text + 9, err);

	args = strchr(text, '(');
	if (!args || args > end || (size_t)(args - text) >= sizeof(mode))
		return bad(err, "no algorithm(arguments)", text);
	memcpy(mode, text, args - text);
	mode[args - text] = 0;
	if (set_mode(spec, mode, err))
		return -1;
	return set_block(spec, args + 1, end - args - 1, err);
}

static int parse_old(struct oracle_spec *spec, char *text, struct oracle_err *err)
{
	char *mode, *iv = NULL;

	mode = strchr(text, '-');
	if (mode) {
		*mode++ = 0;
		iv = strchr(mode, '-');
		if (iv)
			*iv++ = 0;
	}
	/* "aes" and "aes-plain" are from before there were modes. */
	if (!mode || (!strcmp(mode, "plain") && !iv)) {
		mode = "cbc";
		iv = "plain";
	}
	if (set_iv(spec, iv ? iv : "", err))
		return -1;
	if (!strcmp(mode, "adiantum"))
		return set_adiantum(spec, text, err);
	if (set_mode(spec, mode, err))
		return -1;
	return set_block(spec, text, strlen(text), err);
}

int oracle_spec_parse(struct oracle_spec *spec, const char *text, struct oracle_err *err)
{
	char *copy = strdup(text);
	int ret;

	if (!copy)
		return bad(err, "no memory", text);
	memset(spec, 0, sizeof(*spec));
	if (!strncmp(copy, "capi:", 5))
		ret = parse_capi(spec, copy + 5, err);
	else
		ret = parse_old(spec, copy, err);
	free(copy);
	if (!ret && spec->iv == IV_NONE && (spec->mode == MODE_XTS || spec->mode == MODE_CBC ||
					    spec->mode == MODE_ADIANTUM))
		ret = bad(err, "this mode needs an IV", text);
	return ret;
}
