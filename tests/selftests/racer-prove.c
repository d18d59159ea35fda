// SPDX-License-Identifier: GPL-2.0-only
/*
 * The checker of histories checked: by histories of which the verdict is known,
 * and by random ones, held against a search through all orders.
 */
#include "racer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MAX_OPS		6
#define RANDOM_ONES	20000

/*
 * One word for each event. Small letters begin: r a read, w a write of the value
 * behind it. Capitals end: R a read that returns the value behind it, W a write,
 * E an error. The letter that comes next names the request.
 */
static const struct {
	const char *events;
	bool linear;
	const char *what;
} known[] = {
	{ "ra Ra0", true, "what it held at first" },
	{ "wa16 Wa rb Rb16", true, "what was written" },
	{ "wa16 Wa rb Rb0", false, "an older value" },
	{ "wa16 Wa rb Rb17", false, "what was never written" },
	{ "rb wa16 Wa Rb0", true, "a read that began before the write ended" },
	{ "rb wa16 Wa Rb16", true, "... or this" },
	{ "wa16 rb Rb16 Wa", true, "a write that takes effect before its end" },
	{ "wa16 rb Rb0 Wa", true, "... or after" },
	{ "wa16 rb Rb16 rc Rc0 Wa", false, "back to the old while it is written" },
	{ "wa16 wb17 Wa Wb rc Rc16", true, "two at a time" },
	{ "wa16 wb17 Wa Wb rc Rc17", true, "... in either order" },
	{ "wa16 wb17 Wa Wb rc Rc0", false, "neither" },
	{ "wa16 wb17 Wa Wb rc Rc16 rd Rd17", false, "one, then the other" },
	{ "wa16 wb17 rc Rc16 rd Rd17 Wa Wb", true, "... while both are written" },
	{ "wa16 wb17 rc Rc16 rd Rd17 re Re16 Wa Wb", false, "... and back" },
	{ "wa16 Ea rb Rb0", true, "an error: not written" },
	{ "wa16 Ea rb Rb16", true, "an error: written" },
	{ "wa16 Ea rb Rb16 rc Rc0", false, "an error: both" },
	{ "wa16 Ea rb Rb0 rc Rc16", false, "an error: written later" },
	{ "wa16 Ea wb17 Wb rc Rc16", false, "an error: written over what came later" },
	{ "wa16 Wa wb0 Wb rc Rc0", true, "discarded" },
	{ "wa16 Wa wb0 Wb rc Rc16", false, "not discarded" },
	{ "wa16 Wa wb0 Eb rc Rc16", true, "perhaps discarded" },
	{ "wa16 Wa wb0 wc0 Wb wd17 Wd re Re0 Wc", true, "two discards, a write between" },
	{ "wa16 Wa rb Eb rc Rc0", false, "an older value after an error" },
};

struct trial {
	struct history h;
	unsigned int op[26];
	bool linear;
};

static void trial_begin(struct trial *t)
{
	if (history_init(&t->h, VALUE_BASE))
		abort();
	t->linear = true;
}

static void trial_event(struct trial *t, char what, unsigned int name, uint64_t value)
{
	bool right = true;

	switch (what) {
	case 'r':
		/* What it will return is not to be known yet. */
		t->op[name] = history_begin(&t->h, OP_READ, UINT64_MAX, name);
		break;
	case 'w':
		t->op[name] = history_begin(&t->h, OP_WRITE, value, name);
		break;
	default:
		right = history_end(&t->h, t->op[name], what == 'E' ? END_MAYBE : END_DONE,
				    value, name);
		break;
	}
	t->linear &= right;
}

static bool run_known(const char *events)
{
	struct trial t;

	trial_begin(&t);
	while (*events) {
		char *end;
		uint64_t value = strtoull(events + 2, &end, 10);

		trial_event(&t, events[0], (unsigned int)(events[1] - 'a'), value);
		events = end + strspn(end, " ");
	}
	history_free(&t.h);
	return t.linear;
}

/* Random ones --------------------------------------------------------------- */

struct request {
	enum op_kind kind;
	uint64_t value;
	unsigned int begin;
	unsigned int end;
	bool maybe;
};

/* Is there an order in which the rest can follow those that are @chosen? */
static bool search(const struct request *r, unsigned int nr, unsigned int chosen, uint64_t value)
{
	unsigned int i, j;
	bool all = true;

	for (i = 0; i < nr; i++)
		all &= chosen & (1U << i) || r[i].maybe;
	if (all)
		return true;
	for (i = 0; i < nr; i++) {
		if (chosen & (1U << i) || (r[i].kind == OP_READ && r[i].maybe))
			continue;
		if (r[i].kind == OP_READ && r[i].value != value)
			continue;
		for (j = 0; j < nr; j++)
			if (chosen & (1U << j) && r[i].end < r[j].begin)
				break;
		if (j == nr && search(r, nr, chosen | 1U << i,
				      r[i].kind == OP_WRITE ? r[i].value : value))
			return true;
	}
	return false;
}

static uint64_t state;

static unsigned int below(unsigned int n)
{
	state = mix(state);
	return (unsigned int)(state >> 33) % n;
}

static void make_requests(struct request *r, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		r[i] = (struct request) { .kind = below(2) ? OP_READ : OP_WRITE };
		r[i].maybe = !below(6);
		if (r[i].kind == OP_WRITE)
			r[i].value = below(4) ? VALUE_FIRST + i : VALUE_BASE;
	}
	for (i = 0; i < nr; i++) {
		unsigned int other = below(nr);

		if (r[i].kind == OP_READ && r[other].kind == OP_WRITE)
			r[i].value = r[other].value;
	}
}

/* Begins and ends in some order; few of them at a time if @calm. */
static bool run_random(struct request *r, unsigned int nr, bool calm)
{
	unsigned int begun = 0, ended = 0, at = 0;
	struct trial t;

	trial_begin(&t);
	while (ended != (1U << nr) - 1) {
		unsigned int i = below(nr), bit = 1U << i;

		if (!(begun & bit)) {
			if (calm && (begun & ~ended) && below(4))
				continue;
			begun |= bit;
			r[i].begin = at++;
			trial_event(&t, r[i].kind == OP_READ ? 'r' : 'w', i, r[i].value);
		} else if (!(ended & bit)) {
			ended |= bit;
			r[i].end = at++;
			trial_event(&t, r[i].maybe ? 'E' : 'W', i, r[i].value);
		}
	}
	history_free(&t.h);
	return t.linear;
}

static bool prove_random(uint64_t seed)
{
	unsigned int i, linear = 0;

	state = seed;
	for (i = 0; i < RANDOM_ONES; i++) {
		struct request r[MAX_OPS];
		unsigned int nr = 2 + below(MAX_OPS - 1);
		bool got, want;

		make_requests(r, nr);
		got = run_random(r, nr, below(2));
		want = search(r, nr, 0, VALUE_BASE);
		linear += want;
		if (got == want)
			continue;
		printf("racer: random history %u of seed %" PRIu64 " is %slinear\n", i, seed,
		       want ? "" : "not ");
		return false;
	}
	printf("racer: %u random histories, %u of them linear\n", i, linear);
	/* Neither verdict is the usual one. */
	return linear > RANDOM_ONES / 4 && linear < RANDOM_ONES / 4 * 3;
}

/* Return: exit code. */
int prove(uint64_t seed)
{
	unsigned int i, wrong = 0;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (run_known(known[i].events) == known[i].linear)
			continue;
		printf("racer: %s: '%s' is %slinear\n", known[i].what, known[i].events,
		       known[i].linear ? "" : "not ");
		wrong++;
	}
	printf("racer: %u known histories, %u wrong\n", i, wrong);
	return prove_random(seed) && !wrong ? 0 : 1;
}
