// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs of sectors over every layout of memory, against a reference that shares
 * no code with what is tested. And a cipher of our own, whose requests fail or
 * complete when and as a test wants.
 */
#include "test_rig.h"

#include <linux/slab.h>

/* Running ------------------------------------------------------------------- */

/* So late that no other rig is in the way: tests run one after the other. */
static struct rig *running;

static void on_resume(struct dmsse_crypt *crypt)
{
	struct rig *rig = running;

	/* Whoever resumes owns the run and may move it elsewhere at once. */
	if (crypt == rig->crypt) {
		void *old = rig->crypt_memory;

		rig->crypt_memory = kmemdup(crypt, rig->stack.crypt_size, GFP_ATOMIC);
		rig->crypt = rig->crypt_memory;
		kfree(old);
	}
	rig->resumes++;
	complete(&rig->resumed);
}

/* To the end, as io.c does it: first without sleeping, if asked to. */
static int run_to_end(struct rig *rig, bool may_sleep)
{
	int r;

	running = rig;
	rig->resumes = 0;
	reinit_completion(&rig->resumed);

	r = dmsse_crypt_run(rig->crypt, may_sleep);
	if (may_sleep)
		return r;
	if (r == -EINPROGRESS) {
		if (!wait_for_completion_timeout(&rig->resumed, 30 * HZ))
			return -ETIMEDOUT;
		if (!rig->crypt)
			return -ENOMEM;
		return dmsse_crypt_run(rig->crypt, true);
	}
	if (r == -EAGAIN)
		return dmsse_crypt_run(rig->crypt, true);
	return r;
}

static bool prepare(struct rig *rig, const struct arena *from, const struct arena *to,
		    u64 sector, unsigned int size, bool encrypt, unsigned int shift)
{
	if (!dmsse_rig_new_crypt(rig, shift))
		return false;
	memset(rig->crypt, 0x5a, rig->stack.crypt_size);
	dmsse_crypt_init(rig->crypt, &rig->stack, sector, encrypt);
	rig->crypt->resume = on_resume;
	rig->crypt->src = dmsse_arena_span(from, size);
	rig->crypt->dst = dmsse_arena_span(to, size);
	return true;
}

static void random_run(struct kunit *test, struct rig *rig, struct arena *src, struct arena *dst,
		       u8 *linear, u64 *state)
{
	unsigned int sector_size = rig->config->sector_size;
	unsigned int unit = sector_size / 512, size, lead;
	u64 before = *state, sector = dmsse_rig_sector(state, unit);
	bool encrypt = test_below(state, 2), in_place = test_below(state, 2);
	bool may_sleep = test_below(state, 2);
	struct arena *to = in_place ? src : dst;
	enum layout src_layout, dst_layout;
	int r;

	/* Mostly short runs: they have as many ends as long ones. */
	size = sector_size * (1 + test_below(state, test_below(state, 8) ? 6 :
					     MAX_RUN / sector_size));
	do {
		src_layout = test_below(state, NR_LAYOUTS);
		lead = test_below(state, 2) ? test_below(state, 3000) : 0;
	} while (!dmsse_arena_lay_out(state, src, src_layout, lead, size));
	do {
		dst_layout = test_below(state, NR_LAYOUTS);
		lead = test_below(state, 2) ? test_below(state, 3000) : 0;
	} while (!dmsse_arena_lay_out(state, dst, dst_layout, lead, size));

	dmsse_arena_copy(src, src->data, linear, size, false);
	KUNIT_ASSERT_EQ(test, dmsse_ref_crypt(rig, sector, linear, size, encrypt), 0);
	memcpy(src->expected, src->data, ARENA_SIZE);
	memcpy(dst->expected, dst->data, ARENA_SIZE);
	dmsse_arena_copy(to, to->expected, linear, size, true);

	KUNIT_ASSERT_TRUE(test, prepare(rig, src, to, sector, size, encrypt,
					8 * test_below(state, 8)));
	r = run_to_end(rig, may_sleep);

	KUNIT_EXPECT_EQ(test, dmsse_crypt_left(rig->crypt), 0U);
	KUNIT_EXPECT_EQ(test, rig->crypt->dst.iter.bi_size, rig->crypt->done);
	KUNIT_EXPECT_EQ(test, rig->crypt->sector, sector + size / 512);
	if (r || memcmp(src->data, src->expected, ARENA_SIZE) ||
	    memcmp(dst->data, dst->expected, ARENA_SIZE))
		KUNIT_FAIL(test, "state %llu: %u at sector %llu, layouts %d, %d, lead %u, %u, %s%s: %d, %s",
			   before, size, sector, src_layout, dst_layout, src->lead, dst->lead,
			   encrypt ? "encrypt" : "decrypt", in_place ? " in place" : "", r,
			   memcmp(to->data, to->expected, ARENA_SIZE) ? "wrong result" :
			   "source damaged or error");
}

static const struct rig_config configs[] = {
	{ "xts 512", "aes-xts-plain64", "xts(aes)", REF_LE64, 64, 512 },
	{ "xts 1024", "aes-xts-plain64", "xts(aes)", REF_LE64, 32, 1024 },
	{ "xts 2048", "aes-xts-plain64", "xts(aes)", REF_LE64, 64, 2048 },
	{ "xts 4096", "aes-xts-plain64", "xts(aes)", REF_LE64, 64, 4096 },
	{ "xts 1024 large", "aes-xts-plain64", "xts(aes)", REF_LE64, 64, 1024, true },
	{ "xts 4096 large", "capi:xts(aes)-plain64", "xts(aes)", REF_LE64, 64, 4096, true },
	{ "xts plain", "aes-xts-plain", "xts(aes)", REF_LE32, 64, 512 },
	{ "xts plain64be", "aes-xts-plain64be", "xts(aes)", REF_BE64, 64, 4096 },
	{ "cbc essiv 512", "aes-cbc-essiv:sha256", "cbc(aes)", REF_ESSIV, 32, 512 },
	{ "cbc essiv 4096", "capi:cbc(aes)-essiv:sha256", "cbc(aes)", REF_ESSIV, 16, 4096 },
	{ "adiantum 512", "xchacha12,aes-adiantum-plain64", "adiantum(xchacha12,aes)",
	  REF_LE64, 32, 512 },
	{ "adiantum 4096", "capi:adiantum(xchacha12,aes)-plain64", "adiantum(xchacha12,aes)",
	  REF_LE64, 32, 4096 },
	{ "serpent", "serpent-xts-plain64", "xts(serpent)", REF_LE64, 64, 512 },
	{ "twofish", "twofish-xts-plain64", "xts(twofish)", REF_LE64, 64, 4096 },
	{ "camellia", "camellia-xts-plain64", "xts(camellia)", REF_LE64, 64, 512 },
	{ "cryptd 512", "capi:cryptd(xts(ecb(aes-generic)))-plain64", "xts(aes)",
	  REF_LE64, 64, 512 },
	{ "cryptd 4096", "capi:cryptd(xts(ecb(aes-generic)))-plain64", "xts(aes)",
	  REF_LE64, 64, 4096 },
};

static void config_name(const struct rig_config *config, char *desc)
{
	strscpy(desc, config->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(configs, configs, config_name);

static const struct rig_pair pairs[] = {
	{ "xts, adiantum 512", 512, false, &dmsse_rig_xts, &dmsse_rig_adiantum },
	{ "xts, adiantum 4096", 4096, false, &dmsse_rig_xts, &dmsse_rig_adiantum },
	{ "adiantum, xts 4096 large", 4096, true, &dmsse_rig_adiantum, &dmsse_rig_xts },
	{ "xts, cbc essiv 4096", 4096, false, &dmsse_rig_xts, &dmsse_rig_essiv },
	{ "cbc essiv, serpent 512", 512, false, &dmsse_rig_essiv, &dmsse_rig_serpent_be },
	{ "serpent, xts plain 2048 large", 2048, true, &dmsse_rig_serpent_be, &dmsse_rig_xts_32 },
	{ "xts twice 1024", 1024, false, &dmsse_rig_xts, &dmsse_rig_xts_32 },
	{ "cryptd, adiantum 4096", 4096, false, &dmsse_rig_xts_cryptd, &dmsse_rig_adiantum },
	{ "adiantum, cryptd 4096", 4096, false, &dmsse_rig_adiantum, &dmsse_rig_xts_cryptd },
	{ "cryptd, cryptd 512", 512, false, &dmsse_rig_xts_cryptd, &dmsse_rig_cbc_cryptd },
};

static void pair_name(const struct rig_pair *pair, char *desc)
{
	strscpy(desc, pair->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(pairs, pairs, pair_name);

static u64 random_offset(u64 *state, unsigned int unit)
{
	return test_below(state, 2) ? dmsse_rig_sector(state, unit) :
		test_random(state) & ~(u64)(unit - 1);
}

static void random_runs(struct kunit *test, const struct rig_config *config)
{
	u64 state = dmsse_test_begin(test);
	u64 unit = config->sector_size / 512;
	unsigned int rounds = dmsse_test_rounds / 8, round;
	struct arena *src = dmsse_arena_new(test, &state), *dst = dmsse_arena_new(test, &state);
	u8 *linear = kunit_kzalloc(test, MAX_RUN, GFP_KERNEL);
	u64 inner_offset = random_offset(&state, unit), outer_offset = random_offset(&state, unit);
	struct rig *rig = dmsse_rig_create(test, config, inner_offset, outer_offset, &state);

	KUNIT_ASSERT_NOT_NULL(test, linear);
	for (round = 0; round < rounds; round++) {
		random_run(test, rig, src, dst, linear, &state);
		if (test->status == KUNIT_FAILURE)
			break;
		cond_resched();
	}
}

static void test_layouts(struct kunit *test)
{
	random_runs(test, test->param_value);
}

static void test_pair_layouts(struct kunit *test)
{
	random_runs(test, dmsse_rig_config(test, test->param_value));
}

/*
 * Each layer has its own offset: runs that cross, in one layer and not in the
 * other, where an IV's 32 bits or 64 bits are full.
 */
static void test_pair_offsets(struct kunit *test)
{
	static const u64 offsets[] = {
		0, (1ULL << 32) - 3, 1ULL << 32, (1ULL << 63) - 4, -5ULL, -1ULL,
	};
	static const struct rig_pair crossing[] = {
		{ "plain64, plain64be", 512, false, &dmsse_rig_xts, &dmsse_rig_serpent_be },
		{ "plain64be, plain", 512, false, &dmsse_rig_serpent_be, &dmsse_rig_xts_32 },
	};
	u64 state = dmsse_test_seed ?: 1;
	struct arena *src = dmsse_arena_new(test, &state), *dst = dmsse_arena_new(test, &state);
	unsigned int i, size = 10 * 512;
	u8 *linear = kunit_kzalloc(test, size, GFP_KERNEL);
	u8 *got = kunit_kzalloc(test, size, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, linear);
	KUNIT_ASSERT_NOT_NULL(test, got);
	KUNIT_ASSERT_TRUE(test, dmsse_arena_lay_out(&state, src, PAGES, 0, size));
	KUNIT_ASSERT_TRUE(test, dmsse_arena_lay_out(&state, dst, PAGES, 0, size));
	for (i = 0; i < ARRAY_SIZE(offsets) * ARRAY_SIZE(offsets) * ARRAY_SIZE(crossing); i++) {
		u64 inner = offsets[i % ARRAY_SIZE(offsets)];
		u64 outer = offsets[i / ARRAY_SIZE(offsets) % ARRAY_SIZE(offsets)];
		const struct rig_pair *pair = &crossing[i % ARRAY_SIZE(crossing)];
		const struct rig_config *config = dmsse_rig_config(test, pair);
		struct rig *rig = dmsse_rig_create(test, config, inner, outer, &state);

		dmsse_arena_copy(src, src->data, linear, size, false);
		KUNIT_ASSERT_EQ(test, dmsse_ref_crypt(rig, 0, linear, size, true), 0);
		KUNIT_ASSERT_TRUE(test, prepare(rig, src, dst, 0, size, true, 0));
		KUNIT_EXPECT_EQ(test, run_to_end(rig, true), 0);
		dmsse_arena_copy(dst, dst->data, got, size, false);
		KUNIT_EXPECT_EQ_MSG(test, memcmp(got, linear, size), 0,
				    "encryption, offsets %llu, %llu", inner, outer);

		dmsse_arena_copy(src, src->data, linear, size, false);
		KUNIT_ASSERT_TRUE(test, prepare(rig, dst, dst, 0, size, false, 0));
		KUNIT_EXPECT_EQ(test, run_to_end(rig, true), 0);
		dmsse_arena_copy(dst, dst->data, got, size, false);
		KUNIT_EXPECT_EQ_MSG(test, memcmp(got, linear, size), 0,
				    "decryption, offsets %llu, %llu", inner, outer);
	}
}

/* IEEE Std 1619-2018, annex B ----------------------------------------------- */

struct xts_vector {
	const char *name;
	unsigned int key_size;
	u64 sector;
	u8 begin[32]; /* of the ciphertext */
};

static const struct xts_vector xts_vectors[] = {
	{ "vector 4", 32, 0, {
		0x27, 0xa7, 0x47, 0x9b, 0xef, 0xa1, 0xd4, 0x76,
		0x48, 0x9f, 0x30, 0x8c, 0xd4, 0xcf, 0xa6, 0xe2,
		0xa9, 0x6e, 0x4b, 0xbe, 0x32, 0x08, 0xff, 0x25,
		0x28, 0x7d, 0xd3, 0x81, 0x96, 0x16, 0xe8, 0x9c } },
	{ "vector 10", 64, 0xff, {
		0x1c, 0x3b, 0x3a, 0x10, 0x2f, 0x77, 0x03, 0x86,
		0xe4, 0x83, 0x6c, 0x99, 0xe3, 0x70, 0xcf, 0x9b,
		0xea, 0x00, 0x80, 0x3f, 0x5e, 0x48, 0x23, 0x57,
		0xa4, 0xae, 0x12, 0xd4, 0x14, 0xa3, 0xe6, 0x3b } },
	{ "vector 13", 64, 0xffffffff, {
		0xbf, 0x53, 0xd2, 0xda, 0xde, 0x78, 0xe8, 0x22,
		0xa4, 0xd9, 0x49, 0xa9, 0xbc, 0x67, 0x66, 0xb0,
		0x1b, 0x06, 0xa8, 0xef, 0x70, 0xd2, 0x67, 0x48,
		0xc6, 0xa7, 0xfc, 0x36, 0xd8, 0x0a, 0xe4, 0xc5 } },
	{ "vector 14", 64, 0xffffffffff, {
		0x64, 0x49, 0x7e, 0x5a, 0x83, 0x1e, 0x4a, 0x93,
		0x2c, 0x09, 0xbe, 0x3e, 0x53, 0x93, 0x37, 0x6d,
		0xaa, 0x59, 0x95, 0x48, 0xb8, 0x16, 0x03, 0x1d,
		0x22, 0x4b, 0xbf, 0x50, 0xa8, 0x18, 0xed, 0x23 } },
};

static void vector_name(const struct xts_vector *vector, char *desc)
{
	strscpy(desc, vector->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(xts_vectors, xts_vectors, vector_name);

/* The standard's keys: the digits of e and pi. */
static const u8 xts_key_e[] = {
	0x27, 0x18, 0x28, 0x18, 0x28, 0x45, 0x90, 0x45,
	0x23, 0x53, 0x60, 0x28, 0x74, 0x71, 0x35, 0x26,
	0x62, 0x49, 0x77, 0x57, 0x24, 0x70, 0x93, 0x69,
	0x99, 0x59, 0x57, 0x49, 0x66, 0x96, 0x76, 0x27,
};

static const u8 xts_key_pi[] = {
	0x31, 0x41, 0x59, 0x26, 0x53, 0x58, 0x97, 0x93,
	0x23, 0x84, 0x62, 0x64, 0x33, 0x83, 0x27, 0x95,
	0x02, 0x88, 0x41, 0x97, 0x16, 0x93, 0x99, 0x37,
	0x51, 0x05, 0x82, 0x09, 0x74, 0x94, 0x45, 0x92,
};

static void test_published_vector(struct kunit *test)
{
	const struct xts_vector *vector = test->param_value;
	u64 state = 1;
	struct rig *rig = dmsse_rig_create(test, &configs[0], 0, 0, &state);
	struct arena *arena = dmsse_arena_new(test, &state);
	u8 *key = rig->layer[0].key;
	unsigned int half = vector->key_size / 2, i;
	u8 linear[512];

	memcpy(key, xts_key_e, half);
	memcpy(key + half, xts_key_pi, half);
	dmsse_rig_set_key(test, rig, 0, vector->key_size);
	KUNIT_ASSERT_TRUE(test, dmsse_arena_lay_out(&state, arena, ONE_PIECE, 0, sizeof(linear)));
	for (i = 0; i < sizeof(linear); i++)
		linear[i] = i;
	dmsse_arena_copy(arena, arena->data, linear, sizeof(linear), true);

	KUNIT_ASSERT_TRUE(test, prepare(rig, arena, arena, vector->sector, sizeof(linear),
					true, 0));
	KUNIT_EXPECT_EQ(test, run_to_end(rig, true), 0);
	dmsse_arena_copy(arena, arena->data, linear, sizeof(linear), false);
	KUNIT_EXPECT_EQ(test, memcmp(linear, vector->begin, sizeof(vector->begin)), 0);

	KUNIT_ASSERT_TRUE(test, prepare(rig, arena, arena, vector->sector, sizeof(linear),
					false, 0));
	KUNIT_EXPECT_EQ(test, run_to_end(rig, true), 0);
	dmsse_arena_copy(arena, arena->data, linear, sizeof(linear), false);
	for (i = 0; i < sizeof(linear); i++)
		KUNIT_ASSERT_EQ(test, linear[i], (u8)i);
}

struct manner_case {
	const char *name;
	enum manner manner;
	bool may_sleep;
	enum layout layout;
};

static const struct manner_case manners[] = {
	{ "at once", AT_ONCE, true, ONE_PIECE },
	{ "at once, without sleep", AT_ONCE, false, ONE_PIECE },
	{ "at once, scattered", AT_ONCE, true, TINY },
	{ "at once, without sleep, scattered", AT_ONCE, false, TINY },
	{ "later", LATER, true, ONE_PIECE },
	{ "later, without sleep", LATER, false, ONE_PIECE },
	{ "later, scattered", LATER, true, TINY },
	{ "later, without sleep, scattered", LATER, false, TINY },
	{ "later, without sleep, mixed", LATER, false, ANY },
	{ "backlog", BACKLOG, true, ONE_PIECE },
	{ "backlog, without sleep", BACKLOG, false, ONE_PIECE },
	{ "backlog, scattered", BACKLOG, true, TINY },
	{ "backlog, without sleep, scattered", BACKLOG, false, TINY },
	{ "early", EARLY, true, ONE_PIECE },
	{ "early, without sleep", EARLY, false, ONE_PIECE },
	{ "early, without sleep, scattered", EARLY, false, TINY },
};

static void manner_name(const struct manner_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(manners, manners, manner_name);

static const struct rig_pair toys[] = {
	{ "toy 512", 512, false, &dmsse_rig_toy },
	{ "toy 4096", 4096, false, &dmsse_rig_toy },
	{ "toy, toy 512", 512, false, &dmsse_rig_toy, &dmsse_rig_toy },
	{ "toy, xts 4096", 4096, false, &dmsse_rig_toy, &dmsse_rig_xts },
	{ "adiantum, toy 512", 512, false, &dmsse_rig_adiantum, &dmsse_rig_toy },
};

#define TOY_SECTORS	8

static bool is_toy(const struct rig_config *config)
{
	return !strcmp(config->plain_alg, "dmssetest");
}

/* Requests that the test's cipher gets for each sector. */
static unsigned int toy_layers(const struct rig_config *config)
{
	return is_toy(config) + (config->outer && is_toy(config->outer));
}

/*
 * Layers that are done with the sector when its nth request to the test's
 * cipher fails, n counted from 0.
 */
static unsigned int passes_before(const struct rig_config *config, unsigned int n, bool encrypt)
{
	const struct rig_config *first = encrypt || !config->outer ? config : config->outer;

	return is_toy(first) ? n : n + 1;
}

/* One run of TOY_SECTORS sectors of which the fail_at-th request fails; 0: none. */
static void toy_run(struct kunit *test, const struct rig_config *config,
		    const struct manner_case *c, unsigned int fail_at, bool encrypt)
{
	u64 state = dmsse_test_seed ?: 1, sector = 64;
	struct rig *rig = dmsse_rig_create(test, config, 8, 1ULL << 40, &state);
	struct arena *src = dmsse_arena_new(test, &state), *dst = dmsse_arena_new(test, &state);
	struct arena *to = encrypt ? dst : src;
	unsigned int per_sector = toy_layers(config), sector_size = config->sector_size;
	unsigned int size = TOY_SECTORS * sector_size;
	unsigned int done = (fail_at ? (fail_at - 1) / per_sector : TOY_SECTORS) * sector_size;
	unsigned int passes = fail_at ?
		passes_before(config, (fail_at - 1) % per_sector, encrypt) : 0;
	bool stopped;
	u8 *linear = kunit_kzalloc(test, size, GFP_KERNEL);
	u8 *again = kunit_kzalloc(test, size, GFP_KERNEL);
	int r;

	KUNIT_ASSERT_NOT_NULL(test, linear);
	KUNIT_ASSERT_NOT_NULL(test, again);
	KUNIT_ASSERT_TRUE(test, dmsse_arena_lay_out(&state, src, c->layout, 0, size));
	KUNIT_ASSERT_TRUE(test, dmsse_arena_lay_out(&state, dst, c->layout, 512, size));

	memset(&dmsse_rig_plan, 0, sizeof(dmsse_rig_plan));
	dmsse_arena_copy(src, src->data, linear, size, false);
	KUNIT_ASSERT_EQ(test, dmsse_ref_crypt(rig, sector, linear, size, encrypt), 0);
	memcpy(src->expected, src->data, ARENA_SIZE);
	memcpy(dst->expected, dst->data, ARENA_SIZE);
	/* Sectors before the failure are done, those behind untouched. */
	dmsse_arena_copy(to, to->expected, linear, done, true);
	/*
	 * The one that failed has been through the layers before, unless it went
	 * through a buffer; whoever asked for it has to see to that.
	 */
	if (passes && c->layout == ONE_PIECE) {
		dmsse_arena_copy(src, src->data, linear, size, false);
		KUNIT_ASSERT_EQ(test, dmsse_ref_layer(config, &rig->layer[encrypt ? 0 : 1],
						      sector + done / 512, linear + done,
						      sector_size, encrypt), 0);
		memcpy(to->expected + to->position[0] + to->lead + done, linear + done,
		       sector_size);
	}

	memset(&dmsse_rig_plan, 0, sizeof(dmsse_rig_plan));
	dmsse_rig_plan.manner = c->manner;
	dmsse_rig_plan.fail_at = fail_at;
	dmsse_rig_plan.error = -EILSEQ;
	KUNIT_ASSERT_TRUE(test, prepare(rig, src, to, sector, size, encrypt, 8));
	r = run_to_end(rig, c->may_sleep);
	/* A second completion would have come by now, or comes here. */
	flush_workqueue(dmsse_rig_queue);
	stopped = !c->may_sleep && c->manner != AT_ONCE;
	/* Some sectors in pieces, others not: either is right for this one. */
	if (passes && c->layout == ANY) {
		dmsse_arena_copy(to, to->expected, linear, size, false);
		dmsse_arena_copy(to, to->data, again, size, false);
		memcpy(linear + done, again + done, sector_size);
		dmsse_arena_copy(to, to->expected, linear, size, true);
	}

	KUNIT_EXPECT_EQ(test, r, fail_at ? -EILSEQ : 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&dmsse_rig_plan.requests),
			fail_at ?: TOY_SECTORS * per_sector);
	KUNIT_EXPECT_FALSE(test, dmsse_rig_plan.slept_atomically);
	KUNIT_EXPECT_EQ(test, rig->resumes, stopped ? 1U : 0U);
	KUNIT_EXPECT_EQ(test, dmsse_crypt_left(rig->crypt), size - done);
	KUNIT_EXPECT_EQ(test, memcmp(src->data, src->expected, ARENA_SIZE), 0);
	KUNIT_EXPECT_EQ(test, memcmp(dst->data, dst->expected, ARENA_SIZE), 0);
}

static void test_manner(struct kunit *test)
{
	unsigned int i, fail_at;

	for (i = 0; i < ARRAY_SIZE(toys); i++) {
		const struct rig_config *config = dmsse_rig_config(test, &toys[i]);

		for (fail_at = 0; fail_at <= TOY_SECTORS * toy_layers(config); fail_at++) {
			toy_run(test, config, test->param_value, fail_at, true);
			toy_run(test, config, test->param_value, fail_at, false);
		}
	}
}

static void destroy_pool(void *data)
{
	dmsse_bounce_pool_destroy(data);
}

/* First byte of the bounce pages that isn't zero, beyond the data as well. */
static const u8 *find_data(const struct dmsse_bounce *bounce)
{
	unsigned int i;

	for (i = 0; i < bounce->nr; i++) {
		struct page *page = bounce->vec[i].bv_page;
		const u8 *found = memchr_inv(page_address(page), 0, page_size(page));

		if (found)
			return found;
	}
	return NULL;
}

/*
 * As io.c does it: a write fails in its second layer, and leaves nothing of
 * the first one's work in the pages that are given back.
 */
static void test_failed_write(struct kunit *test)
{
	u64 state = dmsse_test_seed ?: 1;
	struct rig *rig = dmsse_rig_create(test, dmsse_rig_config(test, &toys[2]), 0, 0, &state);
	struct dmsse_bounce_pool *pool = kunit_kzalloc(test, sizeof(*pool), GFP_KERNEL);
	struct arena *src = dmsse_arena_new(test, &state);
	unsigned int fail_at, size = 40 * 512;

	KUNIT_ASSERT_NOT_NULL(test, pool);
	KUNIT_ASSERT_EQ(test, dmsse_bounce_pool_init(pool), 0);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, destroy_pool, pool), 0);
	KUNIT_ASSERT_TRUE(test, dmsse_arena_lay_out(&state, src, PAGES, 0, size));

	for (fail_at = 2; fail_at <= 80; fail_at += 2) {
		struct dmsse_bounce bounce;
		int r;

		memset(&dmsse_rig_plan, 0, sizeof(dmsse_rig_plan));
		dmsse_rig_plan.fail_at = fail_at;
		dmsse_rig_plan.error = -EIO;
		KUNIT_ASSERT_TRUE(test, prepare(rig, src, src, 0, size, true, 0));
		dmsse_bounce_alloc(pool, &bounce, size);
		rig->crypt->dst.vec = bounce.vec;
		rig->crypt->dst.iter = (struct bvec_iter) { .bi_size = size };
		r = run_to_end(rig, true);
		KUNIT_EXPECT_EQ(test, r, -EIO);
		KUNIT_EXPECT_NOT_NULL(test, find_data(&bounce));
		dmsse_bounce_wipe(&bounce);
		KUNIT_EXPECT_NULL(test, find_data(&bounce));
		dmsse_bounce_free(pool, &bounce);
	}
}

/* Ciphers a disk may have --------------------------------------------------- */

struct fitness_case {
	const char *spec;
	unsigned int sector_size;
	int error;
	int error_if_insecure; /* with the module parameter */
	const char *message; /* of the first */
};

#define UNFIT(alg)	"cipher '" alg "' does not protect a disk: " \
			"load the module with insecure_ciphers=1 to use it all the same"

static const struct fitness_case fitness[] = {
	{ "aes-xts-plain64", 512, 0, 0, "" },
	{ "aes-xts-plain64", 4096, 0, 0, "" },
	{ "aes-ecb", 512, -EINVAL, 0, UNFIT("ecb(aes)") },
	{ "cipher_null-ecb", 512, -EINVAL, 0, UNFIT("ecb(cipher_null)") },
	{ "aes-ctr-plain64", 512, -EINVAL, 0, UNFIT("ctr(aes)") },
	{ "nonesuch-xts-plain64", 512, -ENOENT, -ENOENT,
	  "cipher 'xts(nonesuch)' is not available in this kernel" },
	{ "aes-nonesuch-plain64", 512, -ENOENT, -ENOENT,
	  "cipher 'nonesuch(aes)' is not available in this kernel" },
	{ "aes-cbc-essiv:nonesuch", 512, -ENOENT, -ENOENT,
	  "cipher 'essiv(cbc(aes),nonesuch)' is not available in this kernel" },
};

static void fitness_name(const struct fitness_case *c, char *desc)
{
	strscpy(desc, c->spec, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(fitness, fitness, fitness_name);

static void restore_insecure(void *data)
{
	dmsse_insecure_ciphers = !!data;
}

static void test_fitness(struct kunit *test)
{
	const struct fitness_case *c = test->param_value;
	const struct rig_config config = { .spec = c->spec, .sector_size = c->sector_size };
	int insecure;

	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, restore_insecure,
							(void *)(long)dmsse_insecure_ciphers), 0);
	for (insecure = 0; insecure < 2; insecure++) {
		struct dmsse_stack *stack = kunit_kzalloc(test, sizeof(*stack), GFP_KERNEL);
		int want = insecure ? c->error_if_insecure : c->error;
		struct dmsse_params params;
		struct dmsse_error err = {};

		KUNIT_ASSERT_NOT_NULL(test, stack);
		KUNIT_ASSERT_EQ(test, dmsse_rig_params(&config, &params, &err), 0);
		dmsse_insecure_ciphers = insecure;
		KUNIT_EXPECT_EQ(test, dmsse_stack_init(stack, &params, &err), want);
		KUNIT_EXPECT_STREQ(test, err.text, want ? c->message : "");
		if (!want)
			KUNIT_EXPECT_EQ(test, stack->layer[0].insecure, c->error != 0);
		dmsse_stack_destroy(stack);
	}
}

/* Ciphers two layers may have ----------------------------------------------- */

struct pair_case {
	const char *inner;
	const char *outer;
	const char *message; /* without allow_same_cipher; NULL: taken */
	bool hopeless; /* refused whatever is allowed */
};

#define SAME(alg)	"both layers are " alg ": use two ciphers, or the option allow_same_cipher"
#define UNFIT_PAIR(alg)	"layer: cipher '" alg "' does not protect a disk: two layers have to be two"
#define GENERIC_XTS	"capi:xts(ecb(aes-generic))-plain64"
#define CRYPTD_XTS	"capi:cryptd(xts(ecb(aes-generic)))-plain64"

static const struct pair_case pair_cases[] = {
	{ "aes-xts-plain64", "capi:adiantum(xchacha12,aes)-plain64" },
	{ "aes-xts-plain64", "aes-cbc-essiv:sha256" },
	{ "aes-xts-plain64", "serpent-xts-plain64" },
	{ "aes-cbc-essiv:sha256", "serpent-cbc-essiv:sha256" },
	{ "aes-xts-plain64", "aes-xts-plain64", SAME("xts(aes)") },
	{ "aes-xts-plain64", "aes-xts-plain64be", SAME("xts(aes)") },
	{ "aes-xts-plain64", "capi:xts(aes)-plain64", SAME("xts(aes)") },
	{ "aes-xts-plain64", GENERIC_XTS, SAME("xts(aes)") },
	{ "aes-xts-plain64", CRYPTD_XTS, SAME("xts(aes)") },
	{ CRYPTD_XTS, GENERIC_XTS, SAME("xts(aes)") },
	{ "aes-cbc-essiv:sha256", "aes-cbc-plain64", SAME("cbc(aes)") },
	{ "aes-cbc-essiv:sha256", "capi:cbc(ecb(aes-generic))-plain64", SAME("cbc(aes)") },
	{ "aes-cbc-essiv:sha256", "aes-cbc-essiv:sha1", SAME("cbc(aes)") },
	{ "xchacha12,aes-adiantum-plain64",
	  "capi:adiantum(xchacha12-generic,aes-generic,nhpoly1305-generic)-plain64",
	  SAME("adiantum(xchacha12,aes)") },
	{ "aes-xts-plain64", "aes-ecb", "outer " UNFIT_PAIR("ecb(aes)"), true },
	{ "aes-ecb", "aes-xts-plain64", "inner " UNFIT_PAIR("ecb(aes)"), true },
	{ "aes-xts-plain64", "cipher_null-ecb", "outer " UNFIT_PAIR("ecb(cipher_null)"), true },
	{ "cipher_null-ecb", "aes-xts-plain64", "inner " UNFIT_PAIR("ecb(cipher_null)"), true },
	{ "aes-xts-plain64", "aes-ctr-plain64", "outer " UNFIT_PAIR("ctr(aes)"), true },
	{ "cipher_null-ecb", "cipher_null-ecb", "inner " UNFIT_PAIR("ecb(cipher_null)"), true },
};

static void pair_case_name(const struct pair_case *c, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s, %s", c->inner, c->outer);
}

KUNIT_ARRAY_PARAM(pair_cases, pair_cases, pair_case_name);

static void test_pair_fitness(struct kunit *test)
{
	const struct pair_case *c = test->param_value;
	const struct rig_config outer = { .spec = c->outer };
	const struct rig_config config = { .spec = c->inner, .sector_size = 512, .outer = &outer };
	int allowed; /* bit 0: insecure ciphers, bit 1: equal ones */

	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, restore_insecure,
							(void *)(long)dmsse_insecure_ciphers), 0);
	for (allowed = 0; allowed < 4; allowed++) {
		struct dmsse_stack *stack = kunit_kzalloc(test, sizeof(*stack), GFP_KERNEL);
		struct dmsse_params *params = kunit_kzalloc(test, sizeof(*params), GFP_KERNEL);
		struct dmsse_error err = {};
		bool refused = c->message && (c->hopeless || !(allowed & 2));
		int r;

		KUNIT_ASSERT_NOT_NULL(test, stack);
		KUNIT_ASSERT_NOT_NULL(test, params);
		KUNIT_ASSERT_EQ(test, dmsse_rig_params(&config, params, &err), 0);
		dmsse_insecure_ciphers = allowed & 1;
		if (allowed & 2)
			params->flags |= DMSSE_ALLOW_SAME_CIPHER;
		r = dmsse_stack_init(stack, params, &err);
		if (dmsse_rig_not_stacked(r, &err)) {
			dmsse_stack_destroy(stack);
			kunit_skip(test, "%s", err.text);
		}
		KUNIT_EXPECT_EQ(test, r, refused ? -EINVAL : 0);
		KUNIT_EXPECT_STREQ(test, err.text, refused ? c->message : "");
		dmsse_stack_destroy(stack);
	}
}

static struct kunit_case crypt_cases[] = {
	KUNIT_CASE_PARAM(test_published_vector, xts_vectors_gen_params),
	KUNIT_CASE_PARAM(test_layouts, configs_gen_params),
	KUNIT_CASE_PARAM(test_pair_layouts, pairs_gen_params),
	KUNIT_CASE(test_pair_offsets),
	KUNIT_CASE_PARAM(test_manner, manners_gen_params),
	KUNIT_CASE(test_failed_write),
	KUNIT_CASE_PARAM(test_fitness, fitness_gen_params),
	KUNIT_CASE_PARAM(test_pair_fitness, pair_cases_gen_params),
	{}
};

static struct kunit_suite crypt_suite = {
	.name = "dmsse-crypt",
	.suite_init = dmsse_rig_init,
	.suite_exit = dmsse_rig_exit,
	.test_cases = crypt_cases,
};

kunit_test_suite(crypt_suite);
