// SPDX-License-Identifier: GPL-2.0-only
/*
 * The label of a cache device, the note of it in a disk's header, and where they
 * fit; and where things are put on a device. KTAP.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache_layout.h"
#include "cache_note.h"

#define SECTORS	(UINT64_C(1) << 20)

static unsigned int nr, failed;

static void result(bool ok, const char *what, const char *detail)
{
	printf("%sok %u - %s\n", ok ? "" : "not ", ++nr, what);
	if (ok)
		return;
	printf("# %s\n", detail ? detail : "");
	failed++;
}

static struct cache_label a_label(void)
{
	struct cache_label l = {
		.sequence = 7,
		.dirty = true,
		.mode = CACHE_WRITEBACK,
		.block = 128,
		.data = 4096,
		.metadata_start = 2048,
		.metadata_size = 10240,
		.start = 12288,
		.size = 65536,
		.disk = "5d4f8a9e-3c1b-4f6a-9d2e-7b8c0a1e2f30",
		.session = "6f9a1a52-4ed1-4a3b-8f0e-2f0f7f1f2a3b",
	};

	return l;
}

static bool same(const struct cache_label *a, const struct cache_label *b)
{
	return a->sequence == b->sequence && a->dirty == b->dirty && a->mode == b->mode &&
	       a->block == b->block && a->data == b->data &&
	       a->metadata_start == b->metadata_start && a->metadata_size == b->metadata_size &&
	       a->start == b->start && a->size == b->size && !strcmp(a->disk, b->disk) &&
	       !strcmp(a->session, b->session);
}

static void test_bytes(void)
{
	/* As the document has it. */
	static const unsigned char first[] = {
		'd', 'm', '-', 's', 's', 'e', ' ', 'c', 'a', 'c', 'h', 'e', 0, 0, 0, 0,
		1, 0, 0, 0,  1, 0, 0, 0,  7, 0, 0, 0, 0, 0, 0, 0,
		3, 0, 0, 0,  128, 0, 0, 0,  0, 16, 0, 0, 0, 0, 0, 0,
	};
	unsigned char bytes[CACHE_LABEL_BYTES];
	struct cache_label l = a_label(), got;
	size_t i, wrong = 0;

	cache_label_encode(&l, bytes);
	result(!memcmp(bytes, first, sizeof(first)), "the bytes of a label", NULL);
	result(!strcmp((char *)bytes + 80, l.disk) && !strcmp((char *)bytes + 120, l.session),
	       "... where the UUIDs are", NULL);
	result(cache_label_decode(bytes, SECTORS, &got) && same(&l, &got), "... are read again", NULL);
	for (i = 0; i < sizeof(bytes); i++) {
		bytes[i] ^= 0x40;
		wrong += cache_label_decode(bytes, SECTORS, &got);
		bytes[i] ^= 0x40;
	}
	result(!wrong, "a label with any byte wrong is none", NULL);
	result(!cache_label_decode(bytes, 65536, &got), "... nor one that its device is too small for", NULL);
}

/* What the checksum says is right all the same. */
static void nonsense(const char *what, struct cache_label l)
{
	unsigned char bytes[CACHE_LABEL_BYTES];
	struct cache_label got;

	cache_label_encode(&l, bytes);
	result(!cache_label_decode(bytes, SECTORS, &got), what, NULL);
}

static void test_nonsense(void)
{
	struct cache_label l;

	l = a_label(); l.start = 2047; l.metadata_start = 1; nonsense("areas in the labels", l);
	l = a_label(); l.start = SECTORS + 1; nonsense("an area that begins behind the end", l);
	l = a_label(); l.size = UINT64_MAX; nonsense("... that wraps around", l);
	l = a_label(); l.size = 0; nonsense("... that is empty", l);
	l = a_label(); l.metadata_size++; nonsense("areas that overlap", l);
	l = a_label(); l.metadata_size = 0; nonsense("dm-cache without metadata", l);
	l = a_label(); l.mode = CACHE_WRITECACHE; nonsense("writecache with metadata", l);
	l = a_label(); l.mode = CACHE_NO_MODE; nonsense("no mode", l);
	l = a_label(); l.block = 0; nonsense("no block", l);
	l = a_label(); l.data = 0; nonsense("no data", l);
	l = a_label(); l.disk[0] = '\0'; nonsense("no disk", l);
	l = a_label(); l.session[0] = '\0'; nonsense("no session", l);
}

/* Power cuts: one copy is of before, or torn. */
static void test_copies(void)
{
	char path[] = "/tmp/test_cache.XXXXXX", junk[512];
	int fd = mkstemp(path);
	struct cache_label l = a_label(), got;
	unsigned char bytes[CACHE_LABEL_BYTES];
	struct reason why = { 0 };
	bool found;

	unlink(path);
	memset(junk, 0x5a, sizeof(junk));
	if (ftruncate(fd, 16384))
		return;
	result(!cache_label_read(fd, SECTORS, &got, &found, &why) && !found, "no label", why.text);
	result(!cache_label_write(fd, &l, &why) && l.sequence == 8, "a label is written", why.text);
	result(!cache_label_read(fd, SECTORS, &got, &found, &why) && found && same(&l, &got),
	       "... and read", why.text);

	l.dirty = false;
	l.sequence = 9;
	cache_label_encode(&l, bytes);
	result(pwrite(fd, bytes, sizeof(bytes), 0) > 0 &&
	       !cache_label_read(fd, SECTORS, &got, &found, &why) && found && got.sequence == 9,
	       "the first copy is newer", why.text);
	result(pwrite(fd, junk, sizeof(junk), 100) > 0 &&
	       !cache_label_read(fd, SECTORS, &got, &found, &why) && found && got.sequence == 8 &&
	       got.dirty, "... or torn", why.text);
	result(pwrite(fd, bytes, sizeof(bytes), 0) > 0 && pwrite(fd, junk, sizeof(junk), 5000) > 0 &&
	       !cache_label_read(fd, SECTORS, &got, &found, &why) && found && got.sequence == 9,
	       "the second is torn", why.text);
	result(pwrite(fd, junk, sizeof(junk), 0) > 0 &&
	       !cache_label_read(fd, SECTORS, &got, &found, &why) && !found, "both are", why.text);
	result(!ftruncate(fd, 100) && !cache_label_read(fd, SECTORS, &got, &found, &why) && !found,
	       "a device that is too small", why.text);
	close(fd);
}

static void test_note(void)
{
	struct cache_note n = {
		.device = "/dev/disk/by-id/ssd",
		.disk = "/dev/disk/by-id/disk",
		.mode = CACHE_WRITECACHE,
		.session = "b",
		.previous = "a",
		.dirty = true,
	}, got;
	struct cache_label l = { .dirty = true };
	struct reason why = { 0 };
	char *text = cache_note_format(&n, "{\"session\":\"x\",\"later\":[1],\"restored\":true}");

	result(text && !cache_note_parse(text, &got, &why) && !strcmp(got.session, "b") &&
	       !strcmp(got.previous, "a") && got.dirty && !got.restored && got.mode == n.mode &&
	       !strcmp(got.device, n.device) && !strcmp(got.disk, n.disk), "a note is read again", why.text);
	result(text && strstr(text, "\"later\":[1]"), "... with what it doesn't know", text);
	free(text);
	result(cache_note_parse("[]", &got, &why) == RC_PARAM, "no object", NULL);
	result(cache_note_parse("{\"mode\":\"writeback\"}", &got, &why) == RC_PARAM, "no session", NULL);
	result(cache_note_parse("{\"mode\":\"x\",\"session\":\"a\"}", &got, &why) == RC_PARAM,
	       "another mode", NULL);
	result(cache_note_parse("{\"mode\":\"writeback\",\"session\":\"a\",\"dirty\":\"yes\"}", &got,
				&why) == RC_PARAM, "text for a truth", NULL);

	strcpy(l.session, "b");
	result(cache_note_fits(&n, &l), "the session's label fits", NULL);
	strcpy(l.session, "a");
	result(cache_note_fits(&n, &l), "... and that of before", NULL);
	strcpy(l.session, "c");
	result(!cache_note_fits(&n, &l), "... and no other", NULL);
	*n.previous = '\0';
	*l.session = '\0';
	result(!cache_note_fits(&n, &l), "no session is none", NULL);
	strcpy(l.session, "b");
	n.restored = true;
	result(cache_note_fits(&n, &l), "a dirty cache fits a header from a backup", NULL);
	l.dirty = false;
	result(!cache_note_fits(&n, &l), "... a clean one is stale", NULL);
}

static void lay_out(const char *what, enum cache_mode mode, uint64_t sectors, unsigned int block,
		    bool fits)
{
	unsigned char bytes[CACHE_LABEL_BYTES];
	struct cache_label l = a_label(), got;
	struct reason why = { 0 };
	bool ok;

	l.mode = mode;
	ok = !cache_layout(&l, sectors, block, &why);
	if (ok) {
		cache_label_encode(&l, bytes);
		ok = cache_label_decode(bytes, sectors, &got) && !(l.size % l.block) &&
		     l.start + l.size <= sectors && l.start + l.size + l.block > sectors;
		if (mode != CACHE_WRITECACHE)
			ok = ok && l.size / l.block <= 1000000 &&
			     l.metadata_size * 512 >= (UINT64_C(4) << 20) + 32 * (l.size / l.block);
		else
			ok = ok && l.block == block / 512;
	}
	result(ok == fits, what, why.text);
}

static void test_layout(void)
{
	lay_out("writecache", CACHE_WRITECACHE, SECTORS, 4096, true);
	lay_out("... of sectors", CACHE_WRITECACHE, SECTORS + 3, 512, true);
	lay_out("... of the least size", CACHE_WRITECACHE, 5 * 2048, 4096, true);
	lay_out("... of less", CACHE_WRITECACHE, 5 * 2048 - 1, 4096, false);
	lay_out("dm-cache", CACHE_WRITETHROUGH, SECTORS, 4096, true);
	lay_out("... with a part of a block", CACHE_WRITEBACK, SECTORS + 77, 512, true);
	lay_out("... of the least size", CACHE_WRITEBACK, 17 * 2048, 4096, true);
	lay_out("... of less", CACHE_WRITEBACK, 17 * 2048 - 1, 4096, false);
	lay_out("... of 8 TiB", CACHE_WRITEBACK, UINT64_C(1) << 34, 4096, true);
}

int main(void)
{
	test_bytes();
	test_nonsense();
	test_copies();
	test_note();
	test_layout();
	printf("1..%u\n", nr);
	return failed != 0;
}
