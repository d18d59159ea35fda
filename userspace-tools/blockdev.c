// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "blockdev.h"
#include "diag.h"
#include "module.h"
#include "table.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

static void sys_path(char *path, size_t size, unsigned int major, unsigned int minor,
		     const char *leaf)
{
	snprintf(path, size, "/sys/dev/block/%u:%u/%s", major, minor, leaf);
}

static bool read_line(const char *path, char *line, size_t size)
{
	FILE *f = fopen(path, "re");
	bool ok;

	if (!f)
		return false;
	ok = fgets(line, (int)size, f) != NULL;
	fclose(f);
	if (ok)
		line[strcspn(line, "\n")] = '\0';
	return ok;
}

static int open_error(const char *path, int err)
{
	switch (err) {
	case ENOENT:
	case ENXIO:
	case ENODEV:
	case ENOTDIR:
		return diag_fail(RC_DEVICE, "Device %s does not exist.", path);
	case EACCES:
	case EPERM:
		return diag_fail(RC_PERM, "No permission to open device %s; this takes root.", path);
	case ENOMEDIUM:
		return diag_fail(RC_DEVICE, "Device %s has no medium.", path);
	default:
		return diag_fail(RC_DEVICE, "Device %s can't be opened: %s.", path, strerror(err));
	}
}

/* Two loop devices on one file don't know of each other, nor do their mappings. */
static bool loop_exists(const char *path, char *name, size_t size)
{
	char want[PATH_MAX], attr[PATH_MAX], file[PATH_MAX];
	struct dirent *e;
	bool found = false;
	DIR *d;

	if (!realpath(path, want))
		return false;
	d = opendir("/sys/class/block");
	while (d && !found && (e = readdir(d))) {
		if (strncmp(e->d_name, "loop", 4))
			continue;
		snprintf(attr, sizeof(attr), "/sys/class/block/%s/loop/backing_file", e->d_name);
		if (!read_line(attr, file, sizeof(file)) || strcmp(file, want))
			continue;
		snprintf(name, size, "/dev/%.31s", e->d_name);
		found = true;
	}
	if (d)
		closedir(d);
	return found;
}

/* Another process may be faster with a free loop device. */
#define LOOP_TRIES	16

static int loop_attach(const char *path, bool readonly, char *loop, size_t size, int *fd)
{
	struct loop_config config = { .info.lo_flags = LO_FLAGS_AUTOCLEAR };
	int control, file, nr, i, err;

	file = open(path, (readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	if (file < 0 && !readonly && (errno == EROFS || errno == EACCES)) {
		readonly = true;
		file = open(path, O_RDONLY | O_CLOEXEC);
	}
	if (file < 0)
		return open_error(path, errno);
	if (readonly)
		config.info.lo_flags |= LO_FLAGS_READ_ONLY;
	config.fd = (unsigned int)file;
	snprintf((char *)config.info.lo_file_name, LO_NAME_SIZE, "%s", path);

	control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	if (control < 0 && module_load("loop"))
		control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	if (control < 0) {
		close(file);
		return diag_fail(RC_DEVICE,
			"%s is a regular file and there are no loop devices (%s).\n"
			"Load the module loop, or give a block device.", path, strerror(errno));
	}
	err = EBUSY;
	*fd = -1;
	for (i = 0; i < LOOP_TRIES && *fd < 0; i++) {
		nr = ioctl(control, LOOP_CTL_GET_FREE);
		if (nr < 0) {
			err = errno;
			break;
		}
		snprintf(loop, size, "/dev/loop%d", nr);
		*fd = open(loop, (readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC);
		if (*fd < 0) {
			err = errno;
			break;
		}
		if (ioctl(*fd, LOOP_CONFIGURE, &config) == 0)
			break;
		err = errno;
		close(*fd);
		*fd = -1;
		if (err != EBUSY)
			break;
	}
	close(control);
	close(file);
	if (*fd < 0)
		return diag_fail(RC_DEVICE, "No loop device for file %s: %s.", path, strerror(err));
	diag_debug("File %s is behind %s.", path, loop);
	return RC_OK;
}

static int claimed(const char *path, const struct stat *st)
{
	char users[512];

	blockdev_users(major(st->st_rdev), minor(st->st_rdev), users, sizeof(users));
	return diag_fail(RC_BUSY, "Device %s is in use%s%s.\n"
			 "It is mounted or has another device on top; --shared allows that for mappings\n"
			 "that don't overlap.", path, *users ? ": " : "", users);
}

static int query(struct blockdev *b, const char *path)
{
	int read_only = 0, block_size = 0;
	unsigned long ra = 0;
	uint64_t bytes = 0;
	struct stat st;

	if (fstat(b->fd, &st) || ioctl(b->fd, BLKGETSIZE64, &bytes) ||
	    ioctl(b->fd, BLKROGET, &read_only) || ioctl(b->fd, BLKSSZGET, &block_size))
		return diag_fail(RC_DEVICE, "Device %s doesn't tell its size: %s.",
				 path, strerror(errno));
	if (ioctl(b->fd, BLKRAGET, &ra))
		ra = 0;
	b->major = major(st.st_rdev);
	b->minor = minor(st.st_rdev);
	b->sectors = bytes / SECTOR_SIZE;
	b->block_size = (unsigned int)block_size;
	b->read_ahead = (unsigned int)ra;
	b->readonly |= read_only != 0;
	if (!b->sectors)
		return diag_fail(RC_DEVICE, "Device %s has zero size.", path);
	return RC_OK;
}

int blockdev_open(struct blockdev *b, const char *path, bool readonly, bool shared)
{
	char loop[64];
	struct stat st;
	int rc = RC_OK;
	int fd;

	memset(b, 0, sizeof(*b));
	b->fd = -1;
	b->readonly = readonly;
	if (stat(path, &st))
		return open_error(path, errno);
	if (S_ISREG(st.st_mode)) {
		if (st.st_size < SECTOR_SIZE)
			return diag_fail(RC_DEVICE, "File %s is too small for a disk.", path);
		if (!shared && loop_exists(path, loop, sizeof(loop)))
			return diag_fail(RC_BUSY, "File %s is already behind %s: use that device.",
					 path, loop);
		rc = loop_attach(path, readonly, loop, sizeof(loop), &b->fd);
		if (rc)
			return rc;
		b->loop = true;
		path = loop;
	} else if (!S_ISBLK(st.st_mode)) {
		return diag_fail(RC_DEVICE, "%s is neither a block device nor a regular file.", path);
	} else {
		b->fd = open(path, (readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC);
		if (b->fd < 0 && !readonly && (errno == EROFS || errno == EACCES)) {
			b->readonly = true;
			b->fd = open(path, O_RDONLY | O_CLOEXEC);
		}
		if (b->fd < 0)
			return open_error(path, errno);
		if (!shared) {
			fd = open(path, O_RDONLY | O_EXCL | O_CLOEXEC);
			if (fd < 0)
				rc = errno == EBUSY ? claimed(path, &st) : open_error(path, errno);
			else
				close(fd);
		}
	}
	if (!rc)
		rc = query(b, path);
	if (rc) {
		blockdev_close(b);
		return rc;
	}
	if (b->readonly && !readonly)
		diag_warn("Device %s is read-only, and so is the mapping.", path);
	return RC_OK;
}

void blockdev_close(struct blockdev *b)
{
	if (b->fd >= 0)
		close(b->fd);
	b->fd = -1;
}

int blockdev_look(const char *path, bool exclusive, uint64_t *sectors)
{
	struct blockdev b = { .fd = -1 };
	char loop[64];
	struct stat st;
	int rc;

	if (stat(path, &st))
		return open_error(path, errno);
	if (S_ISREG(st.st_mode)) {
		*sectors = (uint64_t)st.st_size / SECTOR_SIZE;
		if (exclusive && loop_exists(path, loop, sizeof(loop)))
			return diag_fail(RC_BUSY, "File %s is in use: it is behind %s.", path, loop);
		return RC_OK;
	}
	rc = blockdev_open(&b, path, true, !exclusive);
	if (!rc)
		*sectors = b.sectors;
	blockdev_close(&b);
	return rc;
}

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

void blockdev_absolute(const char *path, char *absolute, size_t size)
{
	char here[PATH_MAX];

	if (*path == '/' || !getcwd(here, sizeof(here)))
		snprintf(absolute, size, "%s", path);
	else
		snprintf(absolute, size, "%s/%s", here, path);
}

void blockdev_name(unsigned int major, unsigned int minor, char *name, size_t size)
{
	char path[PATH_MAX], link[PATH_MAX], *base, *p;
	ssize_t len;

	sys_path(path, sizeof(path), major, minor, "dm/name");
	if (read_line(path, link, sizeof(link))) {
		snprintf(name, size, "/dev/mapper/%s", link);
		return;
	}
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", major, minor);
	len = readlink(path, link, sizeof(link) - 1);
	if (len <= 0) {
		snprintf(name, size, "%u:%u", major, minor);
		return;
	}
	link[len] = '\0';
	base = strrchr(link, '/');
	base = base ? base + 1 : link;
	/* sysfs writes ! for the slash of a name such as cciss/c0d0. */
	for (p = base; *p; p++)
		if (*p == '!')
			*p = '/';
	snprintf(name, size, "/dev/%s", base);
}

void blockdev_loop_file(unsigned int major, unsigned int minor, char *file, size_t size)
{
	char path[PATH_MAX];

	sys_path(path, sizeof(path), major, minor, "loop/backing_file");
	if (!read_line(path, file, size))
		*file = '\0';
}

/* What tells a disk from others, now: an inode, or a device number with @inode 0. */
struct identity {
	uint64_t device;
	uint64_t inode;
};

static bool loop_status(unsigned int major, unsigned int minor, struct loop_info64 *info)
{
	char name[PATH_MAX], file[PATH_MAX];
	bool ok;
	int fd;

	blockdev_loop_file(major, minor, file, sizeof(file));
	if (!*file)
		return false;
	blockdev_name(major, minor, name, sizeof(name));
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ok = !ioctl(fd, LOOP_GET_STATUS64, info) && !info->lo_offset && !info->lo_sizelimit;
	close(fd);
	return ok;
}

static void identify_device(unsigned int major, unsigned int minor, struct identity *id)
{
	struct loop_info64 info;

	id->device = makedev(major, minor);
	id->inode = 0;
	if (!loop_status(major, minor, &info))
		return;
	id->device = info.lo_device;
	id->inode = info.lo_inode;
}

static bool identify(const char *path, struct identity *id)
{
	struct stat st;

	if (stat(path, &st))
		return false;
	if (S_ISBLK(st.st_mode)) {
		identify_device(major(st.st_rdev), minor(st.st_rdev), id);
	} else {
		id->device = st.st_dev;
		id->inode = st.st_ino;
	}
	return true;
}

bool blockdev_loop_is_file(unsigned int major, unsigned int minor, char *file, size_t size)
{
	struct loop_info64 info;
	char path[PATH_MAX];
	struct stat st;

	if (!loop_status(major, minor, &info))
		return false;
	blockdev_loop_file(major, minor, path, sizeof(path));
	/* The path is that of the day it was attached, and of whoever did it. */
	return !stat(path, &st) && S_ISREG(st.st_mode) && st.st_dev == info.lo_device &&
	       st.st_ino == info.lo_inode && (size_t)snprintf(file, size, "%s", path) < size;
}

bool blockdev_other_loop(const char *path, char *name, size_t size)
{
	char attr[PATH_MAX], number[32];
	struct identity id, other;
	unsigned int maj, min;
	struct dirent *e;
	bool found = false;
	struct stat st;
	DIR *d;

	if (stat(path, &st) || !S_ISBLK(st.st_mode))
		return false;
	identify_device(major(st.st_rdev), minor(st.st_rdev), &id);
	if (!id.inode)
		return false;
	d = opendir("/sys/class/block");
	while (d && !found && (e = readdir(d))) {
		if (strncmp(e->d_name, "loop", 4))
			continue;
		snprintf(attr, sizeof(attr), "/sys/class/block/%s/dev", e->d_name);
		if (!read_line(attr, number, sizeof(number)) ||
		    sscanf(number, "%u:%u", &maj, &min) != 2 || makedev(maj, min) == st.st_rdev)
			continue;
		identify_device(maj, min, &other);
		found = other.device == id.device && other.inode == id.inode;
		if (found)
			snprintf(name, size, "/dev/%.31s", e->d_name);
	}
	if (d)
		closedir(d);
	return found;
}

bool blockdev_readonly(const char *path)
{
	int readonly = 0, fd;
	struct stat st;

	if (stat(path, &st))
		return false;
	if (!S_ISBLK(st.st_mode))
		return access(path, W_OK) && errno == EROFS;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (ioctl(fd, BLKROGET, &readonly))
		readonly = 0;
	close(fd);
	return readonly;
}

bool blockdev_same(const char *path, const char *other)
{
	struct identity a, b;

	return identify(path, &a) && identify(other, &b) && a.device == b.device &&
	       a.inode == b.inode;
}

bool blockdev_is(const char *path, unsigned int major, unsigned int minor)
{
	struct identity a, b;

	identify_device(major, minor, &b);
	return identify(path, &a) && a.device == b.device && a.inode == b.inode;
}

int blockdev_size(unsigned int major, unsigned int minor, uint64_t *sectors,
		  unsigned int *block_size)
{
	char name[PATH_MAX], file[PATH_MAX];
	struct blockdev b = { .fd = -1 };
	int rc;

	blockdev_name(major, minor, name, sizeof(name));
	b.fd = open(name, O_RDONLY | O_CLOEXEC);
	if (b.fd < 0)
		return open_error(name, errno);
	blockdev_loop_file(major, minor, file, sizeof(file));
	if (*file && ioctl(b.fd, LOOP_SET_CAPACITY, 0))
		diag_debug("LOOP_SET_CAPACITY on %s: %s", name, strerror(errno));
	rc = query(&b, name);
	if (!rc && (b.major != major || b.minor != minor))
		rc = diag_fail(RC_DEVICE, "%s is not device %u:%u.", name, major, minor);
	*sectors = b.sectors;
	*block_size = b.block_size;
	blockdev_close(&b);
	return rc;
}

static void add_user(char *text, size_t size, const char *how, const char *who)
{
	size_t len = strlen(text);

	if (len < size)
		snprintf(text + len, size - len, "%s%s %s", len ? ", " : "", how, who);
}

void blockdev_users(unsigned int major, unsigned int minor, char *text, size_t size)
{
	char path[PATH_MAX], line[2 * PATH_MAX], point[PATH_MAX], name[PATH_MAX];
	unsigned int maj, min;
	struct dirent *e;
	FILE *f;
	DIR *d;

	*text = '\0';
	f = fopen("/proc/self/mountinfo", "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%*d %*d %u:%u %*s %4095s", &maj, &min, point) == 3 &&
		    maj == major && min == minor)
			add_user(text, size, "mounted on", point);
	if (f)
		fclose(f);

	sys_path(path, sizeof(path), major, minor, "holders");
	d = opendir(path);
	while (d && (e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/sys/class/block/%s/dm/name", e->d_name);
		if (!read_line(path, name, sizeof(name)))
			snprintf(name, sizeof(name), "%s", e->d_name);
		add_user(text, size, "used by", name);
	}
	if (d)
		closedir(d);
}
