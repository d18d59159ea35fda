// SPDX-License-Identifier: GPL-2.0-only
/*
 * Policies of a host: a refusal names its line, and what is taken can be asked.
 */
#include "fuzz.h"
#include "policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = malloc(size ? size : 1);
	struct reason why = { 0 };
	struct policy p;
	int rc;

	if (!copy)
		return 0;
	memcpy(copy, data, size);
	rc = policy_parse(copy, size, &p, &why);
	if (rc) {
		judge_reason(rc, &why);
		judge(rc == RC_PARAM && !strncmp(why.text, "line ", 5), "no line's number", why.text);
	} else {
		policy_match_set(&p.require_double, "bank");
		policy_match_path(&p.require_double, "/dev/vg/bank-1");
		policy_match_path(&p.exempt, "/dev/mapper/x");
		judge(!p.default_des[0] || p.default_des_line, "a set from nowhere", p.default_des);
	}
	policy_free(&p);
	free(copy);
	return 0;
}
