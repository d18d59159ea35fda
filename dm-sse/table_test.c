// SPDX-License-Identifier: GPL-2.0-only
/* Table lines: what they mean, how they are written again, what is refused. */
#include <linux/errno.h>
#include <linux/moduleparam.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "compat.h"
#include "table.h"
#include "test.h"

#define MAX_ARGS	24
#define MAX_LINE	1024

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

/* A table line cut into words, as device-mapper does. */
struct words {
	char text[MAX_LINE];
	unsigned int argc;
	char *argv[MAX_ARGS];
};

static struct words *cut(struct kunit *test, struct words *words, const char *line)
{
	char *p = words->text, *word;

	KUNIT_ASSERT_LT(test, strlen(line), sizeof(words->text));
	strscpy(words->text, line, sizeof(words->text));
	words->argc = 0;
	while ((word = strsep(&p, " "))) {
		if (!*word)
			continue;
		KUNIT_ASSERT_LT(test, words->argc, (unsigned int)MAX_ARGS);
		words->argv[words->argc++] = word;
	}
	return words;
}

static struct words *new_words(struct kunit *test)
{
	struct words *words = kunit_kzalloc(test, sizeof(*words), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, words);
	return words;
}

/* Cipher specifications --------------------------------------------------- */

struct spec_case {
	const char *spec;
	const char *alg;
	enum dmsse_iv_scheme iv;
};

static const struct spec_case good_specs[] = {
	{ "aes-xts-plain64", "xts(aes)", DMSSE_IV_PLAIN64 },
	{ "aes-xts-plain", "xts(aes)", DMSSE_IV_PLAIN },
	{ "aes-xts-plain64be", "xts(aes)", DMSSE_IV_PLAIN64BE },
	{ "aes-cbc-essiv:sha256", "essiv(cbc(aes),sha256)", DMSSE_IV_ESSIV },
	{ "aes-cbc-essiv:sha512-256", "essiv(cbc(aes),sha512-256)", DMSSE_IV_ESSIV },
	{ "aes-cbc-plain64", "cbc(aes)", DMSSE_IV_PLAIN64 },
	{ "serpent-xts-plain64", "xts(serpent)", DMSSE_IV_PLAIN64 },
	{ "twofish-xts-plain64", "xts(twofish)", DMSSE_IV_PLAIN64 },
	{ "camellia-xts-plain64", "xts(camellia)", DMSSE_IV_PLAIN64 },
	{ "serpent-cbc-essiv:sha1", "essiv(cbc(serpent),sha1)", DMSSE_IV_ESSIV },
	{ "xchacha12,aes-adiantum-plain64", "adiantum(xchacha12,aes)", DMSSE_IV_PLAIN64 },
	{ "xchacha20,aes-adiantum-plain64", "adiantum(xchacha20,aes)", DMSSE_IV_PLAIN64 },
	{ "aes-ecb", "ecb(aes)", DMSSE_IV_NONE },
	{ "cipher_null-ecb", "ecb(cipher_null)", DMSSE_IV_NONE },
	/* The oldest spellings. */
	{ "aes", "cbc(aes)", DMSSE_IV_PLAIN },
	{ "aes-plain", "cbc(aes)", DMSSE_IV_PLAIN },
	{ "capi:xts(aes)-plain64", "xts(aes)", DMSSE_IV_PLAIN64 },
	{ "capi:xts(aes)-plain", "xts(aes)", DMSSE_IV_PLAIN },
	{ "capi:xts(aes)-plain64be", "xts(aes)", DMSSE_IV_PLAIN64BE },
	{ "capi:cbc(aes)-essiv:sha256", "essiv(cbc(aes),sha256)", DMSSE_IV_ESSIV },
	{ "capi:cbc(aes)-essiv:sha512-256", "essiv(cbc(aes),sha512-256)", DMSSE_IV_ESSIV },
	{ "capi:adiantum(xchacha12,aes)-plain64", "adiantum(xchacha12,aes)", DMSSE_IV_PLAIN64 },
	/* A driver's name contains dashes of its own. */
	{ "capi:xts-aes-aesni-plain64", "xts-aes-aesni", DMSSE_IV_PLAIN64 },
	{ "capi:cryptd(xts(ecb(aes-generic)))-plain64", "cryptd(xts(ecb(aes-generic)))",
	  DMSSE_IV_PLAIN64 },
};

static void spec_name(const struct spec_case *c, char *desc)
{
	strscpy(desc, c->spec, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(good_specs, good_specs, spec_name);

static void test_spec(struct kunit *test)
{
	const struct spec_case *c = test->param_value;
	struct dmsse_cipher cipher = {};
	struct dmsse_error err = {};

	KUNIT_EXPECT_EQ(test, dmsse_cipher_parse(&cipher, c->spec, &err), 0);
	KUNIT_EXPECT_STREQ(test, cipher.alg, c->alg);
	KUNIT_EXPECT_EQ(test, (int)cipher.iv, (int)c->iv);
	KUNIT_EXPECT_STREQ(test, err.text, "");
}

/* The crypto API name may fill its buffer, but not be cut. */
static void test_spec_length(struct kunit *test)
{
	char *spec = kunit_kzalloc(test, 2 * DMSSE_ALG_NAME_SIZE, GFP_KERNEL);
	unsigned int name;

	KUNIT_ASSERT_NOT_NULL(test, spec);
	for (name = DMSSE_ALG_NAME_SIZE - 8; name < DMSSE_ALG_NAME_SIZE + 8; name++) {
		struct dmsse_cipher cipher = {};
		struct dmsse_error err = {};
		bool fits = name < DMSSE_ALG_NAME_SIZE;
		int r;

		memset(spec, 'x', name);
		strscpy(spec + name, "-plain64", 16);
		memcpy(spec, "capi:", 5);
		/* "capi:" is not part of the name, so five more make it up. */
		memmove(spec + 10, spec + 5, name + 9 - 5);
		memset(spec + 5, 'y', 5);

		r = dmsse_cipher_parse(&cipher, spec, &err);
		KUNIT_EXPECT_EQ_MSG(test, r, fits ? 0 : -EINVAL, "name of %u", name);
		if (fits)
			KUNIT_EXPECT_EQ(test, strlen(cipher.alg), (size_t)name);
		else
			KUNIT_EXPECT_STREQ(test, err.text,
					   "the cipher's crypto API name is longer than 127 characters");
	}
}

/* Lines that are right ---------------------------------------------------- */

#define REF64	":64:logon:vm:disk0"

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

#define ADIANTUM	"capi:adiantum(xchacha12,aes)-plain64"
#define OUTER		"outer " ADIANTUM " :32:logon:vm:disk0-outer"

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

/* Lines that are wrong ---------------------------------------------------- */

struct bad_line {
	const char *line;
	const char *message;
	int error; /* 0: -EINVAL */
};

#define NEED_IV		"cipher needs an IV: use plain, plain64, plain64be or essiv:<hash>"
#define NEED_CAPI_IV	"cipher needs an IV: 'capi:<algorithm>-<iv>', as in 'capi:xts(aes)-plain64'"
#define NOT_A_KEY	"key must be a keyring reference ':<bytes>:<type>:<description>', a key itself is not taken"
#define LIKE_A_KEY(n)	"word " n " looks like a key: a key is a keyring reference ':<bytes>:<type>:<description>', and follows its cipher"
#define INCOMPLETE	"key reference is incomplete: use ':<bytes>:<type>:<description>'"
#define KEY_SIZE	"size in the key reference must be a number of bytes from 1 to 256"
#define KEY_TYPE	"unknown key type: use logon, user, encrypted or trusted"
#define SECTOR_SIZES	"sector_size must be 512, 1024, 2048 or 4096"
#define INTEGRITY	"integrity is not supported: use dm-integrity below, or dm-crypt"
#define ARGUMENTS(n)	n " arguments where at least 5 are needed: <cipher> <key> <iv_offset> <device> <start>"
#define OUTER_WORDS	"option 'outer' has four words: outer <cipher> <key> <iv_offset>"
#define LEASE_WORDS	"option 'key_lease' has two words: key_lease <error|queue>"
#define LEASE_KEY	"key_lease needs a key that can end: a keyring reference, not '-'"
#define REST		" " REF64 " 0 253:0 0"
#define HEX32		"00112233445566778899AABBCCDDEEFF"
#define HEX64		"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static const struct bad_line bad_lines[] = {
	{ "", ARGUMENTS("0") },
	{ "aes-xts-plain64", ARGUMENTS("1") },
	{ "aes-xts-plain64 " REF64, ARGUMENTS("2") },
	{ "aes-xts-plain64 " REF64 " 0", ARGUMENTS("3") },
	{ "aes-xts-plain64 " REF64 " 0 253:0", ARGUMENTS("4") },

	{ "aes-xts-null" REST,
	  "unknown IV 'null': use plain, plain64, plain64be or essiv:<hash>" },
	{ "aes-xts-PLAIN64" REST,
	  "unknown IV 'PLAIN64': use plain, plain64, plain64be or essiv:<hash>" },
	{ "aes-xts-plain640" REST,
	  "unknown IV 'plain640': use plain, plain64, plain64be or essiv:<hash>" },
	{ "aes-xts-plain64-x" REST,
	  "unknown IV 'plain64-x': use plain, plain64, plain64be or essiv:<hash>" },
	{ "aes-xts-benbi:4" REST,
	  "unknown IV 'benbi': use plain, plain64, plain64be or essiv:<hash>" },
	{ "aes-xts-0123456789012345678901234567890123456789" REST,
	  "unknown IV '01234567890123456789012345678901': use plain, plain64, plain64be or essiv:<hash>"
	},
	{ "capi:xts(aes)-lmk" REST,
	  "unknown IV 'lmk': use plain, plain64, plain64be or essiv:<hash>" },
	{ "capi:xts(aes)-" REST,
	  "unknown IV '': use plain, plain64, plain64be or essiv:<hash>" },
	{ "aes-cbc-essiv" REST, "IV 'essiv' needs a hash, as in 'essiv:sha256'" },
	{ "aes-cbc-essiv:" REST, "IV 'essiv' needs a hash, as in 'essiv:sha256'" },
	{ "capi:cbc(aes)-essiv" REST, "IV 'essiv' needs a hash, as in 'essiv:sha256'" },
	{ "capi:cbc(aes)-essiv:" REST, "IV 'essiv' needs a hash, as in 'essiv:sha256'" },
	{ "aes-xts-plain64:sha256" REST,
	  "IV 'plain64' takes no argument; only 'essiv:<hash>' does" },
	{ "capi:xts(aes)-plain64be:x" REST,
	  "IV 'plain64be' takes no argument; only 'essiv:<hash>' does" },
	{ "aes-xts-plain:" REST, "IV 'plain' takes no argument; only 'essiv:<hash>' does" },
	{ "aes-xts" REST, NEED_IV },
	{ "aes-xts-" REST, NEED_IV },
	{ "aes-cbc" REST, NEED_IV },
	{ "capi:xts(aes)" REST, NEED_CAPI_IV },
	{ "capi:" REST, NEED_CAPI_IV },
	{ "capi:-plain64" REST, NEED_CAPI_IV },
	{ "-xts-plain64" REST,
	  "cipher is empty: use '<cipher>-<mode>-<iv>', as in 'aes-xts-plain64'" },
	{ "aes--plain64" REST,
	  "cipher has no mode: use '<cipher>-<mode>-<iv>', as in 'aes-xts-plain64'" },
	{ "xts(aes)-plain64" REST,
	  "a crypto API name needs the prefix 'capi:', as in 'capi:xts(aes)-plain64'" },
	{ "aes:64-cbc-lmk" REST,
	  "more than one key per cipher is not supported: use '<cipher>-<mode>-<iv>'" },

	{ "aes-xts-plain64 " HEX64 " 0 253:0 0", NOT_A_KEY },
	{ "aes-xts-plain64 deadbeef 0 253:0 0", NOT_A_KEY },
	{ "aes-xts-plain64 64:logon:vm:disk0 0 253:0 0", NOT_A_KEY },
	{ "aes-xts-plain64 -- 0 253:0 0", NOT_A_KEY },
	/* However short or wrong the rest is: the key is looked at first. */
	{ "aes-xts-plain64 " HEX64, NOT_A_KEY },
	{ "nonsense " HEX64 " x y z", NOT_A_KEY },
	/* Where it is for want of a word, or of one too many. */
	{ HEX64 " 0 253:0 0", NOT_A_KEY },
	{ HEX64 " " REF64 " 0 253:0 0", LIKE_A_KEY("1") },
	{ "aes-xts-plain64 " REF64 " " HEX64 " 253:0 0", LIKE_A_KEY("3") },
	{ "aes-xts-plain64" REST " 3 outer " HEX64 " 0", "outer layer: " NOT_A_KEY },
	{ "aes-xts-plain64" REST " 1 " HEX32, LIKE_A_KEY("7") },
	{ "aes-xts-plain64 : 0 253:0 0", INCOMPLETE },
	{ "aes-xts-plain64 :64 0 253:0 0", INCOMPLETE },
	{ "aes-xts-plain64 :64:logon 0 253:0 0", INCOMPLETE },
	{ "aes-xts-plain64 :64:logon: 0 253:0 0",
	  "key reference has no description: use ':<bytes>:<type>:<description>'" },
	{ "aes-xts-plain64 ::logon:vm:d 0 253:0 0", KEY_SIZE },
	{ "aes-xts-plain64 :0:logon:vm:d 0 253:0 0", KEY_SIZE },
	{ "aes-xts-plain64 :-1:logon:vm:d 0 253:0 0", KEY_SIZE },
	{ "aes-xts-plain64 :+64:logon:vm:d 0 253:0 0", KEY_SIZE },
	{ "aes-xts-plain64 :0x40:logon:vm:d 0 253:0 0", KEY_SIZE },
	{ "aes-xts-plain64 :257:logon:vm:d 0 253:0 0", KEY_SIZE },
	/* 2^64 + 64 and 2^32 + 64 */
	{ "aes-xts-plain64 :18446744073709551680:logon:vm:d 0 253:0 0", KEY_SIZE },
	{ "aes-xts-plain64 :4294967360:logon:vm:d 0 253:0 0", KEY_SIZE },
	{ "aes-xts-plain64 :64::vm:d 0 253:0 0", KEY_TYPE },
	{ "aes-xts-plain64 :64:LOGON:vm:d 0 253:0 0", KEY_TYPE },
	{ "aes-xts-plain64 :64:logo:vm:d 0 253:0 0", KEY_TYPE },
	{ "aes-xts-plain64 :64:logons:vm:d 0 253:0 0", KEY_TYPE },
	{ "aes-xts-plain64 :64:asymmetric:vm:d 0 253:0 0", KEY_TYPE },

	{ "aes-xts-plain64 " REF64 " x 253:0 0",
	  "iv_offset must be a number of 512-byte sectors, not 'x'" },
	{ "aes-xts-plain64 " REF64 " -1 253:0 0",
	  "iv_offset must be a number of 512-byte sectors, not '-1'" },
	{ "aes-xts-plain64 " REF64 " 1s 253:0 0",
	  "iv_offset must be a number of 512-byte sectors, not '1s'" },
	{ "aes-xts-plain64 " REF64 " 18446744073709551616 253:0 0",
	  "iv_offset must be a number of 512-byte sectors, not '18446744073709551616'" },
	{ "aes-xts-plain64 " REF64 " 0 253:0 x",
	  "start must be a number of 512-byte sectors, not 'x'" },
	{ "aes-xts-plain64 " REF64 " 0 253:0 0x10",
	  "start must be a number of 512-byte sectors, not '0x10'" },
	{ "aes-xts-plain64 " REF64 " 0 253:0 99999999999999999999",
	  "start must be a number of 512-byte sectors, not '99999999999999999999'" },

	{ "aes-xts-plain64" REST " allow_discards",
	  "number of options expected after <start>, not 'allow_discards'" },
	{ "aes-xts-plain64" REST " 1", "option count is 1 but 0 options follow" },
	{ "aes-xts-plain64" REST " 2 allow_discards", "option count is 2 but 1 options follow" },
	{ "aes-xts-plain64" REST " 0 allow_discards", "option count is 0 but 1 options follow" },
	{ "aes-xts-plain64" REST " 1 allow_discards same_cpu_crypt",
	  "option count is 1 but 2 options follow" },
	{ "aes-xts-plain64" REST " 1 -1", "unknown option '-1'" },
	{ "aes-xts-plain64" REST " 1 allow_discard", "unknown option 'allow_discard'" },
	{ "aes-xts-plain64" REST " 1 allow_discardss", "unknown option 'allow_discardss'" },
	{ "aes-xts-plain64" REST " 1 allow_discards:1", "unknown option 'allow_discards:1'" },
	{ "aes-xts-plain64" REST " 1 sector_size", "unknown option 'sector_size'" },
	{ "aes-xts-plain64" REST
	  " 1 x123456789012345678901234567890123456789012345678901234567890123",
	  "unknown option 'x12345678901234567890123456789012345678901234567'" },
	{ "aes-xts-plain64" REST " 2 allow_discards allow_discards",
	  "option 'allow_discards' is given twice" },
	{ "aes-xts-plain64" REST " 2 sector_size:4096 sector_size:4096",
	  "option 'sector_size' is given twice" },
	{ "aes-xts-plain64" REST " 2 allow_discards ALLOW_DISCARDS",
	  "option 'allow_discards' is given twice" },
	{ "aes-xts-plain64" REST " 1 sector_size:", SECTOR_SIZES },
	{ "aes-xts-plain64" REST " 1 sector_size:0", SECTOR_SIZES },
	{ "aes-xts-plain64" REST " 1 sector_size:256", SECTOR_SIZES },
	{ "aes-xts-plain64" REST " 1 sector_size:513", SECTOR_SIZES },
	{ "aes-xts-plain64" REST " 1 sector_size:3072", SECTOR_SIZES },
	{ "aes-xts-plain64" REST " 1 sector_size:8192", SECTOR_SIZES },
	{ "aes-xts-plain64" REST " 1 sector_size:-512", SECTOR_SIZES },
	/* 2^32 + 512 */
	{ "aes-xts-plain64" REST " 1 sector_size:4294967808", SECTOR_SIZES },
	{ "aes-xts-plain64" REST " 1 sector_size:4096k", SECTOR_SIZES },
	{ "aes-xts-plain64" REST " 1 iv_large_sectors",
	  "iv_large_sectors needs sector_size:1024, 2048 or 4096" },
	{ "aes-xts-plain64" REST " 2 iv_large_sectors sector_size:512",
	  "iv_large_sectors needs sector_size:1024, 2048 or 4096" },
	{ "aes-xts-plain64 " REF64 " 1 253:0 0 1 sector_size:1024",
	  "iv_offset 1 must be a multiple of 2, the 512-byte sectors in sector_size:1024" },
	{ "aes-xts-plain64 " REF64 " 2 253:0 0 1 sector_size:2048",
	  "iv_offset 2 must be a multiple of 4, the 512-byte sectors in sector_size:2048" },
	{ "aes-xts-plain64 " REF64 " 4 253:0 0 1 sector_size:4096",
	  "iv_offset 4 must be a multiple of 8, the 512-byte sectors in sector_size:4096" },
	{ "aes-xts-plain64" REST " 1 integrity:16:none", INTEGRITY, -EOPNOTSUPP },
	{ "aes-xts-plain64" REST " 1 integrity:28:aead", INTEGRITY, -EOPNOTSUPP },
	{ "aes-xts-plain64" REST " 1 integrity_key_size:32", INTEGRITY, -EOPNOTSUPP },

	{ "aes-xts-plain64" REST " 1 key_lease", LEASE_WORDS },
	{ "aes-xts-plain64" REST " 3 allow_discards sector_size:512 key_lease", LEASE_WORDS },
	{ "aes-xts-plain64" REST " 2 key_lease wait",
	  "key_lease must be error or queue, not 'wait'" },
	{ "aes-xts-plain64" REST " 2 key_lease n", "key_lease must be error or queue, not 'n'" },
	{ "aes-xts-plain64" REST " 2 key_lease allow_discards",
	  "key_lease must be error or queue, not 'allow_discards'" },
	{ "aes-xts-plain64" REST " 2 key_lease errors",
	  "key_lease must be error or queue, not 'errors'" },
	{ "aes-xts-plain64" REST " 1 key_lease:error", "unknown option 'key_lease:error'" },
	{ "aes-xts-plain64" REST " 1 queue", "unknown option 'queue'" },
	{ "aes-xts-plain64" REST " 1 key_lease error", "option count is 1 but 2 options follow" },
	{ "aes-xts-plain64" REST " 3 key_lease error", "option count is 3 but 2 options follow" },
	{ "aes-xts-plain64" REST " 4 key_lease error key_lease queue",
	  "option 'key_lease' is given twice" },
	{ "aes-xts-plain64" REST " 4 key_lease error key_lease error",
	  "option 'key_lease' is given twice" },
	{ "cipher_null-ecb - 0 253:0 0 2 key_lease error", LEASE_KEY },
	{ "aes-xts-plain64" REST " 6 key_lease error outer " ADIANTUM " - 0",
	  "outer layer: " LEASE_KEY },

	{ "aes-xts-plain64" REST " 1 allow_same_cipher",
	  "allow_same_cipher needs a second layer: outer <cipher> <key> <iv_offset>" },
	{ "aes-xts-plain64" REST " 1 outer", OUTER_WORDS },
	{ "aes-xts-plain64" REST " 2 outer " ADIANTUM, OUTER_WORDS },
	{ "aes-xts-plain64" REST " 3 " OUTER, OUTER_WORDS },
	{ "aes-xts-plain64" REST " 5 " OUTER " 0", "option count is 5 but 4 options follow" },
	{ "aes-xts-plain64" REST " 1 " OUTER " 0", "option count is 1 but 4 options follow" },
	{ "aes-xts-plain64" REST " " OUTER " 0",
	  "number of options expected after <start>, not 'outer'" },
	{ "aes-xts-plain64" REST " 1 inner", "unknown option 'inner'" },
	{ "aes-xts-plain64" REST " 1 outer:1", "unknown option 'outer:1'" },
	{ "aes-xts-plain64" REST " 5 " OUTER " 0 0", "unknown option '0'" },
	{ "aes-xts-plain64" REST " 8 " OUTER " 0 " OUTER " 0", "option 'outer' is given twice" },
	{ "aes-xts-plain64" REST " 4 outer " ADIANTUM " " HEX64 " 0", "outer layer: " NOT_A_KEY },
	{ "aes-xts-plain64" REST " 3 outer " ADIANTUM " " HEX64, "outer layer: " NOT_A_KEY },
	{ "aes-xts-plain64" REST " 4 outer :32:logon:vm:d " ADIANTUM " 0",
	  "outer layer: " NOT_A_KEY },
	{ "aes-xts-plain64" REST " 4 outer " ADIANTUM " :32:logon 0", "outer layer: " INCOMPLETE },
	{ "aes-xts-plain64" REST " 4 outer " ADIANTUM " :0:logon:vm:d 0",
	  "outer layer: " KEY_SIZE },
	{ "aes-xts-plain64" REST " 4 outer " ADIANTUM " :32:key:vm:d 0", "outer layer: " KEY_TYPE },
	{ "aes-xts-plain64" REST " 4 outer aes-xts :64:logon:vm:d 0", "outer layer: " NEED_IV },
	{ "aes-xts-plain64" REST " 4 outer aes-xts-plain65 :64:logon:vm:d 0",
	  "outer layer: unknown IV 'plain65': use plain, plain64, plain64be or essiv:<hash>" },
	{ "aes-xts-plain64" REST " 4 " OUTER " x",
	  "outer layer: iv_offset must be a number of 512-byte sectors, not 'x'" },
	{ "aes-xts-plain64" REST " 4 " OUTER " -8",
	  "outer layer: iv_offset must be a number of 512-byte sectors, not '-8'" },
	{ "aes-xts-plain64" REST " 5 " OUTER " 4 sector_size:4096",
	  "outer layer: iv_offset 4 must be a multiple of 8, the 512-byte sectors in sector_size:4096"
	},
	{ "aes-xts-plain64 " REF64 " 1 253:0 0 5 sector_size:1024 " OUTER " 2",
	  "inner layer: iv_offset 1 must be a multiple of 2, the 512-byte sectors in sector_size:1024"
	},
	{ "aes-xts-plain64 :64:logon 0 253:0 0 4 " OUTER " 0", "inner layer: " INCOMPLETE },
	{ "aes-xts-plain64 " HEX64 " 0 253:0 0 4 outer " ADIANTUM " " HEX64 " 0",
	  "inner layer: " NOT_A_KEY },
	{ "aes-xts" REST " 4 " OUTER " 0", "inner layer: " NEED_IV },
	{ "aes-xts-plain64 " REF64 " z 253:0 0 4 " OUTER " 0",
	  "inner layer: iv_offset must be a number of 512-byte sectors, not 'z'" },
};

static void bad_name(const struct bad_line *c, char *desc)
{
	/* The last word is what is wrong in most; it need not be unique. */
	const char *tail = c->line + strlen(c->line);

	if (strlen(c->line) > 60)
		tail -= 60;
	else
		tail = c->line;
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s", *tail ? tail : "empty");
	/* KTAP would take it for a directive. */
	strreplace(desc, '#', '%');
}

KUNIT_ARRAY_PARAM(bad_lines, bad_lines, bad_name);

static void test_bad_line(struct kunit *test)
{
	const struct bad_line *c = test->param_value;
	struct words *words = cut(test, new_words(test), c->line);
	struct dmsse_params params;
	struct dmsse_error err = {};
	int r;

	r = dmsse_table_parse(&params, words->argc, words->argv, &err);
	KUNIT_EXPECT_EQ(test, r, c->error ?: -EINVAL);
	KUNIT_EXPECT_STREQ(test, err.text, c->message);
}

/* A key in the line is neither quoted nor left in memory. */
static void test_key_is_wiped(struct kunit *test)
{
	static const char * const rest[] = { "", " 0 253:0 0", " x y z", " 0 253:0 0 9 x" };
	struct words *words = new_words(test);
	size_t i, len = strlen(HEX64);

	for (i = 0; i < ARRAY_SIZE(rest); i++) {
		struct dmsse_params params;
		struct dmsse_error err = {};
		char line[160];

		snprintf(line, sizeof(line), "aes-xts-plain64 %s%s", HEX64, rest[i]);
		cut(test, words, line);
		KUNIT_EXPECT_EQ(test, dmsse_table_parse(&params, words->argc, words->argv, &err),
				-EINVAL);
		KUNIT_EXPECT_NULL(test, memchr_inv(words->argv[1], 0, len));
		KUNIT_EXPECT_NULL(test, strstr(err.text, "0011"));
		/* Nothing but the key. */
		KUNIT_EXPECT_STREQ(test, words->argv[0], "aes-xts-plain64");
		if (words->argc > 2)
			KUNIT_EXPECT_TRUE(test, *words->argv[2] != '\0');
	}
}

/* Wherever a key is: none of several mistakes keeps it from being wiped. */
static void test_every_key_is_wiped(struct kunit *test)
{
	static const struct {
		const char *line;
		unsigned int key[2]; /* words that are keys; 0: none */
	} lines[] = {
		{ "aes-xts-plain64 " REF64 " 0 253:0 0 4 outer x " HEX64 " 0", { 8 } },
		{ "aes-xts-plain64 " HEX64 " 0 253:0 0 4 outer x " HEX64 " 0", { 1, 8 } },
		{ "nonsense " HEX64 " x y z nonsense outer x " HEX64, { 1, 8 } },
		{ "aes-xts-plain64 " REF64 " 0 253:0 0 outer x " HEX64 " 0", { 7 } },
		{ "aes-xts-plain64 " REF64 " 0 253:0 0 1 allow_nothing OUTER x " HEX64, { 9 } },
		{ "x " HEX64 " 0 253:0 0 8 " OUTER " 0 outer x " HEX64 " 0", { 1, 12 } },
		{ "aes-xts-plain64 " REF64 " " HEX64 " 0 253:0 0 3 outer " HEX64 " 0", { 2, 8 } },
	};
	struct words *words = new_words(test);
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(lines); i++) {
		struct dmsse_params params;
		struct dmsse_error err = {};

		cut(test, words, lines[i].line);
		KUNIT_EXPECT_EQ(test, dmsse_table_parse(&params, words->argc, words->argv, &err),
				-EINVAL);
		KUNIT_EXPECT_NULL(test, strstr(err.text, "0011"));
		for (j = 0; j < ARRAY_SIZE(lines[i].key) && lines[i].key[j]; j++)
			KUNIT_EXPECT_NULL_MSG(test, memchr_inv(words->argv[lines[i].key[j]], 0,
							       strlen(HEX64)),
					      "line %zu, word %u", i, lines[i].key[j]);
	}
}

/* Messages ---------------------------------------------------------------- */

struct message_case {
	const char *text;
	const char *message; /* NULL: it is right */
	unsigned int nr_layers;
	bool set;
	unsigned int first;
	unsigned int nr;
};

#define UNKNOWN		"unknown message: use 'key set [<layer>] <reference>' or 'key wipe [<layer>]'"
#define WHICH		"which layer? Use 'key set inner <reference>' or 'key set outer <reference>'"
#define NO_OUTER	"this device has no outer layer: its only one is inner"
#define NO_LAYER	"unknown layer: use inner or outer"

static const struct message_case messages[] = {
	{ "key set " REF64, NULL, 1, true, 0, 1 },
	{ "KEY SET " REF64, NULL, 1, true, 0, 1 },
	{ "key set inner " REF64, NULL, 1, true, 0, 1 },
	{ "key set inner " REF64, NULL, 2, true, 0, 1 },
	{ "key set outer " REF64, NULL, 2, true, 1, 1 },
	{ "key set Outer " REF64, NULL, 2, true, 1, 1 },
	{ "key wipe", NULL, 1, false, 0, 1 },
	{ "key wipe", NULL, 2, false, 0, 2 },
	{ "key wipe inner", NULL, 1, false, 0, 1 },
	{ "key wipe inner", NULL, 2, false, 0, 1 },
	{ "key wipe outer", NULL, 2, false, 1, 1 },
	{ "", UNKNOWN, 2 },
	{ "key", UNKNOWN, 2 },
	{ "set", UNKNOWN, 2 },
	{ "key set", UNKNOWN, 2 },
	{ "key get inner", UNKNOWN, 2 },
	{ "keys wipe", UNKNOWN, 2 },
	{ "key set inner " REF64 " outer", UNKNOWN, 2 },
	{ "key set inner " REF64 " outer " REF64, UNKNOWN, 2 },
	{ "key wipe inner outer", UNKNOWN, 2 },
	{ "wipe key inner", UNKNOWN, 2 },
	{ "key set inner " HEX64 " outer", UNKNOWN, 2 },
	{ "key get " HEX64, UNKNOWN, 1 },
	{ HEX64, UNKNOWN, 1 },
	{ "key set " REF64, WHICH, 2 },
	{ "key set outer " REF64, NO_OUTER, 1 },
	{ "key wipe outer", NO_OUTER, 1 },
	{ "key set middle " REF64, NO_LAYER, 2 },
	{ "key set 0 " REF64, NO_LAYER, 2 },
	{ "key set inne " REF64, NO_LAYER, 2 },
	{ "key set innermost " REF64, NO_LAYER, 2 },
	{ "key set " REF64 " inner", NO_LAYER, 2 },
	{ "key wipe both", NO_LAYER, 2 },
	{ "key wipe now", NO_LAYER, 1 },
	{ "key set inner", NOT_A_KEY, 2 },
	{ "key set outer " HEX64, NOT_A_KEY, 2 },
	{ "key set " HEX64, NOT_A_KEY, 2 },
	{ "key set " HEX64, NOT_A_KEY, 1 },
	{ "key set inner :64:logon", INCOMPLETE, 2 },
	{ "key set outer :x:logon:vm:d", KEY_SIZE, 2 },
	{ "key set outer :32:key:vm:d", KEY_TYPE, 2 },
	{ "key wipe " HEX64, NO_LAYER, 2 },
	{ "key set " HEX64 " " HEX64, NO_LAYER, 2 },
};

static void message_name(const struct message_case *c, char *desc)
{
	/* KUnit cuts what is too long. */
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%u layers: %s", c->nr_layers, c->text);
}

KUNIT_ARRAY_PARAM(messages, messages, message_name);

static void test_message(struct kunit *test)
{
	const struct message_case *c = test->param_value;
	struct words *words = cut(test, new_words(test), c->text);
	struct dmsse_message message;
	struct dmsse_error err = {};
	unsigned int i;
	int r;

	r = dmsse_message_parse(&message, c->nr_layers, words->argc, words->argv, &err);
	KUNIT_EXPECT_EQ(test, r, c->message ? -EINVAL : 0);
	KUNIT_EXPECT_STREQ(test, err.text, c->message ?: "");
	for (i = 0; i < words->argc; i++)
		KUNIT_EXPECT_NULL(test, strstr(words->argv[i], HEX64));
	if (c->message)
		return;
	KUNIT_EXPECT_EQ(test, message.set, c->set);
	KUNIT_EXPECT_EQ(test, message.first, c->first);
	KUNIT_EXPECT_EQ(test, message.nr, c->nr);
	if (c->set)
		KUNIT_EXPECT_STREQ(test, message.ref.description, "vm:disk0");
}

static void test_error_names_layer(struct kunit *test)
{
	struct dmsse_error err;
	size_t size = sizeof(err.text);

	dmsse_err(&err, "x");
	dmsse_err_layer(&err, 1, 0);
	KUNIT_EXPECT_STREQ(test, err.text, "x");
	dmsse_err_layer(&err, 2, 1);
	KUNIT_EXPECT_STREQ(test, err.text, "outer layer: x");

	/* A text that fills its room is cut, and still ends. */
	memset(err.text, 'x', size - 1);
	err.text[size - 1] = '\0';
	dmsse_err_layer(&err, 2, 0);
	KUNIT_EXPECT_EQ(test, strnlen(err.text, size), size - 1);
	KUNIT_EXPECT_EQ(test, strncmp(err.text, "inner layer: xxx", 16), 0);
}

static void test_white_space_in_reference(struct kunit *test)
{
	static const char * const refs[] = {
		":64:logon:vm: d", ":64:logon:vm:d\n", ":64:user:\t", ":64:log on:vm:d",
		":64:logon:vm:\\d", ":64:user:\\",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(refs); i++) {
		struct dmsse_key_ref ref;
		struct dmsse_error err = {};
		char text[32];

		strscpy(text, refs[i], sizeof(text));
		KUNIT_EXPECT_EQ(test, dmsse_key_ref_parse(&ref, text, &err), -EINVAL);
		KUNIT_EXPECT_STREQ(test, err.text,
				   "key reference contains white space or a backslash; rename the key");
	}
}

static void test_error_text_is_cut(struct kunit *test)
{
	struct dmsse_error err;
	size_t size = sizeof(err.text);
	char *text = kunit_kzalloc(test, 2 * size, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, text);
	memset(text, 'x', 2 * size - 1);
	dmsse_err(&err, "%s", text);
	KUNIT_EXPECT_EQ(test, strnlen(err.text, size), size - 1);
}

/* A word of a line must not look like a line of the log. */
static void test_error_text_is_one_line(struct kunit *test)
{
	struct dmsse_error err;

	dmsse_err(&err, "unknown option '%s'", "a\nBUG: b\x1b[2J\x7f\t\xc3\xa9");
	KUNIT_EXPECT_STREQ(test, err.text, "unknown option 'a?BUG: b?[2J??\xc3\xa9'");
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
	unsigned int round, taken = 0;
	u64 state = dmsse_test_begin(test);

	KUNIT_ASSERT_NOT_NULL(test, line);
	KUNIT_ASSERT_NOT_NULL(test, first);
	KUNIT_ASSERT_NOT_NULL(test, second);

	for (round = 0; round < dmsse_test_rounds; round++) {
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
	KUNIT_EXPECT_GT(test, taken, dmsse_test_rounds / 50);
}

static struct kunit_case table_cases[] = {
	KUNIT_CASE_PARAM(test_spec, good_specs_gen_params),
	KUNIT_CASE(test_spec_length),
	KUNIT_CASE_PARAM(test_good_line, good_lines_gen_params),
	KUNIT_CASE_PARAM(test_double_line, double_lines_gen_params),
	KUNIT_CASE_PARAM(test_lease_line, lease_lines_gen_params),
	KUNIT_CASE(test_high_priority),
	KUNIT_CASE(test_ima),
	KUNIT_CASE(test_emit_in_small_buffers),
	KUNIT_CASE_PARAM(test_bad_line, bad_lines_gen_params),
	KUNIT_CASE(test_key_is_wiped),
	KUNIT_CASE(test_every_key_is_wiped),
	KUNIT_CASE_PARAM(test_message, messages_gen_params),
	KUNIT_CASE(test_error_names_layer),
	KUNIT_CASE(test_white_space_in_reference),
	KUNIT_CASE(test_error_text_is_cut),
	KUNIT_CASE(test_error_text_is_one_line),
	KUNIT_CASE(test_random_lines),
	{}
};

static struct kunit_suite table_suite = {
	.name = "dmsse-table",
	.test_cases = table_cases,
};

kunit_test_suite(table_suite);
