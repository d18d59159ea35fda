/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What suites that run ciphers share: a device's layers with keys, and a
 * reference that has no code in common with them; memory that a run is strewn
 * over; and a cipher of our own.
 */
#ifndef DMSSE_TEST_RIG_H
#define DMSSE_TEST_RIG_H

#include "dmsse.h"
#include "test.h"

#include <linux/completion.h>
#include <linux/sizes.h>
#include <crypto/aes.h>

/* Longest run of sectors, in bytes, and the memory it is strewn over. */
#define MAX_RUN		SZ_64K
#define ARENA_ORDER	6
#define ARENA_SIZE	(PAGE_SIZE << ARENA_ORDER)
#define MAX_PIECES	1024
#define MAX_KEY		64

enum reference_iv { REF_LE64, REF_LE32, REF_BE64, REF_ESSIV };

struct rig_config {
	const char *name;
	const char *spec;
	const char *plain_alg; /* what the reference encrypts with */
	enum reference_iv iv;
	unsigned int key_size;
	unsigned int sector_size;
	bool large;
	const struct rig_config *outer; /* another layer; its sectors are ours */
};

/* A layer of the reference. */
struct reference {
	enum reference_iv iv;
	u64 iv_offset;
	struct crypto_skcipher *plain;
	struct crypto_aes_ctx essiv;
	u8 key[MAX_KEY];
};

/* A device's ciphers, keyed, and the reference's. */
struct rig {
	const struct rig_config *config;
	struct dmsse_stack stack;
	struct reference layer[DMSSE_MAX_LAYERS];
	struct completion resumed;
	unsigned int resumes;
	struct dmsse_crypt *crypt;
	void *crypt_memory;
};

/* Memory that bvecs lie in, scattered and with gaps between them. */
struct arena {
	struct page *pages;
	u8 *data;
	u8 *expected; /* what @data has to be in the end */
	struct bio_vec vec[MAX_PIECES];
	unsigned int position[MAX_PIECES];
	unsigned int order[MAX_PIECES]; /* in which they were placed */
	unsigned int nr;
	unsigned int lead; /* bytes in front of the run */
};

enum layout { ONE_PIECE, UNALIGNED, PAGES, SECTORS, ANY, TINY, NR_LAYOUTS };

struct rig_pair {
	const char *name;
	unsigned int sector_size;
	bool large;
	const struct rig_config *inner;
	const struct rig_config *outer; /* NULL: none */
};

/* Layers that pairs are made of. */
extern const struct rig_config dmsse_rig_xts;
extern const struct rig_config dmsse_rig_xts_32;
extern const struct rig_config dmsse_rig_xts_cryptd;
extern const struct rig_config dmsse_rig_serpent_be;
extern const struct rig_config dmsse_rig_essiv;
extern const struct rig_config dmsse_rig_cbc_cryptd;
extern const struct rig_config dmsse_rig_adiantum;
extern const struct rig_config dmsse_rig_toy;

/* The cipher that does what it is told, "dmssetest". */
enum manner {
	AT_ONCE,	/* returns the result */
	LATER,		/* completes from a workqueue */
	BACKLOG,	/* says -EBUSY, then -EINPROGRESS, and then completes */
	EARLY,		/* has completed when it says -EINPROGRESS */
};

/* How the next requests are to be answered, and how many there were. */
struct rig_plan {
	enum manner manner;
	unsigned int fail_at; /* request that fails, counted from 1; 0: none */
	int error;
	u64 takes_ns; /* at least, by each request */
	struct task_struct *submitter; /* requests of other tasks are counted */
	bool needs_others; /* what completes LATER waits for the first of these */
	struct workqueue_struct *flush; /* ... and for all that is queued here */
	atomic_t requests;
	atomic_t others;
	u64 failed_iv; /* of the request that failed, as a number */
	bool slept_atomically; /* a request asked for sleeping allocations */
};

extern struct rig_plan dmsse_rig_plan;
extern struct workqueue_struct *dmsse_rig_queue;

int dmsse_ref_layer(const struct rig_config *config, const struct reference *layer,
		    u64 sector, u8 *buf, size_t size, bool encrypt);
int dmsse_ref_crypt(const struct rig *rig, u64 sector, u8 *buf, size_t size, bool encrypt);
int dmsse_rig_params(const struct rig_config *config, struct dmsse_params *params,
		     struct dmsse_error *err);
void dmsse_rig_set_key(struct kunit *test, struct rig *rig, unsigned int index, unsigned int size);
bool dmsse_rig_not_stacked(int r, const struct dmsse_error *err);
struct rig *dmsse_rig_create(struct kunit *test, const struct rig_config *config, u64 inner_offset,
			     u64 outer_offset, u64 *state);
struct dmsse_crypt *dmsse_rig_new_crypt(struct rig *rig, unsigned int shift);
struct arena *dmsse_arena_new(struct kunit *test, u64 *state);
bool dmsse_arena_lay_out(u64 *state, struct arena *arena, enum layout layout, unsigned int lead,
			 unsigned int size);
struct dmsse_span dmsse_arena_span(const struct arena *arena, unsigned int size);
void dmsse_arena_copy(const struct arena *arena, u8 *memory, u8 *linear, unsigned int size,
		      bool out);
u64 dmsse_rig_sector(u64 *state, unsigned int unit);
const struct rig_config *dmsse_rig_config(struct kunit *test, const struct rig_pair *pair);
void dmsse_rig_policy(struct kunit *test, const char *name);
int dmsse_rig_init(struct kunit_suite *suite);
void dmsse_rig_exit(struct kunit_suite *suite);

#endif
