// SPDX-License-Identifier: GPL-2.0-only
/* The module: what there is once, its beginning and its end. */
#include "dmsse.h"

#include <linux/cpumask.h>
#include <linux/module.h>

bool dmsse_insecure_ciphers;
module_param_named(insecure_ciphers, dmsse_insecure_ciphers, bool, 0444);
MODULE_PARM_DESC(insecure_ciphers,
		 "Allow ciphers that do not protect a disk: ecb, stream modes, cipher_null (for benchmarks only)");

/*
 * Reads are decrypted by one of four workqueues, which all targets share: a
 * host with a thousand disks has four rescuer threads, not a thousand. The
 * targets are independent of each other, so sharing costs no progress.
 */
static const struct queue {
	const char *name;
	unsigned int wq_flags;
	unsigned long options;
} queues[] = {
	{ "dmsse",	  WQ_UNBOUND,				0 },
	{ "dmsse_hi",	  WQ_UNBOUND | WQ_HIGHPRI,		DMSSE_HIGH_PRIORITY },
	{ "dmsse_cpu",	  WQ_CPU_INTENSIVE,			DMSSE_SAME_CPU_CRYPT },
	{ "dmsse_cpu_hi", WQ_CPU_INTENSIVE | WQ_HIGHPRI,
	  DMSSE_SAME_CPU_CRYPT | DMSSE_HIGH_PRIORITY },
};

#define QUEUE_OPTIONS	(DMSSE_SAME_CPU_CRYPT | DMSSE_HIGH_PRIORITY)

static struct workqueue_struct *workqueues[ARRAY_SIZE(queues)];

/**
 * dmsse_workqueue - the workqueue that fits a target's options
 * @flags: the target's, of struct dmsse_params
 *
 * Context: any. Return: the workqueue; the module's, not to be destroyed.
 */
struct workqueue_struct *dmsse_workqueue(unsigned long flags)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(queues); i++)
		if (queues[i].options == (flags & QUEUE_OPTIONS))
			break;
	return workqueues[i];
}

static void destroy_workqueues(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(queues); i++)
		if (workqueues[i])
			destroy_workqueue(workqueues[i]);
}

/*
 * As many at a time as there are CPUs: who is done takes the next item, which
 * balances them better than the scheduler could balance more.
 */
static int __init create_workqueues(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(queues); i++) {
		workqueues[i] = alloc_workqueue("%s", WQ_MEM_RECLAIM | queues[i].wq_flags,
						num_online_cpus(), queues[i].name);
		if (!workqueues[i])
			return -ENOMEM;
	}
	return 0;
}

static int __init dmsse_init(void)
{
	int r;

	r = create_workqueues();
	if (r)
		goto out_workqueues;
	r = dmsse_recycle_init();
	if (r)
		goto out_workqueues;
	r = dmsse_leases_init();
	if (r)
		goto out_recycle;
	r = dm_register_target(&dmsse_target_type);
	if (r)
		goto out_leases;
	if (dmsse_insecure_ciphers)
		pr_warn("insecure_ciphers is set: not for disks that hold anything of value\n");
	return 0;

out_leases:
	dmsse_leases_exit();
out_recycle:
	dmsse_recycle_exit();
out_workqueues:
	destroy_workqueues();
	return r;
}

static void __exit dmsse_exit(void)
{
	dm_unregister_target(&dmsse_target_type);
	dmsse_leases_exit();
	dmsse_recycle_exit();
	destroy_workqueues();
}

module_init(dmsse_init);
module_exit(dmsse_exit);

MODULE_DESCRIPTION("Device-mapper target for server-side encryption of VM disks");
MODULE_LICENSE("GPL");
