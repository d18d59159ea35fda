// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "vm_devices.h"

/* The beginnings of their names. */
static const char * const monitors[] = {
	"qemu-system-", "qemu-kvm", "kvm", "cloud-hypervisor", "crosvm", "firecracker",
};

static bool is_monitor(const char *program)
{
	size_t i;

	for (i = 0; i < sizeof(monitors) / sizeof(monitors[0]); i++)
		if (!strncmp(program, monitors[i], strlen(monitors[i])))
			return true;
	return false;
}

static bool is_kvm(const char *target)
{
	return !strcmp(target, "/dev/kvm") || !strncmp(target, "anon_inode:kvm-", 15);
}

static bool read_link(int dir, const char *name, char *target, size_t size)
{
	ssize_t len = readlinkat(dir, name, target, size - 1);

	if (len < 0)
		return false;
	target[len] = '\0';
	return true;
}

static void program_name(int proc, char *name, size_t size)
{
	char path[PATH_MAX], *base, *deleted;

	*name = '\0';
	if (!read_link(proc, "exe", path, sizeof(path)))
		return;
	base = strrchr(path, '/');
	base = base ? base + 1 : path;
	/* An update of the package has replaced the file of one that runs. */
	deleted = strstr(base, " (deleted)");
	if (deleted)
		*deleted = '\0';
	snprintf(name, size, "%.100s", base);
}

/* QEMU's -name NAME or -name guest=NAME,... */
static void vm_name(int proc, const char *program, char *name, size_t size)
{
	char text[65536], *p, *end;
	ssize_t len;
	int fd;

	snprintf(name, size, "%s", program);
	fd = openat(proc, "cmdline", O_RDONLY | O_CLOEXEC);
	len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	if (len <= 0)
		return;
	text[len] = '\0';
	end = text + len;
	for (p = text; p < end; p += strlen(p) + 1) {
		if (strcmp(p, "-name") && strcmp(p, "--name"))
			continue;
		p += strlen(p) + 1;
		if (p >= end || !*p)
			return;
		if (!strncmp(p, "guest=", 6))
			p += 6;
		snprintf(name, size, "%.*s", (int)strcspn(p, ","), p);
		return;
	}
}

struct found {
	struct vm_device *list;
	size_t nr;
	bool no_memory;
};

static void add(struct found *f, size_t from, const struct vm_device *one)
{
	struct vm_device *more;
	size_t i;

	for (i = from; i < f->nr; i++)
		if (f->list[i].major == one->major && f->list[i].minor == one->minor)
			return;
	more = reallocarray(f->list, f->nr + 1, sizeof(*more));
	if (!more) {
		f->no_memory = true;
		return;
	}
	f->list = more;
	more[f->nr++] = *one;
}

/* A process that ends meanwhile has nothing open. */
static void look(int proc, pid_t pid, struct found *f)
{
	struct vm_device one = { .pid = pid };
	char program[128], target[PATH_MAX];
	size_t from = f->nr;
	bool vm = false;
	struct dirent *e;
	struct stat st;
	DIR *d;
	int fd;

	program_name(proc, program, sizeof(program));
	if (!*program)
		return;
	vm = is_monitor(program);
	fd = openat(proc, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		if (fd >= 0)
			close(fd);
		return;
	}
	vm_name(proc, program, one.vm, sizeof(one.vm));
	while ((e = readdir(d))) {
		if (!read_link(fd, e->d_name, target, sizeof(target)))
			continue;
		vm |= is_kvm(target);
		if (fstatat(fd, e->d_name, &st, 0) || !S_ISBLK(st.st_mode))
			continue;
		one.major = major(st.st_rdev);
		one.minor = minor(st.st_rdev);
		add(f, from, &one);
	}
	closedir(d);
	if (!vm)
		f->nr = from;
}

int vm_devices(struct vm_device **list, size_t *nr, struct reason *why)
{
	struct found f = { .nr = 0 };
	struct dirent *e;
	DIR *d;
	int fd;

	d = opendir("/proc");
	if (!d)
		return reason_set(why, RC_DEVICE, "/proc can't be read: %s.", strerror(errno));
	while ((e = readdir(d))) {
		if (e->d_name[0] < '1' || e->d_name[0] > '9')
			continue;
		fd = openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			continue;
		look(fd, (pid_t)atoi(e->d_name), &f);
		close(fd);
	}
	closedir(d);
	if (f.no_memory) {
		free(f.list);
		return reason_nomem(why);
	}
	*list = f.list;
	*nr = f.nr;
	return RC_OK;
}
