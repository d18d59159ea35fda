/* SPDX-License-Identifier: GPL-2.0-only */
#include <sys/random.h>

static inline unsigned long get_random_long(void)
{
	unsigned long n = 0;

	if (getrandom(&n, sizeof(n), 0) != sizeof(n))
		n = 1;
	return n;
}
