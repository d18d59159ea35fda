// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
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
}

unsigned char *secmem_data(struct secmem *sm)
{
	return sm->data;
}

size_t secmem_capacity(const struct secmem *sm)
{
	return sm->capacity;
}

void __attribute__((noinline)) secmem_wipe_stack(void)
{
	unsigned char stack[STACK_USED];

	explicit_bzero(stack, sizeof(stack));
}
