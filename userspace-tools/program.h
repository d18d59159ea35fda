/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PROGRAM_H
#define PROGRAM_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#include "reason.h"

/* Programs of the system that are run: never by a shell, never from elsewhere. */

/* Where @name is among the system's programs. */
bool program_find(const char *name, char *path, size_t size);

/*
 * Runs argv[0], a path, with no input and with an environment of a PATH alone;
 * what it prints is shown with --verbose, what it complains of always. Not
 * ending with 0 is RC_DEVICE. @stop: ends it when that is set.
 */
int program_run(char *const *argv, const volatile sig_atomic_t *stop, struct reason *why);

#endif
