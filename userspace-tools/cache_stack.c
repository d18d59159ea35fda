// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "blockdev.h"
#include "cache_stack.h"
#include "dm.h"
#include "kmsg.h"
#include "module.h"
#include "ssesetup.h"

#define UUID_PREFIX	DMSSE_UUID_PREFIX "CACHE-"

/* How long the cache may write back nothing at all. */
#define STALL_SECONDS	120
#define POLL_MS		100

static bool is_writecache(const struct cache_stack *s)
{
	return s->mode == CACHE_WRITECACHE;
}

static int need_target(const char *target, const char *module, struct reason *why)
{
	char version[32];

	dm_target_version(target, version, sizeof(version));
	if (!*version) {
		module_load(module);
		dm_target_version(target, version, sizeof(version));
	}
	if (*version)
		return RC_OK;
	return reason_set(why, RC_DEVICE,
		"The kernel has no target %s: 'modprobe %s' says why it can't be loaded.", target, module);
}

static int create(const char *name, const char *role, const struct dm_load *load,
		  struct reason *why)
{
	char uuid[130], line[1024];
	struct dm_mapping m;
	int err, mark;

	err = dm_query(name, &m);
	if (!err && m.exists) {
		dm_mapping_free(&m);
		return reason_set(why, RC_BUSY, "Device %s already exists.", name);
	}
	dm_mapping_free(&m);
	diag_debug("%s: 0 %" PRIu64 " %s %s", name, load->size, load->target, load->params);
	snprintf(uuid, sizeof(uuid), UUID_PREFIX "%s-%.100s", role, name);
	mark = kmsg_mark();
	err = dm_create(name, uuid, load);
	if (!err) {
		kmsg_close(mark);
		return RC_OK;
	}
	if (kmsg_last(mark, line, sizeof(line)))
		return reason_set(why, RC_DEVICE, "The cache can't be made, for the kernel says: %.300s",
				  line);
	return reason_set(why, RC_DEVICE, "The cache can't be made: %s: %s.", name, strerror(err));
}

static int create_part(const char *name, const char *role, const struct cache_part *part,
		       uint64_t start, uint64_t size, struct reason *why)
{
	char params[64];
	struct dm_load load = {
		.target = "linear",
		.size = size,
		.params = params,
		.hidden = true,
	};

	snprintf(params, sizeof(params), "%u:%u %" PRIu64, part->major, part->minor,
		 part->start + start);
	return create(name, role, &load, why);
}

static bool number_of(const char *name, unsigned int *major, unsigned int *minor)
{
	struct dm_mapping m;
	bool exists;

	if (dm_query(name, &m))
		return false;
	exists = m.exists;
	*major = m.major;
	*minor = m.minor;
	dm_mapping_free(&m);
	return exists;
}

/* The parameters of dm-cache with this policy, or of dm-writecache. To be freed. */
static char *top_params(const struct cache_stack *s, const char *policy)
{
	unsigned int om, on, sm, sn, mm = 0, mn = 0;
	char *params;
	int n;

	if (!number_of(s->origin, &om, &on) || !number_of(s->ssd, &sm, &sn) ||
	    (*s->meta && !number_of(s->meta, &mm, &mn)))
		return NULL;
	if (is_writecache(s))
		n = asprintf(&params, "s %u:%u %u:%u %u 0", om, on, sm, sn, s->block * 512);
	else
		n = asprintf(&params, "%u:%u %u:%u %u:%u %u 2 metadata2 %s %s 0", mm, mn, sm, sn, om,
			     on, s->block, cache_mode_name(s->mode), policy);
	return n < 0 ? NULL : params;
}

static int create_top(struct cache_stack *s, struct reason *why)
{
	struct dm_load load = {
		.target = is_writecache(s) ? "writecache" : "cache",
		.size = s->size,
		.hidden = true,
	};
	char *params = top_params(s, "smq");
	int rc;

	if (!params)
		return reason_nomem(why);
	load.params = params;
	rc = create(s->top, "top", &load, why);
	free(params);
	if (!rc && !number_of(s->top, &s->major, &s->minor))
		rc = reason_set(why, RC_DEVICE, "Device %s is gone.", s->top);
	return rc;
}

static void name_parts(struct cache_stack *s, const char *name)
{
	snprintf(s->top, sizeof(s->top), "%.*s.sse-cache", CACHE_NAME_MAX, name);
	snprintf(s->origin, sizeof(s->origin), "%.*s.sse-origin", CACHE_NAME_MAX, name);
	snprintf(s->ssd, sizeof(s->ssd), "%.*s.sse-ssd", CACHE_NAME_MAX, name);
	snprintf(s->meta, sizeof(s->meta), "%.*s.sse-meta", CACHE_NAME_MAX, name);
}

int cache_stack_make(struct cache_stack *s, const char *name, const struct cache_label *l,
		     const struct cache_part *data, const struct cache_part *cache,
		     struct reason *why)
{
	int rc;

	memset(s, 0, sizeof(*s));
	name_parts(s, name);
	s->mode = l->mode;
	s->size = l->data;
	s->block = l->block;
	if (is_writecache(s)) {
		*s->meta = '\0';
		rc = need_target("writecache", "dm-writecache", why);
	} else {
		rc = need_target("cache", "dm-cache", why);
	}
	if (rc)
		return rc;
	rc = create_part(s->origin, "origin", data, 0, l->data, why);
	if (rc)
		return rc;
	rc = create_part(s->ssd, "ssd", cache, l->start, l->size, why);
	if (rc)
		goto remove_origin;
	if (*s->meta)
		rc = create_part(s->meta, "meta", cache, l->metadata_start, l->metadata_size, why);
	if (rc)
		goto remove_ssd;
	rc = create_top(s, why);
	if (!rc)
		return RC_OK;
	if (*s->meta)
		dm_remove(s->meta, false);
remove_ssd:
	dm_remove(s->ssd, false);
remove_origin:
	dm_remove(s->origin, false);
	return rc;
}

/* The name of a mapping by its number. */
static bool mapping_name(unsigned int major, unsigned int minor, char *name, size_t size)
{
	char path[PATH_MAX];
	const char *dir = dm_dev_dir();
	size_t len = strlen(dir);

	blockdev_name(major, minor, path, sizeof(path));
	if (strncmp(path, dir, len) || path[len] != '/' || strlen(path + len + 1) >= size)
		return false;
	strcpy(name, path + len + 1);
	return true;
}

static int copy_params(const char *type, const char *params, void *arg)
{
	char **copy = arg;

	(void)type;
	if (params && !*copy)
		*copy = strdup(params);
	return 0;
}

/* Of what device it is a part, and where that begins. */
static bool part_of(unsigned int major, unsigned int minor, unsigned int *of_major,
		    unsigned int *of_minor, uint64_t *start)
{
	char *params = NULL;
	bool ok;

	dm_each_target(major, minor, copy_params, &params);
	ok = params && sscanf(params, "%u:%u %" SCNu64, of_major, of_minor, start) == 3;
	free(params);
	return ok;
}

static bool parse_top(struct cache_stack *s, const char *target, const char *params)
{
	unsigned int om, on, sm, sn, mm, mn, block;
	uint64_t cache_start;

	if (!strcmp(target, "writecache")) {
		if (sscanf(params, "s %u:%u %u:%u %u", &om, &on, &sm, &sn, &block) != 5)
			return false;
		s->mode = CACHE_WRITECACHE;
		s->block = block / 512;
		*s->meta = '\0';
	} else if (!strcmp(target, "cache")) {
		if (sscanf(params, "%u:%u %u:%u %u:%u %u", &mm, &mn, &sm, &sn, &om, &on, &block) != 7 ||
		    !mapping_name(mm, mn, s->meta, sizeof(s->meta)))
			return false;
		s->mode = strstr(params, " writethrough ") ? CACHE_WRITETHROUGH : CACHE_WRITEBACK;
		s->block = block;
	} else {
		return false;
	}
	return mapping_name(om, on, s->origin, sizeof(s->origin)) &&
	       mapping_name(sm, sn, s->ssd, sizeof(s->ssd)) &&
	       part_of(om, on, &s->disk_major, &s->disk_minor, &s->disk_start) &&
	       part_of(sm, sn, &s->cache_major, &s->cache_minor, &cache_start);
}

bool cache_stack_find(unsigned int major, unsigned int minor, struct cache_stack *s)
{
	char *params = NULL;
	struct dm_mapping m;
	bool ok;

	memset(s, 0, sizeof(*s));
	if (!mapping_name(major, minor, s->top, sizeof(s->top)) || dm_query(s->top, &m))
		return false;
	ok = m.exists && !strncmp(m.uuid, UUID_PREFIX "top-", strlen(UUID_PREFIX "top-"));
	if (ok) {
		s->major = major;
		s->minor = minor;
		s->size = m.size;
		dm_each_target(major, minor, copy_params, &params);
		ok = params && parse_top(s, m.target, params);
		free(params);
	}
	dm_mapping_free(&m);
	return ok;
}

static bool is_part(const char *name, bool *in_use)
{
	struct dm_mapping m;
	bool ours;

	if (dm_query(name, &m))
		return false;
	ours = m.exists && !strncmp(m.uuid, UUID_PREFIX, strlen(UUID_PREFIX));
	*in_use = m.in_use;
	dm_mapping_free(&m);
	return ours;
}

bool cache_stack_find_left(const char *name, struct cache_stack *s)
{
	struct cache_stack parts;
	const char *part[] = { parts.meta, parts.ssd, parts.origin };
	unsigned int major, minor;
	bool in_use;
	size_t i;

	/* What would be cut off the name could make it another disk's. */
	if (strlen(name) > CACHE_NAME_MAX)
		return false;
	memset(&parts, 0, sizeof(parts));
	name_parts(&parts, name);
	if (is_part(parts.top, &in_use))
		return !in_use && number_of(parts.top, &major, &minor) &&
		       cache_stack_find(major, minor, s);
	for (i = 0; i < sizeof(part) / sizeof(part[0]); i++)
		if (is_part(part[i], &in_use) && !in_use)
			dm_remove(part[i], false);
	return false;
}

/*
 * dm-writecache: ERROR BLOCKS FREE WRITEBACK [READS READ-HITS WRITES
 * WRITE-HITS-UNCOMMITTED WRITE-HITS-COMMITTED ...]
 */
static bool parse_writecache(const char *info, struct cache_status *s)
{
	uint64_t free_blocks, reads, writes, uncommitted, committed;
	long error;
	int n;

	n = sscanf(info, "%ld %" SCNu64 " %" SCNu64 " %*u %" SCNu64 " %" SCNu64 " %" SCNu64
		   " %" SCNu64 " %" SCNu64, &error, &s->blocks, &free_blocks, &reads, &s->read_hits,
		   &writes, &uncommitted, &committed);
	if (n < 3 || free_blocks > s->blocks)
		return false;
	s->failed = error != 0;
	s->used = s->blocks - free_blocks;
	s->dirty = s->used;
	s->has_hits = n == 8;
	if (s->has_hits) {
		s->read_misses = reads - s->read_hits;
		s->write_hits = uncommitted + committed;
		s->write_misses = writes - s->write_hits;
	}
	return true;
}

/*
 * dm-cache: METADATA-BLOCK USED/TOTAL BLOCK USED/TOTAL READ-HITS READ-MISSES
 * WRITE-HITS WRITE-MISSES DEMOTIONS PROMOTIONS DIRTY ...; or "Fail" or "Error".
 */
static bool parse_cache(const char *info, struct cache_status *s)
{
	if (!strncmp(info, "Fail", 4) || !strncmp(info, "Error", 5)) {
		s->failed = true;
		return true;
	}
	s->has_hits = true;
	return sscanf(info, "%*u %*u/%*u %*u %" SCNu64 "/%" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
		      " %" SCNu64 " %*u %*u %" SCNu64, &s->used, &s->blocks, &s->read_hits,
		      &s->read_misses, &s->write_hits, &s->write_misses, &s->dirty) == 7;
}

int cache_stack_status(const struct cache_stack *s, struct cache_status *status,
		       struct reason *why)
{
	struct dm_mapping m;
	bool ok;
	int err;

	memset(status, 0, sizeof(*status));
	err = dm_query(s->top, &m);
	if (err || !m.exists)
		return reason_set(why, RC_DEVICE, "The cache %s can't be looked at: %s.", s->top,
				  strerror(err ? err : ENXIO));
	ok = m.info && (is_writecache(s) ? parse_writecache(m.info, status) :
					   parse_cache(m.info, status));
	dm_mapping_free(&m);
	if (ok)
		return RC_OK;
	return reason_set(why, RC_DEVICE, "The status of the cache %s isn't understood.", s->top);
}

/* The policy that brings everything home, with nothing to hold it up. */
static int use_cleaner(const struct cache_stack *s, struct reason *why)
{
	struct dm_load load = { .target = "cache", .size = s->size };
	char *params = top_params(s, "cleaner");
	int err;

	if (!params)
		return reason_nomem(why);
	load.params = params;
	err = dm_suspend(s->top);
	if (!err)
		err = dm_reload(s->top, &load);
	if (err)
		dm_clear(s->top);
	if (dm_resume_hidden(s->top) && !err)
		err = EIO;
	free(params);
	if (err)
		return reason_set(why, RC_DEVICE, "The cache %s doesn't take the cleaner policy: %s.",
				  s->top, strerror(err));
	err = dm_message(s->top, "migration_threshold 2097152");
	if (err)
		diag_debug("%s: migration_threshold: %s", s->top, strerror(err));
	return RC_OK;
}

static int flush_step(const struct cache_stack *s, struct reason *why)
{
	const struct timespec pause = { .tv_nsec = POLL_MS * 1000 * 1000 };
	int err = 0;

	if (is_writecache(s))
		err = dm_message(s->top, "flush");
	if (err)
		return reason_set(why, RC_DEVICE, "The cache %s can't be written back: %s.", s->top,
				  strerror(err));
	nanosleep(&pause, NULL);
	return RC_OK;
}

/* Until nothing is dirty. */
static int drain(const struct cache_stack *s, struct reason *why)
{
	unsigned int stalled = 0;
	struct cache_status now;
	uint64_t least = UINT64_MAX;
	int rc;

	for (;;) {
		rc = cache_stack_status(s, &now, why);
		if (rc)
			return rc;
		if (now.failed)
			return reason_set(why, RC_DEVICE, "The cache %s has failed: the kernel's log says why.",
					  s->top);
		if (!now.dirty)
			return RC_OK;
		if (now.dirty < least) {
			diag_verbose("Writing back the cache: %" PRIu64 " blocks to go.", now.dirty);
			least = now.dirty;
			stalled = 0;
		} else if (++stalled > STALL_SECONDS * 1000 / POLL_MS) {
			return reason_set(why, RC_DEVICE,
				"The cache %s writes nothing back any more: %" PRIu64 " blocks are left.",
				s->top, now.dirty);
		}
		rc = flush_step(s, why);
		if (rc)
			return rc;
	}
}

/* dm-cache calls clean what a disk may still have in a write cache of its own. */
static int sync_disk(const struct cache_stack *s, struct reason *why)
{
	char path[PATH_MAX];
	int fd, err = 0;

	blockdev_name(s->disk_major, s->disk_minor, path, sizeof(path));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fsync(fd))
		err = errno;
	if (fd >= 0)
		close(fd);
	if (!err)
		return RC_OK;
	return reason_set(why, RC_DEVICE, "Disk %.200s doesn't keep what is written back: %s.", path,
			  strerror(err));
}

int cache_stack_flush(const struct cache_stack *s, struct reason *why)
{
	struct cache_status now;
	int rc;

	rc = cache_stack_status(s, &now, why);
	if (rc)
		return rc;
	if (is_writecache(s))
		rc = flush_step(s, why);
	else if (now.dirty || now.failed)
		rc = use_cleaner(s, why);
	if (!rc)
		rc = drain(s, why);
	return rc ? rc : sync_disk(s, why);
}

int cache_stack_remove(const struct cache_stack *s, struct reason *why)
{
	const char *part[] = { s->top, s->origin, s->ssd, s->meta };
	size_t i;
	int err;

	for (i = 0; i < sizeof(part) / sizeof(part[0]); i++) {
		if (!*part[i])
			continue;
		err = dm_remove(part[i], false);
		if (err && err != ENXIO)
			return reason_set(why, RC_BUSY, "Device %s can't be removed: %s.", part[i],
					  strerror(err));
	}
	return RC_OK;
}

void cache_stack_defer(const struct cache_stack *s)
{
	const char *part[] = { s->top, s->origin, s->ssd, s->meta };
	size_t i;

	for (i = 0; i < sizeof(part) / sizeof(part[0]); i++)
		if (*part[i])
			dm_remove(part[i], true);
}

void cache_stack_cancel_deferred(const struct cache_stack *s)
{
	const char *part[] = { s->top, s->origin, s->ssd, s->meta };
	size_t i;

	for (i = 0; i < sizeof(part) / sizeof(part[0]); i++)
		if (*part[i])
			dm_keep(part[i]);
}
