// SPDX-License-Identifier: GPL-2.0-only
/*
 * ssesetup des show
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "des_show.h"
#include "des_usage.h"
#include "files.h"
#include "json_file.h"
#include "ssesetup.h"

static const char *yes_no(bool value)
{
	return value ? "yes" : "no";
}

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
	printf("  %-18s version %s, %s\n", "", des_show_text(key->version),
	       des_show_text(key->fingerprint));
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
	for (line = des_show_text(des->last_error); *line; line++)
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
	printf("  %-18s %s\n", "owner:", des_show_text(des->owner));
	print_keys(s);
	printf("  %-18s %s\n", "identity:", des_show_text(des->identity));
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

static struct json_object *previous_json(const struct shown *s)
{
	struct json_object *array = json_object_new_array(), *o;
	bool complete = array;
	size_t i;

	for (i = 0; i < s->nr_previous && complete; i++) {
		o = des_show_key(s->previous[i].key);
		complete = des_show_append(array, o, o && json_put_number(o, "disks",
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
	       des_show_put_bool(o, "enabled", des->enabled) &&
	       json_put_text(o, "owner", des->owner) &&
	       json_put_text(o, "identity", des->identity) &&
	       json_put_text(o, "wrapping", des->wrapping) &&
	       des_show_put_bool(o, "auto-rotate", des->auto_rotate) &&
	       json_put_text(o, "lease", lease) &&
	       json_put_number(o, "lease-seconds", des->lease) &&
	       json_put_text(o, "on-lapse", des->queue_on_lapse ? "queue" : "error") &&
	       json_put_number(o, "key-timeout-seconds", des->timeout);
}

static bool put_state(struct json_object *o, const struct shown *s)
{
	const struct des *des = &s->des;

	return (!s->has_active || des_show_put(o, "active-key", des_show_key(&s->active))) &&
	       des_show_put(o, "previous-keys", previous_json(s)) &&
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
