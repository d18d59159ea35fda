// SPDX-License-Identifier: GPL-2.0-only
/*
 * Crypto drivers that fail and dawdle as they are told, for tests only.
 *
 * Each implements a cipher of the kernel by way of that kernel's own driver of it,
 * with a priority above all others, and is asynchronous. What it does about its
 * requests is in files of its directory, below sse_faulty in debugfs:
 *
 *	manner		when a request is answered:
 *			now	before the call returns
 *			early	likewise, but by its completion
 *			later	from a workqueue
 *			backlog	likewise, after it was said to be in the backlog
 *			reverse	from a workqueue, those that there are last to first
 *			hold	when the manner is another one
 *	every		each n-th request fails; 1 is all of them, 0 none
 *	skip		as many requests go well before the first that fails
 *	error		errno of these (5)
 *	setkey_error	errno of setkey; 0: it works
 *	init_error	errno of the allocation of a tfm; 0: it works
 *	extra		bytes that tfms allocated from now on want for a request,
 *			beyond what they need
 *
 * and what there was to see:
 *
 *	requests, failed, completed
 *	held		requests that wait
 *	slept		requests that let the crypto API wait for memory: must stay 0
 *
 * A request that fails leaves its destination full of POISON.
 */
#define pr_fmt(fmt) "sse_faulty: " fmt

#include <linux/debugfs.h>
#include <linux/err.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>
#include <crypto/internal/skcipher.h>
#include <crypto/scatterwalk.h>

#define POISON	0xf5

enum manner {
	NOW,
	EARLY,
	LATER,
	BACKLOG,
	REVERSE,
	HOLD,
};

static const char * const manner_names[] = {
	[NOW]		= "now",
	[EARLY]		= "early",
	[LATER]		= "later",
	[BACKLOG]	= "backlog",
	[REVERSE]	= "reverse",
	[HOLD]		= "hold",
};

/* A driver, and what it does: the numbers are files of its directory. */
struct faulty {
	const char *inner; /* driver of the kernel's that does the work */
	const char *dir;
	spinlock_t lock; /* manner, waiting */
	enum manner manner;
	struct list_head waiting; /* requests for @work, in the order in which they came */
	struct work_struct work;
	u32 every;
	u32 skip;
	u32 error;
	u32 setkey_error;
	u32 init_error;
	u32 extra;
	atomic_t requests;
	atomic_t failed;
	atomic_t completed;
	atomic_t held;
	atomic_t slept;
	struct skcipher_alg alg;
};

struct faulty_tfm {
	struct crypto_skcipher *inner;
};

/* Context of a request; that of the inner one lies behind it. */
struct faulty_request {
	struct list_head node;
	struct skcipher_request *req;
	bool encrypt;
	bool bad;
	bool backlogged;
	struct skcipher_request inner;
};

static struct dentry *root;
static struct workqueue_struct *queue;

static struct faulty *faulty_of(struct crypto_skcipher *tfm)
{
	return container_of(crypto_skcipher_alg(tfm), struct faulty, alg);
}

static void poison(struct skcipher_request *req)
{
	unsigned int at, len;
	u8 buf[64];

	memset(buf, POISON, sizeof(buf));
	for (at = 0; at < req->cryptlen; at += len) {
		len = min_t(unsigned int, req->cryptlen - at, sizeof(buf));
		scatterwalk_map_and_copy(buf, req->dst, at, len, 1);
	}
}

static int work_on(struct faulty_request *ctx)
{
	struct skcipher_request *req = ctx->req;
	const struct faulty_tfm *tfm = crypto_skcipher_ctx(crypto_skcipher_reqtfm(req));

	skcipher_request_set_tfm(&ctx->inner, tfm->inner);
	skcipher_request_set_callback(&ctx->inner, req->base.flags & CRYPTO_TFM_REQ_MAY_SLEEP,
				      NULL, NULL);
	skcipher_request_set_crypt(&ctx->inner, req->src, req->dst, req->cryptlen, req->iv);
	return ctx->encrypt ? crypto_skcipher_encrypt(&ctx->inner) :
			      crypto_skcipher_decrypt(&ctx->inner);
}

/* Is it this one's turn to fail? */
static bool is_bad(struct faulty *faulty, unsigned int number)
{
	unsigned int every = READ_ONCE(faulty->every), skip = READ_ONCE(faulty->skip);

	return every && number > skip && !((number - skip) % every);
}

/* Not before it is answered: what is looked at too early is not there yet. */
static int result_of(struct faulty *faulty, struct faulty_request *ctx)
{
	atomic_inc(&faulty->completed);
	if (!ctx->bad)
		return work_on(ctx);
	poison(ctx->req);
	atomic_inc(&faulty->failed);
	return -(int)READ_ONCE(faulty->error);
}

/* The crypto API's callers may count on it that softirqs are off. */
static void give_answer(struct faulty *faulty, struct faulty_request *ctx)
{
	struct skcipher_request *req = ctx->req;
	int result = result_of(faulty, ctx);

	local_bh_disable();
	if (ctx->backlogged)
		skcipher_request_complete(req, -EINPROGRESS);
	skcipher_request_complete(req, result);
	local_bh_enable();
}

/* The request whose turn it is, off the list; NULL if none is to be answered. */
static struct faulty_request *next_waiting(struct faulty *faulty)
{
	struct list_head *waiting = &faulty->waiting, *node = NULL;

	spin_lock_bh(&faulty->lock);
	if (faulty->manner != HOLD && !list_empty(waiting)) {
		node = faulty->manner == REVERSE ? waiting->prev : waiting->next;
		list_del(node);
		atomic_dec(&faulty->held);
	}
	spin_unlock_bh(&faulty->lock);
	return node ? list_entry(node, struct faulty_request, node) : NULL;
}

static void answer(struct work_struct *work)
{
	struct faulty *faulty = container_of(work, struct faulty, work);
	struct faulty_request *ctx;

	while ((ctx = next_waiting(faulty))) {
		give_answer(faulty, ctx);
		cond_resched();
	}
}

/* What the call returns for a request that is answered later; 0 for one that isn't. */
static int wait_for_work(struct faulty *faulty, struct faulty_request *ctx, enum manner manner)
{
	if (manner == NOW || manner == EARLY)
		return 0;
	ctx->backlogged = manner == BACKLOG;
	list_add_tail(&ctx->node, &faulty->waiting);
	atomic_inc(&faulty->held);
	if (manner != HOLD)
		queue_work(queue, &faulty->work);
	return manner == BACKLOG ? -EBUSY : -EINPROGRESS;
}

static int faulty_crypt(struct skcipher_request *req, bool encrypt)
{
	struct faulty *faulty = faulty_of(crypto_skcipher_reqtfm(req));
	struct faulty_request *ctx = skcipher_request_ctx(req);
	unsigned int number = atomic_inc_return(&faulty->requests);
	enum manner manner;
	int r;

	if (req->base.flags & CRYPTO_TFM_REQ_MAY_SLEEP)
		atomic_inc(&faulty->slept);
	ctx->req = req;
	ctx->encrypt = encrypt;
	ctx->backlogged = false;
	ctx->bad = is_bad(faulty, number);

	spin_lock_bh(&faulty->lock);
	manner = faulty->manner;
	r = wait_for_work(faulty, ctx, manner);
	spin_unlock_bh(&faulty->lock);
	/* One that waits may be gone. */
	if (r)
		return r;
	if (manner == EARLY) {
		give_answer(faulty, ctx);
		return -EINPROGRESS;
	}
	return result_of(faulty, ctx);
}

static int faulty_encrypt(struct skcipher_request *req)
{
	return faulty_crypt(req, true);
}

static int faulty_decrypt(struct skcipher_request *req)
{
	return faulty_crypt(req, false);
}

static int faulty_setkey(struct crypto_skcipher *tfm, const u8 *key, unsigned int size)
{
	struct faulty *faulty = faulty_of(tfm);
	const struct faulty_tfm *ctx = crypto_skcipher_ctx(tfm);
	u32 error = READ_ONCE(faulty->setkey_error);

	if (error)
		return -(int)error;
	crypto_skcipher_clear_flags(ctx->inner, CRYPTO_TFM_REQ_MASK);
	crypto_skcipher_set_flags(ctx->inner, crypto_skcipher_get_flags(tfm) &
				  CRYPTO_TFM_REQ_MASK);
	return crypto_skcipher_setkey(ctx->inner, key, size);
}

static int faulty_init_tfm(struct crypto_skcipher *tfm)
{
	struct faulty *faulty = faulty_of(tfm);
	struct faulty_tfm *ctx = crypto_skcipher_ctx(tfm);
	u32 error = READ_ONCE(faulty->init_error);

	if (error)
		return -(int)error;
	ctx->inner = crypto_alloc_skcipher(faulty->inner, 0, CRYPTO_ALG_ASYNC);
	if (IS_ERR(ctx->inner))
		return PTR_ERR(ctx->inner);
	crypto_skcipher_set_reqsize(tfm, sizeof(struct faulty_request) +
				    crypto_skcipher_reqsize(ctx->inner) +
				    READ_ONCE(faulty->extra));
	return 0;
}

static void faulty_exit_tfm(struct crypto_skcipher *tfm)
{
	struct faulty_tfm *ctx = crypto_skcipher_ctx(tfm);

	crypto_free_skcipher(ctx->inner);
}

#define FAULTY_ALG(name, driver, key_min, key_max, iv, block) {		\
	.base = {							\
		.cra_name		= name,				\
		.cra_driver_name	= driver,			\
		.cra_priority		= 10000,			\
		.cra_flags		= CRYPTO_ALG_ASYNC,		\
		.cra_blocksize		= (block),			\
		.cra_ctxsize		= sizeof(struct faulty_tfm),	\
		.cra_module		= THIS_MODULE,			\
	},								\
	.init		= faulty_init_tfm,				\
	.exit		= faulty_exit_tfm,				\
	.setkey		= faulty_setkey,				\
	.encrypt	= faulty_encrypt,				\
	.decrypt	= faulty_decrypt,				\
	.min_keysize	= (key_min),					\
	.max_keysize	= (key_max),					\
	.ivsize		= (iv),						\
}

static struct faulty drivers[] = {
	{
		.inner = "xts(ecb(aes-generic))",
		.dir = "xts",
		.alg = FAULTY_ALG("xts(aes)", "sse-faulty-xts-aes", 32, 64, 16, 16),
	},
	{
		.inner = "adiantum(xchacha12-generic,aes-generic,nhpoly1305-generic)",
		.dir = "adiantum",
		.alg = FAULTY_ALG("adiantum(xchacha12,aes)", "sse-faulty-adiantum", 32, 32, 32,
				  16),
	},
};

static int manner_show(struct seq_file *file, void *unused)
{
	const struct faulty *faulty = file->private;

	seq_printf(file, "%s\n", manner_names[READ_ONCE(faulty->manner)]);
	return 0;
}

static int manner_open(struct inode *inode, struct file *file)
{
	return single_open(file, manner_show, inode->i_private);
}

static ssize_t manner_write(struct file *file, const char __user *from, size_t size, loff_t *pos)
{
	struct faulty *faulty = ((struct seq_file *)file->private_data)->private;
	char text[16] = "";
	int manner;

	if (size >= sizeof(text))
		return -EINVAL;
	if (copy_from_user(text, from, size))
		return -EFAULT;
	manner = match_string(manner_names, ARRAY_SIZE(manner_names), strim(text));
	if (manner < 0)
		return manner;

	spin_lock_bh(&faulty->lock);
	faulty->manner = manner;
	spin_unlock_bh(&faulty->lock);
	queue_work(queue, &faulty->work);
	return size;
}

static const struct file_operations manner_fops = {
	.owner		= THIS_MODULE,
	.open		= manner_open,
	.read		= seq_read,
	.write		= manner_write,
	.llseek		= seq_lseek,
	.release	= single_release,
};

static void make_files(struct faulty *faulty)
{
	struct dentry *dir = debugfs_create_dir(faulty->dir, root);

	debugfs_create_file("manner", 0600, dir, faulty, &manner_fops);
	debugfs_create_u32("every", 0600, dir, &faulty->every);
	debugfs_create_u32("skip", 0600, dir, &faulty->skip);
	debugfs_create_u32("error", 0600, dir, &faulty->error);
	debugfs_create_u32("setkey_error", 0600, dir, &faulty->setkey_error);
	debugfs_create_u32("init_error", 0600, dir, &faulty->init_error);
	debugfs_create_u32("extra", 0600, dir, &faulty->extra);
	debugfs_create_atomic_t("requests", 0600, dir, &faulty->requests);
	debugfs_create_atomic_t("failed", 0600, dir, &faulty->failed);
	debugfs_create_atomic_t("completed", 0600, dir, &faulty->completed);
	debugfs_create_atomic_t("held", 0400, dir, &faulty->held);
	debugfs_create_atomic_t("slept", 0600, dir, &faulty->slept);
}

static int __init faulty_init(void)
{
	size_t i;
	int r = 0;

	queue = alloc_workqueue("sse_faulty", WQ_MEM_RECLAIM, 0);
	if (!queue)
		return -ENOMEM;
	for (i = 0; i < ARRAY_SIZE(drivers) && !r; i++) {
		struct faulty *faulty = &drivers[i];

		spin_lock_init(&faulty->lock);
		INIT_LIST_HEAD(&faulty->waiting);
		INIT_WORK(&faulty->work, answer);
		faulty->error = EIO;
		r = crypto_register_skcipher(&faulty->alg);
		if (r)
			pr_err("%s: error %d\n", faulty->alg.base.cra_driver_name, r);
	}
	if (r) {
		for (i--; i--;)
			crypto_unregister_skcipher(&drivers[i].alg);
		destroy_workqueue(queue);
		return r;
	}

	root = debugfs_create_dir("sse_faulty", NULL);
	for (i = 0; i < ARRAY_SIZE(drivers); i++)
		make_files(&drivers[i]);
	return 0;
}

static void __exit faulty_exit(void)
{
	size_t i;

	debugfs_remove_recursive(root);
	for (i = 0; i < ARRAY_SIZE(drivers); i++)
		crypto_unregister_skcipher(&drivers[i].alg);
	destroy_workqueue(queue);
}

module_init(faulty_init);
module_exit(faulty_exit);

MODULE_DESCRIPTION("Crypto drivers that fail as they are told, for the tests of dm-sse");
MODULE_LICENSE("GPL");
