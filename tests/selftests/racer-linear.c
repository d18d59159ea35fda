// SPDX-License-Identifier: GPL-2.0-only
/*
 * The history of a unit, and whether it is linear: whether each request can have
 * taken effect at one moment between its begin and its end, such that a read
 * returns what was written last.
 *
 * What may be so is kept as a set of possibilities: a value that the unit has, and
 * which of the requests under way have taken effect. A request takes effect in
 * all ways that are possible, but not before one that ends must have: so the set
 * stays small. Reads change nothing, and take effect as soon as they can.
 *
 * What a read returns isn't known before its end. Until then what came after its
 * begin waits. The order of begins and ends is that of the calls, which must come
 * before a request is submitted and after it has been answered.
 *
 * A write that ended in error took effect before its end, or never will.
 */
#include "racer.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Of an event; the rest is the op's index. */
#define EVENT_END	0x80

/* Beyond so many possibilities only reads can bring them down. */
#define ENOUGH		12

static _Atomic uint64_t clock_tick;

uint64_t history_tick(void)
{
	return atomic_fetch_add(&clock_tick, 1);
}

/* The set ------------------------------------------------------------------- */

struct set {
	struct possibility *p;
	unsigned int nr;
	unsigned int room;
};

/* One with fewer reads done allows nothing that the other doesn't. */
static bool covers(const struct history *h, const struct possibility *a,
		   const struct possibility *b)
{
	uint16_t less = b->done & ~a->done, more = a->done & ~b->done;
	unsigned int i;

	if (a->value != b->value || less)
		return false;
	for (i = 0; i < HISTORY_OPS; i++)
		if (more & (1U << i) && h->op[i].kind != OP_READ)
			return false;
	return true;
}

static void add(const struct history *h, struct set *set, const struct possibility *new)
{
	unsigned int i;

	for (i = 0; i < set->nr; i++)
		if (covers(h, &set->p[i], new))
			return;
	if (set->nr == set->room) {
		set->room = set->room ? 2 * set->room : 4;
		set->p = realloc(set->p, set->room * sizeof(*set->p));
		if (!set->p)
			abort();
	}
	set->p[set->nr++] = *new;
}

/* The reads under way that return what @p has now. */
static void serve_reads(const struct history *h, struct possibility *p)
{
	unsigned int i;

	for (i = 0; i < HISTORY_OPS; i++)
		if (h->open & (1U << i) && h->op[i].kind == OP_READ && h->op[i].value == p->value)
			p->done |= 1U << i;
}

/* All that @p may become by one of the writes under way. */
static void add_next(const struct history *h, struct set *set, const struct possibility *p)
{
	unsigned int i;

	for (i = 0; i < HISTORY_OPS; i++) {
		struct possibility next = *p;

		if (!(h->open & ~p->done & (1U << i)) || h->op[i].kind != OP_WRITE)
			continue;
		next.value = h->op[i].value;
		next.done |= 1U << i;
		serve_reads(h, &next);
		add(h, set, &next);
	}
}

static void replace(struct history *h, struct set *set)
{
	free(h->possible);
	h->possible = set->p;
	h->nr = set->nr;
	h->room = set->room;
}

/* Have @op done in each possibility, in all ways; or not done, if @maybe. */
static void take_effect(struct history *h, unsigned int op, bool maybe)
{
	struct set seen = { 0 }, result = { 0 };
	unsigned int i;

	for (i = 0; i < h->nr; i++) {
		add(h, &seen, &h->possible[i]);
		if (maybe)
			add(h, &result, &h->possible[i]);
	}
	for (i = 0; i < seen.nr; i++) {
		struct possibility p = seen.p[i];

		if (p.done & (1U << op))
			add(h, &result, &p);
		else
			add_next(h, &seen, &p);
	}
	free(seen.p);
	if (!result.nr) {
		h->broken = true;
		return;
	}
	replace(h, &result);
}

/* It is over: what was done by it isn't told from what was before any more. */
static void forget(struct history *h, unsigned int op)
{
	struct set result = { 0 };
	unsigned int i;

	h->open &= ~(1U << op);
	h->used &= ~(1U << op);
	for (i = 0; i < h->nr; i++) {
		struct possibility p = h->possible[i];

		p.done &= ~(1U << op);
		add(h, &result, &p);
	}
	replace(h, &result);
}

/* Events -------------------------------------------------------------------- */

static void begin(struct history *h, unsigned int op)
{
	unsigned int i;

	if (h->op[op].kind == OP_READ && h->op[op].end == END_MAYBE)
		return;
	h->open |= 1U << op;
	for (i = 0; i < h->nr; i++)
		serve_reads(h, &h->possible[i]);
}

static void end(struct history *h, unsigned int op)
{
	bool maybe = h->op[op].end == END_MAYBE;

	if (h->op[op].kind == OP_WRITE || !maybe)
		take_effect(h, op, maybe);
	if (!h->broken)
		forget(h, op);
}

/* As far as is known. Return: false if what was known is impossible. */
static bool advance(struct history *h)
{
	while (h->nr_events) {
		unsigned int op = h->event[0] & ~EVENT_END;

		if (h->event[0] & EVENT_END)
			end(h, op);
		else if (h->op[op].kind == OP_READ && h->op[op].running)
			break;
		else
			begin(h, op);
		if (h->broken)
			return false;
		h->nr_events--;
		memmove(h->event, h->event + 1, h->nr_events);
	}
	return true;
}

/* Requests that are under way shall find their places; the rest has no meaning. */
static void give_up(struct history *h)
{
	unsigned int i;

	h->nr_events = 0;
	for (i = 0; i < HISTORY_OPS; i++)
		if (!h->op[i].running)
			h->used &= ~(1U << i);
}

static void note(struct history *h, char what, unsigned int op, uint64_t value,
		 unsigned int thread)
{
	h->record[h->nr_records++ % HISTORY_RECORDS] = (struct record) {
		.tick = history_tick(),
		.value = value,
		.thread = (uint16_t)thread,
		.op = (uint8_t)op,
		.what = what,
	};
}

/* For others ---------------------------------------------------------------- */

/* Return: 0, or -1 if there is no memory. */
int history_init(struct history *h, uint64_t value)
{
	memset(h, 0, sizeof(*h));
	h->possible = calloc(1, sizeof(*h->possible));
	if (!h->possible)
		return -1;
	h->possible[0].value = value;
	h->nr = 1;
	h->room = 1;
	return 0;
}

void history_free(struct history *h)
{
	free(h->possible);
}

/* Is there room for another request? */
bool history_takes(const struct history *h, enum op_kind kind)
{
	unsigned int i, ops = 0, writes = 0;

	for (i = 0; i < HISTORY_OPS; i++) {
		if (!(h->used & (1U << i)))
			continue;
		ops++;
		writes += h->op[i].kind == OP_WRITE;
	}
	if (kind == OP_WRITE && (writes >= HISTORY_WRITES || h->nr > ENOUGH))
		return false;
	return ops < HISTORY_OPS;
}

/*
 * A request is about to be submitted, and history_takes() it. A write's value is
 * known, a read's is not.
 */
unsigned int history_begin(struct history *h, enum op_kind kind, uint64_t value,
			   unsigned int thread)
{
	unsigned int op = 0;

	while (h->used & (1U << op))
		op++;
	h->used |= 1U << op;
	h->op[op] = (struct op) { .kind = kind, .value = value, .running = true };
	if (!h->broken)
		h->event[h->nr_events++] = (uint8_t)op;
	note(h, kind == OP_READ ? 'r' : 'w', op, value, thread);
	return op;
}

/*
 * It was answered; @value is what a read returned. Return: false if that can't be,
 * once: what comes after it has no meaning.
 */
bool history_end(struct history *h, unsigned int op, enum op_end how, uint64_t value,
		 unsigned int thread)
{
	struct op *o = &h->op[op];

	if (o->kind == OP_READ)
		o->value = value;
	o->end = how;
	o->running = false;
	note(h, how == END_MAYBE ? '?' : o->kind == OP_READ ? 'R' : 'W', op, o->value, thread);
	if (h->broken) {
		h->used &= ~(1U << op);
		return true;
	}
	h->event[h->nr_events++] = (uint8_t)op | EVENT_END;
	if (advance(h))
		return true;
	give_up(h);
	return false;
}

static void print_value(uint64_t value, FILE *to)
{
	if (value == VALUE_BASE)
		fprintf(to, "what a discard leaves");
	else if (value == VALUE_ZEROES)
		fprintf(to, "zeroes");
	else
		fprintf(to, "%" PRIu64, value);
}

/* The last things that happened, oldest first. */
void history_print(const struct history *h, FILE *to)
{
	static const char * const names[128] = {
		['r'] = "read begins", ['w'] = "write begins",
		['R'] = "read returns", ['W'] = "write ends", ['?'] = "ends without effect known",
	};
	unsigned int i = h->nr_records > HISTORY_RECORDS ? h->nr_records - HISTORY_RECORDS : 0;

	for (; i < h->nr_records; i++) {
		const struct record *r = &h->record[i % HISTORY_RECORDS];

		fprintf(to, "  %10" PRIu64 " thread %-2u op %-2u %s", r->tick, r->thread, r->op,
			names[(unsigned char)r->what]);
		if (r->what != 'r') {
			fprintf(to, ": ");
			print_value(r->value, to);
		}
		fprintf(to, "\n");
	}
	for (i = 0; i < h->nr; i++) {
		fprintf(to, "  possible: ");
		print_value(h->possible[i].value, to);
		fprintf(to, "\n");
	}
}
