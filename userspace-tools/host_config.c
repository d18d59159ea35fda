// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <string.h>

#include "config_text.h"
#include "files.h"
#include "host_config.h"
#include "paths.h"

static int take_line(struct host_config *config, const struct config_line *line,
		     unsigned int *seen, struct reason *why)
{
	if (strcmp(line->key, "audit"))
		return reason_set(why, RC_PARAM, "line %u: unknown key '%s': audit is known.",
				  line->number, line->key);
	if (*seen)
		return reason_set(why, RC_PARAM, "line %u: audit is set in line %u already.",
				  line->number, *seen);
	*seen = line->number;
	config->audit_best_effort = !strcmp(line->value, "best-effort");
	if (config->audit_best_effort || !strcmp(line->value, "required"))
		return RC_OK;
	return reason_set(why, RC_PARAM, "line %u: audit takes required or best-effort, not '%.200s'.",
			  line->number, line->value);
}

static int parse(const char *text, size_t size, struct host_config *config, struct reason *why)
{
	struct config_line line;
	struct config_text t;
	unsigned int seen = 0;
	int rc = RC_OK;

	why->rc = RC_OK;
	config_text_start(&t, text, size);
	while (!rc && config_text_next(&t, &line, why))
		if (*line.key)
			rc = take_line(config, &line, &seen, why);
	return why->rc;
}

int host_config_load(struct host_config *config, struct reason *why)
{
	bool missing;
	size_t size;
	char *text;
	int rc;

	memset(config, 0, sizeof(*config));
	rc = files_read(PATH_HOST_CONF, FILES_ROOTS, CONFIG_TEXT_MAX, &text, &size, &missing, why);
	if (rc)
		return missing ? RC_OK : rc;
	rc = parse(text, size, config, why);
	free(text);
	return rc ? reason_prefix(why, "%s", PATH_HOST_CONF) : RC_OK;
}
