/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CONFIG_TEXT_H
#define CONFIG_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "reason.h"

/*
 * Configuration files as text: a "key = value" on each line, blank lines, and
 * comments on lines of their own that begin with '#'. No files are opened.
 */

#define CONFIG_TEXT_MAX		65536	/* bytes of a file */
#define CONFIG_VALUE_MAX	1024	/* ... of a value, with the final NUL */

struct config_line {
	unsigned int number;	/* from 1 */
	const char *start;	/* in the text; */
	size_t size;		/* without the newline */
	char key[32];		/* "" for a blank line or a comment */
	char value[CONFIG_VALUE_MAX];
	size_t value_at;	/* where the value is in the line, and how long */
	size_t value_size;
};

struct config_text {
	const char *next;
	const char *end;
	unsigned int number;	/* of the line that was read last */
};

void config_text_start(struct config_text *t, const char *text, size_t size);
/* False at the end, or with @why set to "line N: ...". */
bool config_text_next(struct config_text *t, struct config_line *line, struct reason *why);

/* The same without a look for a key: any line of text; the next one is there after a bad one. */
bool config_text_line(struct config_text *t, struct config_line *line, struct reason *why);

/* The known word that an unknown one was perhaps meant to be, or NULL. */
const char *config_text_near(const char *word, const char * const *known, size_t nr);

/* Is it UTF-8, without control characters? */
bool config_text_printable(const char *text, size_t size);

#endif
