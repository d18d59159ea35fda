// SPDX-License-Identifier: GPL-2.0-only
/*
 * ssesetup tab list, tab start NAME, tab stop NAME: the disks in /etc/ssetab. A
 * host with systemd opens them by itself, by the units of dm-sse-generator.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "diag.h"
#include "dm.h"
#include "paths.h"
#include "ssesetup.h"
#include "ssetab_command.h"

static int say_broken(const struct ssetab_entry *e)
{
	struct reason why = e->why;

	reason_prefix(&why, PATH_SSETAB);
	return reason_say(&why);
}

static int load(struct ssetab *tab)
{
	struct reason why = { 0 };

	return ssetab_load(tab, &why) ? reason_say(&why) : RC_OK;
}

static bool is_open(const char *name)
{
	struct dm_mapping m;
	bool exists;

	if (dm_query(name, &m))
		return false;
	exists = m.exists;
	dm_mapping_free(&m);
	return exists;
}

/* A process of its own, so that one disk leaves nothing behind for the next. */
static int run_self(const struct ssetab_command *c)
{
	char *argv[sizeof(c->argv) / sizeof(c->argv[0]) + 1] = { (char[]){ "ssesetup" } };
	int status;
	pid_t pid;

	memcpy(&argv[1], c->argv, c->argc * sizeof(argv[0]));
	fflush(stdout);
	pid = fork();
	if (pid < 0)
		return diag_fail(RC_NOMEM, "No process can be made: %s.", strerror(errno));
	if (!pid) {
		execv("/proc/self/exe", argv);
		_exit(diag_fail(RC_DEVICE, "/proc/self/exe can't be run: %s.", strerror(errno)));
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return diag_fail(RC_DEVICE, "A process is lost: %s.", strerror(errno));
	return WIFEXITED(status) ? WEXITSTATUS(status) : RC_DEVICE;
}

static int start(const struct options *o, const struct ssetab_entry *e)
{
	struct ssetab_command c;

	(void)o;
	if (e->why.rc)
		return say_broken(e);
	ssetab_command(e, &c);
	return run_self(&c);
}

static int stop(const struct options *o, const struct ssetab_entry *e)
{
	char *argv[] = { (char *)(uintptr_t)e->name, NULL };

	return cmd_close(o, 1, argv);
}

static int start_all(const struct options *o, const struct ssetab *tab)
{
	const struct ssetab_entry *e;
	int rc = RC_OK, failed;

	for (e = tab->entries; e < tab->entries + tab->nr; e++) {
		if (e->noauto || (e->name && is_open(e->name)))
			continue;
		failed = start(o, e);
		if (failed && !e->nofail)
			rc = failed;
	}
	return rc;
}

/* What was opened last may lie on what was opened first. */
static int stop_all(const struct options *o, const struct ssetab *tab)
{
	int rc = RC_OK, failed;
	size_t i;

	for (i = tab->nr; i-- > 0; ) {
		if (!tab->entries[i].name || !is_open(tab->entries[i].name))
			continue;
		failed = stop(o, &tab->entries[i]);
		if (failed)
			rc = failed;
	}
	return rc;
}

static int find(const struct ssetab *tab, const char *name, const struct ssetab_entry **e)
{
	*e = ssetab_find(tab, name);
	if (!*e)
		return diag_fail(RC_DEVICE, "%s has no disk %s.", PATH_SSETAB, name);
	return RC_OK;
}

static int each(const struct options *o, int argc, char **argv,
		int (*one)(const struct options *o, const struct ssetab_entry *e),
		int (*all)(const struct options *o, const struct ssetab *tab))
{
	const struct ssetab_entry *e;
	const char *name = NULL;
	struct ssetab tab;
	int rc;

	if (argc == 1) {
		name = dm_name(argv[0]);
		if (!name)
			return RC_PARAM;
	}
	if (!name == !opt_given(o, OPT_ALL))
		return diag_fail(RC_PARAM, "Which disk? Give its NAME, or --all.");
	if (opt_given(o, OPT_TEST_ARGS))
		return RC_OK;
	rc = load(&tab);
	if (rc)
		return rc;
	if (name) {
		rc = find(&tab, name, &e);
		if (!rc)
			rc = one(o, e);
	} else {
		rc = dm_ready();
		if (!rc)
			rc = all(o, &tab);
	}
	ssetab_free(&tab);
	return rc;
}

int cmd_tab_start(const struct options *o, int argc, char **argv)
{
	return each(o, argc, argv, start, start_all);
}

int cmd_tab_stop(const struct options *o, int argc, char **argv)
{
	return each(o, argc, argv, stop, stop_all);
}

int cmd_tab_list(const struct options *o, int argc, char **argv)
{
	const struct ssetab_entry *e;
	struct ssetab tab;
	int rc;

	(void)argc;
	(void)argv;
	if (opt_given(o, OPT_TEST_ARGS))
		return RC_OK;
	rc = load(&tab);
	if (rc)
		return rc;
	for (e = tab.entries; e < tab.entries + tab.nr; e++) {
		if (e == tab.entries)
			printf("%-24s %-8s %s\n", "NAME", "STATE", "DEVICE");
		if (e->why.rc)
			rc = say_broken(e);
		else
			printf("%-24s %-8s %s\n", e->name, is_open(e->name) ? "open" : "closed",
			       e->device);
	}
	ssetab_free(&tab);
	return rc;
}
