/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef WORDS_H
#define WORDS_H

#include <linux/string.h>

/* A line's words to @argv, of which there are no more than @max; returns how many. */
static inline unsigned int cut_words(char *text, char **argv, unsigned int max)
{
	unsigned int argc = 0;
	char *word;

	while (argc < max && (word = strsep(&text, " ")))
		if (*word)
			argv[argc++] = word;
	return argc;
}

#endif
