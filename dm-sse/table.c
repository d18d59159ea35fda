// SPDX-License-Identifier: GPL-2.0-only
/*
 * Table text to parameters and back.
 *
 * The grammar is dm-crypt's:
 *
 *	<cipher> <key> <iv_offset> <device> <start> [<#opts> <opt>...]
 *
 * except that <key> is a reference into the kernel keyring and nothing else, and
 * that there are other options: see options.c.
 *
 * Nothing here quotes the key argument, or a word that may be a key: somebody may
 * have put one there.
 */
#include <linux/ctype.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "table.h"

#define MANDATORY_ARGS	5

static int parse_layer_key(struct dmsse_params *params, unsigned int index, char *text,
			   struct dmsse_error *err)
{
	int r = dmsse_key_ref_parse(&params->layer[index].key, text, err);

	if (r)
		dmsse_err_layer(err, params->nr_layers, index);
	return r;
}

static bool is_layer_option(const char *word)
{
	return !strcasecmp(word, dmsse_layer_name(1));
}

/* AES-128's key in hexadecimal, the shortest that there is; no other word is like it. */
#define SHORTEST_HEX_KEY	32

static bool is_hex_key(const char *word)
{
	size_t digits = 0;

	while (isxdigit(word[digits]))
		digits++;
	return digits >= SHORTEST_HEX_KEY && !word[digits];
}

/*
 * The keys of all layers. This comes first of all and goes through to the end,
 * so that no mistake elsewhere in a line leaves a key in memory, or has it quoted:
 * where words are missing or too many, a key is where nobody looks for one.
 */
static int parse_keys(struct dmsse_params *params, unsigned int argc, char **argv,
		      struct dmsse_error *err)
{
	int outer = 0, inner = 0, other = 0;
	unsigned int i;

	for (i = MANDATORY_ARGS; i < argc; i++) {
		if (!is_layer_option(argv[i]))
			continue;
		params->nr_layers = 2;
		if (i + 2 < argc && parse_layer_key(params, 1, argv[i + 2], err))
			outer = -EINVAL;
		i += DMSSE_LAYER_WORDS - 1;
	}
	if (argc > 1)
		inner = parse_layer_key(params, 0, argv[1], err);
	for (i = 0; i < argc; i++) {
		if (!is_hex_key(argv[i]))
			continue;
		memzero_explicit(argv[i], strlen(argv[i]));
		if (!inner && !outer)
			dmsse_err(err,
				  "word %u looks like a key: a key is a keyring reference ':<bytes>:<type>:<description>', and follows its cipher",
				  i + 1);
		other = -EINVAL;
	}
	return inner ?: outer ?: other;
}

/**
 * dmsse_layer_parse - parse a layer's words
 * @params: where it goes, with the number of layers and this one's key set
 * @index: position of the layer
 * @words: "<cipher> <key> <iv_offset>"; the key, which dmsse_table_parse() has
 *	parsed before all else, is not looked at
 * @err: why they were refused
 *
 * Context: any. Return: 0, or -EINVAL with @err set.
 */
int dmsse_layer_parse(struct dmsse_params *params, unsigned int index, char **words,
		      struct dmsse_error *err)
{
	struct dmsse_layer_params *layer = &params->layer[index];
	int r = dmsse_cipher_parse(&layer->cipher, words[0], err);

	layer->spec = words[0];
	if (!r && !dmsse_parse_u64(words[2], strlen(words[2]), &layer->iv_offset)) {
		dmsse_err(err, "iv_offset must be a number of 512-byte sectors, not '%.48s'",
			  words[2]);
		r = -EINVAL;
	}
	if (r)
		dmsse_err_layer(err, params->nr_layers, index);
	return r;
}

/**
 * dmsse_table_parse - parse the arguments of a table line
 * @params: result; its strings point into @argv
 * @argc: number of arguments
 * @argv: the arguments, those after "sse"
 * @err: why they were refused
 *
 * A key argument that is no reference is wiped in @argv, and so is each word that
 * looks like a key in hexadecimal.
 *
 * Context: any.
 * Return: 0, -EINVAL for a line that is wrong, or -EOPNOTSUPP for one that
 * asks for what this target or kernel does not do; @err is set with either.
 */
int dmsse_table_parse(struct dmsse_params *params, unsigned int argc,
		      char **argv, struct dmsse_error *err)
{
	int r;

	memset(params, 0, sizeof(*params));
	params->nr_layers = 1;
	params->sector_size = DMSSE_MIN_SECTOR_SIZE;

	r = parse_keys(params, argc, argv, err);
	if (r)
		return r;
	if (argc < MANDATORY_ARGS) {
		dmsse_err(err,
			  "%u arguments where at least %u are needed: <cipher> <key> <iv_offset> <device> <start>",
				argc, MANDATORY_ARGS);
		return -EINVAL;
	}
	r = dmsse_layer_parse(params, 0, argv, err);
	if (r)
		return r;
	params->device = argv[3];
	if (!dmsse_parse_u64(argv[4], strlen(argv[4]), &params->start)) {
		dmsse_err(err, "start must be a number of 512-byte sectors, not '%.48s'", argv[4]);
		return -EINVAL;
	}

	return dmsse_options_parse(params, argc - MANDATORY_ARGS, argv + MANDATORY_ARGS, err);
}

/**
 * dmsse_layer_emit - write a layer as it stands in a line, in three words
 * @layer: the layer
 * @buf: where to; always terminated if @size is not zero
 * @size: room in @buf, in bytes
 *
 * Context: any. Return: characters written, without the terminating zero.
 */
size_t dmsse_layer_emit(const struct dmsse_layer_params *layer, char *buf, size_t size)
{
	size_t n = scnprintf(buf, size, "%s ", layer->spec);

	n += dmsse_key_ref_emit(&layer->key, buf + n, size - n);
	return n + scnprintf(buf + n, size - n, " %llu", (unsigned long long)layer->iv_offset);
}

/**
 * dmsse_table_emit - write a table line's arguments
 * @params: parameters; the line that is written parses to the same ones
 * @buf: where to; always terminated if @size is not zero
 * @size: room in @buf, in bytes
 *
 * Context: any. Return: characters written, without the terminating zero.
 */
size_t dmsse_table_emit(const struct dmsse_params *params, char *buf, size_t size)
{
	size_t n;

	n = dmsse_layer_emit(&params->layer[0], buf, size);
	n += scnprintf(buf + n, size - n, " %s %llu", params->device,
		       (unsigned long long)params->start);
	return n + dmsse_options_emit(params, buf + n, size - n);
}

/**
 * dmsse_table_emit_ima - write what IMA shall measure of a table line
 * @params: parameters
 * @buf: where to; always terminated if @size is not zero
 * @size: room in @buf, in bytes
 *
 * The key's size is measured, its reference is not: which name a key has on a
 * host says nothing about the disk.
 *
 * Context: any. Return: characters written, without the terminating zero.
 */
size_t dmsse_table_emit_ima(const struct dmsse_params *params, char *buf, size_t size)
{
	size_t i, n = 0;

	for (i = 0; i < params->nr_layers; i++) {
		const struct dmsse_layer_params *layer = &params->layer[i];
		const char *name = dmsse_layer_name(i);

		n += scnprintf(buf + n, size - n, ",%s_cipher=%s,%s_key_size=%u,%s_iv_offset=%llu",
			       name, layer->spec, name, layer->key.size, name,
			       (unsigned long long)layer->iv_offset);
	}
	n += scnprintf(buf + n, size - n, ",device=%s,start=%llu", params->device,
		       (unsigned long long)params->start);
	return n + dmsse_options_emit_ima(params, buf + n, size - n);
}
