/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ROTATE_REPORT_H
#define ROTATE_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "registry.h"

/* What a rotation tells a person, or a log, while it runs and at its end. */

struct rotate_report {
	size_t total, moved, there, elsewhere, failed;
	struct timespec started, shown;
	bool terminal;
};

void rotate_report_start(struct rotate_report *r, size_t total);
/* After each disk: at most twice a second on a terminal; else at each tenth of many. */
void rotate_report_progress(struct rotate_report *r);
/* A disk that failed for good. */
void rotate_report_failure(struct rotate_report *r, const struct known_disk *disk,
			   const struct reason *why);
/* @target: "version 2"; @left: disks that weren't begun. */
void rotate_report_end(struct rotate_report *r, const char *target, size_t left);

#endif
