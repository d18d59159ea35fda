// SPDX-License-Identifier: GPL-2.0-only
/* Cipher specifications: what they mean. */
#include <linux/errno.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "table.h"
#include "test.h"

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

static struct kunit_case spec_cases[] = {
	KUNIT_CASE_PARAM(test_spec, good_specs_gen_params),
	KUNIT_CASE(test_spec_length),
	{}
};

static struct kunit_suite spec_suite = {
	.name = "dmsse-spec",
	.test_cases = spec_cases,
};

kunit_test_suite(spec_suite);
