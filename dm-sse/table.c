// SPDX-License-Identifier: GPL-2.0-only
/*
 * Table text to parameters and back.
 *
 * The grammar is dm-crypt's:
 *
 *	<cipher> <key> <iv_offset> <device> <start> [<#opts> <opt>...]
 *
 * except that <key> is a reference into the kernel keyring and nothing else,
 * that a second layer is an option of four words, and the lease one of two:
 *
 *	outer <cipher> <key> <iv_offset>
 *	key_lease <error|queue>
 *
 * Nothing here quotes the key argument, or a word that may be a key: somebody may
 * have put one there.
 */
#include <linux/ctype.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "compat.h"
#include "table.h"

#define CAPI_PREFIX	"capi:"
#define MANDATORY_ARGS	5

/* Names of the layers, innermost first; the outer one's is its option's too. */
static const char * const layer_names[DMSSE_MAX_LAYERS] = { "inner", "outer" };

/* What an option looks like, and what it sets. */
enum option_kind {
	FLAG,		/* "<name>"; a bit of dmsse_params.flags */
	SECTOR_SIZE,	/* "<name>:<value>" */
	LEASE,		/* "<name> <mode>" */
	LAYER,		/* "<name> <cipher> <key> <iv_offset>" */
};

/* Words of a LEASE and of a LAYER. */
#define LEASE_WORDS	2
#define LAYER_WORDS	4

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
 * @err: where to say it; a longer text is cut, and control characters, which
 *	words of a table line may have behind a backslash, become question marks
 * @fmt: printf format of one line without its newline
 *
 * Context: any.
 */
void dmsse_err(struct dmsse_error *err, const char *fmt, ...)
{
	va_list args;
	char *c;

	va_start(args, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, args);
	va_end(args);
	for (c = err->text; *c; c++)
		if (iscntrl(*c))
			*c = '?';
}

/**
 * dmsse_layer_name - name of a layer as messages and status use it
 * @index: position of the layer, the innermost being 0
 *
 * Return: a string that lives as long as the module.
 */
const char *dmsse_layer_name(unsigned int index)
{
	return layer_names[index];
}

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

/**
 * dmsse_err_layer - say which layer an error is about
 * @err: the error; "<name> layer: " is put in front of its text
 * @nr_layers: layers there are; with one, nothing needs saying
 * @index: position of the layer
 *
 * Context: any.
 */
void dmsse_err_layer(struct dmsse_error *err, unsigned int nr_layers, unsigned int index)
{
	size_t room = sizeof(err->text), len;
	char head[16];

	if (nr_layers < 2)
		return;
	len = scnprintf(head, sizeof(head), "%s layer: ", dmsse_layer_name(index));
	memmove(err->text + len, err->text, room - len);
	memcpy(err->text, head, len);
	err->text[room - 1] = '\0';
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

	/* Device-mapper would read another line than status has written. */
	for (p = text; *p; p++) {
		if (isspace(*p) || *p == '\\') {
			dmsse_err(err,
				  "key reference contains white space or a backslash; rename the key");
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

static int parse_layer_key(struct dmsse_params *params, unsigned int index, char *text,
			   struct dmsse_error *err)
{
	int r = dmsse_key_ref_parse(&params->layer[index].key, text, err);

	if (r)
		dmsse_err_layer(err, params->nr_layers, index);
	return r;
}

static bool is_layer_option(const char *word)
{
	return !strcasecmp(word, dmsse_layer_name(1));
}

/* AES-128's key in hexadecimal, the shortest that there is; no other word is like it. */
#define SHORTEST_HEX_KEY	32

static bool is_hex_key(const char *word)
{
	size_t digits = 0;

	while (isxdigit(word[digits]))
		digits++;
	return digits >= SHORTEST_HEX_KEY && !word[digits];
}

/*
 * The keys of all layers. This comes first of all and goes through to the end,
 * so that no mistake elsewhere in a line leaves a key in memory, or has it quoted:
 * where words are missing or too many, a key is where nobody looks for one.
 */
static int parse_keys(struct dmsse_params *params, unsigned int argc, char **argv,
		      struct dmsse_error *err)
{
	int outer = 0, inner = 0, other = 0;
	unsigned int i;

	for (i = MANDATORY_ARGS; i < argc; i++) {
		if (!is_layer_option(argv[i]))
			continue;
		params->nr_layers = 2;
		if (i + 2 < argc && parse_layer_key(params, 1, argv[i + 2], err))
			outer = -EINVAL;
		i += LAYER_WORDS - 1;
	}
	if (argc > 1)
		inner = parse_layer_key(params, 0, argv[1], err);
	for (i = 0; i < argc; i++) {
		if (!is_hex_key(argv[i]))
			continue;
		memzero_explicit(argv[i], strlen(argv[i]));
		if (!inner && !outer)
			dmsse_err(err,
				  "word %u looks like a key: a key is a keyring reference ':<bytes>:<type>:<description>', and follows its cipher",
				  i + 1);
		other = -EINVAL;
	}
	return inner ?: outer ?: other;
}

/* "<cipher> <key> <iv_offset>", of which parse_keys() has seen the key. */
static int parse_layer(struct dmsse_params *params, unsigned int index, char **words,
		       struct dmsse_error *err)
{
	struct dmsse_layer_params *layer = &params->layer[index];
	int r = dmsse_cipher_parse(&layer->cipher, words[0], err);

	layer->spec = words[0];
	if (!r && !parse_u64(words[2], strlen(words[2]), &layer->iv_offset)) {
		dmsse_err(err, "iv_offset must be a number of 512-byte sectors, not '%.48s'",
			  words[2]);
		r = -EINVAL;
	}
	if (r)
		dmsse_err_layer(err, params->nr_layers, index);
	return r;
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

	if (!parse_u64(text, strlen(text), &size) ||
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
			if (left < LAYER_WORDS) {
				dmsse_err(err,
					  "option '%s' has four words: %s <cipher> <key> <iv_offset>",
						opt->name, opt->name);
				return -EINVAL;
			}
			return parse_layer(params, 1, words + 1, err) ?: LAYER_WORDS;
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

	if (!parse_u64(argv[0], strlen(argv[0]), &count)) {
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
 * dmsse_table_parse - parse the arguments of a table line
 * @params: result; its strings point into @argv
 * @argc: number of arguments
 * @argv: the arguments, those after "sse"
 * @err: why they were refused
 *
 * A key argument that is no reference is wiped in @argv, and so is each word that
 * looks like a key in hexadecimal.
 *
 * Context: any.
 * Return: 0, -EINVAL for a line that is wrong, or -EOPNOTSUPP for one that
 * asks for what this target or kernel does not do; @err is set with either.
 */
int dmsse_table_parse(struct dmsse_params *params, unsigned int argc,
		      char **argv, struct dmsse_error *err)
{
	int r;

	memset(params, 0, sizeof(*params));
	params->nr_layers = 1;
	params->sector_size = DMSSE_MIN_SECTOR_SIZE;

	r = parse_keys(params, argc, argv, err);
	if (r)
		return r;
	if (argc < MANDATORY_ARGS) {
		dmsse_err(err,
			  "%u arguments where at least %u are needed: <cipher> <key> <iv_offset> <device> <start>",
				argc, MANDATORY_ARGS);
		return -EINVAL;
	}
	r = parse_layer(params, 0, argv, err);
	if (r)
		return r;
	params->device = argv[3];
	if (!parse_u64(argv[4], strlen(argv[4]), &params->start)) {
		dmsse_err(err, "start must be a number of 512-byte sectors, not '%.48s'", argv[4]);
		return -EINVAL;
	}

	r = parse_options(params, argc - MANDATORY_ARGS, argv + MANDATORY_ARGS, err);
	if (r)
		return r;
	return check_options(params, err);
}

static int parse_layer_name(struct dmsse_message *message, unsigned int nr_layers,
			    char *word, struct dmsse_error *err)
{
	unsigned int i;

	for (i = 0; i < DMSSE_MAX_LAYERS; i++)
		if (!strcasecmp(word, dmsse_layer_name(i)))
			break;
	if (i == DMSSE_MAX_LAYERS) {
		/* Who knows what it is: a key in the wrong place, perhaps. */
		memzero_explicit(word, strlen(word));
		dmsse_err(err, "unknown layer: use inner or outer");
		return -EINVAL;
	}
	if (i >= nr_layers) {
		dmsse_err(err, "this device has no %s layer: its only one is inner",
			  dmsse_layer_name(i));
		return -EINVAL;
	}
	message->first = i;
	message->nr = 1;
	return 0;
}

/**
 * dmsse_message_parse - parse a message
 * @message: result; its strings point into @argv
 * @nr_layers: layers that the device has
 * @argc: number of words
 * @argv: the words: "key set [<layer>] <reference>" or "key wipe [<layer>]"
 * @err: why it was refused
 *
 * A key argument that is no reference is wiped in @argv, and so are all words of
 * a message that is not known.
 *
 * Context: any. Return: 0, or -EINVAL with @err set.
 */
int dmsse_message_parse(struct dmsse_message *message, unsigned int nr_layers,
			unsigned int argc, char **argv, struct dmsse_error *err)
{
	unsigned int words; /* without a layer */
	unsigned int i;
	int r = 0, layer = 0;

	memset(message, 0, sizeof(*message));
	message->nr = nr_layers;
	message->set = argc > 1 && !strcasecmp(argv[1], "set");
	words = message->set ? 3 : 2;

	if (argc < words || argc > words + 1 || strcasecmp(argv[0], "key") ||
	    (!message->set && strcasecmp(argv[1], "wipe"))) {
		/* Any of the words may be a key, at a place of its own. */
		for (i = 0; i < argc; i++)
			memzero_explicit(argv[i], strlen(argv[i]));
		dmsse_err(err,
			  "unknown message: use 'key set [<layer>] <reference>' or 'key wipe [<layer>]'");
		return -EINVAL;
	}
	/* Before all else: this wipes an argument that is a key. */
	if (message->set)
		r = dmsse_key_ref_parse(&message->ref, argv[argc - 1], err);
	if (argc > words)
		layer = parse_layer_name(message, nr_layers, argv[2], err);
	if (r || layer)
		return -EINVAL;
	if (message->set && message->nr > 1) {
		dmsse_err(err,
			  "which layer? Use 'key set inner <reference>' or 'key set outer <reference>'");
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

/* A layer as it stands in a line, in three words. */
static size_t emit_layer(const struct dmsse_layer_params *layer, char *buf, size_t size)
{
	size_t n = scnprintf(buf, size, "%s ", layer->spec);

	n += dmsse_key_ref_emit(&layer->key, buf + n, size - n);
	return n + scnprintf(buf + n, size - n, " %llu", (unsigned long long)layer->iv_offset);
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
		return params->nr_layers > 1 ? LAYER_WORDS : 0;
	}
	return 0;
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
	unsigned int count = 0;
	size_t i, n;

	n = emit_layer(&params->layer[0], buf, size);
	n += scnprintf(buf + n, size - n, " %s %llu", params->device,
		       (unsigned long long)params->start);

	for (i = 0; i < ARRAY_SIZE(options); i++)
		count += option_words(params, &options[i]);
	if (!count)
		return n;

	n += scnprintf(buf + n, size - n, " %u", count);
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
			n += emit_layer(&params->layer[1], buf + n, size - n);
			break;
		}
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
