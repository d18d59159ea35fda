// SPDX-License-Identifier: GPL-2.0-only
/*
 * Command lines of ssesetup: words, a line each. They follow --test-args, with which
 * every command stops before it does anything: nothing is opened for writing, no
 * ioctl is made and nothing is started. Whatever the words are it ends with an exit
 * code of ssesetup(8), and one that isn't 0 has been explained.
 *
 * ssesetup.c is built with its main() under the name that is called here, and what
 * must not be called is wrapped by the linker.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <sys/types.h>
#include <unistd.h>

#include "fuzz.h"
#include "paths.h"

#define MAX_ARGS	40

int ssesetup_main(int argc, char **argv);
extern int optind;

static bool may_write(const char *path)
{
	return !strcmp(path, "/dev/null");
}

int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
FILE *__real_fopen64(const char *path, const char *mode);
FILE *__wrap_fopen64(const char *path, const char *mode);
int __wrap_openat64(int dir, const char *path, int flags, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);
pid_t __wrap_fork(void);
int __wrap_execve(const char *path, char **argv, char **env);

int __wrap_open64(const char *path, int flags, ...)
{
	judge((flags & O_ACCMODE) == O_RDONLY || may_write(path), "opened for writing", path);
	return __real_open64(path, flags, 0600);
}

FILE *__wrap_fopen64(const char *path, const char *mode)
{
	judge((*mode == 'r' && !strchr(mode, '+')) || may_write(path), "opened for writing", path);
	return __real_fopen64(path, mode);
}

int __wrap_openat64(int dir, const char *path, int flags, ...)
{
	(void)flags;
	judge(dir < -1000000, "opened", path);
	return -1;
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	(void)request;
	judge(fd < -1, "an ioctl", "");
	return -1;
}

pid_t __wrap_fork(void)
{
	judge(false, "a process", "");
	return -1;
}

int __wrap_execve(const char *path, char **argv, char **env)
{
	(void)argv;
	(void)env;
	judge(false, "a program", path);
	return -1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char name[] = "ssesetup", test[] = "--test-args", said[65536];
	char *text = text_of(data, size), *rest = text, *word, *argv[MAX_ARGS + 3];
	FILE *to = stderr, *out = stdout;
	int argc = 0, rc;

	argv[argc++] = name;
	argv[argc++] = test;
	while (argc < MAX_ARGS + 2 && (word = strsep(&rest, "\n")))
		argv[argc++] = word;
	argv[argc] = NULL;

	memset(said, 0, sizeof(said));
	stderr = fmemopen(said, sizeof(said) - 1, "w");
	stdout = fopen("/dev/null", "w");
	if (!stderr || !stdout)
		exit(1);
	optind = 0;
	rc = ssesetup_main(argc, argv);
	fclose(stderr);
	fclose(stdout);
	stderr = to;
	stdout = out;

	judge(rc >= RC_OK && rc <= RC_FOUND, "no exit code", said);
	if (rc) {
		judge(*said && said[strlen(said) - 1] == '\n', "not a word", text);
		judge(*said != '\n' && (!strstr(said, "(null)") || memmem(data, size, "null", 4)),
		      "no right word", said);
	}
	free(text);
	return 0;
}
