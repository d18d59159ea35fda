// SPDX-License-Identifier: GPL-2.0-only
/* Runs the suites that were linked in, as KTAP with a line for each case. */
#include <stdarg.h>
#include <stdlib.h>

#include "../../../../dm-sse/test.h"

#define MAX_SUITES	8

static const struct kunit_suite *suites[MAX_SUITES];
static unsigned int nr_suites, nr_cases, nr_failed;

void kunit_add_suite(const struct kunit_suite *suite)
{
	if (nr_suites == MAX_SUITES)
		abort();
	suites[nr_suites++] = suite;
}

void *kunit_kzalloc(struct kunit *test, size_t size, int gfp)
{
	(void)gfp;
	if (test->nr_allocs == KUNIT_MAX_ALLOCS)
		return NULL;
	return test->alloc[test->nr_allocs++] = calloc(1, size);
}

void kunit_check(struct kunit *test, bool good, bool stop, const char *file, int line,
		 const char *fmt, ...)
{
	va_list args;

	if (good)
		return;
	printf("# %s:%d: ", file, line);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n");
	test->failed = true;
	if (stop)
		longjmp(test->abort, 1);
}

static void run(const struct kunit_suite *suite, const struct kunit_case *c, const void *param,
		const char *desc)
{
	struct kunit test = { .param_value = param };

	if (!setjmp(test.abort))
		c->run(&test);
	while (test.nr_allocs)
		free(test.alloc[--test.nr_allocs]);

	nr_failed += test.failed;
	printf("%sok %u - unit: %s %s%s%s\n", test.failed ? "not " : "", ++nr_cases,
	       suite->name, c->name, *desc ? ": " : "", desc);
}

int main(int argc, char **argv)
{
	const struct kunit_case *c;
	unsigned int i;

	if (argc > 1)
		dmsse_test_seed = strtoul(argv[1], NULL, 10);
	if (argc > 2)
		dmsse_test_rounds = strtoul(argv[2], NULL, 10);

	printf("TAP version 13\n");
	for (i = 0; i < nr_suites; i++) {
		for (c = suites[i]->test_cases; c->run; c++) {
			char desc[KUNIT_PARAM_DESC_SIZE] = "";
			const void *param = NULL;

			if (!c->generate) {
				run(suites[i], c, NULL, "");
				continue;
			}
			while ((param = c->generate(NULL, param, desc)))
				run(suites[i], c, param, desc);
		}
	}
	printf("1..%u\n", nr_cases);
	return nr_failed || !nr_cases;
}
