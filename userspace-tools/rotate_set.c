// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "des_usage.h"
#include "files.h"
#include "paths.h"
#include "rotate.h"
#include "rotate_goal.h"
#include "rotate_report.h"
#include "rotate_set.h"
#include "workers.h"

/* Operations with a key that one disk takes, at most, for the limit of its time. */
#define KEY_OPERATIONS	12
/* ... and seconds for its headers. */
#define HEADER_TIME	120

struct run {
	const struct rotate_options *o;
	struct des des;
	struct rotate_goal goal;
	struct known_disk *disks;
	size_t nr_disks;
	struct rotate_report report;
	size_t *failed;			/* indices of disks */
	size_t nr_failed;
	bool again;			/* the failed ones have their second try */
	struct reason first;		/* of the first disk that failed for good */
	const struct known_disk *first_disk;
	struct workers_left left;
	struct des_keys dk;		/* a worker's own */
};

/* In a worker */

static int begin(void *arg, struct reason *why)
{
	struct run *r = arg;

	return des_keys_open(&r->dk, r->des.name, why);
}

static void end(void *arg)
{
	struct run *r = arg;

	des_keys_close(&r->dk);
}

static void rotate_one(void *arg, size_t item, struct workers_result *result)
{
	enum rotate_outcome outcome = ROTATE_WAS_THERE;
	struct run *r = arg;

	result->why.rc = rotate_disk(&r->disks[item], &r->dk, &r->goal, &outcome, &result->why);
	result->outcome = (int)outcome;
	/* Each disk would wait as long as this one. */
	result->give_up = result->why.rc && des_keys_timed_out(&r->dk);
}

/* In the caller */

static void count_success(struct run *r, int outcome)
{
	if (outcome == ROTATE_MOVED)
		r->report.moved++;
	else if (outcome == ROTATE_WAS_THERE)
		r->report.there++;
	else
		r->report.elsewhere++;
}

static void failed_for_good(struct run *r, size_t item, const struct reason *why)
{
	if (!r->first.rc) {
		r->first = *why;
		r->first_disk = &r->disks[item];
	}
	rotate_report_failure(&r->report, &r->disks[item], why);
}

static void done(void *arg, size_t item, const struct workers_result *result)
{
	struct run *r = arg;

	if (r->again && !result->why.rc)
		r->report.failed--;
	if (!r->again && result->why.rc) {
		r->report.failed++;
		r->failed[r->nr_failed++] = item;
	}
	if (!result->why.rc)
		count_success(r, result->outcome);
	else if (r->again || result->give_up)
		failed_for_good(r, item, &result->why);
	rotate_report_progress(&r->report);
}

static int work(struct run *r, const size_t *items, size_t nr, struct reason *why)
{
	struct workers_job job = {
		.items = items,
		.nr = nr,
		.parallel = r->o->parallel,
		.limit = HEADER_TIME + KEY_OPERATIONS * r->des.timeout,
		.arg = r,
		.begin = begin,
		.run = rotate_one,
		.end = end,
		.done = done,
	};

	return workers_run(&job, &r->left, why);
}

static int work_twice(struct run *r, struct reason *why)
{
	size_t *all = calloc(r->nr_disks + 1, sizeof(*all));
	size_t i;
	int rc;

	r->failed = calloc(r->nr_disks + 1, sizeof(*r->failed));
	if (!all || !r->failed) {
		free(all);
		return reason_nomem(why);
	}
	for (i = 0; i < r->nr_disks; i++)
		all[i] = i;
	rc = work(r, all, r->nr_disks, why);
	free(all);
	/* What failed may have been busy, or its device away for a moment. */
	r->again = true;
	if (!rc && r->nr_failed && !r->left.nr)
		rc = work(r, r->failed, r->nr_failed, why);
	return rc;
}

static bool complete(const struct run *r)
{
	return !r->report.failed && !r->left.nr;
}

static void note_success(struct des *des, void *arg)
{
	const struct run *r = arg;
	const struct kek_version *version = rotate_goal_main(&r->goal, des);

	memcpy(des->active_version, version->version, sizeof(des->active_version));
	memcpy(des->active_fingerprint, version->fingerprint, sizeof(des->active_fingerprint));
	if (des->type == DES_PLATFORM_AND_CUSTOMER)
		memcpy(des->outer_version, r->goal.platform.version, sizeof(des->outer_version));
	des->last_rotation = time(NULL);
	des->last_error[0] = '\0';
	des->last_error_time = 0;
}

static void note_failure(struct des *des, void *arg)
{
	const struct run *r = arg;

	snprintf(des->last_error, sizeof(des->last_error), "%zu of %zu disks failed; the first, %.160s: %.280s",
		 r->report.failed + (r->left.gave_up ? r->left.nr : 0), r->nr_disks,
		 r->first_disk ? r->first_disk->device : "", r->first.text);
	des->last_error_time = time(NULL);
}

static void note_no_start(struct des *des, void *arg)
{
	const struct reason *why = arg;

	snprintf(des->last_error, sizeof(des->last_error), "%.500s", why->text);
	des->last_error_time = time(NULL);
}

static void update_state(struct des *des, void (*change)(struct des *des, void *arg), void *arg)
{
	struct reason why = { 0 };

	if (des_update_state(des, change, arg, &why))
		diag_warn("The state of set %s can't be written: %s", des->name, why.text);
}

/* Has a disk come since the rotation began, one that may be on an old version? */
static int has_newcomers(const struct run *r, bool *newcomers, struct reason *why)
{
	struct known_disk *list = NULL;
	size_t nr, i, j;
	int rc;

	*newcomers = false;
	rc = des_usage_disks(r->des.name, r->des.id, &list, &nr, why);
	for (i = 0; i < nr && !rc; i++) {
		for (j = 0; j < r->nr_disks; j++)
			if (!strcmp(list[i].device, r->disks[j].device) &&
			    !strcmp(list[i].header, r->disks[j].header) &&
			    !strcmp(list[i].uuid, r->disks[j].uuid))
				break;
		*newcomers |= j == r->nr_disks;
	}
	free(list);
	return rc;
}

static void list_versions(const struct kek_version *list, size_t nr, const char *keep, char *text,
			  size_t size)
{
	size_t i, len = 0;

	*text = '\0';
	/* The newest stays in any case. */
	for (i = 0; i + 1 < nr && len < size; i++)
		if (strcmp(list[i].version, keep))
			len += (size_t)snprintf(text + len, size - len, "%s%s", len ? "," : "",
						list[i].version);
}

static int drop_audited(struct des_keys *dk, const char *keep, struct reason *why)
{
	struct audit_subject subject = { .des = dk->des.name };
	struct kek_version *list = NULL;
	char dropped[256], uri[1024];
	struct kek_config config;
	struct audit audit;
	size_t nr;
	int rc;

	rc = kek_versions(dk->platform, &list, &nr, why);
	if (rc)
		return rc;
	list_versions(list, nr, keep, dropped, sizeof(dropped));
	free(list);
	if (!*dropped)
		return RC_OK;
	des_kek_config(&dk->des, dk->des.type == DES_PLATFORM ? TOKEN_SINGLE : TOKEN_OUTER, uri,
		       sizeof(uri), &config);
	subject.key = config.uri;
	subject.version = dropped;
	rc = audit_intent(&audit, AUDIT_KEY_DESTROY, &subject, why);
	if (rc)
		return rc;
	rc = kek_drop_versions(dk->platform, keep, why);
	audit_result(&audit, rc ? why : NULL);
	return rc;
}

static int drop_old_versions(const struct run *r, struct reason *why)
{
	struct des_keys dk;
	bool newcomers;
	int rc, lock;

	rc = des_keys_stop_wrapping(&r->des, &lock, why);
	if (rc)
		return rc;
	rc = has_newcomers(r, &newcomers, why);
	if (!rc && newcomers)
		rc = reason_set(why, RC_BUSY, "Disks were added meanwhile.");
	if (!rc)
		rc = des_keys_open(&dk, r->des.name, why);
	if (!rc) {
		rc = drop_audited(&dk, r->goal.platform.version, why);
		des_keys_close(&dk);
	}
	close(lock);
	return rc;
}

/*
 * Only when asked: a snapshot, a backup of a header, or an image that this host
 * doesn't know may still need them.
 */
static int drop(const struct run *r, struct reason *why)
{
	int rc = RC_OK;

	if (!r->o->destroy_old)
		return RC_OK;
	if (r->report.elsewhere)
		rc = reason_set(why, RC_BUSY, "Disks have moved to other sets meanwhile.");
	if (!rc)
		rc = drop_old_versions(r, why);
	if (rc)
		reason_prefix(why, "All disks have moved, but older versions of the platform's key are still there");
	return rc;
}

static int finish(struct run *r, struct reason *why)
{
	char target[KEK_VERSION_MAX + 16];

	snprintf(target, sizeof(target), "version %s",
		 rotate_goal_main(&r->goal, &r->des)->version);
	rotate_report_end(&r->report, target, r->left.nr);
	if (complete(r)) {
		update_state(&r->des, note_success, r);
		return drop(r, why);
	}
	if (r->first.rc)
		update_state(&r->des, note_failure, r);
	if (r->left.interrupted)
		return reason_set(why, RC_PARAM,
			"Interrupted: 'ssesetup des rotate %s' goes on where this stopped.", r->des.name);
	return reason_said(why, r->first.rc);
}

static bool all_are_there(const struct run *r)
{
	const struct kek_version *newest = rotate_goal_main(&r->goal, &r->des);
	size_t i;

	if (strcmp(newest->version, r->des.active_version) ||
	    strcmp(newest->fingerprint, r->des.active_fingerprint))
		return false;
	for (i = 0; i < r->nr_disks; i++)
		if (!rotate_is_there(&r->disks[i], &r->des, &r->goal))
			return false;
	return true;
}

static int run_all(struct run *r, struct reason *why)
{
	int rc;

	rotate_report_start(&r->report, r->nr_disks);
	rc = work_twice(r, why);
	free(r->failed);
	return rc ? rc : finish(r, why);
}

/* Returns RC_OK with *@nothing set if there is nothing to do. */
static int prepare(struct run *r, bool *nothing, struct reason *why)
{
	bool make = !r->o->automatic;
	struct des_keys dk;
	int rc;

	*nothing = false;
	rc = des_keys_open(&dk, r->des.name, why);
	if (rc)
		return rc;
	r->des = dk.des;
	rc = des_keys_usable(&dk, why);
	if (!rc && r->o->destroy_old && dk.des.type == DES_CUSTOMER)
		rc = reason_set(why, RC_PARAM,
			"The versions of a customer's key are the customer's to destroy, with the tools of\n"
			"whatever holds it: --destroy-old is for the platform's.");
	if (!rc)
		rc = rotate_goal_choose(&dk, r->o->to, make, &r->goal, why);
	if (!rc)
		rc = des_usage_disks(r->des.name, r->des.id, &r->disks, &r->nr_disks, why);
	if (!rc && r->o->automatic && all_are_there(r))
		*nothing = true;
	if (!rc && !*nothing) {
		rc = rotate_goal_prove(&dk, &r->goal, why);
		if (rc)
			update_state(&r->des, note_no_start, why);
	}
	/* Its lock would keep us from dropping versions. */
	des_keys_close(&dk);
	return rc;
}

/* Two rotations of a set would each make a version, and drop the other's. */
static int lock_set(const struct des *des, int *fd, struct reason *why)
{
	char path[sizeof(PATH_RUN) + 64];
	int rc;

	rc = files_make_directory(PATH_RUN "/locks", why);
	if (rc)
		return rc;
	snprintf(path, sizeof(path), PATH_RUN "/locks/rotate-%.40s", des->id);
	*fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (*fd < 0)
		return reason_set(why, RC_PERM, "Lock %s can't be made: %s.", path, strerror(errno));
	if (!flock(*fd, LOCK_EX | LOCK_NB))
		return RC_OK;
	close(*fd);
	return reason_set(why, RC_BUSY, "A rotation of set %s is running.", des->name);
}

int rotate_set(const char *name, const struct rotate_options *o, struct reason *why)
{
	struct run r = { .o = o };
	bool nothing;
	int rc, lock;

	rc = des_load(name, &r.des, why);
	if (!rc)
		rc = lock_set(&r.des, &lock, why);
	if (rc)
		return rc;
	rc = prepare(&r, &nothing, why);
	if (!rc && !nothing)
		rc = run_all(&r, why);
	free(r.disks);
	close(lock);
	return rc;
}
