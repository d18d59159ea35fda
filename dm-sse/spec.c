// SPDX-License-Identifier: GPL-2.0-only
/*
 * Cipher specifications, in dm-crypt's spelling or the crypto API's: from text to
 * the algorithm and the IV.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "table.h"

#define CAPI_PREFIX	"capi:"

static const struct iv_name {
	const char *name;
	enum dmsse_iv_scheme scheme;
} iv_names[] = {
	{ "plain",	DMSSE_IV_PLAIN },
	{ "plain64",	DMSSE_IV_PLAIN64 },
	{ "plain64be",	DMSSE_IV_PLAIN64BE },
	{ "essiv",	DMSSE_IV_ESSIV },
};

static int set_iv(struct dmsse_cipher *cipher, const char *name, size_t len,
		  const char *opts, struct dmsse_error *err)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(iv_names); i++) {
		if (strlen(iv_names[i].name) != len ||
		    strncmp(name, iv_names[i].name, len))
			continue;
		cipher->iv = iv_names[i].scheme;
		if (cipher->iv == DMSSE_IV_ESSIV && (!opts || !*opts)) {
			dmsse_err(err, "IV 'essiv' needs a hash, as in 'essiv:sha256'");
			return -EINVAL;
		}
		if (cipher->iv != DMSSE_IV_ESSIV && opts) {
			dmsse_err(err, "IV '%s' takes no argument; only 'essiv:<hash>' does",
				  iv_names[i].name);
			return -EINVAL;
		}
		return 0;
	}

	dmsse_err(err, "unknown IV '%.*s': use plain, plain64, plain64be or essiv:<hash>",
		  (int)min_t(size_t, len, 32), name);
	return -EINVAL;
}

static int set_alg(struct dmsse_cipher *cipher, struct dmsse_error *err,
		   const char *fmt, ...) __printf(3, 4);

static int set_alg(struct dmsse_cipher *cipher, struct dmsse_error *err,
		   const char *fmt, ...)
{
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(cipher->alg, sizeof(cipher->alg), fmt, args);
	va_end(args);

	if (len < 0 || len >= (int)sizeof(cipher->alg)) {
		dmsse_err(err, "the cipher's crypto API name is longer than %zu characters",
			  sizeof(cipher->alg) - 1);
		return -EINVAL;
	}
	return 0;
}

/* <api name>-<iv>[:<ivopts>], where the name itself may contain '-'. */
static int parse_capi(struct dmsse_cipher *cipher, const char *spec,
		      struct dmsse_error *err)
{
	const char *opts = strrchr(spec, ':');
	const char *end = opts ? opts : spec + strlen(spec);
	const char *dash = end;
	int alg_len, r;

	while (dash > spec && *dash != '-')
		dash--;
	if (dash == spec) {
		dmsse_err(err,
			  "cipher needs an IV: 'capi:<algorithm>-<iv>', as in 'capi:xts(aes)-plain64'");
		return -EINVAL;
	}

	r = set_iv(cipher, dash + 1, end - dash - 1, opts ? opts + 1 : NULL, err);
	if (r)
		return r;

	alg_len = dash - spec;
	if (cipher->iv == DMSSE_IV_ESSIV)
		return set_alg(cipher, err, "essiv(%.*s,%s)", alg_len, spec, opts + 1);
	return set_alg(cipher, err, "%.*s", alg_len, spec);
}

/* <cipher>[-<mode>-<iv>[:<ivopts>]], where "<cipher>" alone is cbc-plain. */
static int parse_legacy(struct dmsse_cipher *cipher, const char *spec,
			struct dmsse_error *err)
{
	const char *mode, *iv, *opts = NULL;
	int cipher_len, mode_len, iv_len, r;

	cipher_len = strcspn(spec, "-");
	mode = spec + cipher_len;
	if (*mode)
		mode++;
	mode_len = strcspn(mode, "-");
	iv = mode + mode_len;
	if (*iv)
		iv++;

	if (!cipher_len) {
		dmsse_err(err,
			  "cipher is empty: use '<cipher>-<mode>-<iv>', as in 'aes-xts-plain64'");
		return -EINVAL;
	}
	if (strchr(spec, '(')) {
		dmsse_err(err,
			  "a crypto API name needs the prefix 'capi:', as in 'capi:xts(aes)-plain64'");
		return -EINVAL;
	}
	if (memchr(spec, ':', cipher_len)) {
		dmsse_err(err,
			  "more than one key per cipher is not supported: use '<cipher>-<mode>-<iv>'");
		return -EINVAL;
	}

	/* The oldest spelling of all: "aes" and "aes-plain". */
	if (!spec[cipher_len] || !strcmp(mode, "plain")) {
		cipher->iv = DMSSE_IV_PLAIN;
		return set_alg(cipher, err, "cbc(%.*s)", cipher_len, spec);
	}
	if (!mode_len) {
		dmsse_err(err,
			  "cipher has no mode: use '<cipher>-<mode>-<iv>', as in 'aes-xts-plain64'");
		return -EINVAL;
	}

	if (!*iv) {
		if (!strcmp(mode, "ecb"))
			return set_alg(cipher, err, "ecb(%.*s)", cipher_len, spec);
		dmsse_err(err, "cipher needs an IV: use plain, plain64, plain64be or essiv:<hash>");
		return -EINVAL;
	}
	iv_len = strcspn(iv, ":");
	if (iv[iv_len])
		opts = iv + iv_len + 1;
	r = set_iv(cipher, iv, iv_len, opts, err);
	if (r)
		return r;

	if (cipher->iv == DMSSE_IV_ESSIV)
		return set_alg(cipher, err, "essiv(%.*s(%.*s),%s)",
			       mode_len, mode, cipher_len, spec, opts);
	return set_alg(cipher, err, "%.*s(%.*s)", mode_len, mode, cipher_len, spec);
}

/**
 * dmsse_cipher_parse - parse a cipher specification in either spelling
 * @cipher: result
 * @spec: "aes-xts-plain64" or "capi:xts(aes)-plain64"
 * @err: why it was refused
 *
 * Whether the kernel has such a cipher is not known here.
 *
 * Context: any. Return: 0, or -EINVAL with @err set.
 */
int dmsse_cipher_parse(struct dmsse_cipher *cipher, const char *spec,
		       struct dmsse_error *err)
{
	size_t prefix = strlen(CAPI_PREFIX);

	cipher->iv = DMSSE_IV_NONE;
	if (!strncmp(spec, CAPI_PREFIX, prefix))
		return parse_capi(cipher, spec + prefix, err);
	return parse_legacy(cipher, spec, err);
}
