// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <malloc.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "secmem.h"

/* Deeper than anything calls that has a secret in its hands. */
#define STACK_USED	32768

struct secmem {
	unsigned char *data;
	size_t capacity;
	size_t mapped;
};

static struct secmem *map(size_t capacity, int sharing)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct secmem *sm;
	int err;

	sm = calloc(1, sizeof(*sm));
	if (!sm)
		return NULL;
	sm->capacity = capacity;
	sm->mapped = (capacity + page - 1) / page * page;
	/* Pages of its own: locking and the advice below work on whole pages. */
	sm->data = mmap(NULL, sm->mapped, PROT_READ | PROT_WRITE,
			sharing | MAP_ANONYMOUS, -1, 0);
	if (sm->data == MAP_FAILED)
		goto free_sm;
	if (mlock(sm->data, sm->mapped) ||
	    madvise(sm->data, sm->mapped, MADV_DONTDUMP) ||
	    (sharing == MAP_PRIVATE && secmem_keep(sm)))
		goto unmap;
	return sm;

unmap:
	err = errno;
	munmap(sm->data, sm->mapped);
	errno = err;
free_sm:
	free(sm);
	return NULL;
}

struct secmem *secmem_new(size_t capacity)
{
	return map(capacity, MAP_PRIVATE);
}

struct secmem *secmem_new_shared(size_t capacity)
{
	return map(capacity, MAP_SHARED);
}

int secmem_keep(struct secmem *sm)
{
	return madvise(sm->data, sm->mapped, MADV_DONTFORK);
}

void secmem_disown(struct secmem **sm)
{
	free(*sm);
	*sm = NULL;
}

void secmem_free(struct secmem **sm)
{
	if (!*sm)
		return;
	explicit_bzero((*sm)->data, (*sm)->mapped);
	munmap((*sm)->data, (*sm)->mapped);
	free(*sm);
	*sm = NULL;
	secmem_wipe_traces();
}

unsigned char *secmem_data(struct secmem *sm)
{
	return sm->data;
}

size_t secmem_capacity(const struct secmem *sm)
{
	return sm->capacity;
}

#ifdef __x86_64__

/*
 * All ones: of a register that is zero the kernel need not save anything, and what it
 * has saved before would stay.
 */
#define FILL_SSE(n)	"pcmpeqd %%xmm" #n ", %%xmm" #n "\n\t"
#define FILL_AVX(n)	"vcmptrueps %%ymm" #n ", %%ymm" #n ", %%ymm" #n "\n\t"
#define FILL_AVX512(n)	"vpternlogd $0xff, %%zmm" #n ", %%zmm" #n ", %%zmm" #n "\n\t"

#define FIRST_16(fill)							\
	fill(0) fill(1) fill(2) fill(3) fill(4) fill(5) fill(6) fill(7)	\
	fill(8) fill(9) fill(10) fill(11) fill(12) fill(13) fill(14) fill(15)
#define LAST_16(fill)							\
	fill(16) fill(17) fill(18) fill(19) fill(20) fill(21) fill(22) fill(23)	\
	fill(24) fill(25) fill(26) fill(27) fill(28) fill(29) fill(30) fill(31)

#define CLOBBERS							\
	"xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",	\
	"xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"

static void wipe_registers(void)
{
	if (__builtin_cpu_supports("avx512f"))
		__asm__ volatile(FIRST_16(FILL_AVX512) LAST_16(FILL_AVX512) : : : CLOBBERS);
	else if (__builtin_cpu_supports("avx"))
		__asm__ volatile(FIRST_16(FILL_AVX) : : : CLOBBERS);
	else
		__asm__ volatile(FIRST_16(FILL_SSE) : : : CLOBBERS);
}

#else

static void wipe_registers(void)
{
}

#endif

static void __attribute__((noinline)) wipe_stack(void)
{
	unsigned char stack[STACK_USED];

	explicit_bzero(stack, sizeof(stack));
}

void __attribute__((noinline)) secmem_wipe_traces(void)
{
	wipe_stack();
	wipe_registers();
}

static void free_wiped(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	if (p)
		explicit_bzero(p, malloc_usable_size(p));
	free(p);
}

static void *allocate(size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return size ? malloc(size) : NULL;
}

/* Never where it is: then it would have to be known what is behind its new end. */
static void *reallocate(void *p, size_t size, const char *file, int line)
{
	size_t old = p ? malloc_usable_size(p) : 0;
	void *new = allocate(size, file, line);

	if (size && !new)
		return NULL;
	if (new && p)
		memcpy(new, p, old < size ? old : size);
	free_wiped(p, file, line);
	return new;
}

bool secmem_guard_libcrypto(void)
{
	return CRYPTO_set_mem_functions(allocate, reallocate, free_wiped) == 1;
}
