/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KMSG_H
#define KMSG_H

#include <stddef.h>

#include "reason.h"

/* The end of the kernel log; -1 if it can't be read. */
int kmsg_mark(void);
/*
 * The last line the module logged since the mark, without its prefix; NULL if
 * there is none. Closes @mark.
 */
const char *kmsg_last(int mark, char *line, size_t size);
/* Adds that line to @why, if there is one; returns why->rc. Closes @mark. */
int kmsg_explain(int mark, struct reason *why);
void kmsg_close(int mark);

#endif
