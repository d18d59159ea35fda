// SPDX-License-Identifier: GPL-2.0-only
/*
 * ssesetup: sets up disks that the dm-sse target encrypts.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit.h"
#include "diag.h"
#include "dm.h"
#include "secmem.h"
#include "ssesetup.h"

#define OPTS_KEYFILE	(OPT_BIT(OPT_KEY_FILE) | OPT_BIT(OPT_KEYFILE_SIZE) |	\
			 OPT_BIT(OPT_KEYFILE_OFFSET))
#define OPTS_OUTER	(OPT_BIT(OPT_DOUBLE) | OPT_BIT(OPT_OUTER_CIPHER) |	\
			 OPT_BIT(OPT_OUTER_KEY_SIZE) | OPT_BIT(OPT_OUTER_KEY_DESC) | \
			 OPT_BIT(OPT_OUTER_SKIP) | OPT_BIT(OPT_ALLOW_SAME_CIPHER))
#define OPTS_PERF	(OPT_BIT(OPT_PERF_SAME_CPU_CRYPT) |		\
			 OPT_BIT(OPT_PERF_SUBMIT_FROM_CRYPT_CPUS) |	\
			 OPT_BIT(OPT_PERF_NO_READ_WORKQUEUE) |		\
			 OPT_BIT(OPT_PERF_NO_WRITE_WORKQUEUE) |		\
			 OPT_BIT(OPT_PERF_HIGH_PRIORITY))

#define OPTS_DES	(OPT_BIT(OPT_KEY) | OPT_BIT(OPT_IDENTITY) | OPT_BIT(OPT_OWNER) |	\
			 OPT_BIT(OPT_WRAPPING) | OPT_BIT(OPT_AUTO_ROTATE) | OPT_BIT(OPT_LEASE) | \
			 OPT_BIT(OPT_ON_LAPSE) | OPT_BIT(OPT_KEK_TIMEOUT))

static const struct command {
	const char *verb;
	const char *sub;	/* second word, or NULL */
	const char *args;
	int min_args, max_args;
	bool root;		/* device-mapper is for root */
	opt_set options;
	int (*run)(const struct options *o, int argc, char **argv);
	const char *help;
} commands[] = {
	{ "key", "load", "DESCRIPTION", 1, 1, false,
	  OPTS_KEYFILE | OPT_BIT(OPT_KEY_TYPE) | OPT_BIT(OPT_KEYRING) | OPT_BIT(OPT_TIMEOUT) |
	  OPT_BIT(OPT_REPLACE), cmd_key_load, "load a key from a file or a pipe into a keyring" },
	{ "key", "list", "", 0, 0, false, OPT_BIT(OPT_KEYRING), cmd_key_list,
	  "list keys, never their bytes" },
	{ "key", "revoke", "DESCRIPTION", 1, 1, false,
	  OPT_BIT(OPT_KEY_TYPE) | OPT_BIT(OPT_KEYRING), cmd_key_revoke,
	  "make a key unusable, wherever it is linked" },
	{ "key", "unlink", "DESCRIPTION", 1, 1, false,
	  OPT_BIT(OPT_KEY_TYPE) | OPT_BIT(OPT_KEYRING), cmd_key_unlink,
	  "take a key out of the keyrings" },
	{ "open", NULL, "DEVICE NAME", 2, 2, true,
	  OPT_BIT(OPT_TYPE) | OPT_BIT(OPT_CIPHER) | OPT_BIT(OPT_KEY_SIZE) |
	  OPT_BIT(OPT_KEY_DESC) | OPT_BIT(OPT_KEYRING) | OPTS_OUTER | OPT_BIT(OPT_SECTOR_SIZE) |
	  OPT_BIT(OPT_IV_LARGE_SECTORS) | OPT_BIT(OPT_OFFSET) | OPT_BIT(OPT_SKIP) |
	  OPT_BIT(OPT_SIZE) | OPT_BIT(OPT_DEVICE_SIZE) | OPT_BIT(OPT_READONLY) |
	  OPT_BIT(OPT_SHARED) | OPT_BIT(OPT_ALLOW_DISCARDS) | OPTS_PERF | OPTS_KEYFILE |
	  OPT_BIT(OPT_HEADER) | OPT_BIT(OPT_DES) | OPT_BIT(OPT_SCAN) | OPT_BIT(OPT_CLONE) |
	  OPT_BIT(OPT_CACHE), cmd_open, "open DEVICE as /dev/mapper/NAME" },
	{ "tab", "list", "", 0, 0, true, 0, cmd_tab_list, "list the disks in /etc/ssetab" },
	{ "tab", "start", "[NAME]", 0, 1, true, OPT_BIT(OPT_ALL), cmd_tab_start,
	  "open a disk as /etc/ssetab says" },
	{ "tab", "stop", "[NAME]", 0, 1, true, OPT_BIT(OPT_ALL), cmd_tab_stop,
	  "close it" },
	{ "close", NULL, "NAME", 1, 1, true,
	  OPT_BIT(OPT_DEFERRED) | OPT_BIT(OPT_CANCEL_DEFERRED), cmd_close,
	  "remove the mapping and its key" },
	{ "status", NULL, "NAME", 1, 1, true, OPT_BIT(OPT_JSON), cmd_status,
	  "show state and counters of a mapping" },
	{ "list", NULL, "", 0, 0, true, OPT_BIT(OPT_JSON), cmd_list, "list the open mappings" },
	{ "metrics", NULL, "", 0, 0, true, OPT_BIT(OPT_OUTPUT), cmd_metrics,
	  "print state and counters for Prometheus" },
	{ "resize", NULL, "NAME", 1, 1, true,
	  OPT_BIT(OPT_SIZE) | OPT_BIT(OPT_DEVICE_SIZE) | OPT_BIT(OPT_KEYRING), cmd_resize,
	  "give a mapping another size (default: all of the device)" },
	{ "suspend", NULL, "NAME", 1, 1, true, 0, cmd_suspend, "stop I/O and wipe the key" },
	{ "resume", NULL, "NAME", 1, 1, true,
	  OPT_BIT(OPT_KEY_DESC) | OPT_BIT(OPT_OUTER_KEY_DESC) | OPT_BIT(OPT_KEYRING), cmd_resume,
	  "take the key from the keyring again and go on" },
	{ "temp", "create", "DEVICE NAME", 2, 2, true,
	  OPT_BIT(OPT_CIPHER) | OPT_BIT(OPT_KEY_SIZE) | OPT_BIT(OPT_DOUBLE) |
	  OPT_BIT(OPT_SECTOR_SIZE) | OPT_BIT(OPT_SIZE) | OPT_BIT(OPT_DEVICE_SIZE) |
	  OPT_BIT(OPT_ALLOW_DISCARDS) | OPTS_PERF | OPT_BIT(OPT_MKFS) | OPT_BIT(OPT_MKSWAP) |
	  OPT_BIT(OPT_IMAGE) | OPT_BIT(OPT_SHARED), cmd_temp_create,
	  "open DEVICE as /dev/mapper/NAME with a random key that ends with it" },
	{ "format", NULL, "DEVICE", 1, 1, true,
	  OPT_BIT(OPT_DES) | OPT_BIT(OPT_HEADER) | OPT_BIT(OPT_RECOVERY_KEY) | OPT_BIT(OPT_DOUBLE) |
	  OPT_BIT(OPT_SECTOR_SIZE) | OPT_BIT(OPT_UUID) | OPT_BIT(OPT_LABEL), cmd_format,
	  "make DEVICE an encrypted disk of a set; destroys its data" },
	{ "copy", NULL, "SOURCE DESTINATION", 2, 2, true,
	  OPT_BIT(OPT_DES) | OPT_BIT(OPT_HEADER) | OPT_BIT(OPT_RECOVERY_KEY) | OPT_BIT(OPT_DOUBLE) |
	  OPT_BIT(OPT_SHARED), cmd_copy, "copy a disk to a new one, with keys of its own" },
	{ "assign", NULL, "DEVICE", 1, 1, true,
	  OPT_BIT(OPT_DES) | OPT_BIT(OPT_HEADER) | OPTS_KEYFILE, cmd_assign,
	  "move a disk to another set, with its data in place" },
	{ "shred", NULL, "DEVICE...", 1, INT_MAX, true,
	  OPT_BIT(OPT_HEADER) | OPT_BIT(OPT_WITH_SNAPSHOTS), cmd_shred,
	  "destroy all keys of disks, for good" },
	{ "encrypt", NULL, "DEVICE", 1, 1, true,
	  OPT_BIT(OPT_DES) | OPT_BIT(OPT_HEADER) | OPT_BIT(OPT_REDUCE_DEVICE_SIZE) |
	  OPT_BIT(OPT_RESUME_ONLY) | OPT_BIT(OPT_RECOVERY_KEY) | OPT_BIT(OPT_SECTOR_SIZE) |
	  OPT_BIT(OPT_UUID) | OPT_BIT(OPT_LABEL) | OPT_BIT(OPT_DOUBLE) | OPT_BIT(OPT_ADD_OUTER) |
	  OPT_BIT(OPT_CLONE) | OPT_BIT(OPT_PROGRESS_FREQUENCY), cmd_encrypt,
	  "encrypt a disk with data, in place" },
	{ "decrypt", NULL, "DEVICE", 1, 1, true,
	  OPT_BIT(OPT_HEADER) | OPT_BIT(OPT_RESUME_ONLY) | OPT_BIT(OPT_CLONE) |
	  OPT_BIT(OPT_PROGRESS_FREQUENCY), cmd_decrypt, "decrypt a disk of the platform's, in place" },
	{ "dump", NULL, "DEVICE", 1, 1, false, OPT_BIT(OPT_HEADER), cmd_dump,
	  "show a disk's header, no secret" },
	{ "repair", NULL, "DEVICE", 1, 1, true, OPT_BIT(OPT_HEADER), cmd_repair,
	  "mend a header, and finish what was interrupted" },
	{ "header", "backup", "DEVICE", 1, 1, true,
	  OPT_BIT(OPT_HEADER) | OPT_BIT(OPT_HEADER_BACKUP_FILE), cmd_header_backup,
	  "save a disk's headers to a file" },
	{ "header", "restore", "DEVICE", 1, 1, true,
	  OPT_BIT(OPT_HEADER) | OPT_BIT(OPT_HEADER_BACKUP_FILE), cmd_header_restore,
	  "put saved headers back" },
	{ "check", NULL, "[NAME]", 0, 1, true, OPT_BIT(OPT_ALL) | OPT_BIT(OPT_JSON), cmd_check,
	  "say where data rest in clear, and what breaks the policy" },
	{ "lease", "renew", "[NAME]", 0, 1, true, OPT_BIT(OPT_ALL) | OPT_BIT(OPT_DUE),
	  cmd_lease_renew, "prove that the key is usable, and let disks go on" },
	{ "des", "create", "NAME", 1, 1, true, OPT_BIT(OPT_TYPE) | OPTS_DES, cmd_des_create,
	  "make a disk encryption set" },
	{ "des", "list", "", 0, 0, true, OPT_BIT(OPT_JSON), cmd_des_list, "list the sets" },
	{ "des", "show", "NAME", 1, 1, true, OPT_BIT(OPT_JSON), cmd_des_show,
	  "show a set, its keys and disks" },
	{ "des", "update", "NAME", 1, 1, true, OPTS_DES, cmd_des_update, "change a set" },
	{ "des", "delete", "NAME", 1, 1, true, 0, cmd_des_delete,
	  "remove a set that no disk uses" },
	{ "des", "enable", "NAME", 1, 1, true, 0, cmd_des_enable,
	  "let a set's disks open again" },
	{ "des", "disable", "NAME", 1, 1, true, OPT_BIT(OPT_NOW), cmd_des_disable,
	  "take a set's disks away, when the lease ends or --now" },
	{ "des", "rotate", "[NAME]", 0, 1, true,
	  OPT_BIT(OPT_TO) | OPT_BIT(OPT_AUTO) | OPT_BIT(OPT_PARALLEL) |
	  OPT_BIT(OPT_DESTROY_OLD), cmd_des_rotate,
	  "re-wrap the keys of a set's disks with the newest key" },
	{ "des", "where-used", "NAME", 1, 1, true, OPT_BIT(OPT_JSON), cmd_des_where_used,
	  "list the disks of a set" },
	{ "des", "forget", "NAME DEVICE", 2, 2, true, OPT_BIT(OPT_HEADER), cmd_des_forget,
	  "take a disk that is gone out of the register" },
};

#define NR_COMMANDS	(sizeof(commands) / sizeof(commands[0]))

static const struct {
	const char *alias;
	const char *verb;
} aliases[] = {
	{ "remove",	"close" },
	{ "plainClose",	"close" },
};

static void help(void)
{
	char text[64];
	size_t i;

	printf("ssesetup %s\n"
	       "Usage: ssesetup [OPTION...] <command> <arguments>\n\n", SSESETUP_VERSION);
	options_help();
	printf("\n<command> is one of:\n");
	for (i = 0; i < NR_COMMANDS; i++) {
		snprintf(text, sizeof(text), "%s%s%s %s", commands[i].verb,
			 commands[i].sub ? " " : "", commands[i].sub ? commands[i].sub : "",
			 commands[i].args);
		printf("  %-24s - %s\n", text, commands[i].help);
	}
	printf("\nA disk of a host, with a key of 512 bits:\n"
	       "  ssesetup key load dmsse:disk1 --key-file FILE\n"
	       "  ssesetup open --type plain /dev/sdb disk1 --key-desc dmsse:disk1\n"
	       "\nSee ssesetup(8).\n");
}

static const char *canonical(const char *verb)
{
	size_t i;

	for (i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++)
		if (!strcmp(verb, aliases[i].alias))
			return aliases[i].verb;
	return verb;
}

/* "load, list, revoke and unlink" */
static void list_subcommands(const char *verb, char *text, size_t size)
{
	size_t i, last = 0, len = 0;

	for (i = 0; i < NR_COMMANDS; i++)
		if (!strcmp(commands[i].verb, verb))
			last = i;
	text[0] = '\0';
	for (i = 0; i <= last && len < size; i++) {
		if (strcmp(commands[i].verb, verb))
			continue;
		len += (size_t)snprintf(text + len, size - len, "%s%s",
					!len ? "" : i == last ? " and " : ", ", commands[i].sub);
	}
}

static const struct command *find_command(int argc, char **argv, int *used)
{
	bool verb_known = false;
	const char *verb;
	char subs[128];
	size_t i;

	if (argc < 1) {
		diag_error("Which command? 'ssesetup --help' lists them.");
		return NULL;
	}
	verb = canonical(argv[0]);
	for (i = 0; i < NR_COMMANDS; i++) {
		if (strcmp(verb, commands[i].verb))
			continue;
		verb_known = true;
		if (!commands[i].sub || (argc > 1 && !strcmp(argv[1], commands[i].sub))) {
			*used = commands[i].sub ? 2 : 1;
			return &commands[i];
		}
	}
	if (!verb_known) {
		diag_error("Unknown command '%s'. 'ssesetup --help' lists the commands.", argv[0]);
		return NULL;
	}
	list_subcommands(verb, subs, sizeof(subs));
	if (argc > 1)
		diag_error("Unknown command '%s %s': %s %s are known.", verb, argv[1], verb, subs);
	else
		diag_error("Which of %s %s?", verb, subs);
	return NULL;
}

static int run(const struct options *o, int argc, char **argv)
{
	const struct command *c;
	char name[32];
	int used, rc;

	c = find_command(argc, argv, &used);
	if (!c)
		return RC_PARAM;
	argc -= used;
	argv += used;
	snprintf(name, sizeof(name), "%s%s%s", c->verb, c->sub ? " " : "", c->sub ? c->sub : "");
	rc = options_check(o, c->options, name);
	if (rc)
		return rc;
	if (argc < c->min_args || argc > c->max_args)
		return diag_fail(RC_PARAM, "%s: %s %s as arguments.", name,
				 c->min_args ? "requires" : c->max_args ? "takes" : "takes nothing",
				 c->args);
	if (c->root && geteuid() != 0 && !opt_given(o, OPT_TEST_ARGS))
		return diag_fail(RC_PERM, "'ssesetup %s' needs root.", name);

	audit_command(name);
	return c->run(o, argc, argv);
}

/* Before anything is read: what this process holds is nobody else's business. */
static bool shut_the_doors(void)
{
	const struct rlimit none = { 0, 0 };
	int fd;

	/* A key file must not become descriptor 2, to which messages go. */
	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);

	umask(077);
	return fd >= 0 && !prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) && !setrlimit(RLIMIT_CORE, &none);
}

int main(int argc, char **argv)
{
	struct options o;
	int first, rc;

	if (!shut_the_doors())
		return diag_fail(RC_PERM, "Core dumps can't be switched off: %s.", strerror(errno));

	if (!secmem_guard_libcrypto())
		return diag_fail(RC_NOMEM, "libcrypto doesn't let its memory be wiped.");

	first = options_parse(&o, argc, argv);
	if (first < 0)
		return RC_PARAM;
	diag_setup(opt_given(&o, OPT_VERBOSE), opt_given(&o, OPT_DEBUG));
	dm_setup();

	rc = RC_OK;
	if (opt_given(&o, OPT_HELP))
		help();
	else if (opt_given(&o, OPT_VERSION))
		printf("ssesetup %s\n", SSESETUP_VERSION);
	else
		rc = run(&o, argc - first, argv + first);
	if ((fflush(stdout) || ferror(stdout)) && rc == RC_OK)
		rc = diag_fail(RC_DEVICE, "Writing the output failed: %s.", strerror(errno));
	diag_result(rc);
	return rc;
}
