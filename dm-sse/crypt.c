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
#include <linux/ktime.h>
#include <linux/slab.h>

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

/* The next piece of @span that lies in one piece, its page the first with data. */
static struct bio_vec next_piece(const struct dmsse_span *span)
{
	struct bio_vec bv = mp_bvec_iter_bvec(span->vec, span->iter);

	bv.bv_page += bv.bv_offset >> PAGE_SHIFT;
	bv.bv_offset = offset_in_page(bv.bv_offset);
	return bv;
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

/* A read is decrypted where it lies. */
static bool in_place(const struct dmsse_crypt *crypt)
{
	return crypt->src.vec == crypt->dst.vec;
}

/*
 * One layer over the sector that sg_src and sg_dst describe. Only the first one
 * reads from sg_src, the others work on what the one before left in sg_dst.
 */
static int crypt_layer(struct dmsse_crypt *crypt, struct crypto_wait *wait)
{
	struct dmsse_layer *layer = layer_of(crypt);
	struct skcipher_request *req = &crypt->req;
	bool first = !crypt->pass && !in_place(crypt);
	u8 *iv = iv_of(crypt, layer);
	int r;

	dmsse_iv_fill(layer->iv_scheme, iv, layer->iv_size,
		      dmsse_iv_sector(crypt->sector, layer->iv_offset, crypt->stack->iv_shift));

	skcipher_request_set_tfm(req, layer->tfm);
	skcipher_request_set_crypt(req, first ? &crypt->sg_src : &crypt->sg_dst, &crypt->sg_dst,
				   crypt->stack->sector_size, iv);

	r = crypt->encrypt ? crypto_skcipher_encrypt(req) : crypto_skcipher_decrypt(req);
	if (!wait)
		return r == -EBUSY ? -EINPROGRESS : r;
	if ((r == -EINPROGRESS || r == -EBUSY) && !READ_ONCE(crypt->stack->defers))
		WRITE_ONCE(crypt->stack->defers, true);
	return crypto_wait_req(r, wait);
}

/*
 * All layers that the sector hasn't been through. After -EINPROGRESS the
 * driver, and then whoever resumes, owns @crypt.
 */
static int crypt_layers(struct dmsse_crypt *crypt, struct crypto_wait *wait)
{
	while (crypt->pass < crypt->stack->nr_layers) {
		int r = crypt_layer(crypt, wait);

		if (r)
			return r;
		crypt->pass++;
	}
	return 0;
}

static void sector_done(struct dmsse_crypt *crypt)
{
	crypt->done += crypt->stack->sector_size;
	crypt->sector += crypt->stack->sector_size >> SECTOR_SHIFT;
	crypt->pass = 0;
}

/* Of most runs all is done at once, and the iterators are not needed again. */
static void settle_done(struct dmsse_crypt *crypt)
{
	if (!crypt->done)
		return;
	bvec_iter_advance(crypt->src.vec, &crypt->src.iter, crypt->done);
	bvec_iter_advance(crypt->dst.vec, &crypt->dst.iter, crypt->done);
	crypt->done = 0;
}

/*
 * A run that stops at a driver keeps its buffer until someone resumes it, who may
 * find all workers waiting for one of the reserve. So the reserve is for runs that
 * wait for nothing but drivers.
 */
static u8 *take_buffer(struct dmsse_stack *stack, bool may_sleep)
{
	if (may_sleep)
		return mempool_alloc(&stack->scratch, GFP_NOIO);
	return kmalloc(stack->sector_size, GFP_NOWAIT | __GFP_NOWARN);
}

/* One from outside the reserve may well go to fill it up. */
static void drop_buffer(struct dmsse_crypt *crypt)
{
	if (!crypt->buffer)
		return;
	memzero_explicit(crypt->buffer, crypt->stack->sector_size);
	mempool_free(crypt->buffer, &crypt->stack->scratch);
	crypt->buffer = NULL;
}

/* A sector that lies in pieces: through a buffer, which will have held plaintext. */
static int crypt_scattered(struct dmsse_crypt *crypt, struct crypto_wait *wait)
{
	unsigned int size = crypt->stack->sector_size;
	int r;

	if (!crypt->buffer) {
		crypt->buffer = take_buffer(crypt->stack, wait);
		if (!crypt->buffer)
			return -EAGAIN;
		copy_span(&crypt->src, crypt->buffer, size, false);
		sg_init_one(&crypt->sg_src, crypt->buffer, size);
		sg_init_one(&crypt->sg_dst, crypt->buffer, size);
	}
	r = crypt_layers(crypt, wait);
	if (r)
		return r;
	copy_span(&crypt->dst, crypt->buffer, size, true);
	sector_done(crypt);
	drop_buffer(crypt);
	return 0;
}

/* One entry, the only one: sg_init_one() without the call. */
static void sg_set_piece(struct scatterlist *sg, const struct bio_vec *bv, unsigned int size)
{
	sg->page_link = SG_END;
	sg_set_page(sg, bv->bv_page, size, bv->bv_offset);
}

static void sg_advance(struct scatterlist *sg, unsigned int size)
{
	sg->offset += size;
	if (sg->offset >= PAGE_SIZE) {
		sg_assign_page(sg, sg_page(sg) + 1);
		sg->offset -= PAGE_SIZE;
	}
}

/*
 * Sectors that can be handed to the ciphers as they lie: each in one piece, and
 * aligned so that no cipher's block lies across a page boundary, for which the
 * crypto API would have to allocate memory. Those that are in one piece together
 * differ in little but their place.
 */
static int crypt_pieces(struct dmsse_crypt *crypt, struct crypto_wait *wait)
{
	unsigned int size = crypt->stack->sector_size;
	struct bio_vec src = next_piece(&crypt->src);
	struct bio_vec dst = in_place(crypt) ? src : next_piece(&crypt->dst);
	unsigned int i, nr = min(src.bv_len, dst.bv_len) / size;

	if (!nr || !IS_ALIGNED(src.bv_offset | dst.bv_offset, SECTOR_SIZE))
		return crypt_scattered(crypt, wait);

	sg_set_piece(&crypt->sg_src, &src, size);
	sg_set_piece(&crypt->sg_dst, &dst, size);
	for (i = 0; i < nr; i++) {
		int r;

		if (i) {
			sg_advance(&crypt->sg_src, size);
			sg_advance(&crypt->sg_dst, size);
		}
		r = crypt_layers(crypt, wait);
		if (r)
			return r;
		sector_done(crypt);
	}
	return 0;
}

/*
 * CRYPTO_TFM_REQ_MAY_SLEEP is left out on purpose: it would have the crypto
 * API allocate with GFP_KERNEL, which may wait for the very I/O this is about.
 */
static void set_callback(struct dmsse_crypt *crypt, struct crypto_wait *wait)
{
	if (wait)
		skcipher_request_set_callback(&crypt->req, CRYPTO_TFM_REQ_MAY_BACKLOG,
					      crypto_req_done, wait);
	else
		skcipher_request_set_callback(&crypt->req, CRYPTO_TFM_REQ_MAY_BACKLOG,
					      async_callback, crypt);
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
	crypt->done = 0;
	crypt->pass = 0;
	crypt->encrypt = encrypt;
	crypt->status = 0;
	crypt->buffer = NULL;
	crypt->resume = NULL;
}

/* After -EINPROGRESS @crypt may be gone. */
static int run(struct dmsse_crypt *crypt, struct crypto_wait *wait)
{
	int r = crypt->status;

	set_callback(crypt, wait);
	while (!r && dmsse_crypt_left(crypt)) {
		settle_done(crypt);
		r = crypt_pieces(crypt, wait);
	}
	if (r && r != -EINPROGRESS)
		drop_buffer(crypt);
	return r;
}

/**
 * dmsse_crypt_run - pass sectors through the layers until there are no more
 * @crypt: prepared by dmsse_crypt_init(), or stopped by an earlier call
 * @may_sleep: wait for drivers and for memory; the pools this waits for are
 *	refilled by runs that wait for drivers only
 *
 * Context: any but hard interrupts and disabled interrupts (the crypto API
 * works in neither); process if @may_sleep.
 *
 * Return:
 * * 0 - done
 * * -EINPROGRESS - a driver goes on by itself and then calls @crypt's resume;
 *   @crypt may be gone already. Only without @may_sleep.
 * * -EAGAIN - no memory for a sector in pieces: call again with @may_sleep. Only
 *   without @may_sleep.
 * * other - error of the crypto API; the sector it met may be half done
 */
int dmsse_crypt_run(struct dmsse_crypt *crypt, bool may_sleep)
{
	if (may_sleep) {
		DECLARE_CRYPTO_WAIT(wait);

		return run(crypt, &wait);
	}
	return run(crypt, NULL);
}

/* Tries of a measurement; the first warms the caches, and any may be disturbed. */
#define MEASURE_TRIES	5

/**
 * dmsse_crypt_measure - how long the layers take for an encryption sector
 * @stack: the layers, with keys; no I/O yet
 *
 * Context: process, sleeps.
 * Return: nanoseconds, never 0, or 0 if it could not be found out.
 */
u64 dmsse_crypt_measure(struct dmsse_stack *stack)
{
	struct dmsse_crypt *crypt = kmalloc(stack->crypt_size, GFP_KERNEL);
	struct bio_vec bv = { .bv_len = stack->sector_size };
	u64 best = U64_MAX;
	unsigned int i;
	void *buf;

	if (!crypt)
		return 0;
	buf = mempool_alloc(&stack->scratch, GFP_KERNEL);
	memset(buf, 0, stack->sector_size);
	bv.bv_page = virt_to_page(buf);
	bv.bv_offset = offset_in_page(buf);
	for (i = 0; best && i < MEASURE_TRIES; i++) {
		u64 start;

		dmsse_crypt_init(crypt, stack, 0, true);
		crypt->src.vec = &bv;
		crypt->src.iter = (struct bvec_iter) { .bi_size = stack->sector_size };
		crypt->dst = crypt->src;
		start = ktime_get_ns();
		if (dmsse_crypt_run(crypt, true))
			best = 0;
		else
			best = min(best, max(ktime_get_ns() - start, 1ULL));
	}
	memzero_explicit(buf, stack->sector_size);
	mempool_free(buf, &stack->scratch);
	kfree_sensitive(crypt);
	return best;
}
