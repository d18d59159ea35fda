/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef OPEN_H
#define OPEN_H

#include "options.h"

/* "ssesetup open", for each type of device. Both return an enum exit_code. */
int open_plain(const struct options *o, const char *device, const char *name);
int open_luks2(const struct options *o, const char *device, const char *name);

#endif
