// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table of a host's disks: its lines as entries.
 */
#include <stdlib.h>
#include <string.h>

#include "config_text.h"
#include "files.h"
#include "paths.h"
#include "ssetab_internal.h"

static struct ssetab_entry *add_entry(struct ssetab *tab, const struct config_line *line)
{
	struct ssetab_entry *grown, *e;

	grown = realloc(tab->entries, (tab->nr + 1) * sizeof(*grown));
	if (!grown)
		return NULL;
	tab->entries = grown;
	e = &grown[tab->nr];
	memset(e, 0, sizeof(*e));
	e->line = line->number;
	e->text = strndup(line->start, line->size);
	if (!e->text)
		return NULL;
	tab->nr++;
	return e;
}

/* The second one goes: what the first one opens is what the host has relied on. */
static void refuse_twice(struct ssetab *tab, struct ssetab_entry *e)
{
	const struct ssetab_entry *first;

	if (!e->name)
		return;
	for (first = tab->entries; first < e; first++) {
		if (!first->name || strcmp(first->name, e->name))
			continue;
		ssetab_broken(e, "%s is in line %u already.", e->name, first->line);
		e->name = NULL;
		return;
	}
}

static bool is_comment(const struct config_line *line)
{
	size_t i = 0;

	while (i < line->size && strchr(BLANKS, line->start[i]))
		i++;
	return i == line->size || line->start[i] == '#';
}

int ssetab_parse(const char *text, size_t size, struct ssetab *tab, struct reason *why)
{
	struct config_text t;
	struct config_line line;
	struct reason bad;
	struct ssetab_entry *e;
	bool ok;

	memset(tab, 0, sizeof(*tab));
	config_text_start(&t, text, size);
	while (t.next < t.end) {
		ok = config_text_line(&t, &line, &bad);
		if (ok && is_comment(&line))
			continue;
		e = add_entry(tab, &line);
		if (!e) {
			ssetab_free(tab);
			return reason_nomem(why);
		}
		if (ok)
			ssetab_take_fields(e, e->text);
		else
			e->why = bad;
		refuse_twice(tab, e);
	}
	return RC_OK;
}

int ssetab_load(struct ssetab *tab, struct reason *why)
{
	bool missing;
	size_t size;
	char *text;
	int rc;

	memset(tab, 0, sizeof(*tab));
	rc = files_read(PATH_SSETAB, FILES_ROOTS, SSETAB_MAX, &text, &size, &missing, why);
	if (missing)
		return RC_OK;
	if (!rc)
		rc = ssetab_parse(text, size, tab, why);
	free(text);
	return rc;
}

void ssetab_free(struct ssetab *tab)
{
	size_t i;

	for (i = 0; i < tab->nr; i++)
		free(tab->entries[i].text);
	free(tab->entries);
	memset(tab, 0, sizeof(*tab));
}

const struct ssetab_entry *ssetab_find(const struct ssetab *tab, const char *name)
{
	size_t i;

	for (i = 0; i < tab->nr; i++)
		if (tab->entries[i].name && !strcmp(tab->entries[i].name, name))
			return &tab->entries[i];
	return NULL;
}
