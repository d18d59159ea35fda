// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages to a device: from words to which keys are set or wiped.
 *
 * Nothing here quotes a word: any may be a key.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "table.h"

static int parse_layer_name(struct dmsse_message *message, unsigned int nr_layers,
			    char *word, struct dmsse_error *err)
{
	unsigned int i;

	for (i = 0; i < DMSSE_MAX_LAYERS; i++)
		if (!strcasecmp(word, dmsse_layer_name(i)))
			break;
	if (i == DMSSE_MAX_LAYERS) {
		/* Who knows what it is: a key in the wrong place, perhaps. */
		memzero_explicit(word, strlen(word));
		dmsse_err(err, "unknown layer: use inner or outer");
		return -EINVAL;
	}
	if (i >= nr_layers) {
		dmsse_err(err, "this device has no %s layer: its only one is inner",
			  dmsse_layer_name(i));
		return -EINVAL;
	}
	message->first = i;
	message->nr = 1;
	return 0;
}

/**
 * dmsse_message_parse - parse a message
 * @message: result; its strings point into @argv
 * @nr_layers: layers that the device has
 * @argc: number of words
 * @argv: the words: "key set [<layer>] <reference>" or "key wipe [<layer>]"
 * @err: why it was refused
 *
 * A key argument that is no reference is wiped in @argv, and so are all words of
 * a message that is not known.
 *
 * Context: any. Return: 0, or -EINVAL with @err set.
 */
int dmsse_message_parse(struct dmsse_message *message, unsigned int nr_layers,
			unsigned int argc, char **argv, struct dmsse_error *err)
{
	unsigned int words; /* without a layer */
	unsigned int i;
	int r = 0, layer = 0;

	memset(message, 0, sizeof(*message));
	message->nr = nr_layers;
	message->set = argc > 1 && !strcasecmp(argv[1], "set");
	words = message->set ? 3 : 2;

	if (argc < words || argc > words + 1 || strcasecmp(argv[0], "key") ||
	    (!message->set && strcasecmp(argv[1], "wipe"))) {
		/* Any of the words may be a key, at a place of its own. */
		for (i = 0; i < argc; i++)
			memzero_explicit(argv[i], strlen(argv[i]));
		dmsse_err(err,
			  "unknown message: use 'key set [<layer>] <reference>' or 'key wipe [<layer>]'");
		return -EINVAL;
	}
	/* Before all else: this wipes an argument that is a key. */
	if (message->set)
		r = dmsse_key_ref_parse(&message->ref, argv[argc - 1], err);
	if (argc > words)
		layer = parse_layer_name(message, nr_layers, argv[2], err);
	if (r || layer)
		return -EINVAL;
	if (message->set && message->nr > 1) {
		dmsse_err(err,
			  "which layer? Use 'key set inner <reference>' or 'key set outer <reference>'");
		return -EINVAL;
	}
	return 0;
}
