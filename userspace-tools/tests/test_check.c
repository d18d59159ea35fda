// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where data rest in clear, on trees of devices that a sysfs of the test's own
 * tells of; what device-mapper would say of a mapping is in this file too. KTAP.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "check.h"
#include "dm.h"
#include "paths.h"

#define DEVICES		PATH_ROOT "/sys/devices"

static unsigned int nr, failed;

static void result(bool ok, const char *what, const char *detail)
{
	printf("%sok %u - %s\n", ok ? "" : "not ", ++nr, what);
	if (ok)
		return;
	printf("# %s\n", detail ? detail : "");
	failed++;
}

static void __attribute__((format(printf, 1, 2))) shell(const char *fmt, ...)
{
	char *command;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&command, fmt, ap) < 0)
		abort();
	va_end(ap);
	if (system(command))
		printf("# failed: %s\n", command);
	free(command);
}

static void put(const char *block, const char *leaf, const char *text)
{
	shell("mkdir -p $(dirname " DEVICES "/%s/%s) && echo '%s' >" DEVICES "/%s/%s", block, leaf,
	      text, block, leaf);
}

/* A device 7:MINOR. "sda/sda1" is a partition of sda. */
static void device(const char *block, unsigned int minor)
{
	char number[32];

	snprintf(number, sizeof(number), "7:%u", minor);
	put(block, "dev", number);
	shell("ln -sfn " DEVICES "/%s " PATH_SYS_BLOCK "/$(basename %s)", block, block);
}

static void slave(const char *block, const char *below)
{
	shell("mkdir -p " DEVICES "/%s/slaves && ln -sfn " PATH_SYS_BLOCK "/%s " DEVICES "/%s/slaves/%s",
	      block, below, block, below);
}

/* Targets of the mappings, by minor number. */
static struct {
	const char *type, *params;
} targets[64][2];

static void mapping(const char *block, unsigned int minor, const char *name, const char *type,
		    const char *params)
{
	device(block, minor);
	put(block, "dm/name", name);
	targets[minor][0].type = type;
	targets[minor][0].params = params;
	targets[minor][1].type = NULL;
}

int __wrap_dm_each_target(unsigned int major, unsigned int minor,
			  int (*fn)(const char *type, const char *params, void *arg), void *arg);

int __wrap_dm_each_target(unsigned int major, unsigned int minor,
			  int (*fn)(const char *type, const char *params, void *arg), void *arg)
{
	size_t i;

	if (major != 7 || minor >= 64)
		return ENXIO;
	for (i = 0; i < 2 && targets[minor][i].type; i++)
		fn(targets[minor][i].type, targets[minor][i].params, arg);
	return 0;
}

#define SSE	"aes-xts-plain64 :64:logon:dmsse:x:inner 0 7:1 0"
#define DOUBLE	SSE " 4 outer capi:adiantum(xchacha12,aes)-plain64 :32:logon:dmsse:x:outer 0"
#define NOTHING	"cipher_null-ecb - 0 7:1 0"

/*
 *	vm1 (sse) on sda1, a partition of sda; sdb and sdc are disks of the host's
 */
static void plain_tree(void)
{
	shell("rm -rf " PATH_ROOT "/sys && mkdir -p " PATH_SYS_BLOCK " " DEVICES);
	memset(targets, 0, sizeof(targets));
	device("sda", 0);
	device("sda/sda1", 1);
	put("sda/sda1", "partition", "1");
	device("sdb", 2);
	device("sdc", 3);
	mapping("dm-0", 10, "vm1", "sse", SSE);
	slave("dm-0", "sda1");
}

/* "LAYER:DEVICE:WHERE " of each leak of vm1, without "/dev/" and directories. */
static const char *leaks(void)
{
	static char text[1024];
	static struct reason why;
	struct check_leak *list;
	struct tree t;
	size_t i, n;

	*text = '\0';
	if (tree_read(&t, &why))
		return why.text;
	if (check_leaks(&t, tree_find(&t, 7, 10), &list, &n, &why)) {
		tree_free(&t);
		return why.text;
	}
	for (i = 0; i < n; i++)
		sprintf(text + strlen(text), "%s:%s:%s ", basename(t.node[list[i].layer].name),
			basename(t.node[list[i].device].name), basename(t.node[list[i].where].name));
	free(list);
	tree_free(&t);
	return text;
}

static void expect(const char *what, const char *want)
{
	const char *got = leaks();

	result(!strcmp(got, want), what, got);
}

static void test_layers(void)
{
	plain_tree();
	expect("an sse device alone", "");

	mapping("dm-1", 11, "lv", "linear", "7:10 0");
	slave("dm-1", "dm-0");
	expect("a linear mapping above", "");

	mapping("dm-2", 12, "fast", "cache", "7:3 7:2 7:11 128 1 writeback smq 0");
	slave("dm-2", "sdc");
	slave("dm-2", "sdb");
	slave("dm-2", "dm-1");
	expect("a cache above: its data, not its metadata", "fast:sdb:sdb ");

	mapping("dm-3", 13, "ssd", "crypt", NULL);
	slave("dm-3", "sdb");
	shell("rm " DEVICES "/dm-2/slaves/sdb");
	slave("dm-2", "dm-3");
	expect("... on an encrypted disk", "");

	targets[13][1].type = "linear";
	expect("... on one that is encrypted in part", "fast:ssd:sdb ");
	targets[13][0].type = "sse";
	targets[13][0].params = SSE;
	targets[13][1].type = NULL;
	expect("... on another disk of ours", "");
	targets[13][0].params = NOTHING;
	expect("... that has a cipher that is none", "fast:ssd:sdb ");

	plain_tree();
	mapping("dm-1", 11, "wc", "writecache", "s 7:10 7:2 4096 0");
	slave("dm-1", "dm-0");
	slave("dm-1", "sdb");
	expect("a writecache above", "wc:sdb:sdb ");

	plain_tree();
	mapping("dm-1", 11, "snap", "snapshot", NULL);
	slave("dm-1", "dm-0");
	slave("dm-1", "sdb");
	mapping("dm-2", 12, "origin", "snapshot-origin", NULL);
	slave("dm-2", "dm-0");
	expect("what a snapshot above keeps", "snap:sdb:sdb ");

	plain_tree();
	mapping("dm-1", 11, "wc", "writecache", "s 7:1 7:2 4096 0");
	slave("dm-1", "sda1");
	slave("dm-1", "sdb");
	shell("rm " DEVICES "/dm-0/slaves/sda1");
	slave("dm-0", "dm-1");
	expect("a cache below", "");

	plain_tree();
	device("md0", 11);
	put("md0", "md/level", "raid1");
	slave("md0", "dm-0");
	slave("md0", "sdb");
	expect("a mirror above, half of it in clear", "md0:sdb:sdb ");

	plain_tree();
	device("bcache0", 11);
	slave("bcache0", "dm-0");
	shell("mkdir -p " DEVICES "/bcache0/bcache/cache " DEVICES "/sdb/bcache &&"
	      "ln -s " DEVICES "/sdb/bcache " DEVICES "/bcache0/bcache/cache/cache0");
	expect("bcache above", "bcache0:sdb:sdb ");

	plain_tree();
	mapping("dm-1", 11, "pool_tmeta", "linear", "7:2 0");
	slave("dm-1", "sdb");
	mapping("dm-2", 12, "pool", "thin-pool", "7:11 7:3 128 0 0");
	slave("dm-2", "dm-1");
	slave("dm-2", "sdc");
	mapping("dm-3", 13, "thin", "thin", NULL);
	slave("dm-3", "dm-2");
	slave("dm-3", "dm-0");
	expect("a thin volume with the disk as its origin", "thin:pool:sdc ");

	plain_tree();
	targets[10][0].params = NOTHING;
	expect("a disk that isn't encrypted", "vm1:vm1:sda ");
}

/* A file on a file system above the disk, and one somewhere else. */
static void test_files(void)
{
	char here[PATH_MAX], number[32];
	struct stat st;

	plain_tree();
	device("loop0", 11);
	snprintf(here, sizeof(here), "%s/image", PATH_ROOT);
	shell("touch %s", here);
	put("loop0", "loop/backing_file", here);
	mapping("dm-1", 12, "fast", "writecache", "s 7:10 7:11 4096 0");
	slave("dm-1", "dm-0");
	slave("dm-1", "loop0");
	/* The machine's own devices aren't in this sysfs. */
	expect("a cache in a file", "fast:loop0:image ");

	if (stat(here, &st))
		return;
	device("fs", 13);
	snprintf(number, sizeof(number), "%u:%u", major(st.st_dev), minor(st.st_dev));
	put("fs", "dev", number);
	slave("fs", "sdb");
	expect("... on a disk in clear", "fast:loop0:sdb ");
	shell("rm " DEVICES "/fs/slaves/sdb");
	slave("fs", "dm-0");
	expect("... on the disk itself", "");
}

static unsigned int layers_of(unsigned int minor)
{
	struct reason why = { 0 };
	unsigned int layers;
	struct tree t;

	if (tree_read(&t, &why))
		return 99;
	layers = tree_layers(&t, tree_find(&t, 7, minor));
	tree_free(&t);
	return layers;
}

static void test_count(void)
{
	plain_tree();
	result(layers_of(1) == 0, "a partition has no layer", NULL);
	result(layers_of(10) == 1, "a disk of ours has one", NULL);
	mapping("dm-1", 11, "lv", "linear", "7:10 0");
	slave("dm-1", "dm-0");
	result(layers_of(11) == 1, "... what is above, too", NULL);
	targets[10][0].params = DOUBLE;
	result(layers_of(11) == 2, "one with two has two", NULL);
	targets[10][0].params = SSE;
	mapping("dm-2", 12, "outer", "crypt", NULL);
	slave("dm-2", "sda1");
	shell("rm " DEVICES "/dm-0/slaves/sda1");
	slave("dm-0", "dm-2");
	result(layers_of(10) == 2, "two that are stacked are two", NULL);
	slave("dm-1", "sdb");
	result(layers_of(11) == 0, "what lies in part on a disk in clear has none", NULL);
	shell("rm -r " DEVICES "/sdb/../sda/sda1/dev");
	result(layers_of(12) == 1, "what goes meanwhile is missing", NULL);
}

static void no_set(const struct tree_node *n, char set[DES_NAME_MAX])
{
	snprintf(set, DES_NAME_MAX, "%s", strcmp(n->mapping, "vm1") ? "" : "bank");
}

static void breach(const char *what, const char *text, unsigned int minor, unsigned int demanded,
		   unsigned int line)
{
	struct devnames names = { .nr = 0 };
	struct check_policy c = { .names = &names, .set_of = no_set };
	struct check_breach b;
	struct reason why = { 0 };
	struct policy p;
	struct tree t;
	char detail[128];
	bool allowed;

	if (policy_parse(text, strlen(text), &p, &why) || tree_read(&t, &why)) {
		result(false, what, why.text);
		policy_free(&p);
		return;
	}
	c.t = &t;
	c.policy = &p;
	allowed = check_device(&c, tree_find(&t, 7, minor), &b);
	snprintf(detail, sizeof(detail), "allowed %d, demanded %u of line %u", allowed, b.demanded,
		 b.line);
	result(allowed == !demanded && (allowed || (b.demanded == demanded && b.line == line)), what,
	       detail);
	tree_free(&t);
	policy_free(&p);
}

static void test_policy(void)
{
	plain_tree();
	mapping("dm-1", 11, "lv", "linear", "7:10 0");
	slave("dm-1", "dm-0");
	breach("nothing is demanded", "", 2, 0, 0);
	breach("a disk in clear", "require-encryption = yes\n", 2, 1, 1);
	breach("... that is exempt", "require-encryption = yes\nexempt = /dev/sd[bc]\n", 2, 0, 0);
	breach("... that is not", "require-encryption = yes\nexempt = /dev/sdc\n", 2, 1, 1);
	breach("an encrypted one", "require-encryption = yes\n", 10, 0, 0);
	breach("... and above", "require-encryption = yes\n", 11, 0, 0);
	breach("two by the path below", "#\nrequire-double = /dev/sda*\n", 11, 2, 2);
	breach("two by the set", "require-double = des:ban?\n", 11, 2, 1);
	breach("... another set", "require-double = des:other\n", 11, 0, 0);
	breach("an exemption of the disk below isn't one of what is above",
	       "require-double = des:bank\nexempt = /dev/sda\n", 11, 2, 1);
	breach("... of the set is one of the disk", "require-double = des:bank\nexempt = des:bank\n",
	       10, 0, 0);
	targets[10][0].params = DOUBLE;
	breach("two that are there", "require-double = des:bank\n", 11, 0, 0);
}

int main(void)
{
	if (!*PATH_ROOT) {
		puts("Bail out! built without ROOT: it would remove this host's own directories");
		return 1;
	}
	test_layers();
	test_files();
	test_count();
	test_policy();
	printf("1..%u\n", nr);
	return failed != 0;
}
