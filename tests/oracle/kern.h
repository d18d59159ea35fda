/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the programs that try the kernel have in common: mappings, keys, disks
 * and reports. Mappings are made by ioctl and not by dmsetup, since thousands
 * of them are made.
 */
#ifndef KERN_H
#define KERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/*
 * Reports: one line each on stdout, "ok", "fail", "skip" or "diag" and one or
 * two texts, separated by tabs. The script that runs the program makes KTAP of
 * it. The last line is "end" and the number of results, written by finish().
 */
#define PRINTF(a, b) __attribute__((format(printf, a, b)))
void say_ok(const char *fmt, ...) PRINTF(1, 2);
void say_fail(const char *desc, const char *fmt, ...) PRINTF(2, 3);
void say_skip(const char *desc, const char *fmt, ...) PRINTF(2, 3);
void say_diag(const char *fmt, ...) PRINTF(1, 2);
/* For what is no result but makes going on senseless. */
void die(const char *fmt, ...) PRINTF(1, 2) __attribute__((noreturn));
int finish(void);

/* Repeatable randomness; the seed is reported. A seed of 0 asks for a fresh one. */
void rnd_seed(uint64_t seed);
uint64_t rnd(void);
uint64_t rnd_below(uint64_t limit);
void rnd_bytes(void *buf, size_t len);

/* Memory for direct I/O. */
void *page_alloc(size_t len);

/*
 * A logon key "dmsse:NAME" in the process keyring, which goes away with the
 * process. @ref gets the table's reference to it.
 */
void key_load(const char *name, const uint8_t *key, size_t len, char *ref, size_t size);

/* A mapping being put together; the text of all targets is kept in one buffer. */
#define DM_MAX_TARGETS 32
struct dm_table {
	unsigned int count;
	struct {
		uint64_t start, len;
		char type[16];
		char params[384];
	} line[DM_MAX_TARGETS];
};

void table_reset(struct dm_table *t);
void table_add(struct dm_table *t, uint64_t start, uint64_t len, const char *type,
	       const char *fmt, ...) PRINTF(5, 6);

struct dm_dev {
	char name[64];
	char path[32];		/* empty while there is no device */
};

/* 0, or the errno of the table load; no device is left then. */
int dm_create(struct dm_dev *dev, const char *name, const struct dm_table *t);
/* Suspends, puts @t in place and resumes; 0 or an errno. */
int dm_replace(struct dm_dev *dev, const struct dm_table *t);
void dm_remove(struct dm_dev *dev);
bool dm_has_target(const char *type);

/* Disks: all of it or death. Offsets and lengths in bytes. */
int disk_open(const char *path, int flags);
uint64_t disk_size(int fd);
void disk_read(int fd, void *buf, size_t len, uint64_t at);
void disk_write(int fd, const void *buf, size_t len, uint64_t at);
/* 0 or an errno, for I/O that may fail. */
int try_read(int fd, void *buf, size_t len, uint64_t at);
int try_write(int fd, const void *buf, size_t len, uint64_t at);

#endif
