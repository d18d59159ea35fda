// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bios for benchmarks, made in the kernel and timed there.
 *
 * User Mode Linux charges a system call 50 us, more than a bio of 4 KiB takes,
 * so that no program could measure what a device-mapper target costs.
 *
 *	echo "PATH read|write SIZE DEPTH SPAN CHUNKS [MILLISECONDS]" > parameters/run
 *	cat parameters/result
 *
 * sends CHUNKS chunks of bios, SIZE bytes each, to random places of the first
 * SPAN bytes, DEPTH at a time; the result has the nanoseconds that a bio took in
 * the 25th percentile of the chunks, in the fastest and in the median one, and
 * how many bios a chunk had. A chunk has so many that it takes 0.3 ms: short
 * against what disturbs a machine, so that a quarter of them is undisturbed, and
 * long against the clock. Writing destroys what the device holds.
 *
 * With MILLISECONDS a second pass of about that length, but of 200 bios at least,
 * has DEPTH bios under way all the time and takes the time of each, from before it
 * is submitted until it ends; the result then has the 50th and the 99th percentile
 * of these as well. It is a pass of its own so that what that costs is in no chunk,
 * and takes time from the CPU's counter, as User Mode Linux's clock has steps of
 * 256 ns.
 *
 *	echo "read|write SIZE SECTOR CHUNKS ALGORITHM KEY-BYTES [ALGORITHM KEY-BYTES]" \
 *		> parameters/cipher
 *
 * does the same with buffers instead of bios, which a cipher decrypts or encrypts
 * in sectors of SECTOR bytes, or one cipher after the other: what no disk
 * encryption can be faster than.
 *
 *	echo "DRIVER" > parameters/prefer
 *
 * has the crypto API take this implementation of an algorithm from now on.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/completion.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/prandom.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/scatterlist.h>
#include <linux/sort.h>
#include <crypto/skcipher.h>

#define LOAD_CHUNK_NS	(300 * NSEC_PER_USEC)
#define LOAD_MAX_DEPTH	128
#define LOAD_MAX_CHUNKS	10000
#define LOAD_MAX_SIZE	SZ_1M
#define LOAD_MAX_LAYERS	2
#define LOAD_MAX_MS	1000
#define LOAD_MIN_EACH	200
#define LOAD_MAX_EACH	SZ_64K

struct load;

struct load_slot {
	struct bio *bio;
	struct page *pages;
	struct load *load;
	struct llist_node node;
	u64 cycles;			/* when it was sent, then what it took */
};

/* A cipher and what it needs, for timing it alone. */
struct load_layer {
	struct crypto_skcipher *tfm;
	struct skcipher_request *req;
};

struct load {
	struct block_device *bdev;
	struct load_layer layer[LOAD_MAX_LAYERS];	/* instead of the device */
	unsigned int layers;
	unsigned int sector;		/* bytes */
	enum req_op op;
	unsigned int size;		/* bytes of a bio */
	unsigned int depth;
	u64 places;			/* of a bio in the span */
	unsigned int chunks;
	struct rnd_state random;
	struct llist_head ended;	/* slots whose bios came back */
	struct completion some_ended;
	blk_status_t status;
	struct load_slot slots[LOAD_MAX_DEPTH];
	u64 *ns;			/* of each chunk */
	unsigned int ms;		/* of the pass that times single bios */
	u64 *each;			/* cycles of each bio, in that pass only */
	unsigned int nr_each;
	u64 pass_ns, pass_cycles;	/* of that pass as a whole */
};

/* One setting at a time, and no reading meanwhile: parameters have a lock. */
static char load_result[160] = "nothing was run\n";

/* User Mode Linux has no get_cycles(). */
static u64 load_cycles(void)
{
	return __builtin_ia32_rdtsc();
}

static void load_end_io(struct bio *bio)
{
	struct load_slot *slot = bio->bi_private;
	struct load *load = slot->load;

	if (load->each)
		slot->cycles = load_cycles() - slot->cycles;
	if (bio->bi_status)
		load->status = bio->bi_status;
	llist_add(&slot->node, &load->ended);
	complete(&load->some_ended);
}

static void load_submit(struct load *load, struct load_slot *slot)
{
	u64 place = prandom_u32_state(&load->random) % load->places;
	struct bio *bio = slot->bio;
	unsigned int i;

	bio_reset(bio, load->bdev, load->op);
	bio->bi_iter.bi_sector = place * (load->size >> SECTOR_SHIFT);
	bio->bi_private = slot;
	bio->bi_end_io = load_end_io;
	for (i = 0; i < load->size; i += PAGE_SIZE)
		__bio_add_page(bio, slot->pages + i / PAGE_SIZE,
			       min_t(unsigned int, load->size - i, PAGE_SIZE), 0);
	if (load->each)
		slot->cycles = load_cycles();
	submit_bio(bio);
}

/* Sends @bios bios and waits for the last one. Returns nanoseconds. */
static u64 load_bios(struct load *load, unsigned int bios)
{
	unsigned int sent, ended = 0;
	u64 start;

	reinit_completion(&load->some_ended);
	start = ktime_get_ns();
	for (sent = 0; sent < min(load->depth, bios); sent++)
		load_submit(load, &load->slots[sent]);
	while (ended < bios) {
		struct load_slot *slot, *next;

		wait_for_completion(&load->some_ended);
		llist_for_each_entry_safe(slot, next, llist_del_all(&load->ended), node) {
			ended++;
			if (load->each)
				load->each[load->nr_each++] = slot->cycles;
			if (sent < bios) {
				sent++;
				load_submit(load, slot);
			}
		}
	}
	return ktime_get_ns() - start;
}

static int load_one_sector(struct load *load, unsigned int layer, struct page *page,
			   unsigned int offset)
{
	struct skcipher_request *req = load->layer[layer].req;
	u8 iv[32] = {};
	struct scatterlist sg;

	sg_init_table(&sg, 1);
	sg_set_page(&sg, page + offset / PAGE_SIZE, load->sector, offset_in_page(offset));
	skcipher_request_set_crypt(req, &sg, &sg, load->sector, iv);
	return load->op == REQ_OP_WRITE ? crypto_skcipher_encrypt(req) :
					  crypto_skcipher_decrypt(req);
}

/* Passes a buffer through the ciphers, @times times. Returns nanoseconds. */
static u64 load_ciphers(struct load *load, unsigned int times)
{
	u64 start = ktime_get_ns();
	unsigned int offset, i;

	while (times--) {
		for (offset = 0; offset < load->size; offset += load->sector) {
			for (i = 0; i < load->layers; i++) {
				/* One that is asynchronous has no business here. */
				if (load_one_sector(load, i, load->slots[0].pages, offset))
					load->status = BLK_STS_IOERR;
			}
		}
	}
	return ktime_get_ns() - start;
}

static u64 load_chunk(struct load *load, unsigned int times)
{
	return load->layers ? load_ciphers(load, times) : load_bios(load, times);
}

static int load_compare(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

static void load_sort(u64 *times, unsigned int nr)
{
	sort(times, nr, sizeof(*times), load_compare, NULL);
}

/* The pass that times single bios, of which one takes about @ns. */
static int load_measure_each(struct load *load, u64 ns)
{
	unsigned int bios = clamp_t(u64, div64_u64(load->ms * NSEC_PER_MSEC, ns),
				    LOAD_MIN_EACH, LOAD_MAX_EACH);

	load->each = kvcalloc(bios, sizeof(*load->each), GFP_KERNEL);
	if (!load->each)
		return -ENOMEM;
	load->pass_cycles = load_cycles();
	load->pass_ns = load_bios(load, bios);
	load->pass_cycles = load_cycles() - load->pass_cycles;
	load_sort(load->each, bios);
	return 0;
}

static u64 load_percentile(struct load *load, unsigned int percent)
{
	return mul_u64_u64_div_u64(load->each[load->nr_each * percent / 100], load->pass_ns,
				   load->pass_cycles);
}

/* The chunks, after as many as it takes to find out how many bios have one. */
static int load_measure(struct load *load)
{
	unsigned int bios = load->depth, length, i;
	u64 ns;
	int r;

	for (;;) {
		/* Twice, for the first warms everything up. */
		load_chunk(load, bios);
		ns = load_chunk(load, bios);
		if (ns >= LOAD_CHUNK_NS || bios >= 1 << 20)
			break;
		bios = ns < LOAD_CHUNK_NS / 8 ? bios * 4 :
			max_t(u64, bios + 1, div64_u64(bios * (LOAD_CHUNK_NS + ns / 8), ns));
	}
	for (i = 0; i < load->chunks; i++)
		load->ns[i] = load_chunk(load, bios);
	load_sort(load->ns, load->chunks);
	if (load->ms) {
		r = load_measure_each(load, div64_u64(load->ns[load->chunks / 4], bios) + 1);
		if (r)
			return r;
	}
	if (load->status)
		return blk_status_to_errno(load->status);

	/* In picoseconds, printed as nanoseconds with three digits. */
#define PS(index) div64_u64(load->ns[index] * 1000, bios)
	{
		u64 quarter = PS(load->chunks / 4), least = PS(0);
		u64 median = PS(load->chunks / 2);

		length = scnprintf(load_result, sizeof(load_result),
				   "p25 %llu.%03llu min %llu.%03llu median %llu.%03llu bios %u",
				   quarter / 1000, quarter % 1000, least / 1000, least % 1000,
				   median / 1000, median % 1000, bios);
	}
#undef PS
	if (load->each)
		length += scnprintf(load_result + length, sizeof(load_result) - length,
				    " p50 %llu p99 %llu", load_percentile(load, 50),
				    load_percentile(load, 99));
	scnprintf(load_result + length, sizeof(load_result) - length, "\n");
	return 0;
}

static void load_free(struct load *load)
{
	unsigned int i;

	for (i = 0; i < load->layers; i++) {
		skcipher_request_free(load->layer[i].req);
		crypto_free_skcipher(load->layer[i].tfm);
	}
	for (i = 0; i < LOAD_MAX_DEPTH; i++) {
		struct load_slot *slot = &load->slots[i];

		if (slot->bio)
			bio_uninit(slot->bio);
		kfree(slot->bio);
		if (slot->pages)
			__free_pages(slot->pages, get_order(load->size));
	}
	kvfree(load->each);
	kvfree(load->ns);
	kvfree(load);
}

static int load_alloc(struct load *load)
{
	unsigned int i, n = DIV_ROUND_UP(load->size, PAGE_SIZE);

	load->ns = kvcalloc(load->chunks, sizeof(*load->ns), GFP_KERNEL);
	if (!load->ns)
		return -ENOMEM;
	for (i = 0; i < load->depth; i++) {
		struct load_slot *slot = &load->slots[i];

		slot->load = load;
		slot->bio = bio_kmalloc(n, GFP_KERNEL);
		if (!slot->bio)
			return -ENOMEM;
		bio_init(slot->bio, NULL, slot->bio->bi_inline_vecs, n, 0);
		slot->pages = alloc_pages(GFP_KERNEL, get_order(load->size));
		if (!slot->pages)
			return -ENOMEM;
		get_random_bytes(page_address(slot->pages), min_t(u32, load->size, PAGE_SIZE));
	}
	return 0;
}

/* What both parameters have in common around what they do. */
static int load_with(const char *text, int (*set_up_and_measure)(struct load *, const char *))
{
	struct load *load = kvzalloc(sizeof(*load), GFP_KERNEL);
	int r;

	if (!load)
		return -ENOMEM;
	r = set_up_and_measure(load, text);
	load_free(load);
	return r;
}

static int load_device(struct load *load, const char *text)
{
	char path[96], direction[8];
	struct file *file;
	u64 span;
	int r;

	if (sscanf(text, "%95s %7s %u %u %llu %u %u", path, direction, &load->size,
		   &load->depth, &span, &load->chunks, &load->ms) < 6)
		return -EINVAL;
	load->op = strcmp(direction, "write") ? REQ_OP_READ : REQ_OP_WRITE;
	if (!load->size || load->size > LOAD_MAX_SIZE || load->size % SECTOR_SIZE ||
	    !load->depth || load->depth > LOAD_MAX_DEPTH || load->ms > LOAD_MAX_MS ||
	    !load->chunks || load->chunks > LOAD_MAX_CHUNKS || span < load->size)
		return -EINVAL;
	load->places = div_u64(span, load->size);
	prandom_seed_state(&load->random, 1);
	init_llist_head(&load->ended);
	init_completion(&load->some_ended);
	r = load_alloc(load);
	if (r)
		return r;

	/* Shared: the plain disk is measured while device-mapper holds it. */
	file = bdev_file_open_by_path(path, BLK_OPEN_READ | BLK_OPEN_WRITE, NULL, NULL);
	if (IS_ERR(file))
		return PTR_ERR(file);
	load->bdev = file_bdev(file);
	r = span <= bdev_nr_bytes(load->bdev) ? load_measure(load) : -ENOSPC;
	bdev_fput(file);
	return r;
}

static int load_run(const char *text, const struct kernel_param *param)
{
	return load_with(text, load_device);
}

static const struct kernel_param_ops load_run_ops = {
	.set = load_run,
};
module_param_cb(run, &load_run_ops, NULL, 0200);
MODULE_PARM_DESC(run, "PATH read|write SIZE DEPTH SPAN CHUNKS [MILLISECONDS]");

static int load_add_layer(struct load *load, const char *algorithm, unsigned int key_bytes)
{
	struct load_layer *layer = &load->layer[load->layers];
	u8 key[64];

	if (key_bytes > sizeof(key))
		return -EINVAL;
	/* As disk encryption does: what sleeps or completes later is not excluded. */
	layer->tfm = crypto_alloc_skcipher(algorithm, 0, 0);
	if (IS_ERR(layer->tfm))
		return PTR_ERR(layer->tfm);
	layer->req = skcipher_request_alloc(layer->tfm, GFP_KERNEL);
	if (!layer->req) {
		crypto_free_skcipher(layer->tfm);
		return -ENOMEM;
	}
	load->layers++;
	skcipher_request_set_callback(layer->req, 0, NULL, NULL);
	/* No secret: nothing that this key encrypts is ever kept. */
	get_random_bytes(key, key_bytes);
	return crypto_skcipher_setkey(layer->tfm, key, key_bytes);
}

static int load_layers(struct load *load, const char *text)
{
	char direction[8], algorithm[LOAD_MAX_LAYERS][64];
	unsigned int key_bytes[LOAD_MAX_LAYERS], i;
	int n, r;

	n = sscanf(text, "%7s %u %u %u %63s %u %63s %u", direction, &load->size, &load->sector,
		   &load->chunks, algorithm[0], &key_bytes[0], algorithm[1], &key_bytes[1]);
	if ((n != 6 && n != 8) || !load->chunks || load->chunks > LOAD_MAX_CHUNKS ||
	    load->size > LOAD_MAX_SIZE || load->sector < SECTOR_SIZE ||
	    load->sector > PAGE_SIZE || !load->size || load->size % load->sector)
		return -EINVAL;
	load->op = strcmp(direction, "write") ? REQ_OP_READ : REQ_OP_WRITE;
	load->depth = 1;
	r = load_alloc(load);
	for (i = 0; !r && i < (n - 4) / 2; i++)
		r = load_add_layer(load, algorithm[i], key_bytes[i]);
	return r ?: load_measure(load);
}

static int load_cipher(const char *text, const struct kernel_param *param)
{
	return load_with(text, load_layers);
}

static const struct kernel_param_ops load_cipher_ops = {
	.set = load_cipher,
};
module_param_cb(cipher, &load_cipher_ops, NULL, 0200);
MODULE_PARM_DESC(cipher, "read|write SIZE SECTOR CHUNKS ALGORITHM KEY-BYTES [ALGORITHM KEY-BYTES]");

/* The highest priority any driver has is some hundreds. */
static int load_prefer(const char *text, const struct kernel_param *param)
{
	static int highest = 10000;
	char driver[CRYPTO_MAX_ALG_NAME];
	struct crypto_skcipher *tfm;

	if (sscanf(text, "%127s", driver) != 1)
		return -EINVAL;
	tfm = crypto_alloc_skcipher(driver, 0, 0);
	if (IS_ERR(tfm))
		return PTR_ERR(tfm);
	crypto_skcipher_tfm(tfm)->__crt_alg->cra_priority = ++highest;
	crypto_free_skcipher(tfm);
	return 0;
}

static const struct kernel_param_ops load_prefer_ops = {
	.set = load_prefer,
};
module_param_cb(prefer, &load_prefer_ops, NULL, 0200);
MODULE_PARM_DESC(prefer, "DRIVER");

module_param_string(result, load_result, sizeof(load_result), 0444);
MODULE_PARM_DESC(result, "nanoseconds per bio of the last run");

MODULE_DESCRIPTION("Bios for benchmarks");
MODULE_LICENSE("GPL");
