// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table parser against whatever libFuzzer thinks of. The input is a line,
 * its words separated by spaces. What is taken must mean the same after it was
 * written and parsed again; what is refused must say why.
 */
#include <stdlib.h>

#include <linux/kernel.h>
#include <linux/string.h>

#include "table.h"
#include "words.h"

#define MAX_ARGS	32

/* One line, with words in it that others chose. */
static void judge_refusal(const struct dmsse_error *err)
{
	const char *c;

	if (!err->text[0] || strnlen(err->text, sizeof(err->text)) == sizeof(err->text))
		abort();
	for (c = err->text; *c; c++)
		if ((u8)*c < ' ' || *c == 0x7f)
			abort();
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct dmsse_params params;
	struct dmsse_error err = {};
	char *argv[MAX_ARGS], *line = malloc(size + 1), *first, *second;
	size_t room = 2 * size + 64;
	int r;

	memcpy(line, data, size);
	line[size] = '\0';
	r = dmsse_table_parse(&params, cut_words(line, argv, MAX_ARGS), argv, &err);
	if (r) {
		judge_refusal(&err);
		free(line);
		return 0;
	}

	first = malloc(room);
	second = malloc(room);
	dmsse_table_emit(&params, first, room);
	memcpy(second, first, room);
	if (dmsse_table_parse(&params, cut_words(second, argv, MAX_ARGS), argv, &err))
		abort();
	free(line);
	line = malloc(room);
	dmsse_table_emit(&params, line, room);
	if (strcmp(first, line))
		abort();
	free(line);
	free(first);
	free(second);
	return 0;
}
