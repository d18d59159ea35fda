// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names of wrappings, as configurations and tokens have them. Pure text.
 */
#include <string.h>

#include "kek.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

static const char * const names[] = {
	[KEK_AES_256_KW]	= "AES-256-KW",
	[KEK_RSA_OAEP_256]	= "RSA-OAEP-256",
	[KEK_RSA_OAEP]		= "RSA-OAEP",
};

const char *kek_wrapping_name(enum kek_wrapping wrapping)
{
	if ((size_t)wrapping >= ARRAY_SIZE(names))
		return "?";
	return names[wrapping];
}

bool kek_wrapping_parse(const char *name, enum kek_wrapping *wrapping)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(name, names[i]))
			continue;
		*wrapping = (enum kek_wrapping)i;
		return true;
	}
	return false;
}
