// SPDX-License-Identifier: GPL-2.0-only
/*
 * What all who read words of a table line or a message have in common: numbers,
 * the names of layers, and how a refusal is said.
 */
#include <linux/ctype.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "table.h"

/* Names of the layers, innermost first; the outer one's is its option's too. */
static const char * const layer_names[DMSSE_MAX_LAYERS] = { "inner", "outer" };

/**
 * dmsse_err - say why something is refused
 * @err: where to say it; a longer text is cut, and control characters, which
 *	words of a table line may have behind a backslash, become question marks
 * @fmt: printf format of one line without its newline
 *
 * Context: any.
 */
void dmsse_err(struct dmsse_error *err, const char *fmt, ...)
{
	va_list args;
	char *c;

	va_start(args, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, args);
	va_end(args);
	for (c = err->text; *c; c++)
		if (iscntrl(*c))
			*c = '?';
}

/**
 * dmsse_layer_name - name of a layer as messages and status use it
 * @index: position of the layer, the innermost being 0
 *
 * Return: a string that lives as long as the module.
 */
const char *dmsse_layer_name(unsigned int index)
{
	return layer_names[index];
}

/**
 * dmsse_err_layer - say which layer an error is about
 * @err: the error; "<name> layer: " is put in front of its text
 * @nr_layers: layers there are; with one, nothing needs saying
 * @index: position of the layer
 *
 * Context: any.
 */
void dmsse_err_layer(struct dmsse_error *err, unsigned int nr_layers, unsigned int index)
{
	size_t room = sizeof(err->text), len;
	char head[16];

	if (nr_layers < 2)
		return;
	len = scnprintf(head, sizeof(head), "%s layer: ", dmsse_layer_name(index));
	memmove(err->text + len, err->text, room - len);
	memcpy(err->text, head, len);
	err->text[room - 1] = '\0';
}

/**
 * dmsse_parse_u64 - read a decimal number
 * @text: its digits, which need not end with a zero
 * @len: how many characters of @text, all of which must be digits
 * @value: result; not changed if there is none
 *
 * kstrtoull() would take a sign and a newline; a table line has neither.
 *
 * Context: any. Return: whether it is a number that fits.
 */
bool dmsse_parse_u64(const char *text, size_t len, u64 *value)
{
	u64 v = 0;
	size_t i;

	for (i = 0; i < len; i++) {
		unsigned int digit = text[i] - '0';

		if (digit > 9 || v > (U64_MAX - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	*value = v;
	return len > 0;
}
