/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

enum opt_id {
	OPT_HELP,
	OPT_VERSION,
	OPT_VERBOSE,
	OPT_DEBUG,
	OPT_BATCH_MODE,
	OPT_TEST_ARGS,
	OPT_TYPE,
	OPT_CIPHER,
	OPT_KEY_SIZE,
	OPT_KEY_DESC,
	OPT_DOUBLE,
	OPT_OUTER_CIPHER,
	OPT_OUTER_KEY_SIZE,
	OPT_OUTER_KEY_DESC,
	OPT_OUTER_SKIP,
	OPT_ALLOW_SAME_CIPHER,
	OPT_KEYRING,
	OPT_KEY_TYPE,
	OPT_KEY_FILE,
	OPT_KEYFILE_SIZE,
	OPT_KEYFILE_OFFSET,
	OPT_TIMEOUT,
	OPT_REPLACE,
	OPT_SECTOR_SIZE,
	OPT_IV_LARGE_SECTORS,
	OPT_OFFSET,
	OPT_SKIP,
	OPT_SIZE,
	OPT_DEVICE_SIZE,
	OPT_READONLY,
	OPT_SHARED,
	OPT_CLONE,
	OPT_ALLOW_DISCARDS,
	OPT_SCAN,
	OPT_PERF_SAME_CPU_CRYPT,
	OPT_PERF_SUBMIT_FROM_CRYPT_CPUS,
	OPT_PERF_NO_READ_WORKQUEUE,
	OPT_PERF_NO_WRITE_WORKQUEUE,
	OPT_PERF_HIGH_PRIORITY,
	OPT_DEFERRED,
	OPT_CANCEL_DEFERRED,
	OPT_DES,
	OPT_HEADER,
	OPT_HEADER_BACKUP_FILE,
	OPT_RECOVERY_KEY,
	OPT_UUID,
	OPT_LABEL,
	OPT_KEY,
	OPT_IDENTITY,
	OPT_OWNER,
	OPT_WRAPPING,
	OPT_AUTO_ROTATE,
	OPT_LEASE,
	OPT_ON_LAPSE,
	OPT_KEK_TIMEOUT,
	OPT_TO,
	OPT_AUTO,
	OPT_DESTROY_OLD,
	OPT_ALL,
	OPT_DUE,
	OPT_NOW,
	OPT_PARALLEL,
	OPT_JSON,
	OPT_OUTPUT,
	OPT_MKFS,
	OPT_MKSWAP,
	OPT_IMAGE,
	OPT_WITH_SNAPSHOTS,
	OPT_ADD_OUTER,
	OPT_REDUCE_DEVICE_SIZE,
	OPT_RESUME_ONLY,
	OPT_PROGRESS_FREQUENCY,
	OPT_CACHE,
	NR_OPTS
};

/* A set of options: more than 64 bits of them. */
typedef unsigned __int128 opt_set;

#define OPT_BIT(id)	((opt_set)1 << (id))

struct options {
	opt_set given;
	const char *str[NR_OPTS];	/* arguments that are text */
	uint64_t num[NR_OPTS];		/* ... and numbers; sizes in bytes */
};

static inline bool opt_given(const struct options *o, enum opt_id id)
{
	return o->given & OPT_BIT(id);
}

/* Returns the index of the first argument that isn't an option, or -1. */
int options_parse(struct options *o, int argc, char **argv);
/* Complains about options that are not in @allowed; the general ones always are. */
int options_check(const struct options *o, opt_set allowed, const char *command);
void options_help(void);
/* Its long name, without dashes. */
const char *option_name(enum opt_id id);

#endif
