// SPDX-License-Identifier: GPL-2.0-only
/*
 * What secmem promises, looked at from outside: /proc/self/smaps, a child, the
 * pages at the moment in which they are given back, and registers. KTAP.
 */
#include <openssl/crypto.h>
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

/* The block that libcrypto is about to free. */
static const unsigned char *watched;
static size_t watched_size;
static bool freed_zero;

void __real_free(void *p);
void __wrap_free(void *p);

void __wrap_free(void *p)
{
	size_t i;

	if (p && p == watched) {
		freed_zero = true;
		for (i = 0; i < watched_size; i++)
			freed_zero &= !watched[i];
		watched = NULL;
	}
	__real_free(p);
}

static void watch(const unsigned char *block, size_t size)
{
	watched = block;
	watched_size = size;
	freed_zero = false;
}

static void test_libcrypto(void)
{
	unsigned char *block, *longer;
	bool kept;
	size_t i;

	result(secmem_guard_libcrypto(), "libcrypto takes another allocator");
	block = OPENSSL_malloc(100);
	if (!block)
		return;
	memset(block, 0xa5, 100);
	watch(block, 100);
	longer = OPENSSL_realloc(block, 5000);
	result(freed_zero, "what libcrypto makes longer is wiped where it was");
	for (i = 0, kept = longer; i < 100 && kept; i++)
		kept = longer[i] == 0xa5;
	result(kept, "... and kept");
	watch(longer, 100);
	OPENSSL_free(longer);
	result(freed_zero, "what libcrypto frees is wiped");
	OPENSSL_free(NULL);
	result(!OPENSSL_malloc(0), "nothing is nothing");
}

#ifdef __x86_64__

#define FILL(n)		"movdqu (%0), %%xmm" #n "\n\t"
#define STORE(n)	"movdqu %%xmm" #n ", 16*" #n "(%0)\n\t"
#define ALL(op)		op(0) op(1) op(2) op(3) op(4) op(5) op(6) op(7) \
			op(8) op(9) op(10) op(11) op(12) op(13) op(14) op(15)

static void test_registers(void)
{
	static unsigned char mark[16] = "sixteen letters", regs[256];
	struct secmem *sm = secmem_new(16);
	unsigned int before = 0, after = 0, i;

	__asm__ volatile(ALL(FILL) : : "r"(mark) : "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4",
			 "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13",
			 "xmm14", "xmm15");
	__asm__ volatile(ALL(STORE) : : "r"(regs) : "memory");
	for (i = 0; i < 16; i++)
		before += !memcmp(regs + 16 * i, mark, 16);
	__asm__ volatile(ALL(FILL) : : "r"(mark) : "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4",
			 "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13",
			 "xmm14", "xmm15");
	secmem_free(&sm);
	__asm__ volatile(ALL(STORE) : : "r"(regs) : "memory");
	for (i = 0; i < 16; i++)
		after += !memcmp(regs + 16 * i, mark, 16);
	result(before == 16 && !after, "vector registers are wiped with it");
}

#else

static void test_registers(void)
{
	printf("ok %u - vector registers are wiped with it # SKIP not known on this machine\n", ++nr);
}

#endif

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
	test_registers();
	test_libcrypto();
	printf("1..%u\n", nr);
	return failed != 0;
}
