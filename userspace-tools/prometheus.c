// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <string.h>

#include "prometheus.h"
#include "utf8.h"

/* @quoted: in a label, where a quote would end it. */
static void put_escaped(FILE *out, const char *text, int quoted)
{
	size_t left = strlen(text), n;

	for (; left; text += n, left -= n) {
		n = utf8_size(text, left);
		if (!n) {
			fputs("\xef\xbf\xbd", out);
			n = 1;
		} else if (*text == '\n') {
			fputs("\\n", out);
		} else if (*text == '\\' || (quoted && *text == '"')) {
			fprintf(out, "\\%c", *text);
		} else {
			fwrite(text, 1, n, out);
		}
	}
}

void prom_family(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# HELP %s ", name);
	put_escaped(out, help, 0);
	fprintf(out, "\n# TYPE %s %s\n", name, type);
}

void prom_sample(FILE *out, const char *name, const struct prom_label *labels, uint64_t value)
{
	const char *separator = "{";

	fputs(name, out);
	for (; labels->name; labels++) {
		fprintf(out, "%s%s=\"", separator, labels->name);
		put_escaped(out, labels->value, 1);
		fputc('"', out);
		separator = ",";
	}
	fprintf(out, "%s %" PRIu64 "\n", *separator == ',' ? "}" : "", value);
}
