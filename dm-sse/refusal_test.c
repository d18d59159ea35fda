// SPDX-License-Identifier: GPL-2.0-only
/* Table lines that are wrong: why they are refused, and that no key stays. */
#include <linux/errno.h>
#include <linux/string.h>

#include "table.h"
#include "test_line.h"

struct bad_line {
	const char *line;
	const char *message;
	int error; /* 0: -EINVAL */
};

#define NEED_IV		"cipher needs an IV: use plain, plain64, plain64be or essiv:<hash>"
#define NEED_CAPI_IV	"cipher needs an IV: 'capi:<algorithm>-<iv>', as in 'capi:xts(aes)-plain64'"
#define LIKE_A_KEY(n)	"word " n " looks like a key: a key is a keyring reference ':<bytes>:<type>:<description>', and follows its cipher"
#define SECTOR_SIZES	"sector_size must be 512, 1024, 2048 or 4096"
#define INTEGRITY	"integrity is not supported: use dm-integrity below, or dm-crypt"
#define ARGUMENTS(n)	n " arguments where at least 5 are needed: <cipher> <key> <iv_offset> <device> <start>"
#define OUTER_WORDS	"option 'outer' has four words: outer <cipher> <key> <iv_offset>"
#define LEASE_WORDS	"option 'key_lease' has two words: key_lease <error|queue>"
#define LEASE_KEY	"key_lease needs a key that can end: a keyring reference, not '-'"
#define REST		" " REF64 " 0 253:0 0"
#define HEX32		"00112233445566778899AABBCCDDEEFF"

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

static struct kunit_case refusal_cases[] = {
	KUNIT_CASE_PARAM(test_bad_line, bad_lines_gen_params),
	KUNIT_CASE(test_key_is_wiped),
	KUNIT_CASE(test_every_key_is_wiped),
	KUNIT_CASE(test_white_space_in_reference),
	{}
};

static struct kunit_suite refusal_suite = {
	.name = "dmsse-refusal",
	.test_cases = refusal_cases,
};

kunit_test_suite(refusal_suite);
