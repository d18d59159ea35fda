/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VM_DEVICES_H
#define VM_DEVICES_H

#include <stddef.h>
#include <sys/types.h>

#include "reason.h"

/*
 * Block devices that virtual machines have: those that a process has open which
 * is a known monitor by the name of its program, or has KVM open.
 */
struct vm_device {
	pid_t pid;
	char vm[128];			/* "guest=..." of -name, or the program's name */
	unsigned int major, minor;
};

/* Each device of a process once; *@list to be freed. */
int vm_devices(struct vm_device **list, size_t *nr, struct reason *why);

#endif
