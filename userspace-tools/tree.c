// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "blockdev.h"
#include "cipher.h"
#include "dm.h"
#include "paths.h"
#include "ssesetup.h"
#include "table.h"
#include "tree.h"

/* No honest stack is that high. */
#define DEPTH_MAX	64

static bool read_attribute(const char *block, const char *leaf, char *line, size_t size)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), PATH_SYS_BLOCK "/%.255s/%s", block, leaf);
	return blockdev_read_line(path, line, size);
}

static bool read_number(const char *block, unsigned int *major, unsigned int *minor)
{
	char line[32];

	return read_attribute(block, "dev", line, sizeof(line)) &&
	       sscanf(line, "%u:%u", major, minor) == 2;
}

size_t tree_find(const struct tree *t, unsigned int major, unsigned int minor)
{
	size_t i;

	for (i = 0; i < t->nr; i++)
		if (t->node[i].major == major && t->node[i].minor == minor)
			return i;
	return TREE_NONE;
}

static struct tree_node *add_node(struct tree *t)
{
	struct tree_node *more = reallocarray(t->node, t->nr + 1, sizeof(*more));

	if (!more)
		return NULL;
	t->node = more;
	memset(&more[t->nr], 0, sizeof(*more));
	return &more[t->nr++];
}

static int add_edge(struct tree *t, size_t from, size_t to, struct reason *why)
{
	struct tree_node *n = &t->node[from];
	struct tree_edge *more;
	size_t i;

	if (to == TREE_NONE || to == from)
		return RC_OK;
	for (i = 0; i < n->nr_below; i++)
		if (n->below[i].to == to)
			return RC_OK;
	more = reallocarray(n->below, n->nr_below + 1, sizeof(*more));
	if (!more)
		return reason_nomem(why);
	n->below = more;
	more[n->nr_below].to = to;
	more[n->nr_below].metadata = false;
	n->nr_below++;
	return RC_OK;
}

/* sysfs writes ! for the slash of a name such as cciss/c0d0. */
static void node_name(struct tree_node *n, const char *block)
{
	char *p;

	if (*n->mapping) {
		snprintf(n->name, sizeof(n->name), "%s/%s", dm_dev_dir(), n->mapping);
		return;
	}
	snprintf(n->name, sizeof(n->name), "/dev/%.255s", block);
	for (p = n->name; *p; p++)
		if (*p == '!')
			*p = '/';
}

static void node_kind(struct tree_node *n, const char *block)
{
	char line[PATH_MAX];

	if (*n->mapping)
		snprintf(n->kind, sizeof(n->kind), "mapping");
	else if (read_attribute(block, "partition", line, sizeof(line)))
		snprintf(n->kind, sizeof(n->kind), "partition");
	else if (read_attribute(block, "md/level", line, sizeof(line)))
		snprintf(n->kind, sizeof(n->kind), "md %.32s", line);
	else if (!strncmp(block, "loop", 4))
		snprintf(n->kind, sizeof(n->kind), "loop");
	else if (!strncmp(block, "nbd", 3))
		snprintf(n->kind, sizeof(n->kind), "nbd");
	else if (!strncmp(block, "bcache", 6))
		snprintf(n->kind, sizeof(n->kind), "bcache");
	else
		snprintf(n->kind, sizeof(n->kind), "disk");
}

static int read_nodes(struct tree *t, struct reason *why)
{
	unsigned int major, minor;
	struct tree_node *n;
	struct dirent *e;
	int rc = RC_OK;
	DIR *d;

	d = opendir(PATH_SYS_BLOCK);
	if (!d)
		return reason_set(why, RC_DEVICE, "%s can't be read: is sysfs mounted?",
				  PATH_SYS_BLOCK);
	while (!rc && (e = readdir(d))) {
		if (e->d_name[0] == '.' || !read_number(e->d_name, &major, &minor))
			continue;
		n = add_node(t);
		if (!n) {
			rc = reason_nomem(why);
			break;
		}
		n->major = major;
		n->minor = minor;
		read_attribute(e->d_name, "dm/name", n->mapping, sizeof(n->mapping));
		read_attribute(e->d_name, "dm/uuid", n->uuid, sizeof(n->uuid));
		node_name(n, e->d_name);
		node_kind(n, e->d_name);
	}
	closedir(d);
	return rc;
}

static int add_named(struct tree *t, size_t from, const char *block, struct reason *why)
{
	unsigned int major, minor;

	if (!read_number(block, &major, &minor))
		return RC_OK;
	return add_edge(t, from, tree_find(t, major, minor), why);
}

static int add_slaves(struct tree *t, size_t from, const char *block, struct reason *why)
{
	char path[PATH_MAX];
	struct dirent *e;
	int rc = RC_OK;
	DIR *d;

	snprintf(path, sizeof(path), PATH_SYS_BLOCK "/%.255s/slaves", block);
	d = opendir(path);
	while (d && !rc && (e = readdir(d)))
		if (e->d_name[0] != '.')
			rc = add_named(t, from, e->d_name, why);
	if (d)
		closedir(d);
	return rc;
}

/* The disk of a partition is the directory that its own is in. */
static int add_whole_disk(struct tree *t, size_t from, const char *block, struct reason *why)
{
	char path[PATH_MAX], real[PATH_MAX], *slash;

	snprintf(path, sizeof(path), PATH_SYS_BLOCK "/%.255s", block);
	if (!realpath(path, real))
		return RC_OK;
	slash = strrchr(real, '/');
	*slash = '\0';
	slash = strrchr(real, '/');
	return slash ? add_named(t, from, slash + 1, why) : RC_OK;
}

/* A file system without a device number of its own, such as btrfs. */
static bool mount_source(dev_t fs, dev_t *device)
{
	char line[2 * PATH_MAX], source[PATH_MAX], *fields;
	unsigned int major, minor;
	bool found = false;
	struct stat st;
	FILE *f;

	f = fopen("/proc/self/mountinfo", "re");
	while (f && !found && fgets(line, sizeof(line), f)) {
		fields = strstr(line, " - ");
		if (!fields || sscanf(line, "%*d %*d %u:%u", &major, &minor) != 2 ||
		    makedev(major, minor) != fs ||
		    sscanf(fields, " - %*s %4095s", source) != 1 ||
		    stat(source, &st) || !S_ISBLK(st.st_mode))
			continue;
		*device = st.st_rdev;
		found = true;
	}
	if (f)
		fclose(f);
	return found;
}

static int add_file(struct tree *t, size_t from, const char *file, struct reason *why)
{
	struct tree_node *n;
	size_t to = TREE_NONE;
	struct stat st;
	dev_t device;

	if (!stat(file, &st) && S_ISBLK(st.st_mode)) {
		to = tree_find(t, major(st.st_rdev), minor(st.st_rdev));
	} else if (!stat(file, &st)) {
		to = tree_find(t, major(st.st_dev), minor(st.st_dev));
		if (to == TREE_NONE && mount_source(st.st_dev, &device))
			to = tree_find(t, major(device), minor(device));
	}
	if (to == TREE_NONE) {
		n = add_node(t);
		if (!n)
			return reason_nomem(why);
		snprintf(n->name, sizeof(n->name), "%s", file);
		snprintf(n->kind, sizeof(n->kind), "file");
		to = t->nr - 1;
	}
	return add_edge(t, from, to, why);
}

/* The cache of bcache is not among the slaves: bcache/cache/cacheN are links to it. */
static int add_bcache(struct tree *t, size_t from, const char *block, struct reason *why)
{
	char path[PATH_MAX], link[PATH_MAX + 64], real[PATH_MAX], *slash;
	struct dirent *e;
	int rc = RC_OK;
	DIR *d;

	snprintf(path, sizeof(path), PATH_SYS_BLOCK "/%.255s/bcache/cache", block);
	d = opendir(path);
	while (d && !rc && (e = readdir(d))) {
		if (strncmp(e->d_name, "cache", 5) || e->d_name[5] < '0' || e->d_name[5] > '9')
			continue;
		snprintf(link, sizeof(link), "%s/%.32s", path, e->d_name);
		if (!realpath(link, real))
			continue;
		/* .../block/sdb/bcache */
		slash = strrchr(real, '/');
		*slash = '\0';
		slash = strrchr(real, '/');
		if (slash)
			rc = add_named(t, from, slash + 1, why);
	}
	if (d)
		closedir(d);
	return rc;
}

/* What the targets of a mapping say of it. */
struct targets {
	struct tree *t;
	size_t node;
	unsigned int nr;
};

/* The first parameter of these is where they keep their own books. */
static bool has_metadata_device(const char *type)
{
	return !strcmp(type, "cache") || !strcmp(type, "thin-pool") || !strcmp(type, "era") ||
	       !strcmp(type, "clone");
}

static void mark_metadata(struct tree *t, size_t node, const char *params)
{
	struct tree_node *n = &t->node[node];
	unsigned int major, minor;
	size_t i, to;

	if (sscanf(params, "%u:%u", &major, &minor) != 2)
		return;
	to = tree_find(t, major, minor);
	for (i = 0; i < n->nr_below; i++)
		if (n->below[i].to == to)
			n->below[i].metadata = true;
}

static unsigned int layers_of(const char *type, const char *params)
{
	unsigned int i, layers = 0;
	struct sse_table table;

	if (!strcmp(type, "crypt"))
		return 1;
	if (strcmp(type, DMSSE_TARGET) || !params || table_parse(params, &table))
		return 0;
	for (i = 0; i < table.nr_layers; i++)
		layers += !cipher_takes_no_key(table.layer[i].cipher);
	table_free(&table);
	return layers;
}

static int take_target(const char *type, const char *params, void *arg)
{
	struct targets *s = arg;
	struct tree_node *n = &s->t->node[s->node];
	unsigned int layers = layers_of(type, params);

	if (!s->nr++ || layers < n->layers)
		n->layers = layers;
	if (s->nr == 1)
		snprintf(n->kind, sizeof(n->kind), "%s", type);
	else if (strcmp(n->kind, type))
		snprintf(n->kind, sizeof(n->kind), "mapping");
	if (params && has_metadata_device(type))
		mark_metadata(s->t, s->node, params);
	return 0;
}

static int read_edges(struct tree *t, size_t i, const char *block, struct reason *why)
{
	struct targets targets = { .t = t, .node = i };
	char file[PATH_MAX];
	int rc;

	rc = add_slaves(t, i, block, why);
	if (!rc && *t->node[i].mapping)
		dm_each_target(t->node[i].major, t->node[i].minor, take_target, &targets);
	else if (!rc && !strcmp(t->node[i].kind, "partition"))
		rc = add_whole_disk(t, i, block, why);
	else if (!rc && !strcmp(t->node[i].kind, "bcache"))
		rc = add_bcache(t, i, block, why);
	if (!rc && read_attribute(block, "loop/backing_file", file, sizeof(file)))
		rc = add_file(t, i, file, why);
	return rc;
}

static int read_all_edges(struct tree *t, struct reason *why)
{
	unsigned int major, minor;
	struct dirent *e;
	int rc = RC_OK;
	size_t i;
	DIR *d;

	d = opendir(PATH_SYS_BLOCK);
	while (d && !rc && (e = readdir(d))) {
		if (e->d_name[0] == '.' || !read_number(e->d_name, &major, &minor))
			continue;
		i = tree_find(t, major, minor);
		if (i != TREE_NONE)
			rc = read_edges(t, i, e->d_name, why);
	}
	if (d)
		closedir(d);
	return rc;
}

int tree_read(struct tree *t, struct reason *why)
{
	int rc;

	memset(t, 0, sizeof(*t));
	rc = read_nodes(t, why);
	if (!rc)
		rc = read_all_edges(t, why);
	if (rc)
		tree_free(t);
	return rc;
}

void tree_free(struct tree *t)
{
	size_t i;

	for (i = 0; i < t->nr; i++)
		free(t->node[i].below);
	free(t->node);
	memset(t, 0, sizeof(*t));
}

static void mark_below(const struct tree *t, size_t from, bool *marked)
{
	size_t i;

	if (marked[from])
		return;
	marked[from] = true;
	for (i = 0; i < t->node[from].nr_below; i++)
		mark_below(t, t->node[from].below[i].to, marked);
}

void tree_mark_below(const struct tree *t, size_t from, bool *marked)
{
	memset(marked, 0, t->nr * sizeof(*marked));
	mark_below(t, from, marked);
}

static bool lies_on_marked(const struct tree *t, size_t node, const bool *marked)
{
	size_t i;

	for (i = 0; i < t->node[node].nr_below; i++)
		if (!t->node[node].below[i].metadata && marked[t->node[node].below[i].to])
			return true;
	return false;
}

void tree_mark_above(const struct tree *t, size_t from, bool *marked)
{
	bool more = true;
	size_t i;

	memset(marked, 0, t->nr * sizeof(*marked));
	marked[from] = true;
	while (more) {
		more = false;
		for (i = 0; i < t->nr; i++) {
			if (marked[i] || !lies_on_marked(t, i, marked))
				continue;
			marked[i] = true;
			more = true;
		}
	}
}

static unsigned int least(const struct tree *t, size_t from, size_t *where, unsigned int depth)
{
	const struct tree_node *n = &t->node[from];
	unsigned int best = UINT_MAX, layers;
	size_t i, place;

	*where = from;
	for (i = 0; i < n->nr_below && depth < DEPTH_MAX; i++) {
		if (n->below[i].metadata)
			continue;
		layers = least(t, n->below[i].to, &place, depth + 1);
		if (layers < best) {
			best = layers;
			*where = place;
		}
	}
	return n->layers + (best == UINT_MAX ? 0 : best);
}

unsigned int tree_layers(const struct tree *t, size_t from)
{
	size_t where;

	return least(t, from, &where, 0);
}

size_t tree_least(const struct tree *t, size_t from)
{
	size_t where;

	least(t, from, &where, 0);
	return where;
}
