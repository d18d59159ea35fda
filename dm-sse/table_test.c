// SPDX-License-Identifier: GPL-2.0-only
/* Table lines that are right: what they mean, and how they are written again. */
#include <linux/errno.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "compat.h"
#include "table.h"
#include "test_line.h"

/* One layer --------------------------------------------------------------- */

struct good_line {
	const char *name;
	const char *line;
	const char *emitted; /* NULL: as it was */
	unsigned int key_size;
	enum dmsse_key_type key_type;
	const char *description;
	u64 iv_offset;
	u64 start;
	unsigned int sector_size;
	unsigned long flags;
};

static const struct good_line good_lines[] = {
	{
		.name = "plain",
		.line = "aes-xts-plain64 " REF64 " 0 /dev/vdb 0",
		.key_size = 64, .key_type = DMSSE_KEY_LOGON, .description = "vm:disk0",
		.sector_size = 512,
	},
	{
		.name = "user key",
		.line = "aes-xts-plain64 :32:user:k 7 253:0 2048",
		.key_size = 32, .key_type = DMSSE_KEY_USER, .description = "k",
		.iv_offset = 7, .start = 2048, .sector_size = 512,
	},
	{
		.name = "encrypted key",
		.line = "aes-xts-plain64 :64:encrypted:k 0 253:0 0",
		.key_size = 64, .key_type = DMSSE_KEY_ENCRYPTED, .description = "k",
		.sector_size = 512,
	},
	{
		.name = "trusted key",
		.line = "aes-xts-plain64 :64:trusted:k 0 253:0 0",
		.key_size = 64, .key_type = DMSSE_KEY_TRUSTED, .description = "k",
		.sector_size = 512,
	},
	{
		.name = "description of colons",
		.line = "aes-xts-plain64 :64:logon:a:b::c: 0 253:0 0",
		.key_size = 64, .description = "a:b::c:", .sector_size = 512,
	},
	{
		.name = "shortest key",
		.line = "aes-xts-plain64 :1:user:k 0 253:0 0",
		.key_size = 1, .key_type = DMSSE_KEY_USER, .description = "k",
		.sector_size = 512,
	},
	{
		.name = "longest key",
		.line = "aes-xts-plain64 :256:user:k 0 253:0 0",
		.key_size = 256, .key_type = DMSSE_KEY_USER, .description = "k",
		.sector_size = 512,
	},
	{
		.name = "no key",
		.line = "cipher_null-ecb - 0 253:0 0",
		.description = "", .sector_size = 512,
	},
	{
		.name = "greatest numbers",
		.line = "aes-xts-plain64 " REF64
			" 18446744073709551615 253:0 18446744073709551615",
		.key_size = 64, .description = "vm:disk0",
		.iv_offset = U64_MAX, .start = U64_MAX, .sector_size = 512,
	},
	{
		.name = "leading zeros",
		.line = "aes-xts-plain64 :064:logon:vm:disk0 00 253:0 0010",
		.emitted = "aes-xts-plain64 " REF64 " 0 253:0 10",
		.key_size = 64, .description = "vm:disk0", .start = 10, .sector_size = 512,
	},
	{
		.name = "no options counted",
		.line = "aes-xts-plain64 " REF64 " 0 253:0 0 0",
		.emitted = "aes-xts-plain64 " REF64 " 0 253:0 0",
		.key_size = 64, .description = "vm:disk0", .sector_size = 512,
	},
	{
		.name = "default sector_size",
		.line = "aes-xts-plain64 " REF64 " 1 253:0 0 1 sector_size:512",
		.emitted = "aes-xts-plain64 " REF64 " 1 253:0 0",
		.key_size = 64, .description = "vm:disk0", .iv_offset = 1, .sector_size = 512,
	},
	{
		.name = "sector_size 1024",
		.line = "aes-xts-plain64 " REF64 " 2 253:0 3 1 sector_size:1024",
		.key_size = 64, .description = "vm:disk0", .iv_offset = 2, .start = 3,
		.sector_size = 1024,
	},
	{
		.name = "sector_size 2048",
		.line = "aes-xts-plain64 " REF64 " 4 253:0 0 1 sector_size:2048",
		.key_size = 64, .description = "vm:disk0", .iv_offset = 4, .sector_size = 2048,
	},
	{
		.name = "iv_large_sectors",
		.line = "aes-xts-plain64 " REF64
			" 8 253:0 0 2 iv_large_sectors sector_size:4096",
		.emitted = "aes-xts-plain64 " REF64
			   " 8 253:0 0 2 sector_size:4096 iv_large_sectors",
		.key_size = 64, .description = "vm:disk0", .iv_offset = 8, .sector_size = 4096,
		.flags = DMSSE_IV_LARGE_SECTORS,
	},
	{
		.name = "capitals",
		.line = "aes-xts-plain64 " REF64 " 0 253:0 0 2 Allow_Discards SECTOR_SIZE:4096",
		.emitted = "aes-xts-plain64 " REF64
			   " 0 253:0 0 2 allow_discards sector_size:4096",
		.key_size = 64, .description = "vm:disk0", .sector_size = 4096,
		.flags = DMSSE_ALLOW_DISCARDS,
	},
	{
		.name = "every option of old",
		.line = "capi:cbc(aes)-essiv:sha256 :32:logon:vm:d 16 253:0 1 7 no_write_workqueue no_read_workqueue submit_from_crypt_cpus same_cpu_crypt iv_large_sectors sector_size:4096 allow_discards",
		.emitted = "capi:cbc(aes)-essiv:sha256 :32:logon:vm:d 16 253:0 1 7 allow_discards same_cpu_crypt submit_from_crypt_cpus no_read_workqueue no_write_workqueue sector_size:4096 iv_large_sectors",
		.key_size = 32, .description = "vm:d", .iv_offset = 16, .start = 1,
		.sector_size = 4096,
		.flags = DMSSE_ALLOW_DISCARDS | DMSSE_SAME_CPU_CRYPT |
			 DMSSE_SUBMIT_FROM_CRYPT_CPUS | DMSSE_NO_READ_WORKQUEUE |
			 DMSSE_NO_WRITE_WORKQUEUE | DMSSE_IV_LARGE_SECTORS,
	},
};

static void good_name(const struct good_line *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(good_lines, good_lines, good_name);

static void test_good_line(struct kunit *test)
{
	const struct good_line *c = test->param_value;
	struct words *words = cut(test, new_words(test), c->line);
	struct dmsse_params params;
	struct dmsse_error err = {};
	char *out = kunit_kzalloc(test, MAX_LINE, GFP_KERNEL);
	const char *want = c->emitted ?: c->line;
	int r;

	KUNIT_ASSERT_NOT_NULL(test, out);
	r = dmsse_table_parse(&params, words->argc, words->argv, &err);
	KUNIT_ASSERT_EQ_MSG(test, r, 0, "%s", err.text);

	KUNIT_EXPECT_EQ(test, params.nr_layers, 1U);
	KUNIT_EXPECT_STREQ(test, params.layer[0].spec, words->argv[0]);
	KUNIT_EXPECT_EQ(test, params.layer[0].key.size, c->key_size);
	KUNIT_EXPECT_EQ(test, (int)params.layer[0].key.type, (int)c->key_type);
	KUNIT_EXPECT_STREQ(test, params.layer[0].key.description, c->description);
	KUNIT_EXPECT_EQ(test, params.layer[0].iv_offset, c->iv_offset);
	KUNIT_EXPECT_STREQ(test, params.device, words->argv[3]);
	KUNIT_EXPECT_EQ(test, params.start, c->start);
	KUNIT_EXPECT_EQ(test, params.sector_size, c->sector_size);
	KUNIT_EXPECT_EQ(test, params.flags, c->flags);

	KUNIT_EXPECT_EQ(test, dmsse_table_emit(&params, out, MAX_LINE), strlen(want));
	KUNIT_EXPECT_STREQ(test, out, want);
}

/* An option of newer kernels is refused by older ones, as dm-crypt does. */
static void test_high_priority(struct kunit *test)
{
	struct words *words = cut(test, new_words(test),
				  "aes-xts-plain64 " REF64 " 0 253:0 0 1 high_priority");
	struct dmsse_params params;
	struct dmsse_error err = {};
	int r = dmsse_table_parse(&params, words->argc, words->argv, &err);

	if (DMSSE_HAVE_HIGH_PRIORITY) {
		KUNIT_EXPECT_EQ(test, r, 0);
		KUNIT_EXPECT_EQ(test, params.flags, (unsigned long)DMSSE_HIGH_PRIORITY);
	} else {
		KUNIT_EXPECT_EQ(test, r, -EOPNOTSUPP);
		KUNIT_EXPECT_STREQ(test, err.text,
				   "option 'high_priority' needs Linux 6.10 or newer");
	}
}

static void test_ima(struct kunit *test)
{
	struct words *words = cut(test, new_words(test),
				  "aes-xts-plain64 " REF64
				  " 8 253:0 4 3 allow_discards sector_size:4096 iv_large_sectors");
	struct dmsse_params params;
	struct dmsse_error err;
	char *out = kunit_kzalloc(test, MAX_LINE, GFP_KERNEL);
	size_t len;

	KUNIT_ASSERT_NOT_NULL(test, out);
	KUNIT_ASSERT_EQ(test, dmsse_table_parse(&params, words->argc, words->argv, &err), 0);
	len = dmsse_table_emit_ima(&params, out, MAX_LINE);
	KUNIT_EXPECT_EQ(test, len, strlen(out));
	KUNIT_EXPECT_STREQ(test, out,
			   ",inner_cipher=aes-xts-plain64,inner_key_size=64,inner_iv_offset=8,device=253:0,start=4,allow_discards=y,same_cpu_crypt=n,submit_from_crypt_cpus=n,no_read_workqueue=n,no_write_workqueue=n,high_priority=n,allow_same_cipher=n,sector_size=4096,iv_large_sectors=y,key_lease=n");
}

/* Lines with two layers --------------------------------------------------- */

struct double_line {
	const char *name;
	const char *line;
	const char *emitted; /* NULL: as it was */
	const char *ima;
	u64 inner_offset;
	u64 outer_offset;
	unsigned int sector_size;
	unsigned long flags;
};

#define IMA_OPTIONS(same, size, large)	\
	"allow_discards=n,same_cpu_crypt=n,submit_from_crypt_cpus=n," \
	"no_read_workqueue=n,no_write_workqueue=n,high_priority=n," \
	"allow_same_cipher=" same ",sector_size=" size ",iv_large_sectors=" large ",key_lease=n"
#define IMA_LAYERS(inner, outer)	\
	",inner_cipher=aes-xts-plain64,inner_key_size=64,inner_iv_offset=" inner \
	",outer_cipher=" ADIANTUM ",outer_key_size=32,outer_iv_offset=" outer

static const struct double_line double_lines[] = {
	{
		.name = "outer",
		.line = "aes-xts-plain64 " REF64 " 0 253:0 0 4 " OUTER " 0",
		.ima = IMA_LAYERS("0", "0") ",device=253:0,start=0," IMA_OPTIONS("n", "512", "n"),
		.sector_size = 512,
	},
	{
		.name = "offsets",
		.line = "aes-xts-plain64 " REF64 " 3 253:0 2048 4 " OUTER " 18446744073709551615",
		.ima = IMA_LAYERS("3", "18446744073709551615")
			",device=253:0,start=2048," IMA_OPTIONS("n", "512", "n"),
		.inner_offset = 3, .outer_offset = U64_MAX, .sector_size = 512,
	},
	{
		.name = "among other options",
		.line = "aes-xts-plain64 " REF64
			" 8 253:0 0 7 sector_size:4096 " OUTER " 016 iv_large_sectors allow_same_cipher",
		.emitted = "aes-xts-plain64 " REF64
			   " 8 253:0 0 7 allow_same_cipher sector_size:4096 iv_large_sectors "
			   OUTER " 16",
		.ima = IMA_LAYERS("8", "16") ",device=253:0,start=0," IMA_OPTIONS("y", "4096", "y"),
		.inner_offset = 8, .outer_offset = 16, .sector_size = 4096,
		.flags = DMSSE_IV_LARGE_SECTORS | DMSSE_ALLOW_SAME_CIPHER,
	},
	{
		.name = "capitals",
		.line = "aes-xts-plain64 " REF64
			" 0 253:0 0 5 OUTER " ADIANTUM " :32:logon:vm:disk0-outer 8 Sector_Size:4096",
		.emitted = "aes-xts-plain64 " REF64 " 0 253:0 0 5 sector_size:4096 " OUTER " 8",
		.ima = IMA_LAYERS("0", "8") ",device=253:0,start=0," IMA_OPTIONS("n", "4096", "n"),
		.outer_offset = 8, .sector_size = 4096,
	},
	{
		.name = "nothing but a device of that name",
		.line = "aes-xts-plain64 " REF64 " 0 outer 0 4 " OUTER " 0",
		.ima = IMA_LAYERS("0", "0") ",device=outer,start=0," IMA_OPTIONS("n", "512", "n"),
		.sector_size = 512,
	},
};

static void double_name(const struct double_line *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(double_lines, double_lines, double_name);

static void test_double_line(struct kunit *test)
{
	const struct double_line *c = test->param_value;
	struct words *words = cut(test, new_words(test), c->line);
	struct dmsse_params params;
	struct dmsse_error err = {};
	char *out = kunit_kzalloc(test, MAX_LINE, GFP_KERNEL);
	const char *want = c->emitted ?: c->line;
	int r;

	KUNIT_ASSERT_NOT_NULL(test, out);
	r = dmsse_table_parse(&params, words->argc, words->argv, &err);
	KUNIT_ASSERT_EQ_MSG(test, r, 0, "%s", err.text);

	KUNIT_ASSERT_EQ(test, params.nr_layers, 2U);
	KUNIT_EXPECT_STREQ(test, params.layer[0].spec, "aes-xts-plain64");
	KUNIT_EXPECT_STREQ(test, params.layer[0].cipher.alg, "xts(aes)");
	KUNIT_EXPECT_EQ(test, params.layer[0].key.size, 64U);
	KUNIT_EXPECT_STREQ(test, params.layer[0].key.description, "vm:disk0");
	KUNIT_EXPECT_EQ(test, params.layer[0].iv_offset, c->inner_offset);
	KUNIT_EXPECT_STREQ(test, params.layer[1].spec, ADIANTUM);
	KUNIT_EXPECT_STREQ(test, params.layer[1].cipher.alg, "adiantum(xchacha12,aes)");
	KUNIT_EXPECT_EQ(test, params.layer[1].key.size, 32U);
	KUNIT_EXPECT_STREQ(test, params.layer[1].key.description, "vm:disk0-outer");
	KUNIT_EXPECT_EQ(test, params.layer[1].iv_offset, c->outer_offset);
	KUNIT_EXPECT_STREQ(test, params.device, words->argv[3]);
	KUNIT_EXPECT_EQ(test, params.sector_size, c->sector_size);
	KUNIT_EXPECT_EQ(test, params.flags, c->flags);

	KUNIT_EXPECT_EQ(test, dmsse_table_emit(&params, out, MAX_LINE), strlen(want));
	KUNIT_EXPECT_STREQ(test, out, want);
	KUNIT_EXPECT_EQ(test, dmsse_table_emit_ima(&params, out, MAX_LINE), strlen(c->ima));
	KUNIT_EXPECT_STREQ(test, out, c->ima);
}

/* The lease --------------------------------------------------------------- */

struct lease_line {
	const char *line;
	const char *emitted; /* NULL: as it was */
	const char *ima; /* its end */
	enum dmsse_lease_mode mode;
};

static const struct lease_line lease_lines[] = {
	{ "aes-xts-plain64 " REF64 " 0 253:0 0", NULL, ",key_lease=n", DMSSE_LEASE_NONE },
	{ "aes-xts-plain64 " REF64 " 0 253:0 0 2 key_lease error", NULL, ",key_lease=error",
	  DMSSE_LEASE_ERROR },
	{ "aes-xts-plain64 " REF64 " 0 253:0 0 2 key_lease queue", NULL, ",key_lease=queue",
	  DMSSE_LEASE_QUEUE },
	{ "aes-xts-plain64 " REF64 " 0 253:0 0 2 Key_Lease QUEUE",
	  "aes-xts-plain64 " REF64 " 0 253:0 0 2 key_lease queue", ",key_lease=queue",
	  DMSSE_LEASE_QUEUE },
	{ "aes-xts-plain64 " REF64 " 0 253:0 0 8 sector_size:512 " OUTER " 0 key_lease queue same_cpu_crypt",
	  "aes-xts-plain64 " REF64 " 0 253:0 0 7 same_cpu_crypt key_lease queue " OUTER " 0",
	  ",key_lease=queue", DMSSE_LEASE_QUEUE },
};

static void lease_name(const struct lease_line *c, char *desc)
{
	strscpy(desc, c->line, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(lease_lines, lease_lines, lease_name);

static void test_lease_line(struct kunit *test)
{
	const struct lease_line *c = test->param_value;
	struct words *words = cut(test, new_words(test), c->line);
	struct dmsse_params params;
	struct dmsse_error err = {};
	char *out = kunit_kzalloc(test, MAX_LINE, GFP_KERNEL);
	const char *want = c->emitted ?: c->line;
	size_t n;
	int r;

	KUNIT_ASSERT_NOT_NULL(test, out);
	r = dmsse_table_parse(&params, words->argc, words->argv, &err);
	KUNIT_ASSERT_EQ_MSG(test, r, 0, "%s", err.text);
	KUNIT_EXPECT_EQ(test, params.lease, c->mode);

	KUNIT_EXPECT_EQ(test, dmsse_table_emit(&params, out, MAX_LINE), strlen(want));
	KUNIT_EXPECT_STREQ(test, out, want);
	n = dmsse_table_emit_ima(&params, out, MAX_LINE);
	KUNIT_ASSERT_LT(test, strlen(c->ima), n);
	KUNIT_EXPECT_STREQ(test, out + n - strlen(c->ima), c->ima);
}

/* Too little room cuts the text; it never writes past its end. */
static void test_emit_in_small_buffers(struct kunit *test)
{
	static size_t (*const emit[])(const struct dmsse_params *, char *, size_t) = {
		dmsse_table_emit, dmsse_table_emit_ima,
	};
	struct words *words = cut(test, new_words(test),
				  "aes-xts-plain64 " REF64
				  " 8 253:0 4 6 allow_discards sector_size:4096 " OUTER " 8");
	char *full = kunit_kzalloc(test, MAX_LINE, GFP_KERNEL);
	struct dmsse_params params;
	struct dmsse_error err;
	size_t i, size, len;

	KUNIT_ASSERT_NOT_NULL(test, full);
	KUNIT_ASSERT_EQ(test, dmsse_table_parse(&params, words->argc, words->argv, &err), 0);

	for (i = 0; i < ARRAY_SIZE(emit); i++) {
		len = emit[i](&params, full, MAX_LINE);
		for (size = 1; size <= len + 1; size++) {
			/* Of its very size, so that KASAN and ASan see the byte behind. */
			char *buf = kmalloc(size, GFP_KERNEL);
			size_t n;

			KUNIT_ASSERT_NOT_NULL(test, buf);
			n = emit[i](&params, buf, size);
			KUNIT_EXPECT_EQ(test, n, size - 1);
			KUNIT_EXPECT_EQ(test, strlen(buf), n);
			KUNIT_EXPECT_EQ(test, strncmp(buf, full, n), 0);
			kfree(buf);
		}
	}
}

/* Chance ------------------------------------------------------------------ */

static char random_char(u64 *state)
{
	static const char likely[] = "0123456789:-,()aesxtplinogu_ ";

	if (test_below(state, 4))
		return likely[test_below(state, sizeof(likely) - 1)];
	return 1 + test_below(state, 255);
}

static void mutate(u64 *state, char *line, size_t size)
{
	unsigned int n = 1 + test_below(state, 4);

	while (n--) {
		size_t len = strlen(line);
		size_t at = test_below(state, len + 1);

		switch (test_below(state, 4)) {
		case 0:
			if (at < len)
				line[at] = random_char(state);
			break;
		case 1:
			if (at < len)
				memmove(line + at, line + at + 1, len - at);
			break;
		case 2:
			if (len + 1 < size) {
				memmove(line + at + 1, line + at, len - at + 1);
				line[at] = random_char(state);
			}
			break;
		case 3:
			/* A piece of the line once more. */
			if (at < len && 2 * len - at + 1 < size)
				memmove(line + len, line + at, len - at + 1);
			break;
		}
	}
}

static const char *random_start(u64 *state)
{
	switch (test_below(state, 4)) {
	case 0:
		return double_lines[test_below(state, ARRAY_SIZE(double_lines))].line;
	case 1:
		return lease_lines[test_below(state, ARRAY_SIZE(lease_lines))].line;
	default:
		return good_lines[test_below(state, ARRAY_SIZE(good_lines))].line;
	}
}

/* However few rounds there are to be: lines are cheap, and most are refused. */
#define MIN_LINES	500U

/*
 * Whatever the line: it is refused with a reason, or it means what it says
 * again after it was written and read once more.
 */
static void test_random_lines(struct kunit *test)
{
	struct words *words = new_words(test), *again = new_words(test);
	char *line = kunit_kzalloc(test, MAX_LINE, GFP_KERNEL);
	char *first = kunit_kzalloc(test, MAX_LINE, GFP_KERNEL);
	char *second = kunit_kzalloc(test, MAX_LINE, GFP_KERNEL);
	unsigned int rounds = max(dmsse_test_rounds, MIN_LINES), round, taken = 0;
	u64 state = dmsse_test_begin(test);

	KUNIT_ASSERT_NOT_NULL(test, line);
	KUNIT_ASSERT_NOT_NULL(test, first);
	KUNIT_ASSERT_NOT_NULL(test, second);

	for (round = 0; round < rounds; round++) {
		const char *start = random_start(&state);
		struct dmsse_params params;
		struct dmsse_error err = {};
		unsigned int spaces = 0;
		size_t i;
		int r;

		strscpy(line, start, MAX_LINE);
		mutate(&state, line, MAX_LINE / 2);
		for (i = 0; line[i]; i++)
			spaces += line[i] == ' ';
		if (spaces >= MAX_ARGS)
			continue;

		cut(test, words, line);
		r = dmsse_table_parse(&params, words->argc, words->argv, &err);
		if (r) {
			if ((r != -EINVAL && r != -EOPNOTSUPP) || !err.text[0] ||
			    strchr(err.text, '\n') != strchr(line, '\n'))
				KUNIT_EXPECT_TRUE_MSG(test, (r == -EINVAL || r == -EOPNOTSUPP) &&
						      err.text[0],
						      "'%s': %d '%s'", line, r, err.text);
			continue;
		}
		taken++;
		dmsse_table_emit(&params, first, MAX_LINE);
		cut(test, again, first);
		r = dmsse_table_parse(&params, again->argc, again->argv, &err);
		KUNIT_ASSERT_EQ_MSG(test, r, 0, "'%s' emitted as '%s': %s", line, first,
				    err.text);
		dmsse_table_emit(&params, second, MAX_LINE);
		KUNIT_ASSERT_STREQ(test, first, second);
	}
	/* Or the mutations would have tested refusals only. */
	KUNIT_EXPECT_GT(test, taken, rounds / 50);
}

static struct kunit_case table_cases[] = {
	KUNIT_CASE_PARAM(test_good_line, good_lines_gen_params),
	KUNIT_CASE_PARAM(test_double_line, double_lines_gen_params),
	KUNIT_CASE_PARAM(test_lease_line, lease_lines_gen_params),
	KUNIT_CASE(test_high_priority),
	KUNIT_CASE(test_ima),
	KUNIT_CASE(test_emit_in_small_buffers),
	KUNIT_CASE(test_random_lines),
	{}
};

static struct kunit_suite table_suite = {
	.name = "dmsse-table",
	.test_cases = table_cases,
};

kunit_test_suite(table_suite);
