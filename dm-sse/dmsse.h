/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the module share: one section per file.
 *
 * The way of a bio: dmsse_map() -> for a write: bounce pages, layers first to
 * last, submit; for a read: submit, dmsse_end_io(), layers last to first in
 * place. The way of a key: keyring -> key.c -> tfm. Neither goes back up.
 */
#ifndef DMSSE_H
#define DMSSE_H

#ifdef pr_fmt
#undef pr_fmt
#endif
#define pr_fmt(fmt) "dm-sse: " fmt

#include <linux/bio.h>
#include <linux/device-mapper.h>
#include <linux/mempool.h>
#include <linux/mutex.h>
#include <linux/percpu_counter.h>
#include <linux/scatterlist.h>
#include <linux/workqueue.h>
#include <crypto/skcipher.h>

#include "compat.h"
#include "iv.h"
#include "table.h"

struct dmsse_crypt;
struct dmsse_key_marks;

/* layer.c: a cipher layer ------------------------------------------------- */

/**
 * struct dmsse_layer - one cipher with its key, its IVs and nothing else
 * @tfm: keyed transform, or NULL while the layer has no key
 * @marks: what the keys of other layers are compared with; NULL while there is
 *	no key, or nothing to compare it with
 * @alg: algorithm and mode as the crypto API knows them, however they were
 *	spelled; what says only how to call them, or make IVs for them, taken off
 * @driver: name of the crypto driver that was there at construction; later
 *	tfms come from the same one, since @reqsize was reserved for it
 * @iv_scheme: how a sector number becomes an IV
 * @iv_offset: in 512-byte sectors
 * @iv_size: size of the IV in bytes
 * @reqsize: bytes that a request needs behind its struct skcipher_request
 * @alignmask: alignment the driver likes for the IV
 * @insecure: the cipher hides nothing or not enough; see the module parameter
 */
struct dmsse_layer {
	struct crypto_skcipher *tfm;
	struct dmsse_key_marks *marks;
	char alg[CRYPTO_MAX_ALG_NAME];
	char driver[CRYPTO_MAX_ALG_NAME];
	enum dmsse_iv_scheme iv_scheme;
	u64 iv_offset;
	unsigned int iv_size;
	unsigned int reqsize;
	unsigned int alignmask;
	bool insecure;
};

int dmsse_layer_init(struct dmsse_layer *layer, const struct dmsse_params *params,
		     unsigned int index, struct dmsse_error *err);
bool dmsse_layer_same_cipher(const struct dmsse_layer *a, const struct dmsse_layer *b);
struct crypto_skcipher *dmsse_layer_alloc_tfm(const struct dmsse_layer *layer,
					      struct dmsse_error *err);
void dmsse_layer_destroy(struct dmsse_layer *layer);

/* crypt.c: a run of sectors through all layers ---------------------------- */

/* Salt of the marks of keys, in bytes. */
#define DMSSE_SALT_SIZE		32

/**
 * struct dmsse_stack - the layers of a target and what they work on
 * @layer: the layers, innermost first
 * @nr_layers: how many
 * @sector_size: size of an encryption sector, in bytes
 * @iv_shift: see dmsse_iv_sector()
 * @scratch: buffers of one encryption sector each, for sectors that lie
 *	scattered over several bvecs
 * @crypt_size: bytes that a struct dmsse_crypt needs with its request and IV
 * @salt: of the layers' marks, so that they tell nothing to other targets
 */
struct dmsse_stack {
	struct dmsse_layer layer[DMSSE_MAX_LAYERS];
	unsigned int nr_layers;
	unsigned int sector_size;
	unsigned int iv_shift;
	mempool_t scratch;
	unsigned int crypt_size;
	u8 salt[DMSSE_SALT_SIZE];
};

/**
 * struct dmsse_span - where data lies
 * @vec: bvec table; borrowed
 * @iter: what is left of it; bi_sector is not used
 */
struct dmsse_span {
	const struct bio_vec *vec;
	struct bvec_iter iter;
};

/**
 * struct dmsse_crypt - a run of sectors on its way through the layers
 * @stack: the layers
 * @src: data that is still to be read
 * @dst: room for what comes of it; the same place as @src for a read
 * @sector: next sector, in units of 512 bytes from the target's start
 * @pass: layers that sector has already been through
 * @encrypt: direction
 * @status: error of a request that completed asynchronously
 * @resume: called when such a request has completed, in any context; the
 *	caller then goes on with dmsse_crypt_run() from process context
 * @sg_src: request's source
 * @sg_dst: request's destination
 * @req: the one request, used again for each sector and layer; its context
 *	and the IV lie behind it
 */
struct dmsse_crypt {
	struct dmsse_stack *stack;
	struct dmsse_span src;
	struct dmsse_span dst;
	u64 sector;
	unsigned int pass;
	bool encrypt;
	int status;
	void (*resume)(struct dmsse_crypt *crypt);
	struct scatterlist sg_src;
	struct scatterlist sg_dst;
	struct skcipher_request req;
};

int dmsse_stack_init(struct dmsse_stack *stack, const struct dmsse_params *params,
		     struct dmsse_error *err);
void dmsse_stack_destroy(struct dmsse_stack *stack);
bool dmsse_stack_keyed(const struct dmsse_stack *stack);
void dmsse_crypt_init(struct dmsse_crypt *crypt, struct dmsse_stack *stack,
		      u64 sector, bool encrypt);
int dmsse_crypt_run(struct dmsse_crypt *crypt, bool may_sleep);

/* bounce.c: pages for ciphertext on its way down -------------------------- */

/* Most data one write may carry; dmsse_map() splits longer ones. */
#define DMSSE_BOUNCE_MAX_PAGES		64
#define DMSSE_BOUNCE_MAX_SECTORS	(DMSSE_BOUNCE_MAX_PAGES * PAGE_SECTORS)

/* Bvecs that need no table of their own; a 4 KiB write takes one. */
#define DMSSE_BOUNCE_INLINE_VECS	4

/**
 * struct dmsse_bounce_pool - where a target's bounce pages come from
 * @pages: reserve of single pages, enough for the greatest write
 * @tables: bvec tables for writes of more than a few pages
 * @lock: whoever waits for the reserve holds it, see dmsse_bounce_alloc()
 * @held: pages allocated, those of the reserve included
 * @waits: how often a write had to wait
 */
struct dmsse_bounce_pool {
	mempool_t pages;
	mempool_t tables;
	struct mutex lock; /* one write at a time waits for @pages */
	struct percpu_counter held;
	atomic64_t waits;
};

/**
 * struct dmsse_bounce - the bounce pages of one write
 * @vec: bvecs that cover them: @inline_vec, or a table of the pool's
 * @nr: bvecs in use
 * @inline_vec: see DMSSE_BOUNCE_INLINE_VECS
 */
struct dmsse_bounce {
	struct bio_vec *vec;
	unsigned int nr;
	struct bio_vec inline_vec[DMSSE_BOUNCE_INLINE_VECS];
};

int dmsse_bounce_pool_init(struct dmsse_bounce_pool *pool);
void dmsse_bounce_pool_destroy(struct dmsse_bounce_pool *pool);
void dmsse_bounce_alloc(struct dmsse_bounce_pool *pool, struct dmsse_bounce *bounce,
			unsigned int size);
void dmsse_bounce_free(struct dmsse_bounce_pool *pool, struct dmsse_bounce *bounce);
void dmsse_bounce_wipe(struct dmsse_bounce *bounce);

/* target.c: the device-mapper target -------------------------------------- */

/* What status counts; the order is that of the words in the status line. */
enum dmsse_counter {
	DMSSE_READ_BIOS,
	DMSSE_READ_SECTORS,
	DMSSE_WRITE_BIOS,
	DMSSE_WRITE_SECTORS,
	DMSSE_DISCARD_BIOS,
	DMSSE_FLUSH_BIOS,
	DMSSE_CRYPT_ERRORS,
	DMSSE_IO_ERRORS,
	DMSSE_QUEUED_BIOS,
	DMSSE_NR_COUNTERS,
};

struct dmsse_counters {
	u64 value[DMSSE_NR_COUNTERS];
};

/**
 * struct dmsse_target - one sse target
 * @params: the table line; its strings are the target's own
 * @name: the mapped device's, for messages: "<major>:<minor>"; device-mapper's
 * @dev: device below
 * @stack: the layers
 * @bounce: bounce pages
 * @wq: where reads are decrypted that cannot be where they complete; borrowed
 * @counters: what status shows
 * @lock: orders key changes against resume and suspend
 * @live: I/O may arrive; between resume and postsuspend. While set, the tfms
 *	of @stack do not change.
 */
struct dmsse_target {
	struct dmsse_params params;
	const char *name;
	struct dm_dev *dev;
	struct dmsse_stack stack;
	struct dmsse_bounce_pool bounce;
	struct workqueue_struct *wq;
	struct dmsse_counters __percpu *counters;
	struct mutex lock; /* see @lock above */
	bool live;
};

static inline void dmsse_count(struct dmsse_target *sse, enum dmsse_counter counter,
			       unsigned int n)
{
	this_cpu_add(sse->counters->value[counter], n);
}

extern struct target_type dmsse_target_type;

/* io.c: bios -------------------------------------------------------------- */

unsigned int dmsse_io_size(const struct dmsse_target *sse);
int dmsse_map(struct dm_target *ti, struct bio *bio);
int dmsse_end_io(struct dm_target *ti, struct bio *bio, blk_status_t *error);

/* main.c: the module ------------------------------------------------------ */

extern bool dmsse_insecure_ciphers;

struct workqueue_struct *dmsse_workqueue(unsigned long flags);

#endif
