// SPDX-License-Identifier: GPL-2.0-only
/*
 * Device-mapper ioctls by the hundred.
 *
 * Reads commands from standard input, one a line, fields separated by tabs,
 * and answers each by one line: the name of the errno or "0", and behind a
 * tab what the kernel returned, if anything. dmsetup would have to be started
 * for every command, which takes most of the time under emulation, and shows
 * an errno as a text only.
 *
 *	create NAME			device without a table; returns "<major>:<minor>"
 *	load NAME TABLE			"<start> <length> <target> <args>"
 *	resume NAME
 *	suspend NAME [FLAG...]		noflush, nolockfs
 *	clear NAME			drop the inactive table
 *	remove NAME
 *	message NAME TEXT
 *	table NAME, inactive NAME	returns "<start> <length> <target> <args>"
 *	status NAME			returns the same of INFO
 *	mark TEXT			a line in the kernel log
 *	clock				returns the time, in nanoseconds
 *	insmod FILE PARAMETERS, rmmod MODULE
 *
 *	nth N COMMAND...		the N-th allocation fails that may fail by
 *					/proc/thread-self/fail-nth; behind the errno are a tab
 *					and "hit", or "missed" if there were fewer
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include <linux/dm-ioctl.h>

/* Room for one target with its arguments, or for what the kernel returns. */
#define BUFFER_SIZE	16384

static union {
	struct dm_ioctl head;
	char bytes[BUFFER_SIZE];
} buffer;

static int control;

static int prepare(const char *name)
{
	memset(&buffer, 0, sizeof(buffer));
	buffer.head.version[0] = DM_VERSION_MAJOR;
	buffer.head.data_size = sizeof(buffer);
	buffer.head.data_start = sizeof(buffer.head);
	if (strlen(name) >= sizeof(buffer.head.name))
		return ENAMETOOLONG;
	strcpy(buffer.head.name, name);
	return 0;
}

static int call(unsigned long request)
{
	return ioctl(control, request, &buffer) ? errno : 0;
}

static int simple(const char *name, unsigned long request, uint32_t flags)
{
	int r = prepare(name);

	buffer.head.flags = flags;
	return r ? r : call(request);
}

static int create(const char *name, char *answer, size_t size)
{
	int r = simple(name, DM_DEV_CREATE, 0);

	if (!r)
		snprintf(answer, size, "%u:%u", major(buffer.head.dev), minor(buffer.head.dev));
	return r;
}

static int suspend(const char *name, const char *flags)
{
	uint32_t bits = DM_SUSPEND_FLAG;

	if (strstr(flags, "noflush"))
		bits |= DM_NOFLUSH_FLAG;
	if (strstr(flags, "nolockfs"))
		bits |= DM_SKIP_LOCKFS_FLAG;
	return simple(name, DM_DEV_SUSPEND, bits);
}

static int load(const char *name, const char *table)
{
	struct dm_target_spec *spec = (void *)(buffer.bytes + sizeof(buffer.head));
	char *args = (char *)(spec + 1);
	int used, r = prepare(name);

	if (r)
		return r;
	if (sscanf(table, "%llu %llu %15s %n", &spec->sector_start, &spec->length,
		   spec->target_type, &used) != 3)
		return EBADMSG;
	if (strlen(table + used) >= (size_t)(buffer.bytes + sizeof(buffer) - args))
		return E2BIG;
	strcpy(args, table + used);
	buffer.head.target_count = 1;
	return call(DM_TABLE_LOAD);
}

static int message(const char *name, const char *text)
{
	struct dm_target_msg *msg = (void *)(buffer.bytes + sizeof(buffer.head));
	int r = prepare(name);

	if (r)
		return r;
	if (strlen(text) >= (size_t)(buffer.bytes + sizeof(buffer) - msg->message))
		return E2BIG;
	strcpy(msg->message, text);
	return call(DM_TARGET_MSG);
}

static int status(const char *name, uint32_t flags, char *answer, size_t size)
{
	const struct dm_target_spec *spec;
	int r = simple(name, DM_TABLE_STATUS, flags);

	if (r || !buffer.head.target_count)
		return r;
	spec = (void *)(buffer.bytes + buffer.head.data_start);
	snprintf(answer, size, "%llu %llu %s %s", (unsigned long long)spec->sector_start,
		 (unsigned long long)spec->length, spec->target_type, (const char *)(spec + 1));
	return 0;
}

static int mark(const char *text)
{
	char line[256];
	int len = snprintf(line, sizeof(line), "<6>%s\n", text);
	int fd, r = 0;

	if (len >= (int)sizeof(line))
		return E2BIG;
	/* Each open file has its own rate limit. stdio would try to seek in it. */
	fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	if (write(fd, line, len) != len)
		r = errno;
	close(fd);
	return r;
}

static int tell_clock(char *answer, size_t size)
{
	struct timespec now;

	if (clock_gettime(CLOCK_MONOTONIC, &now))
		return errno;
	snprintf(answer, size, "%llu", now.tv_sec * 1000000000ULL + now.tv_nsec);
	return 0;
}

static int insert_module(const char *file, const char *parameters)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	int r = 0;

	if (fd < 0)
		return errno;
	if (syscall(SYS_finit_module, fd, parameters, 0))
		r = errno;
	close(fd);
	return r;
}

static int fail_nth(void)
{
	static int fd = -1;

	if (fd < 0)
		fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	return fd;
}

/* 0 disarms. */
static int arm(const char *nth)
{
	return pwrite(fail_nth(), nth, strlen(nth), 0) < 0 ? errno : 0;
}

/* Has it failed? */
static int was_hit(void)
{
	char left[16] = "";

	return pread(fail_nth(), left, sizeof(left) - 1, 0) > 0 && !atoi(left);
}

static int run(const char *command, const char *name, const char *text,
	       char *answer, size_t size)
{
	if (!strcmp(command, "create"))
		return create(name, answer, size);
	if (!strcmp(command, "load"))
		return load(name, text);
	if (!strcmp(command, "resume"))
		return simple(name, DM_DEV_SUSPEND, 0);
	if (!strcmp(command, "suspend"))
		return suspend(name, text);
	if (!strcmp(command, "clear"))
		return simple(name, DM_TABLE_CLEAR, 0);
	if (!strcmp(command, "remove"))
		return simple(name, DM_DEV_REMOVE, 0);
	if (!strcmp(command, "message"))
		return message(name, text);
	if (!strcmp(command, "table"))
		return status(name, DM_STATUS_TABLE_FLAG, answer, size);
	if (!strcmp(command, "inactive"))
		return status(name, DM_STATUS_TABLE_FLAG | DM_QUERY_INACTIVE_TABLE_FLAG,
			      answer, size);
	if (!strcmp(command, "status"))
		return status(name, 0, answer, size);
	if (!strcmp(command, "mark"))
		return mark(name);
	if (!strcmp(command, "clock"))
		return tell_clock(answer, size);
	if (!strcmp(command, "insmod"))
		return insert_module(name, text);
	if (!strcmp(command, "rmmod"))
		return syscall(SYS_delete_module, name, O_NONBLOCK) ? errno : 0;
	return ENOSYS;
}

int main(void)
{
	static char line[BUFFER_SIZE], answer[BUFFER_SIZE];

	control = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
	if (control < 0) {
		perror("dmbatch: /dev/mapper/control");
		return 1;
	}

	while (fgets(line, sizeof(line), stdin)) {
		char *rest = line, *command, *name, *nth = NULL;
		const char *hit = "";
		int r;

		line[strcspn(line, "\n")] = '\0';
		command = strsep(&rest, "\t");
		if (!strcmp(command, "nth")) {
			nth = rest ? strsep(&rest, "\t") : "";
			command = rest ? strsep(&rest, "\t") : "";
		}
		name = rest ? strsep(&rest, "\t") : "";
		answer[0] = '\0';
		if (nth && arm(nth)) {
			perror("dmbatch: /proc/thread-self/fail-nth");
			return 1;
		}
		r = run(command, name, rest ? rest : "", answer, sizeof(answer));
		if (nth) {
			hit = was_hit() ? "\thit" : "\tmissed";
			arm("0");
		}
		printf("%s%s%s%s\n", r ? strerrorname_np(r) : "0", hit, answer[0] ? "\t" : "",
		       answer);
		fflush(stdout);
	}
	return 0;
}
