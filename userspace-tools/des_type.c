// SPDX-License-Identifier: GPL-2.0-only
/*
 * The names of the types of a disk encryption set.
 */
#include <string.h>

#include "des.h"

static const char * const type_names[] = {
	[DES_PLATFORM]			= "platform",
	[DES_CUSTOMER]			= "customer",
	[DES_PLATFORM_AND_CUSTOMER]	= "platform-and-customer",
};

#define NR_TYPES	(sizeof(type_names) / sizeof(type_names[0]))

const char *des_type_name(enum des_type type)
{
	return type_names[type];
}

bool des_type_parse(const char *name, enum des_type *type)
{
	size_t i;

	for (i = 0; i < NR_TYPES; i++) {
		if (!strcmp(name, type_names[i])) {
			*type = (enum des_type)i;
			return true;
		}
	}
	return false;
}
