// SPDX-License-Identifier: GPL-2.0-only
/*
 * The way of a bio, and where the work on it runs.
 *
 * No bio is cloned. Device-mapper's own clone goes down to the device: for a
 * read it carries the submitter's pages, which are decrypted in place when it
 * comes back; for a write its bvec table is exchanged for one of bounce pages
 * and put back at the end. A clone's bvec table is not the clone's to free,
 * so nobody else minds.
 *
 * Writes are encrypted in the submitter's context. Reads are decrypted where
 * they complete, if the crypto API works there and the rest of the machine
 * doesn't wait for it; else by a workqueue.
 */
#include "dmsse.h"

#include <linux/preempt.h>

/*
 * A read that completes in softirq context is decrypted there up to this many
 * bytes; at 1 GB/s that is 64 microseconds.
 */
#define SOFTIRQ_MAX_BYTES	(64 * 1024)

/* What dmsse_end_io() has to do about a bio. */
enum io_kind {
	IO_PASS,	/* nothing: flush, discard */
	IO_READ,	/* decrypt */
	IO_WRITE,	/* free the bounce pages */
	IO_DONE,	/* nothing any more: a read that was decrypted */
};

/**
 * struct dmsse_io - per-bio data
 * @sse: the target
 * @kind: what is to be done at the end
 * @clear_vec: a write's own bvec table while the bio carries @bounce
 * @bounce: a write's bounce pages
 * @work: a read's decryption by workqueue
 * @crypt: the cipher run; its request and IV lie behind it, so it is last
 */
struct dmsse_io {
	struct dmsse_target *sse;
	enum io_kind kind;
	union {
		struct {
			struct bio_vec *clear_vec;
			struct dmsse_bounce bounce;
		};
		struct work_struct work;
	};
	struct dmsse_crypt crypt;
};

/**
 * dmsse_io_size - bytes of per-bio data
 * @sse: the target, its stack set up
 *
 * Context: any.
 */
unsigned int dmsse_io_size(const struct dmsse_target *sse)
{
	/* Device-mapper puts this right before something aligned, so it must fit. */
	return ALIGN(offsetof(struct dmsse_io, crypt) + sse->stack.crypt_size,
		     __alignof__(struct dmsse_io));
}

static struct dmsse_io *io_of(const struct dmsse_target *sse, struct bio *bio)
{
	return dm_per_bio_data(bio, dmsse_io_size(sse));
}

static struct bio *bio_of(struct dmsse_io *io)
{
	return dm_bio_from_per_bio_data(io, dmsse_io_size(io->sse));
}

static void crypt_failed(const struct dmsse_io *io, int error)
{
	const struct dmsse_crypt *crypt = &io->crypt;

	dmsse_count(io->sse, DMSSE_CRYPT_ERRORS, 1);
	pr_err_ratelimited("%s: %s of sector %llu failed with error %d\n", io->sse->name,
			   crypt->encrypt ? "encryption" : "decryption",
			   (unsigned long long)crypt->sector, error);
}

/* Decryption of a read ------------------------------------------------------ */

static blk_status_t read_status(struct dmsse_io *io, int error)
{
	io->kind = IO_DONE;
	if (!error)
		return BLK_STS_OK;
	crypt_failed(io, error);
	return BLK_STS_IOERR;
}

static void finish_read(struct dmsse_io *io, int error)
{
	struct bio *bio = bio_of(io);

	bio->bi_status = read_status(io, error);
	bio_endio(bio); /* comes by dmsse_end_io() again; @io is gone then */
}

static void read_work(struct work_struct *work)
{
	struct dmsse_io *io = container_of(work, struct dmsse_io, work);

	finish_read(io, dmsse_crypt_run(&io->crypt, true));
}

static void queue_read(struct dmsse_io *io)
{
	dmsse_count(io->sse, DMSSE_QUEUED_BIOS, 1);
	INIT_WORK(&io->work, read_work);
	queue_work(io->sse->wq, &io->work);
}

static void resume_read(struct dmsse_crypt *crypt)
{
	queue_read(container_of(crypt, struct dmsse_io, crypt));
}

/* In softirq context, or where nobody knows whether sleeping is allowed. */
static int decrypt_without_sleeping(struct dmsse_io *io)
{
	int r = dmsse_crypt_run(&io->crypt, false);

	if (r == -EAGAIN) {
		queue_read(io);
		r = -EINPROGRESS;
	}
	return r;
}

static void read_bh_work(struct work_struct *work)
{
	struct dmsse_io *io = container_of(work, struct dmsse_io, work);
	int r = decrypt_without_sleeping(io);

	if (r != -EINPROGRESS)
		finish_read(io, r);
}

static void queue_read_bh(struct dmsse_io *io)
{
	dmsse_count(io->sse, DMSSE_QUEUED_BIOS, 1);
	INIT_WORK(&io->work, read_bh_work);
	dmsse_queue_bh(&io->work);
}

static bool crypto_works_here(void)
{
	return !in_hardirq() && !irqs_disabled();
}

static int decrypt_read(struct dmsse_io *io, blk_status_t *error)
{
	bool queueless = io->sse->params.flags & DMSSE_NO_READ_WORKQUEUE;
	unsigned int size = io->crypt.src.iter.bi_size;
	int r;

	if (!crypto_works_here()) {
		if (queueless)
			queue_read_bh(io);
		else
			queue_read(io);
		return DM_ENDIO_INCOMPLETE;
	}
	if (in_serving_softirq() && size > SOFTIRQ_MAX_BYTES && !queueless) {
		queue_read(io);
		return DM_ENDIO_INCOMPLETE;
	}

	r = decrypt_without_sleeping(io);
	if (r == -EINPROGRESS)
		return DM_ENDIO_INCOMPLETE;
	*error = read_status(io, r);
	return DM_ENDIO_DONE;
}

/* The way down -------------------------------------------------------------- */

static int map_read(struct dmsse_io *io, struct bio *bio, sector_t sector)
{
	struct dmsse_target *sse = io->sse;
	struct dmsse_crypt *crypt = &io->crypt;

	io->kind = IO_READ;
	dmsse_crypt_init(crypt, &sse->stack, sector, false);
	crypt->resume = resume_read;
	crypt->src.vec = bio->bi_io_vec;
	crypt->src.iter = bio->bi_iter;
	crypt->dst = crypt->src;

	dmsse_count(sse, DMSSE_READ_BIOS, 1);
	dmsse_count(sse, DMSSE_READ_SECTORS, bio_sectors(bio));
	return DM_MAPIO_REMAPPED;
}

static int map_write(struct dmsse_io *io, struct bio *bio, sector_t sector)
{
	struct dmsse_target *sse = io->sse;
	struct dmsse_crypt *crypt = &io->crypt;
	struct dmsse_bounce *bounce = &io->bounce;
	int r;

	if (bio_sectors(bio) > DMSSE_BOUNCE_MAX_SECTORS)
		dm_accept_partial_bio(bio, DMSSE_BOUNCE_MAX_SECTORS);

	io->kind = IO_WRITE;
	dmsse_bounce_alloc(&sse->bounce, bounce, bio->bi_iter.bi_size);

	dmsse_crypt_init(crypt, &sse->stack, sector, true);
	crypt->src.vec = bio->bi_io_vec;
	crypt->src.iter = bio->bi_iter;
	crypt->dst.vec = bounce->vec;
	crypt->dst.iter = (struct bvec_iter) { .bi_size = bio->bi_iter.bi_size };
	r = dmsse_crypt_run(crypt, true);
	if (r) {
		crypt_failed(io, r);
		dmsse_bounce_wipe(bounce);
		dmsse_bounce_free(&sse->bounce, bounce);
		return DM_MAPIO_KILL;
	}

	io->clear_vec = bio->bi_io_vec;
	bio->bi_io_vec = bounce->vec;
	bio->bi_iter.bi_idx = 0;
	bio->bi_iter.bi_bvec_done = 0;

	dmsse_count(sse, DMSSE_WRITE_BIOS, 1);
	dmsse_count(sse, DMSSE_WRITE_SECTORS, bio_sectors(bio));
	return DM_MAPIO_REMAPPED;
}

/**
 * dmsse_map - device-mapper's map function
 * @ti: the target
 * @bio: device-mapper's clone
 *
 * Context: process, the submitter's; may sleep for bounce pages.
 * Return: DM_MAPIO_REMAPPED; or DM_MAPIO_KILL for a bio that isn't aligned to
 * encryption sectors, for an error of the crypto API, and without a key.
 */
int dmsse_map(struct dm_target *ti, struct bio *bio)
{
	struct dmsse_target *sse = ti->private;
	struct dmsse_io *io = io_of(sse, bio);
	sector_t sector = dm_target_offset(ti, bio->bi_iter.bi_sector);
	unsigned int mask = (sse->stack.sector_size >> SECTOR_SHIFT) - 1;
	int r = DM_MAPIO_REMAPPED;

	io->sse = sse;
	io->kind = IO_PASS;

	switch (bio_op(bio)) {
	case REQ_OP_READ:
	case REQ_OP_WRITE:
		if (bio->bi_opf & REQ_PREFLUSH) {
			/* Empty: device-mapper has split the data off. */
			dmsse_count(sse, DMSSE_FLUSH_BIOS, 1);
			bio_set_dev(bio, sse->dev->bdev);
			return DM_MAPIO_REMAPPED;
		}
		if ((sector | bio_sectors(bio)) & mask || !dmsse_stack_keyed(&sse->stack))
			return DM_MAPIO_KILL;
		if (bio_op(bio) == REQ_OP_READ)
			r = map_read(io, bio, sector);
		else
			r = map_write(io, bio, sector);
		break;
	case REQ_OP_DISCARD:
	case REQ_OP_SECURE_ERASE:
		dmsse_count(sse, DMSSE_DISCARD_BIOS, 1);
		break;
	default:
		/* Whatever it is, it would write or read ciphertext. */
		return DM_MAPIO_KILL;
	}

	bio_set_dev(bio, sse->dev->bdev);
	bio->bi_iter.bi_sector = sse->params.start + sector;
	return r;
}

/**
 * dmsse_end_io - device-mapper's end_io function
 * @ti: the target
 * @bio: device-mapper's clone
 * @error: the device's status; may be set
 *
 * Called once for each bio that dmsse_map() remapped, and a second time, by
 * bio_endio(), for a read that was queued.
 *
 * Context: any.
 * Return: DM_ENDIO_DONE, or DM_ENDIO_INCOMPLETE for a read that is queued.
 */
int dmsse_end_io(struct dm_target *ti, struct bio *bio, blk_status_t *error)
{
	struct dmsse_target *sse = ti->private;
	struct dmsse_io *io = io_of(sse, bio);

	if (*error && io->kind != IO_DONE)
		dmsse_count(sse, DMSSE_IO_ERRORS, 1);

	switch (io->kind) {
	case IO_WRITE:
		bio->bi_io_vec = io->clear_vec;
		dmsse_bounce_free(&sse->bounce, &io->bounce);
		break;
	case IO_READ:
		if (!*error)
			return decrypt_read(io, error);
		break;
	case IO_PASS:
	case IO_DONE:
		break;
	}
	return DM_ENDIO_DONE;
}
