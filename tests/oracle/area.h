/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the programs that hold targets against each other have in common:
 * sector sizes, the corners of IV numbers, and areas. An area is what one
 * target of a mapping of many covers on the disk. They are looked at through
 * windows, which show some of the disk on both sides as well: it must stay as
 * it was.
 */
#ifndef AREA_H
#define AREA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "oracle.h"

#define SECTOR		512ULL
#define FAR_AT		(1ULL << 32)	/* a sector whose number takes 33 bits */
#define AREA_GUARD	8		/* sectors of a window on either side */
#define AREA_MAX	32

/* @at and @len in sectors. All areas are of the same length. */
struct area_set {
	int disk;
	unsigned int count, len;
	uint64_t at[AREA_MAX];
};

/* Bytes of one area, and of one window. */
size_t area_bytes(const struct area_set *set);
size_t area_window(const struct area_set *set);
/* The area's bytes in a buffer of all windows. */
uint8_t *area_in(const struct area_set *set, uint8_t *windows, unsigned int i);
/* All windows from or to the disk; what would lie before the disk is left out. */
void areas_read(const struct area_set *set, uint8_t *windows);
void areas_write(const struct area_set *set, const uint8_t *windows);
/* Is what lies around an area still the same? If not, @at is the byte in its window. */
bool area_guarded(const struct area_set *set, unsigned int i, const uint8_t *windows,
		  const uint8_t *before, size_t *at);

/* The first byte in which the two differ; @len if there is none. */
size_t differ_at(const uint8_t *a, const uint8_t *b, size_t len);

/* Sector sizes, and whether IVs count sectors of that size. */
struct shape {
	unsigned int size;
	bool large;
};

#define SHAPES 7
extern const struct shape shapes[SHAPES];

/* Where IV numbers start: their arithmetic has its corners here. */
enum iv_corner { IV_ZERO, IV_SMALL, IV_OVER_32, IV_BIG, IV_WRAP, IV_CORNERS };
extern const char *const iv_names[IV_CORNERS];

/* An IV offset with which @len sectors, a multiple of 16, have such a corner in their middle. */
uint64_t iv_corner(enum iv_corner corner, const struct oracle_layout *layout, unsigned int len);

/* The words that both targets take for a layout; how many there are is returned. */
unsigned int layout_words(const struct oracle_layout *layout, char *buf, size_t size);

#endif
