// SPDX-License-Identifier: GPL-2.0-only
/*
 * A run of sectors through all layers: sector outer, layer inner, so that a
 * sector stays in the L1 cache while it passes them.
 *
 * One request serves the whole run. A layer that completes asynchronously
 * (cryptd, a hardware driver) is waited for where that is allowed; where it
 * isn't, the run stops at that point and is resumed from process context.
 */
#include "dmsse.h"

#include <linux/highmem.h>
#include <linux/random.h>

/* The IV lies behind the request's context, where the driver likes it to be. */
static u8 *iv_of(struct dmsse_crypt *crypt, const struct dmsse_layer *layer)
{
	u8 *context = (u8 *)(&crypt->req + 1);

	return PTR_ALIGN(context + layer->reqsize, layer->alignmask + 1);
}

static struct dmsse_layer *layer_of(const struct dmsse_crypt *crypt)
{
	struct dmsse_stack *stack = crypt->stack;
	unsigned int index = crypt->encrypt ? crypt->pass : stack->nr_layers - 1 - crypt->pass;

	return &stack->layer[index];
}

/*
 * Where the next sector of @span lies, if it can be handed to a cipher as it
 * is: in one piece, and aligned so that no cipher's block lies across a page
 * boundary, for which the crypto API would have to allocate memory.
 */
static bool whole_sector(const struct dmsse_span *span, unsigned int size,
			 struct bio_vec *bv)
{
	*bv = mp_bvec_iter_bvec(span->vec, span->iter);
	bv->bv_page += bv->bv_offset >> PAGE_SHIFT;
	bv->bv_offset = offset_in_page(bv->bv_offset);

	return bv->bv_len >= size && IS_ALIGNED(bv->bv_offset, SECTOR_SIZE);
}

static void copy_span(const struct dmsse_span *span, u8 *buf, unsigned int size, bool to_span)
{
	struct bvec_iter iter = span->iter;

	while (size) {
		struct bio_vec bv = bvec_iter_bvec(span->vec, iter);
		unsigned int len = min(bv.bv_len, size);

		bv.bv_len = len;
		if (to_span)
			memcpy_to_bvec(&bv, buf);
		else
			memcpy_from_bvec(buf, &bv);
		bvec_iter_advance_single(span->vec, &iter, len);
		buf += len;
		size -= len;
	}
}

/*
 * Completion of a request nobody waits for. A driver says -EINPROGRESS when
 * it takes a request from its backlog; the completion proper is yet to come.
 */
static void async_done(void *data, int err)
{
	struct dmsse_crypt *crypt = data;

	if (err == -EINPROGRESS)
		return;
	crypt->status = err;
	crypt->pass++;
	crypt->resume(crypt);
}

DMSSE_CRYPTO_CALLBACK(async_callback, async_done);

/*
 * One layer over the sector that sg_src and sg_dst describe.
 *
 * CRYPTO_TFM_REQ_MAY_SLEEP is left out on purpose: it would have the crypto
 * API allocate with GFP_KERNEL, which may wait for the very I/O this is about.
 */
static int crypt_layer(struct dmsse_crypt *crypt, struct crypto_wait *wait)
{
	struct dmsse_layer *layer = layer_of(crypt);
	struct skcipher_request *req = &crypt->req;
	u8 *iv = iv_of(crypt, layer);
	int r;

	dmsse_iv_fill(layer->iv_scheme, iv, layer->iv_size,
		      dmsse_iv_sector(crypt->sector, layer->iv_offset, crypt->stack->iv_shift));

	skcipher_request_set_tfm(req, layer->tfm);
	if (wait)
		skcipher_request_set_callback(req, CRYPTO_TFM_REQ_MAY_BACKLOG,
					      crypto_req_done, wait);
	else
		skcipher_request_set_callback(req, CRYPTO_TFM_REQ_MAY_BACKLOG,
					      async_callback, crypt);
	skcipher_request_set_crypt(req, &crypt->sg_src, &crypt->sg_dst,
				   crypt->stack->sector_size, iv);

	r = crypt->encrypt ? crypto_skcipher_encrypt(req) : crypto_skcipher_decrypt(req);
	if (wait)
		return crypto_wait_req(r, wait);
	return r == -EBUSY ? -EINPROGRESS : r;
}

/*
 * All layers that the sector hasn't been through. The first one goes from
 * @src to @dst, the others work on what the one before left in @dst.
 *
 * After -EINPROGRESS the driver, and then whoever resumes, owns @crypt.
 */
static int crypt_layers(struct dmsse_crypt *crypt, const struct bio_vec *src,
			const struct bio_vec *dst, struct crypto_wait *wait)
{
	unsigned int size = crypt->stack->sector_size;

	sg_set_page(&crypt->sg_dst, dst->bv_page, size, dst->bv_offset);

	while (crypt->pass < crypt->stack->nr_layers) {
		const struct bio_vec *from = crypt->pass ? dst : src;
		int r;

		sg_set_page(&crypt->sg_src, from->bv_page, size, from->bv_offset);
		r = crypt_layer(crypt, wait);
		if (r)
			return r;
		crypt->pass++;
	}
	return 0;
}

/* A sector that lies in pieces: through a buffer, which has held plaintext. */
static int crypt_scattered(struct dmsse_crypt *crypt, struct crypto_wait *wait)
{
	struct dmsse_stack *stack = crypt->stack;
	struct bio_vec bv;
	u8 *buf;
	int r;

	if (!wait)
		return -EAGAIN;

	buf = mempool_alloc(&stack->scratch, GFP_NOIO);
	copy_span(&crypt->src, buf, stack->sector_size, false);
	bv.bv_page = virt_to_page(buf);
	bv.bv_offset = offset_in_page(buf);
	bv.bv_len = stack->sector_size;
	r = crypt_layers(crypt, &bv, &bv, wait);
	if (!r)
		copy_span(&crypt->dst, buf, stack->sector_size, true);
	memzero_explicit(buf, stack->sector_size);
	mempool_free(buf, &stack->scratch);
	return r;
}

static int crypt_sector(struct dmsse_crypt *crypt, struct crypto_wait *wait)
{
	unsigned int size = crypt->stack->sector_size;
	struct bio_vec src, dst;

	if (!whole_sector(&crypt->src, size, &src) || !whole_sector(&crypt->dst, size, &dst))
		return crypt_scattered(crypt, wait);
	return crypt_layers(crypt, &src, &dst, wait);
}

static void next_sector(struct dmsse_crypt *crypt)
{
	unsigned int size = crypt->stack->sector_size;

	bvec_iter_advance(crypt->src.vec, &crypt->src.iter, size);
	bvec_iter_advance(crypt->dst.vec, &crypt->dst.iter, size);
	crypt->sector += size >> SECTOR_SHIFT;
	crypt->pass = 0;
}

/**
 * dmsse_crypt_init - prepare a run of sectors
 * @crypt: memory of @stack's crypt_size bytes; the caller's, until the run ends
 * @stack: the layers; must outlive the run
 * @sector: sector of the target at which the run begins, in 512-byte sectors
 * @encrypt: direction
 *
 * The caller sets @crypt's src and dst to equal lengths, whole encryption
 * sectors both, and its resume if it will run without sleeping.
 *
 * Context: any.
 */
void dmsse_crypt_init(struct dmsse_crypt *crypt, struct dmsse_stack *stack,
		      u64 sector, bool encrypt)
{
	crypt->stack = stack;
	crypt->sector = sector;
	crypt->pass = 0;
	crypt->encrypt = encrypt;
	crypt->status = 0;
	crypt->resume = NULL;
	sg_init_table(&crypt->sg_src, 1);
	sg_init_table(&crypt->sg_dst, 1);
}

/**
 * dmsse_crypt_run - pass sectors through the layers until there are no more
 * @crypt: prepared by dmsse_crypt_init(), or stopped by an earlier call
 * @may_sleep: wait for drivers and for memory; the pools this waits for are
 *	refilled by runs that wait for no I/O
 *
 * Context: any but hard interrupts and disabled interrupts (the crypto API
 * works in neither); process if @may_sleep.
 *
 * Return:
 * * 0 - done
 * * -EINPROGRESS - a driver goes on by itself and then calls @crypt's resume;
 *   @crypt may be gone already. Only without @may_sleep.
 * * -EAGAIN - call again with @may_sleep. Only without @may_sleep.
 * * other - error of the crypto API; the sector it met may be half done
 */
int dmsse_crypt_run(struct dmsse_crypt *crypt, bool may_sleep)
{
	DECLARE_CRYPTO_WAIT(wait);
	int r = crypt->status;

	if (r)
		return r;

	while (crypt->src.iter.bi_size) {
		r = crypt_sector(crypt, may_sleep ? &wait : NULL);
		if (r)
			return r;
		next_sector(crypt);
	}
	return 0;
}

/* What could break one layer must not break another as well. */
static int check_ciphers_differ(const struct dmsse_stack *stack, const struct dmsse_params *params,
				struct dmsse_error *err)
{
	unsigned int i, j;

	if (params->flags & DMSSE_ALLOW_SAME_CIPHER)
		return 0;
	for (i = 0; i < stack->nr_layers; i++) {
		for (j = 0; j < i; j++) {
			if (!dmsse_layer_same_cipher(&stack->layer[i], &stack->layer[j]))
				continue;
			dmsse_err(err,
				  "both layers are %.48s: use two ciphers, or the option allow_same_cipher",
					stack->layer[i].alg);
			return -EINVAL;
		}
	}
	return 0;
}

/**
 * dmsse_stack_init - set the layers of a target up; they have no keys yet
 * @stack: zeroed
 * @params: the table line
 * @err: why it failed
 *
 * Context: process, sleeps, may load modules.
 * Return: as dmsse_layer_init(), -EINVAL for layers that are too much alike,
 * or -ENOMEM, with which @err is not set. What
 * was done is undone by dmsse_stack_destroy(), after a failure too.
 */
int dmsse_stack_init(struct dmsse_stack *stack, const struct dmsse_params *params,
		     struct dmsse_error *err)
{
	unsigned int i, need, behind = 0;
	int r;

	stack->sector_size = params->sector_size;
	if (params->flags & DMSSE_IV_LARGE_SECTORS)
		stack->iv_shift = ilog2(params->sector_size) - SECTOR_SHIFT;

	for (i = 0; i < params->nr_layers; i++) {
		struct dmsse_layer *layer = &stack->layer[i];

		r = dmsse_layer_init(layer, params, i, err);
		if (r) {
			dmsse_err_layer(err, params->nr_layers, i);
			return r;
		}
		stack->nr_layers++;
		need = layer->reqsize + layer->alignmask + layer->iv_size;
		behind = max(behind, need);
	}
	stack->crypt_size = sizeof(struct dmsse_crypt) + behind;
	r = check_ciphers_differ(stack, params, err);
	if (r)
		return r;
	get_random_bytes(stack->salt, sizeof(stack->salt));

	return mempool_init_kmalloc_pool(&stack->scratch, 2, stack->sector_size);
}

/**
 * dmsse_stack_destroy - undo dmsse_stack_init() and wipe all keys
 * @stack: may be zeroed, or what a failed dmsse_stack_init() left
 *
 * Context: process, sleeps; no I/O in flight.
 */
void dmsse_stack_destroy(struct dmsse_stack *stack)
{
	unsigned int i;

	mempool_exit(&stack->scratch);
	for (i = 0; i < stack->nr_layers; i++)
		dmsse_layer_destroy(&stack->layer[i]);
}

/**
 * dmsse_stack_keyed - does every layer have its key?
 * @stack: the layers
 *
 * Context: any in which no key is being set or wiped: I/O on a live target,
 * or dmsse_target.lock held.
 */
bool dmsse_stack_keyed(const struct dmsse_stack *stack)
{
	unsigned int i;

	for (i = 0; i < stack->nr_layers; i++)
		if (!stack->layer[i].tfm)
			return false;
	return true;
}
