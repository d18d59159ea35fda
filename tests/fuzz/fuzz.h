/* SPDX-License-Identifier: GPL-2.0-only */
/* What the targets that are about ssesetup share. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reason.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends the run; libFuzzer keeps the input. */
static inline void judge(bool ok, const char *what, const char *about)
{
	if (ok)
		return;
	/* Through the descriptor: stderr may be one of the target's. */
	dprintf(2, "%s: '%s'\n", what, about);
	abort();
}

/* Of exactly this size and its NUL: one byte too far is found. */
static inline char *text_of(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	if (!text)
		exit(1);
	memcpy(text, data, size);
	text[size] = '\0';
	return text;
}

/* Nothing that a terminal would do something with: no C0, no C1. */
static inline bool harmless(const char *text)
{
	const unsigned char *c;

	for (c = (const unsigned char *)text; *c; c++)
		if ((*c < ' ' && *c != '\n' && *c != '\t') || *c == 0x7f ||
		    (*c == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0))
			return false;
	return true;
}

/* A refusal has an exit code, says something, and can be printed. */
static inline void judge_reason(int rc, const struct reason *why)
{
	judge(rc > RC_OK && rc <= RC_FOUND, "no exit code", "");
	judge(why->rc == rc, "another exit code", why->text);
	judge(memchr(why->text, '\0', sizeof(why->text)), "no end", "");
	judge(*why->text && why->text[strlen(why->text) - 1] != '\n', "no line", why->text);
	judge(harmless(why->text), "control characters", why->text);
}

#endif
