// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two layers by chance: inner cipher, outer cipher, IV schemes, sector size,
 * IV offsets of both, header between the layers and place on the disk. Three
 * mappings lie on one disk: the fused one, with both layers in each target; the
 * outer one, dm-crypt on the disk; and the inner one, dm-crypt on the outer.
 * What the fused one writes the oracle must decrypt, layer by layer, and the
 * inner one must read; what the inner one writes must be the bytes the oracle
 * makes, and the fused one must read it. Nothing around the areas may change.
 *
 * To make and remove mappings is what takes time, so that each is a table of
 * many targets, every one a combination of its own. Only the sector size is the
 * same in all of a mapping, since it becomes the device's block size.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "area.h"
#include "ciphers.h"
#include "kern.h"
#include "oracle.h"

#define BATCH		15	/* combinations in a mapping */
#define MAX_LEN		48	/* sectors of an area */
#define MAX_HEADER	64	/* sectors between outer and inner area */
#define STRIDE		256	/* sectors between the places for areas */

/*
 * For pairs alone: other key sizes and modes, and drivers that finish in a
 * thread of their own, for which the oracle has another name.
 */
static const struct {
	struct cipher_choice cipher;
	const char *oracle;
} more[] = {
	{ { "serpent-xts-plain64", 32 }, NULL },
	{ { "capi:xts(camellia)-plain64be", 48 }, NULL },
	{ { "twofish-xts-plain", 32 }, NULL },
	{ { "aes-cbc-essiv:sha256", 24 }, NULL },
	{ { "serpent-cbc-essiv:sha256", 32 }, NULL },
	{ { "capi:cbc(serpent)-plain64", 16 }, NULL },
	{ { "capi:cbc(twofish)-essiv:sha256", 32 }, NULL },
	{ { "twofish-cbc-plain64be", 16 }, NULL },
	{ { "camellia-cbc-essiv:sha256", 24 }, NULL },
	{ { "capi:cryptd(xts(ecb(aes-generic)))-plain64", 32 }, "aes-xts-plain64" },
	{ { "capi:cryptd(xts(ecb(aes-generic)))-plain64", 64 }, "aes-xts-plain64" },
	{ { "capi:cryptd(xts(ecb(serpent-generic)))-plain64", 64 }, "serpent-xts-plain64" },
};

#define MORE	(sizeof(more) / sizeof(*more))
#define MAX_CIPHERS	64

static bool missing[MAX_CIPHERS];	/* in this kernel, of both lists */

struct layer {
	unsigned int cipher;	/* into both lists */
	char text[80];
	char ref[64];
	enum iv_corner corner;
	uint64_t iv_offset;	/* of the layer's own device */
	struct oracle *oracle;
};

/* One combination, and where the three mappings have it. */
struct combination {
	struct layer inner, outer;
	unsigned int header;
	uint64_t disk;		/* where the outer device's area begins */
	uint64_t outer_at;	/* the same within the outer mapping */
	bool same;		/* algorithm and mode of both layers */
	bool bad;
};

enum { FUSED, OUTER, INNER, MAPPINGS };

struct batch {
	struct area_set set;	/* of the inner areas, on the disk */
	struct oracle_layout layout;
	struct combination comb[BATCH];
	uint8_t *plain, *got, *junk, *raw, *arena;
	char desc[96];
};

static const char *disk_path;
static uint64_t far;
static unsigned long right, equals, refused;

static const struct cipher_choice *cipher_of(unsigned int i)
{
	return i < nr_ciphers ? &ciphers[i] : &more[i - nr_ciphers].cipher;
}

static unsigned int unit_of(const struct batch *b)
{
	return b->layout.sector_size / 512;
}

/*
 * What to try
 */

/*
 * The cipher's own IV scheme half of the time, else any other that takes no
 * hash. @text is what the kernel is told, @plain what the oracle is.
 */
static void pick_spec(unsigned int cipher, char *text, char *plain, size_t size)
{
	static const char *const ivs[] = { "plain", "plain64", "plain64be" };
	const char *other = cipher < nr_ciphers ? NULL : more[cipher - nr_ciphers].oracle;
	const char *iv = rnd_below(2) ? ivs[rnd_below(3)] : NULL;

	snprintf(text, size, "%s", cipher_of(cipher)->text);
	snprintf(plain, size, "%s", other ? other : text);
	if (iv) {
		char *at = strrchr(text, '-'), *plain_at = strrchr(plain, '-');

		snprintf(at, size - (at - text), "-%s", iv);
		snprintf(plain_at, size - (plain_at - plain), "-%s", iv);
	}
}

static void plan_layer(const struct batch *b, struct layer *l, const char *name, unsigned int i)
{
	uint8_t key[ORACLE_MAX_KEY];
	struct oracle_err err;
	char plain[sizeof(l->text)], id[32];
	size_t keylen;

	do
		l->cipher = rnd_below(nr_ciphers + MORE);
	while (missing[l->cipher]);
	keylen = cipher_of(l->cipher)->keylen;
	pick_spec(l->cipher, l->text, plain, sizeof(plain));

	rnd_bytes(key, keylen);
	snprintf(id, sizeof(id), "%s%u", name, i);
	key_load(id, key, keylen, l->ref, sizeof(l->ref));
	l->oracle = oracle_new(plain, key, keylen, &err);
	if (!l->oracle)
		die("%s: %s", plain, err.text);

	/* Not always a round number, but the corner stays within the area. */
	l->corner = rnd_below(IV_CORNERS);
	l->iv_offset = iv_corner(l->corner, &b->layout, b->set.len) +
		       rnd_below(b->set.len / 2 / unit_of(b)) * unit_of(b);
}

static bool same_kind(const struct layer *a, const struct layer *b)
{
	const struct oracle_spec *x = oracle_spec(a->oracle), *y = oracle_spec(b->oracle);

	return x->mode == y->mode && !strcmp(x->block, y->block) &&
	       (x->mode != MODE_ADIANTUM || x->rounds == y->rounds);
}

static void plan(struct batch *b)
{
	const struct shape *shape = &shapes[rnd_below(SHAPES)];
	uint64_t outer_at = 0;
	unsigned int i;

	b->layout.sector_size = shape->size;
	b->layout.iv_large_sectors = shape->large;
	b->set.len = 16 * (1 + rnd_below(MAX_LEN / 16));
	b->set.count = BATCH;
	snprintf(b->desc, sizeof(b->desc), "sectors of %u%s, areas of %u", shape->size,
		 shape->large ? ", large IVs" : "", b->set.len);
	for (i = 0; i < BATCH; i++) {
		struct combination *c = &b->comb[i];

		memset(c, 0, sizeof(*c));
		plan_layer(b, &c->inner, "inner", i);
		plan_layer(b, &c->outer, "outer", i);
		c->same = same_kind(&c->inner, &c->outer);
		c->header = rnd_below(3) ? rnd_below(MAX_HEADER / unit_of(b) + 1) * unit_of(b) : 0;
		/* The corner lies in the payload where the disk's header is left out. */
		if (rnd_below(2))
			c->outer.iv_offset -= c->header;
		c->disk = (rnd_below(2) ? far : 0) + i * STRIDE;
		c->disk += rnd_below(3) ? AREA_GUARD + rnd_below(MAX_HEADER) : 0;
		c->disk -= c->disk % unit_of(b);
		c->outer_at = outer_at;
		outer_at += c->header + b->set.len;
		b->set.at[i] = c->disk + c->header;
	}
	rnd_bytes(b->plain, BATCH * area_bytes(&b->set));
}

static void forget(struct batch *b)
{
	unsigned int i;

	for (i = 0; i < BATCH; i++) {
		oracle_free(b->comb[i].inner.oracle);
		oracle_free(b->comb[i].outer.oracle);
	}
}

/*
 * Mappings
 */

/* The options of the target that has both layers, in one order or another. */
static void fused_options(const struct batch *b, const struct combination *c, bool allow,
			  char *buf, size_t size)
{
	static const char *const flags[] = {
		"", " no_read_workqueue", " same_cpu_crypt", " allow_discards"
	};
	const char *flag = flags[rnd_below(4)];
	char common[64], outer[192];
	unsigned int words = layout_words(&b->layout, common, sizeof(common));

	words += 4 + !!*flag + allow;
	snprintf(outer, sizeof(outer), " outer %s %s %llu", c->outer.text, c->outer.ref,
		 (unsigned long long)(c->outer.iv_offset + c->header));
	if (rnd_below(2))
		snprintf(buf, size, "%u%s%s%s%s", words, common, outer, flag,
			 allow ? " allow_same_cipher" : "");
	else
		snprintf(buf, size, "%u%s%s%s%s", words, allow ? " allow_same_cipher" : "",
			 flag, outer, common);
}

static void add_fused(const struct batch *b, struct dm_table *t, uint64_t at,
		      const struct combination *c, bool allow)
{
	char opts[320];

	fused_options(b, c, allow, opts, sizeof(opts));
	table_add(t, at, b->set.len, "sse", "%s %s %llu %s %llu %s", c->inner.text,
		  c->inner.ref, (unsigned long long)c->inner.iv_offset, disk_path,
		  (unsigned long long)(c->disk + c->header), opts);
}

static void add_crypt(const struct batch *b, struct dm_table *t, uint64_t at, uint64_t len,
		      const struct layer *l, const char *path, uint64_t start)
{
	char common[64];
	unsigned int words = layout_words(&b->layout, common, sizeof(common));

	table_add(t, at, len, "crypt", "%s %s %llu %s %llu %u%s", l->text, l->ref,
		  (unsigned long long)l->iv_offset, path, (unsigned long long)start, words,
		  common);
}

/* 0 or the errno of the first that cannot be made, and which that is. */
static int map(const struct batch *b, struct dm_dev dev[MAPPINGS], int *which)
{
	static const char *const names[MAPPINGS] = { "fused", "outer", "inner" };
	static struct dm_table t;
	int err = 0;

	for (*which = 0; *which < MAPPINGS && !err; ++*which) {
		unsigned int i;

		table_reset(&t);
		for (i = 0; i < b->set.count; i++) {
			const struct combination *c = &b->comb[i];
			uint64_t at = (uint64_t)i * b->set.len;

			if (*which == FUSED)
				add_fused(b, &t, at, c, c->same);
			else if (*which == OUTER)
				add_crypt(b, &t, c->outer_at, c->header + b->set.len, &c->outer,
					  disk_path, c->disk);
			else
				add_crypt(b, &t, at, b->set.len, &c->inner, dev[OUTER].path,
					  c->outer_at + c->header);
		}
		err = dm_create(&dev[*which], names[*which], &t);
		if (err)
			return err;
	}
	return 0;
}

static void unmap(struct dm_dev dev[MAPPINGS])
{
	int i;

	for (i = MAPPINGS; i-- > 0;)
		dm_remove(&dev[i]);
}

/* Can a mapping of this cipher alone be made? 0 or an errno. */
static int probe(const char *target, const char *text, const char *ref)
{
	static struct dm_table t;
	struct dm_dev dev = { 0 };
	int err;

	table_reset(&t);
	table_add(&t, 0, 8, target, "%s %s 0 %s 0", text, ref, disk_path);
	err = dm_create(&dev, "probe", &t);
	dm_remove(&dev);
	return err;
}

/* A cipher is missing in the kernel when both targets say so. */
static bool found_missing(const struct batch *b)
{
	bool found = false;
	unsigned int i;

	for (i = 0; i < 2 * b->set.count; i++) {
		const struct combination *c = &b->comb[i / 2];
		const struct layer *l = i % 2 ? &c->outer : &c->inner;

		if (missing[l->cipher] || probe("sse", l->text, l->ref) != ENOENT ||
		    probe("crypt", l->text, l->ref) != ENOENT)
			continue;
		missing[l->cipher] = found = true;
		say_skip(cipher_of(l->cipher)->text, "the kernel has no such cipher");
	}
	return found;
}

/*
 * Trying
 */

static void complain(struct batch *b, unsigned int i, const char *what, size_t at)
{
	struct combination *c = &b->comb[i];

	c->bad = true;
	say_diag("%s in %s, sectors of %u%s, IV offsets %llu (%s) and %llu (%s), header %u, "
		 "start %llu: %s: sector %zu, byte %zu",
		 c->inner.text, c->outer.text, b->layout.sector_size,
		 b->layout.iv_large_sectors ? ", large IVs" : "",
		 (unsigned long long)c->inner.iv_offset, iv_names[c->inner.corner],
		 (unsigned long long)c->outer.iv_offset, iv_names[c->outer.corner], c->header,
		 (unsigned long long)c->disk, what, at / 512, at % 512);
}

static void expect_same(struct batch *b, unsigned int i, const char *what, const uint8_t *got,
			const uint8_t *want)
{
	size_t at = differ_at(got, want, area_bytes(&b->set));

	if (at != area_bytes(&b->set))
		complain(b, i, what, at);
}

#define MAX_PIECES	8

/*
 * One read or write of up to @limit bytes, whose memory is in several places.
 * Each of them is of whole sectors, since the devices want that, but they lie
 * anywhere in pages where sectors are small.
 */
static size_t scattered(const struct batch *b, bool write, int fd, uint8_t *buf, size_t limit,
			uint64_t at)
{
	size_t unit = b->layout.sector_size, len = 0, i, n = 1 + rnd_below(MAX_PIECES);
	uint8_t *memory = b->arena;
	struct iovec iov[MAX_PIECES];
	ssize_t done;

	for (i = 0; i < n && len < limit; i++) {
		size_t bytes = (1 + rnd_below(8)) * unit;

		if (bytes > limit - len)
			bytes = limit - len;
		memory += rnd_below(4) * unit;
		iov[i] = (struct iovec){ .iov_base = memory, .iov_len = bytes };
		if (write)
			memcpy(memory, buf + len, bytes);
		memory += bytes;
		len += bytes;
	}
	done = write ? pwritev(fd, iov, (int)i, (off_t)at) : preadv(fd, iov, (int)i, (off_t)at);
	if (done != (ssize_t)len)
		die("%zd of %zu bytes at %llu: %s", done, len, (unsigned long long)at,
		    strerror(errno));
	for (n = i, i = 0; i < n && !write; i++) {
		memcpy(buf, iov[i].iov_base, iov[i].iov_len);
		buf += iov[i].iov_len;
	}
	return len;
}

/* All of a mapping in reads or writes of many shapes, short ones and long ones. */
static void transfer(const struct batch *b, bool write, int fd, uint8_t *buf)
{
	size_t total = b->set.count * area_bytes(&b->set), at = 0, n;

	while (at < total) {
		unsigned int kind = rnd_below(8);

		if (kind < 3) {
			at += scattered(b, write, fd, buf + at, total - at, at);
			continue;
		}
		n = (1 + rnd_below(kind < 5 ? 8 : 160)) * b->layout.sector_size;
		if (n > total - at)
			n = total - at;
		if (write)
			disk_write(fd, buf + at, n, at);
		else
			disk_read(fd, buf + at, n, at);
		at += n;
	}
}

/* Both layers of one area; the outer one counts from before the header. */
static void two_layers(const struct batch *b, const struct combination *c, bool enc, uint8_t *buf)
{
	struct oracle_layout inner = b->layout, outer = b->layout;
	size_t len = area_bytes(&b->set);
	int bad;

	inner.iv_offset = c->inner.iv_offset;
	outer.iv_offset = c->outer.iv_offset;
	if (enc)
		bad = oracle_run(c->inner.oracle, &inner, true, buf, len, 0) ||
		      oracle_run(c->outer.oracle, &outer, true, buf, len, c->header);
	else
		bad = oracle_run(c->outer.oracle, &outer, false, buf, len, c->header) ||
		      oracle_run(c->inner.oracle, &inner, false, buf, len, 0);
	if (bad)
		die("the oracle can't do %s in %s", c->inner.text, c->outer.text);
}

/* One direction: one of the two writes, the raw disk is looked at, the other reads. */
static void direction(struct batch *b, bool fused, int wfd, int rfd)
{
	size_t bytes = area_bytes(&b->set), at;
	unsigned int i;

	rnd_bytes(b->junk, b->set.count * area_window(&b->set));
	areas_write(&b->set, b->junk);
	transfer(b, true, wfd, b->plain);
	areas_read(&b->set, b->raw);
	for (i = 0; i < b->set.count; i++) {
		uint8_t *ct = area_in(&b->set, b->raw, i), *pt = b->plain + i * bytes;

		if (!area_guarded(&b->set, i, b->raw, b->junk, &at))
			complain(b, i, fused ? "sse wrote beside its area" :
				 "the stack wrote beside its area", at);
		memcpy(b->got, fused ? ct : pt, bytes);
		two_layers(b, &b->comb[i], !fused, b->got);
		expect_same(b, i, fused ? "the oracle decrypts what sse wrote differently" :
			    "the oracle encrypts what the stack wrote differently",
			    b->got, fused ? pt : ct);
	}
	memset(b->got, 0, b->set.count * bytes);
	transfer(b, false, rfd, b->got);
	for (i = 0; i < b->set.count; i++)
		expect_same(b, i, fused ? "the stack reads what sse wrote differently" :
			    "sse reads what the stack wrote differently",
			    b->got + i * bytes, b->plain + i * bytes);
}

/* One of the pairs with the same cipher twice, if there are any, without the option for it. */
static void try_refusal(struct batch *b)
{
	static struct dm_table t;
	struct dm_dev dev = { 0 };
	unsigned int i;
	int err;

	for (i = 0; i < b->set.count && !b->comb[i].same; i++)
		;
	if (i == b->set.count)
		return;
	table_reset(&t);
	add_fused(b, &t, 0, &b->comb[i], false);
	err = dm_create(&dev, "equal", &t);
	dm_remove(&dev);
	equals++;
	if (err == EINVAL) {
		refused++;
	} else {
		b->comb[i].bad = true;
		say_diag("%s in %s without allow_same_cipher: %s", b->comb[i].inner.text,
			 b->comb[i].outer.text, err ? strerror(err) : "taken");
	}
}

static void try_batch(struct batch *b)
{
	static const char *const who[MAPPINGS] = { "sse", "outer crypt", "inner crypt" };
	struct dm_dev dev[MAPPINGS] = { 0 };
	int err, fused, stack, which;
	unsigned int i, good = 0;

	plan(b);
	while ((err = map(b, dev, &which)) == ENOENT) {
		unmap(dev);
		if (!found_missing(b))
			break;
		forget(b);
		plan(b);
	}
	if (err) {
		unmap(dev);
		for (i = 0; i < b->set.count; i++)
			say_diag("%s in %s", b->comb[i].inner.text, b->comb[i].outer.text);
		say_fail(b->desc, "%s: %s", who[which], strerror(err));
		forget(b);
		return;
	}
	try_refusal(b);
	fused = disk_open(dev[FUSED].path, O_RDWR | O_DIRECT);
	stack = disk_open(dev[INNER].path, O_RDWR | O_DIRECT);
	direction(b, true, fused, stack);
	rnd_bytes(b->plain, b->set.count * area_bytes(&b->set));
	direction(b, false, stack, fused);
	close(fused);
	close(stack);
	unmap(dev);

	for (i = 0; i < b->set.count; i++)
		good += !b->comb[i].bad;
	right += good;
	if (good == b->set.count)
		say_ok("%s: %u pairs of layers, both ways", b->desc, good);
	else
		say_fail(b->desc, "%u of %u pairs of layers are wrong", b->set.count - good,
			 b->set.count);
	forget(b);
}

static void try_all(int disk, unsigned long wanted)
{
	static const size_t room = BATCH * (MAX_LEN + 2 * AREA_GUARD) * SECTOR;
	struct batch b = { .set.disk = disk };
	unsigned long done;

	b.plain = page_alloc(room);
	b.got = page_alloc(room);
	b.junk = page_alloc(room);
	b.raw = page_alloc(room);
	b.arena = page_alloc((size_t)MAX_PIECES * 16 * ORACLE_MAX_SECTOR);
	for (done = 0; done < wanted; done += BATCH)
		try_batch(&b);
	free(b.plain);
	free(b.got);
	free(b.junk);
	free(b.raw);
	free(b.arena);

	if (right >= wanted)
		say_ok("%lu combinations were tried and right, of at least %lu", right, wanted);
	else
		say_fail("enough combinations were tried and right", "%lu of %lu", right, wanted);
	/* By chance every tenth; too few to count on them when there are few at all. */
	if (refused < equals || (!equals && wanted >= 100))
		say_fail("without allow_same_cipher equal ciphers are refused", "%lu of %lu",
			 refused, equals);
	else if (equals)
		say_ok("without allow_same_cipher equal ciphers are refused: %lu tried", equals);
}

int main(int argc, char **argv)
{
	static const struct option opts[] = {
		{ "count", required_argument, NULL, 'n' },
		{ "seed", required_argument, NULL, 's' },
		{ NULL, 0, NULL, 0 }
	};
	unsigned long count = 300;
	uint64_t seed = 0, sectors;
	int c, disk;

	while ((c = getopt_long(argc, argv, "", opts, NULL)) != -1) {
		if (c == 'n')
			count = strtoul(optarg, NULL, 0);
		else if (c == 's')
			seed = strtoull(optarg, NULL, 0);
		else
			return 2;
	}
	if (argc - optind != 1 || !count) {
		fprintf(stderr, "usage: sse-pairs [--count N] [--seed N] DISK\n"
				"Overwrites DISK.\n");
		return 2;
	}
	if (nr_ciphers + MORE > MAX_CIPHERS)
		die("too many ciphers");
	rnd_seed(seed);
	disk_path = argv[optind];
	disk = disk_open(disk_path, O_RDWR | O_DIRECT);
	sectors = disk_size(disk) / SECTOR;
	if (sectors < 2 * (BATCH + 1) * STRIDE)
		die("the disk is too small");
	far = sectors / 2;
	if (sectors > FAR_AT + (BATCH + 1) * STRIDE)
		far = FAR_AT - 24;
	else
		say_diag("the disk ends before sector 2^32: the farthest start is %llu",
			 (unsigned long long)far);
	try_all(disk, count);
	close(disk);
	return finish();
}
