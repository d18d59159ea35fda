/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KEYSEARCH_IMAGE_H
#define KEYSEARCH_IMAGE_H

#include "forms.h"

/* A piece of a form, of WINDOW bytes or more, and as long as it goes on. */
struct hit {
	size_t address;		/* in the image */
	size_t length;
	size_t from;		/* where in the form it begins */
	const struct form *form;
};

struct hits {
	struct hit *list;
	size_t nr;
};

/*
 * All that is in the image, by address. What is part of a longer piece is left
 * out, and so is what goes beyond it by less than WINDOW bytes, which may be by
 * chance: a key is the beginning of its own schedule, and the end of the inverse one,
 * in which another byte comes before it.
 */
void image_search(const uint8_t *image, size_t size, const struct forms *forms, struct hits *hits);

/* Calls @found with the address of each schedule of an AES-256 key. */
void image_schedules(const uint8_t *image, size_t size,
		     void (*found)(size_t address, const uint8_t key[32]));

/*
 * Calls @found with each page of which the first @length bytes look random, and
 * all others are zero: what locked memory for a secret looks like.
 */
void image_heads(const uint8_t *image, size_t size, size_t length,
		 void (*found)(size_t address, const uint8_t *head));

#endif
