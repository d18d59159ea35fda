// SPDX-License-Identifier: GPL-2.0-only
#include <blkid/blkid.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "extent.h"

#define SECTOR	512

/* Fields of superblocks; false if they can't be read. */
static bool get16le(int fd, off_t at, uint64_t *value)
{
	uint16_t raw;

	if (pread(fd, &raw, sizeof(raw), at) != sizeof(raw))
		return false;
	*value = le16toh(raw);
	return true;
}

static bool get32le(int fd, off_t at, uint64_t *value)
{
	uint32_t raw;

	if (pread(fd, &raw, sizeof(raw), at) != sizeof(raw))
		return false;
	*value = le32toh(raw);
	return true;
}

static bool get64le(int fd, off_t at, uint64_t *value)
{
	uint64_t raw;

	if (pread(fd, &raw, sizeof(raw), at) != sizeof(raw))
		return false;
	*value = le64toh(raw);
	return true;
}

static bool get32be(int fd, off_t at, uint64_t *value)
{
	uint32_t raw;

	if (pread(fd, &raw, sizeof(raw), at) != sizeof(raw))
		return false;
	*value = be32toh(raw);
	return true;
}

static bool get64be(int fd, off_t at, uint64_t *value)
{
	uint64_t raw;

	if (pread(fd, &raw, sizeof(raw), at) != sizeof(raw))
		return false;
	*value = be64toh(raw);
	return true;
}

/* The superblock is at 1024. 64bit: incompatible feature 0x80 has a high half of the count. */
static bool ext_end(int fd, uint64_t *end)
{
	uint64_t low, high = 0, shift, incompatible;

	if (!get32le(fd, 1024 + 0x4, &low) || !get32le(fd, 1024 + 0x18, &shift) || shift > 6 ||
	    !get32le(fd, 1024 + 0x60, &incompatible) ||
	    ((incompatible & 0x80) && !get32le(fd, 1024 + 0x150, &high)))
		return false;
	return !__builtin_mul_overflow(high << 32 | low, UINT64_C(1024) << shift, end);
}

static bool xfs_end(int fd, uint64_t *end)
{
	uint64_t size, blocks;

	return get32be(fd, 4, &size) && get64be(fd, 8, &blocks) &&
	       !__builtin_mul_overflow(size, blocks, end);
}

/* Of this device of it: struct btrfs_dev_item within the superblock at 64 KiB. */
static bool btrfs_end(int fd, uint64_t *end)
{
	return get64le(fd, 65536 + 0xc9 + 8, end);
}

static bool ntfs_end(int fd, uint64_t *end)
{
	uint64_t sector, sectors;

	/* The last sector, a copy of the first, isn't counted. */
	return get16le(fd, 0x0b, &sector) && get64le(fd, 0x28, &sectors) &&
	       !__builtin_add_overflow(sectors, 1, &sectors) &&
	       !__builtin_mul_overflow(sector, sectors, end);
}

/* The label is in one of the first four sectors, and says where the PV's header is. */
static bool lvm_end(int fd, uint64_t *end)
{
	char magic[8];
	uint64_t offset;
	off_t at;

	for (at = 0; at < 4 * SECTOR; at += SECTOR)
		if (pread(fd, magic, sizeof(magic), at) == sizeof(magic) &&
		    !memcmp(magic, "LABELONE", sizeof(magic)))
			return get32le(fd, at + 20, &offset) &&
			       get64le(fd, at + (off_t)offset + 32, end);
	return false;
}

/* Made by a machine of this byte order or not at all; pages of 4096 bytes. */
static bool swap_end(int fd, uint64_t *end)
{
	uint64_t last;

	if (!get32le(fd, 1024 + 4, &last))
		return false;
	*end = (last + 1) * 4096;
	return true;
}

static const struct {
	const char *type;
	const char *what;
	bool (*end)(int fd, uint64_t *end);
} readers[] = {
	{ "ext2", "file system", ext_end },
	{ "ext3", "file system", ext_end },
	{ "ext4", "file system", ext_end },
	{ "xfs", "file system", xfs_end },
	{ "btrfs", "file system", btrfs_end },
	{ "ntfs", "file system", ntfs_end },
	{ "LVM2_member", "physical volume", lvm_end },
	{ "swap", "area", swap_end },
};

static void read_superblock(blkid_probe probe, int fd, const char *type, struct extent *e)
{
	const char *block;
	size_t i;

	snprintf(e->what, sizeof(e->what), "%s", type);
	if (!blkid_probe_lookup_value(probe, "BLOCK_SIZE", &block, NULL))
		e->block = (unsigned int)strtoul(block, NULL, 10);
	for (i = 0; i < sizeof(readers) / sizeof(readers[0]); i++) {
		if (strcmp(type, readers[i].type))
			continue;
		snprintf(e->what, sizeof(e->what), "%s %s", type, readers[i].what);
		e->known = readers[i].end(fd, &e->end);
	}
}

/*
 * A GPT says how much of the disk may have partitions, and a kernel takes none that
 * says more than there is: UEFI 2.10, 5.3.2, LastUsableLBA.
 */
static bool gpt_end(int fd, unsigned int sector, uint64_t *end)
{
	char magic[8];
	uint64_t last;

	return pread(fd, magic, sizeof(magic), sector) == sizeof(magic) &&
	       !memcmp(magic, "EFI PART", sizeof(magic)) &&
	       get64le(fd, (off_t)sector + 0x30, &last) &&
	       !__builtin_add_overflow(last, 1, &last) &&
	       !__builtin_mul_overflow(last, (uint64_t)sector, end);
}

/* Sectors of a partition table are the device's, whatever is above it. */
static void read_partitions(blkid_probe probe, int fd, const char *type, struct extent *e)
{
	bool gpt = !strcmp(type, "gpt");
	blkid_partlist list;
	uint64_t end;
	int i;

	/* First: @type is the probe's, and gone when the list is made. */
	snprintf(e->what, sizeof(e->what), "partition table (%s)", type);
	e->block = blkid_probe_get_sectorsize(probe);
	list = blkid_probe_get_partitions(probe);
	if (!list)
		return;
	e->known = !gpt || gpt_end(fd, e->block, &e->end);
	for (i = 0; i < blkid_partlist_numof_partitions(list); i++) {
		blkid_partition p = blkid_partlist_get_partition(list, i);

		end = ((uint64_t)blkid_partition_get_start(p) +
		       (uint64_t)blkid_partition_get_size(p)) * SECTOR;
		if (end > e->end)
			e->end = end;
	}
}

/* One of the two is stale, or a boot sector looks like a table: whatever counts, fits. */
static void add_table(struct extent *e, const struct extent *table)
{
	if (!*table->what)
		return;
	if (!*e->what) {
		*e = *table;
		return;
	}
	e->known = e->known && table->known;
	if (table->end > e->end) {
		e->end = table->end;
		memcpy(e->what, table->what, sizeof(e->what));
	}
	if (!e->block || table->block < e->block)
		e->block = table->block;
}

static int examine(blkid_probe probe, int fd, const char *device, struct extent *e,
		   struct reason *why)
{
	struct extent table = { 0 };
	const char *type;
	int r;

	if (blkid_probe_set_device(probe, fd, 0, 0) || blkid_probe_enable_superblocks(probe, 1) ||
	    blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_TYPE) ||
	    blkid_probe_enable_partitions(probe, 1) ||
	    blkid_probe_set_partitions_flags(probe, BLKID_PARTS_ENTRY_DETAILS))
		return reason_set(why, RC_DEVICE, "Device %s can't be examined: %s.", device,
				  strerror(errno ? errno : EIO));
	r = blkid_do_safeprobe(probe);
	if (r == -2)
		return reason_set(why, RC_DEVICE,
			"Device %s has superblocks of several kinds: 'wipefs %s' lists them, and removes what is stale.",
			device, device);
	if (r < 0)
		return reason_set(why, RC_DEVICE, "Device %s can't be examined: %s.", device,
				  strerror(errno ? errno : EIO));
	if (!blkid_probe_lookup_value(probe, "TYPE", &type, NULL))
		read_superblock(probe, fd, type, e);
	if (!blkid_probe_lookup_value(probe, "PTTYPE", &type, NULL))
		read_partitions(probe, fd, type, &table);
	add_table(e, &table);
	return RC_OK;
}

int extent_find(const char *device, struct extent *e, struct reason *why)
{
	blkid_probe probe;
	int fd, rc;

	memset(e, 0, sizeof(*e));
	errno = 0;
	fd = open(device, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return reason_set(why, RC_DEVICE, "Device %s can't be examined: %s.", device,
				  strerror(errno));
	probe = blkid_new_probe();
	rc = probe ? examine(probe, fd, device, e, why) : reason_nomem(why);
	blkid_free_probe(probe);
	close(fd);
	return rc;
}
