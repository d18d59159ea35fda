// SPDX-License-Identifier: GPL-2.0-only
/*
 * What units contain: stamps that fill them and say which write of which unit
 * they are, and how to tell whatever else may be found in their place.
 */
#include "racer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define STAMP_MAGIC	0x7265636172736d64ULL
#define POISON		0xdbdbdbdbdbdbdbdbULL

struct stamp {
	uint64_t magic;
	uint64_t run;
	uint64_t unit;
	uint64_t value;
	uint64_t thread;
	uint64_t sum;
};

static size_t unit_words;
static uint64_t this_run;
static uint64_t *base;		/* a hash of each unit's VALUE_BASE */
static uint64_t hash_of_zeroes;

uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15ULL;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

static uint64_t hash(const uint64_t *word)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < unit_words; i++)
		sum = mix(sum ^ word[i]);
	return sum;
}

/* Return: 0, or -1 if there is no memory. */
int stamp_init(size_t unit_bytes, uint64_t nr_units, uint64_t run)
{
	uint64_t *zeroes = calloc(1, unit_bytes);
	uint64_t i;

	unit_words = unit_bytes / sizeof(uint64_t);
	this_run = run;
	base = calloc(nr_units, sizeof(*base));
	if (!base || !zeroes)
		return -1;
	hash_of_zeroes = hash(zeroes);
	free(zeroes);
	for (i = 0; i < nr_units; i++)
		base[i] = hash_of_zeroes;
	return 0;
}

/* Have @data be VALUE_BASE for @unit. */
void stamp_base(uint64_t unit, const void *data)
{
	base[unit] = hash(data);
}

/* By which value zeroes in @unit are known. */
uint64_t stamp_zeroes(uint64_t unit)
{
	return base[unit] == hash_of_zeroes ? VALUE_BASE : VALUE_ZEROES;
}

static uint64_t sum_of(const struct stamp *stamp)
{
	return mix(mix(mix(mix(stamp->magic ^ stamp->run) ^ stamp->unit) ^ stamp->value) ^
		   stamp->thread);
}

static uint64_t filling(const struct stamp *stamp, size_t i)
{
	return mix(stamp->sum + i);
}

void stamp_write(void *data, uint64_t unit, uint64_t value, unsigned int thread)
{
	struct stamp *stamp = data;
	uint64_t *word = data;
	size_t i;

	*stamp = (struct stamp) {
		.magic = STAMP_MAGIC,
		.run = this_run,
		.unit = unit,
		.value = value,
		.thread = thread,
	};
	stamp->sum = sum_of(stamp);
	for (i = sizeof(*stamp) / sizeof(*word); i < unit_words; i++)
		word[i] = filling(stamp, i);
}

/* Does it begin like one, whosoever? */
bool stamp_is_one(const void *data)
{
	const struct stamp *stamp = data;

	return stamp->magic == STAMP_MAGIC && stamp->sum == sum_of(stamp);
}

/* Where nothing is read this stays. */
void stamp_poison(void *data)
{
	uint64_t *word = data;
	size_t i;

	for (i = 0; i < unit_words; i++)
		word[i] = POISON;
}

/* The first word that isn't what the stamp says; or unit_words. */
static size_t torn_at(const uint64_t *word)
{
	const struct stamp *stamp = (const void *)word;
	size_t i;

	for (i = sizeof(*stamp) / sizeof(*word); i < unit_words; i++)
		if (word[i] != filling(stamp, i))
			break;
	return i;
}

static void explain_stamp(const struct stamp *stamp, uint64_t unit, char *why)
{
	size_t torn = torn_at((const void *)stamp);

	if (stamp->run != this_run)
		snprintf(why, WHY_SIZE, "it is of another run");
	else if (stamp->unit != unit)
		snprintf(why, WHY_SIZE, "it is another sector's: unit %" PRIu64 ", write %" PRIu64
			 " by thread %" PRIu64, stamp->unit, stamp->value, stamp->thread);
	else
		snprintf(why, WHY_SIZE, "it is torn: write %" PRIu64 " by thread %" PRIu64
			 " up to byte %zu", stamp->value, stamp->thread,
			 torn * sizeof(uint64_t));
}

static void explain(const uint64_t *word, uint64_t unit, char *why)
{
	size_t i;

	if (stamp_is_one(word)) {
		explain_stamp((const void *)word, unit, why);
		return;
	}
	for (i = 0; i < unit_words && word[i] == POISON; i++)
		;
	if (i == unit_words)
		snprintf(why, WHY_SIZE, "nothing was read");
	else
		snprintf(why, WHY_SIZE, "it was never written: %016" PRIx64 " %016" PRIx64
			 "... is ciphertext or noise", word[0], word[1]);
}

/* Return: true with *@value set; false with @why, of WHY_SIZE, said in it. */
bool stamp_read(const void *data, uint64_t unit, uint64_t *value, char *why)
{
	const struct stamp *stamp = data;
	uint64_t sum;

	if (stamp_is_one(data) && stamp->run == this_run && stamp->unit == unit &&
	    torn_at(data) == unit_words) {
		*value = stamp->value;
		return true;
	}
	sum = hash(data);
	if (sum == base[unit]) {
		*value = VALUE_BASE;
		return true;
	}
	if (sum == hash_of_zeroes) {
		*value = VALUE_ZEROES;
		return true;
	}
	explain(data, unit, why);
	return false;
}
