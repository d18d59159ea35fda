// SPDX-License-Identifier: GPL-2.0-only
/*
 * Prints where in physical memory the page cache has a file: a line for each page
 * of it, the address in hex. As root. Reads what isn't there yet.
 *
 *	pageof FILE...
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Documentation/admin-guide/mm/pagemap.rst of the kernel */
#define PRESENT		(1ULL << 63)
#define FRAME		((1ULL << 55) - 1)

static int print_page(int pagemap, const volatile char *page, size_t size)
{
	uint64_t entry;

	/* It is there when it was read. */
	(void)*page;
	if (pread(pagemap, &entry, sizeof(entry),
		  (off_t)((uintptr_t)page / size * sizeof(entry))) != (ssize_t)sizeof(entry) ||
	    !(entry & PRESENT) || !(entry & FRAME))
		return -1;
	printf("%#jx\n", (uintmax_t)((entry & FRAME) * size));
	return 0;
}

static int print_pages(int pagemap, const char *path)
{
	size_t size = (size_t)sysconf(_SC_PAGESIZE), at;
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc = 0;
	struct stat st;
	char *data;

	if (fd < 0 || fstat(fd, &st))
		return -1;
	data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (data == MAP_FAILED)
		return -1;
	for (at = 0; at < (size_t)st.st_size && !rc; at += size)
		rc = print_page(pagemap, data + at, size);
	munmap(data, (size_t)st.st_size);
	return rc;
}

int main(int argc, char **argv)
{
	int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC), i;

	for (i = 1; i < argc; i++) {
		if (print_pages(pagemap, argv[i])) {
			fprintf(stderr, "pageof: %s: its pages can't be told\n", argv[i]);
			return 1;
		}
	}
	return 0;
}
