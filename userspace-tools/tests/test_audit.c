// SPDX-License-Identifier: GPL-2.0-only
/*
 * The audit: records have the fields that Documentation/disk-encryption-sets.rst
 * gives them, a key isn't used when its record can't be written, and the
 * journal, a socket of our own in a mount namespace, gets the same. Built with a
 * ROOT of its own. KTAP.
 *
 *	test_audit		all of that
 *	test_audit FILE		are these records right?
 */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <linux/fs.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "audit.h"
#include "files.h"
#include "json_file.h"
#include "paths.h"

static unsigned int nr, failed;

static void result(bool ok, const char *what, const char *detail)
{
	printf("%sok %u - %s\n", ok ? "" : "not ", ++nr, what);
	if (!ok) {
		printf("# %s\n", detail ? detail : "(null)");
		failed++;
	}
}

static void skipped(const char *what, const char *reason)
{
	printf("ok %u - %s # SKIP %s\n", ++nr, what, reason);
}

/* Schema: written from the documentation, not from audit.c. */

static bool is_text(struct json_object *o, const char *name)
{
	struct json_object *f;

	return json_object_object_get_ex(o, name, &f) && json_object_is_type(f, json_type_string) &&
	       json_object_get_string_len(f) > 0;
}

static bool is_number(struct json_object *o, const char *name)
{
	struct json_object *f;

	return json_object_object_get_ex(o, name, &f) && json_object_is_type(f, json_type_int) &&
	       json_object_get_int64(f) >= 0;
}

static bool is_there(struct json_object *o, const char *name)
{
	return json_object_object_get_ex(o, name, NULL);
}

static const char *text_of(struct json_object *o, const char *name)
{
	struct json_object *f;

	return json_object_object_get_ex(o, name, &f) ? json_object_get_string(f) : "";
}

static bool one_of(const char *text, const char *words)
{
	char word[64];

	snprintf(word, sizeof(word), " %s ", text);
	return strstr(words, word);
}

/* '0': a digit, 'x': a hex digit; others are themselves. */
static bool looks_like(const char *text, const char *pattern)
{
	for (; *pattern; pattern++, text++) {
		if (*pattern == '0' ? !strchr("0123456789", *text) :
		    *pattern == 'x' ? !strchr("0123456789abcdef", *text) : *pattern != *text)
			return false;
		if (!*text)
			return false;
	}
	return !*text;
}

#define EVENTS	" wrap unwrap format open close rotate renew lapse refuse copy header-backup " \
		"header-restore repair recovery-key assign encrypt decrypt des-create " \
		"des-update des-delete des-enable des-disable des-forget key-create " \
		"key-destroy temp-create shred "
#define FIELDS	" time id phase event outcome code reason uid login-uid pid ppid command host " \
		"des device uuid mapping layer key key-version "

/* NULL, or what is wrong with it. */
static const char *record_error(struct json_object *o)
{
	const char *phase = text_of(o, "phase"), *outcome = text_of(o, "outcome");
	struct json_object_iterator at, end;

	for (at = json_object_iter_begin(o), end = json_object_iter_end(o);
	     !json_object_iter_equal(&at, &end); json_object_iter_next(&at)) {
		if (!one_of(json_object_iter_peek_name(&at), FIELDS))
			return json_object_iter_peek_name(&at);
		if (json_object_is_type(json_object_iter_peek_value(&at), json_type_string) &&
		    !is_text(o, json_object_iter_peek_name(&at)))
			return "an empty field";
	}
	if (!looks_like(text_of(o, "time"), "0000-00-00T00:00:00.000Z"))
		return "time";
	if (!looks_like(text_of(o, "id"), "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"))
		return "id";
	if (!one_of(phase, " intent result note "))
		return "phase";
	if (!one_of(text_of(o, "event"), EVENTS))
		return "event";
	if (!is_number(o, "uid") || !is_number(o, "pid") || !is_number(o, "ppid"))
		return "uid, pid or ppid";
	if (is_there(o, "login-uid") && !is_number(o, "login-uid"))
		return "login-uid";
	if (!is_text(o, "command") || !is_text(o, "host"))
		return "command or host";
	if (is_there(o, "layer") && !one_of(text_of(o, "layer"), " single inner outer "))
		return "layer";
	if (!strcmp(phase, "intent") ? is_there(o, "outcome") : !one_of(outcome, " ok failed "))
		return "outcome";
	if (!strcmp(outcome, "failed") ? !is_number(o, "code") || !is_text(o, "reason") :
	    is_there(o, "code") || is_there(o, "reason"))
		return "code or reason";
	if (!strncmp(text_of(o, "key"), "pkcs11", 6) && strcasestr(text_of(o, "key"), "pin-"))
		return "a PIN in the key";
	return NULL;
}

struct records {
	struct json_object **list;
	size_t nr;
	unsigned int bad;	/* lines that are no records */
};

static void free_records(struct records *r)
{
	size_t i;

	for (i = 0; i < r->nr; i++)
		json_object_put(r->list[i]);
	free(r->list);
}

static void take_line(struct records *r, const char *line, size_t len)
{
	struct json_object *o = json_parse_object(line, len);
	const char *error = o ? record_error(o) : "no JSON";

	if (error) {
		printf("# %s: %s\n", error, line);
		r->bad++;
		json_object_put(o);
		return;
	}
	r->list = reallocarray(r->list, r->nr + 1, sizeof(*r->list));
	if (!r->list)
		exit(1);
	r->list[r->nr++] = o;
}

static void read_records(const char *path, struct records *r)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t len;
	FILE *f;

	memset(r, 0, sizeof(*r));
	f = fopen(path, "re");
	if (!f)
		return;
	while ((len = getline(&line, &size, f)) > 0) {
		if (line[len - 1] != '\n') {
			r->bad++;
			continue;
		}
		line[--len] = '\0';
		take_line(r, line, (size_t)len);
	}
	free(line);
	fclose(f);
}

/* A result may say more than its intent did: which version was made. */
static bool same_field(struct json_object *intent, struct json_object *result, const char *name)
{
	return !is_there(intent, name) || !strcmp(text_of(intent, name), text_of(result, name));
}

/* Every intent has one result, of the same event and subject, later in the file. */
static bool paired(const struct records *r)
{
	static const char * const same[] = { "event", "des", "device", "key", "key-version", "layer" };
	size_t i, j, k, results;
	bool ok = true;

	for (i = 0; i < r->nr && ok; i++) {
		if (strcmp(text_of(r->list[i], "phase"), "intent"))
			continue;
		for (results = 0, j = i + 1; j < r->nr; j++) {
			if (strcmp(text_of(r->list[i], "id"), text_of(r->list[j], "id")))
				continue;
			results += !strcmp(text_of(r->list[j], "phase"), "result");
			for (k = 0; k < sizeof(same) / sizeof(same[0]); k++)
				ok = ok && same_field(r->list[i], r->list[j], same[k]);
		}
		ok = ok && results == 1;
		if (!ok)
			printf("# not paired: %s\n", json_object_to_json_string(r->list[i]));
	}
	return ok;
}

static int check_file(const char *path)
{
	struct records r;
	char what[128];

	read_records(path, &r);
	snprintf(what, sizeof(what), "%zu records are as documented", r.nr);
	result(r.nr && !r.bad, what, "there are none, or some are not");
	result(paired(&r), "every intent has its result", "");
	free_records(&r);
	printf("1..%u\n", nr);
	return failed != 0;
}

static void write_file(const char *path, const char *text, mode_t mode)
{
	struct reason why;
	int fd;

	files_make_parent(path, &why);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, text, strlen(text)) < 0 || fchmod(fd, mode))
		perror(path);
	close(fd);
}

static const struct audit_subject subject = {
	.des = "gold",
	.device = "/dev/disk/by-id/x",
	.uuid = "37061e16-c960-4b96-9aa7-6651b94e3976",
	.mapping = "m",
	.layer = "inner",
	.key = "pkcs11:token=a;object=b",
	.version = "7",
};

static void test_records(void)
{
	struct reason why = { 0 }, no = { RC_PERM, "no\n\"key\"" };
	struct records r;
	struct audit a;
	struct stat st;

	audit_command("some command");
	result(!audit_intent(&a, AUDIT_UNWRAP, &subject, &why), "an intent", why.text);
	result(audit_result(&a, NULL) == RC_OK, "its result", "");
	result(audit_result(&a, &no) == RC_PERM, "a result has no other", "");
	audit_intent(&a, AUDIT_OPEN, &subject, &why);
	result(audit_result(&a, &no) == RC_PERM, "one that failed keeps its exit code", "");
	result(!audit_note(AUDIT_LAPSE, &(struct audit_subject){ .mapping = "m" }, NULL, &why),
	       "a note", why.text);
	result(!audit_note(AUDIT_REFUSE, &subject, &no, &why), "a note of a failure", why.text);

	read_records(PATH_AUDIT, &r);
	result(r.nr == 6 && !r.bad && paired(&r), "six records as documented", "");
	if (r.nr == 6) {
		result(!strcmp(text_of(r.list[0], "des"), "gold") &&
		       !strcmp(text_of(r.list[0], "key-version"), "7") &&
		       !strcmp(text_of(r.list[0], "layer"), "inner") &&
		       !strcmp(text_of(r.list[0], "command"), "some command") &&
		       !strcmp(text_of(r.list[1], "outcome"), "ok"), "they say what was asked", "");
		result(!strcmp(text_of(r.list[3], "reason"), "no\n\"key\"") &&
		       !strcmp(text_of(r.list[3], "code"), "2") &&
		       !strcmp(text_of(r.list[3], "event"), "open"), "and what came of it", "");
		result(!is_there(r.list[4], "des") && !is_there(r.list[4], "key"),
		       "what doesn't apply isn't there", "");
	}
	free_records(&r);
	result(!stat(PATH_AUDIT, &st) && (st.st_mode & 07777) == 0600, "the file is root's alone", "");
	unlink(PATH_AUDIT);
}

static void test_every_event(void)
{
	struct reason why = { 0 };
	struct records r;
	unsigned int event;

	for (event = 0; event < NR_AUDIT_EVENTS; event++)
		audit_note((enum audit_event)event, &subject, NULL, &why);
	read_records(PATH_AUDIT, &r);
	result(r.nr == NR_AUDIT_EVENTS && !r.bad, "every event has a documented name", "");
	free_records(&r);
	unlink(PATH_AUDIT);
}

static void one_key(const char *uri, const char *want)
{
	struct audit_subject s = { .key = uri };
	struct reason why = { 0 };
	struct records r;

	audit_note(AUDIT_WRAP, &s, NULL, &why);
	read_records(PATH_AUDIT, &r);
	result(r.nr == 1 && !strcmp(text_of(r.list[0], "key"), want), want,
	       r.nr ? text_of(r.list[0], "key") : "no record");
	free_records(&r);
	unlink(PATH_AUDIT);
}

static void test_keys(void)
{
	one_key("pkcs11:token=a;object=b?pin-value=1234", "pkcs11:token=a;object=b");
	one_key("pkcs11:token=a?pin-source=file:/pin&module-path=/m.so", "pkcs11:token=a?module-path=/m.so");
	one_key("pkcs11:token=a?module-name=m&pin-value=12&x=y", "pkcs11:token=a?module-name=m&x=y");
	one_key("pkcs11:object=b;pin-value=1;token=a", "pkcs11:object=b;token=a");
	one_key("pkcs11:pin-value=1;token=a", "pkcs11:;token=a");
	one_key("pkcs11:token=a?PIN-VALUE=1234", "pkcs11:token=a");
	one_key("file:/a&pin-b/c?d", "file:/a&pin-b/c?d");
	one_key("platform:gold", "platform:gold");
}

static void test_escapes(void)
{
	static const char nasty[] = "a\"b\\c\nd\te\x01" "f\x7f/\xff\xc3(\xed\xa0\x80 \xf0\x9f\x94\x91";
	static const char clean[] = "a\"b\\c\nd\te\x01" "f\x7f/\xef\xbf\xbd\xef\xbf\xbd(\xef\xbf\xbd"
				    "\xef\xbf\xbd\xef\xbf\xbd \xf0\x9f\x94\x91";
	struct audit_subject s = { .device = nasty };
	struct reason why = { 0 };
	struct records r;

	audit_note(AUDIT_OPEN, &s, NULL, &why);
	read_records(PATH_AUDIT, &r);
	result(r.nr == 1 && !strcmp(text_of(r.list[0], "device"), clean),
	       "any bytes come back, or as U+FFFD", r.nr ? text_of(r.list[0], "device") : "no record");
	free_records(&r);
	unlink(PATH_AUDIT);
}

static void test_cut_off(void)
{
	struct reason why = { 0 };
	struct records r;

	write_file(PATH_AUDIT, "{\"time\":\"20", 0600);
	audit_note(AUDIT_OPEN, &subject, NULL, &why);
	audit_note(AUDIT_CLOSE, &subject, NULL, &why);
	read_records(PATH_AUDIT, &r);
	result(r.nr == 2 && r.bad == 1, "a record that was cut off doesn't spoil the next", "");
	free_records(&r);
	unlink(PATH_AUDIT);
}

/* All at once, each record whole. */
static void test_parallel(void)
{
	struct reason why = { 0 };
	struct records r;
	struct audit a;
	int i, j, status, bad = 0;

	fflush(stdout);
	for (i = 0; i < 8; i++) {
		if (fork())
			continue;
		for (j = 0; j < 50; j++) {
			if (audit_intent(&a, AUDIT_RENEW, &subject, &why))
				_exit(1);
			audit_result(&a, NULL);
		}
		_exit(0);
	}
	while (wait(&status) > 0)
		bad += status != 0;
	read_records(PATH_AUDIT, &r);
	result(!bad && r.nr == 800 && !r.bad && paired(&r), "800 records of 8 processes", "");
	free_records(&r);
	unlink(PATH_AUDIT);
}

/* Intent and note fail with this code; nothing is recorded. */
static void refused(const char *what, int rc, const char *says)
{
	struct reason why = { 0 };
	struct audit a;
	int got;

	got = audit_intent(&a, AUDIT_UNWRAP, &subject, &why);
	result(got == rc && why.rc == rc && strstr(why.text, says) && !a.open, what, why.text);
	/* The caller's own failure comes first, whatever happens to the record. */
	result(audit_result(&a, &(struct reason){ RC_BUSY, "busy" }) == RC_BUSY,
	       "... and a result of it is nothing", "");
	memset(&why, 0, sizeof(why));
	result(audit_note(AUDIT_LAPSE, &subject, NULL, &why) == rc, "... nor is there a note", why.text);
}

static void relaxed(const char *what)
{
	struct reason why = { 0 };
	struct audit a;
	int rc;

	write_file(PATH_HOST_CONF, "# ours\naudit = best-effort\n", 0600);
	rc = audit_intent(&a, AUDIT_UNWRAP, &subject, &why);
	result(!rc && a.open && !audit_result(&a, NULL) &&
	       !audit_note(AUDIT_LAPSE, &subject, NULL, &why), what, why.text);
	write_file(PATH_HOST_CONF, "audit = required\n", 0600);
	result(audit_intent(&a, AUDIT_UNWRAP, &subject, &why) != RC_OK, "... but not by default",
	       why.text);
	unlink(PATH_HOST_CONF);
}

static void test_refusals(void)
{
	if (mkdir(PATH_AUDIT, 0700))
		perror(PATH_AUDIT);
	refused("a directory for the file", RC_DEVICE, "can't be");
	relaxed("best effort goes on without it");
	rmdir(PATH_AUDIT);

	if (symlink("/dev/null", PATH_AUDIT))
		perror(PATH_AUDIT);
	refused("a symbolic link", RC_DEVICE, "symbolic link");
	unlink(PATH_AUDIT);
	if (mkfifo(PATH_AUDIT, 0600))
		perror(PATH_AUDIT);
	refused("a FIFO that nobody reads", RC_DEVICE, "not a regular file");
	unlink(PATH_AUDIT);
	write_file(PATH_AUDIT, "", 0602);
	refused("a file that others can write", RC_PERM, "can be written by others");
	if (!geteuid()) {
		write_file(PATH_AUDIT, "", 0600);
		if (chown(PATH_AUDIT, 1000, 1000))
			perror(PATH_AUDIT);
		refused("a file of another user", RC_PERM, "can be written by others");
	}
	unlink(PATH_AUDIT);
	write_file(PATH_AUDIT, "", 0640);
	result(!audit_note(AUDIT_LAPSE, &subject, NULL, &(struct reason){ 0 }),
	       "one that others can read is right", "");
	unlink(PATH_AUDIT);
}

static void broken_host(const char *text, int line, const char *says)
{
	struct reason why = { 0 };
	char at[sizeof(PATH_HOST_CONF) + 32];
	struct audit a;
	int rc;

	write_file(PATH_HOST_CONF, text, 0600);
	rc = audit_intent(&a, AUDIT_UNWRAP, &subject, &why);
	snprintf(at, sizeof(at), PATH_HOST_CONF ": line %d: ", line);
	result(rc == RC_PARAM && strstr(why.text, at) && strstr(why.text, says), says, why.text);
}

static void test_host_config(void)
{
	struct reason why = { 0 };
	struct audit a;

	broken_host("audit = best\n", 1, "required or best-effort");
	broken_host("\naudit\n", 2, "there is no '='");
	broken_host("audit = required\naudit = best-effort\n", 2, "set in line 1 already");
	broken_host("# a\n\nlog = x\n", 3, "unknown key 'log'");
	broken_host("audit =\n", 1, "required or best-effort");
	broken_host("[audit]\n", 1, "no sections");
	write_file(PATH_HOST_CONF, "audit = best-effort\n", 0666);
	result(audit_intent(&a, AUDIT_UNWRAP, &subject, &why) == RC_PERM,
	       "a host's configuration that others can write", why.text);
	unlink(PATH_HOST_CONF);
	unlink(PATH_AUDIT);
}

/* What needs filesystems of its own. */

static bool own_namespace(void)
{
	int flags = geteuid() ? CLONE_NEWUSER | CLONE_NEWNS : CLONE_NEWNS;

	return !unshare(flags) && !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
}

static bool mount_small(const char *path, const char *options)
{
	return !mount("none", path, "tmpfs", 0, options);
}

#define LOG_DIR	PATH_ROOT "/var/log/dm-sse"

static void fill(const char *path)
{
	char block[4096] = { 0 };
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	while (write(fd, block, sizeof(block)) > 0)
		;
	close(fd);
}

static void test_filesystems(void)
{
	struct reason why = { 0 };
	struct records r;

	if (!mount_small(LOG_DIR, "size=16k")) {
		result(false, "a small filesystem", strerror(errno));
		return;
	}
	fill(LOG_DIR "/fill");
	refused("a full disk", RC_DEVICE, "No space left");
	relaxed("best effort on a full disk");
	unlink(LOG_DIR "/fill");
	unlink(PATH_AUDIT);
	result(!audit_note(AUDIT_LAPSE, &subject, NULL, &why), "room again, and it goes on", why.text);
	/* Until one is cut off in the middle. */
	fill(LOG_DIR "/fill");
	while (!audit_note(AUDIT_LAPSE, &subject, NULL, &why))
		;
	result(strstr(why.text, "No space left"), "the disk gets full", why.text);
	unlink(LOG_DIR "/fill");
	result(!audit_note(AUDIT_CLOSE, &subject, NULL, &why), "and has room again", why.text);
	read_records(PATH_AUDIT, &r);
	result(r.bad <= 1 && r.nr > 2 && !strcmp(text_of(r.list[r.nr - 1], "event"), "close"),
	       "all records but the last before are whole", "");
	free_records(&r);

	if (mount(NULL, LOG_DIR, NULL, MS_REMOUNT | MS_RDONLY, NULL))
		perror("remount");
	refused("a read-only filesystem", RC_DEVICE, "Read-only file system");
	umount(LOG_DIR);
}

static bool set_flag(int flag, bool on)
{
	int fd = open(PATH_AUDIT, O_RDONLY | O_CLOEXEC), flags = 0;
	bool done;

	done = fd >= 0 && !ioctl(fd, FS_IOC_GETFLAGS, &flags);
	flags = on ? flags | flag : flags & ~flag;
	done = done && !ioctl(fd, FS_IOC_SETFLAGS, &flags);
	close(fd);
	return done;
}

static void test_attributes(void)
{
	struct reason why = { 0 };
	struct records r;

	audit_note(AUDIT_LAPSE, &subject, NULL, &why);
	if (!set_flag(FS_APPEND_FL, true)) {
		skipped("append-only and immutable files", "this filesystem has no such attributes");
		return;
	}
	result(!audit_note(AUDIT_LAPSE, &subject, NULL, &why), "an append-only file", why.text);
	read_records(PATH_AUDIT, &r);
	result(r.nr == 2 && !r.bad, "has both records", "");
	free_records(&r);
	result(open(PATH_AUDIT, O_WRONLY | O_CLOEXEC) < 0 && unlink(PATH_AUDIT),
	       "and is append-only", "");
	set_flag(FS_APPEND_FL, false);
	set_flag(FS_IMMUTABLE_FL, true);
	refused("an immutable file", RC_PERM, "not permitted");
	set_flag(FS_IMMUTABLE_FL, false);
	unlink(PATH_AUDIT);
}

#define JOURNAL	"/run/systemd/journal/socket"

static int listen_as_journal(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = JOURNAL };
	struct timeval patience = { .tv_sec = 60 };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (!mount_small("/run", "size=64k") || mkdir("/run/systemd", 0755) ||
	    mkdir("/run/systemd/journal", 0755) || bind(fd, (struct sockaddr *)&name, sizeof(name)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience))) {
		close(fd);
		return -1;
	}
	return fd;
}

/* One entry in the journal's native protocol; fields of one line only. */
static bool entry_has(const char *entry, const char *field)
{
	const char *at = strstr(entry, field);

	return at && (at == entry || at[-1] == '\n') && at[strlen(field)] == '\n';
}

static void test_journal(void)
{
	static const char two_lines[] = "\nDMSSE_REASON\n\x06\0\0\0\0\0\0\0no\nkey\n";
	struct reason why = { 0 }, no = { RC_PERM, "no\nkey" };
	char entry[8192];
	struct audit a;
	int fd, i, lost = 0;
	ssize_t len;

	fd = listen_as_journal();
	if (fd < 0) {
		result(false, "a socket for the journal", strerror(errno));
		return;
	}
	audit_intent(&a, AUDIT_UNWRAP, &subject, &why);
	len = recv(fd, entry, sizeof(entry) - 1, 0);
	entry[len > 0 ? len : 0] = '\0';
	result(entry_has(entry, "DMSSE_EVENT=unwrap") && entry_has(entry, "DMSSE_PHASE=intent") &&
	       entry_has(entry, "DMSSE_DES=gold") && entry_has(entry, "DMSSE_KEY_VERSION=7") &&
	       entry_has(entry, "DMSSE_KEY=pkcs11:token=a;object=b") &&
	       entry_has(entry, "SYSLOG_IDENTIFIER=ssesetup") && entry_has(entry, "PRIORITY=6") &&
	       strstr(entry, "\nMESSAGE_ID=b3ac1d1e6f0c4d7c9f50d1f2c8a4e690\n") &&
	       entry_has(entry, "MESSAGE=unwrap of /dev/disk/by-id/x, set gold: begins"),
	       "the journal gets the intent", entry);
	snprintf(entry, sizeof(entry), "DMSSE_ID=%s", a.id);
	audit_result(&a, &no);
	len = recv(fd, entry + 256, sizeof(entry) - 257, 0);
	entry[256 + (len > 0 ? len : 0)] = '\0';
	result(len > 0 && memmem(entry + 256, (size_t)len, two_lines, sizeof(two_lines) - 1),
	       "a value of two lines has its size in front", "");
	/* Now as text. */
	for (i = 256; i < 256 + (int)len; i++)
		if (!entry[i])
			entry[i] = ' ';
	result(entry_has(entry + 256, "DMSSE_OUTCOME=failed") && entry_has(entry + 256, "DMSSE_CODE=2") &&
	       entry_has(entry + 256, "PRIORITY=4") && entry_has(entry + 256, entry) &&
	       entry_has(entry + 256, "MESSAGE=unwrap of /dev/disk/by-id/x, set gold: failed: no key"),
	       "and the result, with the same id", entry + 256);

	/* The record of the file doesn't depend on it; many more than its queue takes. */
	alarm(300);
	for (i = 0; i < 2000 && !lost; i++)
		lost = audit_note(AUDIT_LAPSE, &subject, NULL, &why);
	alarm(0);
	result(!lost, "a journal that doesn't read is not waited for", why.text);
	close(fd);
	result(!audit_note(AUDIT_LAPSE, &subject, NULL, &why), "a journal that is gone is no failure",
	       why.text);
	unlink(PATH_AUDIT);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return check_file(argv[1]);
	if (!*PATH_ROOT) {
		puts("Bail out! built without ROOT: it would write to this host's own directories");
		return 1;
	}
	if (!freopen("/dev/null", "w", stderr))
		return 1;
	puts("TAP version 13");
	test_records();
	test_every_event();
	test_keys();
	test_escapes();
	test_cut_off();
	test_parallel();
	test_refusals();
	test_host_config();
	test_attributes();
	if (own_namespace()) {
		test_filesystems();
		test_journal();
	} else {
		skipped("full disks and the journal", "no mount namespace to be had");
	}
	printf("1..%u\n", nr);
	return failed != 0;
}
