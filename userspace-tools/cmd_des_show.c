// SPDX-License-Identifier: GPL-2.0-only
/*
 * ssesetup des list, show, where-used
 */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "des_usage.h"
#include "files.h"
#include "json_file.h"
#include "ssesetup.h"

static const char *yes_no(bool value)
{
	return value ? "yes" : "no";
}

static const char *or_dash(const char *text)
{
	return *text ? text : "-";
}

static bool put_object(struct json_object *to, const char *name, struct json_object *object)
{
	if (object && !json_object_object_add(to, name, object))
		return true;
	json_object_put(object);
	return false;
}

static bool append_object(struct json_object *array, struct json_object *object, bool complete)
{
	if (object && complete && !json_object_array_add(array, object))
		return true;
	json_object_put(object);
	return false;
}

static bool put_bool(struct json_object *object, const char *name, bool value)
{
	return put_object(object, name, json_object_new_boolean(value));
}

/* list */

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

static size_t count_disks(const struct listed *l, const struct known_disk *known, size_t nr)
{
	size_t count = 0, i;

	for (i = 0; i < nr; i++)
		if (!strcmp(known[i].des, l->des.name) &&
		    (l->broken || !*known[i].des_id || !strcmp(known[i].des_id, l->des.id)))
			count++;
	return count;
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
	l->disks = count_disks(l, known, nr_known);
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
		       state_of(&list[i]), version, or_dash(list[i].des.active_version),
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
		complete = append_object(array, listed_json(&list[i]), true);
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

/* show */

struct previous {
	const struct des_use_key *key;
	size_t disks;
};

struct shown {
	struct des des;
	struct des_use *use;
	size_t nr;
	struct des_use_key active;
	bool has_active;
	struct previous *previous;	/* keys that some disk still needs */
	size_t nr_previous;
	size_t unreadable;		/* disks whose keys can't be told */
};

static bool same_key(const struct des_use_key *a, const struct des_use_key *b)
{
	return !strcmp(a->version, b->version) && !strcmp(a->fingerprint, b->fingerprint);
}

static bool is_previous(const struct shown *s, const struct des_use_key *key)
{
	return des_usage_counts(&s->des, key) && !same_key(key, &s->active);
}

/* Has this disk been counted for the same key already? It has two layers, or a rotation runs. */
static bool seen_before(const struct des_use *use, size_t index)
{
	size_t i;

	for (i = 0; i < index; i++)
		if (same_key(&use->keys[i], &use->keys[index]))
			return true;
	return false;
}

static void count_previous(struct shown *s, const struct des_use_key *key)
{
	size_t i;

	for (i = 0; i < s->nr_previous; i++)
		if (same_key(s->previous[i].key, key))
			break;
	if (i == s->nr_previous)
		s->previous[s->nr_previous++].key = key;
	s->previous[i].disks++;
}

static int find_previous(struct shown *s, struct reason *why)
{
	size_t total = 1, i, j;

	for (i = 0; i < s->nr; i++) {
		total += s->use[i].nr_keys;
		s->unreadable += *s->use[i].problem != '\0';
	}
	s->previous = calloc(total, sizeof(*s->previous));
	if (!s->previous)
		return reason_nomem(why);
	for (i = 0; i < s->nr; i++)
		for (j = 0; j < s->use[i].nr_keys; j++)
			if (is_previous(s, &s->use[i].keys[j]) && !seen_before(&s->use[i], j))
				count_previous(s, &s->use[i].keys[j]);
	return RC_OK;
}

static int load_shown(struct shown *s, const char *name, struct reason *why)
{
	int rc;

	memset(s, 0, sizeof(*s));
	rc = des_load(name, &s->des, why);
	if (!rc)
		rc = des_usage_read(&s->des, &s->use, &s->nr, why);
	if (rc)
		return rc;
	s->has_active = des_usage_active(&s->des, s->use, s->nr, &s->active);
	return find_previous(s, why);
}

static void free_shown(struct shown *s)
{
	free(s->previous);
	des_usage_free(s->use, s->nr);
}

static void print_key(const char *what, const struct des_use_key *key)
{
	printf("  %-18s %s\n", what, key->uri);
	printf("  %-18s version %s, %s\n", "", or_dash(key->version), or_dash(key->fingerprint));
}

static void print_keys(const struct shown *s)
{
	size_t i;

	if (s->has_active)
		print_key("active key:", &s->active);
	else
		printf("  %-18s %s, not used yet\n", "active key:", s->active.uri);
	for (i = 0; i < s->nr_previous; i++) {
		print_key(i ? "" : "previous keys:", s->previous[i].key);
		printf("  %-18s needed by %zu of %zu disks\n", "", s->previous[i].disks, s->nr);
	}
	if (!s->nr_previous)
		printf("  %-18s none\n", "previous keys:");
	if (s->unreadable)
		printf("  %-18s not known of %zu of %zu disks; 'ssesetup des where-used %s' says why\n",
		       "", s->unreadable, s->nr, s->des.name);
}

static void print_rotation(const struct des *des)
{
	char when[FILES_TIME_SIZE];
	const char *line;

	files_format_time(des->last_rotation, when, sizeof(when));
	printf("  %-18s %s\n", "last rotation:", *when ? when : "never");
	files_format_time(des->last_error_time, when, sizeof(when));
	printf("  %-18s %s%s", "last error:", when, *when ? " " : "");
	for (line = or_dash(des->last_error); *line; line++)
		putchar(*line == '\n' ? ' ' : *line);
	printf("\n  %-18s %s\n", "rotate to latest:", yes_no(des->auto_rotate));
}

static void print_shown(const struct shown *s)
{
	const struct des *des = &s->des;
	char when[FILES_TIME_SIZE], lease[32], timeout[32];

	des_format_duration(des->lease, lease, sizeof(lease));
	des_format_duration(des->timeout, timeout, sizeof(timeout));
	files_format_time(des->last_renewal, when, sizeof(when));
	printf("%s\n", des->name);
	printf("  %-18s %s\n", "id:", des->id);
	printf("  %-18s %s\n", "type:", des_type_name(des->type));
	printf("  %-18s %s\n", "state:", des->enabled ? "enabled" : "disabled");
	printf("  %-18s %s\n", "owner:", or_dash(des->owner));
	print_keys(s);
	printf("  %-18s %s\n", "identity:", or_dash(des->identity));
	printf("  %-18s %s\n", "wrapping:", *des->wrapping ? des->wrapping :
	       des->type == DES_PLATFORM ? kek_wrapping_name(KEK_AES_256_KW) :
	       "the best that works");
	printf("  %-18s %s\n", "key timeout:", timeout);
	print_rotation(des);
	printf("  %-18s %s\n", "lease:", lease);
	printf("  %-18s %s\n", "on lapse:", des->queue_on_lapse ? "queue" : "error");
	printf("  %-18s %s\n", "last renewal:", *when ? when : "never");
	printf("  %-18s %zu\n", "disks:", s->nr);
}

static struct json_object *key_json(const struct des_use_key *key)
{
	struct json_object *o = json_object_new_object();

	if (o && json_put_text(o, "uri", key->uri) && json_put_text(o, "version", key->version) &&
	    json_put_text(o, "fingerprint", key->fingerprint))
		return o;
	json_object_put(o);
	return NULL;
}

static struct json_object *previous_json(const struct shown *s)
{
	struct json_object *array = json_object_new_array(), *o;
	bool complete = array;
	size_t i;

	for (i = 0; i < s->nr_previous && complete; i++) {
		o = key_json(s->previous[i].key);
		complete = append_object(array, o, o && json_put_number(o, "disks",
							(int64_t)s->previous[i].disks));
	}
	if (complete)
		return array;
	json_object_put(array);
	return NULL;
}

static bool put_config(struct json_object *o, const struct des *des)
{
	char lease[32];

	des_format_duration(des->lease, lease, sizeof(lease));
	return json_put_text(o, "name", des->name) && json_put_text(o, "id", des->id) &&
	       json_put_text(o, "type", des_type_name(des->type)) &&
	       put_bool(o, "enabled", des->enabled) && json_put_text(o, "owner", des->owner) &&
	       json_put_text(o, "identity", des->identity) &&
	       json_put_text(o, "wrapping", des->wrapping) &&
	       put_bool(o, "auto-rotate", des->auto_rotate) &&
	       json_put_text(o, "lease", lease) &&
	       json_put_number(o, "lease-seconds", des->lease) &&
	       json_put_text(o, "on-lapse", des->queue_on_lapse ? "queue" : "error") &&
	       json_put_number(o, "key-timeout-seconds", des->timeout);
}

static bool put_state(struct json_object *o, const struct shown *s)
{
	const struct des *des = &s->des;

	return (!s->has_active || put_object(o, "active-key", key_json(&s->active))) &&
	       put_object(o, "previous-keys", previous_json(s)) &&
	       json_put_time(o, "last-rotation", des->last_rotation) &&
	       json_put_text(o, "last-error", des->last_error) &&
	       json_put_time(o, "last-error-time", des->last_error_time) &&
	       json_put_time(o, "last-renewal", des->last_renewal) &&
	       json_put_number(o, "disks", (int64_t)s->nr) &&
	       json_put_number(o, "disks-unreadable", (int64_t)s->unreadable);
}

int cmd_des_show(const struct options *o, int argc, char **argv)
{
	struct reason why = { 0 };
	struct json_object *object;
	struct shown s;
	int rc;

	(void)argc;
	if (opt_given(o, OPT_TEST_ARGS))
		return RC_OK;
	rc = load_shown(&s, argv[0], &why);
	if (!rc && opt_given(o, OPT_JSON)) {
		object = json_object_new_object();
		rc = json_print(object, object && put_config(object, &s.des) && put_state(object, &s),
				&why);
	} else if (!rc) {
		print_shown(&s);
	}
	free_shown(&s);
	return rc ? reason_say(&why) : RC_OK;
}

/* where-used */

static void print_use(const struct des_use *use)
{
	size_t i;

	printf("%s%s%s\n", use->known.device, use->known.clone ? "  (clone)" : "",
	       use->missing ? "  (missing)" : "");
	if (*use->known.header)
		printf("  %-10s %s\n", "header:", use->known.header);
	printf("  %-10s %s\n", "uuid:", or_dash(use->known.uuid));
	for (i = 0; i < use->nr_names; i++)
		printf("  %-10s %s\n", i ? "" : "open as:", use->names[i]);
	for (i = 0; i < use->nr_keys; i++)
		printf("  %-10s version %s of %s%s%s\n", i ? "" : "key:", use->keys[i].version,
		       use->keys[i].uri, use->keys[i].layer == TOKEN_SINGLE ? "" : ", layer ",
		       use->keys[i].layer == TOKEN_SINGLE ? "" :
		       token_layer_name(use->keys[i].layer));
	if (*use->problem && !use->missing)
		printf("  %-10s %s\n", "problem:", use->problem);
}

static struct json_object *keys_json(const struct des_use *use)
{
	struct json_object *array = json_object_new_array(), *o;
	bool complete = array;
	size_t i;

	for (i = 0; i < use->nr_keys && complete; i++) {
		o = key_json(&use->keys[i]);
		complete = append_object(array, o, o && json_put_text(o, "layer",
						token_layer_name(use->keys[i].layer)));
	}
	if (complete)
		return array;
	json_object_put(array);
	return NULL;
}

static struct json_object *names_json(const struct des_use *use)
{
	struct json_object *array = json_object_new_array();
	bool complete = array;
	size_t i;

	for (i = 0; i < use->nr_names && complete; i++)
		complete = append_object(array, json_object_new_string(use->names[i]), true);
	if (complete)
		return array;
	json_object_put(array);
	return NULL;
}

static struct json_object *use_json(const struct des_use *use)
{
	const struct known_disk *known = &use->known;
	struct json_object *o = json_object_new_object();

	if (o && json_put_text(o, "device", known->device) &&
	    json_put_text(o, "header", known->header) && json_put_text(o, "uuid", known->uuid) &&
	    put_bool(o, "clone", known->clone) &&
	    json_put_text(o, "mapping", use->nr_names ? use->names[0] : "") &&
	    put_object(o, "mappings", names_json(use)) && put_bool(o, "missing", use->missing) &&
	    put_object(o, "keys", keys_json(use)) &&
	    json_put_text(o, "problem", use->problem))
		return o;
	json_object_put(o);
	return NULL;
}

static int print_uses(const struct options *o, const struct des_use *use, size_t nr,
		      struct reason *why)
{
	struct json_object *array;
	bool complete;
	size_t i;

	if (!opt_given(o, OPT_JSON)) {
		for (i = 0; i < nr; i++)
			print_use(&use[i]);
		return RC_OK;
	}
	array = json_object_new_array();
	complete = array;
	for (i = 0; i < nr && complete; i++)
		complete = append_object(array, use_json(&use[i]), true);
	return json_print(array, complete, why);
}

int cmd_des_where_used(const struct options *o, int argc, char **argv)
{
	struct reason why = { 0 };
	struct des_use *use = NULL;
	size_t nr = 0;
	struct des des;
	int rc;

	(void)argc;
	if (opt_given(o, OPT_TEST_ARGS))
		return RC_OK;
	rc = des_load(argv[0], &des, &why);
	if (!rc)
		rc = des_usage_read(&des, &use, &nr, &why);
	if (!rc)
		rc = print_uses(o, use, nr, &why);
	des_usage_free(use, nr);
	return rc ? reason_say(&why) : RC_OK;
}
