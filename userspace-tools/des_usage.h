/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef DES_USAGE_H
#define DES_USAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "des.h"
#include "registry.h"

/*
 * What the known disks of a set are wrapped by, read from their headers: which
 * versions of a key are still needed.
 */

struct des_use_key {
	enum token_layer layer;
	bool customer;
	char uri[1024];
	char version[KEK_VERSION_MAX];
	char fingerprint[KEK_FINGERPRINT_MAX];
	char created[32];
};

struct des_use {
	struct known_disk known;
	bool missing;			/* device or header isn't there */
	char (*names)[128];		/* of the mappings that it is open as */
	size_t nr_names;
	char problem[512];		/* why its keys can't be told; "" */
	struct des_use_key *keys;
	size_t nr_keys;
};

/*
 * The disks in the register that belong to a set; with @id "" by its name alone.
 * *@list to be freed with free().
 */
int des_usage_disks(const char *name, const char *id, struct known_disk **list, size_t *nr,
		    struct reason *why);

/*
 * The same, each looked at. The inner header of a disk with two layers is
 * reached through the outer one, with the set's keys. *@list to be freed with
 * des_usage_free().
 */
int des_usage_read(const struct des *des, struct des_use **list, size_t *nr,
		   struct reason *why);
void des_usage_free(struct des_use *list, size_t nr);

/* Is it the key that the set's type is about: the customer's, where there is one? */
bool des_usage_counts(const struct des *des, const struct des_use_key *key);

/*
 * The set's active key: by its state, or before a rotation has set that the one
 * that a disk was wrapped by last. False if there is none yet.
 */
bool des_usage_active(const struct des *des, const struct des_use *list, size_t nr,
		      struct des_use_key *active);

#endif
