// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bios of arbitrary shapes, for tests only.
 *
 * Submits one random bio after the other to a device under test and keeps a
 * model of what the device must hold. The shapes are those that no program
 * can make: many tiny bvecs, pieces that lie across sectors and pages, any
 * offset and alignment, megabytes at once, and bios that are not aligned to
 * the device's sectors, which must fail and change nothing.
 *
 * With a twin, a second device of the same geometry gets every write that the
 * first one gets, in one plain piece: a test compares what lies below both.
 *
 * All the work is done by loading the module; the result is in its parameters
 * below /sys/module/sse_biogen/parameters: "errors" has to be 0 and "bios"
 * what was asked for.
 */
#define pr_fmt(fmt) "sse_biogen: " fmt

#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/completion.h>
#include <linux/module.h>
#include <linux/random.h>
#include <linux/version.h>
#include <linux/vmalloc.h>

static char *device;
module_param(device, charp, 0444);
MODULE_PARM_DESC(device, "Path of the device under test; what it holds is overwritten");

static char *twin;
module_param(twin, charp, 0444);
MODULE_PARM_DESC(twin, "Path of a device that gets the same data in plain bios");

static unsigned long seed;
module_param(seed, ulong, 0444);
MODULE_PARM_DESC(seed, "Begin of the random sequence (default: by chance)");

static unsigned int count = 1000;
module_param(count, uint, 0444);
MODULE_PARM_DESC(count, "Bios to submit");

static unsigned int bios;
module_param(bios, uint, 0444);
MODULE_PARM_DESC(bios, "Bios that have completed");

static unsigned int errors;
module_param(errors, uint, 0444);
MODULE_PARM_DESC(errors, "Things that went wrong; each is in the kernel log");

static unsigned int refused;
module_param(refused, uint, 0444);
MODULE_PARM_DESC(refused, "Misaligned bios that failed, as they must");

#define DEVICE_BYTES	SZ_4M	/* as much of the device as is used */
#define MAX_BYTES	(SZ_1M + SZ_512K)
#define ARENA_ORDER	9	/* 2 MiB: room for the pieces and gaps */
#define ARENA_BYTES	(PAGE_SIZE << ARENA_ORDER)
#define MAX_VECS	BIO_MAX_VECS
#define MAX_REPORTS	20

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 9, 0)
struct target {
	struct file *file;
	struct block_device *bdev;
};

static int open_target(struct target *t, const char *path)
{
	t->file = bdev_file_open_by_path(path, BLK_OPEN_READ | BLK_OPEN_WRITE, NULL, NULL);
	if (IS_ERR(t->file))
		return PTR_ERR(t->file);
	t->bdev = file_bdev(t->file);
	return 0;
}

static void close_target(struct target *t)
{
	if (t->bdev)
		fput(t->file);
}
#else
struct target {
	struct block_device *bdev;
};

static int open_target(struct target *t, const char *path)
{
	struct block_device *bdev = blkdev_get_by_path(path, FMODE_READ | FMODE_WRITE, NULL);

	if (IS_ERR(bdev))
		return PTR_ERR(bdev);
	t->bdev = bdev;
	return 0;
}

static void close_target(struct target *t)
{
	if (t->bdev)
		blkdev_put(t->bdev, FMODE_READ | FMODE_WRITE);
}
#endif

static struct target dut, mirror;
static struct page *arena;
static u8 *arena_data;
static u8 *model;	/* what the device must hold */
static u8 *before;	/* arena as it was before a bio */
static u64 state;
static unsigned int block;	/* the device's sector, in bytes */

struct shape {
	unsigned int nr;
	unsigned int at[MAX_VECS];
	unsigned int len[MAX_VECS];
	unsigned int bytes;
};

static struct shape shape;

struct waiter {
	struct completion done;
	atomic_t completions;
	blk_status_t status;
};

/* splitmix64, so that a seed means the same everywhere. */
static u64 chance(void)
{
	u64 z = state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static unsigned int below(unsigned int limit)
{
	return (chance() >> 32) % limit;
}

static void randomize(u8 *to, unsigned int bytes)
{
	for (; bytes >= 8; bytes -= 8, to += 8) {
		u64 n = chance();

		memcpy(to, &n, 8);
	}
	while (bytes--)
		*to++ = chance();
}

__printf(1, 2)
static void complain(const char *fmt, ...)
{
	struct va_format vaf = { .fmt = fmt };
	va_list args;

	va_start(args, fmt);
	vaf.va = &args;
	if (errors++ < MAX_REPORTS)
		pr_err("bio %u: %pV\n", bios, &vaf);
	va_end(args);
}

static void on_end(struct bio *bio)
{
	struct waiter *waiter = bio->bi_private;

	waiter->status = bio->bi_status;
	if (atomic_inc_return(&waiter->completions) == 1)
		complete(&waiter->done);
}

/* -EIO and the like, or -ETIMEDOUT if it never comes back. */
static int submit_and_wait(struct bio *bio)
{
	static struct waiter waiter;

	init_completion(&waiter.done);
	atomic_set(&waiter.completions, 0);
	bio->bi_private = &waiter;
	bio->bi_end_io = on_end;
	submit_bio(bio);
	if (!wait_for_completion_timeout(&waiter.done, 60 * HZ)) {
		complain("did not complete");
		return -ETIMEDOUT; /* and the bio is left to whoever has it */
	}
	if (atomic_read(&waiter.completions) != 1)
		complain("completed %d times", atomic_read(&waiter.completions));
	bio_put(bio);
	return blk_status_to_errno(waiter.status);
}

/* Pieces of @bytes in the arena, with gaps between most of them. */
static bool make_shape(unsigned int bytes)
{
	unsigned int kind = below(5), left = bytes, at = 0;

	shape.nr = 0;
	shape.bytes = bytes;
	while (left) {
		unsigned int len = left, gap = 0;

		switch (kind) {
		case 0: /* pages */
			len = PAGE_SIZE;
			break;
		case 1: /* sectors */
			len = 512 * (1 + below(16));
			gap = 512 * below(3);
			break;
		case 2: /* anything */
			len = 1 + below(2 * PAGE_SIZE);
			gap = below(60);
			break;
		case 3: /* tiny */
			len = 1 + below(200);
			gap = below(20);
			break;
		default: /* one, anywhere */
			gap = below(4) ? 512 * below(8) : below(3000);
		}
		len = min(len, left);
		at += gap;
		if (shape.nr == MAX_VECS || at + len > ARENA_BYTES)
			return false;
		shape.at[shape.nr] = at;
		shape.len[shape.nr++] = len;
		at += len;
		left -= len;
	}
	return true;
}

static struct bio *new_bio(struct target *t, blk_opf_t opf, unsigned int from)
{
	struct bio *bio = bio_alloc(t->bdev, shape.nr, opf, GFP_KERNEL);
	unsigned int i;

	bio->bi_iter.bi_sector = from / 512;
	/* Not bio_add_page(): it would merge pieces that touch. */
	for (i = 0; i < shape.nr; i++) {
		struct bio_vec *bv = &bio->bi_io_vec[bio->bi_vcnt++];

		bv->bv_page = arena + (shape.at[i] >> PAGE_SHIFT);
		bv->bv_offset = offset_in_page(shape.at[i]);
		bv->bv_len = shape.len[i];
		bio->bi_iter.bi_size += shape.len[i];
	}
	return bio;
}

/* How much of the arena a bio may touch, and some to see that it doesn't. */
static unsigned int watched(void)
{
	return min_t(unsigned int, ARENA_BYTES,
		     shape.at[shape.nr - 1] + shape.len[shape.nr - 1] + PAGE_SIZE);
}

static void copy_shape(u8 *memory, u8 *linear, bool gather)
{
	unsigned int i;

	for (i = 0; i < shape.nr; i++) {
		if (gather)
			memcpy(linear, memory + shape.at[i], shape.len[i]);
		else
			memcpy(memory + shape.at[i], linear, shape.len[i]);
		linear += shape.len[i];
	}
}

static blk_opf_t random_flags(void)
{
	static const blk_opf_t flags[] = { 0, 0, 0, REQ_SYNC, REQ_FUA, REQ_PREFLUSH,
					   REQ_PREFLUSH | REQ_FUA };

	return flags[below(ARRAY_SIZE(flags))];
}

/* What the twin gets: one piece, aligned, nothing to go wrong. */
static void write_twin(unsigned int from, unsigned int bytes)
{
	struct bio *bio;
	int r;

	if (!mirror.bdev)
		return;
	while (bytes) {
		unsigned int part = min_t(unsigned int, bytes, SZ_64K);

		memcpy(arena_data, model + from, part);
		bio = bio_alloc(mirror.bdev, 1, REQ_OP_WRITE, GFP_KERNEL);
		bio->bi_iter.bi_sector = from / 512;
		__bio_add_page(bio, arena, part, 0);
		r = submit_and_wait(bio);
		if (r)
			complain("twin: write of %u at %u: %d", part, from, r);
		from += part;
		bytes -= part;
	}
}

static void one_write(unsigned int from, bool aligned)
{
	int r;

	randomize(arena_data, shape.at[shape.nr - 1] + shape.len[shape.nr - 1]);
	memcpy(before, arena_data, watched());
	r = submit_and_wait(new_bio(&dut, REQ_OP_WRITE | random_flags(), from));
	if (memcmp(before, arena_data, watched()))
		complain("write of %u at %u changed the submitter's data", shape.bytes, from);
	if (!aligned) {
		if (!r)
			complain("misaligned write of %u at %u was taken", shape.bytes, from);
		refused += !!r;
		return;
	}
	if (r) {
		complain("write of %u at %u in %u pieces: %d", shape.bytes, from, shape.nr, r);
		return;
	}
	copy_shape(arena_data, model + from, true);
	write_twin(from, shape.bytes);
}

static void one_read(unsigned int from, bool aligned)
{
	int r;

	memset(arena_data, 0xa5, watched());
	memset(before, 0xa5, watched());
	r = submit_and_wait(new_bio(&dut, REQ_OP_READ, from));
	if (!aligned) {
		if (!r)
			complain("misaligned read of %u at %u was taken", shape.bytes, from);
		refused += !!r;
	} else if (r) {
		complain("read of %u at %u in %u pieces: %d", shape.bytes, from, shape.nr, r);
		return;
	}
	if (aligned)
		copy_shape(before, model + from, false);
	if (memcmp(before, arena_data, watched()))
		complain("%s of %u at %u in %u pieces gave wrong data",
			 aligned ? "read" : "misaligned read", shape.bytes, from, shape.nr);
}

static void one_bio(void)
{
	/* Where a block is 512 bytes, nothing can be misaligned. */
	bool aligned = block == 512 || below(16);
	unsigned int unit = aligned ? block : 512;
	unsigned int bytes, from;

	do {
		bytes = unit * (1 + below(below(16) ? 24 : MAX_BYTES / unit));
		from = unit * below((DEVICE_BYTES - bytes) / unit + 1);
	} while ((!aligned && !((from | bytes) % block)) || !make_shape(bytes));

	if (below(2))
		one_write(from, aligned);
	else
		one_read(from, aligned);
	bios++;
}

/* All of it, so that a stray write anywhere is found. */
static void write_all(void)
{
	unsigned int from;

	for (from = 0; from < DEVICE_BYTES; from += SZ_64K) {
		shape = (struct shape) { .nr = 1, .len = { SZ_64K }, .bytes = SZ_64K };
		one_write(from, true);
	}
}

static void read_all(void)
{
	unsigned int from;

	for (from = 0; from < DEVICE_BYTES; from += SZ_64K) {
		shape = (struct shape) { .nr = 1, .len = { SZ_64K }, .bytes = SZ_64K };
		one_read(from, true);
	}
}

static void cleanup(void)
{
	kvfree(before);
	kvfree(model);
	if (arena)
		__free_pages(arena, ARENA_ORDER);
	close_target(&mirror);
	close_target(&dut);
}

static int __init biogen_init(void)
{
	int r;

	if (!device)
		return -EINVAL;
	r = open_target(&dut, device);
	if (!r && twin)
		r = open_target(&mirror, twin);
	if (r)
		goto out;
	r = -ENOSPC;
	if (bdev_nr_bytes(dut.bdev) < DEVICE_BYTES ||
	    (twin && bdev_nr_bytes(mirror.bdev) < DEVICE_BYTES))
		goto out;

	r = -ENOMEM;
	arena = alloc_pages(GFP_KERNEL | __GFP_COMP | __GFP_ZERO, ARENA_ORDER);
	model = kvzalloc(DEVICE_BYTES, GFP_KERNEL);
	before = kvmalloc(ARENA_BYTES, GFP_KERNEL);
	if (!arena || !model || !before)
		goto out;
	arena_data = page_address(arena);
	block = bdev_logical_block_size(dut.bdev);

	while (!seed)
		seed = get_random_long();
	state = seed;
	pr_info("seed=%lu count=%u block=%u\n", seed, count, block);

	write_all();
	while (bios < count && errors < MAX_REPORTS) {
		one_bio();
		cond_resched();
	}
	read_all();
	pr_info("%u bios, %u refused, %u errors\n", bios, refused, errors);
	return 0;
out:
	cleanup();
	return r;
}

static void __exit biogen_exit(void)
{
	cleanup();
}

module_init(biogen_init);
module_exit(biogen_exit);

MODULE_DESCRIPTION("Bios of arbitrary shapes for the tests of dm-sse");
MODULE_LICENSE("GPL");
