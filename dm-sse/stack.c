// SPDX-License-Identifier: GPL-2.0-only
/* The layers of a target together: what they need, and that they differ. */
#include "dmsse.h"

#include <linux/log2.h>
#include <linux/random.h>

/* What could break one layer must not break another as well. */
static int check_ciphers_differ(const struct dmsse_stack *stack, const struct dmsse_params *params,
				struct dmsse_error *err)
{
	unsigned int i, j;

	if (params->flags & DMSSE_ALLOW_SAME_CIPHER)
		return 0;
	for (i = 0; i < stack->nr_layers; i++) {
		for (j = 0; j < i; j++) {
			if (!dmsse_layer_same_cipher(&stack->layer[i], &stack->layer[j]))
				continue;
			dmsse_err(err,
				  "both layers are %.48s: use two ciphers, or the option allow_same_cipher",
					stack->layer[i].alg);
			return -EINVAL;
		}
	}
	return 0;
}

/**
 * dmsse_stack_init - set the layers of a target up; they have no keys yet
 * @stack: zeroed
 * @params: the table line
 * @err: why it failed
 *
 * Context: process, sleeps, may load modules.
 * Return: as dmsse_layer_init(), -EINVAL for layers that are too much alike, or
 * -ENOMEM, with which @err is not set. What was done is undone by
 * dmsse_stack_destroy(), after a failure too.
 */
int dmsse_stack_init(struct dmsse_stack *stack, const struct dmsse_params *params,
		     struct dmsse_error *err)
{
	unsigned int i, need, behind = 0;
	int r;

	stack->sector_size = params->sector_size;
	if (params->flags & DMSSE_IV_LARGE_SECTORS)
		stack->iv_shift = ilog2(params->sector_size) - SECTOR_SHIFT;

	for (i = 0; i < params->nr_layers; i++) {
		struct dmsse_layer *layer = &stack->layer[i];

		r = dmsse_layer_init(layer, params, i, err);
		if (r) {
			dmsse_err_layer(err, params->nr_layers, i);
			return r;
		}
		stack->nr_layers++;
		need = layer->reqsize + layer->alignmask + layer->iv_size;
		behind = max(behind, need);
	}
	stack->crypt_size = sizeof(struct dmsse_crypt) + behind;
	r = check_ciphers_differ(stack, params, err);
	if (r)
		return r;
	get_random_bytes(stack->salt, sizeof(stack->salt));

	return mempool_init_kmalloc_pool(&stack->scratch, 2, stack->sector_size);
}

/**
 * dmsse_stack_destroy - undo dmsse_stack_init() and wipe all keys
 * @stack: may be zeroed, or what a failed dmsse_stack_init() left
 *
 * Context: process, sleeps; no I/O in flight.
 */
void dmsse_stack_destroy(struct dmsse_stack *stack)
{
	unsigned int i;

	mempool_exit(&stack->scratch);
	for (i = 0; i < stack->nr_layers; i++)
		dmsse_layer_destroy(&stack->layer[i]);
}
