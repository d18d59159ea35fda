// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <string.h>

#include "config_text.h"
#include "utf8.h"

void config_text_start(struct config_text *t, const char *text, size_t size)
{
	t->next = text;
	t->end = text + size;
	t->number = 0;
}

bool config_text_printable(const char *text, size_t size)
{
	size_t n;

	while (size) {
		n = utf8_size(text, size);
		if (!n || ((unsigned char)*text < ' ' && *text != '\t') || *text == 0x7f)
			return false;
		text += n;
		size -= n;
	}
	return true;
}

static bool blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool fail(const struct config_line *line, struct reason *why, const char *what)
{
	reason_set(why, RC_PARAM, "line %u: %s", line->number, what);
	return false;
}

static bool check_bytes(const struct config_line *line, struct reason *why)
{
	if (line->number == 1 && line->size >= 3 && !memcmp(line->start, "\xef\xbb\xbf", 3))
		return fail(line, why, "it begins with a byte order mark: save it as UTF-8 without one.");
	if (line->size && line->start[line->size - 1] == '\r')
		return fail(line, why, "it ends with a carriage return: save it with Unix line ends.");
	if (!config_text_printable(line->start, line->size))
		return fail(line, why, "it has bytes that are not text in UTF-8.");
	return true;
}

/* The key is in [@start, @equals). */
static bool take_key(struct config_line *line, size_t start, size_t equals, struct reason *why)
{
	size_t end = equals;

	while (end > start && blank(line->start[end - 1]))
		end--;
	if (end == start)
		return fail(line, why, "there is no key in front of the '='.");
	if (end - start >= sizeof(line->key)) {
		reason_set(why, RC_PARAM, "line %u: unknown key '%.*s...'.", line->number, 32,
			   line->start + start);
		return false;
	}
	memcpy(line->key, line->start + start, end - start);
	line->key[end - start] = '\0';
	return true;
}

static bool take_value(struct config_line *line, size_t equals, struct reason *why)
{
	size_t start = equals + 1, end = line->size;

	while (start < end && blank(line->start[start]))
		start++;
	while (end > start && blank(line->start[end - 1]))
		end--;
	line->value_at = start;
	line->value_size = end - start;
	if (line->value_size >= sizeof(line->value)) {
		reason_set(why, RC_PARAM, "line %u: the value of %s is %zu bytes long: %zu fit.",
			   line->number, line->key, line->value_size, sizeof(line->value) - 1);
		return false;
	}
	memcpy(line->value, line->start + start, line->value_size);
	line->value[line->value_size] = '\0';
	return true;
}

static bool split(struct config_line *line, struct reason *why)
{
	const char *equals;
	size_t start = 0;

	while (start < line->size && blank(line->start[start]))
		start++;
	if (start == line->size || line->start[start] == '#')
		return true;
	if (line->start[start] == ';')
		return fail(line, why, "comments begin with '#'.");
	if (line->start[start] == '[')
		return fail(line, why, "there are no sections: 'key = value' and comments are what it takes.");
	equals = memchr(line->start, '=', line->size);
	if (!equals)
		return fail(line, why, "there is no '=': 'key = value' is what it takes.");
	return take_key(line, start, (size_t)(equals - line->start), why) &&
	       take_value(line, (size_t)(equals - line->start), why);
}

bool config_text_line(struct config_text *t, struct config_line *line, struct reason *why)
{
	const char *newline;

	memset(line, 0, sizeof(*line));
	if (t->next >= t->end)
		return false;
	newline = memchr(t->next, '\n', (size_t)(t->end - t->next));
	line->number = ++t->number;
	line->start = t->next;
	line->size = (size_t)((newline ? newline : t->end) - t->next);
	t->next = newline ? newline + 1 : t->end;
	return check_bytes(line, why);
}

bool config_text_next(struct config_text *t, struct config_line *line, struct reason *why)
{
	return config_text_line(t, line, why) && split(line, why);
}

static size_t smallest(size_t a, size_t b, size_t c)
{
	if (a > b)
		a = b;
	return a < c ? a : c;
}

/* How many letters have to be put in, taken out or changed; '_' is '-'. */
static size_t distance(const char *a, const char *b)
{
	size_t row[64], nr = strlen(b), above, left, i;

	if (nr >= sizeof(row) / sizeof(row[0]))
		return nr;
	for (i = 0; i <= nr; i++)
		row[i] = i;
	for (; *a; a++) {
		char c = *a == '_' ? '-' : (char)tolower((unsigned char)*a);

		above = row[0]++;
		for (i = 1; i <= nr; i++) {
			left = row[i];
			row[i] = smallest(row[i] + 1, row[i - 1] + 1, above + (c != b[i - 1]));
			above = left;
		}
	}
	return row[nr];
}

const char *config_text_near(const char *word, const char * const *known, size_t nr)
{
	const char *best = NULL;
	size_t least = 3, i, d;

	for (i = 0; i < nr; i++) {
		d = distance(word, known[i]);
		/* A short word is near to anything. */
		if (d < least && d < strlen(known[i]) - 1) {
			least = d;
			best = known[i];
		}
	}
	return best;
}
