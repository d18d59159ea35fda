/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef POLICY_H
#define POLICY_H

#include <stdbool.h>
#include <stddef.h>

#include "reason.h"
#include "token.h"

/* What a host demands of its disks, in PATH_POLICY; without the file, nothing. */

struct policy_pattern {
	char *glob;
	unsigned int line;
	bool set;		/* of names of sets, not of paths of devices */
};

struct policy_list {
	struct policy_pattern *pattern;
	size_t nr;
};

struct policy {
	bool there;			/* is there a file? */
	char default_des[DES_NAME_MAX];	/* of new disks; "" */
	unsigned int default_des_line;
	bool require_encryption;	/* of each block device that a VM has */
	unsigned int require_encryption_line;
	struct policy_list require_double;
	struct policy_list exempt;	/* devices that nothing is demanded of */
};

/* RC_PARAM with the line's number if the file is broken. */
int policy_load(struct policy *p, struct reason *why);
/* Text only; @p is to be freed whatever comes of it. */
int policy_parse(const char *text, size_t size, struct policy *p, struct reason *why);
void policy_free(struct policy *p);

/* The pattern that a set's name, or a device's path, is named by; or NULL. */
const struct policy_pattern *policy_match_set(const struct policy_list *list, const char *set);
const struct policy_pattern *policy_match_path(const struct policy_list *list, const char *path);

/*
 * For a new disk, or one that moves to another set: does the policy demand two
 * layers? Says which line it is that does. A temporary disk is in no set: "".
 */
int policy_check_layers(const char *device, const char *set, unsigned int nr_layers,
			struct reason *why);
/* May @device have its data in clear from now on? */
int policy_check_clear(const char *device, struct reason *why);
/* The set of a new disk: the one given, or the policy's, or DES_DEFAULT. */
int policy_default_des(const char *given, char set[DES_NAME_MAX], struct reason *why);

#endif
