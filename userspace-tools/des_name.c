// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "des.h"

bool des_name_ok(const char *name)
{
	size_t len = strlen(name);

	if (!len || len >= DES_NAME_MAX || *name == '.' || *name == '-')
		return false;
	return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") ==
	       len;
}
