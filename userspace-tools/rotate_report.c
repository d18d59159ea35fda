// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "rotate_report.h"

#define INTERVAL	0.5	/* seconds, on a terminal */
#define ERASE_LINE	"\33[2K\r"

static double seconds_since(const struct timespec *then)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - then->tv_sec) + (double)(now.tv_nsec - then->tv_nsec) / 1e9;
}

static size_t finished(const struct rotate_report *r)
{
	return r->moved + r->there + r->elsewhere + r->failed;
}

void rotate_report_start(struct rotate_report *r, size_t total)
{
	memset(r, 0, sizeof(*r));
	r->total = total;
	r->terminal = isatty(STDOUT_FILENO);
	clock_gettime(CLOCK_MONOTONIC, &r->started);
	r->shown = r->started;
}

static void show_line(const struct rotate_report *r)
{
	size_t done = finished(r);
	double elapsed = seconds_since(&r->started);
	unsigned int eta = done ? (unsigned int)(elapsed * (double)(r->total - done) / (double)done) : 0;

	printf("%sProgress: %5.1f%%, ETA %02um%02us, %zu of %zu disks, %5.1f disks/s", ERASE_LINE,
	       100.0 * (double)done / (double)r->total, eta / 60, eta % 60, done, r->total,
	       elapsed > 0 ? (double)done / elapsed : 0);
	if (r->failed)
		printf(", %zu failed", r->failed);
	fflush(stdout);
}

/* Lines for a log: ten at most, and none where it is over soon. */
static bool at_tenth(const struct rotate_report *r)
{
	size_t done = finished(r);

	return r->total >= 100 && done != r->total && done * 10 / r->total != (done - 1) * 10 / r->total;
}

void rotate_report_progress(struct rotate_report *r)
{
	if (r->terminal && seconds_since(&r->shown) >= INTERVAL) {
		clock_gettime(CLOCK_MONOTONIC, &r->shown);
		show_line(r);
	} else if (!r->terminal && at_tenth(r)) {
		printf("%zu of %zu disks\n", finished(r), r->total);
		fflush(stdout);
	}
}

static void clear_line(const struct rotate_report *r)
{
	if (!r->terminal)
		return;
	fputs(ERASE_LINE, stdout);
	fflush(stdout);
}

void rotate_report_failure(struct rotate_report *r, const struct known_disk *disk,
			   const struct reason *why)
{
	clear_line(r);
	diag_error("%s%s%s%s: %s", disk->device, *disk->header ? " (header " : "", disk->header,
		   *disk->header ? ")" : "", why->text);
}

void rotate_report_end(struct rotate_report *r, const char *target, size_t left)
{
	clear_line(r);
	printf("%zu disk%s: %zu moved to %s, %zu %s there, %zu failed", r->total,
	       r->total == 1 ? "" : "s", r->moved, target, r->there,
	       r->there == 1 ? "was" : "were", r->failed);
	if (r->elsewhere)
		printf(", %zu of another set", r->elsewhere);
	if (left)
		printf(", %zu not tried", left);
	printf(".\n");
	fflush(stdout);
}
