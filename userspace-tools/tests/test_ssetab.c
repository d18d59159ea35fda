// SPDX-License-Identifier: GPL-2.0-only
/*
 * /etc/ssetab: lines right and wrong, and the calls that they become. KTAP.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ssetab_command.h"
#include "unit_name.h"

static unsigned int nr, failed;

static void result(bool ok, const char *what, const char *detail)
{
	printf("%sok %u - %s\n", ok ? "" : "not ", ++nr, what);
	if (!ok) {
		printf("# %s\n", detail ? detail : "(null)");
		failed++;
	}
}

#define X10	"xxxxxxxxxx"
#define X50	X10 X10 X10 X10 X10

/* Each stands between two good lines, which must be read all the same. */
static const struct {
	const char *what;
	const char *line;
	const char *says;
} wrong[] = {
	{ "a name alone", "x", "no device behind the name 'x'" },
	{ "a slash in a name", "a/b /dev/x", "can't be the name" },
	{ "a name as an option", "-x /dev/x", "can't be the name" },
	{ "a name that hides", ".x /dev/x", "can't be the name" },
	{ "control", "control /dev/x", "can't be the name" },
	{ "a name that libdevmapper would encode", "a%b /dev/x", "can't be the name" },
	{ "an umlaut in a name", "\xc3\xa4 /dev/x", "can't be the name" },
	{ "a name too long for device-mapper", X50 X50 X10 X10 "12345678 /dev/x", "can't be the name" },
	{ "a name too long for a unit",
	  "x------------------------------------------------------------------- /dev/x",
	  "too long for a unit" },
	{ "a relative device", "x dev/x", "is no device" },
	{ "the root as a device", "x /", "is no device" },
	{ "'..' in a device", "x /dev/mapper/../sda", "is no device" },
	{ "'..' at the end of a device", "x /dev/..", "is no device" },
	{ "an unknown tag", "x ID=abc", "is no device" },
	{ "an empty tag", "x UUID=", "is no device" },
	{ "a UUID that is none", "x UUID=../sda", "is no device" },
	{ "a PARTUUID that is none", "x PARTUUID=a.b", "is no device" },
	{ "a label that leads elsewhere", "x LABEL=..", "is no device" },
	{ "a device too long for a unit", "x /dev/" X50 X50 X50 X50 X50, "too long for a unit" },
	{ "a relative key file", "x /dev/x keys/x", "neither a key file" },
	{ "'..' in a key file", "x /dev/x /etc/../x", "is no key file" },
	{ "a set that none can be called", "x /dev/x -a", "neither a key file" },
	{ "a fifth field", "x /dev/x - noauto nofail", "'nofail' behind the options" },
	{ "an unknown option", "x /dev/x - colour", "unknown option 'colour': ssetab(5)" },
	{ "a misspelled option", "x /dev/x - noatuo", "is 'noauto' meant?" },
	{ "another tool's option", "x /dev/x - discards", "is 'discard' meant?" },
	{ "an option twice", "x /dev/x - nofail,noauto,nofail", "nofail is there twice" },
	{ "its other name", "x /dev/x - read-only,readonly", "is there twice" },
	{ "a value twice", "x /dev/x - header=/a,header=/b", "header is there twice" },
	{ "an empty option", "x /dev/x - nofail,,noauto", "a comma too many" },
	{ "a comma at the end", "x /dev/x - nofail,", "a comma too many" },
	{ "a value too much", "x /dev/x - nofail=yes", "nofail takes no value" },
	{ "no value", "x /dev/x - header", "header needs a value" },
	{ "an empty value", "x /dev/x - header=", "header takes a path" },
	{ "a relative header", "x /dev/x - header=x.hdr", "header takes a path" },
	{ "a cache that is no device", "x /dev/x - cache=ssd", "cache takes a path, UUID=" },
	{ "a mode that is none of a cache's", "x /dev/x - cache=/dev/s,fast", "unknown option 'fast'" },
	{ "a cache's mode elsewhere", "x /dev/x - writeback", "unknown option 'writeback'" },
	{ "two modes of a cache", "x /dev/x - cache=/dev/s,writeback,writethrough",
	  "unknown option 'writethrough'" },
	{ "a type that is a path", "x /dev/x - temp,mkfs=../x", "mkfs takes the type" },
	{ "an option to mkfs", "x /dev/x - temp,mkfs=-x", "mkfs takes the type" },
	{ "an unknown pair", "x /dev/x - temp,double=aes", "adiantum or fips" },
	{ "a time that is none", "x /dev/x - x-systemd.device-timeout=soon", "takes a time such as" },
	{ "a time without a number", "x /dev/x - x-systemd.device-timeout=s", "takes a time such as" },
	{ "a unit that is none", "x /dev/x - x-systemd.requires=pcscd", "takes the name of a unit" },
	{ "a template", "x /dev/x - x-systemd.requires=x@.service", "takes the name of a unit" },
	{ "a unit with a slash", "x /dev/x - x-systemd.requires=a/b.service", "takes the name of a unit" },
	{ "units without end", "x /dev/x - x-systemd.requires=/1,x-systemd.requires=/2,"
	  "x-systemd.requires=/3,x-systemd.requires=/4,x-systemd.requires=/5,x-systemd.requires=/6,"
	  "x-systemd.requires=/7,x-systemd.requires=/8,x-systemd.requires=/9", "more than 8 times" },
	{ "swap on a disk that stays", "x /dev/x - swap", "swap would overwrite the disk" },
	{ "mkfs on a disk that stays", "x /dev/x - mkfs=ext4", "mkfs would overwrite the disk" },
	{ "an image on a disk that stays", "x /dev/x - image=/i", "image would overwrite the disk" },
	{ "double on a disk that stays", "x /dev/x - double", "the header says it" },
	{ "a cipher of a disk that stays", "x /dev/x - cipher=aes-xts-plain64", "the header says it" },
	{ "sectors of a disk that stays", "x /dev/x - sector-size=4096", "the header says it" },
	{ "a key file's size without one", "x /dev/x tenant keyfile-size=64", "is for a key file" },
	{ "a size that is none", "x /dev/x /k keyfile-size=64K", "takes a number" },
	{ "a negative offset", "x /dev/x /k keyfile-offset=-1", "takes a number" },
	{ "an empty number", "x /dev/x - temp,size=", "takes a number" },
	{ "a cipher that is an option", "x /dev/x - temp,cipher=-x", "takes a cipher" },
	{ "ciphers that are two", "x /dev/x - temp,cipher=aes-xts-plain64,double", "there is no cipher with it" },
	{ "a key's size for two layers", "x /dev/x - temp,double=fips,size=512", "there is no size with it" },
	{ "a temporary clone", "x /dev/x - temp,clone", "clone is not for a temporary" },
	{ "a cache that nobody may write to", "x /dev/x - cache=/dev/s,read-only", "a cache is written to" },
	{ "a key of a temporary disk", "x /dev/x /dev/urandom temp", "has a random key" },
	{ "a set of a temporary disk", "x /dev/x tenant temp", "has a random key" },
	{ "a temporary disk by UUID", "x UUID=12 - temp", "is gone when a temporary disk is made" },
	{ "a temporary disk by label", "x LABEL=a - temp", "is gone when a temporary disk is made" },
	{ "a header of a temporary disk", "x /dev/x - temp,header=/h", "header is not for a temporary" },
	{ "a read-only temporary disk", "x /dev/x - temp,read-only", "read-only is not for a temporary" },
	{ "a temporary disk for all to see", "x /dev/x - temp,scan", "scan is not for a temporary" },
	{ "swap with a file system", "x /dev/x - temp,swap,mkfs=ext4", "exclude each other" },
	{ "an image with a file system", "x /dev/x - temp,image=/i,mkfs=ext4", "exclude each other" },
	{ "a carriage return", "x /dev/x\r", "carriage return" },
	{ "Latin-1", "x /dev/\xf6", "UTF-8" },
	{ "a name twice", "before /dev/x", "before is in line 2 already" },
};

static void test_wrong(void)
{
	char text[1024], what[128];
	const struct ssetab_entry *e;
	struct ssetab tab;
	struct reason why;
	size_t i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		snprintf(text, sizeof(text), "# NAME DEVICE\nbefore /dev/a\n%s\n\nafter /dev/b\n",
			 wrong[i].line);
		snprintf(what, sizeof(what), "refused: %s", wrong[i].what);
		if (ssetab_parse(text, strlen(text), &tab, &why)) {
			result(false, what, why.text);
			continue;
		}
		if (tab.nr != 3) {
			result(false, what, "a line is missing");
			ssetab_free(&tab);
			continue;
		}
		e = &tab.entries[1];
		result(e->line == 3 && e->why.rc == RC_PARAM &&
		       !strncmp(e->why.text, "line 3: ", 8) && strstr(e->why.text, wrong[i].says) &&
		       !e[-1].why.rc && !strcmp(e[-1].name, "before") &&
		       !e[1].why.rc && !strcmp(e[1].name, "after") && e[1].line == 5,
		       what, e->why.text);
		ssetab_free(&tab);
	}
}

static const struct {
	const char *line;
	const char *call;
} right[] = {
	{ "vm1 /dev/vg/vm1", "open /dev/vg/vm1 vm1" },
	{ "vm1\t/dev/vg/vm1   none\tnone", "open /dev/vg/vm1 vm1" },
	{ "  vm1 /dev/vg/vm1 - defaults  ", "open /dev/vg/vm1 vm1" },
	{ "a.b_c:d@e+f=g#h /srv/disk.img -", "open /srv/disk.img a.b_c:d@e+f=g#h" },
	{ "x UUID=AbCd-12", "open /dev/disk/by-uuid/abcd-12 x" },
	{ "x PARTUUID=0A-1", "open /dev/disk/by-partuuid/0a-1 x" },
	{ "x LABEL=Ab/c%d\xc3\xa4", "open /dev/disk/by-label/Ab\\x2fc\\x25d\xc3\xa4 x" },
	{ "x PARTLABEL=a.b", "open /dev/disk/by-partlabel/a.b x" },
	{ "x /dev/x tenant _netdev,nofail,noauto", "open --des tenant /dev/x x" },
	{ "x /dev/x /etc/keys/x discard,read-only,scan",
	  "open --key-file /etc/keys/x --readonly --scan --allow-discards /dev/x x" },
	{ "x /dev/x platform readonly,header=/srv/x.header",
	  "open --des platform --header /srv/x.header --readonly /dev/x x" },
	{ "x /dev/x - cache=/dev/ssd", "open --cache /dev/ssd /dev/x x" },
	{ "x /dev/x - cache=PARTUUID=AB-1,writeback,nofail",
	  "open --cache /dev/disk/by-partuuid/ab-1,writeback /dev/x x" },
	{ "x /dev/x - x-systemd.requires=a@b.service,x-systemd.requires=/srv,x-systemd.device-timeout=5min",
	  "open /dev/x x" },
	{ "x /dev/vg/snap tenant clone,read-only", "open --des tenant --clone --readonly /dev/vg/snap x" },
	{ "x /dev/x /k keyfile-size=64,keyfile-offset=512,same-cpu-crypt,no-read-workqueue",
	  "open --key-file /k --keyfile-offset 512 --keyfile-size 64 --perf-same_cpu_crypt "
	  "--perf-no_read_workqueue /dev/x x" },
	/* All that there can be. */
	{ "x /dev/x /k keyfile-size=64,keyfile-offset=512,same-cpu-crypt,no-read-workqueue,"
	  "no-write-workqueue,submit-from-crypt-cpus,cache=/dev/s,writecache,header=/h,clone,scan,discard",
	  "open --key-file /k --keyfile-offset 512 --keyfile-size 64 --header /h --cache /dev/s,writecache "
	  "--clone --scan --allow-discards --perf-same_cpu_crypt --perf-submit_from_crypt_cpus "
	  "--perf-no_read_workqueue --perf-no_write_workqueue /dev/x x" },
	{ "t /dev/x - temp,swap,cipher=aes-xts-plain64,size=256,sector-size=4096",
	  "temp create --cipher aes-xts-plain64 --key-size 256 --sector-size 4096 --mkswap /dev/x t" },
	{ "t /dev/x - temp", "temp create /dev/x t" },
	{ "t /dev/x - temp,swap,double", "temp create --double --mkswap /dev/x t" },
	{ "t PARTUUID=1 none nofail,double=fips,temp,mkfs=ext4",
	  "temp create --double=fips --mkfs ext4 /dev/disk/by-partuuid/1 t" },
	{ "t /dev/x - discard,temp", "temp create --allow-discards /dev/x t" },
	{ "t /dev/x - temp,image=/srv/os.img", "temp create --image /srv/os.img /dev/x t" },
};

static void test_right(void)
{
	char call[2 * PATH_MAX], what[256];
	struct ssetab_command c;
	struct ssetab tab;
	struct reason why;
	unsigned int a;
	size_t i, len;

	for (i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
		snprintf(what, sizeof(what), "taken: %zu", i + 1);
		*call = '\0';
		if (ssetab_parse(right[i].line, strlen(right[i].line), &tab, &why)) {
			result(false, what, why.text);
			continue;
		}
		if (tab.nr == 1 && !tab.entries[0].why.rc) {
			ssetab_command(&tab.entries[0], &c);
			for (a = 0, len = 0; a < c.argc; a++)
				len += (size_t)snprintf(call + len, sizeof(call) - len, "%s%s",
							a ? " " : "", c.argv[a]);
			result(!strcmp(call, right[i].call) && !c.argv[c.argc], what, call);
		} else {
			result(false, what, tab.nr ? tab.entries[0].why.text : "no entry");
		}
		ssetab_free(&tab);
	}
}

static void test_fields(void)
{
	static const char text[] =
		"a /dev/a - _netdev,nofail\n"
		"b /dev/b - noauto,x-systemd.requires=u.service,x-systemd.requires=/m,"
		"x-systemd.device-timeout=90s\n"
		"a/ /dev/c";
	const struct ssetab_entry *e;
	struct ssetab tab;
	struct reason why;

	result(!ssetab_parse("", 0, &tab, &why) && !tab.nr, "an empty file", NULL);
	result(!ssetab_parse("\n# a\n \t# b\n\n", 11, &tab, &why) && !tab.nr, "comments alone", NULL);
	if (ssetab_parse(text, sizeof(text) - 1, &tab, &why)) {
		result(false, "three lines", why.text);
		return;
	}
	e = ssetab_find(&tab, "a");
	result(e && e->netdev && e->nofail && !e->noauto && !e->temp, "flags are those of the line", NULL);
	e = ssetab_find(&tab, "b");
	result(e && !e->netdev && !e->nofail && e->noauto && e->nr_requires == 2 &&
	       !strcmp(e->requires[0], "u.service") && !strcmp(e->requires[1], "/m") &&
	       !strcmp(e->device_timeout, "90s"), "what is for systemd", NULL);
	result(tab.nr == 3 && !tab.entries[2].name && tab.entries[2].line == 3,
	       "a line without a name that could be used", NULL);
	result(!ssetab_find(&tab, "c"), "a disk that isn't there", NULL);
	ssetab_free(&tab);
}

static void test_unit_names(void)
{
	char name[UNIT_NAME_SIZE], path[300];

	result(unit_name_escape("dm-sse@", "vm-1.a_b:c#", ".service", name) &&
	       !strcmp(name, "dm-sse@vm\\x2d1.a_b:c\\x23.service"), "an instance", name);
	result(unit_name_escape("", ".a/b", "", name) && !strcmp(name, "\\x2ea-b"), "a dot in front", name);
	result(unit_name_of_path("/dev//disk/./by-id/x/", ".device", name) &&
	       !strcmp(name, "dev-disk-by\\x2did-x.device"), "a path", name);
	result(unit_name_of_path("/", ".mount", name) && !strcmp(name, "-.mount"), "the root", name);
	result(unit_name_of_path("/\xc3\xa4\\", ".mount", name) &&
	       !strcmp(name, "\\xc3\\xa4\\x5c.mount"), "bytes", name);
	memset(path, 'x', sizeof(path));
	path[0] = '/';
	path[255 - 7 + 1] = '\0';
	result(unit_name_of_path(path, ".device", name) && strlen(name) == 255, "the longest name", name);
	path[255 - 7 + 1] = 'x';
	path[255 - 7 + 2] = '\0';
	result(!unit_name_of_path(path, ".device", name), "one byte more", name);
	path[299] = '\0';
	path[255 - 7 + 2] = 'x';
	result(!unit_name_of_path(path, ".device", name), "many more", name);
	result(unit_name_valid("a.service") && unit_name_valid("a@b.device") &&
	       !unit_name_valid("service") && !unit_name_valid(".service") &&
	       !unit_name_valid("a@.service") && !unit_name_valid("@a.service") &&
	       !unit_name_valid("a.conf") && !unit_name_valid("a b.service"), "what is a unit", NULL);
}

int main(void)
{
	printf("TAP version 13\n");
	test_wrong();
	test_right();
	test_fields();
	test_unit_names();
	printf("1..%u\n", nr);
	return failed != 0;
}
