// SPDX-License-Identifier: GPL-2.0-only
/*
 * ssesetup des list
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "des_show.h"
#include "json_file.h"
#include "ssesetup.h"

struct listed {
	struct des des;
	bool broken;
	size_t disks;
};

static const char *state_of(const struct listed *l)
{
	if (l->broken)
		return "broken";
	return l->des.enabled ? "enabled" : "disabled";
}

/* One that is broken is told of, and the others are listed all the same. */
static void load_listed(struct listed *l, const char *name, const struct known_disk *known,
			size_t nr_known)
{
	struct reason why = { 0 };

	l->broken = des_load(name, &l->des, &why);
	if (l->broken) {
		diag_warn("%s", why.text);
		memset(&l->des, 0, sizeof(l->des));
		snprintf(l->des.name, sizeof(l->des.name), "%s", name);
	}
	l->disks = registry_count(known, nr_known, l->des.name, l->broken ? NULL : l->des.id);
}

static int load_list(struct listed **list, size_t *nr, struct reason *why)
{
	struct known_disk *known;
	size_t nr_known, i;
	char **names;
	int rc;

	*list = NULL;
	rc = des_names(&names, nr, why);
	if (rc)
		return rc;
	rc = registry_list(NULL, &known, &nr_known, why);
	if (rc) {
		des_names_free(names, *nr);
		return rc;
	}
	*list = calloc(*nr, sizeof(**list));
	for (i = 0; *list && i < *nr; i++)
		load_listed(&(*list)[i], names[i], known, nr_known);
	free(known);
	des_names_free(names, *nr);
	return *list ? RC_OK : reason_nomem(why);
}

static void format_lease(const struct listed *l, char *text, size_t size)
{
	if (l->broken)
		snprintf(text, size, "-");
	else
		des_format_duration(l->des.lease, text, size);
}

static void print_table(const struct listed *list, size_t nr)
{
	int name = (int)strlen("NAME"), version = (int)strlen("ACTIVE VERSION");
	char lease[32];
	size_t i;

	for (i = 0; i < nr; i++) {
		if ((int)strlen(list[i].des.name) > name)
			name = (int)strlen(list[i].des.name);
		if ((int)strlen(list[i].des.active_version) > version)
			version = (int)strlen(list[i].des.active_version);
	}
	printf("%-*s  %-21s  %-8s  %-*s  %5s  %s\n", name, "NAME", "TYPE", "STATE", version,
	       "ACTIVE VERSION", "DISKS", "LEASE");
	for (i = 0; i < nr; i++) {
		format_lease(&list[i], lease, sizeof(lease));
		printf("%-*s  %-21s  %-8s  %-*s  %5zu  %s\n", name, list[i].des.name,
		       list[i].broken ? "-" : des_type_name(list[i].des.type),
		       state_of(&list[i]), version, des_show_text(list[i].des.active_version),
		       list[i].disks, lease);
	}
}

static struct json_object *listed_json(const struct listed *l)
{
	struct json_object *o = json_object_new_object();
	char lease[32];

	format_lease(l, lease, sizeof(lease));
	if (o && json_put_text(o, "name", l->des.name) &&
	    (l->broken || json_put_text(o, "type", des_type_name(l->des.type))) &&
	    json_put_text(o, "state", state_of(l)) &&
	    json_put_text(o, "active-version", l->des.active_version) &&
	    json_put_number(o, "disks", (int64_t)l->disks) &&
	    (l->broken || json_put_text(o, "lease", lease)))
		return o;
	json_object_put(o);
	return NULL;
}

static int print_list_json(const struct listed *list, size_t nr, struct reason *why)
{
	struct json_object *array = json_object_new_array();
	bool complete = array;
	size_t i;

	for (i = 0; i < nr && complete; i++)
		complete = des_show_append(array, listed_json(&list[i]), true);
	return json_print(array, complete, why);
}

int cmd_des_list(const struct options *o, int argc, char **argv)
{
	struct reason why = { 0 };
	struct listed *list;
	size_t nr;
	int rc;

	(void)argc;
	(void)argv;
	if (opt_given(o, OPT_TEST_ARGS))
		return RC_OK;
	rc = load_list(&list, &nr, &why);
	if (!rc && opt_given(o, OPT_JSON))
		rc = print_list_json(list, nr, &why);
	else if (!rc)
		print_table(list, nr);
	free(list);
	return rc ? reason_say(&why) : RC_OK;
}
