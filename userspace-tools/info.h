/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef INFO_H
#define INFO_H

/*
 * The target's INFO status: a state, and words of "name[:value]" behind it. Pure
 * text.
 */
#define INFO_WORDS_MAX	64

struct sse_info {
	char *text;
	const char *state;
	unsigned int nr;
	struct {
		const char *name;
		const char *value;	/* "" for a bare word */
	} word[INFO_WORDS_MAX];
};

/* Returns an enum exit_code, and says what is wrong; to be freed by info_free(). */
int info_parse(const char *params, struct sse_info *info);
/* NULL if there is no such word. */
const char *info_word(const struct sse_info *info, const char *name);
void info_free(struct sse_info *info);

#endif
