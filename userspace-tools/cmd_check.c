// SPDX-License-Identifier: GPL-2.0-only
/*
 * ssesetup check NAME, check --all
 */
#include <stdlib.h>
#include <string.h>

#include "check_report.h"
#include "dm.h"
#include "lease.h"
#include "registry.h"
#include "ssesetup.h"
#include "temp.h"

/* The register may be of another day; the UUID of the mapping tells. */
static void set_of(const struct tree_node *n, char set[DES_NAME_MAX])
{
	struct known_disk known;
	struct reason unknown;
	char uuid[sizeof(n->uuid)];

	*set = '\0';
	if (!*n->mapping || registry_find_mapping(n->mapping, &known, &unknown))
		return;
	lease_mapping_uuid(known.uuid, n->mapping, uuid, sizeof(uuid));
	if (!strcmp(uuid, n->uuid))
		memcpy(set, known.des, sizeof(known.des));
}

struct check {
	struct tree tree;
	struct policy policy;
	struct devnames names;
	struct vm_device *use;
	struct check_result result;
};

static void check_free(struct check *c)
{
	size_t i;

	for (i = 0; i < c->result.nr_disks; i++) {
		free(c->result.disk[i].above);
		free(c->result.disk[i].below);
		free(c->result.disk[i].leak);
	}
	free(c->result.disk);
	free(c->result.breach);
	free(c->use);
	devnames_free(&c->names);
	policy_free(&c->policy);
	tree_free(&c->tree);
}

static int look_at_disk(struct check *c, size_t node, struct reason *why)
{
	struct check_result *r = &c->result;
	struct check_disk *more, *d;

	more = reallocarray(r->disk, r->nr_disks + 1, sizeof(*more));
	if (!more)
		return reason_nomem(why);
	r->disk = more;
	d = &more[r->nr_disks];
	memset(d, 0, sizeof(*d));
	d->node = node;
	set_of(&c->tree.node[node], d->set);
	d->temporary = temp_is_uuid(c->tree.node[node].uuid);
	d->above = calloc(c->tree.nr, sizeof(*d->above));
	d->below = calloc(c->tree.nr, sizeof(*d->below));
	r->nr_disks++;
	if (!d->above || !d->below)
		return reason_nomem(why);
	tree_mark_above(&c->tree, node, d->above);
	tree_mark_below(&c->tree, node, d->below);
	return check_leaks(&c->tree, node, &d->leak, &d->nr_leaks, why);
}

static int look_at_disks(struct check *c, const char *name, struct reason *why)
{
	const struct tree_node *n;
	int rc = RC_OK;
	size_t i;

	for (i = 0; i < c->tree.nr && !rc; i++) {
		n = &c->tree.node[i];
		if (*n->mapping && !strcmp(n->kind, DMSSE_TARGET) &&
		    (!name || !strcmp(name, n->mapping)))
			rc = look_at_disk(c, i, why);
	}
	if (!rc && name && !c->result.nr_disks)
		rc = reason_set(why, RC_DEVICE, "Device %s is not active.", name);
	return rc;
}

static int look_at_use(struct check *c, const struct vm_device *use, struct reason *why)
{
	struct check_policy policy = {
		.t = &c->tree,
		.policy = &c->policy,
		.names = &c->names,
		.set_of = set_of,
	};
	struct check_result *r = &c->result;
	struct check_breach breach, *more;
	size_t device = tree_find(&c->tree, use->major, use->minor);

	if (device == TREE_NONE || check_device(&policy, device, &breach))
		return RC_OK;
	breach.use = use;
	more = reallocarray(r->breach, r->nr_breaches + 1, sizeof(*more));
	if (!more)
		return reason_nomem(why);
	r->breach = more;
	more[r->nr_breaches++] = breach;
	return RC_OK;
}

static int look_at_vms(struct check *c, struct reason *why)
{
	size_t i;
	int rc;

	c->result.policy = &c->policy;
	rc = policy_load(&c->policy, why);
	if (rc || !c->policy.there)
		return rc;
	rc = vm_devices(&c->use, &c->result.nr_used, why);
	if (rc)
		return rc;
	devnames_read(&c->names);
	for (i = 0; i < c->result.nr_used && !rc; i++)
		rc = look_at_use(c, &c->use[i], why);
	return rc;
}

static int check(const struct options *o, const char *name, struct reason *why)
{
	struct check c = { .result.nr_disks = 0 };
	bool clean = true;
	int rc;

	rc = tree_read(&c.tree, why);
	if (rc)
		return rc;
	c.result.tree = &c.tree;
	rc = look_at_disks(&c, name, why);
	if (!rc && !name)
		rc = look_at_vms(&c, why);
	if (!rc) {
		clean = check_is_clean(&c.result);
		rc = check_print(&c.result, opt_given(o, OPT_JSON), why);
	}
	check_free(&c);
	return rc ? rc : reason_said(why, clean ? RC_OK : RC_FOUND);
}

int cmd_check(const struct options *o, int argc, char **argv)
{
	struct reason why = { 0 };
	struct dm_mapping m;
	const char *name = NULL;
	int rc;

	if (argc)
		name = dm_name(argv[0]);
	if (argc && !name)
		return RC_PARAM;
	if (!name == !opt_given(o, OPT_ALL))
		return diag_fail(RC_PARAM, "Which disk? NAME says it, or --all.");
	if (opt_given(o, OPT_TEST_ARGS))
		return RC_OK;
	rc = name ? dm_find(name, &m) : dm_ready();
	if (rc)
		return rc;
	if (name)
		dm_mapping_free(&m);
	return check(o, name, &why) ? reason_say(&why) : RC_OK;
}
