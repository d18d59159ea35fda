// SPDX-License-Identifier: GPL-2.0-only
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_text.h"
#include "des.h"
#include "devnames.h"
#include "files.h"
#include "paths.h"
#include "policy.h"

#define SET_PREFIX	"des:"

static const char * const keys[] = {
	"default-des", "require-encryption", "require-double", "exempt",
};

static void free_list(struct policy_list *list)
{
	size_t i;

	for (i = 0; i < list->nr; i++)
		free(list->pattern[i].glob);
	free(list->pattern);
	memset(list, 0, sizeof(*list));
}

void policy_free(struct policy *p)
{
	free_list(&p->require_double);
	free_list(&p->exempt);
}

/* What fnmatch() would take for a letter: a bracket that nobody closes. */
static bool glob_ok(const char *glob)
{
	for (; *glob; glob++) {
		if (*glob == '\\' && !*++glob)
			return false;
		if (*glob != '[')
			continue;
		/* A "]" that comes first is one of the class. */
		glob += glob[1] == '!' || glob[1] == '^' ? 2 : 1;
		glob = *glob ? strchr(glob + 1, ']') : NULL;
		if (!glob)
			return false;
	}
	return true;
}

static int add_pattern(struct policy_list *list, const char *word, unsigned int line,
		       struct reason *why)
{
	size_t prefix = strlen(SET_PREFIX);
	bool set = !strncmp(word, SET_PREFIX, prefix);
	const char *glob = set ? word + prefix : word;
	struct policy_pattern *more;

	if (!*glob || (!set && *glob != '/'))
		return reason_set(why, RC_PARAM,
			"line %u: '%.200s' is neither a path, such as /dev/vg/bank-*, nor a set, such as des:bank.",
			line, word);
	if (!glob_ok(glob))
		return reason_set(why, RC_PARAM, "line %u: the pattern '%.200s' isn't complete.", line,
				  word);
	more = reallocarray(list->pattern, list->nr + 1, sizeof(*more));
	if (!more)
		return reason_nomem(why);
	list->pattern = more;
	more[list->nr].glob = strdup(glob);
	if (!more[list->nr].glob)
		return reason_nomem(why);
	more[list->nr].line = line;
	more[list->nr].set = set;
	list->nr++;
	return RC_OK;
}

/* Words between blanks. */
static int add_patterns(struct policy_list *list, const struct config_line *line,
			struct reason *why)
{
	char value[CONFIG_VALUE_MAX], *word, *rest = value;
	int rc = RC_OK;

	memcpy(value, line->value, sizeof(value));
	if (!*value)
		return reason_set(why, RC_PARAM, "line %u: %s takes patterns of paths and sets.",
				  line->number, line->key);
	while (!rc && (word = strsep(&rest, " \t")))
		if (*word)
			rc = add_pattern(list, word, line->number, why);
	return rc;
}

static int take_once(const struct config_line *line, unsigned int *seen, struct reason *why)
{
	if (*seen)
		return reason_set(why, RC_PARAM, "line %u: %s is set in line %u already.",
				  line->number, line->key, *seen);
	*seen = line->number;
	return RC_OK;
}

static int take_default(struct policy *p, const struct config_line *line, struct reason *why)
{
	int rc = take_once(line, &p->default_des_line, why);

	if (rc)
		return rc;
	if (!des_name_ok(line->value))
		return reason_set(why, RC_PARAM,
			"line %u: '%.200s' can't be the name of a disk encryption set.",
			line->number, line->value);
	memcpy(p->default_des, line->value, strlen(line->value) + 1);
	return RC_OK;
}

static int take_encryption(struct policy *p, const struct config_line *line, struct reason *why)
{
	int rc = take_once(line, &p->require_encryption_line, why);

	if (rc)
		return rc;
	p->require_encryption = !strcmp(line->value, "yes");
	if (p->require_encryption || !strcmp(line->value, "no"))
		return RC_OK;
	return reason_set(why, RC_PARAM, "line %u: %s takes yes or no, not '%.200s'.",
			  line->number, line->key, line->value);
}

static int take_line(struct policy *p, const struct config_line *line, struct reason *why)
{
	const char *near;

	if (!strcmp(line->key, "default-des"))
		return take_default(p, line, why);
	if (!strcmp(line->key, "require-encryption"))
		return take_encryption(p, line, why);
	if (!strcmp(line->key, "require-double"))
		return add_patterns(&p->require_double, line, why);
	if (!strcmp(line->key, "exempt"))
		return add_patterns(&p->exempt, line, why);
	near = config_text_near(line->key, keys, sizeof(keys) / sizeof(keys[0]));
	if (near)
		return reason_set(why, RC_PARAM, "line %u: unknown key '%s': is it %s?", line->number,
				  line->key, near);
	return reason_set(why, RC_PARAM,
		"line %u: unknown key '%s': default-des, require-encryption, require-double and exempt are known.",
		line->number, line->key);
}

int policy_parse(const char *text, size_t size, struct policy *p, struct reason *why)
{
	struct config_line line;
	struct config_text t;
	int rc = RC_OK;

	memset(p, 0, sizeof(*p));
	p->there = true;
	why->rc = RC_OK;
	config_text_start(&t, text, size);
	while (!rc && config_text_next(&t, &line, why))
		if (*line.key)
			rc = take_line(p, &line, why);
	return why->rc;
}

int policy_load(struct policy *p, struct reason *why)
{
	bool missing;
	size_t size;
	char *text;
	int rc;

	memset(p, 0, sizeof(*p));
	rc = files_read(PATH_POLICY, FILES_ROOTS, CONFIG_TEXT_MAX, &text, &size, &missing, why);
	if (rc)
		return missing ? RC_OK : rc;
	rc = policy_parse(text, size, p, why);
	free(text);
	if (!rc)
		return RC_OK;
	policy_free(p);
	return reason_prefix(why, "%s", PATH_POLICY);
}

static const struct policy_pattern *match(const struct policy_list *list, bool set,
					  const char *name)
{
	size_t i;

	for (i = 0; i < list->nr; i++)
		if (list->pattern[i].set == set &&
		    !fnmatch(list->pattern[i].glob, name, FNM_PATHNAME))
			return &list->pattern[i];
	return NULL;
}

const struct policy_pattern *policy_match_set(const struct policy_list *list, const char *set)
{
	return match(list, true, set);
}

const struct policy_pattern *policy_match_path(const struct policy_list *list, const char *path)
{
	return match(list, false, path);
}

static const struct policy_pattern *match_device(const struct policy_list *list,
						 const char *device)
{
	const struct policy_pattern *found = NULL;
	struct devnames names;
	size_t i;

	devnames_of(&names, device);
	for (i = 0; i < names.nr && !found; i++)
		found = policy_match_path(list, names.name[i].path);
	devnames_free(&names);
	return found;
}

int policy_check_layers(const char *device, const char *set, unsigned int nr_layers,
			struct reason *why)
{
	const struct policy_pattern *found;
	struct policy p;
	int rc;

	rc = policy_load(&p, why);
	if (rc)
		return rc;
	found = *set ? policy_match_set(&p.require_double, set) : NULL;
	if (!found)
		found = match_device(&p.require_double, device);
	if (found && nr_layers < 2)
		rc = reason_set(why, RC_PARAM,
			"%s, line %u: '%s%.100s' demands two layers of %.150s:\n"
			"it takes --double, or a set of type platform-and-customer; 'ssesetup copy' gives them to\n"
			"a disk that is there.",
			PATH_POLICY, found->line, found->set ? SET_PREFIX : "", found->glob, device);
	policy_free(&p);
	return rc;
}

int policy_check_clear(const char *device, struct reason *why)
{
	struct policy p;
	int rc;

	rc = policy_load(&p, why);
	if (rc)
		return rc;
	if (p.require_encryption && !match_device(&p.exempt, device))
		rc = reason_set(why, RC_PARAM,
			"%s, line %u: 'require-encryption' is for %.150s, too: it takes an 'exempt' line to have it in clear.",
			PATH_POLICY, p.require_encryption_line, device);
	policy_free(&p);
	return rc;
}

int policy_default_des(const char *given, char set[DES_NAME_MAX], struct reason *why)
{
	struct policy p;
	struct des des;
	int rc;

	snprintf(set, DES_NAME_MAX, "%s", given ? given : DES_DEFAULT);
	if (given)
		return RC_OK;
	rc = policy_load(&p, why);
	if (!rc && *p.default_des) {
		memcpy(set, p.default_des, sizeof(p.default_des));
		rc = des_load(set, &des, why);
		if (rc)
			reason_prefix(why, "%s, line %u", PATH_POLICY, p.default_des_line);
	}
	policy_free(&p);
	return rc;
}
