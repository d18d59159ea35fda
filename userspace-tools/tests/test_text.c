// SPDX-License-Identifier: GPL-2.0-only
/*
 * What others have written, headers among them, is told without orders to a terminal.
 * KTAP.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reason.h"
#include "utf8.h"

static unsigned int nr, failed;

static void is(const char *got, const char *want, const char *what)
{
	bool ok = !strcmp(got, want);

	printf("%sok %u - %s\n", ok ? "" : "not ", ++nr, what);
	failed += !ok;
}

static const struct {
	const char *text;
	const char *harmless;
	const char *what;
} texts[] = {
	{ "", "", "nothing" },
	{ "two\nlines\tand a tab", "two\nlines\tand a tab", "lines and tabs stay" },
	{ "Gr\xc3\xb6\xc3\x9f\x65 \xe2\x82\xac \xf0\x9f\x94\x91", "Gr\xc3\xb6\xc3\x9f\x65 \xe2\x82\xac \xf0\x9f\x94\x91",
	  "letters of all lengths stay" },
	{ "a\x1b[2Jb\x07\r\x7f", "a?[2Jb???", "no escapes" },
	{ "a\xc2\x9b" "2Jb", "a??2Jb", "no control characters of two bytes" },
	{ "\xc2\xa0", "\xc2\xa0", "a blank that looks like one" },
	{ "a\x9b" "2J", "a?2J", "nor of one byte" },
	{ "\xe2\x82", "??", "half a letter" },
	{ "\xed\xa0\x80", "???", "no surrogates" },
};

/* As it comes to standard error. */
static void test_said(void)
{
	char text[100] = "", *at;
	FILE *f = freopen("said", "w+", stderr);

	if (!f)
		exit(1);
	diag_error("%s", "a\x1b[2J");
	diag_warn("\xff");
	rewind(f);
	at = text + fread(text, 1, sizeof(text) - 1, f);
	*at = '\0';
	is(text, "a?[2J\nWARNING: ?\n", "messages");
	remove("said");
}

int main(void)
{
	struct reason why;
	char text[100];
	size_t i;

	printf("TAP version 13\n");
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		snprintf(text, sizeof(text), "%s", texts[i].text);
		utf8_defuse(text);
		is(text, texts[i].harmless, texts[i].what);
	}
	reason_set(&why, RC_PARAM, "'%s'", "\x1b" "c");
	is(why.text, "'?c'", "a reason");
	reason_prefix(&why, "%s", "x\x1b");
	is(why.text, "x?: '?c'", "what is put in front of it");
	test_said();
	printf("1..%u\n", nr);
	return failed != 0;
}
