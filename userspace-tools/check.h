/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CHECK_H
#define CHECK_H

#include "devnames.h"
#include "policy.h"
#include "tree.h"
#include "vm_devices.h"

/* Where a disk's data rest in clear, and what a VM has that the policy forbids. */

/*
 * A layer above the disk that keeps its data somewhere else too; or the disk
 * itself, if it doesn't encrypt.
 */
struct check_leak {
	size_t layer;		/* the cache, snapshot, mirror..., */
	size_t device;		/* what it keeps them on, */
	size_t where;		/* ... and what that lies on in the end */
};

/* *@list to be freed. None is fine. */
int check_leaks(const struct tree *t, size_t disk, struct check_leak **list, size_t *nr,
		struct reason *why);

struct check_breach {
	const struct vm_device *use;
	size_t device;
	unsigned int layers;	/* it has, */
	unsigned int demanded;	/* ... and must have */
	unsigned int line;	/* of the policy */
	size_t where;		/* its data rest with so few */
};

struct check_policy {
	const struct tree *t;
	const struct policy *policy;
	const struct devnames *names;
	/* The set of an sse device, "" if it is in none. */
	void (*set_of)(const struct tree_node *n, char set[DES_NAME_MAX]);
};

/* Is it allowed? False with *@breach filled in, but for the use. */
bool check_device(const struct check_policy *c, size_t device, struct check_breach *breach);

#endif
