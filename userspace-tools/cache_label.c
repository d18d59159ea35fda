// SPDX-License-Identifier: GPL-2.0-only
#include <endian.h>
#include <errno.h>
#include <openssl/sha.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "cache_label.h"

#define MAGIC		"dm-sse cache"
#define VERSION		1
#define FLAG_DIRTY	0x1u

/* On the device: little endian, and zeroes where nothing is. */
struct label_bytes {
	char magic[16];
	uint32_t version;
	uint32_t flags;
	uint64_t sequence;
	uint32_t mode;
	uint32_t block;
	uint64_t data;
	uint64_t metadata_start;
	uint64_t metadata_size;
	uint64_t start;
	uint64_t size;
	char disk[40];
	char session[40];
	unsigned char reserved[3904];
	unsigned char checksum[32];	/* SHA-256 of all before it */
};

_Static_assert(sizeof(struct label_bytes) == CACHE_LABEL_BYTES, "a label is one block");
_Static_assert(sizeof(((struct label_bytes *)NULL)->disk) >= UUID_TEXT_SIZE, "a UUID fits");

static const char * const mode_names[] = {
	[CACHE_NO_MODE]		= "",
	[CACHE_WRITECACHE]	= "writecache",
	[CACHE_WRITETHROUGH]	= "writethrough",
	[CACHE_WRITEBACK]	= "writeback",
};

const char *cache_mode_name(enum cache_mode mode)
{
	return mode_names[mode];
}

enum cache_mode cache_mode_find(const char *name)
{
	enum cache_mode mode;

	for (mode = CACHE_WRITECACHE; mode <= CACHE_WRITEBACK; mode++)
		if (!strcmp(name, mode_names[mode]))
			return mode;
	return CACHE_NO_MODE;
}

static void checksum(const struct label_bytes *b, unsigned char sum[32])
{
	SHA256((const unsigned char *)b, offsetof(struct label_bytes, checksum), sum);
}

void cache_label_encode(const struct cache_label *l, unsigned char bytes[CACHE_LABEL_BYTES])
{
	struct label_bytes b = {
		.magic = MAGIC,
		.version = htole32(VERSION),
		.flags = htole32(l->dirty ? FLAG_DIRTY : 0),
		.sequence = htole64(l->sequence),
		.mode = htole32(l->mode),
		.block = htole32(l->block),
		.data = htole64(l->data),
		.metadata_start = htole64(l->metadata_start),
		.metadata_size = htole64(l->metadata_size),
		.start = htole64(l->start),
		.size = htole64(l->size),
	};

	memcpy(b.disk, l->disk, sizeof(l->disk));
	memcpy(b.session, l->session, sizeof(l->session));
	checksum(&b, b.checksum);
	memcpy(bytes, &b, sizeof(b));
}

static bool is_label(const struct label_bytes *b)
{
	unsigned char sum[32];

	if (memcmp(b->magic, (const char[16]){ MAGIC }, sizeof(b->magic)))
		return false;
	checksum(b, sum);
	return !memcmp(sum, b->checksum, sizeof(sum));
}

/* Is [@start, @start + @size) behind the labels and on the device? */
static bool area_ok(uint64_t start, uint64_t size, uint64_t sectors)
{
	return start >= CACHE_AREA_START && start <= sectors && size && size <= sectors - start;
}

static bool makes_sense(const struct cache_label *l, uint64_t sectors)
{
	if (!*l->disk || !*l->session || !l->block || !l->data || !area_ok(l->start, l->size, sectors))
		return false;
	if (l->mode == CACHE_WRITECACHE)
		return !l->metadata_start && !l->metadata_size;
	return (l->mode == CACHE_WRITETHROUGH || l->mode == CACHE_WRITEBACK) &&
	       area_ok(l->metadata_start, l->metadata_size, sectors) &&
	       l->metadata_start + l->metadata_size <= l->start;
}

bool cache_label_decode(const unsigned char bytes[CACHE_LABEL_BYTES], uint64_t sectors,
			struct cache_label *l)
{
	struct label_bytes b;
	uint32_t mode;

	memset(l, 0, sizeof(*l));
	memcpy(&b, bytes, sizeof(b));
	mode = le32toh(b.mode);
	if (!is_label(&b) || le32toh(b.version) != VERSION || mode > CACHE_WRITEBACK ||
	    b.disk[sizeof(l->disk) - 1] || b.session[sizeof(l->session) - 1])
		return false;
	l->sequence = le64toh(b.sequence);
	l->dirty = le32toh(b.flags) & FLAG_DIRTY;
	l->mode = (enum cache_mode)mode;
	l->block = le32toh(b.block);
	l->data = le64toh(b.data);
	l->metadata_start = le64toh(b.metadata_start);
	l->metadata_size = le64toh(b.metadata_size);
	l->start = le64toh(b.start);
	l->size = le64toh(b.size);
	memcpy(l->disk, b.disk, sizeof(l->disk));
	memcpy(l->session, b.session, sizeof(l->session));
	return makes_sense(l, sectors);
}

static bool is_later(const unsigned char bytes[CACHE_LABEL_BYTES])
{
	struct label_bytes b;

	memcpy(&b, bytes, sizeof(b));
	return is_label(&b) && le32toh(b.version) > VERSION;
}

int cache_label_read(int fd, uint64_t sectors, struct cache_label *l, bool *found,
		     struct reason *why)
{
	unsigned char bytes[CACHE_LABEL_BYTES];
	unsigned int copies = 0;
	struct cache_label one;
	ssize_t n;
	int i;

	memset(l, 0, sizeof(*l));
	*found = false;
	for (i = 0; i < CACHE_LABEL_COPIES; i++) {
		n = pread(fd, bytes, sizeof(bytes), (off_t)i * CACHE_LABEL_BYTES);
		if (n < 0)
			return reason_set(why, RC_DEVICE, "The beginning of the device can't be read: %s.",
					  strerror(errno));
		if (n != (ssize_t)sizeof(bytes))
			return RC_OK;
		if (is_later(bytes))
			return reason_set(why, RC_DEVICE,
				"The cache device was labelled by a later version of ssesetup.");
		if (!cache_label_decode(bytes, sectors, &one))
			continue;
		copies++;
		if (!*found || one.sequence > l->sequence)
			*l = one;
		*found = true;
	}
	l->copies = copies;
	return RC_OK;
}

static int write_copies(int fd, const unsigned char bytes[CACHE_LABEL_BYTES], struct reason *why)
{
	int i;

	errno = 0;
	for (i = 0; i < CACHE_LABEL_COPIES; i++)
		if (pwrite(fd, bytes, CACHE_LABEL_BYTES, (off_t)i * CACHE_LABEL_BYTES) !=
		    CACHE_LABEL_BYTES || fsync(fd))
			return reason_set(why, RC_DEVICE, "The label of the cache device can't be written: %s.",
					  strerror(errno ? errno : EIO));
	return RC_OK;
}

int cache_label_write(int fd, struct cache_label *l, struct reason *why)
{
	unsigned char bytes[CACHE_LABEL_BYTES];

	l->sequence++;
	cache_label_encode(l, bytes);
	return write_copies(fd, bytes, why);
}

int cache_label_wipe(int fd, struct reason *why)
{
	static const unsigned char bytes[CACHE_LABEL_BYTES];

	return write_copies(fd, bytes, why);
}
