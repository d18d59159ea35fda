// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <string.h>

#include "unit_name.h"

#define DIGITS	"0123456789"
#define LETTERS	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
/* What may be in a name as it is; '\' begins what may not. */
#define PLAIN	DIGITS LETTERS ":_."
#define VALID	PLAIN "-\\@"

struct name {
	char *text;
	size_t len;
	bool full;
};

static void append(struct name *n, const char *text)
{
	size_t len = strlen(text);

	if (n->full || n->len + len >= UNIT_NAME_SIZE) {
		n->full = true;
		return;
	}
	memcpy(n->text + n->len, text, len + 1);
	n->len += len;
}

/* A '.' at the beginning would make a hidden file of the unit. */
static void append_escaped(struct name *n, const char *text)
{
	char piece[8];
	bool first = true;

	for (; *text; text++, first = false) {
		unsigned char c = (unsigned char)*text;

		if (c == '/')
			snprintf(piece, sizeof(piece), "-");
		else if (strchr(PLAIN, c) && !(first && c == '.'))
			snprintf(piece, sizeof(piece), "%c", c);
		else
			snprintf(piece, sizeof(piece), "\\x%02x", c);
		append(n, piece);
	}
}

bool unit_name_escape(const char *prefix, const char *text, const char *suffix,
		      char name[UNIT_NAME_SIZE])
{
	struct name n = { .text = name };

	name[0] = '\0';
	append(&n, prefix);
	append_escaped(&n, text);
	append(&n, suffix);
	return !n.full;
}

/* "/a//b/./c/" becomes "a/b/c". */
static bool simplify(const char *path, char *out, size_t size)
{
	size_t len = 0, part;

	for (; *path; path += part) {
		path += strspn(path, "/");
		part = strcspn(path, "/");
		if (!part || (part == 1 && *path == '.'))
			continue;
		if (len + part + 2 > size)
			return false;
		if (len)
			out[len++] = '/';
		memcpy(out + len, path, part);
		len += part;
	}
	out[len] = '\0';
	return true;
}

bool unit_name_of_path(const char *path, const char *suffix, char name[UNIT_NAME_SIZE])
{
	/* Escaping makes nothing shorter. */
	char simple[UNIT_NAME_SIZE];
	struct name n = { .text = name };

	name[0] = '\0';
	if (!simplify(path, simple, sizeof(simple)))
		return false;
	if (*simple)
		append_escaped(&n, simple);
	else
		append(&n, "-");
	append(&n, suffix);
	return !n.full;
}

bool unit_name_valid(const char *name)
{
	static const char * const types[] = {
		"service", "socket", "device", "mount", "automount", "swap", "target", "path",
		"timer", "slice", "scope",
	};
	const char *dot = strrchr(name, '.');
	size_t i;

	if (!dot || dot == name || *name == '@' || strlen(name) >= UNIT_NAME_SIZE ||
	    name[strspn(name, VALID)])
		return false;
	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (!strcmp(dot + 1, types[i]))
			/* A template is no unit. */
			return dot[-1] != '@';
	return false;
}
