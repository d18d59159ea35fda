// SPDX-License-Identifier: GPL-2.0-only
/*
 * The parser of messages against whatever libFuzzer thinks of. The input is the
 * number of layers, "1" or "2", and the words of a message, separated by spaces.
 * What is taken can be written and taken again; what is refused says why, and has
 * no word left that could be a key.
 */
#include <stdio.h>
#include <stdlib.h>

#include <linux/kernel.h>
#include <linux/string.h>

#include "table.h"
#include "words.h"

#define MAX_ARGS	16

/* The words that the parser knows, in any letters, and references: no key. */
static bool is_harmless(const char *word)
{
	return !*word || *word == ':' || !strcmp(word, "-") || !strcasecmp(word, "key") ||
	       !strcasecmp(word, "set") || !strcasecmp(word, "wipe") || !strcasecmp(word, "inner") ||
	       !strcasecmp(word, "outer");
}

static void judge_refusal(unsigned int argc, char **argv, const struct dmsse_error *err)
{
	unsigned int i;
	const char *c;

	if (!err->text[0] || strnlen(err->text, sizeof(err->text)) == sizeof(err->text))
		abort();
	for (c = err->text; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			abort();
	for (i = 0; i < argc; i++)
		if (!is_harmless(argv[i]))
			abort();
}

static void judge_taken(const struct dmsse_message *message, unsigned int nr_layers)
{
	char line[8192] = "key set ", ref[8000], *argv[MAX_ARGS];
	struct dmsse_error err = {};
	struct dmsse_message again;

	if (!message->nr || message->first + message->nr > nr_layers ||
	    (message->set && message->nr != 1))
		abort();
	if (!message->set)
		return;
	dmsse_key_ref_emit(&message->ref, ref, sizeof(ref));
	snprintf(line, sizeof(line), "key set %s %s", dmsse_layer_name(message->first), ref);
	if (dmsse_message_parse(&again, nr_layers, cut_words(line, argv, MAX_ARGS), argv, &err) ||
	    again.first != message->first || again.ref.size != message->ref.size ||
	    (message->ref.size && (again.ref.type != message->ref.type ||
				   strcmp(again.ref.description, message->ref.description))))
		abort();
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	unsigned int nr_layers, argc;
	char *argv[MAX_ARGS], *line;
	struct dmsse_message message;
	struct dmsse_error err = {};

	if (size < 2)
		return 0;
	nr_layers = data[0] == '2' ? 2 : 1;
	line = malloc(size);
	memcpy(line, data + 1, size - 1);
	line[size - 1] = '\0';
	argc = cut_words(line, argv, MAX_ARGS);
	if (dmsse_message_parse(&message, nr_layers, argc, argv, &err))
		judge_refusal(argc, argv, &err);
	else
		judge_taken(&message, nr_layers);
	free(line);
	return 0;
}
