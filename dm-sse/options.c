// SPDX-License-Identifier: GPL-2.0-only
/*
 * The options of a table line: the one table of them, and all that is done with
 * it. Parsing, emitting and IMA each loop over it.
 *
 * A second layer is an option of four words, and the lease one of two:
 *
 *	outer <cipher> <key> <iv_offset>
 *	key_lease <error|queue>
 *
 * Nothing here quotes a word that may be a key.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "compat.h"
#include "table.h"

/* What an option looks like, and what it sets. */
enum option_kind {
	FLAG,		/* "<name>"; a bit of dmsse_params.flags */
	SECTOR_SIZE,	/* "<name>:<value>" */
	LEASE,		/* "<name> <mode>" */
	LAYER,		/* "<name> <cipher> <key> <iv_offset>" */
};

/* Words of a LEASE. */
#define LEASE_WORDS	2

/*
 * The options of the table line. Parsing, emitting and IMA all loop over this
 * table, in its order.
 */
static const struct option {
	const char *name;
	enum option_kind kind;
	unsigned long flag;
} options[] = {
	{ "allow_discards",		FLAG, DMSSE_ALLOW_DISCARDS },
	{ "same_cpu_crypt",		FLAG, DMSSE_SAME_CPU_CRYPT },
	{ "submit_from_crypt_cpus",	FLAG, DMSSE_SUBMIT_FROM_CRYPT_CPUS },
	{ "no_read_workqueue",		FLAG, DMSSE_NO_READ_WORKQUEUE },
	{ "no_write_workqueue",		FLAG, DMSSE_NO_WRITE_WORKQUEUE },
	{ "high_priority",		FLAG, DMSSE_HIGH_PRIORITY },
	{ "allow_same_cipher",		FLAG, DMSSE_ALLOW_SAME_CIPHER },
	{ "sector_size",		SECTOR_SIZE },
	{ "iv_large_sectors",		FLAG, DMSSE_IV_LARGE_SECTORS },
	{ "key_lease",			LEASE },
	{ "outer",			LAYER },
};

/* Second words of key_lease; IMA has the first for a line without it. */
static const char * const lease_modes[] = {
	[DMSSE_LEASE_NONE]	= "n",
	[DMSSE_LEASE_ERROR]	= "error",
	[DMSSE_LEASE_QUEUE]	= "queue",
};

/**
 * dmsse_lease_mode_name - a lease's mode as table and status spell it
 * @mode: the mode
 *
 * Return: a string that lives as long as the module.
 */
const char *dmsse_lease_mode_name(enum dmsse_lease_mode mode)
{
	return lease_modes[mode];
}

static int check_iv_offset(const struct dmsse_params *params, unsigned int index,
			   struct dmsse_error *err)
{
	u64 iv_offset = params->layer[index].iv_offset;
	unsigned int unit = params->sector_size / DMSSE_MIN_SECTOR_SIZE;

	if (!(iv_offset & (unit - 1)))
		return 0;
	dmsse_err(err,
		  "iv_offset %llu must be a multiple of %u, the 512-byte sectors in sector_size:%u",
			(unsigned long long)iv_offset, unit, params->sector_size);
	dmsse_err_layer(err, params->nr_layers, index);
	return -EINVAL;
}

static int parse_sector_size(struct dmsse_params *params, const char *text,
			     struct dmsse_error *err)
{
	u64 size;

	if (!dmsse_parse_u64(text, strlen(text), &size) ||
	    size < DMSSE_MIN_SECTOR_SIZE || size > DMSSE_MAX_SECTOR_SIZE ||
	    (size & (size - 1))) {
		dmsse_err(err, "sector_size must be 512, 1024, 2048 or 4096");
		return -EINVAL;
	}
	params->sector_size = size;
	return 0;
}

static int parse_lease(struct dmsse_params *params, unsigned int left, char **words,
		       struct dmsse_error *err)
{
	enum dmsse_lease_mode mode;

	if (left < LEASE_WORDS) {
		dmsse_err(err, "option 'key_lease' has two words: key_lease <error|queue>");
		return -EINVAL;
	}
	for (mode = DMSSE_LEASE_ERROR; mode <= DMSSE_LEASE_QUEUE; mode++) {
		if (strcasecmp(words[1], lease_modes[mode]))
			continue;
		params->lease = mode;
		return 0;
	}
	dmsse_err(err, "key_lease must be error or queue, not '%.48s'", words[1]);
	return -EINVAL;
}

static int set_flag(struct dmsse_params *params, const struct option *opt,
		    struct dmsse_error *err)
{
	if (opt->flag == DMSSE_HIGH_PRIORITY && !DMSSE_HAVE_HIGH_PRIORITY) {
		dmsse_err(err, "option 'high_priority' needs Linux 6.10 or newer");
		return -EOPNOTSUPP;
	}
	params->flags |= opt->flag;
	return 0;
}

/* Is @word this option? If it has a value, that goes to @value. */
static bool option_matches(const struct option *opt, const char *word, const char **value)
{
	size_t len = strlen(opt->name);

	*value = word + len + 1;
	return !strncasecmp(word, opt->name, len) &&
	       word[len] == (opt->kind == SECTOR_SIZE ? ':' : '\0');
}

/* The option at @words, of which @left are left; returns how many it took. */
static int parse_option(struct dmsse_params *params, unsigned int left, char **words,
			unsigned long *seen, struct dmsse_error *err)
{
	const char *value;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(options); i++) {
		const struct option *opt = &options[i];

		if (!option_matches(opt, words[0], &value))
			continue;
		if (*seen & BIT(i)) {
			dmsse_err(err, "option '%s' is given twice", opt->name);
			return -EINVAL;
		}
		*seen |= BIT(i);

		switch (opt->kind) {
		case FLAG:
			return set_flag(params, opt, err) ?: 1;
		case SECTOR_SIZE:
			return parse_sector_size(params, value, err) ?: 1;
		case LEASE:
			return parse_lease(params, left, words, err) ?: LEASE_WORDS;
		case LAYER:
			if (left < DMSSE_LAYER_WORDS) {
				dmsse_err(err,
					  "option '%s' has four words: %s <cipher> <key> <iv_offset>",
						opt->name, opt->name);
				return -EINVAL;
			}
			return dmsse_layer_parse(params, 1, words + 1, err) ?: DMSSE_LAYER_WORDS;
		}
	}

	if (!strncasecmp(words[0], "integrity", strlen("integrity"))) {
		dmsse_err(err, "integrity is not supported: use dm-integrity below, or dm-crypt");
		return -EOPNOTSUPP;
	}
	dmsse_err(err, "unknown option '%.48s'", words[0]);
	return -EINVAL;
}

static int parse_options(struct dmsse_params *params, unsigned int argc,
			 char **argv, struct dmsse_error *err)
{
	unsigned long seen = 0;
	unsigned int i;
	u64 count;
	int r;

	if (!argc)
		return 0;

	if (!dmsse_parse_u64(argv[0], strlen(argv[0]), &count)) {
		dmsse_err(err, "number of options expected after <start>, not '%.48s'", argv[0]);
		return -EINVAL;
	}
	if (count != argc - 1) {
		dmsse_err(err, "option count is %llu but %u options follow",
			  (unsigned long long)count, argc - 1);
		return -EINVAL;
	}
	for (i = 1; i < argc; i += r) {
		r = parse_option(params, argc - i, argv + i, &seen, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int check_lease(const struct dmsse_params *params, struct dmsse_error *err)
{
	unsigned int i;

	if (params->lease == DMSSE_LEASE_NONE)
		return 0;
	for (i = 0; i < params->nr_layers; i++) {
		if (params->layer[i].key.size)
			continue;
		dmsse_err(err, "key_lease needs a key that can end: a keyring reference, not '-'");
		dmsse_err_layer(err, params->nr_layers, i);
		return -EINVAL;
	}
	return 0;
}

/* What the options mean for each other, whatever their order was. */
static int check_options(const struct dmsse_params *params, struct dmsse_error *err)
{
	unsigned int i;
	int r;

	for (i = 0; i < params->nr_layers; i++) {
		r = check_iv_offset(params, i, err);
		if (r)
			return r;
	}
	if ((params->flags & DMSSE_IV_LARGE_SECTORS) &&
	    params->sector_size == DMSSE_MIN_SECTOR_SIZE) {
		dmsse_err(err, "iv_large_sectors needs sector_size:1024, 2048 or 4096");
		return -EINVAL;
	}
	if ((params->flags & DMSSE_ALLOW_SAME_CIPHER) && params->nr_layers < 2) {
		dmsse_err(err,
			  "allow_same_cipher needs a second layer: outer <cipher> <key> <iv_offset>");
		return -EINVAL;
	}
	return check_lease(params, err);
}

/**
 * dmsse_options_parse - parse the options of a table line
 * @params: where they go; the first layer, the device and the start are set
 * @argc: number of words
 * @argv: the words: none, or "<#opts> <opt>..."
 * @err: why they were refused
 *
 * Context: any. Return: as dmsse_table_parse().
 */
int dmsse_options_parse(struct dmsse_params *params, unsigned int argc,
			char **argv, struct dmsse_error *err)
{
	int r = parse_options(params, argc, argv, err);

	if (r)
		return r;
	return check_options(params, err);
}

/* How many words an option takes; none if it is not needed. */
static unsigned int option_words(const struct dmsse_params *params, const struct option *opt)
{
	switch (opt->kind) {
	case FLAG:
		return params->flags & opt->flag ? 1 : 0;
	case SECTOR_SIZE:
		return params->sector_size != DMSSE_MIN_SECTOR_SIZE;
	case LEASE:
		return params->lease != DMSSE_LEASE_NONE ? LEASE_WORDS : 0;
	case LAYER:
		return params->nr_layers > 1 ? DMSSE_LAYER_WORDS : 0;
	}
	return 0;
}

/**
 * dmsse_options_emit - write the options as they end a table line
 * @params: parameters
 * @buf: where to; always terminated if @size is not zero, but untouched if no
 *	option is needed
 * @size: room in @buf, in bytes
 *
 * Context: any. Return: characters written, without the terminating zero.
 */
size_t dmsse_options_emit(const struct dmsse_params *params, char *buf, size_t size)
{
	unsigned int count = 0;
	size_t i, n;

	for (i = 0; i < ARRAY_SIZE(options); i++)
		count += option_words(params, &options[i]);
	if (!count)
		return 0;

	n = scnprintf(buf, size, " %u", count);
	for (i = 0; i < ARRAY_SIZE(options); i++) {
		if (!option_words(params, &options[i]))
			continue;
		n += scnprintf(buf + n, size - n, " %s", options[i].name);
		switch (options[i].kind) {
		case FLAG:
			break;
		case SECTOR_SIZE:
			n += scnprintf(buf + n, size - n, ":%u", params->sector_size);
			break;
		case LEASE:
			n += scnprintf(buf + n, size - n, " %s", lease_modes[params->lease]);
			break;
		case LAYER:
			n += scnprintf(buf + n, size - n, " ");
			n += dmsse_layer_emit(&params->layer[1], buf + n, size - n);
			break;
		}
	}
	return n;
}

/**
 * dmsse_options_emit_ima - write what IMA shall measure of the options
 * @params: parameters
 * @buf: where to; always terminated if @size is not zero
 * @size: room in @buf, in bytes
 *
 * Context: any. Return: characters written, without the terminating zero.
 */
size_t dmsse_options_emit_ima(const struct dmsse_params *params, char *buf, size_t size)
{
	size_t i, n = 0;

	for (i = 0; i < ARRAY_SIZE(options); i++) {
		switch (options[i].kind) {
		case FLAG:
			n += scnprintf(buf + n, size - n, ",%s=%c", options[i].name,
				       params->flags & options[i].flag ? 'y' : 'n');
			break;
		case SECTOR_SIZE:
			n += scnprintf(buf + n, size - n, ",%s=%u", options[i].name,
				       params->sector_size);
			break;
		case LEASE:
			n += scnprintf(buf + n, size - n, ",%s=%s", options[i].name,
				       lease_modes[params->lease]);
			break;
		case LAYER:
			/* Among the layers above. */
			break;
		}
	}
	return n;
}
