// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random pairs: two ciphers x sector size x IV offset of each x start x room
 * for a header between the outer layer's start and the inner one's. A fused
 * target and two stacked dm-crypt devices lie on the same disk. What one
 * writes the other must read, both ways, and the oracle, which takes one layer
 * off after the other, must get the same bytes out and in.
 *
 * Mappings are dear and targets cheap: one mapping has a table of many pairs,
 * which have nothing in common but the sector size.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "ciphers.h"
#include "kern.h"
#include "oracle.h"

#define SECTOR	512ULL
#define PAIRS	15	/* of a mapping */
#define LEN	32	/* sectors of a pair's payload */
#define HEADER	24	/* most sectors of a header */
#define GUARD	8	/* sectors watched on both sides */
#define STRIDE	128	/* sectors between pairs on the disk */

/* Drivers that complete later, which the oracle knows by another name. */
static const struct {
	struct cipher_choice choice;
	const char *as;
} drivers[] = {
	{ { "capi:cryptd(xts(ecb(aes-generic)))-plain64", 64 }, "aes-xts-plain64" },
	{ { "capi:cryptd(cbc(ecb(aes-generic)))-plain64be", 32 }, "aes-cbc-plain64be" },
};

#define NR_DRIVERS	(sizeof(drivers) / sizeof(*drivers))

struct layer {
	const char *text;
	char ref[96];
	struct oracle *oracle;
	struct oracle_spec spec;
	uint64_t iv_offset;
};

struct pair {
	struct layer inner, outer;
	uint64_t disk;			/* start of the outer layer */
	unsigned int header;		/* sectors before the inner one */
	uint64_t on_outer;		/* the same on the outer dm-crypt device */
	bool same;			/* cipher and mode */
	bool bad;
};

struct group {
	const char *disk_path;
	int disk;
	unsigned int sector_size;
	bool large;
	struct pair pair[PAIRS];
	struct dm_dev fused, outer, inner;
	uint8_t *plain, *got, *raw, *junk;
	unsigned long good, same, refused;
};

static size_t bytes(void)
{
	return LEN * SECTOR;
}

/* A pair's stretch of the disk, with guards. */
#define WINDOW	((HEADER + LEN + 2 * GUARD) * SECTOR)

static void complain(struct group *g, struct pair *p, const char *what)
{
	p->bad = true;
	say_diag("%s, IVs from %llu, under %s, IVs from %llu, sectors of %u%s, start %llu, header %u: %s",
		 p->inner.text, (unsigned long long)p->inner.iv_offset, p->outer.text,
		 (unsigned long long)p->outer.iv_offset, g->sector_size,
		 g->large ? ", large IVs" : "", (unsigned long long)p->disk, p->header, what);
}

/* Where arithmetic has its corners; whole encryption sectors. */
static uint64_t choose_iv_offset(const struct group *g)
{
	uint64_t scale = g->large ? g->sector_size / SECTOR : 1;

	switch (rnd_below(5)) {
	case 0:
		return 0;
	case 1:
		return 8 * rnd_below(1 << 17);
	case 2:
		return (scale << 32) - LEN / 2;
	case 3:
		return 8 * rnd_below(1ULL << 60);
	default:
		return 0 - (uint64_t)LEN / 2;
	}
}

static void choose_layer(struct group *g, struct layer *l, const char *where, unsigned int index)
{
	size_t i = rnd_below(nr_ciphers + NR_DRIVERS);
	const struct cipher_choice *choice = i < nr_ciphers ? &ciphers[i] :
		&drivers[i - nr_ciphers].choice;
	const char *as = i < nr_ciphers ? choice->text : drivers[i - nr_ciphers].as;
	uint8_t key[ORACLE_MAX_KEY];
	struct oracle_err err;
	char name[32];

	rnd_bytes(key, choice->keylen);
	snprintf(name, sizeof(name), "pairs-%s%u", where, index);
	key_load(name, key, choice->keylen, l->ref, sizeof(l->ref));
	l->text = choice->text;
	l->oracle = oracle_new(as, key, choice->keylen, &err);
	if (!l->oracle)
		die("%s: %s", as, err.text);
	l->spec = *oracle_spec(l->oracle);
	l->iv_offset = choose_iv_offset(g);
}

static void choose(struct group *g)
{
	uint64_t on_outer = 0;
	unsigned int i;

	g->sector_size = 512U << rnd_below(4);
	g->large = g->sector_size > 512 && rnd_below(2);
	for (i = 0; i < PAIRS; i++) {
		struct pair *p = &g->pair[i];

		choose_layer(g, &p->inner, "inner", i);
		choose_layer(g, &p->outer, "outer", i);
		p->same = p->inner.spec.mode == p->outer.spec.mode &&
			!strcmp(p->inner.spec.block, p->outer.spec.block) &&
			p->inner.spec.rounds == p->outer.spec.rounds;
		p->disk = i * STRIDE + GUARD + 8 * rnd_below(4);
		p->header = 8 * (unsigned int)rnd_below(HEADER / 8 + 1);
		p->on_outer = on_outer;
		p->bad = false;
		on_outer += p->header + LEN;
	}
}

static void drop(struct group *g)
{
	unsigned int i;

	dm_remove(&g->fused);
	dm_remove(&g->inner);
	dm_remove(&g->outer);
	for (i = 0; i < PAIRS; i++) {
		oracle_free(g->pair[i].inner.oracle);
		oracle_free(g->pair[i].outer.oracle);
	}
}

/* " sector_size:N iv_large_sectors", and how many words that is. */
static unsigned int options(const struct group *g, char *buf, size_t size)
{
	*buf = 0;
	if (g->sector_size == 512)
		return 0;
	snprintf(buf, size, " sector_size:%u%s", g->sector_size,
		 g->large ? " iv_large_sectors" : "");
	return 1 + g->large;
}

static void fused_line(const struct group *g, struct dm_table *t, unsigned int index,
		       uint64_t start, bool allow)
{
	const struct pair *p = &g->pair[index];
	char opts[64];
	unsigned int n = options(g, opts, sizeof(opts));

	table_add(t, start, LEN, "sse", "%s %s %llu %s %llu %u%s%s outer %s %s %llu",
		  p->inner.text, p->inner.ref, (unsigned long long)p->inner.iv_offset,
		  g->disk_path, (unsigned long long)(p->disk + p->header), n + 4 + allow, opts,
		  allow ? " allow_same_cipher" : "", p->outer.text, p->outer.ref,
		  (unsigned long long)(p->outer.iv_offset + p->header));
}

static void crypt_line(const struct group *g, struct dm_table *t, const struct layer *l,
		       uint64_t start, uint64_t len, const char *below, uint64_t at)
{
	char opts[64], count[16] = "";
	unsigned int n = options(g, opts, sizeof(opts));

	if (n)
		snprintf(count, sizeof(count), " %u", n);
	table_add(t, start, len, "crypt", "%s %s %llu %s %llu%s%s", l->text, l->ref,
		  (unsigned long long)l->iv_offset, below, (unsigned long long)at, count, opts);
}

static int map(struct group *g)
{
	static struct dm_table t;
	unsigned int i;
	int err;

	table_reset(&t);
	for (i = 0; i < PAIRS; i++)
		fused_line(g, &t, i, i * LEN, g->pair[i].same);
	err = dm_create(&g->fused, "fused", &t);
	if (err)
		return err;

	table_reset(&t);
	for (i = 0; i < PAIRS; i++) {
		const struct pair *p = &g->pair[i];

		crypt_line(g, &t, &p->outer, p->on_outer, p->header + LEN, g->disk_path, p->disk);
	}
	err = dm_create(&g->outer, "outer", &t);
	if (err)
		return err;

	table_reset(&t);
	for (i = 0; i < PAIRS; i++) {
		const struct pair *p = &g->pair[i];

		crypt_line(g, &t, &p->inner, i * LEN, LEN, g->outer.path, p->on_outer + p->header);
	}
	return dm_create(&g->inner, "inner", &t);
}

/* Equal ciphers are refused unless they are asked for. */
static void refusals(struct group *g)
{
	static struct dm_table t;
	struct dm_dev dev = { 0 };
	unsigned int i;
	int err;

	for (i = 0; i < PAIRS; i++) {
		if (!g->pair[i].same)
			continue;
		g->same++;
		table_reset(&t);
		fused_line(g, &t, i, 0, false);
		err = dm_create(&dev, "refused", &t);
		dm_remove(&dev);
		if (err == EINVAL)
			g->refused++;
		else
			complain(g, &g->pair[i], "equal ciphers were taken without being asked for");
	}
}

/* In pieces of random size and in pieces of those, so that bios are of all shapes. */
static void write_pieces(struct group *g, int fd, uint8_t *buf)
{
	size_t total = PAIRS * bytes(), at = 0, end, done;
	struct iovec iov[8];
	int n;

	while (at < total) {
		end = at + (1 + rnd_below(24)) * 4096;
		if (end > total)
			end = total;
		for (done = at, n = 0; done < end && n < 8; n++) {
			size_t len = (1 + rnd_below(8)) * g->sector_size;

			if (len > end - done || n == 7)
				len = end - done;
			iov[n].iov_base = buf + done;
			iov[n].iov_len = len;
			done += len;
		}
		if (pwritev(fd, iov, n, (off_t)at) != (ssize_t)(end - at))
			die("write of %zu bytes in %d pieces: %s", end - at, n, strerror(errno));
		at = end;
	}
}

static void raw_io(struct group *g, bool write, uint8_t *buf)
{
	unsigned int i;

	for (i = 0; i < PAIRS; i++) {
		uint64_t at = (g->pair[i].disk - GUARD) * SECTOR;

		if (write)
			disk_write(g->disk, buf + i * WINDOW, WINDOW, at);
		else
			disk_read(g->disk, buf + i * WINDOW, WINDOW, at);
	}
}

/* The payload alone has changed: neither the header nor what is behind it. */
static void check_guards(struct group *g, const char *what)
{
	unsigned int i;

	for (i = 0; i < PAIRS; i++) {
		const uint8_t *raw = g->raw + i * WINDOW, *junk = g->junk + i * WINDOW;
		size_t from = (GUARD + g->pair[i].header) * SECTOR, to = from + bytes();

		if (memcmp(raw, junk, from) || memcmp(raw + to, junk + to, WINDOW - to))
			complain(g, &g->pair[i], what);
	}
}

static void run_layer(const struct group *g, const struct layer *l, bool enc, uint8_t *buf,
		      uint64_t sector)
{
	const struct oracle_layout layout = {
		.iv_offset = l->iv_offset,
		.sector_size = g->sector_size,
		.iv_large_sectors = g->large,
	};

	if (oracle_run(l->oracle, &layout, enc, buf, bytes(), sector))
		die("the oracle can't do %s", l->text);
}

/* One layer after the other off what @who has written. */
static void check_raw(struct group *g, const char *what)
{
	unsigned int i;

	for (i = 0; i < PAIRS; i++) {
		struct pair *p = &g->pair[i];
		uint8_t *buf = g->raw + i * WINDOW + (GUARD + p->header) * SECTOR;

		run_layer(g, &p->outer, false, buf, p->header);
		run_layer(g, &p->inner, false, buf, 0);
		if (memcmp(buf, g->plain + i * bytes(), bytes()))
			complain(g, p, what);
	}
}

static void check_read(struct group *g, int fd, const char *what)
{
	unsigned int i;

	memset(g->got, 0, PAIRS * bytes());
	disk_read(fd, g->got, PAIRS * bytes(), 0);
	for (i = 0; i < PAIRS; i++)
		if (memcmp(g->got + i * bytes(), g->plain + i * bytes(), bytes()))
			complain(g, &g->pair[i], what);
}

static void both_ways(struct group *g)
{
	int fused = disk_open(g->fused.path, O_RDWR | O_DIRECT);
	int stack = disk_open(g->inner.path, O_RDWR | O_DIRECT);

	rnd_bytes(g->plain, PAIRS * bytes());
	rnd_bytes(g->junk, PAIRS * WINDOW);
	raw_io(g, true, g->junk);
	write_pieces(g, fused, g->plain);
	raw_io(g, false, g->raw);
	check_guards(g, "the fused device writes beside its payload");
	check_raw(g, "the oracle decrypts what the fused device wrote differently");
	check_read(g, stack, "the stack reads what the fused device wrote differently");
	check_read(g, fused, "the fused device reads what it wrote differently");

	rnd_bytes(g->plain, PAIRS * bytes());
	raw_io(g, true, g->junk);
	write_pieces(g, stack, g->plain);
	raw_io(g, false, g->raw);
	check_guards(g, "the stack writes beside its payload");
	check_raw(g, "the oracle decrypts what the stack wrote differently");
	check_read(g, fused, "the fused device reads what the stack wrote differently");
	close(fused);
	close(stack);
}

static void try_group(struct group *g, unsigned int nr)
{
	unsigned int i, good = 0;
	char desc[96];
	int err;

	choose(g);
	snprintf(desc, sizeof(desc), "mapping %u, sectors of %u%s", nr, g->sector_size,
		 g->large ? ", large IVs" : "");
	err = map(g);
	if (err) {
		say_fail(desc, "%s: %s", !g->fused.path[0] ? "the fused device" :
			 !g->outer.path[0] ? "the outer dm-crypt" : "the inner dm-crypt",
			 strerror(err));
		for (i = 0; i < PAIRS; i++)
			complain(g, &g->pair[i], "is one of them");
		drop(g);
		return;
	}
	refusals(g);
	both_ways(g);
	for (i = 0; i < PAIRS; i++)
		good += !g->pair[i].bad;
	g->good += good;
	if (good == PAIRS)
		say_ok("%s: %u pairs, both ways", desc, good);
	else
		say_fail(desc, "%u of %u pairs are wrong", PAIRS - good, PAIRS);
	drop(g);
}

int main(int argc, char **argv)
{
	static const struct option opts[] = {
		{ "count", required_argument, NULL, 'n' },
		{ "seed", required_argument, NULL, 's' },
		{ NULL, 0, NULL, 0 }
	};
	struct group g = { 0 };
	unsigned long count = 300, tried;
	unsigned int nr;
	uint64_t seed = 0;
	int c;

	while ((c = getopt_long(argc, argv, "", opts, NULL)) != -1) {
		if (c == 'n')
			count = strtoul(optarg, NULL, 0);
		else if (c == 's')
			seed = strtoull(optarg, NULL, 0);
		else
			return 2;
	}
	if (argc - optind != 1) {
		fprintf(stderr, "usage: sse-pairs [--count N] [--seed N] DISK\nOverwrites DISK.\n");
		return 2;
	}
	rnd_seed(seed);
	g.disk_path = argv[optind];
	g.disk = disk_open(g.disk_path, O_RDWR | O_DIRECT);
	if (disk_size(g.disk) < (PAIRS + 1) * STRIDE * SECTOR)
		die("the disk is too small");
	g.plain = page_alloc(PAIRS * bytes());
	g.got = page_alloc(PAIRS * bytes());
	g.raw = page_alloc(PAIRS * WINDOW);
	g.junk = page_alloc(PAIRS * WINDOW);

	for (tried = 0, nr = 1; tried < count; tried += PAIRS, nr++)
		try_group(&g, nr);

	say_diag("%lu of %lu pairs right, both ways; %lu were of equal ciphers", g.good, tried,
		 g.same);
	if (g.same && g.refused == g.same)
		say_ok("equal ciphers are refused unless they are asked for");
	else
		say_fail("equal ciphers are refused unless they are asked for", "%lu of %lu were",
			 g.refused, g.same);
	free(g.plain);
	free(g.got);
	free(g.raw);
	free(g.junk);
	return finish();
}
