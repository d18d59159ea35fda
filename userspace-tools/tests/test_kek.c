// SPDX-License-Identifier: GPL-2.0-only
/*
 * Key encryption keys by hand, for tests/kek.sh:
 *
 *	test_kek URI [identity=...] [wrapping=...] [timeout=...]
 *
 * Commands come from stdin, one a line, and are answered with a line each:
 * "ok ..." or "RC: why".
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kek.h"

#define ARGS_MAX	5

static struct kek_config config = { .timeout = 20 };
static struct kek *kek;

/* What was wrapped last. */
static unsigned char wrapped[KEK_WRAPPED_MAX];
static size_t wrapped_size;
static size_t plain_size;
static enum kek_wrapping wrapping;

/* The secret is nowhere but where it is meant to be: it is computed, not stored. */
static unsigned char secret_byte(size_t i)
{
	return (unsigned char)(i * 167 + 29 + (i >> 3) * 59);
}

static void failure(const struct reason *why)
{
	char text[sizeof(why->text)], *p;

	snprintf(text, sizeof(text), "%s", why->text);
	for (p = text; *p; p++)
		if (*p == '\n')
			*p = ' ';
	printf("%d: %s\n", why->rc, text);
}

static void cmd_versions(struct reason *why)
{
	struct kek_version *list;
	size_t nr, i;

	if (kek_versions(kek, &list, &nr, why)) {
		failure(why);
		return;
	}
	printf("ok");
	for (i = 0; i < nr; i++)
		printf(" %s=%s,%s,%s", list[i].version, list[i].fingerprint, list[i].algorithm,
		       list[i].can_unwrap ? "both" : "public");
	printf("\n");
	free(list);
}

static void cmd_wrap(const char *version, const char *size, struct reason *why)
{
	SECMEM_AUTO plain = secmem_new(KEK_PLAIN_MAX + 1);
	size_t i;

	if (!plain)
		exit(2);
	plain_size = size ? strtoul(size, NULL, 10) : 64;
	for (i = 0; i < plain_size && i < secmem_capacity(plain); i++)
		secmem_data(plain)[i] = secret_byte(i);
	if (kek_wrap(kek, version, plain, plain_size, &wrapping, wrapped, &wrapped_size, why))
		failure(why);
	else
		printf("ok %s %zu\n", kek_wrapping_name(wrapping), wrapped_size);
}

static void cmd_unwrap(const char *version, const char *fingerprint, const char *how,
		       struct reason *why)
{
	SECMEM_AUTO plain = secmem_new(KEK_PLAIN_MAX);
	enum kek_wrapping w = wrapping;
	size_t size = 0, i, same;

	if (!plain || (how && !kek_wrapping_parse(how, &w)))
		exit(2);
	if (kek_unwrap(kek, version, fingerprint, w, wrapped, wrapped_size, plain, &size, why)) {
		failure(why);
		return;
	}
	for (i = 0, same = 0; i < size; i++)
		same += secmem_data(plain)[i] == secret_byte(i);
	printf("ok %s\n", size == plain_size && same == size ? "same" : "different");
}

static void cmd_new(struct reason *why)
{
	struct kek_version v;

	if (kek_new_version(kek, &v, why))
		failure(why);
	else
		printf("ok %s=%s,%s,%s\n", v.version, v.fingerprint, v.algorithm,
		       v.can_unwrap ? "both" : "public");
}

static void cmd_drop(const char *keep, struct reason *why)
{
	if (kek_drop_versions(kek, keep, why))
		failure(why);
	else
		printf("ok\n");
}

/* Flips a bit, or cuts a byte off. */
static void cmd_tamper(const char *where)
{
	if (!strcmp(where, "cut"))
		wrapped_size--;
	else
		wrapped[strtoul(where, NULL, 10) % wrapped_size] ^= 1;
	printf("ok\n");
}

static pid_t child_pid(void)
{
	char path[64], text[32] = "";
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		exit(2);
	close(fd);
	return atoi(text);
}

/* Are 16 consecutive bytes of the secret anywhere in a process? */
static bool has_secret(const unsigned char *data, size_t len)
{
	size_t at, i, start;

	for (at = 0; at + 16 <= len; at++) {
		for (start = 0; start + 16 <= KEK_PLAIN_MAX; start += 16) {
			for (i = 0; i < 16 && data[at + i] == secret_byte(start + i); i++)
				;
			if (i == 16)
				return true;
		}
	}
	return false;
}

static bool search_process(pid_t pid, char *where, size_t size)
{
	char path[64], line[512];
	unsigned long start, end;
	unsigned char *copy;
	bool found = false;
	FILE *maps;
	int mem;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = fopen(path, "re");
	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	mem = open(path, O_RDONLY | O_CLOEXEC);
	if (!maps || mem < 0)
		exit(2);
	while (!found && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx rw", &start, &end) != 2 || !strstr(line, " rw") ||
		    end - start > (64UL << 20))
			continue;
		copy = malloc(end - start);
		n = copy ? pread(mem, copy, end - start, (off_t)start) : -1;
		found = n > 0 && has_secret(copy, (size_t)n);
		if (found)
			snprintf(where, size, "%s", line);
		free(copy);
	}
	fclose(maps);
	close(mem);
	return found;
}

/* In a process of its own: its copies are none of ours. */
static void cmd_leftovers(void)
{
	pid_t self = getpid(), child = child_pid(), searcher;
	char where[512];
	int status = 0;

	fflush(stdout);
	searcher = fork();
	if (!searcher) {
		if (search_process(self, where, sizeof(where)))
			printf("found in the parent: %s", where);
		else if (child && search_process(child, where, sizeof(where)))
			printf("found in the child: %s", where);
		else
			printf("ok none\n");
		fflush(stdout);
		_exit(0);
	}
	if (waitpid(searcher, &status, 0) != searcher || status)
		printf("the search failed\n");
}

/* A worker of a pool, forked while a provider is at work. */
static void cmd_fork(const char *version, const char *fingerprint, struct reason *why)
{
	pid_t worker;
	int status;

	fflush(stdout);
	worker = fork();
	if (!worker) {
		cmd_unwrap(version, fingerprint, NULL, why);
		kek_close(&kek);
		fflush(stdout);
		_exit(0);
	}
	if (waitpid(worker, &status, 0) != worker || status)
		printf("the worker failed: %d\n", status);
}

static void run(char **arg, int nr, struct reason *why)
{
	if (!strcmp(arg[0], "versions"))
		cmd_versions(why);
	else if (!strcmp(arg[0], "wrap") && nr >= 2)
		cmd_wrap(arg[1], arg[2], why);
	else if (!strcmp(arg[0], "unwrap") && nr >= 3)
		cmd_unwrap(arg[1], arg[2], arg[3], why);
	else if (!strcmp(arg[0], "fork") && nr >= 3)
		cmd_fork(arg[1], arg[2], why);
	else if (!strcmp(arg[0], "new"))
		cmd_new(why);
	else if (!strcmp(arg[0], "drop") && nr >= 2)
		cmd_drop(arg[1], why);
	else if (!strcmp(arg[0], "tamper") && nr >= 2)
		cmd_tamper(arg[1]);
	else if (!strcmp(arg[0], "child"))
		printf("ok %d\n", child_pid());
	else if (!strcmp(arg[0], "leftovers"))
		cmd_leftovers();
	else
		printf("unknown command\n");
}

static bool take(const char *arg, const char *name, const char **value)
{
	size_t len = strlen(name);

	if (strncmp(arg, name, len))
		return false;
	*value = arg + len;
	return true;
}

int main(int argc, char **argv)
{
	const char *timeout = NULL;
	struct reason why = { .rc = 0 };
	char line[2048], *arg[ARGS_MAX + 1], *rest;
	int i, nr;

	if (argc < 2)
		return 2;
	config.uri = argv[1];
	for (i = 2; i < argc; i++)
		if (!take(argv[i], "identity=", &config.identity) &&
		    !take(argv[i], "wrapping=", &config.wrapping) &&
		    !take(argv[i], "timeout=", &timeout))
			return 2;
	if (timeout)
		config.timeout = (unsigned int)strtoul(timeout, NULL, 10);
	diag_setup(getenv("VERBOSE"), false);

	if (kek_open(&kek, &config, &why)) {
		failure(&why);
		return 0;
	}
	while (fgets(line, sizeof(line), stdin)) {
		memset(arg, 0, sizeof(arg));
		rest = line;
		for (nr = 0; nr < ARGS_MAX && (arg[nr] = strtok_r(rest, " \n", &rest)); nr++)
			;
		if (nr)
			run(arg, nr, &why);
		fflush(stdout);
	}
	kek_close(&kek);
	return 0;
}
