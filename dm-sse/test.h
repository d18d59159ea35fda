/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the test suites share. They are built into the module by DMSSE_KUNIT=y
 * only; those over the pure files also build in userspace, see tests/unit.
 */
#ifndef DMSSE_TEST_H
#define DMSSE_TEST_H

#include <kunit/test.h>
#include <linux/types.h>

/* Parameter test_seed: begin of all random sequences; 0 lets chance decide. */
extern unsigned long dmsse_test_seed;

/* Parameter test_rounds: random cases per test case. */
extern unsigned int dmsse_test_rounds;

u64 dmsse_test_begin(struct kunit *test);

/* splitmix64: short, and the same sequence in the kernel and in userspace. */
static inline u64 test_random(u64 *state)
{
	u64 z = *state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static inline unsigned int test_below(u64 *state, unsigned int limit)
{
	return (test_random(state) >> 32) % limit;
}

#endif
