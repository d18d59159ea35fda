// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vecfile.h"

struct parser {
	FILE *file;
	const char *path;
	unsigned int line;
	char *buf;		/* one logical line */
	size_t size, len;
	struct oracle_err *err;
};

static int fail(struct parser *p, const char *what)
{
	snprintf(p->err->text, sizeof(p->err->text), "%s:%u: %s", p->path, p->line, what);
	return -1;
}

/* 1: a line; 0: the end; -1: an error. Continued lines are joined. */
static int next_line(struct parser *p)
{
	char *text = NULL;
	size_t size = 0;
	int more = 1;

	p->len = 0;
	while (more) {
		ssize_t n = getline(&text, &size, p->file);

		if (n < 0)
			break;
		p->line++;
		while (n && isspace((unsigned char)text[n - 1]))
			n--;
		more = n && text[n - 1] == '\\';
		if (more)
			n--;
		if (p->len + n + 1 > p->size) {
			char *bigger = realloc(p->buf, p->len + n + 1);

			if (!bigger) {
				free(text);
				return fail(p, "no memory");
			}
			p->buf = bigger;
			p->size = p->len + n + 1;
		}
		memcpy(p->buf + p->len, text, n);
		p->len += n;
		p->buf[p->len] = 0;
		if (!more) {
			free(text);
			return 1;
		}
	}
	free(text);
	return p->len ? fail(p, "the last line goes on") : 0;
}

static int hex(struct parser *p, const char *text, uint8_t *out, size_t max, size_t *len)
{
	static const char digits[] = "0123456789abcdef";
	unsigned int value = 0, nibbles = 0;

	for (*len = 0; *text; text++) {
		const char *d;

		if (isspace((unsigned char)*text))
			continue;
		d = strchr(digits, *text);
		if (!d)
			return fail(p, "bad digit");
		value = value << 4 | (unsigned int)(d - digits);
		if (++nibbles % 2)
			continue;
		if (*len == max)
			return fail(p, "too long");
		out[(*len)++] = (uint8_t)value;
	}
	return nibbles % 2 ? fail(p, "half a byte") : 0;
}

static int set_field(struct parser *p, struct vector *v, const char *field, const char *value)
{
	if (!strcmp(field, "name") || !strcmp(field, "cipher")) {
		char *to = *field == 'n' ? v->name : v->cipher;
		size_t max = *field == 'n' ? sizeof(v->name) : sizeof(v->cipher);

		if (strlen(value) >= max)
			return fail(p, "too long");
		memcpy(to, value, strlen(value) + 1);
		return 0;
	}
	if (!strcmp(field, "key"))
		return hex(p, value, v->key, sizeof(v->key), &v->keylen);
	if (!strcmp(field, "iv"))
		return hex(p, value, v->iv, sizeof(v->iv), &v->ivlen);
	if (!strcmp(field, "pt"))
		return hex(p, value, v->pt, sizeof(v->pt), &v->ptlen);
	if (!strcmp(field, "ct"))
		return hex(p, value, v->ct, sizeof(v->ct), &v->ctlen);
	return fail(p, "unknown field");
}

static int finish(struct parser *p, struct vector *v, vector_fn fn, void *data, int *count)
{
	if (!*v->name)
		return 0;
	if (!*v->cipher || !v->keylen || !v->ptlen || v->ptlen != v->ctlen)
		return fail(p, "the vector before this line is incomplete");
	if (fn)
		fn(v, data);
	++*count;
	memset(v, 0, sizeof(*v));
	return 0;
}

static int read_all(struct parser *p, struct vector *v, vector_fn fn, void *data)
{
	char *value, *end;
	int ret, count = 0;

	rewind(p->file);
	p->line = 0;
	memset(v, 0, sizeof(*v));
	while ((ret = next_line(p)) > 0) {
		if (!p->len || *p->buf == '#')
			continue;
		value = strchr(p->buf, '=');
		if (!value)
			return fail(p, "no '='");
		for (end = value; end > p->buf && isspace((unsigned char)end[-1]); end--)
			;
		*end = 0;
		value += strspn(value + 1, " \t") + 1;
		if (!strcmp(p->buf, "name") && finish(p, v, fn, data, &count))
			return -1;
		if (set_field(p, v, p->buf, value))
			return -1;
	}
	if (ret || finish(p, v, fn, data, &count))
		return -1;
	return count ? count : fail(p, "no vectors");
}

bool vector_weak(const struct vector *v)
{
	return strstr(v->cipher, "xts") && !memcmp(v->key, v->key + v->keylen / 2, v->keylen / 2);
}

int vecfile_each(const char *path, vector_fn fn, void *data, struct oracle_err *err)
{
	struct parser p = { .path = path, .err = err };
	struct vector *v = malloc(sizeof(*v));
	int ret = -1;

	p.file = fopen(path, "r");
	if (!v || !p.file) {
		snprintf(err->text, sizeof(err->text), "%s: %s", path, strerror(errno));
	} else {
		ret = read_all(&p, v, NULL, NULL);
		if (ret > 0)
			ret = read_all(&p, v, fn, data);
	}
	if (p.file)
		fclose(p.file);
	free(p.buf);
	free(v);
	return ret;
}
