// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "check.h"

struct leaks {
	const struct tree *t;
	bool *above;		/* of the disk, and the disk itself */
	bool *seen;		/* while one device is walked down from */
	struct check_leak *list;
	size_t nr;
	bool no_memory;
};

static void add_leak(struct leaks *l, size_t layer, size_t device, size_t where)
{
	struct check_leak *more = reallocarray(l->list, l->nr + 1, sizeof(*more));

	if (!more) {
		l->no_memory = true;
		return;
	}
	l->list = more;
	more[l->nr++] = (struct check_leak){ .layer = layer, .device = device, .where = where };
}

/*
 * Down to where data rest, unless something on the way encrypts them. It doesn't
 * come by the disk: whatever lies on that is above it.
 */
static void walk_down(struct leaks *l, size_t layer, size_t device, size_t at)
{
	const struct tree_node *n = &l->t->node[at];
	bool leaf = true;
	size_t i;

	if (l->seen[at] || n->layers)
		return;
	l->seen[at] = true;
	for (i = 0; i < n->nr_below; i++) {
		if (n->below[i].metadata)
			continue;
		leaf = false;
		walk_down(l, layer, device, n->below[i].to);
	}
	if (leaf)
		add_leak(l, layer, device, at);
}

static void look_at_layer(struct leaks *l, size_t layer)
{
	const struct tree_node *n = &l->t->node[layer];
	size_t i;

	for (i = 0; i < n->nr_below; i++) {
		if (n->below[i].metadata || l->above[n->below[i].to])
			continue;
		memset(l->seen, 0, l->t->nr * sizeof(*l->seen));
		walk_down(l, layer, n->below[i].to, n->below[i].to);
	}
}

int check_leaks(const struct tree *t, size_t disk, struct check_leak **list, size_t *nr,
		struct reason *why)
{
	struct leaks l = { .t = t };
	size_t i;

	*list = NULL;
	*nr = 0;
	l.above = calloc(t->nr, sizeof(*l.above));
	l.seen = calloc(t->nr, sizeof(*l.seen));
	if (l.above && l.seen) {
		tree_mark_above(t, disk, l.above);
		/* A cipher that is none: what the disk lies on has its data. */
		if (!t->node[disk].layers && !tree_layers(t, disk))
			add_leak(&l, disk, disk, tree_least(t, disk));
		for (i = 0; i < t->nr; i++)
			if (l.above[i] && i != disk)
				look_at_layer(&l, i);
	}
	if (!l.above || !l.seen || l.no_memory) {
		free(l.list);
		l.list = NULL;
		reason_nomem(why);
	} else {
		why->rc = RC_OK;
		*nr = l.nr;
	}
	free(l.above);
	free(l.seen);
	*list = l.list;
	return why->rc;
}

/* By any name that the device has; of a file its path. */
static const struct policy_pattern *match_names(const struct check_policy *c,
						const struct policy_list *list,
						const struct tree_node *n)
{
	const struct policy_pattern *found = policy_match_path(list, n->name);
	size_t i;

	for (i = 0; i < c->names->nr && !found; i++)
		if ((n->major || n->minor) &&
		    c->names->name[i].device == makedev(n->major, n->minor))
			found = policy_match_path(list, c->names->name[i].path);
	return found;
}

static const struct policy_pattern *match_node(const struct check_policy *c,
					       const struct policy_list *list, size_t node)
{
	const struct tree_node *n = &c->t->node[node];
	const struct policy_pattern *found = match_names(c, list, n);
	char set[DES_NAME_MAX];

	if (found || !n->layers)
		return found;
	c->set_of(n, set);
	return *set ? policy_match_set(list, set) : NULL;
}

/* A pattern names what a disk lies on as well as what is opened from it. */
static const struct policy_pattern *match_below(const struct check_policy *c,
						const struct policy_list *list, size_t device)
{
	const struct policy_pattern *found = NULL;
	bool *below = calloc(c->t->nr, sizeof(*below));
	size_t i;

	if (!below)
		return NULL;
	tree_mark_below(c->t, device, below);
	for (i = 0; i < c->t->nr && !found; i++)
		if (below[i])
			found = match_node(c, list, i);
	free(below);
	return found;
}

bool check_device(const struct check_policy *c, size_t device, struct check_breach *breach)
{
	const struct policy_pattern *found;

	memset(breach, 0, sizeof(*breach));
	if (match_node(c, &c->policy->exempt, device))
		return true;
	if (c->policy->require_encryption) {
		breach->demanded = 1;
		breach->line = c->policy->require_encryption_line;
	}
	found = match_below(c, &c->policy->require_double, device);
	if (found) {
		breach->demanded = 2;
		breach->line = found->line;
	}
	breach->device = device;
	breach->layers = tree_layers(c->t, device);
	breach->where = tree_least(c->t, device);
	return breach->layers >= breach->demanded;
}
