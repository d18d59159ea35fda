// SPDX-License-Identifier: GPL-2.0-only
/*
 * Table text to parameters and back.
 *
 * The grammar is dm-crypt's:
 *
 *	<cipher> <key> <iv_offset> <device> <start> [<#opts> <opt>...]
 *
 * except that <key> is a reference into the kernel keyring and nothing else.
 * Nothing here quotes the key argument: somebody may have put a key there.
 */
#include <linux/ctype.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "compat.h"
#include "table.h"

#define CAPI_PREFIX	"capi:"
#define MANDATORY_ARGS	5

/*
 * The options of the table line: their words, and the bits of
 * dmsse_params.flags that they set. The one option with a value, sector_size,
 * is spelled "<name>:<value>" and has no bit. Parsing, emitting and IMA all
 * loop over this table, in its order.
 */
static const struct option {
	const char *name;
	unsigned long flag;
} options[] = {
	{ "allow_discards",		DMSSE_ALLOW_DISCARDS },
	{ "same_cpu_crypt",		DMSSE_SAME_CPU_CRYPT },
	{ "submit_from_crypt_cpus",	DMSSE_SUBMIT_FROM_CRYPT_CPUS },
	{ "no_read_workqueue",		DMSSE_NO_READ_WORKQUEUE },
	{ "no_write_workqueue",		DMSSE_NO_WRITE_WORKQUEUE },
	{ "high_priority",		DMSSE_HIGH_PRIORITY },
	{ "sector_size",		0 },
	{ "iv_large_sectors",		DMSSE_IV_LARGE_SECTORS },
};

static const char * const key_types[] = {
	[DMSSE_KEY_LOGON]	= "logon",
	[DMSSE_KEY_USER]	= "user",
	[DMSSE_KEY_ENCRYPTED]	= "encrypted",
	[DMSSE_KEY_TRUSTED]	= "trusted",
};

static const struct iv_name {
	const char *name;
	enum dmsse_iv_scheme scheme;
} iv_names[] = {
	{ "plain",	DMSSE_IV_PLAIN },
	{ "plain64",	DMSSE_IV_PLAIN64 },
	{ "plain64be",	DMSSE_IV_PLAIN64BE },
	{ "essiv",	DMSSE_IV_ESSIV },
};

/**
 * dmsse_err - say why something is refused
 * @err: where to say it; a longer text is cut
 * @fmt: printf format of one line without its newline
 *
 * Context: any.
 */
void dmsse_err(struct dmsse_error *err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, args);
	va_end(args);
}

/**
 * dmsse_layer_name - name of a layer as messages and status use it
 * @index: position of the layer, the innermost being 0
 *
 * Return: a string that lives as long as the module.
 */
const char *dmsse_layer_name(unsigned int index)
{
	static const char * const names[] = { "inner" };

	return names[index];
}

/* kstrtoull() would take a sign and a newline; a table line has neither. */
static bool parse_u64(const char *text, size_t len, u64 *value)
{
	u64 v = 0;
	size_t i;

	for (i = 0; i < len; i++) {
		unsigned int digit = text[i] - '0';

		if (digit > 9 || v > (U64_MAX - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	*value = v;
	return len > 0;
}

static int set_iv(struct dmsse_cipher *cipher, const char *name, size_t len,
		  const char *opts, struct dmsse_error *err)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(iv_names); i++) {
		if (strlen(iv_names[i].name) != len ||
		    strncmp(name, iv_names[i].name, len))
			continue;
		cipher->iv = iv_names[i].scheme;
		if (cipher->iv == DMSSE_IV_ESSIV && (!opts || !*opts)) {
			dmsse_err(err, "IV 'essiv' needs a hash, as in 'essiv:sha256'");
			return -EINVAL;
		}
		if (cipher->iv != DMSSE_IV_ESSIV && opts) {
			dmsse_err(err, "IV '%s' takes no argument; only 'essiv:<hash>' does",
				  iv_names[i].name);
			return -EINVAL;
		}
		return 0;
	}

	dmsse_err(err, "unknown IV '%.*s': use plain, plain64, plain64be or essiv:<hash>",
		  (int)min_t(size_t, len, 32), name);
	return -EINVAL;
}

static int set_alg(struct dmsse_cipher *cipher, struct dmsse_error *err,
		   const char *fmt, ...) __printf(3, 4);

static int set_alg(struct dmsse_cipher *cipher, struct dmsse_error *err,
		   const char *fmt, ...)
{
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(cipher->alg, sizeof(cipher->alg), fmt, args);
	va_end(args);

	if (len < 0 || len >= (int)sizeof(cipher->alg)) {
		dmsse_err(err, "the cipher's crypto API name is longer than %zu characters",
			  sizeof(cipher->alg) - 1);
		return -EINVAL;
	}
	return 0;
}

/* <api name>-<iv>[:<ivopts>], where the name itself may contain '-'. */
static int parse_capi(struct dmsse_cipher *cipher, const char *spec,
		      struct dmsse_error *err)
{
	const char *opts = strrchr(spec, ':');
	const char *end = opts ? opts : spec + strlen(spec);
	const char *dash = end;
	int alg_len, r;

	while (dash > spec && *dash != '-')
		dash--;
	if (dash == spec) {
		dmsse_err(err,
			  "cipher needs an IV: 'capi:<algorithm>-<iv>', as in 'capi:xts(aes)-plain64'");
		return -EINVAL;
	}

	r = set_iv(cipher, dash + 1, end - dash - 1, opts ? opts + 1 : NULL, err);
	if (r)
		return r;

	alg_len = dash - spec;
	if (cipher->iv == DMSSE_IV_ESSIV)
		return set_alg(cipher, err, "essiv(%.*s,%s)", alg_len, spec, opts + 1);
	return set_alg(cipher, err, "%.*s", alg_len, spec);
}

/* <cipher>[-<mode>-<iv>[:<ivopts>]], where "<cipher>" alone is cbc-plain. */
static int parse_legacy(struct dmsse_cipher *cipher, const char *spec,
			struct dmsse_error *err)
{
	const char *mode, *iv, *opts = NULL;
	int cipher_len, mode_len, iv_len, r;

	cipher_len = strcspn(spec, "-");
	mode = spec + cipher_len;
	if (*mode)
		mode++;
	mode_len = strcspn(mode, "-");
	iv = mode + mode_len;
	if (*iv)
		iv++;

	if (!cipher_len) {
		dmsse_err(err,
			  "cipher is empty: use '<cipher>-<mode>-<iv>', as in 'aes-xts-plain64'");
		return -EINVAL;
	}
	if (strchr(spec, '(')) {
		dmsse_err(err,
			  "a crypto API name needs the prefix 'capi:', as in 'capi:xts(aes)-plain64'");
		return -EINVAL;
	}
	if (memchr(spec, ':', cipher_len)) {
		dmsse_err(err,
			  "more than one key per cipher is not supported: use '<cipher>-<mode>-<iv>'");
		return -EINVAL;
	}

	/* The oldest spelling of all: "aes" and "aes-plain". */
	if (!spec[cipher_len] || !strcmp(mode, "plain")) {
		cipher->iv = DMSSE_IV_PLAIN;
		return set_alg(cipher, err, "cbc(%.*s)", cipher_len, spec);
	}
	if (!mode_len) {
		dmsse_err(err,
			  "cipher has no mode: use '<cipher>-<mode>-<iv>', as in 'aes-xts-plain64'");
		return -EINVAL;
	}

	if (!*iv) {
		if (!strcmp(mode, "ecb"))
			return set_alg(cipher, err, "ecb(%.*s)", cipher_len, spec);
		dmsse_err(err, "cipher needs an IV: use plain, plain64, plain64be or essiv:<hash>");
		return -EINVAL;
	}
	iv_len = strcspn(iv, ":");
	if (iv[iv_len])
		opts = iv + iv_len + 1;
	r = set_iv(cipher, iv, iv_len, opts, err);
	if (r)
		return r;

	if (cipher->iv == DMSSE_IV_ESSIV)
		return set_alg(cipher, err, "essiv(%.*s(%.*s),%s)",
			       mode_len, mode, cipher_len, spec, opts);
	return set_alg(cipher, err, "%.*s(%.*s)", mode_len, mode, cipher_len, spec);
}

/**
 * dmsse_cipher_parse - parse a cipher specification in either spelling
 * @cipher: result
 * @spec: "aes-xts-plain64" or "capi:xts(aes)-plain64"
 * @err: why it was refused
 *
 * Whether the kernel has such a cipher is not known here.
 *
 * Context: any. Return: 0, or -EINVAL with @err set.
 */
int dmsse_cipher_parse(struct dmsse_cipher *cipher, const char *spec,
		       struct dmsse_error *err)
{
	size_t prefix = strlen(CAPI_PREFIX);

	cipher->iv = DMSSE_IV_NONE;
	if (!strncmp(spec, CAPI_PREFIX, prefix))
		return parse_capi(cipher, spec + prefix, err);
	return parse_legacy(cipher, spec, err);
}

static int parse_key_type(struct dmsse_key_ref *ref, const char *name, size_t len,
			  struct dmsse_error *err)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(key_types); i++) {
		if (strlen(key_types[i]) == len && !strncmp(name, key_types[i], len)) {
			ref->type = i;
			return 0;
		}
	}
	dmsse_err(err, "unknown key type: use logon, user, encrypted or trusted");
	return -EINVAL;
}

/**
 * dmsse_key_ref_parse - parse ":<size>:<type>:<description>"
 * @ref: result; its description points into @text
 * @text: the argument; wiped if it is no reference, since it may be a key
 * @err: why it was refused
 *
 * Context: any. Return: 0, or -EINVAL with @err set.
 */
int dmsse_key_ref_parse(struct dmsse_key_ref *ref, char *text,
			struct dmsse_error *err)
{
	char *size, *type, *p;
	u64 value;
	int r;

	if (!strcmp(text, "-")) {
		ref->size = 0;
		ref->type = DMSSE_KEY_LOGON;
		ref->description = "";
		return 0;
	}
	if (text[0] != ':') {
		memzero_explicit(text, strlen(text));
		dmsse_err(err,
			  "key must be a keyring reference ':<bytes>:<type>:<description>', a key itself is not taken");
		return -EINVAL;
	}

	for (p = text; *p; p++) {
		if (isspace(*p)) {
			dmsse_err(err, "key reference contains white space; rename the key");
			return -EINVAL;
		}
	}

	size = text + 1;
	type = strchr(size, ':');
	p = type ? strchr(type + 1, ':') : NULL;
	if (!p) {
		dmsse_err(err, "key reference is incomplete: use ':<bytes>:<type>:<description>'");
		return -EINVAL;
	}
	if (!parse_u64(size, type - size, &value) || !value || value > DMSSE_MAX_KEY_SIZE) {
		dmsse_err(err, "size in the key reference must be a number of bytes from 1 to %u",
			  DMSSE_MAX_KEY_SIZE);
		return -EINVAL;
	}
	r = parse_key_type(ref, type + 1, p - type - 1, err);
	if (r)
		return r;
	if (!p[1]) {
		dmsse_err(err,
			  "key reference has no description: use ':<bytes>:<type>:<description>'");
		return -EINVAL;
	}

	ref->size = value;
	ref->description = p + 1;
	return 0;
}

static int parse_sector_size(struct dmsse_params *params, const char *text,
			     struct dmsse_error *err)
{
	u64 size;

	if (!parse_u64(text, strlen(text), &size) ||
	    size < DMSSE_MIN_SECTOR_SIZE || size > DMSSE_MAX_SECTOR_SIZE ||
	    (size & (size - 1))) {
		dmsse_err(err, "sector_size must be 512, 1024, 2048 or 4096");
		return -EINVAL;
	}
	params->sector_size = size;
	return 0;
}

static int parse_option(struct dmsse_params *params, const char *word,
			unsigned long *seen, struct dmsse_error *err)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(options); i++) {
		size_t len = strlen(options[i].name);
		const char *value = word + len;

		if (strncasecmp(word, options[i].name, len) ||
		    *value != (options[i].flag ? '\0' : ':'))
			continue;
		if (*seen & BIT(i)) {
			dmsse_err(err, "option '%s' is given twice", options[i].name);
			return -EINVAL;
		}
		*seen |= BIT(i);

		if (!options[i].flag)
			return parse_sector_size(params, value + 1, err);
		if (options[i].flag == DMSSE_HIGH_PRIORITY && !DMSSE_HAVE_HIGH_PRIORITY) {
			dmsse_err(err, "option 'high_priority' needs Linux 6.10 or newer");
			return -EOPNOTSUPP;
		}
		params->flags |= options[i].flag;
		return 0;
	}

	if (!strncasecmp(word, "integrity", strlen("integrity"))) {
		dmsse_err(err, "integrity is not supported: use dm-integrity below, or dm-crypt");
		return -EOPNOTSUPP;
	}
	dmsse_err(err, "unknown option '%.48s'", word);
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

	if (!parse_u64(argv[0], strlen(argv[0]), &count)) {
		dmsse_err(err, "number of options expected after <start>, not '%.48s'", argv[0]);
		return -EINVAL;
	}
	if (count != argc - 1) {
		dmsse_err(err, "option count is %llu but %u options follow",
			  (unsigned long long)count, argc - 1);
		return -EINVAL;
	}
	for (i = 1; i < argc; i++) {
		r = parse_option(params, argv[i], &seen, err);
		if (r)
			return r;
	}
	return 0;
}

/**
 * dmsse_table_parse - parse the arguments of a table line
 * @params: result; its strings point into @argv
 * @argc: number of arguments
 * @argv: the arguments, those after "sse"
 * @err: why they were refused
 *
 * A key argument that is no reference is wiped in @argv.
 *
 * Context: any.
 * Return: 0, -EINVAL for a line that is wrong, or -EOPNOTSUPP for one that
 * asks for what this target or kernel does not do; @err is set with either.
 */
int dmsse_table_parse(struct dmsse_params *params, unsigned int argc,
		      char **argv, struct dmsse_error *err)
{
	struct dmsse_layer_params *layer = &params->layer[0];
	int r;

	memset(params, 0, sizeof(*params));
	params->nr_layers = 1;
	params->sector_size = DMSSE_MIN_SECTOR_SIZE;

	/* First of all, so that no other mistake leaves a key in memory. */
	if (argc > 1) {
		r = dmsse_key_ref_parse(&layer->key, argv[1], err);
		if (r)
			return r;
	}
	if (argc < MANDATORY_ARGS) {
		dmsse_err(err,
			  "%u arguments where at least %u are needed: <cipher> <key> <iv_offset> <device> <start>",
				argc, MANDATORY_ARGS);
		return -EINVAL;
	}

	layer->spec = argv[0];
	r = dmsse_cipher_parse(&layer->cipher, argv[0], err);
	if (r)
		return r;

	if (!parse_u64(argv[2], strlen(argv[2]), &layer->iv_offset)) {
		dmsse_err(err, "iv_offset must be a number of 512-byte sectors, not '%.48s'",
			  argv[2]);
		return -EINVAL;
	}
	params->device = argv[3];
	if (!parse_u64(argv[4], strlen(argv[4]), &params->start)) {
		dmsse_err(err, "start must be a number of 512-byte sectors, not '%.48s'", argv[4]);
		return -EINVAL;
	}

	r = parse_options(params, argc - MANDATORY_ARGS, argv + MANDATORY_ARGS, err);
	if (r)
		return r;

	if (layer->iv_offset & (params->sector_size / DMSSE_MIN_SECTOR_SIZE - 1)) {
		dmsse_err(err,
			  "iv_offset %llu must be a multiple of %u, the 512-byte sectors in sector_size:%u",
				(unsigned long long)layer->iv_offset,
				params->sector_size / DMSSE_MIN_SECTOR_SIZE, params->sector_size);
		return -EINVAL;
	}
	if ((params->flags & DMSSE_IV_LARGE_SECTORS) &&
	    params->sector_size == DMSSE_MIN_SECTOR_SIZE) {
		dmsse_err(err, "iv_large_sectors needs sector_size:1024, 2048 or 4096");
		return -EINVAL;
	}
	return 0;
}

/**
 * dmsse_key_ref_emit - write a key reference as a table line has it
 * @ref: the reference
 * @buf: where to; always terminated if @size is not zero
 * @size: room in @buf, in bytes
 *
 * Context: any. Return: characters written, without the terminating zero.
 */
size_t dmsse_key_ref_emit(const struct dmsse_key_ref *ref, char *buf, size_t size)
{
	if (!ref->size)
		return scnprintf(buf, size, "-");
	return scnprintf(buf, size, ":%u:%s:%s", ref->size, key_types[ref->type],
			 ref->description);
}

static bool option_given(const struct dmsse_params *params, const struct option *opt)
{
	if (opt->flag)
		return params->flags & opt->flag;
	return params->sector_size != DMSSE_MIN_SECTOR_SIZE;
}

/**
 * dmsse_table_emit - write a table line's arguments
 * @params: parameters; the line that is written parses to the same ones
 * @buf: where to; always terminated if @size is not zero
 * @size: room in @buf, in bytes
 *
 * Context: any. Return: characters written, without the terminating zero.
 */
size_t dmsse_table_emit(const struct dmsse_params *params, char *buf, size_t size)
{
	const struct dmsse_layer_params *layer = &params->layer[0];
	unsigned int count = 0;
	size_t i, n;

	n = scnprintf(buf, size, "%s ", layer->spec);
	n += dmsse_key_ref_emit(&layer->key, buf + n, size - n);
	n += scnprintf(buf + n, size - n, " %llu %s %llu",
		       (unsigned long long)layer->iv_offset, params->device,
		       (unsigned long long)params->start);

	for (i = 0; i < ARRAY_SIZE(options); i++)
		count += option_given(params, &options[i]);
	if (!count)
		return n;

	n += scnprintf(buf + n, size - n, " %u", count);
	for (i = 0; i < ARRAY_SIZE(options); i++) {
		if (!option_given(params, &options[i]))
			continue;
		n += scnprintf(buf + n, size - n, " %s", options[i].name);
		if (!options[i].flag)
			n += scnprintf(buf + n, size - n, ":%u", params->sector_size);
	}
	return n;
}

/**
 * dmsse_table_emit_ima - write what IMA shall measure of a table line
 * @params: parameters
 * @buf: where to; always terminated if @size is not zero
 * @size: room in @buf, in bytes
 *
 * The key's size is measured, its reference is not: which name a key has on a
 * host says nothing about the disk.
 *
 * Context: any. Return: characters written, without the terminating zero.
 */
size_t dmsse_table_emit_ima(const struct dmsse_params *params, char *buf, size_t size)
{
	size_t i, n = 0;

	for (i = 0; i < params->nr_layers; i++) {
		const struct dmsse_layer_params *layer = &params->layer[i];
		const char *name = dmsse_layer_name(i);

		n += scnprintf(buf + n, size - n, ",%s_cipher=%s,%s_key_size=%u,%s_iv_offset=%llu",
			       name, layer->spec, name, layer->key.size, name,
			       (unsigned long long)layer->iv_offset);
	}
	n += scnprintf(buf + n, size - n, ",device=%s,start=%llu", params->device,
		       (unsigned long long)params->start);

	for (i = 0; i < ARRAY_SIZE(options); i++) {
		if (options[i].flag)
			n += scnprintf(buf + n, size - n, ",%s=%c", options[i].name,
				       option_given(params, &options[i]) ? 'y' : 'n');
		else
			n += scnprintf(buf + n, size - n, ",%s=%u", options[i].name,
				       params->sector_size);
	}
	return n;
}
