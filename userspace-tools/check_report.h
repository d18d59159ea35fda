/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CHECK_REPORT_H
#define CHECK_REPORT_H

#include "check.h"

/* What "ssesetup check" has found, as text or JSON. */

struct check_disk {
	size_t node;
	char set[DES_NAME_MAX];		/* "" if it is in none */
	bool temporary;
	bool *above, *below;		/* of t->nr devices */
	struct check_leak *leak;
	size_t nr_leaks;
};

struct check_result {
	const struct tree *tree;
	const struct policy *policy;	/* NULL: it wasn't looked at */
	struct check_disk *disk;
	size_t nr_disks;
	struct check_breach *breach;
	size_t nr_breaches;
	size_t nr_used;			/* devices that VMs have */
};

bool check_is_clean(const struct check_result *r);
int check_print(const struct check_result *r, bool json, struct reason *why);

#endif
