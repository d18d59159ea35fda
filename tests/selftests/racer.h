/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * racer: submitters that race for the same sectors, and a checker that knows
 * what each of their reads may return. One section per file.
 *
 * A "unit" is what is written whole or not at all: an encryption sector.
 */
#ifndef RACER_H
#define RACER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* racer-stamp.c: what units contain -------------------------------------- */

/*
 * What a unit holds is known by a number. That of a write is unlike any other's;
 * these two are not, since many requests may leave the same.
 */
#define VALUE_BASE	0	/* what it held at first, and holds after a discard */
#define VALUE_ZEROES	1
#define VALUE_FIRST	16	/* of the first write */

/* Room for a sentence about contents. */
#define WHY_SIZE	160

int stamp_init(size_t unit_bytes, uint64_t nr_units, uint64_t run);
void stamp_base(uint64_t unit, const void *data);
void stamp_write(void *data, uint64_t unit, uint64_t value, unsigned int thread);
bool stamp_read(const void *data, uint64_t unit, uint64_t *value, char *why);
bool stamp_is_one(const void *data);
void stamp_poison(void *data);
uint64_t stamp_zeroes(uint64_t unit);
uint64_t mix(uint64_t x);

/* racer-linear.c: what a unit may hold ----------------------------------- */

/* Requests for one unit at a time that the checker can keep apart. */
#define HISTORY_OPS	12
#define HISTORY_WRITES	5
#define HISTORY_RECORDS	32

enum op_kind {
	OP_READ,
	OP_WRITE,
};

enum op_end {
	END_DONE,	/* it did what it should */
	END_MAYBE,	/* a write that may have; a read that says nothing */
};

struct op {
	uint64_t value;
	uint8_t kind;
	uint8_t end;
	bool running;
};

/* One way in which all that is known so far may have come about. */
struct possibility {
	uint64_t value;
	uint16_t done;
};

struct record {
	uint64_t tick;
	uint64_t value;
	uint16_t thread;
	uint8_t op;
	char what;
};

struct history {
	struct op op[HISTORY_OPS];
	uint16_t used;
	uint16_t open;
	uint8_t event[2 * HISTORY_OPS];
	uint8_t nr_events;
	bool broken;
	struct possibility *possible;
	unsigned int nr;
	unsigned int room;
	struct record record[HISTORY_RECORDS];
	unsigned int nr_records;
};

int history_init(struct history *h, uint64_t value);
void history_free(struct history *h);
bool history_takes(const struct history *h, enum op_kind kind);
unsigned int history_begin(struct history *h, enum op_kind kind, uint64_t value,
			   unsigned int thread);
bool history_end(struct history *h, unsigned int op, enum op_end end, uint64_t value,
		 unsigned int thread);
void history_print(const struct history *h, FILE *to);
uint64_t history_tick(void);

/* racer-prove.c: the checker checked -------------------------------------- */

int prove(uint64_t seed);

/* racer-load.c: the submitters -------------------------------------------- */

#define MIX_SIZE	32

struct options {
	const char *device;
	unsigned int threads;
	unsigned int depth;
	unsigned int unit_bytes;
	uint64_t nr_units;
	uint64_t size;
	unsigned int think;
	unsigned int patience;
	uint64_t seed;
	bool errors;
	bool loose_discards;
	char mix[MIX_SIZE];
};

int load_init(const struct options *options);
bool load_start(void);
bool load_halt(void);
void load_stop(void);
void load_resize(uint64_t units);
void load_mix(const char *letters);
bool load_check(const char *path);
bool load_raw(const char *path);
void load_report(void);
unsigned int load_failures(void);

#endif
