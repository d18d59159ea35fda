// SPDX-License-Identifier: GPL-2.0-only
/*
 * The words of the target's INFO status.
 */
#include <stdlib.h>
#include <string.h>

#include "diag.h"
#include "info.h"

int info_parse(const char *params, struct sse_info *info)
{
	char *save = NULL, *word, *colon;

	memset(info, 0, sizeof(*info));
	info->text = strdup(params);
	if (!info->text)
		return diag_nomem();

	info->state = strtok_r(info->text, " ", &save);
	if (!info->state) {
		info_free(info);
		return diag_fail(RC_DEVICE, "The mapping gives no status.");
	}
	while ((word = strtok_r(NULL, " ", &save)) && info->nr < INFO_WORDS_MAX) {
		colon = strchr(word, ':');
		if (colon)
			*colon++ = '\0';
		info->word[info->nr].name = word;
		info->word[info->nr].value = colon ? colon : "";
		info->nr++;
	}
	return RC_OK;
}

const char *info_word(const struct sse_info *info, const char *name)
{
	unsigned int i;

	for (i = 0; i < info->nr; i++)
		if (!strcmp(info->word[i].name, name))
			return info->word[i].value;
	return NULL;
}

void info_free(struct sse_info *info)
{
	free(info->text);
	memset(info, 0, sizeof(*info));
}
