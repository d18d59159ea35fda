// SPDX-License-Identifier: GPL-2.0-only
/*
 * Disk encryption sets for metrics: what they are, and their metrics.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "des.h"
#include "diag.h"
#include "metrics.h"

/* A set as far as its files tell; one that is broken doesn't hide the others. */
struct metrics_set {
	struct des des;
	bool broken;
	size_t disks;		/* in the register */
};

static void load_set(struct metrics_set *s, const char *name, const struct known_disk *known,
		     size_t nr)
{
	struct reason why = { 0 };

	s->broken = des_load(name, &s->des, &why);
	if (s->broken) {
		diag_verbose("%s", why.text);
		memset(&s->des, 0, sizeof(s->des));
		snprintf(s->des.name, sizeof(s->des.name), "%s", name);
	}
	s->disks = registry_count(known, nr, s->des.name, s->broken ? NULL : s->des.id);
}

int metrics_load_sets(struct metrics *c, const struct known_disk *known, size_t nr_known,
		      struct reason *why)
{
	char **names;
	size_t i;
	int rc;

	rc = des_names(&names, &c->nr_sets, why);
	if (rc)
		return rc;
	c->sets = calloc(c->nr_sets, sizeof(*c->sets));
	for (i = 0; c->sets && i < c->nr_sets; i++)
		load_set(&c->sets[i], names[i], known, nr_known);
	des_names_free(names, c->nr_sets);
	return c->sets ? RC_OK : reason_nomem(why);
}

static bool des_disks(const struct metrics_set *s, uint64_t *value)
{
	*value = s->disks;
	return true;
}

static bool des_readable(const struct metrics_set *s, uint64_t *value)
{
	*value = !s->broken;
	return true;
}

static bool des_enabled(const struct metrics_set *s, uint64_t *value)
{
	*value = s->des.enabled;
	return !s->broken;
}

static bool des_auto_rotate(const struct metrics_set *s, uint64_t *value)
{
	*value = s->des.auto_rotate;
	return !s->broken;
}

static bool des_lease(const struct metrics_set *s, uint64_t *value)
{
	*value = s->des.lease;
	return !s->broken && s->des.lease;
}

static bool a_time(time_t when, uint64_t *value)
{
	*value = (uint64_t)when;
	return when > 0;
}

static bool des_last_renewal(const struct metrics_set *s, uint64_t *value)
{
	return a_time(s->des.last_renewal, value);
}

static bool des_last_rotation(const struct metrics_set *s, uint64_t *value)
{
	return a_time(s->des.last_rotation, value);
}

static bool des_last_error_time(const struct metrics_set *s, uint64_t *value)
{
	return a_time(s->des.last_error_time, value);
}

static const struct {
	const char *name;
	bool (*value)(const struct metrics_set *s, uint64_t *value);
	const char *help;
} set_numbers[] = {
	{ "dm_sse_des_readable", des_readable,
	  "Can the set's file and state be read? If it is 0 other metrics of the set are missing." },
	{ "dm_sse_des_enabled", des_enabled, "May the set's keys be used?" },
	{ "dm_sse_des_auto_rotate", des_auto_rotate,
	  "Do the set's disks follow the newest version of its key?" },
	{ "dm_sse_des_disks", des_disks, "Disks of the set that this host knows, open or not." },
	{ "dm_sse_des_lease_seconds", des_lease, "The set's lease; not there without one." },
	{ "dm_sse_des_last_renewal_timestamp_seconds", des_last_renewal,
	  "When the leases of all open disks of the set were renewed last; not there before that." },
	{ "dm_sse_des_last_rotation_timestamp_seconds", des_last_rotation,
	  "When all disks of the set were rotated last; not there before that." },
	{ "dm_sse_des_last_error_timestamp_seconds", des_last_error_time,
	  "When the last rotation of the set failed; not there if it was right." },
};

static void put_set_numbers(FILE *out, const struct metrics *c)
{
	uint64_t value;
	size_t i, j;

	for (i = 0; i < sizeof(set_numbers) / sizeof(set_numbers[0]); i++) {
		prom_family(out, set_numbers[i].name, "gauge", set_numbers[i].help);
		for (j = 0; j < c->nr_sets; j++) {
			const struct prom_label labels[] = {
				{ "des", c->sets[j].des.name }, { NULL, NULL },
			};

			if (set_numbers[i].value(&c->sets[j], &value))
				prom_sample(out, set_numbers[i].name, labels, value);
		}
	}
}

static void put_set_info(FILE *out, const struct metrics *c)
{
	const char *name = "dm_sse_des_info";
	size_t i;

	prom_family(out, name, "gauge",
		    "A disk encryption set: its type and the active version of its key, which is the customer's where there is one. Always 1.");
	for (i = 0; i < c->nr_sets; i++) {
		const struct des *des = &c->sets[i].des;
		const struct prom_label labels[] = {
			{ "des", des->name }, { "type", des_type_name(des->type) },
			{ "key_version", des->active_version },
			{ "outer_key_version", des->outer_version }, { NULL, NULL },
		};

		if (!c->sets[i].broken)
			prom_sample(out, name, labels, 1);
	}
}

static void put_set_errors(FILE *out, const struct metrics *c)
{
	const char *name = "dm_sse_des_last_error_info";
	size_t i;

	prom_family(out, name, "gauge",
		    "Why the last rotation of the set failed; not there if it was right. Always 1.");
	for (i = 0; i < c->nr_sets; i++) {
		const struct prom_label labels[] = {
			{ "des", c->sets[i].des.name }, { "error", c->sets[i].des.last_error },
			{ NULL, NULL },
		};

		if (*c->sets[i].des.last_error)
			prom_sample(out, name, labels, 1);
	}
}

void metrics_put_sets(FILE *out, const struct metrics *c)
{
	put_set_info(out, c);
	put_set_numbers(out, c);
	put_set_errors(out, c);
}
