/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KMSG_H
#define KMSG_H

#include <stddef.h>

/* The end of the kernel log; -1 if it can't be read. */
int kmsg_mark(void);
/*
 * The last line the module logged since the mark, without its prefix; NULL if
 * there is none. Closes @mark.
 */
const char *kmsg_last(int mark, char *line, size_t size);
void kmsg_close(int mark);

#endif
