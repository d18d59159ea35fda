// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the kernel calls a device, what is behind it, and who uses it.
 */
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "blockdev_internal.h"

static void sys_path(char *path, size_t size, unsigned int major, unsigned int minor,
		     const char *leaf)
{
	snprintf(path, size, "/sys/dev/block/%u:%u/%s", major, minor, leaf);
}

bool blockdev_read_line(const char *path, char *line, size_t size)
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

void blockdev_name(unsigned int major, unsigned int minor, char *name, size_t size)
{
	char path[PATH_MAX], link[PATH_MAX], *base, *p;
	ssize_t len;

	sys_path(path, sizeof(path), major, minor, "dm/name");
	if (blockdev_read_line(path, link, sizeof(link))) {
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
	if (!blockdev_read_line(path, file, size))
		*file = '\0';
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
		if (!blockdev_read_line(path, name, sizeof(name)))
			snprintf(name, sizeof(name), "%s", e->d_name);
		add_user(text, size, "used by", name);
	}
	if (d)
		closedir(d);
}
