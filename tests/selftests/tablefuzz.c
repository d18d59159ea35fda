// SPDX-License-Identifier: GPL-2.0-only
/*
 * Table lines and messages for the sse target by the thousand, in the kernel.
 *
 *	tablefuzz --disk MAJOR:MINOR --path PATH --sectors N [--lines N] [--seed S]
 *		[--corpus FILE] [--keep FILE] [--points FILE]
 *
 * Lines come from tablegrammar.c, and from mutations of those that reached what no
 * line before them did: with KCOV a place in the module, else an errno or a text.
 * It prints, and ends with 1 if it isn't so, that
 *
 *	- a line that is refused is refused by one line in the log, with an errno that
 *	  is documented;
 *	- a line that is taken comes back from the kernel, that one is taken again, and
 *	  comes back the same; what is written through it is read again;
 *	- a key that somebody wrote into a line isn't in the log;
 *	- the kernel complains of nothing, and needs no more memory in the end.
 *
 * --corpus: lines to begin with. --keep: where to write those that reached something.
 * --points: where to write what of the module was reached, as hexadecimal offsets in
 * its .text; there is no such file without KCOV.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <regex.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include <linux/dm-ioctl.h>
#include <linux/keyctl.h>
#include <linux/kcov.h>

#include "tablegrammar.h"

#define BUFFER_SIZE	32768
#define MAX_COMPLAINTS	20

/* Devices: what tables are loaded into, and what messages go to. */
#define TABLES		"dmsse-fuzz"
static const char * const messaged[] = { "dmsse-fuzz1", "dmsse-fuzz2", "dmsse-fuzz-live" };
static const unsigned int messaged_layers[] = { 1, 2, 1 };
#define NR_MESSAGED	(sizeof(messaged) / sizeof(messaged[0]))

static union {
	struct dm_ioctl head;
	char bytes[BUFFER_SIZE];
} buffer;

static int control, kmsg;
static struct scene scene;
static const char *now_what = "the beginning";
static struct text input;
static unsigned long failures;

static void failed(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void failed(const char *fmt, ...)
{
	va_list args;
	const char *c;

	if (++failures > MAX_COMPLAINTS)
		return;
	printf("# WRONG: ");
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n# %s: ", now_what);
	for (c = input.line; *c; c++)
		printf(*c >= ' ' && *c < 0x7f ? "%c" : "\\x%02x", (unsigned char)*c);
	printf("\n");
	fflush(stdout);
}

static void die(const char *what)
{
	printf("# %s: %s\n", what, strerror(errno));
	exit(2);
}

/* KCOV ------------------------------------------------------------------------- */

#define COVER_SIZE	(64 << 10)
#define MAX_POINTS	(1 << 16)	/* a power of two */

static unsigned long *cover;
static uint64_t text_start;
static uint64_t point[MAX_POINTS];	/* hashed; 0: free */
static unsigned long nr_points;

static void start_cover(void)
{
	FILE *f = fopen("/sys/module/dm_sse/sections/.text", "r");
	int fd = open("/sys/kernel/debug/kcov", O_RDWR | O_CLOEXEC);

	if (f && fscanf(f, "%" SCNx64, &text_start) != 1)
		text_start = 0;
	if (f)
		fclose(f);
	if (fd < 0 || !text_start)
		return;
	if (ioctl(fd, KCOV_INIT_TRACE, COVER_SIZE))
		die("KCOV_INIT_TRACE");
	cover = mmap(NULL, COVER_SIZE * sizeof(*cover), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (cover == MAP_FAILED)
		die("mmap of kcov");
	if (ioctl(fd, KCOV_ENABLE, KCOV_TRACE_PC))
		die("KCOV_ENABLE");
}

/* True for the first time. */
static bool note_point(uint64_t value)
{
	size_t at = (value * UINT64_C(0x9e3779b97f4a7c15)) >> 48;

	while (point[at] && point[at] != value)
		at = (at + 1) % MAX_POINTS;
	if (point[at] || nr_points > MAX_POINTS / 2)
		return false;
	point[at] = value;
	nr_points++;
	return true;
}

/* Some ioctl for this line has reached what none had before. */
static bool fresh;

static void collect_cover(void)
{
	unsigned long i, n;

	if (!cover)
		return;
	n = __atomic_load_n(&cover[0], __ATOMIC_RELAXED);
	for (i = 1; i <= n && i < COVER_SIZE; i++)
		fresh |= note_point(cover[i]);
}

static void write_points(const char *path)
{
	FILE *f = fopen(path, "w");
	size_t i;

	if (!f)
		die(path);
	for (i = 0; i < MAX_POINTS; i++)
		if (point[i])
			fprintf(f, "%" PRIx64 "\n", point[i] - text_start);
	if (fclose(f))
		die(path);
}

/* The log ------------------------------------------------------------------------ */

struct heard {
	unsigned int ours, dm;	/* lines of dm-sse, of device-mapper */
	bool by_ctr;		/* it was our constructor that refused */
	char text[512];		/* of dm-sse's line */
};

static regex_t complaint;

static void look_for_secret(const char *record)
{
	size_t len = strlen(input.secret), i;
	char part[13];

	for (i = 0; i + sizeof(part) - 1 <= len; i += 4) {
		snprintf(part, sizeof(part), "%s", input.secret + i);
		if (!strstr(record, part))
			continue;
		failed("the log has a part of a key");
		return;
	}
}

static void hear(char *record, struct heard *heard)
{
	char *text = strchr(record, ';'), *end;

	if (!text++)
		return;
	end = strchr(text, '\n');
	if (end)
		*end = '\0';
	if (*input.secret)
		look_for_secret(text);
	if (!strncmp(text, "dm-sse: ", 8)) {
		char *said = strstr(text + 8, ": ");

		heard->ours++;
		snprintf(heard->text, sizeof(heard->text), "%s", said ? said + 2 : "");
		if (!*heard->text)
			failed("refused without a reason: '%s'", text);
		/* kmsg shows a byte that is no character of a line like this. */
		if (strstr(text, "\\x0") || strstr(text, "\\x1") || strstr(text, "\\x7f"))
			failed("the log has a control character: '%s'", text);
	} else if (!strncmp(text, "device-mapper: ", 15)) {
		heard->dm++;
		heard->by_ctr |= !!strstr(text, "refused, the dm-sse line above says why");
	} else if (!regexec(&complaint, text, 0, NULL, 0)) {
		failed("the kernel complains: %s", text);
	}
}

static void listen(struct heard *heard)
{
	static char record[9000];
	ssize_t n;

	memset(heard, 0, sizeof(*heard));
	for (;;) {
		n = read(kmsg, record, sizeof(record) - 1);
		if (n < 0 && errno == EPIPE) {
			failed("lines of the log are lost");
			continue;
		}
		if (n <= 0)
			return;
		record[n] = '\0';
		hear(record, heard);
	}
}

static void start_listening(void)
{
	if (regcomp(&complaint, "WARNING|BUG|Oops|general protection|Call Trace|possible circular|"
		    "possible recursive|inconsistent|suspicious RCU|blocked for more|lockup|rcu: INFO|"
		    "UBSAN|KASAN|dm_put_device call missing|refcount_t|ODEBUG|unreferenced|sleeping function",
		    REG_EXTENDED | REG_NOSUB))
		die("regcomp");
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (kmsg < 0)
		die("/dev/kmsg");
	lseek(kmsg, 0, SEEK_END);
}

/* device-mapper -------------------------------------------------------------------- */

static void prepare(const char *name)
{
	memset(&buffer.head, 0, sizeof(buffer.head));
	buffer.head.version[0] = DM_VERSION_MAJOR;
	buffer.head.data_size = sizeof(buffer);
	buffer.head.data_start = sizeof(buffer.head);
	strcpy(buffer.head.name, name);
}

static int call(unsigned long request)
{
	int r;

	if (cover)
		__atomic_store_n(&cover[0], 0, __ATOMIC_RELAXED);
	r = ioctl(control, request, &buffer) ? errno : 0;
	collect_cover();
	return r;
}

static int simple(const char *name, unsigned long request, uint32_t flags)
{
	prepare(name);
	buffer.head.flags = flags;
	return call(request);
}

static size_t put_target(size_t at, uint64_t start, uint64_t length, const char *line)
{
	struct dm_target_spec *spec = (void *)(buffer.bytes + at);
	size_t size = (sizeof(*spec) + strlen(line) + 1 + 7) & ~(size_t)7;

	memset(spec, 0, sizeof(*spec));
	spec->sector_start = start;
	spec->length = length;
	spec->next = (uint32_t)size;
	strcpy(spec->target_type, "sse");
	strcpy((char *)(spec + 1), line);
	return at + size;
}

/* @twice: another target of the same behind it. */
static int load(const char *name, uint64_t length, const char *line, uint32_t flags, bool twice)
{
	size_t at = sizeof(buffer.head);

	prepare(name);
	buffer.head.flags = flags;
	buffer.head.target_count = twice ? 2 : 1;
	at = put_target(at, 0, length, line);
	if (twice)
		put_target(at, length, length, line);
	return call(DM_TABLE_LOAD);
}

static int message(const char *name, const char *text)
{
	struct dm_target_msg *msg = (void *)(buffer.bytes + sizeof(buffer.head));

	prepare(name);
	msg->sector = 0;
	strcpy(msg->message, text);
	return call(DM_TARGET_MSG);
}

/* Sets @line to the arguments of the only target. */
static int status(const char *name, uint32_t flags, char *line, size_t size)
{
	const struct dm_target_spec *spec = (void *)(buffer.bytes + sizeof(buffer.head));
	int r = simple(name, DM_TABLE_STATUS, flags);

	line[0] = '\0';
	if (!r && buffer.head.target_count)
		snprintf(line, size, "%.*s", (int)size - 1, (const char *)(spec + 1));
	return r;
}

#define INACTIVE	(DM_STATUS_TABLE_FLAG | DM_QUERY_INACTIVE_TABLE_FLAG)

/* Keys ----------------------------------------------------------------------------- */

static char long_name[1200];

static long add_key(const char *type, const char *name, const void *payload, size_t size)
{
	return syscall(SYS_add_key, type, name, payload, size, KEY_SPEC_SESSION_KEYRING);
}

static void make_key(const char *name, unsigned int bytes, unsigned int seed, bool must)
{
	static const char * const types[] = { "logon", "user" };
	unsigned char payload[256];
	char master[300];
	unsigned int i;

	for (i = 0; i < bytes; i++)
		payload[i] = (unsigned char)(seed * 31 + i * 7 + (i * i >> 3) + bytes);
	for (i = 0; i < 2; i++)
		if (add_key(types[i], name, payload, bytes) < 0 && must)
			die(name);
	/* Where the kernel has none, lines with them are refused. */
	snprintf(master, sizeof(master), "new default user:" KEY_PREFIX "a32 %u", bytes);
	if (bytes >= 20)
		add_key("encrypted", name, master, strlen(master));
}

static void make_keys(void)
{
	static const unsigned int sizes[] = { 32, 16, 24, 48, 64 };
	unsigned char payload[64] = { 0 };
	char name[1400];
	size_t i;
	long id;

	memset(long_name, 'x', sizeof(long_name) - 1);
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		snprintf(name, sizeof(name), KEY_PREFIX "a%u", sizes[i]);
		make_key(name, sizes[i], 1, true);
		snprintf(name, sizeof(name), KEY_PREFIX "b%u", sizes[i]);
		make_key(name, sizes[i], 2, true);
		snprintf(name, sizeof(name), KEY_PREFIX "longa%u", sizes[i]);
		make_key(name, sizes[i], 3, true);
		snprintf(name, sizeof(name), KEY_PREFIX "longb%u", sizes[i]);
		make_key(name, sizes[i], 4, true);
		snprintf(name, sizeof(name), KEY_PREFIX "back\\a%u", sizes[i]);
		make_key(name, sizes[i], 5, true);
		snprintf(name, sizeof(name), KEY_PREFIX "%.1000sa%u", long_name, sizes[i]);
		make_key(name, sizes[i], 6, true);
	}
	if (add_key("logon", KEY_PREFIX "halves64", payload, 64) < 0)
		die("halves64");
	make_key(KEY_PREFIX "shared64", 64, 2, true);
	id = add_key("logon", KEY_PREFIX "revoked32", payload, 32);
	syscall(SYS_keyctl, KEYCTL_REVOKE, id);
	id = add_key("logon", KEY_PREFIX "expired32", payload, 32);
	syscall(SYS_keyctl, KEYCTL_SET_TIMEOUT, id, 1);
	while (syscall(SYS_keyctl, KEYCTL_DESCRIBE, id, NULL, 0) >= 0)
		usleep(100000);
	id = add_key("logon", KEY_PREFIX "denied32", payload, 32);
	syscall(SYS_keyctl, KEYCTL_SETPERM, id, 0);
}

/* What was reached ------------------------------------------------------------------ */

struct kept {
	char *line;
	bool message;
};

static struct kept *corpus;
static size_t nr_corpus, nr_given;

static void keep(const char *line, bool is_message)
{
	corpus = realloc(corpus, (nr_corpus + 1) * sizeof(*corpus));
	if (!corpus)
		die("realloc");
	corpus[nr_corpus].line = strdup(line);
	corpus[nr_corpus++].message = is_message;
}

static void read_corpus(const char *path)
{
	char line[LINE_SIZE];
	FILE *f = fopen(path, "r");

	if (!f)
		die(path);
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		keep(line, !strncasecmp(line, "key ", 4));
	}
	fclose(f);
	nr_given = nr_corpus;
}

/* Without what differs from line to line: numbers, and what is quoted. */
static uint64_t digest(const char *text, int error)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325) ^ (uint64_t)error;
	bool quoted = false;

	for (; *text; text++) {
		if (*text == '\'')
			quoted = !quoted;
		else if (!quoted && (*text < '0' || *text > '9'))
			h = (h ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	}
	return h;
}

static bool note_reason(const char *text, int error)
{
	static uint64_t seen[4096];
	static size_t nr;
	uint64_t h = digest(text, error);
	size_t i;

	for (i = 0; i < nr; i++)
		if (seen[i] == h)
			return false;
	if (nr < sizeof(seen) / sizeof(seen[0]))
		seen[nr++] = h;
	return true;
}

static void write_corpus(const char *path)
{
	FILE *f = fopen(path, "w");
	size_t i;

	if (!f)
		die(path);
	for (i = nr_given; i < nr_corpus; i++)
		fprintf(f, "%s\n", corpus[i].line);
	if (fclose(f))
		die(path);
}

/* One line ------------------------------------------------------------------------- */

static unsigned long taken, refused, by_error[200], messages_taken;

/* Documentation/admin-guide/device-mapper/dm-sse.rst, and what a path comes to. */
static bool known_error(int error)
{
	static const int known[] = {
		EINVAL, EOPNOTSUPP, ENOKEY, EKEYEXPIRED, EKEYREVOKED, EACCES, ENOENT, ENOTBLK, ENODEV,
		ENXIO, EBUSY, ENAMETOOLONG, EOVERFLOW,
	};
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i] == error)
			return true;
	return false;
}

static void judge_refusal(int error, const struct heard *heard)
{
	refused++;
	by_error[error < 200 ? error : 0]++;
	/* Of algorithms that it finds by one name and registers by another. */
	if (!known_error(error) && !(error == EEXIST && strstr(heard->text, "cannot be allocated")))
		failed("refused with %s", strerrorname_np(error));
	if (heard->by_ctr ? heard->ours != 1 : !heard->ours && !heard->dm)
		failed("refused with %s by %u lines of dm-sse and %u of device-mapper",
		       strerrorname_np(error), heard->ours, heard->dm);
	if (!strcmp(heard->text, "out of memory"))
		failed("out of memory");
}

static int open_node(const char *name)
{
	char path[64];

	if (simple(name, DM_DEV_STATUS, 0))
		return -1;
	snprintf(path, sizeof(path), "/dev/block/%u:%u", major(buffer.head.dev), minor(buffer.head.dev));
	return open(path, O_RDWR | O_DIRECT | O_EXCL | O_CLOEXEC);
}

/* Makes the table the live one, and sends a block through it. */
static void use_table(uint64_t length)
{
	static char *there, *back;
	struct heard heard;
	int fd, r;

	if (!there) {
		if (posix_memalign((void **)&there, 4096, 4096) ||
		    posix_memalign((void **)&back, 4096, 4096))
			die("posix_memalign");
	}
	r = simple(TABLES, DM_DEV_SUSPEND, 0);
	listen(&heard);
	if (r) {
		if (!heard.ours && !heard.dm)
			failed("no resume: %s, and not a word why", strerrorname_np(r));
		simple(TABLES, DM_TABLE_CLEAR, 0);
		return;
	}
	if (length >= 8) {
		fd = open_node(TABLES);
		if (fd >= 0) {
			memset(there, (int)grammar_random(256), 4096);
			memset(back, 0, 4096);
			if (pwrite(fd, there, 4096, 0) != 4096 || pread(fd, back, 4096, 0) != 4096)
				failed("no I/O: %s", strerrorname_np(errno));
			else if (memcmp(there, back, 4096))
				failed("what was written isn't what is read");
			close(fd);
		}
	}
	r = simple(TABLES, DM_DEV_SUSPEND, DM_SUSPEND_FLAG);
	if (r)
		failed("no suspend: %s", strerrorname_np(r));
	listen(&heard);
}

/* What was taken is printed, taken again, and printed the same. */
static void go_round(uint64_t length, uint32_t flags)
{
	static char first[LINE_SIZE + 200], second[LINE_SIZE + 200];
	struct heard heard;
	int r;

	r = status(TABLES, INACTIVE, first, sizeof(first));
	if (r || !*first) {
		failed("no line of a table that was taken: %s", r ? strerrorname_np(r) : "empty");
		return;
	}
	/* The same line once is enough: device-mapper waits for RCU when tables go. */
	if (!grammar_random(4) || note_reason(first, -1))
		r = load(TABLES, length, first, flags, false);
	listen(&heard);
	if (r) {
		failed("taken, but not again (%s: %s): '%s'", strerrorname_np(r), heard.text, first);
		return;
	}
	status(TABLES, INACTIVE, second, sizeof(second));
	if (strcmp(first, second))
		failed("'%s' comes back as '%s'", first, second);
	status(TABLES, DM_QUERY_INACTIVE_TABLE_FLAG, second, sizeof(second));
	if (strncmp(second, "suspended layers:", 17))
		failed("status of a table that was just loaded: '%s'", second);
}

static uint64_t some_length(void)
{
	static const uint64_t odd[] = { 0, 1, 7, 9, UINT64_C(1) << 63, ~UINT64_C(0), ~UINT64_C(7),
					UINT64_C(1) << 55 };

	if (grammar_random(100) < 85)
		return 8 * (1 + grammar_random(256));
	if (grammar_random(2))
		return scene.sectors;
	return odd[grammar_random(sizeof(odd) / sizeof(odd[0]))];
}

static void try_table(void)
{
	uint64_t length = some_length();
	uint32_t flags = grammar_random(10) ? 0 : DM_READONLY_FLAG;
	bool twice = !grammar_random(50);
	struct heard heard;
	int r;

	if (grammar_random(2))
		flags |= DM_SECURE_DATA_FLAG;
	r = load(TABLES, length, input.line, flags, twice);
	listen(&heard);
	if (r) {
		judge_refusal(r, &heard);
		fresh |= !cover && note_reason(heard.text, r);
		return;
	}
	taken++;
	fresh |= !cover && nr_corpus < 500 && note_reason(input.line, 0);
	if (heard.ours)
		failed("taken, and the log says '%s'", heard.text);
	if (twice)
		return;
	go_round(length, flags);
	if (!(flags & DM_READONLY_FLAG) && !grammar_random(20))
		use_table(length);
}

static void try_message(void)
{
	unsigned int at = grammar_random(NR_MESSAGED);
	static char line[LINE_SIZE + 200];
	struct heard heard;
	int r;

	r = message(messaged[at], input.line);
	listen(&heard);
	if (r) {
		judge_refusal(r, &heard);
		fresh |= !cover && note_reason(heard.text, r);
		return;
	}
	messages_taken++;
	if (heard.ours)
		failed("taken, and the log says '%s'", heard.text);
	/* The keys it has now are named by a line that another device takes. */
	status(messaged[at], DM_STATUS_TABLE_FLAG, line, sizeof(line));
	r = load(TABLES, 64, line, 0, false);
	listen(&heard);
	/* One that was set while the other layer had none may be too much like that one's. */
	if (r && !(messaged_layers[at] > 1 && strstr(heard.text, "key is that of the other layer")))
		failed("after a message it is '%s', which is refused: %s", line, heard.text);
	status(messaged[at], 0, line, sizeof(line));
}

static bool one_line(void)
{
	bool is_message = !grammar_random(4);
	unsigned int at = grammar_random((unsigned int)nr_corpus + 1);

	if (nr_corpus && grammar_random(100) < 50 && at < nr_corpus) {
		const char *other = corpus[grammar_random((unsigned int)nr_corpus)].line;

		is_message = corpus[at].message;
		snprintf(input.line, sizeof(input.line), "%s", corpus[at].line);
		grammar_mutate(&scene, &input, other, is_message);
	} else if (is_message) {
		grammar_message(1 + grammar_random(2), &input);
	} else {
		grammar_table(&scene, &input);
	}
	if (!grammar_random(12))
		grammar_betray(&input, is_message);
	now_what = is_message ? "message" : "table";
	fresh = false;
	if (is_message)
		try_message();
	else
		try_table();
	if (fresh)
		keep(input.line, is_message);
	return is_message;
}

/* Around it ------------------------------------------------------------------------ */

static void remove_device(const char *name)
{
	simple(name, DM_TABLE_CLEAR, 0);
	if (simple(name, DM_DEV_REMOVE, 0) && errno != ENXIO)
		failed("%s can't be removed: %s", name, strerrorname_np(errno));
}

static void must(const char *what, int r)
{
	if (!r)
		return;
	errno = r;
	die(what);
}

/* Loaded with a good line each, one of them live, the others suspended. */
static void make_devices(void)
{
	static char other[32], self[32];
	char line[400];
	size_t i;

	must("create", simple(TABLES, DM_DEV_CREATE, 0));
	snprintf(self, sizeof(self), "%u:%u", major(buffer.head.dev), minor(buffer.head.dev));
	for (i = 0; i < NR_MESSAGED; i++) {
		snprintf(line, sizeof(line), "aes-xts-plain64 :64:logon:" KEY_PREFIX "a64 0 %s 0%s", scene.disk,
			 messaged_layers[i] == 1 ? "" :
			 " 6 key_lease error outer xchacha12,aes-adiantum-plain64 :32:logon:" KEY_PREFIX "b32 0");
		must("create", simple(messaged[i], DM_DEV_CREATE, 0));
		snprintf(other, sizeof(other), "%u:%u", major(buffer.head.dev), minor(buffer.head.dev));
		must("load", load(messaged[i], 2048, line, 0, false));
		must("resume", simple(messaged[i], DM_DEV_SUSPEND, 0));
		if (i + 1 < NR_MESSAGED)
			must("suspend", simple(messaged[i], DM_DEV_SUSPEND, DM_SUSPEND_FLAG));
	}
	scene.other = other;
	scene.self = self;
}

/*
 * For each cipher that nobody has modprobe would be called; the modules of those
 * that there are come first. Whoever calls us puts the name of modprobe back.
 */
static void load_modules(void)
{
	struct heard heard;
	unsigned int i;
	int fd;

	for (i = 0; grammar_good(&scene, &input, i); i++)
		load(TABLES, 8, input.line, 0, false);
	simple(TABLES, DM_TABLE_CLEAR, 0);
	listen(&heard);
	fd = open("/proc/sys/kernel/modprobe", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "\n", 1) != 1)
		die("/proc/sys/kernel/modprobe");
	close(fd);
}

/* KiB that nobody can take back, pages that drivers have included. */
static long in_use(void)
{
	static const char * const given_back[] = { "MemFree:", "Buffers:", "Cached:", "SReclaimable:" };
	char line[256], name[64];
	FILE *f = fopen("/proc/meminfo", "r");
	long sum = 0, kib;
	size_t i;

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%63s %ld", name, &kib) != 2)
			continue;
		if (!strcmp(name, "MemTotal:"))
			sum += kib;
		for (i = 0; i < sizeof(given_back) / sizeof(given_back[0]); i++)
			if (!strcmp(name, given_back[i]))
				sum -= kib;
	}
	if (f)
		fclose(f);
	return sum;
}

static void result(const char *what, bool good)
{
	printf("%s - %s\n", good ? "ok" : "not ok", what);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "disk", required_argument, NULL, 'd' },	{ "path", required_argument, NULL, 'p' },
		{ "sectors", required_argument, NULL, 'z' },	{ "lines", required_argument, NULL, 'n' },
		{ "seed", required_argument, NULL, 's' },	{ "corpus", required_argument, NULL, 'c' },
		{ "keep", required_argument, NULL, 'k' },	{ "points", required_argument, NULL, 'o' },
		{ NULL, 0, NULL, 0 },
	};
	const char *keep_in = NULL, *points = NULL;
	unsigned long lines = 20000, i, messages = 0;
	long before = 0, after;
	uint64_t seed = (uint64_t)time(NULL);
	struct heard heard;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'd': scene.disk = optarg; break;
		case 'p': scene.path = optarg; break;
		case 'z': scene.sectors = strtoull(optarg, NULL, 10); break;
		case 'n': lines = strtoul(optarg, NULL, 10); break;
		case 's': seed = strtoull(optarg, NULL, 10); break;
		case 'c': read_corpus(optarg); break;
		case 'k': keep_in = optarg; break;
		case 'o': points = optarg; break;
		default: return 2;
		}
	}
	if (!scene.disk || !scene.path || !scene.sectors)
		return 2;
	control = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
	if (control < 0)
		die("/dev/mapper/control");
	printf("# seed %" PRIu64 ", %lu lines\n", seed, lines);
	fflush(stdout);
	grammar_seed(seed);
	start_listening();
	make_keys();
	make_devices();
	load_modules();
	start_cover();

	for (i = 0; i < lines; i++) {
		messages += one_line();
		/* By then caches are as full as they get. */
		if (i == lines / 4)
			before = in_use();
	}
	simple(TABLES, DM_TABLE_CLEAR, 0);
	after = in_use();

	remove_device(TABLES);
	for (i = NR_MESSAGED; i--; )
		remove_device(messaged[i]);
	listen(&heard);

	printf("# %lu tables (%lu taken), %lu messages (%lu taken), %lu refused, %zu lines kept\n",
	       lines - messages, taken, messages, messages_taken, refused, nr_corpus - nr_given);
	printf("#");
	for (i = 0; i < sizeof(by_error) / sizeof(by_error[0]); i++)
		if (by_error[i])
			printf(" %s %lu", strerrorname_np((int)i), by_error[i]);
	printf("\n# %ld KiB in use after a quarter, %ld KiB in the end\n", before, after);
	if (cover)
		printf("# %lu points of the module reached\n", nr_points);
	if (failures > MAX_COMPLAINTS)
		printf("# ... and %lu more that are wrong\n", failures - MAX_COMPLAINTS);
	if (keep_in)
		write_corpus(keep_in);
	if (points && cover)
		write_points(points);

	result("every line was refused with a reason or taken for good", !failures);
	/* A grammar that is always refused, or never, tries nothing. */
	result("both happened often", taken > lines / 20 && refused > lines / 20 &&
	       messages_taken > messages / 20);
	/* A leak of a page for each hundred lines is seen, beside 16 MiB of what comes and goes. */
	result("no memory stays behind", after < before + 16384 + (long)(lines * 40 / 1024));
	return failures != 0;
}
