/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef AUDIT_FILE_H
#define AUDIT_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "reason.h"

/*
 * Appends @line, which ends with a newline, to PATH_AUDIT in one write. @sync:
 * it is on the medium after this.
 */
int audit_file_append(const char *line, size_t size, bool sync, struct reason *why);

#endif
