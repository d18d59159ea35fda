// SPDX-License-Identifier: GPL-2.0-only
/*
 * The configuration file of a disk encryption set, read.
 */
#include <stdlib.h>
#include <string.h>

#include "config_text.h"
#include "des_config_internal.h"

static int refuse_key(const struct config_line *line, struct reason *why)
{
	const char *near = config_text_near(line->key, des_config_names, NR_KEYS);

	if (near)
		return reason_set(why, RC_PARAM, "line %u: unknown key '%s': is '%s' meant?",
				  line->number, line->key, near);
	return reason_set(why, RC_PARAM,
		"line %u: unknown key '%s': id, type, enabled, owner, key, identity, wrapping,\n"
		"auto-rotate, lease, on-lapse and key-timeout are known.",
		line->number, line->key);
}

static int take_line(struct des *des, const struct config_line *line, enum key_id id,
		     struct reason *why)
{
	const char *right = des_config_set(des, id, line->value);

	if (!right)
		return RC_OK;
	return reason_set(why, RC_PARAM, "line %u: %s takes %s, not '%.200s'%s.", line->number,
			  line->key, right, line->value,
			  strchr(line->value, '#') ? " (comments are on lines of their own)" : "");
}

/*
 * Where each key is, and nothing else yet: defaults depend on the type, which
 * may come last. 0: nowhere.
 */
struct places {
	struct config_line line[NR_KEYS];
	unsigned int last;	/* line of the file */
};

static int find_places(const char *text, size_t size, struct places *places, struct reason *why)
{
	struct config_line line;
	struct config_text t;
	enum key_id id;

	memset(places, 0, sizeof(*places));
	why->rc = RC_OK;
	config_text_start(&t, text, size);
	while (config_text_next(&t, &line, why)) {
		if (!*line.key)
			continue;
		id = des_config_find(line.key);
		if (id == NR_KEYS)
			return refuse_key(&line, why);
		if (places->line[id].number)
			return reason_set(why, RC_PARAM,
				"line %u: %s is set in line %u already: one of them is right.",
				line.number, line.key, places->line[id].number);
		places->line[id] = line;
	}
	places->last = t.number ? t.number : 1;
	return why->rc;
}

/* The implicit set needs neither. */
static int find_missing(const struct des *des, const struct places *places, struct reason *why)
{
	if (!strcmp(des->name, DES_DEFAULT))
		return RC_OK;
	if (!places->line[KEY_ID].number)
		return reason_set(why, RC_PARAM,
			"line %u: the file ends without an 'id': add 'id = UUID', as 'uuidgen' prints it.",
			places->last);
	if (!places->line[KEY_TYPE].number)
		return reason_set(why, RC_PARAM,
			"line %u: the file ends without a 'type': platform, customer or platform-and-customer.",
			places->last);
	return RC_OK;
}

static int parse_places(const struct places *places, struct des *des, struct reason *why)
{
	const struct config_line *line = &places->line[KEY_TYPE];
	enum key_id id;
	int rc;

	des->type = DES_PLATFORM;
	des->id[0] = '\0';
	rc = line->number ? take_line(des, line, KEY_TYPE, why) : RC_OK;
	if (rc)
		return rc;
	des_config_defaults(des);
	for (id = 0; id < NR_KEYS; id++) {
		line = &places->line[id];
		rc = line->number ? take_line(des, line, id, why) : RC_OK;
		if (rc)
			return rc;
	}
	return find_missing(des, places, why);
}

int des_config_parse(const char *text, size_t size, struct des *des, struct reason *why)
{
	struct places *places = malloc(sizeof(*places));
	enum key_id id;
	int rc;

	if (!places)
		return reason_nomem(why);
	rc = find_places(text, size, places, why);
	if (!rc)
		rc = parse_places(places, des, why);
	if (!rc) {
		id = des_config_broken(des, why);
		if (id != NR_KEYS) {
			unsigned int number = places->line[id].number;

			why->rc = RC_PARAM;
			rc = reason_prefix(why, "line %u: %s", number ? number : places->last,
					   des_config_names[id]);
		}
	}
	free(places);
	return rc;
}
