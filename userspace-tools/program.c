// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "program.h"

static const char * const directories[] = { "/usr/sbin", "/usr/bin", "/sbin", "/bin" };

bool program_find(const char *name, char *path, size_t size)
{
	size_t i;

	for (i = 0; i < sizeof(directories) / sizeof(directories[0]); i++)
		if ((size_t)snprintf(path, size, "%s/%s", directories[i], name) < size &&
		    !access(path, X_OK))
			return true;
	return false;
}

static int start(char *const *argv, pid_t *pid)
{
	char *env[] = { (char[]){ "PATH=/usr/sbin:/usr/bin:/sbin:/bin" }, NULL };
	posix_spawn_file_actions_t files;
	int err;

	err = posix_spawn_file_actions_init(&files);
	if (err)
		return err;
	err = posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (!err && !diag_is_verbose())
		err = posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	if (!err)
		err = posix_spawn(pid, argv[0], &files, NULL, argv, env);
	posix_spawn_file_actions_destroy(&files);
	return err;
}

/* A signal that comes between the two looks is seen when the program has ended. */
static int wait_for(pid_t pid, const volatile sig_atomic_t *stop, int *status)
{
	while (waitpid(pid, status, 0) < 0) {
		if (errno != EINTR)
			return errno;
		if (*stop)
			kill(pid, SIGTERM);
	}
	return 0;
}

int program_run(char *const *argv, const volatile sig_atomic_t *stop, struct reason *why)
{
	int status, err;
	pid_t pid;

	diag_debug("Running %s.", argv[0]);
	err = start(argv, &pid);
	if (!err)
		err = wait_for(pid, stop, &status);
	if (err)
		return reason_set(why, RC_DEVICE, "%s can't be run: %s.", argv[0], strerror(err));
	if (*stop)
		return reason_set(why, RC_PARAM, "Stopped while %s ran.", argv[0]);
	if (WIFSIGNALED(status))
		return reason_set(why, RC_DEVICE, "%s was ended by signal %d.", argv[0],
				  WTERMSIG(status));
	if (WEXITSTATUS(status))
		return reason_set(why, RC_DEVICE, "%s failed, with exit code %d.", argv[0],
				  WEXITSTATUS(status));
	return RC_OK;
}
