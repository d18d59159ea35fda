// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <string.h>

#include "area.h"
#include "kern.h"

const struct shape shapes[SHAPES] = {
	{ 512, false }, { 1024, false }, { 1024, true }, { 2048, false },
	{ 2048, true }, { 4096, false }, { 4096, true },
};

const char *const iv_names[IV_CORNERS] = {
	"0", "small", "over 2^32", "big", "over 2^64",
};

uint64_t iv_corner(enum iv_corner corner, const struct oracle_layout *layout, unsigned int len)
{
	uint64_t scale = layout->iv_large_sectors ? layout->sector_size / 512 : 1;

	switch (corner) {
	case IV_SMALL:
		return 8 + 8 * rnd_below(1 << 17);
	case IV_OVER_32:
		return (scale << 32) - len / 2;
	case IV_BIG:
		return (1ULL << 40) + 8 * rnd_below(1ULL << 55);
	case IV_WRAP:
		return 0 - (uint64_t)len / 2;
	default:
		return 0;
	}
}

unsigned int layout_words(const struct oracle_layout *layout, char *buf, size_t size)
{
	*buf = 0;
	if (layout->sector_size == 512)
		return 0;
	snprintf(buf, size, " sector_size:%u%s", layout->sector_size,
		 layout->iv_large_sectors ? " iv_large_sectors" : "");
	return 1 + layout->iv_large_sectors;
}

size_t differ_at(const uint8_t *a, const uint8_t *b, size_t len)
{
	size_t i;

	if (!memcmp(a, b, len))
		return len;
	for (i = 0; a[i] == b[i]; i++)
		;
	return i;
}

size_t area_bytes(const struct area_set *set)
{
	return set->len * SECTOR;
}

size_t area_window(const struct area_set *set)
{
	return (set->len + 2 * AREA_GUARD) * SECTOR;
}

uint8_t *area_in(const struct area_set *set, uint8_t *windows, unsigned int i)
{
	return windows + i * area_window(set) + AREA_GUARD * SECTOR;
}

/* Bytes of a window that lie before the disk's first. */
static size_t missing(const struct area_set *set, unsigned int i)
{
	return set->at[i] < AREA_GUARD ? (AREA_GUARD - set->at[i]) * SECTOR : 0;
}

void areas_read(const struct area_set *set, uint8_t *windows)
{
	unsigned int i;

	for (i = 0; i < set->count; i++) {
		size_t skip = missing(set, i);

		disk_read(set->disk, windows + i * area_window(set) + skip,
			  area_window(set) - skip, (set->at[i] - AREA_GUARD) * SECTOR + skip);
	}
}

void areas_write(const struct area_set *set, const uint8_t *windows)
{
	unsigned int i;

	for (i = 0; i < set->count; i++) {
		size_t skip = missing(set, i);

		disk_write(set->disk, windows + i * area_window(set) + skip,
			   area_window(set) - skip, (set->at[i] - AREA_GUARD) * SECTOR + skip);
	}
}

bool area_guarded(const struct area_set *set, unsigned int i, const uint8_t *windows,
		  const uint8_t *before, size_t *at)
{
	size_t window = area_window(set), skip = missing(set, i);
	size_t guard = AREA_GUARD * SECTOR, after = guard + area_bytes(set);
	const uint8_t *w = windows + i * window, *b = before + i * window;

	*at = skip + differ_at(w + skip, b + skip, guard - skip);
	if (*at < guard)
		return false;
	*at = after + differ_at(w + after, b + after, guard);
	return *at == window;
}
