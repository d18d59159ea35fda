// SPDX-License-Identifier: GPL-2.0-only
/*
 * See test_rig.h. The reference is one linear buffer, one sector at a time, the
 * IV worked out here, one layer over all of it after the other.
 */
#include "test_rig.h"

#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>
#include <crypto/internal/skcipher.h>
#include <crypto/sha2.h>

static void random_fill(u64 *state, u8 *buf, size_t size)
{
	size_t i;

	for (i = 0; i + 8 <= size; i += 8)
		put_unaligned_le64(test_random(state), buf + i);
	for (; i < size; i++)
		buf[i] = test_random(state);
}

/* The reference ------------------------------------------------------------- */

static void reference_iv(const struct rig_config *config, const struct reference *layer,
			 u64 sector, u8 iv[32])
{
	u64 number = sector + layer->iv_offset;

	if (config->large)
		number /= config->sector_size / 512;
	memset(iv, 0, 32);
	switch (layer->iv) {
	case REF_LE64:
		put_unaligned_le64(number, iv);
		break;
	case REF_LE32:
		put_unaligned_le32((u32)number, iv);
		break;
	case REF_BE64:
		put_unaligned_be64(number, iv + 8);
		break;
	case REF_ESSIV:
		put_unaligned_le64(number, iv);
		aes_encrypt(&layer->essiv, iv, iv);
		break;
	}
}

/**
 * dmsse_ref_layer - one layer over sectors, by the reference
 * @config: the device's
 * @layer: the layer
 * @sector: at which @buf begins, in units of 512 bytes
 * @buf: the sectors
 * @size: bytes of it
 * @encrypt: direction
 *
 * Return: 0, or an error of the crypto API.
 */
int dmsse_ref_layer(const struct rig_config *config, const struct reference *layer,
		    u64 sector, u8 *buf, size_t size, bool encrypt)
{
	struct skcipher_request *req = skcipher_request_alloc(layer->plain, GFP_KERNEL);
	DECLARE_CRYPTO_WAIT(wait);
	struct scatterlist sg;
	u8 *iv = kmalloc(32, GFP_KERNEL);
	int r = req && iv ? 0 : -ENOMEM;

	while (!r && size) {
		unsigned int len = config->sector_size;

		reference_iv(config, layer, sector, iv);
		sg_init_one(&sg, buf, len);
		skcipher_request_set_callback(req, CRYPTO_TFM_REQ_MAY_BACKLOG |
					      CRYPTO_TFM_REQ_MAY_SLEEP, crypto_req_done, &wait);
		skcipher_request_set_crypt(req, &sg, &sg, len, iv);
		r = crypto_wait_req(encrypt ? crypto_skcipher_encrypt(req) :
				    crypto_skcipher_decrypt(req), &wait);
		sector += len / 512;
		buf += len;
		size -= len;
	}
	kfree(iv);
	skcipher_request_free(req);
	return r;
}

/**
 * dmsse_ref_crypt - all layers over sectors, by the reference
 * @rig: the device
 * @sector: at which @buf begins, in units of 512 bytes
 * @buf: the sectors
 * @size: bytes of it
 * @encrypt: direction
 *
 * Return: 0, or an error of the crypto API.
 */
int dmsse_ref_crypt(const struct rig *rig, u64 sector, u8 *buf, size_t size, bool encrypt)
{
	unsigned int i, nr = rig->stack.nr_layers;
	int r = 0;

	for (i = 0; i < nr && !r; i++)
		r = dmsse_ref_layer(rig->config, &rig->layer[encrypt ? i : nr - 1 - i], sector,
				    buf, size, encrypt);
	return r;
}

/* A device's cipher --------------------------------------------------------- */

static void destroy_rig(void *data)
{
	struct rig *rig = data;
	unsigned int i;

	kfree(rig->crypt_memory);
	dmsse_stack_destroy(&rig->stack);
	for (i = 0; i < DMSSE_MAX_LAYERS; i++)
		crypto_free_skcipher(rig->layer[i].plain);
}

/**
 * dmsse_rig_params - a table line of these layers
 * @config: innermost layer
 * @params: result; borrows @config's strings
 * @err: why it failed
 *
 * Return: as dmsse_cipher_parse().
 */
int dmsse_rig_params(const struct rig_config *config, struct dmsse_params *params,
		     struct dmsse_error *err)
{
	const struct rig_config *layer;
	int r = 0;

	memset(params, 0, sizeof(*params));
	params->sector_size = config->sector_size;
	if (config->large)
		params->flags = DMSSE_IV_LARGE_SECTORS;
	for (layer = config; layer && !r; layer = layer->outer) {
		struct dmsse_layer_params *to = &params->layer[params->nr_layers++];

		to->spec = layer->spec;
		r = dmsse_cipher_parse(&to->cipher, layer->spec, err);
	}
	return r;
}

/**
 * dmsse_rig_set_key - give a layer and its reference the key in the rig's memory
 * @test: the test case, which fails if that does
 * @rig: the device
 * @index: of the layer
 * @size: bytes of the key
 */
void dmsse_rig_set_key(struct kunit *test, struct rig *rig, unsigned int index, unsigned int size)
{
	struct reference *layer = &rig->layer[index];

	KUNIT_ASSERT_EQ(test, crypto_skcipher_setkey(rig->stack.layer[index].tfm, layer->key,
						     size), 0);
	KUNIT_ASSERT_EQ(test, crypto_skcipher_setkey(layer->plain, layer->key, size), 0);
	if (layer->iv == REF_ESSIV) {
		u8 salt[SHA256_DIGEST_SIZE];

		sha256(layer->key, size, salt);
		KUNIT_ASSERT_EQ(test, aes_expandkey(&layer->essiv, salt, sizeof(salt)), 0);
	}
}

/**
 * dmsse_rig_not_stacked - has this kernel no CBC on a cipher of one's choice?
 * @r: what dmsse_stack_init() has returned
 * @err: and said
 *
 * Modular kernels refuse that with -ELOOP; whatever else fails is ours.
 */
bool dmsse_rig_not_stacked(int r, const struct dmsse_error *err)
{
	return r == -ELOOP && strstr(err->text, "cbc(ecb(");
}

/**
 * dmsse_rig_create - a device's layers, with random keys
 * @test: the test case, at whose end they go
 * @config: innermost layer
 * @inner_offset: IV offset of it
 * @outer_offset: of the other one, if there is one
 * @state: for random numbers
 *
 * Return: the device; the test case has failed, or been skipped, if there is none.
 */
struct rig *dmsse_rig_create(struct kunit *test, const struct rig_config *config, u64 inner_offset,
			     u64 outer_offset, u64 *state)
{
	const u64 iv_offset[DMSSE_MAX_LAYERS] = { inner_offset, outer_offset };
	struct rig *rig = kunit_kzalloc(test, sizeof(*rig), GFP_KERNEL);
	const struct rig_config *from = config;
	struct dmsse_params *params;
	struct dmsse_error *err;
	unsigned int i;
	int r;

	params = kunit_kzalloc(test, sizeof(*params), GFP_KERNEL);
	err = kunit_kzalloc(test, sizeof(*err), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, rig);
	KUNIT_ASSERT_NOT_NULL(test, params);
	KUNIT_ASSERT_NOT_NULL(test, err);
	KUNIT_ASSERT_EQ(test, dmsse_rig_params(config, params, err), 0);
	params->flags |= DMSSE_ALLOW_SAME_CIPHER;
	rig->config = config;
	init_completion(&rig->resumed);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, destroy_rig, rig), 0);

	for (i = 0; i < params->nr_layers; i++, from = from->outer) {
		struct reference *layer = &rig->layer[i];
		struct crypto_skcipher *plain = crypto_alloc_skcipher(from->plain_alg, 0, 0);

		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, plain);
		layer->plain = plain;
		layer->iv = from->iv;
		layer->iv_offset = iv_offset[i];
		params->layer[i].iv_offset = iv_offset[i];
		random_fill(state, layer->key, sizeof(layer->key));
	}
	r = dmsse_stack_init(&rig->stack, params, err);
	if (dmsse_rig_not_stacked(r, err))
		kunit_skip(test, "%s", err->text);
	KUNIT_ASSERT_EQ_MSG(test, r, 0, "%s", err->text);

	for (i = 0, from = config; from; i++, from = from->outer) {
		struct crypto_skcipher *tfm;

		KUNIT_EXPECT_FALSE(test, dmsse_stack_keyed(&rig->stack));
		tfm = dmsse_layer_alloc_tfm(&rig->stack.layer[i], err);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, tfm);
		rig->stack.layer[i].tfm = tfm;
		dmsse_rig_set_key(test, rig, i, from->key_size);
	}
	KUNIT_EXPECT_TRUE(test, dmsse_stack_keyed(&rig->stack));
	return rig;
}

/**
 * dmsse_rig_new_crypt - memory for a run
 * @rig: the device; its last one is freed
 * @shift: bytes that it lies behind something aligned, a multiple of 8
 *
 * Of the size that was asked for and not a byte more, at any alignment that a
 * per-bio area may have, so that KASAN sees an IV or a request that doesn't fit.
 *
 * Return: the memory, or NULL.
 */
struct dmsse_crypt *dmsse_rig_new_crypt(struct rig *rig, unsigned int shift)
{
	kfree(rig->crypt_memory);
	rig->crypt_memory = kmalloc(rig->stack.crypt_size + shift, GFP_KERNEL);
	rig->crypt = rig->crypt_memory ? (void *)((u8 *)rig->crypt_memory + shift) : NULL;
	return rig->crypt;
}

/* Layouts ------------------------------------------------------------------- */

static void free_arena(void *data)
{
	struct arena *arena = data;

	if (arena->pages)
		__free_pages(arena->pages, ARENA_ORDER);
	kvfree(arena->expected);
	kvfree(arena);
}

/**
 * dmsse_arena_new - memory that bvecs lie in, with random contents
 * @test: the test case, at whose end it goes
 * @state: for random numbers
 *
 * Return: the memory; the test case has failed if there is none.
 */
struct arena *dmsse_arena_new(struct kunit *test, u64 *state)
{
	struct arena *arena = kvzalloc(sizeof(*arena), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, arena);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, free_arena, arena), 0);
	arena->pages = alloc_pages(GFP_KERNEL | __GFP_COMP, ARENA_ORDER);
	arena->expected = kvmalloc(ARENA_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, arena->pages);
	KUNIT_ASSERT_NOT_NULL(test, arena->expected);
	arena->data = page_address(arena->pages);
	random_fill(state, arena->data, ARENA_SIZE);
	return arena;
}

static unsigned int piece_size(u64 *state, enum layout layout, unsigned int left)
{
	unsigned int size = left;

	switch (layout) {
	case ONE_PIECE:
	case UNALIGNED:
		break;
	case PAGES:
		size = PAGE_SIZE;
		break;
	case SECTORS:
		size = 512 * (1 + test_below(state, 20));
		break;
	case ANY:
		size = 1 + test_below(state, test_below(state, 2) ? 3 * PAGE_SIZE : 700);
		break;
	case TINY:
		size = 1 + test_below(state, 80);
		break;
	case NR_LAYOUTS:
		break;
	}
	return min(size, left);
}

static unsigned int piece_gap(u64 *state, enum layout layout)
{
	switch (layout) {
	case PAGES:
		return 0;
	case ONE_PIECE:
	case SECTORS:
		return 512 * test_below(state, 4);
	case UNALIGNED:
		return test_below(state, 5000);
	default:
		return test_below(state, 4) ? test_below(state, 60) : 0;
	}
}

/**
 * dmsse_arena_lay_out - strew a run over an arena
 * @state: for random numbers
 * @arena: its bvecs are set
 * @layout: sizes of pieces and of the gaps between them
 * @lead: bytes in front of the run, in the first bvecs
 * @size: bytes of the run
 *
 * In random order, so that whoever reads past the end of a piece doesn't find
 * the right data there.
 *
 * Return: false if it doesn't fit.
 */
bool dmsse_arena_lay_out(u64 *state, struct arena *arena, enum layout layout, unsigned int lead,
			 unsigned int size)
{
	unsigned int left = lead + size, at = 0, i;
	unsigned int *order = arena->order;

	arena->lead = lead;
	arena->nr = 0;
	while (left) {
		unsigned int len = piece_size(state, layout, left);

		if (arena->nr == MAX_PIECES)
			return false;
		order[arena->nr] = arena->nr;
		arena->vec[arena->nr++].bv_len = len;
		left -= len;
	}
	for (i = arena->nr; i > 1; i--) {
		unsigned int other = test_below(state, i);

		swap(order[i - 1], order[other]);
	}

	for (i = 0; i < arena->nr; i++) {
		struct bio_vec *bv = &arena->vec[order[i]];
		unsigned int page;

		at += piece_gap(state, layout);
		if (at + bv->bv_len > ARENA_SIZE)
			return false;
		/* Offsets past the first page are allowed, if not usual. */
		page = test_below(state, 8) ? at >> PAGE_SHIFT : 0;
		bv->bv_page = arena->pages + page;
		bv->bv_offset = at - (page << PAGE_SHIFT);
		arena->position[order[i]] = at;
		at += bv->bv_len;
	}
	return true;
}

/**
 * dmsse_arena_span - the run that was laid out
 * @arena: where
 * @size: bytes of it
 *
 * Return: it, as a run of ciphers takes it.
 */
struct dmsse_span dmsse_arena_span(const struct arena *arena, unsigned int size)
{
	struct dmsse_span span = {
		.vec = arena->vec,
		.iter = { .bi_size = arena->lead + size },
	};

	bvec_iter_advance(span.vec, &span.iter, arena->lead);
	return span;
}

/**
 * dmsse_arena_copy - copy the run between a linear buffer and memory
 * @arena: how it is laid out
 * @memory: of an arena, or a copy of that
 * @linear: the buffer
 * @size: bytes of the run
 * @out: from @linear, not to it
 */
void dmsse_arena_copy(const struct arena *arena, u8 *memory, u8 *linear, unsigned int size,
		      bool out)
{
	unsigned int skip = arena->lead, i;

	for (i = 0; i < arena->nr && size; i++) {
		unsigned int at = arena->position[i], len = arena->vec[i].bv_len;
		unsigned int drop = min(skip, len);

		skip -= drop;
		at += drop;
		len = min(len - drop, size);
		if (out)
			memcpy(memory + at, linear, len);
		else
			memcpy(linear, memory + at, len);
		linear += len;
		size -= len;
	}
}

/**
 * dmsse_rig_sector - a random sector, often where an IV is nearly full
 * @state: for random numbers
 * @unit: 512-byte sectors of an encryption sector
 *
 * Return: the sector, in units of 512 bytes.
 */
u64 dmsse_rig_sector(u64 *state, unsigned int unit)
{
	static const u64 limits[] = { 0, 1ULL << 32, 1ULL << 35, 1ULL << 63 };
	u64 sector;

	if (test_below(state, 2))
		sector = test_random(state) >> test_below(state, 64);
	else
		sector = limits[test_below(state, ARRAY_SIZE(limits))] -
			 (u64)unit * test_below(state, 12);
	return sector & ~(u64)(unit - 1);
}

/* Layers ------------------------------------------------------------------- */

/*
 * Each kind of IV, cipher and driver as inner and as outer layer. Once there
 * is a cryptd instance it is what "xts(aes)" means, hence the driver's name.
 */
const struct rig_config dmsse_rig_xts = {
	.spec = "capi:xts(ecb(aes-generic))-plain64", .plain_alg = "xts(aes)",
	.iv = REF_LE64, .key_size = 64,
};

const struct rig_config dmsse_rig_xts_32 = {
	.spec = "aes-xts-plain", .plain_alg = "xts(aes)", .iv = REF_LE32, .key_size = 64,
};

const struct rig_config dmsse_rig_xts_cryptd = {
	.spec = "capi:cryptd(xts(ecb(aes-generic)))-plain64", .plain_alg = "xts(aes)",
	.iv = REF_LE64, .key_size = 64,
};

const struct rig_config dmsse_rig_serpent_be = {
	.spec = "serpent-xts-plain64be", .plain_alg = "xts(serpent)",
	.iv = REF_BE64, .key_size = 32,
};

const struct rig_config dmsse_rig_essiv = {
	.spec = "aes-cbc-essiv:sha256", .plain_alg = "cbc(aes)", .iv = REF_ESSIV, .key_size = 32,
};

const struct rig_config dmsse_rig_cbc_cryptd = {
	.spec = "capi:cryptd(cbc(ecb(aes-generic)))-plain64", .plain_alg = "cbc(aes)",
	.iv = REF_LE64, .key_size = 32,
};

const struct rig_config dmsse_rig_adiantum = {
	.spec = "capi:adiantum(xchacha12,aes)-plain64", .plain_alg = "adiantum(xchacha12,aes)",
	.iv = REF_LE64, .key_size = 32,
};

const struct rig_config dmsse_rig_toy = {
	.spec = "capi:dmssetest-plain64", .plain_alg = "dmssetest", .iv = REF_LE64, .key_size = 16,
};

/**
 * dmsse_rig_config - two layers as one configuration
 * @test: the test case, at whose end it goes
 * @pair: the layers
 *
 * Return: it; the test case has failed if there is none.
 */
const struct rig_config *dmsse_rig_config(struct kunit *test, const struct rig_pair *pair)
{
	struct rig_config *config = kunit_kzalloc(test, sizeof(*config), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, config);
	*config = *pair->inner;
	config->name = pair->name;
	config->sector_size = pair->sector_size;
	config->large = pair->large;
	config->outer = pair->outer;
	return config;
}

/* A cipher that does what it is told ---------------------------------------- */

struct test_request {
	struct work_struct work;
	struct skcipher_request *req;
	enum manner manner;
	int result;
};

struct rig_plan dmsse_rig_plan;
struct workqueue_struct *dmsse_rig_queue;

struct test_key {
	u8 bytes[16];
};

/* No cipher at all, but different for each key, IV and position. */
static int test_xor(struct skcipher_request *req)
{
	const struct test_key *key = crypto_skcipher_ctx(crypto_skcipher_reqtfm(req));
	struct skcipher_walk walk;
	unsigned int at = 0;
	u64 seed = get_unaligned_le64(req->iv) ^ get_unaligned_le64(key->bytes);
	int r = skcipher_walk_virt(&walk, req, true);

	while (!r && walk.nbytes) {
		const u8 *from = walk.src.virt.addr;
		u8 *to = walk.dst.virt.addr;
		unsigned int i;

		for (i = 0; i < walk.nbytes; i++, at++)
			to[i] = from[i] ^ (seed >> (at % 8 * 8)) ^ at;
		r = skcipher_walk_done(&walk, 0);
	}
	return r;
}

static void complete_request(struct test_request *test)
{
	if (test->manner == BACKLOG)
		skcipher_request_complete(test->req, -EINPROGRESS);
	skcipher_request_complete(test->req, test->result);
}

static void test_work(struct work_struct *work)
{
	struct rig_plan *plan = &dmsse_rig_plan;

	if (plan->needs_others)
		wait_var_event_timeout(&plan->others, atomic_read(&plan->others), 30 * HZ);
	if (plan->flush)
		flush_workqueue(plan->flush);
	local_bh_disable();
	complete_request(container_of(work, struct test_request, work));
	local_bh_enable();
}

/* By the clock: delays of the kernel's need not be as long as they say. */
static void take_time(u64 ns)
{
	u64 start = ktime_get_ns();

	while (ktime_get_ns() - start < ns)
		cpu_relax();
}

static int test_crypt(struct skcipher_request *req)
{
	struct test_request *test = skcipher_request_ctx(req);
	struct rig_plan *plan = &dmsse_rig_plan;
	const enum manner manner = plan->manner;

	if (req->base.flags & CRYPTO_TFM_REQ_MAY_SLEEP)
		plan->slept_atomically = true;
	if (plan->submitter && plan->submitter != current) {
		atomic_inc(&plan->others);
		wake_up_var(&plan->others);
	}
	test->req = req;
	test->manner = manner;
	if (atomic_inc_return(&plan->requests) == plan->fail_at) {
		plan->failed_iv = get_unaligned_le64(req->iv);
		test->result = plan->error;
	} else {
		test->result = test_xor(req);
	}
	take_time(plan->takes_ns);

	switch (manner) {
	case AT_ONCE:
		return test->result;
	case LATER:
	case BACKLOG:
		INIT_WORK(&test->work, test_work);
		queue_work(dmsse_rig_queue, &test->work);
		/* It may have been completed by now, and @test be gone. */
		return manner == BACKLOG ? -EBUSY : -EINPROGRESS;
	case EARLY:
		local_bh_disable();
		complete_request(test);
		local_bh_enable();
		return -EINPROGRESS;
	}
	return -EINVAL;
}

static int test_setkey(struct crypto_skcipher *tfm, const u8 *bytes, unsigned int size)
{
	struct test_key *key = crypto_skcipher_ctx(tfm);

	memcpy(key->bytes, bytes, size);
	return 0;
}

static int test_init_tfm(struct crypto_skcipher *tfm)
{
	crypto_skcipher_set_reqsize(tfm, sizeof(struct test_request));
	return 0;
}

/* Asynchronous even where it completes at once: it may, and allocation sees. */
static struct skcipher_alg test_alg = {
	.base = {
		.cra_name		= "dmssetest",
		.cra_driver_name	= "dmssetest-kunit",
		.cra_priority		= 1,
		.cra_flags		= CRYPTO_ALG_ASYNC,
		.cra_blocksize		= 16,
		.cra_ctxsize		= sizeof(struct test_key),
		.cra_alignmask		= 31,
		.cra_module		= THIS_MODULE,
	},
	.init		= test_init_tfm,
	.setkey		= test_setkey,
	.encrypt	= test_crypt,
	.decrypt	= test_crypt,
	.min_keysize	= 16,
	.max_keysize	= 16,
	.ivsize		= 16,
};

static void set_policy(void *name)
{
	struct module *module = THIS_MODULE;
	unsigned int i;

	for (i = 0; i < module->num_kp; i++)
		if (!strcmp(module->kp[i].name, "policy"))
			module->kp[i].ops->set(name, &module->kp[i]);
}

/**
 * dmsse_rig_policy - set the module parameter policy
 * @test: the test case, at whose end it is auto again
 * @name: its value
 */
void dmsse_rig_policy(struct kunit *test, const char *name)
{
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, set_policy, "auto"), 0);
	set_policy((void *)name);
}

/**
 * dmsse_rig_init - register the cipher that does what it is told
 * @suite: not used
 *
 * Return: 0 or an error.
 */
int dmsse_rig_init(struct kunit_suite *suite)
{
	int r;

	dmsse_rig_queue = alloc_workqueue("dmsse_test", 0, 0);
	if (!dmsse_rig_queue)
		return -ENOMEM;
	r = crypto_register_skcipher(&test_alg);
	if (r)
		destroy_workqueue(dmsse_rig_queue);
	return r;
}

/**
 * dmsse_rig_exit - undo dmsse_rig_init()
 * @suite: not used
 */
void dmsse_rig_exit(struct kunit_suite *suite)
{
	crypto_unregister_skcipher(&test_alg);
	destroy_workqueue(dmsse_rig_queue);
}
