// SPDX-License-Identifier: GPL-2.0-only
/*
 * The command line: one table of options, from which parsing and --help are
 * made. Names and units are cryptsetup's.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "diag.h"
#include "number.h"
#include "options.h"

enum opt_kind {
	KIND_FLAG,
	KIND_STRING,
	KIND_OPTIONAL,	/* text that may be left out */
	KIND_NUMBER,
	KIND_SIZE,	/* bytes, with a unit */
};

static const struct {
	const char *name;
	char short_name;
	enum opt_kind kind;
	const char *arg;
	const char *help;
} opts[NR_OPTS] = {
	[OPT_HELP] = { "help", '?', KIND_FLAG, NULL, "show this help message" },
	[OPT_VERSION] = { "version", 'V', KIND_FLAG, NULL, "print the version" },
	[OPT_VERBOSE] = { "verbose", 'v', KIND_FLAG, NULL, "say how the command ended" },
	[OPT_DEBUG] = { "debug", 0, KIND_FLAG, NULL, "show what is done; never shows a key" },
	[OPT_BATCH_MODE] = { "batch-mode", 'q', KIND_FLAG, NULL, "do not ask for confirmation" },
	[OPT_TEST_ARGS] = { "test-args", 0, KIND_FLAG, NULL,
		"check the command line, then stop" },
	[OPT_TYPE] = { "type", 'M', KIND_STRING, "TYPE", "type of device metadata: luks2 or plain; of a set: platform,\n"
		"                                     customer, platform-and-customer" },
	[OPT_CIPHER] = { "cipher", 'c', KIND_STRING, "CIPHER",
		"cipher, mode and IV (default aes-xts-plain64)" },
	[OPT_KEY_SIZE] = { "key-size", 's', KIND_NUMBER, "BITS",
		"size of the key (default: the size of the key that is loaded)" },
	[OPT_KEY_DESC] = { "key-desc", 0, KIND_STRING, "[TYPE:]DESC",
		"the key: its type (default logon) and description" },
	[OPT_DOUBLE] = { "double", 0, KIND_OPTIONAL, "PAIR",
		"two layers: AES-XTS under Adiantum; fips: under AES-CBC-ESSIV" },
	[OPT_OUTER_CIPHER] = { "outer-cipher", 0, KIND_STRING, "CIPHER",
		"two layers: the outer one's cipher, mode and IV" },
	[OPT_OUTER_KEY_SIZE] = { "outer-key-size", 0, KIND_NUMBER, "BITS",
		"size of the outer layer's key" },
	[OPT_OUTER_KEY_DESC] = { "outer-key-desc", 0, KIND_STRING, "[TYPE:]DESC",
		"the outer layer's key, another than the inner one's" },
	[OPT_OUTER_SKIP] = { "outer-skip", 0, KIND_NUMBER, "SECTORS",
		"IV of the outer layer's first sector, counted in 512 bytes" },
	[OPT_ALLOW_SAME_CIPHER] = { "allow-same-cipher", 0, KIND_FLAG, NULL,
		"let both layers have the same cipher and mode" },
	[OPT_KEYRING] = { "keyring", 0, KIND_STRING, "KEYRING",
		"keyring of the key: @u, @s, @us, a name or a number (key load: @u)" },
	[OPT_KEY_TYPE] = { "key-type", 0, KIND_STRING, "TYPE",
		"type of the key: logon (default) or user" },
	[OPT_KEY_FILE] = { "key-file", 'd', KIND_STRING, "FILE",
		"read the key from FILE, - is standard input" },
	[OPT_KEYFILE_SIZE] = { "keyfile-size", 'l', KIND_NUMBER, "BYTES",
		"read no more than BYTES of the key file" },
	[OPT_KEYFILE_OFFSET] = { "keyfile-offset", 0, KIND_NUMBER, "BYTES",
		"skip BYTES at the start of the key file" },
	[OPT_TIMEOUT] = { "timeout", 't', KIND_NUMBER, "SECONDS",
		"let the key expire after SECONDS" },
	[OPT_REPLACE] = { "replace", 0, KIND_FLAG, NULL,
		"replace a key that is there already" },
	[OPT_SECTOR_SIZE] = { "sector-size", 0, KIND_NUMBER, "BYTES",
		"encryption sector: 512, 1024, 2048 or 4096 (plain: default 512)" },
	[OPT_IV_LARGE_SECTORS] = { "iv-large-sectors", 0, KIND_FLAG, NULL,
		"count IVs in encryption sectors, not in 512 bytes" },
	[OPT_OFFSET] = { "offset", 'o', KIND_NUMBER, "SECTORS",
		"start of the data on the device" },
	[OPT_SKIP] = { "skip", 'p', KIND_NUMBER, "SECTORS",
		"IV of the first sector, counted in 512 bytes" },
	[OPT_SIZE] = { "size", 'b', KIND_NUMBER, "SECTORS", "size of the mapping" },
	[OPT_DEVICE_SIZE] = { "device-size", 0, KIND_SIZE, "SIZE",
		"size of the mapping in bytes, or with K, M, G, T, s" },
	[OPT_READONLY] = { "readonly", 'r', KIND_FLAG, NULL, "make the mapping read-only" },
	[OPT_SHARED] = { "shared", 0, KIND_FLAG, NULL,
		"share the device with other mappings that don't overlap" },
	[OPT_CLONE] = { "clone", 0, KIND_FLAG, NULL,
		"take this disk though another one here has its UUID" },
	[OPT_ALLOW_DISCARDS] = { "allow-discards", 0, KIND_FLAG, NULL,
		"pass discards down (shows which sectors are unused)" },
	[OPT_SCAN] = { "scan", 0, KIND_FLAG, NULL,
		"let udev, LVM and md of this host look at what is in it" },
	[OPT_PERF_SAME_CPU_CRYPT] = { "perf-same_cpu_crypt", 0, KIND_FLAG, NULL,
		"encrypt on the CPU that submitted the I/O" },
	[OPT_PERF_SUBMIT_FROM_CRYPT_CPUS] = { "perf-submit_from_crypt_cpus", 0, KIND_FLAG, NULL,
		"submit writes where they were encrypted" },
	[OPT_PERF_NO_READ_WORKQUEUE] = { "perf-no_read_workqueue", 0, KIND_FLAG, NULL,
		"decrypt without a workqueue" },
	[OPT_PERF_NO_WRITE_WORKQUEUE] = { "perf-no_write_workqueue", 0, KIND_FLAG, NULL,
		"encrypt without a workqueue" },
	[OPT_PERF_HIGH_PRIORITY] = { "perf-high_priority", 0, KIND_FLAG, NULL,
		"run workqueues at high priority (kernel 6.10 and later)" },
	[OPT_DEFERRED] = { "deferred", 0, KIND_FLAG, NULL,
		"close when the last user closes the device" },
	[OPT_CANCEL_DEFERRED] = { "cancel-deferred", 0, KIND_FLAG, NULL,
		"take a --deferred close back" },
	[OPT_DES] = { "des", 0, KIND_STRING, "NAME",
		"disk encryption set (new disks: default-des of policy.conf, or platform)" },
	[OPT_HEADER] = { "header", 0, KIND_STRING, "FILE",
		"the LUKS2 header is in FILE, not on the device" },
	[OPT_HEADER_BACKUP_FILE] = { "header-backup-file", 0, KIND_STRING, "FILE",
		"the backup that is written or restored" },
	[OPT_RECOVERY_KEY] = { "recovery-key", 0, KIND_FLAG, NULL,
		"add a key for emergencies, and show it once" },
	[OPT_UUID] = { "uuid", 0, KIND_STRING, "UUID", "UUID of the new header" },
	[OPT_LABEL] = { "label", 0, KIND_STRING, "TEXT", "label of the new header" },
	[OPT_KEY] = { "key", 0, KIND_STRING, "URI",
		"the customer's key: file:/PATH or pkcs11:..." },
	[OPT_IDENTITY] = { "identity", 0, KIND_STRING, "SOURCE",
		"its PIN or passphrase: file:/PATH, credential:NAME or keyring:DESC" },
	[OPT_OWNER] = { "owner", 0, KIND_STRING, "TEXT", "whose disks they are" },
	[OPT_WRAPPING] = { "wrapping", 0, KIND_STRING, "NAME",
		"RSA-OAEP-256 or RSA-OAEP (default: the best the key can)" },
	[OPT_AUTO_ROTATE] = { "auto-rotate", 0, KIND_OPTIONAL, "yes|no",
		"follow the newest version of the key" },
	[OPT_LEASE] = { "lease", 0, KIND_STRING, "TIME",
		"disks go away that long after the key did: 90s, 15m, 1h, none" },
	[OPT_ON_LAPSE] = { "on-lapse", 0, KIND_STRING, "error|queue",
		"what I/O does then: fail, or wait" },
	[OPT_KEK_TIMEOUT] = { "kek-timeout", 0, KIND_NUMBER, "SECONDS",
		"give a key operation up after that" },
	[OPT_TO] = { "to", 0, KIND_STRING, "VERSION", "rotate to this version of the key" },
	[OPT_AUTO] = { "auto", 0, KIND_FLAG, NULL, "rotate what has auto-rotate and a newer key" },
	[OPT_DESTROY_OLD] = { "destroy-old", 0, KIND_FLAG, NULL,
		"destroy older versions of the platform's key when all have moved" },
	[OPT_ALL] = { "all", 0, KIND_FLAG, NULL, "all open disks" },
	[OPT_DUE] = { "due", 0, KIND_FLAG, NULL, "only what a third of the lease has passed for" },
	[OPT_NOW] = { "now", 0, KIND_FLAG, NULL, "at once, not at the end of the lease" },
	[OPT_PARALLEL] = { "parallel", 0, KIND_NUMBER, "N", "disks at a time (default: CPUs)" },
	[OPT_JSON] = { "json", 0, KIND_FLAG, NULL, "print JSON" },
	[OPT_OUTPUT] = { "output", 0, KIND_STRING, "FILE",
		"write to FILE, which is replaced in one step" },
	[OPT_MKFS] = { "mkfs", 0, KIND_STRING, "TYPE", "make a file system on the temporary disk" },
	[OPT_MKSWAP] = { "mkswap", 0, KIND_FLAG, NULL, "make the temporary disk swap space" },
	[OPT_IMAGE] = { "image", 0, KIND_STRING, "FILE",
		"copy this image or device to the temporary disk" },
	[OPT_WITH_SNAPSHOTS] = { "with-snapshots", 0, KIND_FLAG, NULL,
		"also the registered disks of the same UUID" },
	[OPT_ADD_OUTER] = { "add-outer", 0, KIND_FLAG, NULL,
		"give a disk with one layer a second one around it" },
	[OPT_REDUCE_DEVICE_SIZE] = { "reduce-device-size", 0, KIND_SIZE, "SIZE",
		"the last SIZE bytes are free: room for a header (4M at least)" },
	[OPT_RESUME_ONLY] = { "resume-only", 0, KIND_FLAG, NULL,
		"go on with what was interrupted, begin nothing" },
	[OPT_PROGRESS_FREQUENCY] = { "progress-frequency", 0, KIND_NUMBER, "SECONDS",
		"a line of progress each so many seconds" },
	[OPT_CACHE] = { "cache", 0, KIND_STRING, "DEVICE[,MODE]",
		"a cache below: writethrough (default), writeback or writecache" },
};

_Static_assert(NR_OPTS <= 8 * sizeof(opt_set), "an opt_set has a bit for each option");

#define GENERAL_OPTS	(OPT_BIT(OPT_HELP) | OPT_BIT(OPT_VERSION) | OPT_BIT(OPT_VERBOSE) |	\
			 OPT_BIT(OPT_DEBUG) | OPT_BIT(OPT_BATCH_MODE) | OPT_BIT(OPT_TEST_ARGS))

/* getopt_long() returns this for an option without a short name. */
#define LONG_ONLY	256

static bool parse_size(const char *text, uint64_t *bytes)
{
	static const struct {
		const char *unit;
		uint64_t factor;
	} units[] = {
		{ "", 1 },		{ "s", 512 },		{ "S", 512 },
		{ "k", 1ULL << 10 },	{ "K", 1ULL << 10 },	{ "KiB", 1ULL << 10 },
		{ "m", 1ULL << 20 },	{ "M", 1ULL << 20 },	{ "MiB", 1ULL << 20 },
		{ "g", 1ULL << 30 },	{ "G", 1ULL << 30 },	{ "GiB", 1ULL << 30 },
		{ "t", 1ULL << 40 },	{ "T", 1ULL << 40 },	{ "TiB", 1ULL << 40 },
		{ "KB", 1000 },		{ "MB", 1000000 },
		{ "GB", 1000000000 },	{ "TB", 1000000000000 },
	};
	const char *unit;
	uint64_t n;
	size_t i;

	if (!number_prefix(text, &unit, &n))
		return false;
	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (!strcmp(unit, units[i].unit))
			return !__builtin_mul_overflow(n, units[i].factor, bytes);
	return false;
}

static int has_arg(enum opt_kind kind)
{
	switch (kind) {
	case KIND_FLAG:
		return no_argument;
	case KIND_OPTIONAL:
		return optional_argument;
	default:
		return required_argument;
	}
}

static int set_option(struct options *o, enum opt_id id, const char *arg)
{
	if (opts[id].kind != KIND_FLAG && opt_given(o, id))
		return diag_fail(-1, "Option --%s is given twice.", opts[id].name);
	o->given |= OPT_BIT(id);

	switch (opts[id].kind) {
	case KIND_FLAG:
		return 0;
	case KIND_OPTIONAL:
	case KIND_STRING:
		if (arg && !*arg)
			return diag_fail(-1, "Option --%s has an empty argument.", opts[id].name);
		o->str[id] = arg;
		return 0;
	case KIND_NUMBER:
		if (!number_parse(arg, UINT64_MAX, &o->num[id]))
			return diag_fail(-1, "Argument '%s' of option --%s is not a number (%s).",
					 arg, opts[id].name, opts[id].arg);
		return 0;
	case KIND_SIZE:
		if (!parse_size(arg, &o->num[id]))
			return diag_fail(-1,
				"Argument '%s' of option --%s is not a size: a number of bytes,\n"
				"or with a unit: K, M, G, T (powers of 1024), KB, MB, GB, TB, s (512 bytes).",
				arg, opts[id].name);
		return 0;
	}
	return -1;
}

static enum opt_id by_short_name(int c)
{
	enum opt_id id;

	for (id = 0; id < NR_OPTS; id++)
		if (opts[id].short_name == c)
			return id;
	return NR_OPTS;
}

int options_parse(struct options *o, int argc, char **argv)
{
	struct option longopts[NR_OPTS + 1] = { 0 };
	char shortopts[2 * NR_OPTS + 2];
	char *p = shortopts;
	int c, index;
	enum opt_id id;

	*p++ = ':';	/* a missing argument is told apart */
	for (id = 0; id < NR_OPTS; id++) {
		int arg = has_arg(opts[id].kind);

		longopts[id] = (struct option){ opts[id].name, arg, NULL, LONG_ONLY + (int)id };
		if (!opts[id].short_name)
			continue;
		*p++ = opts[id].short_name;
		if (arg == required_argument)
			*p++ = ':';
	}
	*p = '\0';

	memset(o, 0, sizeof(*o));
	opterr = 0;
	for (;;) {
		index = -1;
		optopt = 0;
		c = getopt_long(argc, argv, shortopts, longopts, &index);
		if (c == -1)
			return optind;
		/* -? is an option here, and also what getopt returns for a wrong one. */
		if (c == ':') {
			diag_error("Option %s needs an argument.\n"
				   "'ssesetup --help' lists the options.", argv[optind - 1]);
			return -1;
		}
		if (c == '?' && optopt != 0) {
			if (optopt >= LONG_ONLY)
				diag_error("Option --%s takes no argument.",
					   opts[optopt - LONG_ONLY].name);
			else
				diag_error("-%c: unknown option.\n"
					   "'ssesetup --help' lists the options.", optopt);
			return -1;
		}
		if (c == '?' && index == -1 && strncmp(argv[optind - 1], "--", 2) == 0) {
			diag_error("%s: unknown or ambiguous option.\n"
				   "'ssesetup --help' lists the options.", argv[optind - 1]);
			return -1;
		}
		id = c >= LONG_ONLY ? (enum opt_id)(c - LONG_ONLY) : by_short_name(c);
		if (set_option(o, id, optarg))
			return -1;
	}
}

int options_check(const struct options *o, opt_set allowed, const char *command)
{
	enum opt_id id;

	for (id = 0; id < NR_OPTS; id++) {
		if (!(o->given & ~(allowed | GENERAL_OPTS) & OPT_BIT(id)))
			continue;
		return diag_fail(RC_PARAM, "Option --%s is not for '%s'.", opts[id].name, command);
	}
	return RC_OK;
}

const char *option_name(enum opt_id id)
{
	return opts[id].name;
}

void options_help(void)
{
	char text[64];
	enum opt_id id;

	for (id = 0; id < NR_OPTS; id++) {
		if (opts[id].kind == KIND_FLAG)
			snprintf(text, sizeof(text), "--%s", opts[id].name);
		else if (opts[id].kind == KIND_OPTIONAL)
			snprintf(text, sizeof(text), "--%s[=%s]", opts[id].name, opts[id].arg);
		else
			snprintf(text, sizeof(text), "--%s=%s", opts[id].name, opts[id].arg);
		if (opts[id].short_name)
			printf("  -%c, %-30s %s\n", opts[id].short_name, text, opts[id].help);
		else
			printf("      %-30s %s\n", text, opts[id].help);
	}
}
