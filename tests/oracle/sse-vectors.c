// SPDX-License-Identifier: GPL-2.0-only
/*
 * Published vectors through a target: what the vector calls plaintext is
 * written to the mapping and the disk below must hold its ciphertext; its
 * ciphertext is put on the disk and the mapping must read its plaintext.
 *
 * Vectors are seldom made for disks. Three facts bring them there:
 *
 *  - XTS and CBC encrypt a sector from front to back, so that a vector shorter
 *    than a sector is what the sector begins with.
 *  - CBC begins by adding the IV to the first block. A vector with an IV that is
 *    no sector number gets there when the difference between the two IVs is
 *    added to its plaintext. A block cipher's own vector is CBC with an IV of 0.
 *  - Adiantum adds a hash of its tweak to the last block, before and after: the
 *    difference of the two hashes goes into both texts. Its vectors have to be
 *    as long as a sector, as all of it depends on all of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kern.h"
#include "oracle.h"
#include "vecfile.h"

#define SECTOR		512
#define MAP_LEN		64		/* sectors of a mapping */
#define DEV_START	16		/* where it lies on the disk */
#define INSIDE		24		/* where the vector goes, if IVs allow it */

static const struct {
	unsigned int size;
	bool large;
} shapes[] = {
	{ 512, false }, { 1024, true }, { 2048, true }, { 4096, false }, { 4096, true },
};

struct state {
	const char *target, *disk_path;
	int disk;
	uint8_t *plain, *raw, *got;
	unsigned int vectors, through, refused, unfit, placements;
};

/* A vector as it goes into a sector of one shape. */
struct placement {
	const struct vector *v;
	char cipher[64];
	struct oracle_layout layout;
	uint64_t sector;		/* of the mapping */
	uint8_t pt[ORACLE_MAX_SECTOR], ct[ORACLE_MAX_SECTOR];
};

static uint64_t get64(const uint8_t *p)
{
	uint64_t v = 0;
	int i;

	for (i = 7; i >= 0; i--)
		v = v << 8 | p[i];
	return v;
}

/* Whether IVs other than the vector's own will do. */
static bool movable(const struct oracle_spec *spec)
{
	return spec->mode == MODE_ADIANTUM || spec->mode == MODE_ECB ||
	       (spec->mode == MODE_CBC && spec->iv != IV_ESSIV);
}

/* A sector of this shape with IV number @number: false if there is none. */
static bool find_sector(struct placement *p, uint64_t number)
{
	uint64_t unit = p->layout.sector_size / SECTOR, at = number;

	if (p->layout.iv_large_sectors) {
		if (number > UINT64_MAX / unit)
			return false;
		at = number * unit;
	}
	if (at % unit)
		return false;
	p->sector = at < INSIDE ? at : INSIDE;
	p->layout.iv_offset = at - p->sector;
	return true;
}

/* Both texts, changed from the vector's IV to the one of the sector. */
static void move_texts(struct placement *p, struct oracle *o)
{
	const struct vector *v = p->v;
	struct adiantum *ad = oracle_adiantum(o);
	uint8_t iv[ORACLE_MAX_IV];

	memcpy(p->pt, v->pt, v->ptlen);
	memcpy(p->ct, v->ct, v->ctlen);
	oracle_sector_iv(o, &p->layout, p->sector, iv);
	if (ad) {
		size_t last = v->ptlen - 16;
		uint8_t from[16], to[16];

		adiantum_tweak_hash(ad, v->ptlen, v->iv, 32, from);
		adiantum_tweak_hash(ad, v->ptlen, iv, 32, to);
		le128_add(p->pt + last, from);
		le128_sub(p->pt + last, to);
		le128_add(p->ct + last, from);
		le128_sub(p->ct + last, to);
	} else if (oracle_spec(o)->mode == MODE_CBC && oracle_spec(o)->iv != IV_ESSIV) {
		size_t i;

		for (i = 0; i < 16; i++)
			p->pt[i] ^= v->iv[i] ^ iv[i];
	}
}

/* The errno of the table load; the device is there if it is 0. */
static int map(struct state *s, const struct placement *p, const char *ref, struct dm_dev *dev)
{
	static struct dm_table t;
	char opts[64] = "";

	if (p->layout.sector_size != 512)
		snprintf(opts, sizeof(opts), " %d sector_size:%u%s",
			 1 + p->layout.iv_large_sectors, p->layout.sector_size,
			 p->layout.iv_large_sectors ? " iv_large_sectors" : "");
	table_reset(&t);
	table_add(&t, 0, MAP_LEN, s->target, "%s %s %llu %s %d%s", p->cipher, ref,
		  (unsigned long long)p->layout.iv_offset, s->disk_path, DEV_START, opts);
	return dm_create(dev, "vec", &t);
}

static bool complain(const struct placement *p, const char *what, const uint8_t *got,
		     const uint8_t *want, size_t len)
{
	size_t i;

	for (i = 0; i < len && got[i] == want[i]; i++)
		;
	if (i == len)
		return true;
	say_diag("%s: %s, sectors of %u%s: %s, from byte %zu of %zu", p->v->name, p->cipher,
		 p->layout.sector_size, p->layout.iv_large_sectors ? ", large IVs" : "", what, i,
		 len);
	return false;
}

static bool try_placement(struct state *s, const struct placement *p, const char *ref)
{
	const size_t len = p->v->ptlen, all = MAP_LEN * SECTOR, at = p->sector * SECTOR;
	struct dm_dev dev = { 0 };
	bool good = true;
	int err, fd;

	err = map(s, p, ref, &dev);
	if (err) {
		say_diag("%s: %s is refused: %s", p->v->name, p->cipher, strerror(err));
		return false;
	}
	fd = disk_open(dev.path, O_RDWR | O_DIRECT);

	rnd_bytes(s->plain, all);
	memcpy(s->plain + at, p->pt, len);
	disk_write(fd, s->plain, all, 0);
	disk_read(s->disk, s->raw, all, DEV_START * SECTOR);
	good &= complain(p, "the disk has other bytes than the vector", s->raw + at, p->ct, len);
	memset(s->got, 0, all);
	disk_read(fd, s->got, all, 0);
	good &= complain(p, "what was written is read differently", s->got, s->plain, all);

	rnd_bytes(s->raw, all);
	memcpy(s->raw + at, p->ct, len);
	disk_write(s->disk, s->raw, all, DEV_START * SECTOR);
	disk_read(fd, s->got, all, 0);
	good &= complain(p, "the vector's ciphertext is read differently", s->got + at, p->pt,
			 len);
	close(fd);
	dm_remove(&dev);
	s->placements++;
	return good;
}

/*
 * XTS with equal halves is in the standards as a vector, and no way to encrypt
 * a disk: the target has to refuse it, and for that reason only.
 */
static void try_weak(struct state *s, const struct vector *v)
{
	struct placement p = { .v = v, .layout.sector_size = 512 };
	static unsigned int number;
	uint8_t key[ORACLE_MAX_KEY];
	struct dm_dev dev = { 0 };
	char name[32], ref[64];
	int err, other;

	memcpy(key, v->key, v->keylen);
	snprintf(p.cipher, sizeof(p.cipher), "%s", v->cipher);
	snprintf(name, sizeof(name), "weak%u", number++);
	key_load(name, key, v->keylen, ref, sizeof(ref));
	err = map(s, &p, ref, &dev);
	if (!err)
		dm_remove(&dev);

	key[v->keylen - 1] ^= 1;
	snprintf(name, sizeof(name), "weak%u", number++);
	key_load(name, key, v->keylen, ref, sizeof(ref));
	other = map(s, &p, ref, &dev);
	if (!other)
		dm_remove(&dev);
	if (err == EINVAL && !other) {
		s->refused++;
		say_ok("%s: refused, as its key has equal halves", v->name);
	} else {
		say_fail(v->name, "equal halves: %s; one bit changed: %s", strerror(err),
			 strerror(other));
	}
}

static bool takes(const struct placement *p, const struct oracle_spec *spec)
{
	size_t size = p->layout.sector_size;

	return spec->mode == MODE_ADIANTUM ? p->v->ptlen == size : p->v->ptlen <= size;
}

/* All shapes of one cipher text; how many of them took the vector and failed. */
static unsigned int try_cipher(struct state *s, const struct vector *v, const char *cipher,
			       const char *ref, unsigned int *bad)
{
	static struct placement p;
	unsigned int i, done = 0;
	struct oracle_err err;
	struct oracle *o;

	o = oracle_new(cipher, v->key, v->keylen, &err);
	if (!o)
		die("%s: %s", cipher, err.text);
	for (i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
		const struct oracle_spec *spec = oracle_spec(o);
		uint64_t number = get64(v->iv);

		memset(&p, 0, sizeof(p));
		p.v = v;
		snprintf(p.cipher, sizeof(p.cipher), "%s", cipher);
		p.layout.sector_size = shapes[i].size;
		p.layout.iv_large_sectors = shapes[i].large;
		/* Any number will do: one with all bytes in use, and with room above. */
		if (movable(spec))
			number = (number ^ 0x0123456789abcdefULL) >> 8 & ~7ULL;
		if (!takes(&p, spec) || !find_sector(&p, number))
			continue;
		move_texts(&p, o);
		*bad += !try_placement(s, &p, ref);
		done++;
	}
	oracle_free(o);
	return done;
}

static void try_vector(const struct vector *v, void *data)
{
	static const char *const cbc_ivs[] = { "plain", "plain64", "plain64be" };
	struct oracle_spec spec;
	struct state *s = data;
	struct oracle_err err = { "" };
	unsigned int done = 0, bad = 0;
	char name[32], ref[64], cipher[64];
	size_t i;

	snprintf(name, sizeof(name), "vector%u", s->vectors++);
	if (oracle_spec_parse(&spec, v->cipher, &err))
		die("%s", err.text);
	if (vector_weak(v) && !strcmp(s->target, "sse")) {
		try_weak(s, v);
		return;
	}
	for (i = 8; i < sizeof(v->iv); i++)
		if (v->iv[i] && !movable(&spec))
			die("%s: its IV is no sector number", v->name);

	key_load(name, v->key, v->keylen, ref, sizeof(ref));
	if (spec.mode == MODE_ECB) {
		snprintf(cipher, sizeof(cipher), "%s-cbc-plain64", spec.block);
		done = try_cipher(s, v, cipher, ref, &bad);
	} else if (movable(&spec) && spec.mode == MODE_CBC) {
		for (i = 0; i < sizeof(cbc_ivs) / sizeof(*cbc_ivs); i++) {
			snprintf(cipher, sizeof(cipher), "%s-cbc-%s", spec.block, cbc_ivs[i]);
			done += try_cipher(s, v, cipher, ref, &bad);
		}
	} else {
		done = try_cipher(s, v, v->cipher, ref, &bad);
	}
	if (!done) {
		if (spec.mode != MODE_ADIANTUM)
			die("%s: fits nowhere", v->name);
		s->unfit++;
		say_diag("%s: no sector has %zu bytes", v->name, v->ptlen);
	} else if (bad) {
		say_fail(v->name, "%u of %u ways of writing it are wrong", bad, done);
	} else {
		s->through++;
		say_ok("%s: in %u kinds of sector", v->name, done);
	}
}

int main(int argc, char **argv)
{
	static const struct option opts[] = {
		{ "target", required_argument, NULL, 't' },
		{ NULL, 0, NULL, 0 }
	};
	struct state s = { .target = "sse" };
	struct oracle_err err;
	char sum[160];
	int i, c;

	while ((c = getopt_long(argc, argv, "", opts, NULL)) != -1) {
		if (c != 't')
			return 2;
		s.target = optarg;
	}
	if (argc - optind < 2) {
		fputs("usage: sse-vectors [--target TYPE] DISK FILE...\n"
		      "Overwrites DISK.\n", stderr);
		return 2;
	}
	rnd_seed(1);
	s.disk_path = argv[optind];
	s.disk = disk_open(s.disk_path, O_RDWR | O_DIRECT);
	s.plain = page_alloc(MAP_LEN * SECTOR);
	s.raw = page_alloc(MAP_LEN * SECTOR);
	s.got = page_alloc(MAP_LEN * SECTOR);
	for (i = optind + 1; i < argc; i++)
		if (vecfile_each(argv[i], try_vector, &s, &err) < 0)
			die("%s", err.text);

	snprintf(sum, sizeof(sum), "of %u vectors %u went through, %u were refused for weak keys, "
		 "%u have no sector's length", s.vectors, s.through, s.refused, s.unfit);
	if (s.vectors == s.through + s.refused + s.unfit)
		say_ok("%s", sum);
	else
		say_fail(sum, "%u are wrong", s.vectors - s.through - s.refused - s.unfit);
	say_diag("%u sectors in all", s.placements);
	free(s.plain);
	free(s.raw);
	free(s.got);
	return finish();
}
