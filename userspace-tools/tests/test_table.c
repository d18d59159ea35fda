// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tables that the kernel shows come back from table_format() as they were;
 * others are refused. KTAP.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cipher.h"
#include "diag.h"
#include "info.h"
#include "table.h"

static unsigned int nr, failed;

static void result(bool ok, const char *what, const char *detail)
{
	printf("%sok %u - %s\n", ok ? "" : "not ", ++nr, what);
	if (!ok) {
		printf("# %s\n", detail ? detail : "(null)");
		failed++;
	}
}

static const char * const good[] = {
	"aes-xts-plain64 :64:logon:dmsse:a 0 7:0 0",
	"aes-xts-plain64 :64:logon:dmsse:a 18446744073709551615 7:0 8",
	"aes-cbc-essiv:sha256 :32:user:a 0 253:12 2048 1 allow_discards",
	"capi:xts(aes)-plain64 :64:encrypted:a 8 7:0 0 2 iv_large_sectors sector_size:4096",
	"cipher_null-ecb - 0 7:0 0",
	"aes-xts-plain64 :64:logon:a:b:c 0 7:0 0 7 allow_discards same_cpu_crypt "
		"submit_from_crypt_cpus no_read_workqueue no_write_workqueue high_priority "
		"iv_large_sectors",
	"aes-xts-plain64 :64:logon:dmsse:a 0 7:0 0 4 outer xchacha12,aes-adiantum-plain64 "
		":32:logon:dmsse:b 0",
	"aes-xts-plain64 :64:logon:dmsse:a 8 7:0 0 6 allow_discards allow_same_cipher outer "
		"capi:xts(aes)-plain64 :64:user:b 16",
	"aes-xts-plain64 :64:logon:dmsse:a 0 7:0 0 3 allow_discards key_lease error",
	"aes-xts-plain64 :64:logon:dmsse:a 0 7:0 0 6 key_lease queue outer "
		"xchacha12,aes-adiantum-plain64 :32:logon:dmsse:b 0",
	/* Options of a later target are carried along. */
	"aes-xts-plain64 :64:logon:dmsse:a 0 7:0 0 3 allow_discards shiny:1 new_thing",
};

static const char * const bad[] = {
	"",
	"aes-xts-plain64",
	"aes-xts-plain64 :64:logon:dmsse:a 0 7:0",
	"aes-xts-plain64 :64:logon:dmsse:a x 7:0 0",
	"aes-xts-plain64 :64:logon:dmsse:a -1 7:0 0",
	"aes-xts-plain64 :64:logon:dmsse:a 0 7:0 18446744073709551616",
	"aes-xts-plain64 000102030405060708090a0b0c0d0e0f 0 7:0 0",
	"aes-xts-plain64 :64:asymmetric:a 0 7:0 0",
	"aes-xts-plain64 :99999999999:logon:a:b 0 7:0 0",
	"aes-xts-plain64 :0:logon:a:b 0 7:0 0",
	"aes-xts-plain64 :64:logon 0 7:0 0",
	"aes-xts-plain64 : 0 7:0 0",
	"aes-xts-plain64 :64:logon:a:b 0 7:0 0 2 allow_discards",
	"aes-xts-plain64 :64:logon:a:b 0 7:0 0 1 allow_discards same_cpu_crypt",
	"aes-xts-plain64 :64:logon:a:b 0 7:0 0 allow_discards",
	"aes-xts-plain64 :64:logon:a:b 0 7:0 0 1 outer",
	"aes-xts-plain64 :64:logon:a:b 0 7:0 0 3 outer aes-cbc-essiv:sha256 :32:logon:a:c",
	"aes-xts-plain64 :64:logon:a:b 0 7:0 0 4 outer aes-cbc-essiv:sha256 0123 0",
	"aes-xts-plain64 :64:logon:a:b 0 7:0 0 4 outer aes-cbc-essiv:sha256 :32:logon:a:c x",
	"aes-xts-plain64 :64:logon:a:b 0 7:0 0 1 outer aes-cbc-essiv:sha256 :32:logon:a:c 0",
};

static void test_tables(void)
{
	struct sse_table t;
	char *line;
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		line = table_parse(good[i], &t) == RC_OK ? table_format(&t) : NULL;
		/* The order of sector_size and the flags is free. */
		if (line && strstr(good[i], "sector_size"))
			result(strlen(line) == strlen(good[i]) && t.sector_size == 4096 &&
			       t.flags == SSE_IV_LARGE_SECTORS, good[i], line);
		else
			result(line && !strcmp(line, good[i]), good[i], line);
		free(line);
		table_free(&t);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		result(table_parse(bad[i], &t) == RC_DEVICE && !t.device, bad[i], "was taken");
}

static void test_keys(void)
{
	struct keyref k;
	char *ref;

	result(!keyref_parse("dmsse:a", NULL, &k) && !strcmp(k.type, "logon") &&
	       !strcmp(k.desc, "dmsse:a") && !k.bytes, "dmsse:a is a logon key", k.desc);
	result(!keyref_parse("user:a", NULL, &k) && !strcmp(k.type, "user") &&
	       !strcmp(k.desc, "a"), "user:a has a type", k.desc);
	result(!keyref_parse("logon:user:a", NULL, &k) && !strcmp(k.type, "logon") &&
	       !strcmp(k.desc, "user:a"), "only the first word is a type", k.desc);
	result(!keyref_parse("a", "user", &k) && !strcmp(k.type, "user"), "--key-type counts", k.type);
	result(!keyref_parse(":32:trusted:a", NULL, &k) && k.bytes == 32 &&
	       !strcmp(k.type, "trusted"), "a reference is taken", k.type);
	ref = keyref_format(&k);
	result(ref && !strcmp(ref, ":32:trusted:a"), "and given back", ref);
	free(ref);
}

static void test_ciphers(void)
{
	static const char * const taken[] = {
		"aes-xts-plain64", "aes-xts-plain", "serpent-xts-plain64be", "aes-cbc-essiv:sha256",
		"xchacha12,aes-adiantum-plain64", "capi:xts(aes)-plain64", "cipher_null-ecb",
		"capi:adiantum(xchacha12,aes)-plain64", "capi:cbc(aes)-essiv:sha256", "aes-ecb",
		"capi:xts-aes-aesni-plain64", "capi:essiv(cbc(aes),sha256)-plain64",
	};
	size_t i;

	for (i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		result(!cipher_check(taken[i]), taken[i], "was refused");
	result(!cipher_check_key_size("serpent-xts-plain64", 17), "sizes of others are the kernel's",
	       "was refused");
}

static void test_info(void)
{
	struct sse_info info;
	char *many = malloc(3 * (INFO_WORDS_MAX + 8));
	int i;

	result(!info_parse("active layers:1 inner:keyed io_errors:7 insecure new:a:b", &info) &&
	       !strcmp(info.state, "active") && !strcmp(info_word(&info, "io_errors"), "7") &&
	       !strcmp(info_word(&info, "insecure"), "") && !info_word(&info, "io") &&
	       !strcmp(info_word(&info, "new"), "a:b"), "words are found by name", "wrong word");
	info_free(&info);
	result(info_parse("", &info) == RC_DEVICE, "a status without a state is refused", "taken");

	if (!many)
		exit(1);
	strcpy(many, "s");
	for (i = 0; i < INFO_WORDS_MAX + 4; i++)
		strcat(many, " x");
	result(!info_parse(many, &info) && info.nr == INFO_WORDS_MAX, "more words than there is room",
	       "wrong number");
	info_free(&info);
	free(many);
}

int main(void)
{
	/* What is refused says so on stderr, which is not of interest here. */
	if (!freopen("/dev/null", "w", stderr))
		return 1;
	printf("TAP version 13\n");
	test_tables();
	test_keys();
	test_ciphers();
	test_info();
	printf("1..%u\n", nr);
	return failed != 0;
}
