// SPDX-License-Identifier: GPL-2.0-only
/* Parameters of the suites: where chance begins, and how much of it there is. */
#include <linux/moduleparam.h>
#include <linux/random.h>

#include "test.h"

unsigned long dmsse_test_seed;
module_param_named(test_seed, dmsse_test_seed, ulong, 0444);
MODULE_PARM_DESC(test_seed, "Begin of the tests' random sequences (default: by chance)");

unsigned int dmsse_test_rounds = 2000;
module_param_named(test_rounds, dmsse_test_rounds, uint, 0444);
MODULE_PARM_DESC(test_rounds, "Random cases for each test case that has such");

/**
 * dmsse_test_begin - begin a test case of random cases
 * @test: the test case; the seed goes to its log
 *
 * Return: state for test_random().
 */
u64 dmsse_test_begin(struct kunit *test)
{
	unsigned long seed = dmsse_test_seed;

	while (!seed)
		seed = get_random_long();
	kunit_info(test, "test_seed=%lu test_rounds=%u\n", seed, dmsse_test_rounds);
	return seed;
}
