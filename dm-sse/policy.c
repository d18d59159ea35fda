// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where the work on a bio runs, and how much of it at a time.
 *
 * The cheapest place is where the data is: a write is encrypted by its
 * submitter, a read decrypted where it completes. A cipher of today takes less
 * time for a small bio than it takes to wake a worker, and what a worker's CPU
 * had to fetch is in this one's cache. So work goes elsewhere for three reasons
 * only:
 *
 *  - the crypto API doesn't work here (hardirq, interrupts off): soon, then, and
 *    asked again there;
 *  - it would keep others waiting. In softirq context all of the CPU waits: a
 *    burst of reads may take SOFTIRQ_BURST_NS there, and over time half of the
 *    CPU; what comes beyond it, or takes longer by itself, is queued. Reads are
 *    cut into pieces of PIECE_NS, or of PIECE_MIN if these take longer. A task is
 *    asked after each chunk of a write, CHUNK_NS, whether another shall run;
 *  - it is done sooner: there is work for several CPUs (parts of CHUNK_NS each,
 *    far more than it takes to wake a worker), and a CPU that is idle. Nobody
 *    keeps a list of idle CPUs: whether there is one shows in how the last part
 *    fared that was given away. If no CPU has taken it yet, the next one is done
 *    here; and a CPU whose parts were taken too late, when it could have done
 *    them itself, keeps them for a while.
 *
 * What a cipher costs is measured once, when a target is made: times differ by a
 * factor of a hundred between one with and one without instructions of its own.
 *
 * All that is remembered is struct cpu_state, one for each CPU, of all targets.
 */
#include "dmsse.h"

#include <linux/cpumask.h>
#include <linux/log2.h>
#include <linux/moduleparam.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/sched/clock.h>
#include <linux/sizes.h>
#include <linux/string.h>

/* A part of a run that another CPU may do; ten times what it takes to wake one. */
#define CHUNK_NS		(25 * NSEC_PER_USEC)

/* A piece of a read; with fewer bytes than that, cutting would cost too much. */
#define PIECE_NS		(100 * NSEC_PER_USEC)
#define PIECE_MIN		SZ_128K
#define PIECE_MAX		SZ_1M

/* For reads in softirq context: at once, and of the time that passes. */
#define SOFTIRQ_BURST_NS	(200 * NSEC_PER_USEC)
#define SOFTIRQ_SHARE		2

/* Of a cipher that could not be measured: 1 GB/s. */
#define UNKNOWN_NS_PER_KIB	1000

/* How often a CPU does not share work, at most, before it tries again. */
#define MAX_ALONE		63

/**
 * struct cpu_state - what a CPU remembers
 * @spare_ns: what reads in softirq context may still take now
 * @since_ns: when that was so
 * @here_ns: what parts of reads have taken here since a task was asked whether
 *	another shall run
 * @waiting: reads given away that no worker has begun with
 * @alone: how often it will not try to share work from now on
 * @alone_next: how often that will be if those who take the next come too late
 *
 * Those that aren't atomic may be changed by several CPUs at a time: the worst of it is that
 * work is shared, or a task asked, once too often or too seldom.
 */
struct cpu_state {
	u64 spare_ns;
	u64 since_ns;
	u64 here_ns;
	atomic_t waiting;
	unsigned int alone;
	unsigned int alone_next;
};

static DEFINE_PER_CPU(struct cpu_state, cpu_states);

/* For tests: each branch can be made to happen. */
enum force {
	FORCE_NOTHING,
	FORCE_HERE,
	FORCE_SPREAD,
};

static const char * const force_names[] = {
	[FORCE_NOTHING]	= "auto",
	[FORCE_HERE]	= "here",
	[FORCE_SPREAD]	= "spread",
};

static enum force force;

static int force_set(const char *value, const struct kernel_param *param)
{
	int r = sysfs_match_string(force_names, value);

	if (r < 0) {
		/* What comes from sysfs has the end of its line. */
		pr_err("policy '%.*s' is not known: use auto, here or spread\n",
		       (int)strcspn(value, "\n"), value);
		return r;
	}
	WRITE_ONCE(force, r);
	return 0;
}

static int force_get(char *buffer, const struct kernel_param *param)
{
	return sysfs_emit(buffer, "%s\n", force_names[READ_ONCE(force)]);
}

static const struct kernel_param_ops force_ops = {
	.set = force_set,
	.get = force_get,
};
module_param_cb(policy, &force_ops, NULL, 0644);
MODULE_PARM_DESC(policy,
		 "Where ciphers run, for tests: auto, here (where the data is), spread (over all CPUs)");

static unsigned int bytes_in(u64 ns, const struct dmsse_stack *stack)
{
	u64 kib = div_u64(ns, stack->ns_per_kib);

	return rounddown_pow_of_two(clamp_t(u64, kib, 1, PIECE_MAX / SZ_1K)) * SZ_1K;
}

static u64 cost_of(const struct dmsse_stack *stack, unsigned int bytes)
{
	return (u64)bytes * stack->ns_per_kib / SZ_1K;
}

/**
 * dmsse_policy_init - learn what a target's layers cost
 * @stack: the layers, with keys; its ns_per_kib, chunk and piece are set
 *
 * Context: process, sleeps.
 */
void dmsse_policy_init(struct dmsse_stack *stack)
{
	u64 ns = dmsse_crypt_measure(stack);

	/* Never 0, and what overflows no product below. */
	stack->ns_per_kib = ns ? clamp_t(u64, ns * SZ_1K / stack->sector_size, 1, NSEC_PER_MSEC) :
		UNKNOWN_NS_PER_KIB;
	stack->chunk = max(bytes_in(CHUNK_NS, stack), stack->sector_size);
	stack->piece = max3(bytes_in(PIECE_NS, stack), (unsigned int)PIECE_MIN, stack->sector_size);
}

/**
 * dmsse_policy_chunk - how much of a write to do before anything else is considered
 * @stack: the layers
 *
 * Context: any. Return: bytes, a multiple of the encryption sector.
 */
unsigned int dmsse_policy_chunk(const struct dmsse_stack *stack)
{
	return READ_ONCE(force) == FORCE_SPREAD ? stack->sector_size : stack->chunk;
}

/**
 * dmsse_policy_piece - how much a read may have that is decrypted in one go
 * @stack: the layers
 *
 * Context: any. Return: bytes, a multiple of the encryption sector.
 */
unsigned int dmsse_policy_piece(const struct dmsse_stack *stack)
{
	return READ_ONCE(force) == FORCE_SPREAD ? 4 * stack->sector_size : stack->piece;
}

/* Is it worth a try? Each question counts as one of those that are not. */
static bool may_share(struct cpu_state *state)
{
	unsigned int alone = READ_ONCE(state->alone);

	if (alone)
		WRITE_ONCE(state->alone, alone - 1);
	return !alone;
}

/* Was it? The more often not, the longer it will not be tried. */
static void learn(struct cpu_state *state, bool taken)
{
	unsigned int next = taken ? 0 :
		min(READ_ONCE(state->alone_next) * 2 + 1, (unsigned int)MAX_ALONE);

	WRITE_ONCE(state->alone_next, next);
	if (!taken)
		WRITE_ONCE(state->alone, next);
}

/**
 * dmsse_policy_helpers - how many other CPUs to ask for help with a write
 * @chunks: parts that the run has
 * @cpus: how many CPUs there are, with this one
 *
 * Context: any. Return: at most DMSSE_MAX_HELPERS.
 */
unsigned int dmsse_policy_helpers(unsigned int chunks, unsigned int cpus)
{
	struct cpu_state *state = raw_cpu_ptr(&cpu_states);

	switch (READ_ONCE(force)) {
	case FORCE_HERE:
		return 0;
	case FORCE_SPREAD:
		return DMSSE_MAX_HELPERS;
	case FORCE_NOTHING:
		break;
	}
	if (chunks < 2)
		return 0;
	if (!may_share(state))
		return 0;
	return min3(chunks / 2, cpus - 1, (unsigned int)DMSSE_MAX_HELPERS);
}

/**
 * dmsse_policy_helped - learn from how it went
 * @chunks: parts that the helpers did of a run that had some
 *
 * Context: any.
 */
void dmsse_policy_helped(unsigned int chunks)
{
	learn(raw_cpu_ptr(&cpu_states), chunks);
}

/* What passes fills the budget again. Softirqs of one CPU don't interrupt each other. */
static bool take_softirq_budget(u64 ns)
{
	struct cpu_state *state = this_cpu_ptr(&cpu_states);
	u64 now = local_clock();

	state->spare_ns = min_t(u64, SOFTIRQ_BURST_NS,
				state->spare_ns + (now - state->since_ns) / SOFTIRQ_SHARE);
	state->since_ns = now;
	if (state->spare_ns < ns)
		return false;
	state->spare_ns -= ns;
	return true;
}

/**
 * dmsse_policy_read - where to decrypt a read that has completed
 * @stack: the layers
 * @bytes: what it has
 * @part: it is a part of a larger one
 *
 * Context: any; where the answer is acted upon. Not with the option
 * no_read_workqueue, which is an answer of its own.
 */
enum dmsse_place dmsse_policy_read(const struct dmsse_stack *stack, unsigned int bytes, bool part)
{
	struct cpu_state *state = raw_cpu_ptr(&cpu_states);
	bool works = !in_hardirq() && !irqs_disabled();
	u64 ns = cost_of(stack, bytes);

	switch (READ_ONCE(force)) {
	case FORCE_HERE:
		return works ? DMSSE_HERE : DMSSE_SOON;
	case FORCE_SPREAD:
		return DMSSE_ELSEWHERE;
	case FORCE_NOTHING:
		break;
	}
	if (!works)
		return DMSSE_SOON;
	if (part && ns >= CHUNK_NS && num_online_cpus() > 1 &&
	    !atomic_read(&state->waiting) && may_share(state))
		return DMSSE_ELSEWHERE;
	if (in_serving_softirq())
		return take_softirq_budget(ns) ? DMSSE_HERE : DMSSE_ELSEWHERE;
	if (part)
		WRITE_ONCE(state->here_ns, READ_ONCE(state->here_ns) + ns);
	return DMSSE_HERE;
}

/**
 * dmsse_policy_yield - let another task run?
 *
 * Yes, if the parts of a read that were decrypted here, in the context of the
 * submitter of the next one, have taken PIECE_NS. If they were decrypted
 * elsewhere, the sooner the next one is submitted the better.
 *
 * Context: any. Return: whether the caller shall; then it begins anew.
 */
bool dmsse_policy_yield(void)
{
	struct cpu_state *state = raw_cpu_ptr(&cpu_states);

	if (READ_ONCE(state->here_ns) < PIECE_NS)
		return false;
	WRITE_ONCE(state->here_ns, 0);
	return true;
}

/**
 * dmsse_policy_gave_away - a read is about to be queued
 * @handover: filled in, for dmsse_policy_begun()
 * @stack: the layers
 * @part_bytes: what it has, if it is queued as a part of a larger one; 0 if it
 *	would be queued anyway, which tells nothing about idle CPUs
 *
 * Context: any.
 */
void dmsse_policy_gave_away(struct dmsse_handover *handover, const struct dmsse_stack *stack,
			    unsigned int part_bytes)
{
	handover->cpu = raw_smp_processor_id();
	handover->deadline = part_bytes ? local_clock() + cost_of(stack, part_bytes) : 0;
	atomic_inc(&per_cpu(cpu_states, handover->cpu).waiting);
}

/**
 * dmsse_policy_begun - a worker has begun with a read
 * @handover: what dmsse_policy_gave_away() filled in
 *
 * Context: any.
 */
void dmsse_policy_begun(const struct dmsse_handover *handover)
{
	struct cpu_state *state = per_cpu_ptr(&cpu_states, handover->cpu);

	atomic_dec(&state->waiting);
	if (handover->deadline)
		learn(state, local_clock() <= handover->deadline);
}
