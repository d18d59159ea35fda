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

#include "ciphers.h"
#include "kern.h"
#include "oracle.h"

static const struct {
	unsigned int size;
	bool large;
} shapes[] = {
	{ 512, false }, { 1024, false }, { 1024, true }, { 2048, false },
	{ 2048, true }, { 4096, false }, { 4096, true },
};

#define SHAPES	(sizeof(shapes) / sizeof(*shapes))

/* Where IV numbers start: their arithmetic has its corners here. */
enum { IV_ZERO, IV_SMALL, IV_OVER_32, IV_BIG, IV_WRAP, IVS };
static const char *const iv_names[IVS] = {
	"0", "small", "over 2^32", "big", "over 2^64",
};

/* Start offsets; FAR is past 2^32 sectors where the disk is that big. */
enum { START_ZERO, START_8, START_FAR, STARTS };

#define AREAS	(IVS * STARTS)
#define GUARD	8		/* sectors watched on both sides of an area */
#define STRIDE	128		/* sectors between areas */
#define MAX_LEN	64		/* sectors of an area */

#define SECTOR	512ULL
#define FAR_AT	(1ULL << 32)

struct area {
	int iv, start;
	uint64_t iv_offset;
	uint64_t dev_start;	/* on the linear device below */
	uint64_t disk;		/* on the disk */
	bool guard_before;
};

struct matrix {
	const char *target[2];	/* a: under test; b: the judge */
	const char *pattern;	/* of cipher texts, to narrow a run */
	bool full;
	uint64_t far;
	int disk;
	char disk_path[64];
	struct dm_dev below[2 * IVS];
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
	unsigned int len;		/* of an area, in sectors */
	struct area area[AREAS];
	unsigned int areas;
	uint8_t *plain, *got, *want, *raw, *first;
	char desc[160];
	unsigned int good;
	bool bad[AREAS];
};

static size_t bytes_of(const struct run *r)
{
	return r->len * SECTOR;
}

static void complain(struct run *r, unsigned int a, const char *what, const uint8_t *got,
		     const uint8_t *want, size_t len)
{
	size_t i;

	for (i = 0; i < len && got[i] == want[i]; i++)
		;
	r->bad[a] = true;
	say_diag("%s, IV offset %s (%llu), start %llu: %s: sector %zu, byte %zu", r->desc,
		 iv_names[r->area[a].iv], (unsigned long long)r->area[a].iv_offset,
		 (unsigned long long)r->area[a].dev_start, what, i / 512, i % 512);
}

static void plan_area(struct run *r, int iv, int start)
{
	unsigned int unit = r->layout.sector_size / 512;
	uint64_t scale = r->layout.iv_large_sectors ? unit : 1;
	struct area *a = &r->area[r->areas++];

	a->iv = iv;
	a->start = start;
	switch (iv) {
	case IV_ZERO:
		a->iv_offset = 0;
		break;
	case IV_SMALL:
		a->iv_offset = 8 + 8 * rnd_below(1 << 17);
		break;
	case IV_OVER_32:
		a->iv_offset = (scale << 32) - r->len / 2;
		break;
	case IV_BIG:
		a->iv_offset = (1ULL << 40) + 8 * rnd_below(1ULL << 55);
		break;
	case IV_WRAP:
		a->iv_offset = 0 - (uint64_t)r->len / 2;
		break;
	}
	/* Areas that begin a device below, those that don't, and those far away. */
	switch (start) {
	case START_ZERO:
		a->dev_start = 0;
		a->disk = (uint64_t)iv * STRIDE;
		break;
	case START_8:
		a->dev_start = 8;
		a->disk = (uint64_t)(IVS + iv) * STRIDE + 8;
		break;
	case START_FAR:
		a->dev_start = r->m->far;
		a->disk = (uint64_t)iv * STRIDE + r->m->far;
		break;
	}
	a->guard_before = a->disk >= GUARD;
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

static const char *options(const struct run *r, char *buf, size_t size)
{
	unsigned int bytes = r->layout.sector_size;

	*buf = 0;
	if (bytes != 512)
		snprintf(buf, size, " %d sector_size:%u%s", 1 + r->layout.iv_large_sectors, bytes,
			 r->layout.iv_large_sectors ? " iv_large_sectors" : "");
	return buf;
}

static int map(struct run *r, int which, struct dm_dev *dev)
{
	struct matrix *m = r->m;
	static struct dm_table t;
	char opts[64];
	unsigned int i;

	table_reset(&t);
	options(r, opts, sizeof(opts));
	for (i = 0; i < r->areas; i++) {
		const struct area *a = &r->area[i];
		int below = a->start == START_8 ? IVS + a->iv : a->iv;

		table_add(&t, (uint64_t)i * r->len, r->len, m->target[which],
			  "%s %s %llu %s %llu%s", r->cipher, r->ref,
			  (unsigned long long)a->iv_offset, m->below[below].path,
			  (unsigned long long)a->dev_start, opts);
	}
	return dm_create(dev, which ? "b" : "a", &t);
}

/* The raw disk around all areas, guards included. */
static size_t window(const struct run *r)
{
	return (r->len + 2 * GUARD) * SECTOR;
}

static void raw_io(struct run *r, bool write, uint8_t *buf)
{
	unsigned int i;

	for (i = 0; i < r->areas; i++) {
		const struct area *a = &r->area[i];
		uint8_t *p = buf + i * window(r);
		size_t skip = a->guard_before ? 0 : GUARD * SECTOR;
		uint64_t at = (a->disk - GUARD) * SECTOR + skip;

		if (write)
			disk_write(r->m->disk, p + skip, window(r) - skip, at);
		else
			disk_read(r->m->disk, p + skip, window(r) - skip, at);
	}
}

static void check_guards(struct run *r, const uint8_t *raw, const uint8_t *junk,
			 const char *who)
{
	size_t guard = GUARD * SECTOR;
	char what[64];
	unsigned int i;

	snprintf(what, sizeof(what), "%s wrote beside its area", who);
	for (i = 0; i < r->areas; i++) {
		const uint8_t *p = raw + i * window(r), *j = junk + i * window(r);
		size_t after = guard + bytes_of(r);

		if (r->area[i].guard_before && memcmp(p, j, guard))
			complain(r, i, what, p, j, guard);
		if (memcmp(p + after, j + after, guard))
			complain(r, i, what, p + after, j + after, guard);
	}
}

/* Through the mapping in pieces of random size, so that bios are of all sizes. */
static void write_pieces(struct run *r, int fd, const uint8_t *buf)
{
	size_t total = r->areas * bytes_of(r), at, n;

	for (at = 0; at < total; at += n) {
		n = (1 + rnd_below(48)) * 4096;
		if (n > total - at)
			n = total - at;
		disk_write(fd, buf + at, n, at);
	}
}

static void check_plain(struct run *r, const uint8_t *got, const char *what)
{
	unsigned int i;

	for (i = 0; i < r->areas; i++) {
		size_t at = i * bytes_of(r);

		if (memcmp(got + at, r->plain + at, bytes_of(r)))
			complain(r, i, what, got + at, r->plain + at, bytes_of(r));
	}
}

/* One direction: @writer writes, the raw disk is looked at, @reader reads. */
static void direction(struct run *r, int writer, int reader, int wfd, int rfd)
{
	struct matrix *m = r->m;
	size_t guard = GUARD * SECTOR;
	uint8_t *raw = writer ? r->raw : r->first;
	char what[96];
	unsigned int i;

	/* r->want serves as the junk the disk is filled with. */
	rnd_bytes(r->want, r->areas * window(r));
	raw_io(r, true, r->want);
	write_pieces(r, wfd, r->plain);
	raw_io(r, false, raw);
	check_guards(r, raw, r->want, m->target[writer]);

	snprintf(what, sizeof(what), "the oracle %s what %s (%c) wrote differently",
		 writer ? "decrypts" : "encrypts", m->target[writer], 'a' + writer);
	for (i = 0; i < r->areas; i++) {
		uint8_t *ct = raw + i * window(r) + guard, *pt = r->plain + i * bytes_of(r);
		const uint8_t *other = writer ? pt : ct;

		r->layout.iv_offset = r->area[i].iv_offset;
		memcpy(r->got, writer ? ct : pt, bytes_of(r));
		if (oracle_run(r->oracle, &r->layout, !writer, r->got, bytes_of(r), 0))
			die("the oracle can't do %s", r->desc);
		if (memcmp(r->got, other, bytes_of(r)))
			complain(r, i, what, r->got, other, bytes_of(r));
	}

	memset(r->got, 0, r->areas * bytes_of(r));
	disk_read(rfd, r->got, r->areas * bytes_of(r), 0);
	snprintf(what, sizeof(what), "%s (%c) reads what %s (%c) wrote differently",
		 m->target[reader], 'a' + reader, m->target[writer], 'a' + writer);
	check_plain(r, r->got, what);
}

static void compare_twins(struct run *r)
{
	size_t guard = GUARD * SECTOR;
	unsigned int i;

	for (i = 0; i < r->areas; i++) {
		const uint8_t *a = r->first + i * window(r) + guard;
		const uint8_t *b = r->raw + i * window(r) + guard;

		if (memcmp(a, b, bytes_of(r)))
			complain(r, i, "the raw bytes of the two differ", a, b, bytes_of(r));
	}
}

static void count(struct run *r)
{
	unsigned int i;

	for (i = 0; i < r->areas; i++)
		r->good += !r->bad[i];
	r->m->combinations += r->good;
	r->m->bytes += 2 * r->areas * bytes_of(r);
	if (r->good == r->areas)
		say_ok("%s: %u combinations, both ways", r->desc, r->areas);
	else
		say_fail(r->desc, "%u of %u combinations are wrong", r->areas - r->good, r->areas);
}

static void try_run(struct run *r, unsigned int shape)
{
	struct matrix *m = r->m;
	struct dm_dev dev[2] = { 0 };
	int err[2], fd[2], iv, start;

	r->layout.sector_size = shapes[shape].size;
	r->layout.iv_large_sectors = shapes[shape].large;
	r->len = shapes[shape].size == 4096 ? MAX_LEN : MAX_LEN / 2;
	r->areas = r->good = 0;
	memset(r->bad, 0, sizeof(r->bad));
	for (start = 0; start < STARTS; start++)
		for (iv = 0; iv < IVS; iv++)
			if (wants_area(r, shape, iv, start))
				plan_area(r, iv, start);
	snprintf(r->desc, sizeof(r->desc), "%s, sectors of %u%s", r->cipher,
		 r->layout.sector_size, r->layout.iv_large_sectors ? ", large IVs" : "");
	rnd_bytes(r->plain, r->areas * bytes_of(r));

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
	static const size_t room = AREAS * (MAX_LEN + 2 * GUARD) * SECTOR;
	uint8_t key[ORACLE_MAX_KEY];
	struct oracle_err err;
	struct run r = { .m = m };
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
	uint64_t sectors = disk_size(m->disk) / SECTOR, low = 2ULL * IVS * STRIDE;
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
	for (i = 0; i < 2 * IVS; i++) {
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
	for (i = 2 * IVS; i-- > 0;)
		dm_remove(&m.below[i]);
	if (!tried)
		die("no cipher has '%s' in it", m.pattern);
	say_diag("%lu combinations right, %lu MiB through each target", m.combinations,
		 m.bytes >> 20);
	return finish();
}
