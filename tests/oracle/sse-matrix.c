// SPDX-License-Identifier: GPL-2.0-only
/*
 * The matrix: cipher x sector size x IV offset x start offset. Two targets of
 * the same parameters lie on the same disk. What one writes the other must
 * read, both ways; what the one writes must be the bytes the other writes; and
 * the oracle must get the same bytes out and in.
 *
 * One mapping carries all IV offsets and start offsets of a cipher and sector
 * size, as a table of many targets. The bytes around every target's area are
 * watched, too.
 *
 * What takes time is to make and remove targets, dm-crypt's above all, and an
 * emulated machine has little of it. Without --full, only sectors of 512 and of
 * 4096 bytes get all of these areas. The other sizes get each IV offset once,
 * at starts that change from size to size and from cipher to cipher, and the
 * second spelling of a cipher gets that at one size.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "area.h"
#include "ciphers.h"
#include "kern.h"
#include "oracle.h"

/* Start offsets; FAR is past 2^32 sectors where the disk is that big. */
enum { START_ZERO, START_8, START_FAR, STARTS };

#define AREAS	(IV_CORNERS * STARTS)
#define STRIDE	128		/* sectors between areas */
#define MAX_LEN	64		/* sectors of an area */

struct area {
	int iv, start;
	uint64_t iv_offset;
	uint64_t dev_start;	/* on the linear device below */
};

struct matrix {
	const char *target[2];	/* a: under test; b: the judge */
	const char *pattern;	/* of cipher texts, to narrow a run */
	bool full;
	uint64_t far;
	int disk;
	char disk_path[64];
	struct dm_dev below[2 * IV_CORNERS];
	unsigned long combinations, bytes;
};

/* What is known about one cipher at one sector size. */
struct run {
	struct matrix *m;
	struct oracle *oracle;
	const char *cipher;
	unsigned int index;		/* of the cipher */
	bool second;			/* the second spelling of another one */
	char ref[96];
	struct oracle_layout layout;
	struct area_set set;
	struct area area[AREAS];
	uint8_t *plain, *got, *want, *raw, *first;
	char desc[160];
	unsigned int good;
	bool bad[AREAS];
};

static void complain(struct run *r, unsigned int a, const char *what, size_t at)
{
	r->bad[a] = true;
	say_diag("%s, IV offset %s (%llu), start %llu: %s: sector %zu, byte %zu", r->desc,
		 iv_names[r->area[a].iv], (unsigned long long)r->area[a].iv_offset,
		 (unsigned long long)r->area[a].dev_start, what, at / 512, at % 512);
}

static void expect_same(struct run *r, unsigned int a, const char *what, const uint8_t *got,
			const uint8_t *want)
{
	size_t at = differ_at(got, want, area_bytes(&r->set));

	if (at != area_bytes(&r->set))
		complain(r, a, what, at);
}

static void plan_area(struct run *r, int iv, int start)
{
	struct area *a = &r->area[r->set.count];
	uint64_t *disk = &r->set.at[r->set.count++];

	a->iv = iv;
	a->start = start;
	a->iv_offset = iv_corner(iv, &r->layout, r->set.len);
	/* Areas that begin a device below, those that don't, and those far away. */
	switch (start) {
	case START_ZERO:
		a->dev_start = 0;
		*disk = (uint64_t)iv * STRIDE;
		break;
	case START_8:
		a->dev_start = 8;
		*disk = (uint64_t)(IV_CORNERS + iv) * STRIDE + 8;
		break;
	case START_FAR:
		a->dev_start = r->m->far;
		*disk = (uint64_t)iv * STRIDE + r->m->far;
		break;
	}
}

static bool wants_shape(const struct run *r, unsigned int shape)
{
	return r->m->full || !r->second || shape == r->index % SHAPES;
}

static bool wants_area(const struct run *r, unsigned int shape, unsigned int iv,
		       unsigned int start)
{
	bool common = shapes[shape].size == 512 || (shapes[shape].size == 4096 &&
						    !shapes[shape].large);

	if (r->m->full || (common && !r->second))
		return true;
	return start == (iv + shape + r->index) % STARTS;
}

static int map(struct run *r, int which, struct dm_dev *dev)
{
	struct matrix *m = r->m;
	static struct dm_table t;
	unsigned int i, words;
	char opts[64];

	table_reset(&t);
	words = layout_words(&r->layout, opts, sizeof(opts));
	for (i = 0; i < r->set.count; i++) {
		const struct area *a = &r->area[i];
		int below = a->start == START_8 ? IV_CORNERS + a->iv : a->iv;

		table_add(&t, (uint64_t)i * r->set.len, r->set.len, m->target[which],
			  "%s %s %llu %s %llu %u%s", r->cipher, r->ref,
			  (unsigned long long)a->iv_offset, m->below[below].path,
			  (unsigned long long)a->dev_start, words, opts);
	}
	return dm_create(dev, which ? "b" : "a", &t);
}

static void check_guards(struct run *r, const uint8_t *raw, const uint8_t *junk,
			 const char *who)
{
	char what[64];
	unsigned int i;
	size_t at;

	snprintf(what, sizeof(what), "%s wrote beside its area", who);
	for (i = 0; i < r->set.count; i++)
		if (!area_guarded(&r->set, i, raw, junk, &at))
			complain(r, i, what, at);
}

/* Through the mapping in pieces of random size, so that bios are of all sizes. */
static void write_pieces(struct run *r, int fd, const uint8_t *buf)
{
	size_t total = r->set.count * area_bytes(&r->set), at, n;

	for (at = 0; at < total; at += n) {
		n = (1 + rnd_below(48)) * 4096;
		if (n > total - at)
			n = total - at;
		disk_write(fd, buf + at, n, at);
	}
}

/* One direction: @writer writes, the raw disk is looked at, @reader reads. */
static void direction(struct run *r, int writer, int reader, int wfd, int rfd)
{
	struct matrix *m = r->m;
	size_t bytes = area_bytes(&r->set);
	uint8_t *raw = writer ? r->raw : r->first;
	char what[96];
	unsigned int i;

	/* r->want serves as the junk the disk is filled with. */
	rnd_bytes(r->want, r->set.count * area_window(&r->set));
	areas_write(&r->set, r->want);
	write_pieces(r, wfd, r->plain);
	areas_read(&r->set, raw);
	check_guards(r, raw, r->want, m->target[writer]);

	snprintf(what, sizeof(what), "the oracle %s what %s (%c) wrote differently",
		 writer ? "decrypts" : "encrypts", m->target[writer], 'a' + writer);
	for (i = 0; i < r->set.count; i++) {
		uint8_t *ct = area_in(&r->set, raw, i), *pt = r->plain + i * bytes;

		r->layout.iv_offset = r->area[i].iv_offset;
		memcpy(r->got, writer ? ct : pt, bytes);
		if (oracle_run(r->oracle, &r->layout, !writer, r->got, bytes, 0))
			die("the oracle can't do %s", r->desc);
		expect_same(r, i, what, r->got, writer ? pt : ct);
	}

	memset(r->got, 0, r->set.count * bytes);
	disk_read(rfd, r->got, r->set.count * bytes, 0);
	snprintf(what, sizeof(what), "%s (%c) reads what %s (%c) wrote differently",
		 m->target[reader], 'a' + reader, m->target[writer], 'a' + writer);
	for (i = 0; i < r->set.count; i++)
		expect_same(r, i, what, r->got + i * bytes, r->plain + i * bytes);
}

static void compare_twins(struct run *r)
{
	unsigned int i;

	for (i = 0; i < r->set.count; i++)
		expect_same(r, i, "the raw bytes of the two differ",
			    area_in(&r->set, r->first, i), area_in(&r->set, r->raw, i));
}

static void count(struct run *r)
{
	unsigned int i;

	for (i = 0; i < r->set.count; i++)
		r->good += !r->bad[i];
	r->m->combinations += r->good;
	r->m->bytes += 2 * r->set.count * area_bytes(&r->set);
	if (r->good == r->set.count)
		say_ok("%s: %u combinations, both ways", r->desc, r->set.count);
	else
		say_fail(r->desc, "%u of %u combinations are wrong", r->set.count - r->good,
			 r->set.count);
}

static void try_run(struct run *r, unsigned int shape)
{
	struct matrix *m = r->m;
	struct dm_dev dev[2] = { 0 };
	int err[2], fd[2], iv, start;

	r->layout.sector_size = shapes[shape].size;
	r->layout.iv_large_sectors = shapes[shape].large;
	r->set.len = shapes[shape].size == 4096 ? MAX_LEN : MAX_LEN / 2;
	r->set.count = r->good = 0;
	memset(r->bad, 0, sizeof(r->bad));
	for (start = 0; start < STARTS; start++)
		for (iv = 0; iv < IV_CORNERS; iv++)
			if (wants_area(r, shape, iv, start))
				plan_area(r, iv, start);
	snprintf(r->desc, sizeof(r->desc), "%s, sectors of %u%s", r->cipher,
		 r->layout.sector_size, r->layout.iv_large_sectors ? ", large IVs" : "");
	rnd_bytes(r->plain, r->set.count * area_bytes(&r->set));

	/* Missing in the kernel is only what both say is missing. */
	err[0] = map(r, 0, &dev[0]);
	err[1] = map(r, 1, &dev[1]);
	if (err[0] == ENOENT && err[1] == ENOENT) {
		say_skip(r->desc, "the kernel has no such cipher");
		return;
	}
	if (err[0] || err[1]) {
		say_fail(r->desc, "%s (a): %s; %s (b): %s", m->target[0], strerror(err[0]),
			 m->target[1], strerror(err[1]));
		dm_remove(&dev[0]);
		dm_remove(&dev[1]);
		return;
	}
	fd[0] = disk_open(dev[0].path, O_RDWR | O_DIRECT);
	fd[1] = disk_open(dev[1].path, O_RDWR | O_DIRECT);
	direction(r, 0, 1, fd[0], fd[1]);
	direction(r, 1, 0, fd[1], fd[0]);
	compare_twins(r);
	close(fd[0]);
	close(fd[1]);
	dm_remove(&dev[1]);
	dm_remove(&dev[0]);
	count(r);
}

/* A mapping so long that its own sector numbers pass 2^32. */
static void try_far(struct run *r)
{
	struct matrix *m = r->m;
	struct dm_dev dev[2] = { 0 };
	static struct dm_table t;
	uint64_t from;
	int fd[2], i;
	bool good = true;
	size_t len;

	snprintf(r->desc, sizeof(r->desc), "%s, over sector 2^32 of a mapping", r->cipher);
	if (m->far < FAR_AT) {
		say_skip(r->desc, "the disk is too small");
		return;
	}
	r->layout = (struct oracle_layout){ .sector_size = 512 };
	len = MAX_LEN * SECTOR;
	from = FAR_AT - MAX_LEN / 2;
	for (i = 0; i < 2; i++) {
		int err;

		table_reset(&t);
		table_add(&t, 0, FAR_AT + MAX_LEN, m->target[i], "%s %s 0 %s 0", r->cipher,
			  r->ref, m->disk_path);
		err = dm_create(&dev[i], i ? "b" : "a", &t);
		if (err) {
			say_fail(r->desc, "%s: %s", m->target[i], strerror(err));
			dm_remove(&dev[0]);
			return;
		}
		fd[i] = disk_open(dev[i].path, O_RDWR | O_DIRECT);
	}
	memcpy(r->want, r->plain, len);
	if (oracle_run(r->oracle, &r->layout, true, r->want, len, from))
		die("the oracle can't do %s", r->desc);
	for (i = 0; i < 2; i++) {
		memset(r->got, 0, len);
		disk_write(m->disk, r->got, len, from * SECTOR);
		disk_write(fd[i], r->plain, len, from * SECTOR);
		disk_read(m->disk, r->got, len, from * SECTOR);
		good &= !memcmp(r->got, r->want, len);
		disk_read(fd[!i], r->got, len, from * SECTOR);
		good &= !memcmp(r->got, r->plain, len);
	}
	for (i = 1; i >= 0; i--) {
		close(fd[i]);
		dm_remove(&dev[i]);
	}
	if (good) {
		m->combinations++;
		say_ok("%s, both ways", r->desc);
	} else {
		say_fail(r->desc, "different bytes");
	}
}

static void try_cipher(struct matrix *m, unsigned int index)
{
	static const size_t room = AREAS * (MAX_LEN + 2 * AREA_GUARD) * SECTOR;
	uint8_t key[ORACLE_MAX_KEY];
	struct oracle_err err;
	struct run r = { .m = m, .set.disk = m->disk };
	char name[32];
	unsigned int shape;

	rnd_bytes(key, ciphers[index].keylen);
	r.oracle = oracle_new(ciphers[index].text, key, ciphers[index].keylen, &err);
	if (!r.oracle)
		die("%s: %s", ciphers[index].text, err.text);
	snprintf(name, sizeof(name), "matrix%u", index);
	key_load(name, key, ciphers[index].keylen, r.ref, sizeof(r.ref));
	r.plain = page_alloc(room);
	r.got = page_alloc(room);
	r.want = page_alloc(room);
	r.raw = page_alloc(room);
	r.first = page_alloc(room);

	r.cipher = ciphers[index].text;
	r.index = index;
	r.second = !strncmp(r.cipher, "capi:", 5);
	for (shape = 0; shape < SHAPES; shape++)
		if (wants_shape(&r, shape))
			try_run(&r, shape);
	if (m->full || !r.second)
		try_far(&r);

	free(r.plain);
	free(r.got);
	free(r.want);
	free(r.raw);
	free(r.first);
	oracle_free(r.oracle);
}

static void carve(struct matrix *m)
{
	uint64_t sectors = disk_size(m->disk) / SECTOR, low = 2ULL * IV_CORNERS * STRIDE;
	static struct dm_table t;
	unsigned int i;
	char name[16];

	if (sectors < 4 * low)
		die("the disk is too small");
	if (sectors > FAR_AT + 4 * low) {
		m->far = FAR_AT + low;
	} else {
		m->far = sectors / 2 / 8 * 8;
		say_diag("the disk ends before sector 2^32: the farthest start is %llu",
			 (unsigned long long)m->far);
	}
	for (i = 0; i < 2 * IV_CORNERS; i++) {
		int err;

		table_reset(&t);
		table_add(&t, 0, sectors - (uint64_t)i * STRIDE, "linear", "%s %u", m->disk_path,
			  i * STRIDE);
		snprintf(name, sizeof(name), "below%u", i);
		err = dm_create(&m->below[i], name, &t);
		if (err)
			die("linear: %s", strerror(err));
	}
}

int main(int argc, char **argv)
{
	static const struct option opts[] = {
		{ "target-a", required_argument, NULL, 'a' },
		{ "target-b", required_argument, NULL, 'b' },
		{ "cipher", required_argument, NULL, 'c' },
		{ "seed", required_argument, NULL, 's' },
		{ "full", no_argument, NULL, 'f' },
		{ NULL, 0, NULL, 0 }
	};
	struct matrix m = { .target = { "sse", "crypt" }, .pattern = "" };
	unsigned int i, tried = 0;
	uint64_t seed = 0;
	int c;

	while ((c = getopt_long(argc, argv, "", opts, NULL)) != -1) {
		if (c == 'a')
			m.target[0] = optarg;
		else if (c == 'b')
			m.target[1] = optarg;
		else if (c == 'c')
			m.pattern = optarg;
		else if (c == 's')
			seed = strtoull(optarg, NULL, 0);
		else if (c == 'f')
			m.full = true;
		else
			return 2;
	}
	if (argc - optind != 1) {
		fprintf(stderr,
			"usage: sse-matrix [--target-a TYPE] [--target-b TYPE] [--cipher PART]\n"
			"                  [--seed N] [--full] DISK\n"
			"Overwrites DISK.\n");
		return 2;
	}
	rnd_seed(seed);
	snprintf(m.disk_path, sizeof(m.disk_path), "%s", argv[optind]);
	m.disk = disk_open(m.disk_path, O_RDWR | O_DIRECT);
	carve(&m);
	for (i = 0; i < nr_ciphers; i++) {
		if (strstr(ciphers[i].text, m.pattern)) {
			try_cipher(&m, i);
			tried++;
		}
	}
	for (i = 2 * IV_CORNERS; i-- > 0;)
		dm_remove(&m.below[i]);
	if (!tried)
		die("no cipher has '%s' in it", m.pattern);
	say_diag("%lu combinations right, %lu MiB through each target", m.combinations,
		 m.bytes >> 20);
	return finish();
}
