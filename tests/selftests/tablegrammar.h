/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Table lines and messages for the sse target, right ones and wrong ones, from a
 * grammar and by mutation. Text only: it knows no ioctl.
 */
#ifndef TABLEGRAMMAR_H
#define TABLEGRAMMAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Room for a line; the kernel takes longer ones, of which there is no need. */
#define LINE_SIZE	6000

/* Prefix of the descriptions of all keys. */
#define KEY_PREFIX	"dmsse-fuzz:"

/* What the lines may name, besides what does not exist. */
struct scene {
	const char *disk;	/* "<major>:<minor>" */
	const char *path;	/* the same, as a path */
	const char *self;	/* the device that the table is for */
	const char *other;	/* another mapped device */
	uint64_t sectors;	/* of the disk */
};

struct text {
	char line[LINE_SIZE];	/* without "sse", or a message */
	char secret[LINE_SIZE];	/* a key in it that the log must not have; "" */
};

void grammar_seed(uint64_t seed);
/* A number below @n. */
unsigned int grammar_random(unsigned int n);
uint64_t grammar_number(void);

/* Lines that are right, one for each cipher; false beyond the last. */
bool grammar_good(const struct scene *scene, struct text *text, unsigned int index);
void grammar_table(const struct scene *scene, struct text *text);
/* For a device with one layer or two. */
void grammar_message(unsigned int nr_layers, struct text *text);
/* Changes a line; @other is one that parts may come from. */
void grammar_mutate(const struct scene *scene, struct text *text, const char *other, bool message);
/* Puts a key where a reference is expected, if there is such a place. */
void grammar_betray(struct text *text, bool message);

#endif
