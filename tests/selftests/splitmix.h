/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SPLITMIX_H
#define SPLITMIX_H

#include <stdint.h>

/*
 * The finaliser of splitmix64: each bit of @x counts for each of what is returned.
 * Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014.
 */
static inline uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

#endif
