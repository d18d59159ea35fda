// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "progress.h"

#define TERMINAL_INTERVAL	0.5	/* seconds */
#define FILE_INTERVAL		30.0

#define ERASE_LINE	"\33[2K\r"
#define MIB		(1024.0 * 1024.0)

static double seconds_since(const struct timespec *then)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - then->tv_sec) + (double)(now.tv_nsec - then->tv_nsec) / 1e9;
}

static void format_time(double seconds, char *text, size_t size)
{
	uint64_t s = (uint64_t)(seconds + 0.5);

	if (s >= 86400)
		snprintf(text, size, "%" PRIu64 "d%02" PRIu64 "h%02" PRIu64 "m", s / 86400,
			 s / 3600 % 24, s / 60 % 60);
	else if (s >= 3600)
		snprintf(text, size, "%02" PRIu64 "h%02" PRIu64 "m%02" PRIu64 "s", s / 3600,
			 s / 60 % 60, s % 60);
	else
		snprintf(text, size, "%02" PRIu64 "m%02" PRIu64 "s", s / 60, s % 60);
}

static void format_amount(uint64_t bytes, char *text, size_t size)
{
	if (bytes >= UINT64_C(10) << 40)
		snprintf(text, size, "%.1f TiB", (double)bytes / MIB / 1024 / 1024);
	else if (bytes >= UINT64_C(10) << 30)
		snprintf(text, size, "%.1f GiB", (double)bytes / MIB / 1024);
	else
		snprintf(text, size, "%" PRIu64 " MiB", bytes >> 20);
}

/* Bytes a second of this run; what an earlier one did took no time of it. */
static double speed_of(const struct progress *p, uint64_t done, double elapsed)
{
	if (done <= p->before || elapsed <= 0)
		return 0;
	return (double)(done - p->before) / elapsed;
}

void progress_start(struct progress *p, const char *verb, uint64_t total, uint64_t before,
		    bool quiet)
{
	memset(p, 0, sizeof(*p));
	p->verb = verb;
	p->total = total;
	p->before = before;
	p->quiet = quiet;
	p->terminal = isatty(STDOUT_FILENO);
	p->interval = p->terminal ? TERMINAL_INTERVAL : FILE_INTERVAL;
	clock_gettime(CLOCK_MONOTONIC, &p->started);
	p->shown = p->started;
}

void progress_every(struct progress *p, uint64_t seconds)
{
	p->terminal = false;
	p->interval = (double)seconds;
}

void progress_show(struct progress *p, uint64_t done)
{
	char eta[32] = "unknown", amount[32];
	double speed;

	if (p->quiet || seconds_since(&p->shown) < p->interval)
		return;
	clock_gettime(CLOCK_MONOTONIC, &p->shown);
	speed = speed_of(p, done, seconds_since(&p->started));
	if (speed > 0)
		format_time((double)(p->total - done) / speed, eta, sizeof(eta));
	format_amount(done, amount, sizeof(amount));
	printf("%sProgress: %5.1f%%, ETA %s, %s %s, speed %5.1f MiB/s%s", p->terminal ? ERASE_LINE : "",
	       p->total ? 100.0 * (double)done / (double)p->total : 100.0, eta, amount, p->verb,
	       speed / MIB, p->terminal ? "" : "\n");
	fflush(stdout);
}

void progress_end(struct progress *p, uint64_t done)
{
	double elapsed = seconds_since(&p->started);
	char took[32], amount[32];

	if (p->quiet)
		return;
	format_time(elapsed, took, sizeof(took));
	format_amount(done, amount, sizeof(amount));
	printf("%s%s, time %s, %s %s, speed %5.1f MiB/s\n", p->terminal ? ERASE_LINE : "",
	       done == p->total ? "Finished" : "Stopped", took, amount, p->verb,
	       speed_of(p, done, elapsed) / MIB);
	fflush(stdout);
}
