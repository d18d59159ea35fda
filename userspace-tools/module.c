// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "diag.h"
#include "dm.h"
#include "module.h"
#include "ssesetup.h"

/* The program that the kernel itself would run. */
static void modprobe_path(char *path, size_t size)
{
	FILE *f = fopen("/proc/sys/kernel/modprobe", "re");

	if (!f || !fgets(path, (int)size, f) || path[0] != '/')
		snprintf(path, size, "/sbin/modprobe");
	path[strcspn(path, "\n")] = '\0';
	if (f)
		fclose(f);
}

bool module_load(const char *name)
{
	char path[256], module[64];
	char *argv[] = { path, (char[]){ "-q" }, module, NULL };
	char *env[] = { (char[]){ "PATH=/usr/sbin:/usr/bin:/sbin:/bin" }, NULL };
	int status, err;
	pid_t pid;

	modprobe_path(path, sizeof(path));
	snprintf(module, sizeof(module), "%s", name);
	diag_debug("Running %s -q %s.", path, module);
	err = posix_spawn(&pid, path, NULL, NULL, argv, env);
	if (err) {
		diag_debug("%s: %s", path, strerror(err));
		return false;
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return false;
	return WIFEXITED(status) && !WEXITSTATUS(status);
}

int module_ensure_target(void)
{
	struct utsname uts;
	char version[32];
	int err;

	err = dm_target_version(DMSSE_TARGET, version, sizeof(version));
	if (!err && !*version) {
		module_load(DMSSE_MODULE_NAME);
		err = dm_target_version(DMSSE_TARGET, version, sizeof(version));
	}
	if (err)
		return diag_kernel_refusal("Listing the targets of device-mapper", err, NULL);
	if (*version) {
		diag_debug("Target %s has version %s.", DMSSE_TARGET, version);
		return RC_OK;
	}
	uname(&uts);
	return diag_fail(RC_DEVICE,
		"The kernel module dm-sse is not loaded and can't be loaded.\n"
		"'modprobe dm-sse' says why. It must be built and installed for kernel %s\n"
		"(make modules_install, depmod -a), and signed where Secure Boot is on.", uts.release);
}
