// SPDX-License-Identifier: GPL-2.0-only
/*
 * What secmem promises, looked at from outside: /proc/self/smaps, a child, and
 * the pages at the moment in which they are given back. KTAP.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "secmem.h"

static unsigned int nr, failed;

static void result(bool ok, const char *what)
{
	printf("%sok %u - %s\n", ok ? "" : "not ", ++nr, what);
	failed += !ok;
}

static bool unmapped, was_zero;

int __real_munmap(void *addr, size_t len);
int __wrap_munmap(void *addr, size_t len);

int __wrap_munmap(void *addr, size_t len)
{
	const unsigned char *p = addr;
	size_t i;

	unmapped = true;
	was_zero = true;
	for (i = 0; i < len; i++)
		was_zero &= !p[i];
	return __real_munmap(addr, len);
}

/* A line of /proc/self/smaps about the mapping that holds @addr. */
static bool smaps_line(const void *addr, const char *field, char *line, size_t size)
{
	FILE *f = fopen("/proc/self/smaps", "re");
	unsigned long start, end;
	bool inside = false, found = false;

	while (f && !found && fgets(line, (int)size, f)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			inside = (unsigned long)addr >= start && (unsigned long)addr < end;
		found = inside && !strncmp(line, field, strlen(field));
	}
	if (f)
		fclose(f);
	return found;
}

int main(void)
{
	struct secmem *sm = secmem_new(257), *none = NULL;
	char line[512];
	int status = -1, pipefd[2];
	pid_t pid;

	printf("TAP version 13\n");
	result(sm, "memory is there");
	if (!sm)
		return 1;
	result(secmem_capacity(sm) == 257, "of the size asked for");
	memset(secmem_data(sm), 0xa5, 257);

	result(smaps_line(secmem_data(sm), "VmFlags:", line, sizeof(line)) && strstr(line, " lo"),
	       "locked");
	result(strstr(line, " dd"), "not in core dumps");
	result(strstr(line, " dc"), "not inherited");
	result(smaps_line(secmem_data(sm), "Locked:", line, sizeof(line)) && !strstr(line, " 0 kB"),
	       "all of it");

	/* write(2) says EFAULT where a read would be a SIGSEGV. */
	if (pipe(pipefd))
		return 1;
	pid = fork();
	if (!pid)
		_exit(write(pipefd[1], secmem_data(sm), 1) == -1 ? 0 : 1);
	result(pid > 0 && waitpid(pid, &status, 0) == pid && !status, "a child can't see it");

	secmem_free(&sm);
	result(unmapped && was_zero, "wiped before it is given back");
	result(!sm, "and forgotten");
	secmem_free(&none);
	result(true, "freeing nothing is fine");
	printf("1..%u\n", nr);
	return failed != 0;
}
