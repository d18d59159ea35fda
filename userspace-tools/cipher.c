// SPDX-License-Identifier: GPL-2.0-only
/*
 * Cipher specifications, and which key sizes they take.
 */
#include <ctype.h>
#include <string.h>

#include "cipher.h"
#include "diag.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

static bool word_ok(const char *s, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (!isalnum((unsigned char)s[i]) && !strchr("_,()-", s[i]))
			return false;
	return len > 0;
}

static int cipher_malformed(const char *cipher)
{
	return diag_fail(RC_PARAM,
		"'%s' is not a cipher specification: it would be cipher-mode-iv such as aes-xts-plain64,\n"
		"or capi:algorithm-iv such as capi:xts(aes)-plain64.", cipher);
}

static int iv_check(const char *cipher, const char *iv)
{
	static const char * const taken[] = { "plain", "plain64", "plain64be" };
	static const char * const others[] = {
		"benbi", "null", "lmk", "tcw", "random", "eboiv", "elephant",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(taken); i++)
		if (!strcmp(iv, taken[i]))
			return RC_OK;
	if (!strcmp(iv, "essiv") || !strcmp(iv, "essiv:"))
		return diag_fail(RC_PARAM, "IV 'essiv' of '%s' needs a hash: essiv:sha256.", cipher);
	if (!strncmp(iv, "essiv:", 6)) {
		if (!word_ok(iv + 6, strlen(iv + 6)))
			return cipher_malformed(cipher);
		return RC_OK;
	}
	for (i = 0; i < ARRAY_SIZE(others); i++)
		if (!strncmp(iv, others[i], strlen(others[i])))
			return diag_fail(RC_PARAM,
				"IV '%s' is one of dm-crypt's that dm-sse doesn't have;\n"
				"it has plain, plain64, plain64be and essiv:HASH.", iv);
	return diag_fail(RC_PARAM, "Unknown IV '%s' in '%s': plain, plain64, plain64be and essiv:HASH are known.",
			 iv, cipher);
}

/* "capi:algorithm-iv[:hash]"; the name of the algorithm may contain dashes. */
static int capi_check(const char *cipher)
{
	const char *alg = cipher + strlen("capi:");
	const char *colon = strchr(alg, ':');
	const char *dash = memrchr(alg, '-', colon ? (size_t)(colon - alg) : strlen(alg));
	const char *p;
	int depth = 0;

	for (p = alg; *p && depth >= 0; p++)
		depth += (*p == '(') - (*p == ')');
	if (depth)
		return diag_fail(RC_PARAM, "The parentheses of '%s' don't match.", cipher);
	if (!dash || !word_ok(alg, (size_t)(dash - alg)))
		return cipher_malformed(cipher);
	return iv_check(cipher, dash + 1);
}

int cipher_check(const char *cipher)
{
	const char *mode, *iv, *colon;

	if (!strncmp(cipher, "capi:", 5))
		return capi_check(cipher);

	mode = strchr(cipher, '-');
	colon = strchr(cipher, ':');
	if (colon && (!mode || colon < mode))
		return diag_fail(RC_PARAM, "'%s': several keys for one cipher are not supported.", cipher);
	if (!mode || !word_ok(cipher, (size_t)(mode - cipher)))
		return cipher_malformed(cipher);
	if (strchr(cipher, '('))
		return diag_fail(RC_PARAM,
			"'%s' looks like a name of the crypto API, which needs a prefix: capi:xts(aes)-plain64.",
			cipher);
	mode++;
	iv = strchr(mode, '-');
	if (!iv) {
		/* ECB, and nothing else, works without an IV. */
		if (!strcmp(mode, "ecb"))
			return RC_OK;
		return cipher_malformed(cipher);
	}
	if (!word_ok(mode, (size_t)(iv - mode)))
		return cipher_malformed(cipher);
	return iv_check(cipher, iv + 1);
}

bool cipher_takes_no_key(const char *cipher)
{
	return strstr(cipher, "cipher_null");
}

static const struct {
	const char *prefix[2];
	unsigned int bits[3];
} key_sizes[] = {
	{ { "aes-xts-", "capi:xts(aes)-" }, { 256, 384, 512 } },
	{ { "aes-cbc-", "capi:cbc(aes)-" }, { 128, 192, 256 } },
	{ { "xchacha12,aes-adiantum-", "capi:adiantum(xchacha12,aes)-" }, { 256, 256, 256 } },
	{ { "xchacha20,aes-adiantum-", "capi:adiantum(xchacha20,aes)-" }, { 256, 256, 256 } },
};

int cipher_check_key_size(const char *cipher, unsigned int bytes)
{
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(key_sizes); i++) {
		const unsigned int *bits = key_sizes[i].bits;

		if (strncmp(cipher, key_sizes[i].prefix[0], strlen(key_sizes[i].prefix[0])) &&
		    strncmp(cipher, key_sizes[i].prefix[1], strlen(key_sizes[i].prefix[1])))
			continue;
		for (j = 0; j < 3; j++)
			if (bytes * 8 == bits[j])
				return RC_OK;
		if (bits[0] == bits[2])
			return diag_fail(RC_PARAM, "Cipher %s takes a key of %u bits, not of %u.",
					 cipher, bits[0], bytes * 8);
		return diag_fail(RC_PARAM, "Cipher %s takes a key of %u, %u or %u bits, not of %u.%s",
				 cipher, bits[0], bits[1], bits[2], bytes * 8,
				 strstr(cipher, "xts") ? "\nXTS has two keys: AES-256 takes 512 bits." : "");
	}
	return RC_OK;
}
