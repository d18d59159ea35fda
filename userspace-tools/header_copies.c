// SPDX-License-Identifier: GPL-2.0-only
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "header_copies.h"

/* LUKS2's on-disk format, section 2.1; the JSON area follows. */
struct binary_header {
	char magic[6];
	uint16_t version;
	uint64_t size;		/* with the JSON area */
	uint64_t sequence;
	char label[48];
	char checksum_algorithm[32];
	uint8_t salt[64];
	char uuid[40];
	char subsystem[48];
	uint64_t offset;	/* its own */
	char padding[184];
	uint8_t checksum[64];
	char padding4096[7 * 512];
} __attribute__((packed));

_Static_assert(sizeof(struct binary_header) == 4096, "LUKS2's binary header");

#define SIZE_SMALLEST	0x4000
#define SIZE_LARGEST	0x400000

static const char magic[2][6] = { "LUKS\xba\xbe", "SKUL\xba\xbe" };

static bool plausible(const struct binary_header *h, int index, off_t offset)
{
	uint64_t size = be64toh(h->size);

	if (memcmp(h->magic, magic[index], sizeof(h->magic)) || be16toh(h->version) != 2 ||
	    be64toh(h->offset) != (uint64_t)offset)
		return false;
	if (size < SIZE_SMALLEST || size > SIZE_LARGEST || size & (size - 1))
		return false;
	return memchr(h->checksum_algorithm, '\0', sizeof(h->checksum_algorithm));
}

/* @area: the binary header and the JSON after it; its checksum is made zero. */
static bool checksum_right(unsigned char *area, size_t size)
{
	struct binary_header *h = (struct binary_header *)area;
	unsigned char want[sizeof(h->checksum)], got[EVP_MAX_MD_SIZE];
	const EVP_MD *digest = EVP_get_digestbyname(h->checksum_algorithm);
	unsigned int length;

	memcpy(want, h->checksum, sizeof(want));
	memset(h->checksum, 0, sizeof(h->checksum));
	return digest && EVP_Digest(area, size, got, &length, digest, NULL) &&
	       length <= sizeof(want) && !memcmp(got, want, length);
}

static bool read_copy(int fd, int index, off_t offset, struct header_copy *copy)
{
	struct binary_header h;
	unsigned char *area;
	size_t size;

	if (pread(fd, &h, sizeof(h), offset) != sizeof(h) || !plausible(&h, index, offset))
		return false;
	size = be64toh(h.size);
	area = malloc(size);
	if (!area)
		return false;
	copy->sequence = be64toh(h.sequence);
	copy->whole = pread(fd, area, size, offset) == (ssize_t)size && checksum_right(area, size);
	free(area);
	return copy->whole;
}

void header_copies_read(struct header_copies *h, const char *path)
{
	off_t offset;
	int fd;

	memset(h, 0, sizeof(*h));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	read_copy(fd, 0, 0, &h->copy[0]);
	/* The second one follows the first, whose size may be lost. */
	for (offset = SIZE_SMALLEST; offset <= SIZE_LARGEST; offset *= 2)
		if (read_copy(fd, 1, offset, &h->copy[1]))
			break;
	close(fd);
}

bool header_copies_healthy(const struct header_copies *h)
{
	return h->copy[0].whole && h->copy[1].whole && h->copy[0].sequence == h->copy[1].sequence;
}

/* @area: of a copy, as read; its JSON and checksum are made new. */
static bool renew(unsigned char *area, size_t size, uint64_t sequence, const char *json)
{
	struct binary_header *h = (struct binary_header *)area;
	const EVP_MD *digest = EVP_get_digestbyname(h->checksum_algorithm);
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned int length;

	if (!digest || strlen(json) >= size - sizeof(*h))
		return false;
	memset(area + sizeof(*h), 0, size - sizeof(*h));
	memcpy(area + sizeof(*h), json, strlen(json));
	h->sequence = htobe64(sequence);
	memset(h->checksum, 0, sizeof(h->checksum));
	if (!EVP_Digest(area, size, sum, &length, digest, NULL) || length > sizeof(h->checksum))
		return false;
	memcpy(h->checksum, sum, length);
	return true;
}

static int write_copy(int fd, int index, off_t offset, uint64_t sequence, const char *json)
{
	struct binary_header h;
	unsigned char *area;
	size_t size;
	int err = 0;

	if (pread(fd, &h, sizeof(h), offset) != sizeof(h) || !plausible(&h, index, offset))
		return -EINVAL;
	size = be64toh(h.size);
	area = malloc(size);
	if (!area)
		return -ENOMEM;
	errno = EIO;
	if (pread(fd, area, size, offset) != (ssize_t)size)
		err = -errno;
	else if (!renew(area, size, sequence, json))
		err = -EINVAL;
	else if (pwrite(fd, area, size, offset) != (ssize_t)size || fsync(fd))
		err = -errno;
	free(area);
	return err;
}

int header_copies_write(const char *path, const char *json)
{
	struct header_copies now;
	uint64_t sequence;
	off_t second;
	struct binary_header h;
	int fd, err;

	header_copies_read(&now, path);
	if (!header_copies_healthy(&now))
		return -EINVAL;
	sequence = now.copy[0].sequence + 1;
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (pread(fd, &h, sizeof(h), 0) != sizeof(h)) {
		close(fd);
		return -EIO;
	}
	second = (off_t)be64toh(h.size);
	err = write_copy(fd, 0, 0, sequence, json);
	if (!err)
		err = write_copy(fd, 1, second, sequence, json);
	close(fd);
	return err;
}
