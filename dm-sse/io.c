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
 * Writes are encrypted by their submitter, with or without helpers. Reads are
 * decrypted where they complete or by a workqueue. policy.c says which.
 */
#include "dmsse.h"

#include <linux/preempt.h>
#include <linux/sched.h>

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
 * @leased: it has passed the gate of the target's lease, and must leave it
 * @part: of a read: the bio was longer, more of it follows
 * @queued: of a read: a worker has begun with it, or will
 * @handover: of a read that is queued
 * @clear_vec: a write's own bvec table while the bio carries @bounce
 * @bounce: a write's bounce pages
 * @work: a read's decryption by workqueue
 * @crypt: the cipher run; its request and IV lie behind it, so it is last
 */
struct dmsse_io {
	struct dmsse_target *sse;
	enum io_kind kind;
	bool leased;
	bool part;
	bool queued;
	union {
		struct {
			struct bio_vec *clear_vec;
			struct dmsse_bounce bounce;
		};
		struct {
			struct work_struct work;
			struct dmsse_handover handover;
		};
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

/*
 * A worker waits for memory, but not for a driver: reads of other targets, whose
 * drivers may be in better health, need it. Only where memory is short is a sector in
 * pieces waited for.
 */
static void decrypt_in_worker(struct dmsse_io *io)
{
	int r = dmsse_crypt_run(&io->crypt, false);

	if (r == -EAGAIN)
		r = dmsse_crypt_run(&io->crypt, true);
	if (r != -EINPROGRESS)
		finish_read(io, r);
}

static void read_work(struct work_struct *work)
{
	struct dmsse_io *io = container_of(work, struct dmsse_io, work);

	dmsse_policy_begun(&io->handover);
	decrypt_in_worker(io);
}

static void resume_work(struct work_struct *work)
{
	decrypt_in_worker(container_of(work, struct dmsse_io, work));
}

static void queue_on(struct workqueue_struct *wq, struct dmsse_io *io, unsigned int part_bytes)
{
	io->queued = true;
	dmsse_count(io->sse, DMSSE_QUEUED_BIOS, 1);
	dmsse_policy_gave_away(&io->handover, &io->sse->stack, part_bytes);
	queue_work(wq, &io->work);
}

static void queue_read(struct dmsse_io *io)
{
	INIT_WORK(&io->work, read_work);
	queue_on(io->sse->wq, io, io->part ? dmsse_crypt_left(&io->crypt) : 0);
}

/*
 * To go on with one that is queued already tells nothing about idle CPUs. The work
 * item's function may not have returned by now, but from where dmsse_crypt_run() has
 * left a request to a driver it touches nothing of @io, and nor does the workqueue.
 */
static void resume_read(struct dmsse_crypt *crypt)
{
	struct dmsse_io *io = container_of(crypt, struct dmsse_io, crypt);

	if (!io->queued) {
		queue_read(io);
		return;
	}
	INIT_WORK(&io->work, resume_work);
	queue_work(io->sse->wq, &io->work);
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

static enum dmsse_place place_of(const struct dmsse_io *io)
{
	if (io->sse->params.flags & DMSSE_NO_READ_WORKQUEUE)
		return in_hardirq() || irqs_disabled() ? DMSSE_SOON : DMSSE_HERE;
	return dmsse_policy_read(&io->sse->stack, dmsse_crypt_left(&io->crypt), io->part);
}

static void queue_read_soon(struct dmsse_io *io);

/* Return: 0 or an error for a read that is decrypted, -EINPROGRESS for one that will be. */
static int decrypt_read(struct dmsse_io *io)
{
	switch (place_of(io)) {
	case DMSSE_SOON:
		queue_read_soon(io);
		return -EINPROGRESS;
	case DMSSE_ELSEWHERE:
		queue_read(io);
		return -EINPROGRESS;
	case DMSSE_HERE:
		break;
	}
	return decrypt_without_sleeping(io);
}

static void read_soon_work(struct work_struct *work)
{
	struct dmsse_io *io = container_of(work, struct dmsse_io, work);
	int r;

	dmsse_policy_begun(&io->handover);
	r = decrypt_read(io);
	if (r != -EINPROGRESS)
		finish_read(io, r);
}

static void queue_read_soon(struct dmsse_io *io)
{
	struct workqueue_struct *wq = dmsse_bh_workqueue() ?:
		dmsse_workqueue(io->sse->params.flags | DMSSE_HIGH_PRIORITY);

	INIT_WORK(&io->work, read_soon_work);
	queue_on(wq, io, 0);
}

/* The way down -------------------------------------------------------------- */

static int map_read(struct dmsse_io *io, struct bio *bio, sector_t sector)
{
	struct dmsse_target *sse = io->sse;
	struct dmsse_crypt *crypt = &io->crypt;

	io->kind = IO_READ;
	io->queued = false;
	dmsse_crypt_init(crypt, &sse->stack, sector, false);
	crypt->resume = resume_read;
	crypt->src.vec = bio->bi_io_vec;
	crypt->src.iter = bio->bi_iter;
	crypt->dst = crypt->src;

	dmsse_count_data(sse, DMSSE_READ_BIOS, DMSSE_READ_SECTORS, bio_sectors(bio));
	return DM_MAPIO_REMAPPED;
}

static unsigned int max_sectors(const struct dmsse_target *sse, const struct bio *bio)
{
	switch (bio_op(bio)) {
	case REQ_OP_READ:
		return dmsse_policy_piece(&sse->stack) >> SECTOR_SHIFT;
	case REQ_OP_WRITE:
		/* Beyond it the reserve of bounce pages might not do. */
		return DMSSE_BOUNCE_MAX_SECTORS;
	default:
		return UINT_MAX;
	}
}

/*
 * Once for each bio, in map. Device-mapper calls map again for the rest, before
 * it returns to the submitter.
 */
static void cut_bio(struct dmsse_io *io, struct bio *bio)
{
	unsigned int max = max_sectors(io->sse, bio);

	io->part = bio_sectors(bio) > max;
	if (!io->part)
		return;
	dm_accept_partial_bio(bio, max);
	if (dmsse_policy_yield())
		cond_resched();
}

/*
 * None where an option says that a write stays where it was submitted, and none for
 * a driver that has others do the work: a helper would wait for it, and keep a worker
 * from reads of other targets.
 */
static struct workqueue_struct *helpers_of(const struct dmsse_target *sse)
{
	if (READ_ONCE(sse->stack.defers))
		return NULL;
	if (sse->params.flags & (DMSSE_NO_WRITE_WORKQUEUE | DMSSE_SAME_CPU_CRYPT))
		return NULL;
	return sse->wq;
}

static int encrypt_write(struct dmsse_io *io)
{
	struct dmsse_crypt *crypt = &io->crypt;

	if (crypt->src.iter.bi_size <= dmsse_policy_chunk(crypt->stack))
		return dmsse_crypt_run(crypt, true);
	return dmsse_spread_run(crypt, helpers_of(io->sse));
}

static int map_write(struct dmsse_io *io, struct bio *bio, sector_t sector)
{
	struct dmsse_target *sse = io->sse;
	struct dmsse_crypt *crypt = &io->crypt;
	struct dmsse_bounce *bounce = &io->bounce;
	int r;

	io->kind = IO_WRITE;
	dmsse_bounce_alloc(&sse->bounce, bounce, bio->bi_iter.bi_size);

	dmsse_crypt_init(crypt, &sse->stack, sector, true);
	crypt->src.vec = bio->bi_io_vec;
	crypt->src.iter = bio->bi_iter;
	crypt->dst.vec = bounce->vec;
	crypt->dst.iter = (struct bvec_iter) { .bi_size = bio->bi_iter.bi_size };
	r = encrypt_write(io);
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

	dmsse_count_data(sse, DMSSE_WRITE_BIOS, DMSSE_WRITE_SECTORS, bio_sectors(bio));
	return DM_MAPIO_REMAPPED;
}

static int map_discard(struct dmsse_io *io)
{
	io->kind = IO_PASS;
	dmsse_count(io->sse, DMSSE_DISCARD_BIOS, 1);
	return DM_MAPIO_REMAPPED;
}

static int map_by_op(struct dmsse_io *io, struct bio *bio, sector_t sector)
{
	switch (bio_op(bio)) {
	case REQ_OP_READ:
		return map_read(io, bio, sector);
	case REQ_OP_WRITE:
		return map_write(io, bio, sector);
	default:
		return map_discard(io);
	}
}

static void leave_lease(struct dmsse_io *io)
{
	if (!io->leased)
		return;
	io->leased = false;
	dmsse_lease_leave(io->sse->lease);
}

/* Send a bio to the device below: one that may pass, and that check_bio() took. */
static int map_bio(struct dm_target *ti, struct dmsse_io *io, struct bio *bio)
{
	sector_t sector = dm_target_offset(ti, bio->bi_iter.bi_sector);
	int r;

	r = map_by_op(io, bio, sector);
	if (r != DM_MAPIO_REMAPPED) {
		leave_lease(io);
		return r;
	}
	bio_set_dev(bio, io->sse->dev->bdev);
	bio->bi_iter.bi_sector = io->sse->params.start + sector;
	return r;
}

/* Empty: device-mapper has split the data off. */
static bool is_flush(const struct bio *bio)
{
	return (bio_op(bio) == REQ_OP_READ || bio_op(bio) == REQ_OP_WRITE) &&
	       bio->bi_opf & REQ_PREFLUSH;
}

/*
 * It needs no key, and whatever was written while there was one shall become
 * durable: so a flush passes always.
 */
static int map_flush(struct dmsse_target *sse, struct bio *bio)
{
	dmsse_count(sse, DMSSE_FLUSH_BIOS, 1);
	bio_set_dev(bio, sse->dev->bdev);
	return DM_MAPIO_REMAPPED;
}

/* Is this a bio that the target can do anything about? */
static bool check_bio(struct dm_target *ti, const struct dmsse_target *sse, const struct bio *bio)
{
	unsigned int mask = (sse->stack.sector_size >> SECTOR_SHIFT) - 1;

	switch (bio_op(bio)) {
	case REQ_OP_READ:
	case REQ_OP_WRITE:
		return !((dm_target_offset(ti, bio->bi_iter.bi_sector) | bio_sectors(bio)) & mask);
	case REQ_OP_DISCARD:
	case REQ_OP_SECURE_ERASE:
		return true;
	default:
		/* Whatever it is, it would write or read ciphertext. */
		return false;
	}
}

/**
 * dmsse_map - device-mapper's map function
 * @ti: the target
 * @bio: device-mapper's clone
 *
 * Context: process, the submitter's; may sleep for bounce pages.
 * Return: DM_MAPIO_REMAPPED; DM_MAPIO_KILL for a bio that isn't aligned to
 * encryption sectors, for an error of the crypto API, and without a key; or
 * what dmsse_lease_refuse() makes of one that comes too late.
 */
int dmsse_map(struct dm_target *ti, struct bio *bio)
{
	struct dmsse_target *sse = ti->private;
	struct dmsse_io *io = io_of(sse, bio);

	io->sse = sse;
	io->kind = IO_PASS;
	io->leased = false;

	if (is_flush(bio))
		return map_flush(sse, bio);
	if (!check_bio(ti, sse, bio))
		return DM_MAPIO_KILL;
	cut_bio(io, bio);
	if (sse->lease) {
		if (!dmsse_lease_enter(sse->lease)) {
			io->kind = IO_DONE;
			return dmsse_lease_refuse(sse->lease, bio);
		}
		io->leased = true;
	}
	if (!dmsse_stack_keyed(&sse->stack)) {
		leave_lease(io);
		return DM_MAPIO_KILL;
	}
	return map_bio(ti, io, bio);
}

/**
 * dmsse_io_go_on - send a bio on its way that dmsse_lease_refuse() has held
 * @ti: the target
 * @bio: device-mapper's clone, now past the gate of the lease
 *
 * Context: process; may sleep for bounce pages, as dmsse_map(). Not from where
 * reads are decrypted.
 */
void dmsse_io_go_on(struct dm_target *ti, struct bio *bio)
{
	struct dmsse_target *sse = ti->private;
	struct dmsse_io *io = io_of(sse, bio);

	io->leased = true;
	if (map_bio(ti, io, bio) == DM_MAPIO_REMAPPED) {
		dm_submit_bio_remap(bio, NULL);
		return;
	}
	io->kind = IO_DONE;
	bio_io_error(bio);
}

static int end_read(struct dmsse_io *io, blk_status_t *error)
{
	int r = decrypt_read(io);

	if (r == -EINPROGRESS)
		return DM_ENDIO_INCOMPLETE;
	*error = read_status(io, r);
	return DM_ENDIO_DONE;
}

static int finish_bio(struct dmsse_io *io, struct bio *bio, blk_status_t *error)
{
	struct dmsse_target *sse = io->sse;

	if (*error && io->kind != IO_DONE)
		dmsse_count(sse, DMSSE_IO_ERRORS, 1);

	switch (io->kind) {
	case IO_WRITE:
		bio->bi_io_vec = io->clear_vec;
		dmsse_bounce_free(&sse->bounce, &io->bounce);
		break;
	case IO_READ:
		if (!*error)
			return end_read(io, error);
		break;
	case IO_PASS:
	case IO_DONE:
		break;
	}
	return DM_ENDIO_DONE;
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
	struct dmsse_io *io = io_of(ti->private, bio);
	int r = finish_bio(io, bio, error);

	/* One that is queued may be gone by now. */
	if (r == DM_ENDIO_DONE)
		leave_lease(io);
	return r;
}
