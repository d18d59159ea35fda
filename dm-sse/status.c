// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a target tells of itself: its state and counters, and its table line.
 */
#include "dmsse.h"

/* The words of the status line; order and spelling are an interface. */
static const char * const counter_names[DMSSE_NR_COUNTERS] = {
	[DMSSE_READ_BIOS]	= "read_bios",
	[DMSSE_READ_SECTORS]	= "read_sectors",
	[DMSSE_WRITE_BIOS]	= "write_bios",
	[DMSSE_WRITE_SECTORS]	= "write_sectors",
	[DMSSE_DISCARD_BIOS]	= "discard_bios",
	[DMSSE_FLUSH_BIOS]	= "flush_bios",
	[DMSSE_CRYPT_ERRORS]	= "crypt_errors",
	[DMSSE_IO_ERRORS]	= "io_errors",
	[DMSSE_QUEUED_BIOS]	= "queued_bios",
};

static u64 sum_counter(const struct dmsse_target *sse, enum dmsse_counter counter)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu_ptr(sse->counters, cpu)->value[counter]);
	return sum;
}

/* Of the things there are to say about a target the worst is its state. */
static const char *state_name(const struct dmsse_target *sse)
{
	switch (dmsse_lease_state(sse->lease)) {
	case DMSSE_LEASE_LAPSING:
		return "lapsing";
	case DMSSE_LEASE_LAPSED:
		return "lapsed";
	case DMSSE_LEASE_VALID:
		break;
	}
	if (!dmsse_stack_keyed(&sse->stack))
		return "no-key";
	return sse->live ? "active" : "suspended";
}

static void emit_info(struct dmsse_target *sse, char *result, unsigned int maxlen)
{
	const struct dmsse_stack *stack = &sse->stack;
	bool insecure = false;
	unsigned int i;
	size_t sz = 0;

	mutex_lock(&sse->lock);
	DMEMIT("%s", state_name(sse));

	DMEMIT(" layers:%u", stack->nr_layers);
	for (i = 0; i < stack->nr_layers; i++) {
		const struct dmsse_layer *layer = &stack->layer[i];
		const char *name = dmsse_layer_name(i);

		DMEMIT(" %s:%s %s_driver:%s", name, layer->tfm ? "keyed" : "no-key",
		       name, layer->driver);
		insecure |= layer->insecure;
	}
	sz += dmsse_lease_emit(sse->lease, result + sz, maxlen - sz);
	mutex_unlock(&sse->lock);

	for (i = 0; i < DMSSE_NR_COUNTERS; i++)
		DMEMIT(" %s:%llu", counter_names[i],
		       (unsigned long long)sum_counter(sse, i));
	DMEMIT(" bounce_waits:%llu", (unsigned long long)atomic64_read(&sse->bounce.waits));
	if (insecure)
		DMEMIT(" insecure");
}

/**
 * dmsse_status - device-mapper's status function
 * @ti: the target
 * @type: which of its texts: state and counters, the table line, or what IMA measures
 * @status_flags: device-mapper's, not needed
 * @result: where the text goes; device-mapper's
 * @maxlen: bytes there; a text that is longer is cut, of which device-mapper takes note
 *
 * Context: process; may sleep.
 */
void dmsse_status(struct dm_target *ti, status_type_t type, unsigned int status_flags,
		  char *result, unsigned int maxlen)
{
	struct dmsse_target *sse = ti->private;
	size_t sz = 0;

	switch (type) {
	case STATUSTYPE_INFO:
		emit_info(sse, result, maxlen);
		break;
	case STATUSTYPE_TABLE:
		mutex_lock(&sse->lock);
		dmsse_table_emit(&sse->params, result, maxlen);
		mutex_unlock(&sse->lock);
		break;
	case STATUSTYPE_IMA:
		DMEMIT_TARGET_NAME_VERSION(ti->type);
		sz += dmsse_table_emit_ima(&sse->params, result + sz, maxlen - sz);
		DMEMIT(";");
		break;
	}
}
