// SPDX-License-Identifier: GPL-2.0-only
/*
 * The policy of a host: what its lines mean, and which line is wrong. KTAP.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "paths.h"
#include "policy.h"

static unsigned int nr, failed;

static void result(bool ok, const char *what, const char *detail)
{
	printf("%sok %u - %s\n", ok ? "" : "not ", ++nr, what);
	if (ok)
		return;
	printf("# %s\n", detail ? detail : "");
	failed++;
}

static int parse(const char *text, struct policy *p, struct reason *why)
{
	memset(why, 0, sizeof(*why));
	return policy_parse(text, strlen(text), p, why);
}

static void test_right(void)
{
	const struct policy_pattern *found;
	struct reason why;
	struct policy p;

	result(!parse("# of this host\n\ndefault-des = bank\nrequire-encryption = yes\n"
		      "require-double = /dev/vg/bank-*  des:tenant-[ab]\n"
		      "  require-double = des:x\nexempt = /dev/sr*", &p, &why), "all keys", why.text);
	result(p.there && !strcmp(p.default_des, "bank") && p.default_des_line == 3,
	       "... the default set", p.default_des);
	result(p.require_encryption && p.require_encryption_line == 4, "... encryption", NULL);
	result(p.require_double.nr == 3 && p.exempt.nr == 1, "... patterns of two lines", NULL);
	found = policy_match_path(&p.require_double, "/dev/vg/bank-1");
	result(found && found->line == 5, "a path", NULL);
	result(!policy_match_path(&p.require_double, "/dev/vg/bank-1/x"),
	       "... no star goes past a slash", NULL);
	result(!policy_match_path(&p.require_double, "/dev/vg/other"), "... another one", NULL);
	result(!policy_match_path(&p.require_double, "x"), "... a set is no path", NULL);
	found = policy_match_set(&p.require_double, "x");
	result(found && found->line == 6, "a set", NULL);
	result(policy_match_set(&p.require_double, "tenant-b") &&
	       !policy_match_set(&p.require_double, "tenant-c"), "... of a class", NULL);
	result(!policy_match_set(&p.require_double, "/dev/vg/bank-1"), "... a path is no set", NULL);
	result(!!policy_match_path(&p.exempt, "/dev/sr0"), "what is exempt", NULL);
	policy_free(&p);

	result(!parse("", &p, &why) && p.there && !p.require_encryption && !p.require_double.nr,
	       "an empty file demands nothing", why.text);
	policy_free(&p);
	result(!parse("require-encryption = no\n", &p, &why) && !p.require_encryption,
	       "require-encryption = no", why.text);
	policy_free(&p);
}

static void test_wrong(void)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "default-des = .x\n", "line 1: '.x' can't be the name" },
		{ "default-des =\n", "line 1: '' can't be the name" },
		{ "default-des = a\ndefault-des = b\n", "line 2: default-des is set in line 1 already" },
		{ "\nrequire-encryption = maybe\n", "line 2: require-encryption takes yes or no, not 'maybe'" },
		{ "require-encryption = yes\n#\nrequire-encryption = yes\n",
		  "line 3: require-encryption is set in line 1 already" },
		{ "require-double =\n", "line 1: require-double takes patterns" },
		{ "require-double = bank\n", "line 1: 'bank' is neither a path" },
		{ "require-double = /dev/a des:\n", "line 1: 'des:' is neither" },
		{ "require-double = /dev/[ab\n", "line 1: the pattern '/dev/[ab' isn't complete" },
		{ "require-double = /dev/[]\n", "line 1: the pattern '/dev/[]' isn't complete" },
		{ "require-double = /dev/a\\\n", "isn't complete" },
		{ "exempt = sr0\n", "line 1: 'sr0' is neither" },
		{ "require-doubel = /dev/a\n", "line 1: unknown key 'require-doubel': is it require-double?" },
		{ "audit = required\n", "line 1: unknown key 'audit': default-des, require-encryption" },
		{ "default-des prod\n", "line 1: there is no '='" },
		{ "[policy]\n", "line 1: there are no sections" },
	};
	struct reason why;
	struct policy p;
	size_t i;
	int rc;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		rc = parse(cases[i].text, &p, &why);
		policy_free(&p);
		result(rc == RC_PARAM && strstr(why.text, cases[i].says), cases[i].says, why.text);
	}
}

static void write_policy(const char *text)
{
	FILE *f = fopen(PATH_POLICY, "we");

	if (!f)
		return;
	fputs(text, f);
	fclose(f);
	chmod(PATH_POLICY, 0600);
}

static void test_host(void)
{
	char set[DES_NAME_MAX];
	struct reason why = { 0 };
	struct policy p;

	result(!policy_load(&p, &why) && !p.there, "no file is no policy", why.text);
	policy_free(&p);
	result(!policy_default_des(NULL, set, &why) && !strcmp(set, "platform"),
	       "... and the set is platform", set);
	result(!policy_check_layers("/dev/null", "platform", 1, &why), "... one layer will do", why.text);

	if (system("mkdir -p -m 700 " PATH_CONFIG))
		return;
	write_policy("default-des = nosuch\nrequire-double = des:bank /nowhere/*\n");
	result(!policy_default_des("platform", set, &why) && !strcmp(set, "platform"),
	       "the set that is given is taken", set);
	result(policy_default_des(NULL, set, &why) && strstr(why.text, "policy.conf, line 1: "),
	       "a default set that isn't there names the line", why.text);
	result(policy_check_layers("/dev/null", "bank", 1, &why) == RC_PARAM &&
	       strstr(why.text, "policy.conf, line 2: 'des:bank' demands two layers of /dev/null"),
	       "one layer where a set needs two", why.text);
	result(policy_check_layers("/nowhere/image", "platform", 1, &why) == RC_PARAM &&
	       strstr(why.text, "'/nowhere/*'"), "... where a path does", why.text);
	result(!policy_check_layers("/nowhere/image", "bank", 2, &why), "... two", why.text);
	write_policy("default-des = platform\nrequire-double\n");
	result(policy_check_layers("/dev/null", "platform", 2, &why) == RC_PARAM &&
	       strstr(why.text, "policy.conf: line 2: there is no '='"),
	       "a broken file lets nothing through", why.text);
	chmod(PATH_POLICY, 0666);
	result(policy_load(&p, &why) != RC_OK, "a file that others can write", why.text);
	remove(PATH_POLICY);
}

int main(void)
{
	if (!*PATH_ROOT) {
		puts("Bail out! built without ROOT: it would write to this host's own directories");
		return 1;
	}
	test_right();
	test_wrong();
	test_host();
	printf("1..%u\n", nr);
	return failed != 0;
}
