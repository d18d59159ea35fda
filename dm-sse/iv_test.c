// SPDX-License-Identifier: GPL-2.0-only
/* IVs: at the limits of 32 and 64 bits, for each scheme, byte by byte. */
#include <linux/kernel.h>
#include <linux/string.h>

#include "iv.h"
#include "test.h"

#define MAX_IV	32
#define GUARD	0xa5

struct iv_case {
	const char *name;
	enum dmsse_iv_scheme scheme;
	unsigned int size;
	u64 number;
	u8 iv[MAX_IV];
};

/* What isn't named in .iv is zero, as it has to be in the IV. */
static const struct iv_case iv_cases[] = {
	{ "none", DMSSE_IV_NONE, 16, U64_MAX, {} },
	{ "none of no size", DMSSE_IV_NONE, 0, U64_MAX, {} },

	{ "plain 0", DMSSE_IV_PLAIN, 16, 0, {} },
	{ "plain byte order", DMSSE_IV_PLAIN, 16, 0x01020304, { 4, 3, 2, 1 } },
	{ "plain 2^32-1", DMSSE_IV_PLAIN, 16, 0xffffffff, { 0xff, 0xff, 0xff, 0xff } },
	{ "plain 2^32 wraps", DMSSE_IV_PLAIN, 16, 0x100000000, {} },
	{ "plain 2^32+1 wraps", DMSSE_IV_PLAIN, 16, 0x100000001, { 1 } },
	{ "plain 2^64-1 wraps", DMSSE_IV_PLAIN, 16, U64_MAX, { 0xff, 0xff, 0xff, 0xff } },
	{ "plain size 8", DMSSE_IV_PLAIN, 8, 0xaabbccdd11223344, { 0x44, 0x33, 0x22, 0x11 } },

	{ "plain64 0", DMSSE_IV_PLAIN64, 16, 0, {} },
	{ "plain64 byte order", DMSSE_IV_PLAIN64, 16, 0x0102030405060708,
	  { 8, 7, 6, 5, 4, 3, 2, 1 } },
	{ "plain64 2^32-1", DMSSE_IV_PLAIN64, 16, 0xffffffff, { 0xff, 0xff, 0xff, 0xff } },
	{ "plain64 2^32", DMSSE_IV_PLAIN64, 16, 0x100000000, { 0, 0, 0, 0, 1 } },
	{ "plain64 2^64-1", DMSSE_IV_PLAIN64, 16, U64_MAX,
	  { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } },
	{ "plain64 size 8", DMSSE_IV_PLAIN64, 8, 0x8000000000000001,
	  { 1, 0, 0, 0, 0, 0, 0, 0x80 } },
	{ "plain64 size 32", DMSSE_IV_PLAIN64, 32, 0x0102030405060708,
	  { 8, 7, 6, 5, 4, 3, 2, 1 } },

	{ "plain64be 0", DMSSE_IV_PLAIN64BE, 16, 0, {} },
	{ "plain64be byte order", DMSSE_IV_PLAIN64BE, 16, 0x0102030405060708,
	  { [8] = 1, 2, 3, 4, 5, 6, 7, 8 } },
	{ "plain64be 2^32-1", DMSSE_IV_PLAIN64BE, 16, 0xffffffff,
	  { [12] = 0xff, 0xff, 0xff, 0xff } },
	{ "plain64be 2^32", DMSSE_IV_PLAIN64BE, 16, 0x100000000, { [11] = 1 } },
	{ "plain64be 2^64-1", DMSSE_IV_PLAIN64BE, 16, U64_MAX,
	  { [8] = 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } },
	{ "plain64be size 8", DMSSE_IV_PLAIN64BE, 8, 0x0102030405060708,
	  { 1, 2, 3, 4, 5, 6, 7, 8 } },
	{ "plain64be size 32", DMSSE_IV_PLAIN64BE, 32, 0x0102030405060708,
	  { [24] = 1, 2, 3, 4, 5, 6, 7, 8 } },

	{ "essiv as plain64", DMSSE_IV_ESSIV, 16, 0x0102030405060708,
	  { 8, 7, 6, 5, 4, 3, 2, 1 } },
	{ "essiv 2^32", DMSSE_IV_ESSIV, 16, 0x100000000, { 0, 0, 0, 0, 1 } },
};

static void iv_name(const struct iv_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(iv_cases, iv_cases, iv_name);

static void test_iv(struct kunit *test)
{
	const struct iv_case *c = test->param_value;
	u8 buf[2 * MAX_IV];

	/* Stale bytes of an earlier IV must go, those behind it must stay. */
	memset(buf, GUARD, sizeof(buf));
	dmsse_iv_fill(c->scheme, buf, c->size, c->number);
	KUNIT_EXPECT_EQ(test, memcmp(buf, c->iv, c->size), 0);
	KUNIT_EXPECT_NULL(test, memchr_inv(buf + c->size, GUARD, sizeof(buf) - c->size));
}

struct sector_case {
	const char *name;
	u64 sector;
	u64 iv_offset;
	unsigned int shift;
	u64 number;
};

static const struct sector_case sector_cases[] = {
	{ "0", 0, 0, 0, 0 },
	{ "offset", 5, 7, 0, 12 },
	{ "to 2^32", 0xffffffff, 1, 0, 0x100000000 },
	{ "to 2^64-1", U64_MAX - 1, 1, 0, U64_MAX },
	{ "wraps at 2^64", U64_MAX, 1, 0, 0 },
	{ "wraps by offset", 1, U64_MAX, 0, 0 },
	{ "greatest", U64_MAX, U64_MAX, 0, U64_MAX - 1 },
	{ "1024 large", 6, 4, 1, 5 },
	{ "2048 large", 8, 4, 2, 3 },
	{ "4096 large", 16, 8, 3, 3 },
	{ "large: sum first, then shift", 4, 4, 3, 1 },
	{ "large at 2^35", 0x800000000, 0, 3, 0x100000000 },
	{ "large wraps before the shift", U64_MAX - 7, 16, 3, 1 },
	{ "large greatest", U64_MAX - 7, 0, 3, 0x1fffffffffffffff },
};

static void sector_name(const struct sector_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(sector_cases, sector_cases, sector_name);

static void test_sector(struct kunit *test)
{
	const struct sector_case *c = test->param_value;

	KUNIT_EXPECT_EQ(test, dmsse_iv_sector(c->sector, c->iv_offset, c->shift), c->number);
}

static struct kunit_case iv_test_cases[] = {
	KUNIT_CASE_PARAM(test_iv, iv_cases_gen_params),
	KUNIT_CASE_PARAM(test_sector, sector_cases_gen_params),
	{}
};

static struct kunit_suite iv_suite = {
	.name = "dmsse-iv",
	.test_cases = iv_test_cases,
};

kunit_test_suite(iv_suite);
