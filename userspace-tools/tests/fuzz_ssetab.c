// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tables of disks, mutated; the sanitizers judge. Each line that is neither blank
 * nor a comment is an entry, a refusal names its line, and what is taken becomes
 * a call that ends where it should and units with names.
 *
 *	fuzz_ssetab [ROUNDS [SEED]]
 *
 * With -DLIBFUZZER it is a target for "clang -fsanitize=fuzzer".
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ssetab_command.h"
#include "unit_name.h"

static unsigned long taken;

static void judge(bool ok, const char *what, const struct ssetab_entry *e)
{
	if (ok)
		return;
	printf("not ok 1 - line %u: %s\n# %s\n", e->line, what, e->why.text);
	fflush(stdout);
	abort();
}

static void look_at(const struct ssetab_entry *e)
{
	char unit[UNIT_NAME_SIZE], line[32];
	struct ssetab_command c;

	if (e->name)
		judge(unit_name_escape("dm-sse@", e->name, ".service", unit) &&
		      unit_name_valid(unit) && !strchr(unit, '/'), "no unit", e);
	if (e->why.rc) {
		snprintf(line, sizeof(line), "line %u: ", e->line);
		judge(e->why.rc == RC_PARAM && !strncmp(e->why.text, line, strlen(line)) &&
		      e->why.text[strlen(line)], "a refusal without its line", e);
		return;
	}
	taken++;
	ssetab_command(e, &c);
	judge(c.argc >= 3 && c.argc < sizeof(c.argv) / sizeof(c.argv[0]) && !c.argv[c.argc] &&
	      !strcmp(c.argv[c.argc - 1], e->name) && c.argv[c.argc - 2][0] == '/', "no call", e);
	judge(!ssetab_is_device(c.device) || unit_name_of_path(c.device, ".device", unit),
	      "no unit for the device", e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Of exactly this size: a byte too far is found. */
	char *text = malloc(size ? size : 1);
	struct ssetab tab;
	struct reason why;
	size_t i;

	if (!text)
		return 0;
	memcpy(text, data, size);
	if (!ssetab_parse(text, size, &tab, &why)) {
		for (i = 0; i < tab.nr; i++) {
			look_at(&tab.entries[i]);
			judge(!i || tab.entries[i].line > tab.entries[i - 1].line, "no order",
			      &tab.entries[i]);
			judge(!tab.entries[i].name ||
			      ssetab_find(&tab, tab.entries[i].name) == &tab.entries[i], "a name twice",
			      &tab.entries[i]);
		}
		ssetab_free(&tab);
	}
	free(text);
	return 0;
}

#ifndef LIBFUZZER
static uint64_t state;

static unsigned int rnd(unsigned int n)
{
	/* xorshift64*: the same everywhere, so that a seed reproduces a failure */
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (unsigned int)((state * UINT64_C(2685821657736338717)) >> 33) % n;
}

static const char * const seeds[] = {
	"# NAME DEVICE KEY OPTIONS\nvm1 /dev/vg/vm1\nvm2 UUID=12-ab tenant _netdev,discard\n",
	"swap PARTUUID=12-ab - temp,swap,double=fips\nvm1 LABEL=a%b /etc/k header=/h,read-only\n",
	"x\t/dev/x\t-\tcache=/dev/ssd,writeback,nofail,x-systemd.requires=a@b.service,noauto",
	"t /srv/t.img - temp,mkfs=ext4,x-systemd.device-timeout=90s,x-systemd.requires=/srv\n",
};

static const char * const words[] = {
	" ", "\t", "\n", ",", "=", "#", "/", "..", "-", "\\", "%", "\r\n", "\xc3\xa9", "\xff", "UUID=",
	"LABEL=", "PARTLABEL=", "cache=/d,", "writeback", "temp,", "scan,", "header=/h", "double",
	"x-systemd.requires=", "infinity", "/dev/", "vm1 /dev/a\n", "---------------------------",
};

static size_t put(char *s, size_t len, size_t size, size_t at, const char *word)
{
	size_t n = strlen(word);

	if (len + n >= size)
		return len;
	memmove(s + at + n, s + at, len - at);
	memcpy(s + at, word, n);
	return len + n;
}

static size_t mutate(char *s, size_t len, size_t size)
{
	unsigned int n = rnd(5);
	size_t at, cut;

	while (n--) {
		at = rnd((unsigned int)len + 1);
		switch (rnd(4)) {
		case 0:
			if (at < len)
				s[at] = (char)rnd(256);
			break;
		case 1:
			cut = rnd((unsigned int)(len - at) + 1) / (1 + rnd(8));
			memmove(s + at, s + at + cut, len - at - cut);
			len -= cut;
			break;
		default:
			len = put(s, len, size, at, words[rnd(sizeof(words) / sizeof(words[0]))]);
		}
	}
	return len;
}

int main(int argc, char **argv)
{
	unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 100000, i;
	char buf[2048];
	size_t len;

	state = argc > 2 ? strtoull(argv[2], NULL, 10) | 1 : 20260101;
	printf("TAP version 13\n1..2\n");
	for (i = 0; i < rounds; i++) {
		strcpy(buf, seeds[rnd(sizeof(seeds) / sizeof(seeds[0]))]);
		len = mutate(buf, strlen(buf), sizeof(buf));
		LLVMFuzzerTestOneInput((const uint8_t *)buf, len);
	}
	printf("ok 1 - %lu mutated tables\n", rounds);
	/* A parser that refuses everything would pass the rest. */
	printf("%sok 2 - %lu lines of them were taken\n", taken > rounds / 2 ? "" : "not ", taken);
	return taken <= rounds / 2;
}
#endif
