// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a plain mapping would overwrite; signature.c has what libblkid knows.
 */
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "blockdev.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/*
 * Only what can't be met by chance in ciphertext: four bytes at least. What
 * is known is what somebody would be sorry for.
 */
const char *blockdev_signature(const struct blockdev *b)
{
	static const struct {
		off_t offset;
		const char *magic;
		size_t len;
		const char *what;
	} signatures[] = {
		{ 0, "LUKS\xba\xbe", 6, "a LUKS header" },
		{ 512, "EFI PART", 8, "a GPT partition table" },
		{ 4096, "EFI PART", 8, "a GPT partition table" },
		{ 512, "LABELONE", 8, "an LVM physical volume" },
		{ 0, "XFSB", 4, "an xfs file system" },
		{ 65600, "_BHRfS_M", 8, "a btrfs file system" },
		{ 0, "hsqs", 4, "a squashfs file system" },
		{ 3, "NTFS    ", 8, "an NTFS file system" },
		{ 0, "BITLK", 5, "a BitLocker header" },
		{ 3, "-FVE-FS-", 8, "a BitLocker header" },
		{ 4096, "\xfc\x4e\x2b\xa9", 4, "an md RAID member" },
	};
	unsigned char buf[8], super[24];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(signatures); i++) {
		size_t len = signatures[i].len;

		if (pread(b->fd, buf, len, signatures[i].offset) == (ssize_t)len &&
		    !memcmp(buf, signatures[i].magic, len))
			return signatures[i].what;
	}
	/* ext's magic has but two bytes: state and error behaviour follow it. */
	if (pread(b->fd, super, 8, 1024 + 56) == 8 && super[0] == 0x53 && super[1] == 0xef &&
	    super[2] >= 1 && super[2] <= 7 && !super[3] && super[4] >= 1 && super[4] <= 3 &&
	    !super[5])
		return "an ext2, ext3 or ext4 file system";
	return NULL;
}
