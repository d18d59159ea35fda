// SPDX-License-Identifier: GPL-2.0-only
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "diag.h"
#include "pairs.h"

/* The first is the default. */
static const struct cipher_pair pairs[] = {
	{ "adiantum",	{ DEFAULT_CIPHER, "xchacha12,aes-adiantum-plain64" }, { 64, 32 }, false },
	{ "fips",	{ DEFAULT_CIPHER, "aes-cbc-essiv:sha256" },	      { 64, 32 }, true },
};

#define NR_PAIRS	(sizeof(pairs) / sizeof(pairs[0]))

bool host_is_fips(void)
{
	FILE *f = fopen("/proc/sys/crypto/fips_enabled", "re");
	int c;

	if (!f)
		return false;
	c = fgetc(f);
	fclose(f);
	return c == '1';
}

int pair_find(const char *name, const struct cipher_pair **pair)
{
	size_t i;

	*pair = NULL;
	for (i = 0; i < NR_PAIRS && !*pair; i++)
		if (!name || !strcmp(name, pairs[i].name))
			*pair = &pairs[i];
	if (!*pair)
		return diag_fail(RC_PARAM, "Unknown pair of ciphers '%s': adiantum (the default) and fips are known.",
				 name);
	if (!(*pair)->approved && host_is_fips())
		return diag_fail(RC_PARAM, "This host runs with fips=1, where Adiantum is not to be had:\n"
				 "--double=fips takes a pair of approved algorithms.");
	return RC_OK;
}
