// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "copy.h"
#include "dm.h"
#include "interrupt.h"
#include "program.h"
#include "temp_content.h"

/* A type is part of a program's name, and nothing else. */
static bool type_ok(const char *type)
{
	return strspn(type, "abcdefghijklmnopqrstuvwxyz0123456789_-") == strlen(type) &&
	       *type != '-';
}

static int choose_file_system(struct temp_content *c, const char *type)
{
	char name[64];

	if (!type_ok(type) || strlen(type) >= sizeof(c->type))
		return diag_fail(RC_PARAM, "'%s' can't be a type of file system: ext4, xfs and the like are.",
				 type);
	snprintf(c->type, sizeof(c->type), "%s", type);
	snprintf(name, sizeof(name), "mkfs.%s", c->type);
	if (!program_find(name, c->program, sizeof(c->program)))
		return diag_fail(RC_PARAM, "There is no program %s on this host.", name);
	return RC_OK;
}

int temp_content_choose(struct temp_content *c, const struct options *o)
{
	bool swap = opt_given(o, OPT_MKSWAP);

	memset(c, 0, sizeof(*c));
	c->image = o->str[OPT_IMAGE];
	c->shared = opt_given(o, OPT_SHARED);
	c->quiet = opt_given(o, OPT_BATCH_MODE);
	if (opt_given(o, OPT_MKFS) + swap + (c->image != NULL) > 1)
		return diag_fail(RC_PARAM, "--mkfs, --mkswap and --image exclude each other.");
	if (c->shared && !c->image)
		return diag_fail(RC_PARAM, "--shared is about the --image: no two use a temporary disk's device.");
	if (opt_given(o, OPT_MKFS))
		return choose_file_system(c, o->str[OPT_MKFS]);
	if (swap && !program_find("mkswap", c->program, sizeof(c->program)))
		return diag_fail(RC_PARAM, "There is no program mkswap on this host.");
	return RC_OK;
}

/* An image of a virtual machine in a format of its own would be noise to a guest. */
static const char *image_format(const char *path)
{
	static const struct {
		const char *magic;
		size_t length;
		const char *name;
	} formats[] = {
		{ "QFI\xfb", 4, "qcow2" },
		{ "KDMV", 4, "vmdk" },
		{ "vhdxfile", 8, "vhdx" },
		{ "conectix", 8, "vpc" },
		{ "<<< ", 4, "vdi" },
		{ "\xfd" "7zXZ", 6, "xz" },
		{ "\x28\xb5\x2f\xfd", 4, "zstd" },
		{ "\x1f\x8b\x08", 3, "gzip" },
	};
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char start[8] = "";
	ssize_t n;
	size_t i;

	if (fd < 0)
		return NULL;
	n = pread(fd, start, sizeof(start), 0);
	close(fd);
	for (i = 0; n == sizeof(start) && i < sizeof(formats) / sizeof(formats[0]); i++)
		if (!memcmp(start, formats[i].magic, formats[i].length))
			return formats[i].name;
	return NULL;
}

int temp_content_open(struct temp_content *c, const char *device, uint64_t size,
		      struct reason *why)
{
	const char *format;
	int rc;

	if (!c->image)
		return RC_OK;
	if (blockdev_same(c->image, device))
		return reason_set(why, RC_PARAM, "The image and the device are the same: %.400s.", device);
	format = image_format(c->image);
	if (format)
		return reason_set(why, RC_PARAM,
			"Image %.300s is in format %s: make a raw one of it, for instance with\n"
			"'qemu-img convert -O raw' or the program that packed it.", c->image, format);
	rc = copy_source_open(&c->source, c->image, c->shared, why);
	if (rc)
		return rc;
	c->source_open = true;
	if (c->source.identity.size > size)
		return reason_set(why, RC_DEVICE,
			"Image %.300s has %" PRIu64 " bytes, a temporary disk on %.100s has room for %" PRIu64 ".",
			c->image, c->source.identity.size, device, size);
	return RC_OK;
}

void temp_content_close(struct temp_content *c)
{
	if (c->source_open)
		copy_source_close(&c->source);
	c->source_open = false;
}

/* A copy that was cut off is thrown away: there is nothing to note. */
static int no_checkpoint(void *arg, uint64_t done, struct reason *why)
{
	(void)arg;
	(void)done;
	(void)why;
	return RC_OK;
}

static int write_image(struct temp_content *c, int fd, const char *node, unsigned int align,
		       const volatile sig_atomic_t *stop, struct reason *why)
{
	struct copy copy = {
		.source_name = c->image,
		.destination_name = node,
		.source = c->source.fd,
		.destination = fd,
		.size = c->source.identity.size,
		.align = align,
		/* Holes are written too: what lies below them is no zeros. */
		.image = -1,
		.stop = stop,
		.quiet = c->quiet,
		.checkpoint = no_checkpoint,
	};
	int rc = copy_data(&copy, 0, why);

	if (rc == COPY_STOPPED)
		return reason_set(why, RC_PARAM, "Stopped while copying the image.");
	return rc;
}

static int run_program(struct temp_content *c, char *node, const volatile sig_atomic_t *stop,
		       struct reason *why)
{
	char *argv[] = { c->program, node, NULL };

	return program_run(argv, stop, why);
}

int temp_content_write(struct temp_content *c, const char *name, unsigned int align,
		       struct reason *why)
{
	const volatile sig_atomic_t *stop;
	char node[PATH_MAX];
	int fd, err, rc;

	if (!c->image && !*c->program)
		return RC_OK;
	stop = interrupt_catch();
	snprintf(node, sizeof(node), "%s/%s", dm_dev_dir(), name);
	/* Nobody mounts half an image; mkfs wants the disk for itself. */
	fd = open(node, c->image ? O_RDWR | O_DIRECT | O_EXCL | O_CLOEXEC : O_RDONLY | O_CLOEXEC);
	err = fd < 0 ? errno : dm_remove(name, true);
	if (err) {
		rc = reason_set(why, RC_DEVICE, "Device %s can't be used: %s.", node, strerror(err));
	} else if (c->image) {
		rc = write_image(c, fd, node, align, stop, why);
	} else {
		rc = run_program(c, node, stop, why);
	}
	if (!err) {
		err = dm_keep(name);
		if (err && !rc)
			rc = reason_set(why, RC_DEVICE, "Device %s can't be kept: %s.", node, strerror(err));
	}
	if (fd >= 0)
		close(fd);
	return rc;
}
