/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MODULE_H
#define MODULE_H

#include <stdbool.h>

/* Runs modprobe; the caller looks at what came of it. */
bool module_load(const char *name);

/* Sees that the target is there; an enum exit_code, with advice. */
int module_ensure_target(void);

#endif
