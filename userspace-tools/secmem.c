// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "secmem.h"

struct secmem {
	unsigned char *data;
	size_t capacity;
	size_t mapped;
};

struct secmem *secmem_new(size_t capacity)
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
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (sm->data == MAP_FAILED)
		goto free_sm;
	if (mlock(sm->data, sm->mapped) ||
	    madvise(sm->data, sm->mapped, MADV_DONTDUMP) ||
	    madvise(sm->data, sm->mapped, MADV_DONTFORK))
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
