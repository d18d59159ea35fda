/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The words of an sse table line and what they mean.
 *
 * This header and the files below are text only: they know neither devices nor
 * keys nor the crypto API, so that the unit tests and the fuzzer can build them in
 * userspace.
 */
#ifndef DMSSE_TABLE_H
#define DMSSE_TABLE_H

#include <linux/bits.h>
#include <linux/compiler.h>
#include <linux/types.h>

/* Layers a table can describe; the first is the innermost. */
#define DMSSE_MAX_LAYERS	2

/* Longest key a reference may name, in bytes; XTS takes 64. */
#define DMSSE_MAX_KEY_SIZE	256

/* Room for a crypto API name with its terminating zero. */
#define DMSSE_ALG_NAME_SIZE	128

/* Sizes of an encryption sector, in bytes. */
#define DMSSE_MIN_SECTOR_SIZE	512
#define DMSSE_MAX_SECTOR_SIZE	4096

/* Words that a second layer takes: the option's name, and those of a layer. */
#define DMSSE_LAYER_WORDS	4

/**
 * enum dmsse_iv_scheme - how a sector number becomes an IV
 * @DMSSE_IV_NONE: the cipher takes no IV
 * @DMSSE_IV_PLAIN: low 32 bits of the sector number, little endian
 * @DMSSE_IV_PLAIN64: the sector number, little endian
 * @DMSSE_IV_PLAIN64BE: the sector number, big endian, at the end of the IV
 * @DMSSE_IV_ESSIV: as plain64; the essiv() template then encrypts it
 */
enum dmsse_iv_scheme {
	DMSSE_IV_NONE,
	DMSSE_IV_PLAIN,
	DMSSE_IV_PLAIN64,
	DMSSE_IV_PLAIN64BE,
	DMSSE_IV_ESSIV,
};

/* Kernel keyring types a key reference may name. */
enum dmsse_key_type {
	DMSSE_KEY_LOGON,
	DMSSE_KEY_USER,
	DMSSE_KEY_ENCRYPTED,
	DMSSE_KEY_TRUSTED,
};

/* struct dmsse_params.flags; each is an option of the table line. */
#define DMSSE_ALLOW_DISCARDS		BIT(0)
#define DMSSE_SAME_CPU_CRYPT		BIT(1)
#define DMSSE_SUBMIT_FROM_CRYPT_CPUS	BIT(2)
#define DMSSE_NO_READ_WORKQUEUE		BIT(3)
#define DMSSE_NO_WRITE_WORKQUEUE	BIT(4)
#define DMSSE_HIGH_PRIORITY		BIT(5)
#define DMSSE_IV_LARGE_SECTORS		BIT(6)
#define DMSSE_ALLOW_SAME_CIPHER		BIT(7)

/**
 * enum dmsse_lease_mode - what becomes of I/O when a key is not valid any more
 * @DMSSE_LEASE_NONE: it goes on; keys are looked at once, when they are set
 * @DMSSE_LEASE_ERROR: it fails
 * @DMSSE_LEASE_QUEUE: it waits for another key
 */
enum dmsse_lease_mode {
	DMSSE_LEASE_NONE,
	DMSSE_LEASE_ERROR,
	DMSSE_LEASE_QUEUE,
};

/**
 * struct dmsse_error - why something was refused, in one line
 * @text: what was wrong and what would be right; never any part of a key.
 *	Preset to "out of memory", which thus needs no saying anywhere else.
 */
struct dmsse_error {
	char text[224];
};

/**
 * struct dmsse_cipher - a parsed cipher specification
 * @alg: name for the crypto API, such as "xts(aes)"
 * @iv: IV scheme
 */
struct dmsse_cipher {
	char alg[DMSSE_ALG_NAME_SIZE];
	enum dmsse_iv_scheme iv;
};

/**
 * struct dmsse_key_ref - where a key is to be found
 * @size: length of the key in bytes; zero for "-", the key of a cipher without
 * @type: type of key
 * @description: the key's description in the keyring; owned by whoever owns
 *	the text that was parsed
 */
struct dmsse_key_ref {
	unsigned int size;
	enum dmsse_key_type type;
	const char *description;
};

/**
 * struct dmsse_layer_params - one layer as the table line describes it
 * @spec: cipher specification as it was spelled
 * @cipher: the same, parsed
 * @key: reference to the key
 * @iv_offset: added to the sector number for the IV, in 512-byte sectors
 */
struct dmsse_layer_params {
	const char *spec;
	struct dmsse_cipher cipher;
	struct dmsse_key_ref key;
	u64 iv_offset;
};

/**
 * struct dmsse_params - a table line, parsed
 * @layer: the layers, innermost first
 * @nr_layers: how many of them there are
 * @device: path or number of the device below
 * @start: first sector of the payload on @device, in 512-byte sectors
 * @sector_size: size of an encryption sector, in bytes
 * @flags: DMSSE_ALLOW_DISCARDS and the like
 * @lease: what the option key_lease says
 *
 * The strings belong to whoever owns the argument vector that was parsed,
 * until the target replaces them by copies of its own.
 */
struct dmsse_params {
	struct dmsse_layer_params layer[DMSSE_MAX_LAYERS];
	unsigned int nr_layers;
	const char *device;
	u64 start;
	unsigned int sector_size;
	unsigned long flags;
	enum dmsse_lease_mode lease;
};

/**
 * struct dmsse_message - a message to a device, parsed
 * @set: set a key; else wipe
 * @first: layer that it is about
 * @nr: how many layers it is about, from @first on; 1 if @set
 * @ref: which key, if @set; its description is a part of the arguments
 */
struct dmsse_message {
	bool set;
	unsigned int first;
	unsigned int nr;
	struct dmsse_key_ref ref;
};

/* words.c: numbers, names of layers, refusals */

void dmsse_err(struct dmsse_error *err, const char *fmt, ...) __printf(2, 3);
void dmsse_err_layer(struct dmsse_error *err, unsigned int nr_layers, unsigned int index);
const char *dmsse_layer_name(unsigned int index);
bool dmsse_parse_u64(const char *text, size_t len, u64 *value);

/* spec.c: cipher specifications */

int dmsse_cipher_parse(struct dmsse_cipher *cipher, const char *spec,
		       struct dmsse_error *err);

/* keyref.c: key references */

int dmsse_key_ref_parse(struct dmsse_key_ref *ref, char *text,
			struct dmsse_error *err);
size_t dmsse_key_ref_emit(const struct dmsse_key_ref *ref, char *buf, size_t size);

/* options.c: the options of a table line */

int dmsse_options_parse(struct dmsse_params *params, unsigned int argc,
			char **argv, struct dmsse_error *err);
size_t dmsse_options_emit(const struct dmsse_params *params, char *buf, size_t size);
size_t dmsse_options_emit_ima(const struct dmsse_params *params, char *buf, size_t size);
const char *dmsse_lease_mode_name(enum dmsse_lease_mode mode);

/* table.c: a table line */

int dmsse_layer_parse(struct dmsse_params *params, unsigned int index, char **words,
		      struct dmsse_error *err);
size_t dmsse_layer_emit(const struct dmsse_layer_params *layer, char *buf, size_t size);
int dmsse_table_parse(struct dmsse_params *params, unsigned int argc,
		      char **argv, struct dmsse_error *err);
size_t dmsse_table_emit(const struct dmsse_params *params, char *buf, size_t size);
size_t dmsse_table_emit_ima(const struct dmsse_params *params, char *buf, size_t size);

/* message.c: a message */

int dmsse_message_parse(struct dmsse_message *message, unsigned int nr_layers,
			unsigned int argc, char **argv, struct dmsse_error *err);

#endif
