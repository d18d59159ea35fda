// SPDX-License-Identifier: GPL-2.0-only
#include <json-c/json.h>
#include <stdio.h>

#include "check_report.h"
#include "paths.h"

bool check_is_clean(const struct check_result *r)
{
	size_t i;

	for (i = 0; i < r->nr_disks; i++)
		if (r->disk[i].nr_leaks)
			return false;
	return !r->nr_breaches;
}

static const char *layers_text(unsigned int layers)
{
	static const char * const text[] = { "no layer", "one layer", "two layers" };

	return layers < 3 ? text[layers] : "more than two layers";
}

/* Text */

static void print_marked(const struct tree *t, const char *where, const bool *marked, size_t but)
{
	size_t i;

	for (i = 0; i < t->nr; i++)
		if (marked[i] && i != but)
			printf("  %s: %s (%s)\n", where, t->node[i].name, t->node[i].kind);
}

static void print_leak(const struct tree *t, const struct check_disk *d,
		       const struct check_leak *l)
{
	const struct tree_node *where = &t->node[l->where], *layer = &t->node[l->layer];

	if (l->layer == d->node) {
		printf("  PLAINTEXT on %s (%s): %s encrypts nothing\n", where->name, where->kind,
		       layer->mapping);
		return;
	}
	printf("  PLAINTEXT on %s (%s): %s (%s) keeps data of %s ", where->name, where->kind,
	       layer->name, layer->kind, t->node[d->node].mapping);
	if (l->device == l->where)
		printf("there\n");
	else
		printf("on %s\n", t->node[l->device].name);
}

static void print_disk(const struct tree *t, const struct check_disk *d)
{
	const struct tree_node *n = &t->node[d->node];
	size_t i;

	printf("%s: %s%s%s\n", n->mapping, layers_text(n->layers),
	       d->temporary ? ", temporary" : *d->set ? ", set " : "", d->set);
	print_marked(t, "above", d->above, d->node);
	print_marked(t, "below", d->below, d->node);
	for (i = 0; i < d->nr_leaks; i++)
		print_leak(t, d, &d->leak[i]);
	if (!d->nr_leaks)
		printf("  no plaintext is kept\n");
}

static void print_breach(const struct tree *t, const struct check_breach *b)
{
	const struct tree_node *where = &t->node[b->where];

	printf("  BREACH of line %u: %s of VM %s (process %d) has %s, not %s; its data rest on %s (%s)\n",
	       b->line, t->node[b->device].name, b->use->vm, (int)b->use->pid,
	       layers_text(b->layers), layers_text(b->demanded), where->name, where->kind);
}

static void print_text(const struct check_result *r)
{
	size_t i;

	for (i = 0; i < r->nr_disks; i++)
		print_disk(r->tree, &r->disk[i]);
	if (!r->policy)
		return;
	if (!r->policy->there) {
		printf("policy: none, there is no %s\n", PATH_POLICY);
		return;
	}
	printf("policy: %s, %zu devices of VMs\n", PATH_POLICY, r->nr_used);
	for (i = 0; i < r->nr_breaches; i++)
		print_breach(r->tree, &r->breach[i]);
	if (!r->nr_breaches)
		printf("  nothing breaks it\n");
}

/* JSON. What is added to an object that lacks memory is lost, and noticed. */

static void put(struct json_object *to, const char *name, struct json_object *value, bool *ok)
{
	if (to && value && !json_object_object_add(to, name, value))
		return;
	json_object_put(value);
	*ok = false;
}

static void put_text(struct json_object *to, const char *name, const char *text, bool *ok)
{
	put(to, name, json_object_new_string(text), ok);
}

static void append(struct json_object *to, struct json_object *value, bool *ok)
{
	if (to && value && !json_object_array_add(to, value))
		return;
	json_object_put(value);
	*ok = false;
}

static struct json_object *device(const struct tree_node *n, bool *ok)
{
	struct json_object *object = json_object_new_object();

	put_text(object, "device", n->name, ok);
	put_text(object, "kind", n->kind, ok);
	return object;
}

static struct json_object *marked(const struct tree *t, const bool *is, size_t but, bool *ok)
{
	struct json_object *array = json_object_new_array();
	size_t i;

	for (i = 0; i < t->nr; i++)
		if (is[i] && i != but)
			append(array, device(&t->node[i], ok), ok);
	return array;
}

static struct json_object *leak(const struct tree *t, const struct check_leak *l, bool *ok)
{
	struct json_object *object = device(&t->node[l->where], ok);

	put(object, "layer", device(&t->node[l->layer], ok), ok);
	put(object, "keeps-on", device(&t->node[l->device], ok), ok);
	return object;
}

static struct json_object *disk(const struct tree *t, const struct check_disk *d, bool *ok)
{
	const struct tree_node *n = &t->node[d->node];
	struct json_object *object = json_object_new_object();
	struct json_object *leaks = json_object_new_array();
	size_t i;

	put_text(object, "name", n->mapping, ok);
	put_text(object, "device", n->name, ok);
	put(object, "layers", json_object_new_int((int)n->layers), ok);
	if (*d->set)
		put_text(object, "set", d->set, ok);
	put(object, "temporary", json_object_new_boolean(d->temporary), ok);
	put(object, "above", marked(t, d->above, d->node, ok), ok);
	put(object, "below", marked(t, d->below, d->node, ok), ok);
	for (i = 0; i < d->nr_leaks; i++)
		append(leaks, leak(t, &d->leak[i], ok), ok);
	put(object, "plaintext", leaks, ok);
	return object;
}

static struct json_object *breach(const struct tree *t, const struct check_breach *b, bool *ok)
{
	struct json_object *object = device(&t->node[b->device], ok);

	put_text(object, "vm", b->use->vm, ok);
	put(object, "pid", json_object_new_int((int)b->use->pid), ok);
	put(object, "layers", json_object_new_int((int)b->layers), ok);
	put(object, "demanded", json_object_new_int((int)b->demanded), ok);
	put(object, "line", json_object_new_int((int)b->line), ok);
	put(object, "rests-on", device(&t->node[b->where], ok), ok);
	return object;
}

static struct json_object *policy(const struct check_result *r, bool *ok)
{
	struct json_object *object = json_object_new_object();
	struct json_object *breaches = json_object_new_array();
	size_t i;

	if (r->policy->there)
		put_text(object, "file", PATH_POLICY, ok);
	put(object, "vm-devices", json_object_new_int64((int64_t)r->nr_used), ok);
	for (i = 0; i < r->nr_breaches; i++)
		append(breaches, breach(r->tree, &r->breach[i], ok), ok);
	put(object, "breaches", breaches, ok);
	return object;
}

static int print_json(const struct check_result *r, struct reason *why)
{
	struct json_object *object = json_object_new_object();
	struct json_object *disks = json_object_new_array();
	const char *text = NULL;
	bool ok = true;
	size_t i;

	for (i = 0; i < r->nr_disks; i++)
		append(disks, disk(r->tree, &r->disk[i], &ok), &ok);
	put(object, "disks", disks, &ok);
	if (r->policy)
		put(object, "policy", policy(r, &ok), &ok);
	put(object, "clean", json_object_new_boolean(check_is_clean(r)), &ok);
	if (ok)
		text = json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY |
						      JSON_C_TO_STRING_SPACED |
						      JSON_C_TO_STRING_NOSLASHESCAPE);
	if (text)
		printf("%s\n", text);
	json_object_put(object);
	return text ? RC_OK : reason_nomem(why);
}

int check_print(const struct check_result *r, bool json, struct reason *why)
{
	if (json)
		return print_json(r, why);
	print_text(r);
	return RC_OK;
}
