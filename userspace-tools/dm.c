// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <libdevmapper.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "diag.h"
#include "dm.h"
#include "dm_left.h"
#include "module.h"
#include "ssesetup.h"

static void __attribute__((format(printf, 5, 6)))
dm_log_debug(int level, const char *file, int line, int dm_errno_or_class, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	(void)file;
	(void)line;
	(void)dm_errno_or_class;
	if (!diag_debugging() || (level & 0x7f) > 5)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	diag_debug("libdevmapper: %s", text);
}

void dm_setup(void)
{
	dm_log_with_errno_init(dm_log_debug);
}

const char *dm_dev_dir(void)
{
	return dm_dir();
}

/* An errno for a task that failed; libdevmapper doesn't always know one. */
static int task_errno(struct dm_task *dmt)
{
	int err = dm_task_get_errno(dmt);

	return err ? err : EINVAL;
}

/* One that needs neither a table nor udev. */
static int simple_task(int type, const char *name)
{
	struct dm_task *dmt = dm_task_create(type);
	int err = ENOMEM;

	if (!dmt)
		return ENOMEM;
	if (dm_task_set_name(dmt, name))
		err = dm_task_run(dmt) ? 0 : task_errno(dmt);
	dm_task_destroy(dmt);
	return err;
}

/* Runs a task that makes udev work, and waits until udev is done. */
static int run_with_udev(struct dm_task *dmt, uint32_t *cookie, uint16_t flags)
{
	int err;

	if (!dm_task_set_cookie(dmt, cookie, flags))
		return EINVAL;
	err = dm_task_run(dmt) ? 0 : task_errno(dmt);
	dm_udev_wait(*cookie);
	/* Where there is no udev the nodes are libdevmapper's own work. */
	dm_task_update_nodes();
	return err;
}

int dm_ready(void)
{
	struct dm_task *dmt;
	bool ok, again = true;

retry:
	/* Where there is no driver libdevmapper doesn't even make a task. */
	dmt = dm_task_create(DM_DEVICE_VERSION);
	ok = dmt && dm_task_run(dmt);
	if (dmt)
		dm_task_destroy(dmt);
	if (ok)
		return RC_OK;
	if (again && module_load("dm-mod")) {
		again = false;
		dm_lib_release();
		goto retry;
	}
	return diag_fail(RC_DEVICE, "Cannot initialize device-mapper. Is the module dm-mod loaded?\n"
			 "'modprobe dm-mod' says why it can't be; /dev/mapper/control must exist.");
}

bool dm_loaded(void)
{
	return !access("/sys/class/misc/device-mapper", F_OK);
}

int dm_target_version(const char *target, char *version, unsigned int size)
{
	struct dm_task *dmt = dm_task_create(DM_DEVICE_LIST_VERSIONS);
	struct dm_versions *v, *last;
	int err = 0;

	*version = '\0';
	if (!dmt)
		return ENOMEM;
	if (!dm_task_run(dmt)) {
		err = task_errno(dmt);
		goto out;
	}
	v = dm_task_get_versions(dmt);
	do {
		if (!strcmp(v->name, target))
			snprintf(version, size, "%u.%u.%u", v->version[0], v->version[1],
				 v->version[2]);
		last = v;
		v = (struct dm_versions *)((char *)v + v->next);
	} while (last->next);
out:
	dm_task_destroy(dmt);
	return err;
}

/* Status or table of @name. Fills in @m, except that it fills in only one line. */
static int query(int type, const char *name, struct dm_mapping *m, char **line)
{
	struct dm_task *dmt = dm_task_create(type);
	uint64_t start, length;
	char *target, *params;
	struct dm_info info;
	void *next = NULL;
	int err = ENOMEM;

	if (!dmt)
		return ENOMEM;
	/* What is asked must not wait for I/O, which may be stuck. */
	if (!dm_task_set_name(dmt, name) || !dm_task_no_flush(dmt))
		goto out;
	if (!dm_task_run(dmt)) {
		err = task_errno(dmt);
		/* Gone meanwhile, or never there. */
		if (err == ENXIO)
			err = 0;
		goto out;
	}
	if (!dm_task_get_info(dmt, &info)) {
		err = EINVAL;
		goto out;
	}
	err = 0;
	m->exists = info.exists;
	m->suspended = info.suspended;
	m->readonly = info.read_only;
	m->in_use = info.open_count > 0;
	m->deferred_remove = info.deferred_remove;
	m->major = info.major;
	m->minor = info.minor;
	if (!info.exists)
		goto out;
	if (dm_task_get_uuid(dmt))
		snprintf(m->uuid, sizeof(m->uuid), "%s", dm_task_get_uuid(dmt));
	m->nr_targets = 0;
	m->size = 0;
	do {
		next = dm_get_next_target(dmt, next, &start, &length, &target, &params);
		if (!target)
			break;
		if (!m->nr_targets++) {
			snprintf(m->target, sizeof(m->target), "%s", target);
			free(*line);
			*line = strdup(params ? params : "");
			if (!*line)
				err = ENOMEM;
		}
		m->size += length;
	} while (next);
out:
	dm_task_destroy(dmt);
	return err;
}

/*
 * The table is only asked for when the target is known to be sse: that of a
 * crypt mapping would bring its key into this process.
 */
int dm_query(const char *name, struct dm_mapping *m)
{
	int err;

	memset(m, 0, sizeof(*m));
	err = query(DM_DEVICE_STATUS, name, m, &m->info);
	if (!err && m->exists && !strcmp(m->target, DMSSE_TARGET) && m->nr_targets == 1)
		err = query(DM_DEVICE_TABLE, name, m, &m->table);
	if (err)
		dm_mapping_free(m);
	return err;
}

void dm_mapping_free(struct dm_mapping *m)
{
	free(m->table);
	free(m->info);
	m->table = NULL;
	m->info = NULL;
}

const char *dm_name(const char *arg)
{
	const char *dir = dm_dir();
	const char *name = arg;
	size_t len = strlen(dir);

	if (!strncmp(name, dir, len) && name[len] == '/')
		name += len + 1;
	if (!*name || strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, "..") ||
	    !strcmp(name, "control") || strlen(name) >= 128) {
		diag_error("'%s' can't be the name of a mapping: 1 to 127 characters, no slash.", arg);
		return NULL;
	}
	return name;
}

int dm_find(const char *name, struct dm_mapping *m)
{
	int rc, err;

	rc = dm_ready();
	if (rc)
		return rc;
	err = dm_query(name, m);
	if (err)
		return diag_kernel_refusal("Looking at the mapping", err, NULL);
	if (!m->exists)
		return diag_fail(RC_DEVICE, "Device %s is not active.", name);
	if (dm_is_left(m)) {
		dm_mapping_free(m);
		return dm_fail_left(RC_DEVICE, name);
	}
	if (m->nr_targets != 1 || strcmp(m->target, DMSSE_TARGET)) {
		rc = diag_fail(RC_DEVICE, "Device %s is not a mapping of target sse, but of %s.%s", name,
			       m->nr_targets ? m->target : "none (it has no table)",
			       strcmp(m->target, "crypt") ? "" : "\nUse cryptsetup for it.");
		dm_mapping_free(m);
		return rc;
	}
	return RC_OK;
}

static int each_name(int (*fn)(const char *name, void *arg), void *arg)
{
	struct dm_task *dmt = dm_task_create(DM_DEVICE_LIST);
	struct dm_names *n;
	unsigned int next = 0;
	int rc = 0;

	if (!dmt)
		return ENOMEM;
	if (!dm_task_run(dmt)) {
		rc = task_errno(dmt);
		goto out;
	}
	n = dm_task_get_names(dmt);
	if (!n->dev)
		goto out;
	do {
		n = (struct dm_names *)((char *)n + next);
		rc = fn(n->name, arg);
		next = n->next;
	} while (next && !rc);
out:
	dm_task_destroy(dmt);
	return rc;
}

struct each {
	int (*mapping)(const char *name, const struct dm_mapping *m, void *arg);
	int (*node)(const struct dm_node *node, void *arg);
	void *arg;
};

static int each_mapping(const char *name, void *arg)
{
	const struct each *e = arg;
	struct dm_mapping m;
	int rc = 0;

	/* Gone meanwhile, if it can't be asked. */
	if (dm_query(name, &m))
		return 0;
	if (m.table)
		rc = e->mapping(name, &m, e->arg);
	dm_mapping_free(&m);
	return rc;
}

int dm_each(int (*fn)(const char *name, const struct dm_mapping *m, void *arg), void *arg)
{
	struct each e = { .mapping = fn, .arg = arg };

	return each_name(each_mapping, &e);
}

static int each_node(const char *name, void *arg)
{
	struct dm_task *dmt = dm_task_create(DM_DEVICE_DEPS);
	const struct each *e = arg;
	struct dm_node node = { .name = name };
	struct dm_deps *deps;
	struct dm_info info;
	int rc = 0;

	if (!dmt)
		return ENOMEM;
	if (!dm_task_set_name(dmt, name) || !dm_task_run(dmt) || !dm_task_get_info(dmt, &info) ||
	    !info.exists)
		goto out;
	deps = dm_task_get_deps(dmt);
	node.uuid = dm_task_get_uuid(dmt);
	if (!deps || !node.uuid)
		goto out;
	node.nr_below = deps->count;
	node.below = deps->device;
	rc = e->node(&node, e->arg);
out:
	dm_task_destroy(dmt);
	return rc;
}

int dm_each_node(int (*fn)(const struct dm_node *node, void *arg), void *arg)
{
	struct each e = { .node = fn, .arg = arg };

	return each_name(each_node, &e);
}

/* Their tables have numbers of devices and no secret. */
static bool table_is_harmless(const char *type)
{
	static const char * const types[] = {
		DMSSE_TARGET, "linear", "cache", "writecache", "thin-pool", "era", "clone",
	};
	size_t i;

	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (!strcmp(type, types[i]))
			return true;
	return false;
}

static struct dm_task *query_device(int type, unsigned int major, unsigned int minor, int *err)
{
	struct dm_task *dmt = dm_task_create(type);

	*err = ENOMEM;
	if (!dmt)
		return NULL;
	if (dm_task_set_major(dmt, (int)major) && dm_task_set_minor(dmt, (int)minor) &&
	    dm_task_no_flush(dmt)) {
		if (dm_task_run(dmt))
			return dmt;
		*err = task_errno(dmt);
	}
	dm_task_destroy(dmt);
	return NULL;
}

int dm_each_target(unsigned int major, unsigned int minor,
		   int (*fn)(const char *type, const char *params, void *arg), void *arg)
{
	bool harmless = true;
	struct dm_task *dmt;
	uint64_t start, length;
	char *type, *params;
	void *next = NULL;
	int err, rc = 0;

	dmt = query_device(DM_DEVICE_STATUS, major, minor, &err);
	if (!dmt)
		return err;
	do {
		next = dm_get_next_target(dmt, next, &start, &length, &type, &params);
		harmless &= !type || table_is_harmless(type);
	} while (next);
	if (harmless) {
		dm_task_destroy(dmt);
		dmt = query_device(DM_DEVICE_TABLE, major, minor, &err);
		if (!dmt)
			return err;
	}
	do {
		next = dm_get_next_target(dmt, next, &start, &length, &type, &params);
		if (type)
			rc = fn(type, harmless ? params : NULL, arg);
	} while (next && !rc);
	dm_task_destroy(dmt);
	return rc;
}

int dm_reload(const char *name, const struct dm_load *load)
{
	struct dm_task *dmt = dm_task_create(DM_DEVICE_RELOAD);
	int err = ENOMEM;

	if (!dmt)
		return ENOMEM;
	if (dm_task_set_name(dmt, name) &&
	    dm_task_add_target(dmt, 0, load->size, load->target ? load->target : DMSSE_TARGET,
			       load->params) &&
	    (!load->readonly || dm_task_set_ro(dmt)))
		err = dm_task_run(dmt) ? 0 : task_errno(dmt);
	dm_task_destroy(dmt);
	return err;
}

/* Nobody shall look at what is in a mapping of our own, nor make links to it. */
#define HIDDEN_FLAGS	(DM_UDEV_DISABLE_SUBSYSTEM_RULES_FLAG |	\
			 DM_UDEV_DISABLE_DISK_RULES_FLAG |	\
			 DM_UDEV_DISABLE_OTHER_RULES_FLAG)
/* For our own rules, which remember it: udev/57-dm-sse.rules. */
#define SCAN_FLAG	DM_SUBSYSTEM_UDEV_FLAG0

static int resume(const char *name, unsigned int read_ahead, uint16_t flags)
{
	struct dm_task *dmt = dm_task_create(DM_DEVICE_RESUME);
	uint32_t cookie = 0;
	int err = ENOMEM;

	if (!dmt)
		return ENOMEM;
	if (dm_task_set_name(dmt, name) &&
	    (!read_ahead || dm_task_set_read_ahead(dmt, read_ahead, DM_READ_AHEAD_MINIMUM_FLAG)))
		err = run_with_udev(dmt, &cookie, flags);
	dm_task_destroy(dmt);
	return err;
}

/* An empty device: udev only hears of it when it is resumed. */
static int create_empty(const char *name, const char *uuid)
{
	struct dm_task *dmt = dm_task_create(DM_DEVICE_CREATE);
	int err = ENOMEM;

	if (!dmt)
		return ENOMEM;
	if (dm_task_set_name(dmt, name) && dm_task_set_uuid(dmt, uuid))
		err = dm_task_run(dmt) ? 0 : task_errno(dmt);
	dm_task_destroy(dmt);
	return err;
}

/*
 * libdevmapper could do it in one task, but would then give the errno of its
 * own clean-up and not that of the table.
 */
static int create(const char *name, const char *uuid, const struct dm_load *load)
{
	int err;

	err = create_empty(name, uuid);
	if (err)
		return err;
	err = dm_reload(name, load);
	if (!err)
		err = resume(name, load->read_ahead,
			     load->hidden ? HIDDEN_FLAGS : load->scan ? SCAN_FLAG : 0);
	if (err)
		dm_remove(name, false);
	return err;
}

int dm_create(const char *name, const char *uuid, const struct dm_load *load)
{
	int making = dm_making_begin();
	int err = create(name, uuid, load);

	dm_making_end(making);
	return err;
}

/* Drops a table that was loaded but is not live. */
int dm_clear(const char *name)
{
	return simple_task(DM_DEVICE_CLEAR, name);
}

int dm_suspend(const char *name)
{
	return simple_task(DM_DEVICE_SUSPEND, name);
}

int dm_resume(const char *name)
{
	return resume(name, 0, 0);
}

int dm_resume_hidden(const char *name)
{
	return resume(name, 0, HIDDEN_FLAGS);
}

int dm_remove(const char *name, bool deferred)
{
	struct dm_task *dmt = dm_task_create(DM_DEVICE_REMOVE);
	uint32_t cookie = 0;
	int err = ENOMEM;

	if (!dmt)
		return ENOMEM;
	/* udev's rules may hold the device for a moment: libdevmapper retries. */
	if (dm_task_set_name(dmt, name) &&
	    (deferred ? dm_task_deferred_remove(dmt) : dm_task_retry_remove(dmt)))
		/* A device that is still in use keeps its links, which are udev's. */
		err = run_with_udev(dmt, &cookie,
				    deferred ? DM_UDEV_DISABLE_LIBRARY_FALLBACK : 0);
	dm_task_destroy(dmt);
	/* Where there is no udev, libdevmapper takes the node away even so. */
	if (!err && deferred) {
		err = simple_task(DM_DEVICE_MKNODES, name);
		dm_task_update_nodes();
	}
	return err;
}

int dm_message(const char *name, const char *message)
{
	struct dm_task *dmt = dm_task_create(DM_DEVICE_TARGET_MSG);
	int err = ENOMEM;

	if (!dmt)
		return ENOMEM;
	if (dm_task_set_name(dmt, name) && dm_task_set_sector(dmt, 0) &&
	    dm_task_set_message(dmt, message))
		err = dm_task_run(dmt) ? 0 : task_errno(dmt);
	dm_task_destroy(dmt);
	return err;
}

int dm_keep(const char *name)
{
	return dm_message(name, "@cancel_deferred_remove");
}
