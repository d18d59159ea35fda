// SPDX-License-Identifier: GPL-2.0-only
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aes.h"
#include "image.h"

#define PAGE		4096

/*
 * Each window of each form is in a hash table, by its first 8 bytes. A bitmap of
 * other bits of the same hash, small enough for the cache, turns most of memory
 * away before the table is looked at.
 */
#define FILTER_BITS	23
#define TABLE_BITS	20

struct entry {
	uint64_t head;
	uint32_t form;
	uint32_t from;
	uint32_t next;	/* 0: none */
};

struct index {
	const struct forms *forms;
	uint8_t *filter;
	uint32_t *table;
	struct entry *entries;
	uint32_t nr;
};

static void *must(void *memory)
{
	if (memory)
		return memory;
	fputs("keysearch: no memory\n", stderr);
	exit(2);
}

static uint64_t load(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint64_t hash(uint64_t head)
{
	return head * 0x9e3779b97f4a7c15ULL;
}

static void index_window(struct index *ix, uint32_t form, uint32_t from)
{
	uint64_t head = load(ix->forms->list[form].data + from), h = hash(head);
	uint32_t bit = (uint32_t)(h >> (64 - FILTER_BITS));
	uint32_t *bucket = &ix->table[h >> (64 - TABLE_BITS)];

	/* Zeroes are skipped. */
	if (!head)
		return;
	ix->filter[bit / 8] |= (uint8_t)(1 << bit % 8);
	ix->entries[++ix->nr] = (struct entry){ head, form, from, *bucket };
	*bucket = ix->nr;
}

static void index_make(struct index *ix, const struct forms *forms)
{
	size_t windows = 1, i, from;

	for (i = 0; i < forms->nr; i++)
		windows += forms->list[i].size - WINDOW + 1;
	ix->forms = forms;
	ix->nr = 0;
	ix->filter = must(calloc(1, 1 << (FILTER_BITS - 3)));
	ix->table = must(calloc(1 << TABLE_BITS, sizeof(*ix->table)));
	ix->entries = must(calloc(windows, sizeof(*ix->entries)));
	for (i = 0; i < forms->nr; i++)
		for (from = 0; from + WINDOW <= forms->list[i].size; from++)
			index_window(ix, (uint32_t)i, (uint32_t)from);
}

static void index_free(struct index *ix)
{
	free(ix->filter);
	free(ix->table);
	free(ix->entries);
}

static void add_hit(struct hits *hits, const struct hit *hit)
{
	/* A power of two is full. */
	if (!(hits->nr & (hits->nr - 1)))
		hits->list = must(realloc(hits->list, (hits->nr ? 2 * hits->nr : 1) *
							      sizeof(*hits->list)));
	hits->list[hits->nr++] = *hit;
}

static void look(const struct index *ix, const uint8_t *image, size_t size, size_t address,
		 uint64_t h, struct hits *hits)
{
	const uint8_t *p = image + address;
	const struct entry *e;
	const struct form *form;
	struct hit hit;
	uint32_t i;

	for (i = ix->table[h >> (64 - TABLE_BITS)]; i; i = e->next) {
		e = &ix->entries[i];
		form = &ix->forms->list[e->form];
		if (e->head != load(p) || memcmp(p, form->data + e->from, WINDOW))
			continue;
		/* One that began earlier has been seen already. */
		if (e->from && address && p[-1] == form->data[e->from - 1] &&
		    load(form->data + e->from - 1))
			continue;
		hit = (struct hit){ address, WINDOW, e->from, form };
		while (hit.from + hit.length < form->size && address + hit.length < size &&
		       p[hit.length] == form->data[hit.from + hit.length])
			hit.length++;
		add_hit(hits, &hit);
	}
}

static int compare(size_t a, size_t b)
{
	return a < b ? -1 : a > b;
}

static int by_address(const void *a, const void *b)
{
	const struct hit *ha = a, *hb = b;

	return compare(ha->address, hb->address);
}

static int by_length(const void *a, const void *b)
{
	const struct hit *ha = a, *hb = b;

	if (ha->length != hb->length)
		return compare(hb->length, ha->length);
	if (ha->address != hb->address)
		return compare(ha->address, hb->address);
	return ha->form < hb->form ? -1 : ha->form > hb->form;
}

/* Bytes of @hit before, or behind, @longer, whichever are more. */
static size_t sticks_out(const struct hit *hit, const struct hit *longer)
{
	size_t before = hit->address < longer->address ? longer->address - hit->address : 0;
	size_t end = hit->address + hit->length, longer_end = longer->address + longer->length;
	size_t behind = end > longer_end ? end - longer_end : 0;

	return before > behind ? before : behind;
}

static void drop_contained(struct hits *hits)
{
	size_t i, other, to = 0;

	if (!hits->nr)
		return;
	qsort(hits->list, hits->nr, sizeof(*hits->list), by_length);
	for (i = 0; i < hits->nr; i++) {
		for (other = 0; other < to; other++)
			if (sticks_out(&hits->list[i], &hits->list[other]) < WINDOW)
				break;
		if (other == to)
			hits->list[to++] = hits->list[i];
	}
	hits->nr = to;
	qsort(hits->list, hits->nr, sizeof(*hits->list), by_address);
}

void image_search(const uint8_t *image, size_t size, const struct forms *forms, struct hits *hits)
{
	struct index ix;
	size_t at;

	memset(hits, 0, sizeof(*hits));
	index_make(&ix, forms);
	for (at = 0; at + WINDOW <= size; at++) {
		uint64_t h;
		uint32_t bit;

		/* Nothing that is looked for begins with 8 zeroes. */
		while (at + 8 + WINDOW <= size && !load(image + at + 7))
			at += 8;
		h = hash(load(image + at));
		bit = (uint32_t)(h >> (64 - FILTER_BITS));
		if (ix.filter[bit / 8] & 1 << bit % 8)
			look(&ix, image, size, at, h, hits);
	}
	index_free(&ix);
	drop_contained(hits);
}

void image_schedules(const uint8_t *image, size_t size,
		     void (*found)(size_t address, const uint8_t key[32]))
{
	size_t at;

	for (at = 0; at + AES_SCHEDULE_MAX <= size; at += 4)
		if (aes_is_schedule(image + at))
			found(at, image + at);
}

/* No byte more than a few times, which text, code and tables aren't like. */
static bool looks_random(const uint8_t *data, size_t size)
{
	unsigned int count[256] = { 0 }, kinds = 0;
	size_t i;

	for (i = 0; i < size; i++)
		kinds += !count[data[i]]++;
	return kinds >= size - size / 4;
}

void image_heads(const uint8_t *image, size_t size, size_t length,
		 void (*found)(size_t address, const uint8_t *head))
{
	static const uint8_t zeroes[PAGE];
	size_t at;

	for (at = 0; at + PAGE <= size; at += PAGE)
		if (!memcmp(image + at + length, zeroes, PAGE - length) &&
		    looks_random(image + at, length))
			found(at, image + at);
}
