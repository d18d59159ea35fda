/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the module share: one section per file.
 *
 * The way of a bio: dmsse_map() -> for a write: bounce pages, layers first to
 * last, submit; for a read: submit, dmsse_end_io(), layers last to first in
 * place. The way of a key: keyring -> key.c -> tfm, and if its lease is to be
 * watched a reference to it, without its bytes, to lease_key.c.
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
#include <linux/time64.h>
#include <linux/workqueue.h>
#include <crypto/skcipher.h>

#include "compat.h"
#include "iv.h"
#include "table.h"

struct dmsse_crypt;
struct dmsse_key_marks;
struct dmsse_lease;

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

/* stack.c: the layers of a target ----------------------------------------- */

/* Salt of the marks of keys, in bytes. */
#define DMSSE_SALT_SIZE		32

/**
 * struct dmsse_stack - the layers of a target and what they work on
 * @layer: the layers, innermost first
 * @nr_layers: how many
 * @sector_size: size of an encryption sector, in bytes
 * @iv_shift: see dmsse_iv_sector()
 * @scratch: reserve of buffers of one encryption sector each, for sectors that
 *	lie scattered over several bvecs
 * @crypt_size: bytes that a struct dmsse_crypt needs with its request and IV
 * @ns_per_kib: what all layers take for 1 KiB, in nanoseconds; see policy.c
 * @chunk: see dmsse_policy_chunk(), in bytes
 * @piece: see dmsse_policy_piece(), in bytes
 * @salt: of the layers' marks, so that they tell nothing to other targets
 * @defers: a driver was waited for: it has the work done elsewhere
 */
struct dmsse_stack {
	struct dmsse_layer layer[DMSSE_MAX_LAYERS];
	unsigned int nr_layers;
	unsigned int sector_size;
	unsigned int iv_shift;
	mempool_t scratch;
	unsigned int crypt_size;
	unsigned int ns_per_kib;
	unsigned int chunk;
	unsigned int piece;
	u8 salt[DMSSE_SALT_SIZE];
	bool defers;
};

int dmsse_stack_init(struct dmsse_stack *stack, const struct dmsse_params *params,
		     struct dmsse_error *err);
void dmsse_stack_destroy(struct dmsse_stack *stack);

/**
 * dmsse_stack_keyed - does every layer have its key?
 * @stack: the layers
 *
 * Context: any in which no key is being set or wiped: I/O on a live target,
 * or dmsse_target.lock held.
 */
static inline bool dmsse_stack_keyed(const struct dmsse_stack *stack)
{
	unsigned int i;

	for (i = 0; i < stack->nr_layers; i++)
		if (!stack->layer[i].tfm)
			return false;
	return true;
}

/* crypt.c: a run of sectors through all layers ---------------------------- */

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
 * @src: where the data are read
 * @dst: where what comes of it goes; the same as @src, to its bvec table, for a
 *	run in place
 * @sector: next sector, in units of 512 bytes from the target's start
 * @done: bytes at the beginning of @src and @dst that are done
 * @pass: layers that sector has already been through
 * @encrypt: direction
 * @status: error of a request that completed asynchronously
 * @buffer: of a sector that lies scattered, while it is on its way; or NULL
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
	unsigned int done;
	unsigned int pass;
	bool encrypt;
	int status;
	u8 *buffer;
	void (*resume)(struct dmsse_crypt *crypt);
	struct scatterlist sg_src;
	struct scatterlist sg_dst;
	struct skcipher_request req;
};

void dmsse_crypt_init(struct dmsse_crypt *crypt, struct dmsse_stack *stack,
		      u64 sector, bool encrypt);
int dmsse_crypt_run(struct dmsse_crypt *crypt, bool may_sleep);

/**
 * dmsse_crypt_left - how much of a run is still to be done
 * @crypt: a run that nobody works on
 *
 * Context: any. Return: bytes.
 */
static inline unsigned int dmsse_crypt_left(const struct dmsse_crypt *crypt)
{
	return crypt->src.iter.bi_size - crypt->done;
}

u64 dmsse_crypt_measure(struct dmsse_stack *stack);

/* policy.c: where the work runs, and how much at a time ------------------- */

/* CPUs that may help one submitter. */
#define DMSSE_MAX_HELPERS	3

/**
 * enum dmsse_place - where to decrypt a read
 * @DMSSE_HERE: where it completed
 * @DMSSE_SOON: not here, but as soon as that is possible
 * @DMSSE_ELSEWHERE: by a worker, on a CPU that has time
 */
enum dmsse_place {
	DMSSE_HERE,
	DMSSE_SOON,
	DMSSE_ELSEWHERE,
};

/**
 * struct dmsse_handover - a read on its way to a worker
 * @deadline: when the CPU that gave it away could have been done with it, in
 *	nanoseconds of local_clock(); 0 if that is of no interest
 * @cpu: that CPU
 */
struct dmsse_handover {
	u64 deadline;
	int cpu;
};

void dmsse_policy_init(struct dmsse_stack *stack);
unsigned int dmsse_policy_chunk(const struct dmsse_stack *stack);
unsigned int dmsse_policy_piece(const struct dmsse_stack *stack);
unsigned int dmsse_policy_helpers(unsigned int chunks, unsigned int cpus);
void dmsse_policy_helped(unsigned int chunks);
enum dmsse_place dmsse_policy_read(const struct dmsse_stack *stack, unsigned int bytes, bool part);
bool dmsse_policy_yield(void);
void dmsse_policy_gave_away(struct dmsse_handover *handover, const struct dmsse_stack *stack,
			    unsigned int part_bytes);
void dmsse_policy_begun(const struct dmsse_handover *handover);

/* spread.c: a write that several CPUs encrypt ----------------------------- */

int dmsse_spread_run(struct dmsse_crypt *crypt, struct workqueue_struct *wq);

/* recycle.c: pages from one write to the next ----------------------------- */

/* Orders of pages that are recycled: from 0 to one less. */
#define DMSSE_RECYCLE_ORDERS		(PAGE_ALLOC_COSTLY_ORDER + 1)

struct page *dmsse_recycle_take(unsigned int order);
void dmsse_recycle_put(struct page *page, unsigned int order);
unsigned long dmsse_recycle_drain(unsigned long nr);
unsigned long dmsse_recycle_count(void);
int dmsse_recycle_init(void);
void dmsse_recycle_exit(void);

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
 * @held: pages that writes have
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
 * @nr_pages: single pages in them
 * @inline_vec: see DMSSE_BOUNCE_INLINE_VECS
 */
struct dmsse_bounce {
	struct bio_vec *vec;
	unsigned int nr;
	unsigned int nr_pages;
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
 * @wq: where reads are decrypted that are not where they complete, and where
 *	helpers of writes run; borrowed
 * @counters: what status shows
 * @lease: what watches over the keys, or NULL without the option key_lease
 * @lock: orders key changes against resume, suspend and each other
 * @live: I/O may arrive; between resume and postsuspend. While set, the tfms
 *	of @stack do not change, unless the lease has lapsed.
 */
struct dmsse_target {
	struct dmsse_params params;
	const char *name;
	struct dm_dev *dev;
	struct dmsse_stack stack;
	struct dmsse_bounce_pool bounce;
	struct workqueue_struct *wq;
	struct dmsse_counters __percpu *counters;
	struct dmsse_lease *lease;
	struct mutex lock; /* see @lock above */
	bool live;
};

static inline void dmsse_count(struct dmsse_target *sse, enum dmsse_counter counter,
			       unsigned int n)
{
	this_cpu_add(sse->counters->value[counter], n);
}

/*
 * Both of a read's or a write's. Nobody else writes these, no interrupt either;
 * sum_counter() reads them meanwhile.
 */
static inline void dmsse_count_data(struct dmsse_target *sse, enum dmsse_counter bios,
				    enum dmsse_counter sectors, unsigned int nr_sectors)
{
	struct dmsse_counters *counters = get_cpu_ptr(sse->counters);

	WRITE_ONCE(counters->value[bios], counters->value[bios] + 1);
	WRITE_ONCE(counters->value[sectors], counters->value[sectors] + nr_sectors);
	put_cpu_ptr(sse->counters);
}

void dmsse_log_error(struct dm_target *ti, const struct dmsse_error *err);

extern struct target_type dmsse_target_type;

/* status.c: what it tells of itself --------------------------------------- */

void dmsse_status(struct dm_target *ti, status_type_t type, unsigned int status_flags,
		  char *result, unsigned int maxlen);

/* control.c: suspend, resume, messages ------------------------------------ */

void dmsse_presuspend(struct dm_target *ti);
void dmsse_postsuspend(struct dm_target *ti);
int dmsse_preresume(struct dm_target *ti);
void dmsse_resume(struct dm_target *ti);
int dmsse_handle_message(struct dm_target *ti, unsigned int argc, char **argv,
			 char *result, unsigned int maxlen);
bool dmsse_takes_io(struct dm_target *ti);

/* io.c: bios -------------------------------------------------------------- */

unsigned int dmsse_io_size(const struct dmsse_target *sse);
int dmsse_map(struct dm_target *ti, struct bio *bio);
void dmsse_io_go_on(struct dm_target *ti, struct bio *bio);
int dmsse_end_io(struct dm_target *ti, struct bio *bio, blk_status_t *error);

/* lease*.c: I/O only while the keys are valid ----------------------------- */

/**
 * enum dmsse_lease_state - whether I/O passes
 * @DMSSE_LEASE_VALID: it does
 * @DMSSE_LEASE_LAPSING: no new I/O does; what is under way comes to its end
 * @DMSSE_LEASE_LAPSED: nothing is under way, and the keys were wiped; a new one
 *	may be set
 */
enum dmsse_lease_state {
	DMSSE_LEASE_VALID,
	DMSSE_LEASE_LAPSING,
	DMSSE_LEASE_LAPSED,
};

/**
 * struct dmsse_clocks - two clocks, read one right after the other
 * @real: wall clock, in seconds; whoever sets it makes it jump
 * @boot: seconds since boot, those in suspend-to-RAM included; never jumps
 */
struct dmsse_clocks {
	time64_t real;
	time64_t boot;
};

/* lease.c: the lease's life */

struct dmsse_lease *dmsse_lease_create(struct dm_target *ti, struct dmsse_target *sse);
void dmsse_lease_watch(struct dmsse_lease *lease);
void dmsse_lease_destroy(struct dmsse_lease *lease);

void dmsse_lease_check(struct dmsse_lease *lease);
void dmsse_lease_renew(struct dmsse_lease *lease);
int dmsse_lease_settle(struct dmsse_lease *lease);
enum dmsse_lease_state dmsse_lease_state(const struct dmsse_lease *lease);
const char *dmsse_lease_reason(const struct dmsse_lease *lease);

int dmsse_leases_init(void);
void dmsse_leases_exit(void);

/* lease_io.c: the gate, and bios that wait */

bool dmsse_lease_enter(struct dmsse_lease *lease);
void dmsse_lease_leave(struct dmsse_lease *lease);
int dmsse_lease_refuse(struct dmsse_lease *lease, struct bio *bio);
void dmsse_lease_presuspend(struct dmsse_lease *lease);

/* lease_key.c: the keys, and when they end */

time64_t dmsse_lease_deadline(time64_t expiry, const struct dmsse_clocks *now, time64_t before);
int dmsse_lease_accepts(struct dmsse_lease *lease, unsigned int index, struct key *key,
			struct dmsse_error *err);
void dmsse_lease_adopt(struct dmsse_lease *lease, unsigned int index, struct key *key);
void dmsse_lease_drop(struct dmsse_lease *lease, unsigned int index);

/* lease_tell.c: what the world hears of it */

size_t dmsse_lease_emit(struct dmsse_lease *lease, char *buf, size_t size);
void dmsse_lease_resumed(struct dmsse_lease *lease);

/* main.c: the module ------------------------------------------------------ */

extern bool dmsse_insecure_ciphers;

struct workqueue_struct *dmsse_workqueue(unsigned long flags);

#endif
