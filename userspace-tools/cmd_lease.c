// SPDX-License-Identifier: GPL-2.0-only
/*
 * ssesetup lease renew [NAME]
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lease.h"
#include "opened.h"
#include "ssesetup.h"

/* An open disk of a set. */
struct open_disk {
	char mapping[128];
	char des[DES_NAME_MAX];
	bool lapsed;
};

struct open_disks {
	struct open_disk *list;
	size_t nr;
};

static int add(const char *mapping, const struct dm_mapping *m, void *arg)
{
	struct open_disks *disks = arg;
	struct open_disk *grown, *d;
	struct known_disk known = { .added = 0 };
	struct reason unknown;

	/* What the register has wrong is told when it is renewed. */
	if (!lease_is_ours(m) || (opened_find(mapping, m, &known, &unknown) && !*known.device))
		return 0;
	grown = realloc(disks->list, (disks->nr + 1) * sizeof(*grown));
	if (!grown)
		return ENOMEM;
	disks->list = grown;
	d = &grown[disks->nr++];
	snprintf(d->mapping, sizeof(d->mapping), "%s", mapping);
	memcpy(d->des, known.des, sizeof(d->des));
	d->lapsed = !strncmp(m->info, "lapsed", strlen("lapsed"));
	return 0;
}

static int by_set(const void *a, const void *b)
{
	const struct open_disk *x = a, *y = b;
	int order = strcmp(x->des, y->des);

	return order ? order : strcmp(x->mapping, y->mapping);
}

/* A third of the lease leaves two more chances. */
static bool due(const struct des *des, const struct open_disk *disks, size_t nr)
{
	time_t age = time(NULL) - des->last_renewal;
	size_t i;

	for (i = 0; i < nr; i++)
		if (disks[i].lapsed)
			return true;
	/* A clock that was set back makes an age negative. */
	return des->lease && (age < 0 || (unsigned long)age >= des->lease / 3);
}

static void note_renewal(struct des *des, void *arg)
{
	des->last_renewal = *(time_t *)arg;
}

static int renew_disks(struct des_keys *dk, const struct open_disk *disks, size_t nr)
{
	struct reason why = { 0 };
	time_t now = time(NULL);
	int rc = RC_OK;
	size_t i;

	for (i = 0; i < nr; i++) {
		if (!lease_renew(dk, disks[i].mapping, &why)) {
			diag_verbose("%s: renewed.", disks[i].mapping);
			continue;
		}
		reason_prefix(&why, "%s", disks[i].mapping);
		rc = reason_say(&why);
	}
	if (!rc && des_update_state(&dk->des, note_renewal, &now, &why))
		reason_say(&why);
	return rc;
}

static int renew_set(const struct open_disk *disks, size_t nr, bool only_due)
{
	struct reason why = { 0 };
	struct des_keys dk;
	int rc = RC_OK;

	if (des_keys_open(&dk, disks[0].des, &why)) {
		reason_prefix(&why, "%s", disks[0].mapping);
		return reason_say(&why);
	}
	/* Nobody needs to be told every few seconds that a set is disabled. */
	if (!only_due || (dk.des.enabled && due(&dk.des, disks, nr)))
		rc = renew_disks(&dk, disks, nr);
	des_keys_close(&dk);
	return rc;
}

/* A process for each set: a provider that hangs holds its own disks back only. */
static int renew_all(const struct open_disks *disks, bool only_due)
{
	int rc = RC_OK, status;
	size_t i, nr;
	pid_t pid;

	for (i = 0; i < disks->nr; i += nr) {
		for (nr = 1; i + nr < disks->nr; nr++)
			if (strcmp(disks->list[i].des, disks->list[i + nr].des))
				break;
		fflush(stdout);
		pid = fork();
		if (pid < 0)
			return diag_fail(RC_NOMEM, "No process can be made: %s.", strerror(errno));
		if (!pid)
			exit(renew_set(&disks->list[i], nr, only_due));
	}
	while (wait(&status) > 0 || errno == EINTR) {
		if (!WIFEXITED(status))
			rc = diag_fail(RC_PERM, "A process that renewed leases died of signal %d.",
				       WTERMSIG(status));
		else if (WEXITSTATUS(status))
			rc = WEXITSTATUS(status);
	}
	return rc;
}

static int renew_one(const struct open_disks *disks, const char *name)
{
	size_t i;

	for (i = 0; i < disks->nr; i++)
		if (!strcmp(disks->list[i].mapping, name))
			return renew_set(&disks->list[i], 1, false);
	return diag_fail(RC_DEVICE, "Device %s is not an open disk of a disk encryption set.", name);
}

int cmd_lease_renew(const struct options *o, int argc, char **argv)
{
	struct open_disks disks = { 0 };
	const char *name = NULL;
	int rc;

	if (argc == 1) {
		name = dm_name(argv[0]);
		if (!name)
			return RC_PARAM;
	}
	if (!name == !opt_given(o, OPT_ALL))
		return diag_fail(RC_PARAM, "Which disk? Give its NAME, or --all.");
	if (opt_given(o, OPT_DUE) && name)
		return diag_fail(RC_PARAM, "--due goes with --all.");
	if (opt_given(o, OPT_TEST_ARGS))
		return RC_OK;
	rc = dm_ready();
	if (rc)
		return rc;
	if (dm_each(add, &disks))
		rc = diag_fail(RC_DEVICE, "The open devices can't be listed.");
	if (disks.nr)
		qsort(disks.list, disks.nr, sizeof(*disks.list), by_set);
	if (!rc)
		rc = name ? renew_one(&disks, name) : renew_all(&disks, opt_given(o, OPT_DUE));
	free(disks.list);
	return rc;
}
