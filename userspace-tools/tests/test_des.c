// SPDX-License-Identifier: GPL-2.0-only
/*
 * Disk encryption sets: configuration files right and wrong, what an edit leaves
 * alone, state that several processes change at a time, and the register of
 * disks. Built with a ROOT of its own. KTAP.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config_text.h"
#include "des.h"
#include "des_config.h"
#include "des_state.h"
#include "files.h"
#include "json_file.h"
#include "paths.h"
#include "registry.h"

#define ID	"37061e16-c960-4b96-9aa7-6651b94e3976"
#define BEGIN	"id = " ID "\ntype = customer\nkey = file:/k.pem\n"
#define PLAT	"id = " ID "\ntype = platform\n"

static unsigned int nr, failed;

static void result(bool ok, const char *what, const char *detail)
{
	printf("%sok %u - %s\n", ok ? "" : "not ", ++nr, what);
	if (!ok) {
		printf("# %s\n", detail ? detail : "(null)");
		failed++;
	}
}

static const struct {
	const char *what;
	const char *text;
	unsigned int line;
	const char *says;
} wrong[] = {
	{ "an empty file", "", 1, "without an 'id'" },
	{ "comments only", "# a\n\n# b\n", 3, "without an 'id'" },
	{ "no id", "type = platform\n", 1, "without an 'id'" },
	{ "no type", "id = " ID "\nlease = 1h\n", 2, "without a 'type'" },
	{ "no key", "id = " ID "\ntype = customer\n", 2, "needs the URI" },
	{ "no key for two layers", "type = platform-and-customer\nid = " ID "\n\n", 3, "needs the URI" },
	{ "an empty key", "id = " ID "\ntype = customer\nkey =\n", 3, "needs the URI" },
	{ "no '='", BEGIN "lease 1h\n", 4, "there is no '='" },
	{ "no key before the '='", BEGIN " = 1h\n", 4, "no key in front" },
	{ "a section", "[set]\n" BEGIN, 1, "no sections" },
	{ "a section further down", BEGIN "\n[set]\n", 5, "no sections" },
	{ "';' for a comment", BEGIN "; lease\n", 4, "comments begin with '#'" },
	{ "an unknown key", BEGIN "colour = red\n", 4, "unknown key 'colour': id, type" },
	{ "a misspelled key", BEGIN "leese = 1h\n", 4, "is 'lease' meant?" },
	{ "a misspelled long key", BEGIN "\n#\nauto-rotat = yes\n", 6, "is 'auto-rotate' meant?" },
	{ "a key with '_'", BEGIN "on_lapse = error\n", 4, "is 'on-lapse' meant?" },
	{ "a key in capitals", BEGIN "Owner = me\n", 4, "is 'owner' meant?" },
	{ "a short unknown key is near to none", BEGIN "x = 1\n", 4, "unknown key 'x': id" },
	{ "a key that is far too long", BEGIN "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz = 1\n",
	  4, "unknown key 'abcdef" },
	{ "a key twice", BEGIN "lease = 1h\n# or\nlease = 2h\n", 6, "set in line 4 already" },
	{ "the same line twice", BEGIN "key = file:/k.pem\n", 4, "set in line 3 already" },
	{ "a wrong type", "id = " ID "\ntype = double\n", 2, "platform, customer or" },
	{ "a type in capitals", "id = " ID "\ntype = Customer\n", 2, "platform, customer or" },
	{ "an id that is none", "id = 17\n" "type = platform\n", 1, "a UUID" },
	{ "an id in capitals", "id = 37061E16-c960-4b96-9aa7-6651b94e3976\ntype = platform\n", 1, "a UUID" },
	{ "an id with a dash too many", "id = 37061e16-c960-4b96-9aa7-6651-94e3976\ntype = platform\n", 1, "a UUID" },
	{ "an id that is too long", "id = " ID "0\ntype = platform\n", 1, "a UUID" },
	{ "a lease of 0", BEGIN "lease = 0\n", 4, "from 1s to 365d" },
	{ "a negative lease", BEGIN "lease = -1\n", 4, "from 1s to 365d" },
	{ "a lease with a fraction", BEGIN "lease = 1.5h\n", 4, "from 1s to 365d" },
	{ "a lease with an unknown unit", BEGIN "lease = 1w\n", 4, "from 1s to 365d" },
	{ "a lease with two units", BEGIN "lease = 1h30m\n", 4, "from 1s to 365d" },
	{ "a lease with a blank", BEGIN "lease = 1 h\n", 4, "from 1s to 365d" },
	{ "a lease of more than a year", BEGIN "lease = 366d\n", 4, "from 1s to 365d" },
	{ "a lease that wraps around", BEGIN "lease = 4294967297\n", 4, "from 1s to 365d" },
	{ "a lease that wraps around by its unit", BEGIN "lease = 1193047h\n", 4, "from 1s to 365d" },
	{ "an empty lease", BEGIN "lease =\n", 4, "from 1s to 365d" },
	{ "no lease for a customer's key", BEGIN "\nlease = none\n", 5, "'none' is for type platform" },
	{ "a comment behind a value", BEGIN "lease = 1h # an hour\n", 4, "comments are on lines of their own" },
	{ "a wrong switch", BEGIN "auto-rotate = true\n", 4, "yes or no" },
	{ "another wrong switch", BEGIN "enabled = 1\n", 4, "yes or no" },
	{ "a wrong lapse", BEGIN "on-lapse = panic\n", 4, "error or queue" },
	{ "a time-out of none", BEGIN "key-timeout = none\n", 4, "from 1s to 10m" },
	{ "a time-out of an hour", BEGIN "key-timeout = 1h\n", 4, "from 1s to 10m" },
	{ "an unknown wrapping", BEGIN "wrapping = RSA-PKCS1\n", 4, "RSA-OAEP-256, RSA-OAEP" },
	{ "the platform's wrapping", BEGIN "wrapping = AES-256-KW\n", 4, "RSA-OAEP-256, RSA-OAEP" },
	{ "a key for the platform", PLAT "key = file:/k.pem\n", 3, "no customer's key" },
	{ "an identity for the platform", PLAT "\nidentity = file:/pin\n", 4, "no customer's key" },
	{ "a wrapping for the platform", PLAT "wrapping = RSA-OAEP\n", 3, "no customer's key" },
	{ "a key of no provider", "id = " ID "\ntype = customer\nkey = vault:x\n", 3, "vault" },
	{ "the platform's key for a customer", "id = " ID "\ntype = customer\nkey = platform:x\n", 3, "no customer's" },
	{ "a PIN in the key", "id = " ID "\ntype = customer\nkey = pkcs11:object=a?pin-value=1\n", 3, "pin-value" },
	{ "an identity of no source", BEGIN "lease = 1h\nidentity = 1234\n", 5, "identity" },
	{ "a carriage return", "id = " ID "\r\ntype = platform\r\n", 1, "carriage return" },
	{ "a byte order mark", "\xef\xbb\xbfid = " ID "\ntype = platform\n", 1, "byte order mark" },
	{ "Latin-1", BEGIN "owner = J\xf6rg\n", 4, "UTF-8" },
	{ "a surrogate", BEGIN "owner = \xed\xa0\x80\n", 4, "UTF-8" },
	{ "an overlong character", BEGIN "owner = \xc0\xaf\n", 4, "UTF-8" },
	{ "an escape sequence", BEGIN "owner = \x1b[31m\n", 4, "UTF-8" },
	{ "a comment in Latin-1", "# J\xf6rg\n" BEGIN, 1, "UTF-8" },
	{ "an owner that is too long", BEGIN "owner = "
	  "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
	  "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
	  "01234567890123456789012345678901234567890123456789012345678901234567890123456789\n", 4,
	  "at most 255 bytes" },
};

static int parse(const char *name, const char *text, struct des *des, struct reason *why)
{
	memset(des, 0, sizeof(*des));
	memset(why, 0, sizeof(*why));
	snprintf(des->name, sizeof(des->name), "%s", name);
	return des_config_parse(text, strlen(text), des, why);
}

static void test_wrong(void)
{
	struct reason why;
	struct des des;
	unsigned int line;
	char what[128];
	size_t i;
	int rc;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		rc = parse("x", wrong[i].text, &des, &why);
		line = 0;
		sscanf(why.text, "line %u:", &line);
		snprintf(what, sizeof(what), "refused: %s", wrong[i].what);
		result(rc == RC_PARAM && line == wrong[i].line && strstr(why.text, wrong[i].says),
		       what, why.text);
	}
}

static void test_long_line(void)
{
	char text[4096], long_value[3000];
	struct reason why;
	struct des des;
	int rc;

	memset(long_value, 'x', sizeof(long_value) - 1);
	long_value[sizeof(long_value) - 1] = '\0';
	snprintf(text, sizeof(text), BEGIN "owner = %s\n", long_value);
	rc = parse("x", text, &des, &why);
	result(rc == RC_PARAM && strstr(why.text, "line 4: the value of owner is 2999 bytes long"),
	       "refused: a value longer than any", why.text);
	memcpy(text, BEGIN "a\0b = 1\n", sizeof(BEGIN "a\0b = 1\n"));
	memset(&des, 0, sizeof(des));
	rc = des_config_parse(text, sizeof(BEGIN "a\0b = 1\n") - 1, &des, &why);
	result(rc == RC_PARAM && strstr(why.text, "line 4: it has bytes"), "refused: a NUL", why.text);
}

static void test_right(void)
{
	struct reason why;
	struct des des;

	result(!parse("x", BEGIN, &des, &why) && des.type == DES_CUSTOMER && des.lease == 3600 &&
	       des.timeout == 10 && des.enabled && !des.auto_rotate && !des.queue_on_lapse &&
	       !*des.owner && !*des.identity && !*des.wrapping, "what is set when nothing is said",
	       why.text);
	result(!parse("x", PLAT, &des, &why) && des.type == DES_PLATFORM && !des.lease,
	       "the platform has no lease by itself", why.text);
	result(!parse("x", PLAT "lease = none\n", &des, &why) && !des.lease, "none is said", why.text);
	result(!parse("x", "lease = 2m\nkey=file:/k.pem\ntype=customer\nid=" ID, &des, &why) &&
	       des.lease == 120, "any order, and no newline at the end", why.text);
	result(!parse("x", "  type\t=  platform  \n\t# c\nid = " ID "\nowner = A = B # 7 Ö\n", &des,
		      &why) && !strcmp(des.owner, "A = B # 7 Ö"), "blanks, '=' and '#'", why.text);
	result(!parse(DES_DEFAULT, "lease = 1h\non-lapse = queue\n", &des, &why) && des.lease == 3600 &&
	       des.queue_on_lapse && des.type == DES_PLATFORM && !*des.id,
	       "the implicit set needs neither id nor type", why.text);
	result(parse(DES_DEFAULT, "\ntype = customer\nkey = file:/k.pem\n", &des, &why) == RC_PARAM &&
	       strstr(why.text, "line 2: type"), "... but its type is platform", why.text);
	result(!parse("x", BEGIN "wrapping = RSA-OAEP\nidentity = file:/pin\nkey-timeout = 2m\n"
		      "enabled = no\nauto-rotate = yes\nlease = 365d\n", &des, &why) &&
	       des.timeout == 120 && !des.enabled && des.auto_rotate &&
	       des.lease == 365U * 24 * 3600, "all of them", why.text);
}

static void test_durations(void)
{
	static const struct {
		const char *text;
		unsigned int seconds;
	} times[] = {
		{ "1", 1 }, { "90", 90 }, { "90s", 90 }, { "15m", 900 }, { "1h", 3600 },
		{ "2d", 172800 }, { "none", 0 }, { "4294967295", 4294967295U },
	};
	static const char * const none[] = {
		"", "0", "00", "0h", "-1", "+1", " 1", "1 ", "1S", "1H", "h", "1hh", "1e3", "0x10",
		"4294967296", "71582789m", "None",
	};
	char text[32];
	unsigned int seconds;
	size_t i;

	for (i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		bool ok = des_parse_duration(times[i].text, &seconds) && seconds == times[i].seconds;

		des_format_duration(times[i].seconds, text, sizeof(text));
		ok = ok && des_parse_duration(text, &seconds) && seconds == times[i].seconds;
		result(ok, "a time, there and back", times[i].text);
	}
	for (i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		result(!des_parse_duration(none[i], &seconds), "no time", none[i]);
	des_format_duration(7200, text, sizeof(text));
	result(!strcmp(text, "2h"), "the largest unit", text);
	des_format_duration(3660, text, sizeof(text));
	result(!strcmp(text, "61m"), "... that is exact", text);
}

static void test_names(void)
{
	static const char * const good[] = { "a", "A-b_c.9", "0", "_x", "a..b" };
	static const char * const bad[] = {
		"", ".", "..", ".a", "-a", "a/b", "a b", "a\n", "ä",
		"0123456789012345678901234567890123456789012345678901234567890123",
	};
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		result(des_name_ok(good[i]), "a name", good[i]);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		result(!des_name_ok(bad[i]), "no name", bad[i]);
}

static const char hand_written[] =
	"# Ours. Ask Anna first.\n"
	"\n"
	"type\t=\tcustomer\n"
	"   id=" ID "\n"
	"# the old one: file:/a.pem\n"
	"key =file:/b.pem\n"
	"owner =\n"
	"lease=   120m   \n"
	"# end, without a newline";

static void test_edit(void)
{
	char *edited;
	struct reason why;
	struct des des;

	parse("x", hand_written, &des, &why);
	des_config_edit(hand_written, strlen(hand_written), &des, &edited, &why);
	result(edited && !strncmp(edited, hand_written, strlen(hand_written)) &&
	       !strcmp(edited + strlen(hand_written), "\n"), "no change changes nothing", edited);
	free(edited);

	des.lease = 90;
	strcpy(des.owner, "Anna");
	des.queue_on_lapse = true;
	des_config_edit(hand_written, strlen(hand_written), &des, &edited, &why);
	result(edited && !strncmp(edited, "# Ours. Ask Anna first.\n\ntype\t=\tcustomer\n   id=" ID
				  "\n# the old one: file:/a.pem\nkey =file:/b.pem\nowner = Anna\n"
				  "lease=   90s\n# end, without a newline\n\n# What I/O does",
				  strlen(hand_written)),
	       "lines that differ, and no other", edited);
	result(edited && strstr(edited, "\non-lapse = queue\n") && !strstr(edited, "key-timeout"),
	       "a new line for a value that had none", edited);
	if (edited && !parse("x", edited, &des, &why))
		result(des.lease == 90 && des.queue_on_lapse && !strcmp(des.owner, "Anna"),
		       "it says what was meant", edited);
	else
		result(false, "it says what was meant", why.text);
	free(edited);

	des.type = DES_PLATFORM_AND_CUSTOMER;
	result(des_config_edit(hand_written, strlen(hand_written), &des, &edited, &why) == RC_PARAM &&
	       !edited && strstr(why.text, "the type of a set never changes"),
	       "the type never changes", why.text);
	des.type = DES_CUSTOMER;
	des.id[0] = 'f';
	result(des_config_edit(hand_written, strlen(hand_written), &des, &edited, &why) == RC_PARAM &&
	       !edited && strstr(why.text, "id of a set never changes"), "nor the id", why.text);
}

static void test_format(void)
{
	struct des des, again;
	struct reason why;
	unsigned int type;
	char *text;

	for (type = DES_PLATFORM; type <= DES_PLATFORM_AND_CUSTOMER; type++) {
		parse("x", type == DES_PLATFORM ? PLAT : BEGIN, &des, &why);
		des.type = (enum des_type)type;
		text = des_config_format(&des);
		result(text && !parse("x", text, &again, &why) && !memcmp(&des, &again, sizeof(des)),
		       "a file that is written is read", why.text);
		free(text);
	}
	parse("x", BEGIN, &des, &why);
	strcpy(des.owner, "a\nenabled = no");
	result(des_config_check(&des, &why) == RC_PARAM && strstr(why.text, "owner"),
	       "a newline is no part of a value", why.text);
	strcpy(des.owner, " a");
	result(des_config_check(&des, &why) == RC_PARAM, "nor are blanks around it", why.text);
}

static void make_set(struct des *des, const char *name)
{
	memset(des, 0, sizeof(*des));
	snprintf(des->name, sizeof(des->name), "%s", name);
	des->type = DES_CUSTOMER;
	des_config_defaults(des);
	strcpy(des->key, "file:/k.pem");
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	return stat(path, &st) ? 0 : st.st_mode & 07777;
}

static void write_file(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, text, strlen(text)) < 0 || fchmod(fd, mode))
		perror(path);
	close(fd);
}

static bool contains(const char *path, const char *text)
{
	struct reason why;
	bool missing, found;
	size_t size;
	char *is;

	if (files_read(path, FILES_ANY, 65536, &is, &size, &missing, &why))
		return false;
	found = strstr(is, text);
	free(is);
	return found;
}

static void test_files(void)
{
	struct reason why = { 0 };
	struct des des, loaded;
	char id[UUID_TEXT_SIZE];

	umask(0);
	make_set(&des, "gold");
	result(!des_create(&des, &why) && strlen(des.id) == 36, "a set is made", why.text);
	result(mode_of(PATH_DES "/gold.conf") == 0600 && mode_of(PATH_DES) == 0700 &&
	       mode_of(PATH_CONFIG) == 0700, "for root alone", "");
	result(des_create(&des, &why) == RC_BUSY, "but once", why.text);
	result(!des_load("gold", &loaded, &why) && !memcmp(&des, &loaded, sizeof(des)),
	       "and loaded", why.text);
	result(des_load("silver", &loaded, &why) == RC_DEVICE, "one that isn't there", why.text);
	result(des_load("../gold", &loaded, &why) == RC_PARAM, "one with a path for a name", why.text);
	make_set(&des, "platform");
	result(des_create(&des, &why) == RC_BUSY, "the implicit set isn't made", why.text);
	result(des_delete("platform", &why) == RC_PARAM, "nor deleted", why.text);

	result(!des_load("platform", &des, &why) && strlen(des.id) == 36 && des.type == DES_PLATFORM &&
	       !des.lease, "it is there without a file", why.text);
	strcpy(id, des.id);
	result(!des_load("platform", &des, &why) && !strcmp(id, des.id), "with an id that stays",
	       des.id);
	des.lease = 60;
	result(!des_save_config(&des, &why) && contains(PATH_DES "/platform.conf", "lease = 1m\n") &&
	       contains(PATH_DES "/platform.conf", id), "a change makes a file of it, with the id",
	       why.text);
	unlink(PATH_DES_STATE "/platform.json");
	result(!des_load("platform", &des, &why) && !strcmp(id, des.id) && des.lease == 60,
	       "then the state may be lost", why.text);
	write_file(PATH_DES "/platform.conf", "lease = 1h\n", 0600);
	write_file(PATH_DES_STATE "/platform.json", "{ \"version\": 1, \"id\": ", 0600);
	result(des_load("platform", &des, &why) == RC_PARAM && strstr(why.text, "id of disk encryption set"),
	       "without one a damaged state makes no new id", why.text);
	unlink(PATH_DES_STATE "/platform.json");

	write_file(PATH_DES "/broken.conf", "id = 1\n", 0600);
	result(des_load("broken", &des, &why) == RC_PARAM &&
	       strstr(why.text, PATH_DES "/broken.conf: line 1: "), "a broken file is named, with its line",
	       why.text);
	result(!des_load("gold", &des, &why), "and breaks no other", why.text);
	unlink(PATH_DES "/broken.conf");

	chmod(PATH_DES "/gold.conf", 0620);
	result(des_load("gold", &des, &why) == RC_PERM && strstr(why.text, "can be written by others"),
	       "a file that others can write is refused", why.text);
	chmod(PATH_DES "/gold.conf", 0644);
	result(!des_load("gold", &des, &why), "one that others can read is not", why.text);
	chmod(PATH_DES, 0777);
	result(des_load("gold", &des, &why) == RC_PERM, "a directory that others can write is", why.text);
	chmod(PATH_DES, 0700);
	if (!geteuid()) {
		if (chown(PATH_DES "/gold.conf", 1000, 0))
			perror("chown");
		result(des_load("gold", &des, &why) == RC_PERM && strstr(why.text, "user 1000"),
		       "and a file of another user", why.text);
		if (chown(PATH_DES "/gold.conf", 0, 0))
			perror("chown");
	}
	des_load("gold", &des, &why);
	des.lease = 61;
	rename(PATH_DES "/gold.conf", PATH_CONFIG "/elsewhere");
	if (symlink("../elsewhere", PATH_DES "/gold.conf"))
		perror("symlink");
	result(!des_save_config(&des, &why) && contains(PATH_CONFIG "/elsewhere", "lease = 61s"),
	       "a symbolic link stays one", why.text);
	result(mode_of(PATH_CONFIG "/elsewhere") == 0600, "what is replaced is root's alone", "");
	unlink(PATH_DES "/gold.conf");
	rename(PATH_CONFIG "/elsewhere", PATH_DES "/gold.conf");
	if (mkfifo(PATH_DES "/fifo.conf", 0600))
		perror("mkfifo");
	result(des_load("fifo", &des, &why) == RC_DEVICE, "a FIFO is not waited for", why.text);
	unlink(PATH_DES "/fifo.conf");
}

static void test_names_in_directory(void)
{
	struct reason why = { 0 };
	char **names, all[256] = "";
	size_t n, i;

	write_file(PATH_DES "/gold.conf~", "", 0600);
	write_file(PATH_DES "/.gold.conf.swp", "", 0600);
	write_file(PATH_DES "/.conf", "", 0600);
	write_file(PATH_DES "/white space.conf", "", 0600);
	write_file(PATH_DES "/amber.conf", "", 0600);
	result(!des_names(&names, &n, &why), "names are listed", why.text);
	for (i = 0; i < n; i++) {
		strcat(all, names[i]);
		strcat(all, " ");
	}
	result(!strcmp(all, "amber gold platform "), "sorted, without backups and the like", all);
	des_names_free(names, n);
	unlink(PATH_DES "/amber.conf");
}

static void add_digit(struct des *des, void *arg)
{
	size_t len = strlen(des->last_error);

	des->last_error[len] = *(const char *)arg;
	des->last_error[len + 1] = '\0';
	des->last_rotation++;
}

static int add_minute(struct des *des, void *arg, struct reason *why)
{
	(void)arg;
	(void)why;
	des->lease += 60;
	return RC_OK;
}

/* Each child changes state and configuration 25 times. */
#define CHILDREN	8
#define CHANGES		25

static void child(char digit)
{
	struct reason why;
	struct des des;
	int i;

	for (i = 0; i < CHANGES; i++)
		if (des_load("gold", &des, &why) || des_update_state(&des, add_digit, &digit, &why) ||
		    des_change_config(&des, add_minute, NULL, &why)) {
			fprintf(stderr, "%s\n", why.text);
			_exit(1);
		}
	_exit(0);
}

static void test_parallel(void)
{
	struct reason why = { 0 };
	unsigned int before, i, j, count, right = 0;
	struct des des;
	int status, bad = 0;

	des_load("gold", &des, &why);
	des.lease = 3600;
	des_save_config(&des, &why);
	before = des.lease;
	fflush(stdout);
	for (i = 0; i < CHILDREN; i++)
		if (!fork())
			child((char)('0' + i));
	while (wait(&status) > 0)
		bad += status != 0;
	result(!bad, "processes that change a set at a time", "a child failed");
	result(!des_load("gold", &des, &why) && des.last_rotation == CHILDREN * CHANGES,
	       "lose nothing of the state", why.text);
	for (i = 0; i < CHILDREN; i++) {
		for (count = 0, j = 0; des.last_error[j]; j++)
			count += des.last_error[j] == (char)('0' + i);
		right += count == CHANGES;
	}
	result(right == CHILDREN, "of any of them", des.last_error);
	result(des.lease == before + CHILDREN * CHANGES * 60, "and nothing of the configuration", "");
}

static void set_version(struct des *des, void *arg)
{
	snprintf(des->active_version, sizeof(des->active_version), "%s", (const char *)arg);
}

static void test_state(void)
{
	static char seven[] = "7";
	struct json_object *state;
	struct reason why = { 0 };
	struct des des;
	char *text;
	bool missing;

	des_load("gold", &des, &why);
	if (asprintf(&text, "{\"version\":1,\"id\":\"%s\",\"from-the-future\":[1,2]}", des.id) < 0)
		return;
	write_file(PATH_DES_STATE "/gold.json", text, 0600);
	free(text);
	des_update_state(&des, set_version, seven, &why);
	result(!json_read_file(PATH_DES_STATE "/gold.json", &state, &missing, &why) &&
	       json_object_object_get_ex(state, "from-the-future", NULL),
	       "unknown fields of the state are kept", why.text);
	json_object_put(state);

	write_file(PATH_DES_STATE "/gold.json",
		   "{\"version\":1,\"id\":\"another\",\"active-version\":\"6\"}", 0600);
	result(!des_load("gold", &des, &why) && !*des.active_version,
	       "the state of another set of the name is none", des.active_version);
	write_file(PATH_DES_STATE "/gold.json", "{\"version\":2}", 0600);
	result(!des_load("gold", &des, &why) && !*des.active_version, "nor that of a later version", "");
	write_file(PATH_DES_STATE "/gold.json", "not JSON", 0600);
	result(!des_load("gold", &des, &why) && !*des.active_version,
	       "a damaged state shuts no disk out", why.text);
	result(!des_update_state(&des, set_version, seven, &why) && !des_load("gold", &des, &why) &&
	       !strcmp(des.active_version, "7"), "and is begun anew", why.text);
	result(!des_delete("gold", &why) && access(PATH_DES "/gold.conf", F_OK) &&
	       access(PATH_DES_STATE "/gold.json", F_OK), "deleted, nothing is left", why.text);
	result(des_delete("gold", &why) == RC_DEVICE, "deleted twice", why.text);
}

static void test_keys(void)
{
	struct kek_config config;
	struct des des;
	char uri[1024];

	make_set(&des, "gold");
	strcpy(des.identity, "file:/pin");
	strcpy(des.wrapping, "RSA-OAEP");
	des.type = DES_PLATFORM_AND_CUSTOMER;
	des_kek_config(&des, TOKEN_OUTER, uri, sizeof(uri), &config);
	result(!strcmp(config.uri, "platform:gold") && !config.identity && !config.wrapping &&
	       config.timeout == 10, "outer layer: the platform's key", uri);
	des_kek_config(&des, TOKEN_INNER, uri, sizeof(uri), &config);
	result(!strcmp(config.uri, "file:/k.pem") && !strcmp(config.identity, "file:/pin") &&
	       !strcmp(config.wrapping, "RSA-OAEP"), "inner layer: the customer's", uri);
	des_kek_config(&des, TOKEN_SINGLE, uri, sizeof(uri), &config);
	result(!strcmp(config.uri, "file:/k.pem"), "and of the only layer", uri);
	des.type = DES_PLATFORM;
	des_kek_config(&des, TOKEN_INNER, uri, sizeof(uri), &config);
	result(!strcmp(config.uri, "platform:gold"), "but for type platform", uri);
}

static void make_disk(struct known_disk *disk, const char *device, const char *header,
		      const char *mapping)
{
	memset(disk, 0, sizeof(*disk));
	strcpy(disk->device, device);
	strcpy(disk->header, header);
	strcpy(disk->uuid, ID);
	strcpy(disk->des, "gold");
	strcpy(disk->des_id, ID);
	strcpy(disk->mapping, mapping);
}

/* The one file in the register whose content has @text. */
static void find_entry(const char *text, char *path, size_t size)
{
	char command[512];
	FILE *f;

	*path = '\0';
	snprintf(command, sizeof(command), "grep -l '%s' " PATH_DISKS "/*.json", text);
	f = popen(command, "r");
	if (!f || !fgets(path, (int)size, f))
		puts("# no entry");
	path[strcspn(path, "\n")] = '\0';
	if (f)
		pclose(f);
}

/* How many disks of @des there are in the register; -1 if it can't be read. */
static long count_disks(const char *des)
{
	struct known_disk *list;
	struct reason why;
	size_t n;

	if (registry_list(des, &list, &n, &why))
		return -1;
	free(list);
	return (long)n;
}

static void count_name(const char *mapping, void *arg)
{
	(void)mapping;
	++*(unsigned int *)arg;
}

static unsigned int count_mappings(void)
{
	unsigned int n = 0;

	registry_each_mapping(count_name, &n);
	return n;
}

static void test_registry(void)
{
	struct known_disk disk, found, *list;
	struct reason why = { 0 };
	char path[512], copy[600];
	size_t n;

	result(!registry_list(NULL, &list, &n, &why) && !n && !list, "an empty register", why.text);
	make_disk(&disk, "/a/2", "", "m");
	result(!registry_put(&disk, &why), "a disk is put", why.text);
	make_disk(&disk, "/a/1", "/h", "");
	disk.added = 1700000000;
	registry_put(&disk, &why);
	make_disk(&disk, "/a/1", "", "");
	strcpy(disk.des, "silver");
	registry_put(&disk, &why);
	result(!registry_list(NULL, &list, &n, &why) && n == 3 && !strcmp(list[0].device, "/a/1") &&
	       !*list[0].header && !strcmp(list[1].header, "/h") && list[1].added == 1700000000 &&
	       list[2].added && !strcmp(list[2].mapping, "m") && !strcmp(list[2].uuid, ID),
	       "all are listed, sorted", why.text);
	free(list);
	result(count_disks("gold") == 2, "those of a set are", "");
	result(!registry_find("/a/1", NULL, &found, &why) && !strcmp(found.des, "silver"),
	       "one is found", why.text);
	result(!registry_find("/a/1", "/h", &found, &why) && !strcmp(found.des, "gold"),
	       "by its header too", why.text);
	result(registry_find("/a/3", NULL, &found, &why) == RC_DEVICE, "one that isn't known", why.text);

	make_disk(&disk, "/a/1", "", "m");
	registry_put(&disk, &why);
	result(!registry_find_mapping("m", &found, &why) && !strcmp(found.device, "/a/1"),
	       "a mapping is of the disk that had it last", found.device);
	make_disk(&disk, "/a/2", "", "m");
	registry_put(&disk, &why);
	result(!registry_find_mapping("m", &found, &why) && !strcmp(found.device, "/a/2"),
	       "whichever that is", found.device);
	make_disk(&disk, "/a/1", "", "other");
	registry_put(&disk, &why);
	make_disk(&disk, "/a/1", "", "third");
	disk.clone = true;
	registry_put(&disk, &why);
	result(!registry_find_mapping("other", &found, &why) && !strcmp(found.device, "/a/1") &&
	       !registry_find_mapping("third", &found, &why) && !strcmp(found.device, "/a/1"),
	       "a disk may have two names", why.text);
	result(found.clone && !registry_find("/a/2", NULL, &found, &why) && !found.clone,
	       "it is known for a clone", why.text);
	result(count_mappings() == 3, "each name is there once", "");
	result(!registry_drop_mapping("third", &why) &&
	       registry_find_mapping("third", &found, &why) == RC_DEVICE &&
	       !registry_find("/a/1", NULL, &found, &why) && !strcmp(found.mapping, "other") &&
	       found.clone, "one of them is dropped, and the other is left", found.mapping);
	result(!registry_drop_mapping("other", &why) &&
	       !registry_find("/a/1", NULL, &found, &why) && !*found.mapping,
	       "then that one is", found.mapping);
	result(!registry_drop_mapping("other", &why) && !registry_drop_mapping("none", &why) &&
	       registry_drop_mapping("../x", &why) == RC_PARAM && count_mappings() == 1,
	       "what isn't there can be dropped", why.text);
	result(!registry_find_mapping("m", &found, &why) && !strcmp(found.device, "/a/2"),
	       "and nobody else's is", why.text);
	result(registry_find_mapping("none", &found, &why) == RC_DEVICE &&
	       registry_find_mapping("../x", &found, &why) == RC_DEVICE, "or of nobody", why.text);
	result(count_disks(NULL) == 3, "a disk that is put again is no other", "");

	find_entry("\"/h\"", path, sizeof(path));
	write_file(path, "{ \"version\": 1, \"device\": ", 0600);
	result(count_disks(NULL) == 2, "a broken entry is left out", "");
	result(!registry_forget("/a/1", "/h", &why) && access(path, F_OK), "and can be forgotten",
	       why.text);
	find_entry("\"/a/2\"", path, sizeof(path));
	snprintf(copy, sizeof(copy), "cp %s %s/copy.json", path, PATH_DISKS);
	if (system(copy))
		puts("# cp failed");
	result(count_disks(NULL) == 2, "so is one under another's name", "");
	unlink(PATH_DISKS "/copy.json");
	result(!registry_forget("/a/2", NULL, &why) &&
	       registry_find("/a/2", NULL, &found, &why) == RC_DEVICE, "a disk is forgotten", why.text);
	result(registry_forget("/a/2", NULL, &why) == RC_DEVICE, "but once", why.text);
	registry_forget("/a/1", NULL, &why);
}

/* Counts, in a version, how often it was called. */
static void count_change(struct known_disk *new, const struct known_disk *old, void *arg)
{
	(void)arg;
	if (old)
		*new = *old;
	snprintf(new->key_version, sizeof(new->key_version), "%d", atoi(new->key_version) + 1);
	strcpy(new->uuid, ID);
	strcpy(new->des, "gold");
}

static void test_registry_changes(void)
{
	struct known_disk place, other, found;
	struct reason why = { 0 };
	int i, j, status, bad = 0;

	make_disk(&place, "/c/1", "", "");
	fflush(stdout);
	for (i = 0; i < CHILDREN; i++) {
		if (fork())
			continue;
		for (j = 0; j < CHANGES; j++)
			if (registry_change(&place, NULL, count_change, NULL, &why))
				_exit(1);
		_exit(0);
	}
	while (wait(&status) > 0)
		bad += status != 0;
	result(!bad && !registry_find("/c/1", NULL, &found, &why) &&
	       atoi(found.key_version) == CHILDREN * CHANGES,
	       "processes that change an entry at a time lose nothing", found.key_version);

	registry_change(&place, "m", count_change, NULL, &why);
	make_disk(&other, "/c/2", "", "m");
	registry_put(&other, &why);
	result(!registry_change(&place, NULL, count_change, NULL, &why) &&
	       !registry_find_mapping("m", &found, &why) && !strcmp(found.device, "/c/2"),
	       "a change takes no name back that is another's", found.device);
	result(!registry_find("/c/1", NULL, &found, &why) && !strcmp(found.mapping, "m"),
	       "and keeps what it doesn't change", found.mapping);
	registry_forget("/c/1", NULL, &why);
	registry_forget("/c/2", NULL, &why);
	registry_drop_mapping("m", &why);
}

static void test_stable_names(void)
{
	struct reason why = { 0 };
	char name[PATH_MAX];
	struct known_disk disk, found;

	write_file(PATH_ROOT "/image", "", 0600);
	if (symlink("image", PATH_ROOT "/link"))
		perror("symlink");
	result(!registry_stable_name(PATH_ROOT "/link", name, sizeof(name), &why) &&
	       !strcmp(name, PATH_ROOT "/image"), "the real path of an image", name);
	make_disk(&disk, name, "", "");
	registry_put(&disk, &why);
	result(!registry_find(PATH_ROOT "/link", NULL, &found, &why), "found by another path", why.text);
	result(registry_stable_name(PATH_ROOT "/nothing", name, sizeof(name), &why) == RC_DEVICE,
	       "nothing has no name", why.text);
	result(registry_stable_name(PATH_ROOT "/image", name, 5, &why) == RC_PARAM,
	       "a name that doesn't fit is no name", why.text);
}

int main(void)
{
	if (!*PATH_ROOT) {
		puts("Bail out! built without ROOT: it would write to this host's own directories");
		return 1;
	}
	/* Warnings are part of it, but not of the output. */
	if (!freopen("/dev/null", "w", stderr))
		return 1;
	puts("TAP version 13");
	test_wrong();
	test_long_line();
	test_right();
	test_durations();
	test_names();
	test_edit();
	test_format();
	test_keys();
	test_files();
	test_names_in_directory();
	test_parallel();
	test_state();
	test_registry();
	test_registry_changes();
	test_stable_names();
	printf("1..%u\n", nr);
	return failed != 0;
}
