/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differs between the kernels this module is built for, 6.1 and newer.
 * The code is written for the newest; here the older ones are made to look
 * alike. No other file asks for a kernel's version or configuration.
 */
#ifndef DMSSE_COMPAT_H
#define DMSSE_COMPAT_H

#include <linux/kconfig.h>
#include <linux/version.h>

/* 6.12 moved it. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
#include <linux/unaligned.h>
#else
#include <asm/unaligned.h>
#endif

/* dm-crypt, whose option it is, has high_priority from 6.10 on. */
#define DMSSE_HAVE_HIGH_PRIORITY	(LINUX_VERSION_CODE >= KERNEL_VERSION(6, 10, 0))

/* The workqueue whose work runs in softirq context soon; NULL before 6.9. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 9, 0)
#define dmsse_bh_workqueue()	(system_bh_wq)
#else
#define dmsse_bh_workqueue()	((struct workqueue_struct *)NULL)
#endif

/*
 * 6.7 began to allocate shrinkers itself, and has nothing left that could fail
 * when one is registered. Whoever uses these includes linux/shrinker.h and
 * linux/slab.h.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
#define dmsse_shrinker_alloc()		shrinker_alloc(0, "dm-sse")
#define dmsse_shrinker_register(shrinker)	(shrinker_register(shrinker), 0)
#define dmsse_shrinker_free(shrinker)		shrinker_free(shrinker)
#else
#define dmsse_shrinker_alloc()		kzalloc(sizeof(struct shrinker), GFP_KERNEL)
#define dmsse_shrinker_register(shrinker)	register_shrinker(shrinker, "dm-sse")
#define dmsse_shrinker_free(shrinker)		\
	do { unregister_shrinker(shrinker); kfree(shrinker); } while (0)
#endif

/*
 * Define a crypto completion callback <name> that calls <handler>(data, err).
 * 6.3 began to hand over the data instead of the request, and stable kernels
 * may follow, so the type of the callback decides.
 */
#define DMSSE_CRYPTO_CALLBACK(name, handler)				\
static void __maybe_unused name##_data(void *data, int err)		\
{									\
	handler(data, err);						\
}									\
static void __maybe_unused name##_req(struct crypto_async_request *req, int err) \
{									\
	handler(req->data, err);					\
}									\
static const crypto_completion_t name = __builtin_choose_expr(		\
	__builtin_types_compatible_p(crypto_completion_t,		\
				     void (*)(void *, int)),		\
	name##_data, name##_req)

/* Key types other than the built-in ones, where this kernel has them. */
#if IS_REACHABLE(CONFIG_ENCRYPTED_KEYS)
#define dmsse_key_type_encrypted	(&key_type_encrypted)
#else
#define dmsse_key_type_encrypted	((struct key_type *)NULL)
#endif

#if IS_REACHABLE(CONFIG_TRUSTED_KEYS)
#define dmsse_key_type_trusted		(&key_type_trusted)
#else
#define dmsse_key_type_trusted		((struct key_type *)NULL)
#endif

#endif
