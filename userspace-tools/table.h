/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TABLE_H
#define TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The target's language: cipher specs, key references, table and status
 * lines. Pure text: knows neither the kernel nor a library.
 */

#define SECTOR_SIZE	512
#define SECTOR_SHIFT	9

/* No cipher takes more. */
#define KEY_BYTES_MAX	256
/* The kernel's limit, with the final NUL. */
#define KEY_DESC_MAX	4096
#define KEY_TYPE_MAX	16

/* A key's name; never its bytes. */
struct keyref {
	unsigned int bytes;		/* 0: not known yet */
	char type[KEY_TYPE_MAX];
	char desc[KEY_DESC_MAX];
};

/* One pass of encryption. */
struct sse_layer {
	char *cipher;
	struct keyref key;		/* no type: no key, table shows "-" */
	uint64_t iv_offset;		/* in sectors of 512 bytes */
};

/* The first layer is the inner one. */
#define SSE_LAYERS_MAX	2

#define SSE_ALLOW_DISCARDS		0x01u
#define SSE_SAME_CPU_CRYPT		0x02u
#define SSE_SUBMIT_FROM_CRYPT_CPUS	0x04u
#define SSE_NO_READ_WORKQUEUE		0x08u
#define SSE_NO_WRITE_WORKQUEUE		0x10u
#define SSE_HIGH_PRIORITY		0x20u
#define SSE_IV_LARGE_SECTORS		0x40u
#define SSE_ALLOW_SAME_CIPHER		0x80u
#define SSE_KEY_LEASE_ERROR		0x100u
#define SSE_KEY_LEASE_QUEUE		0x200u

struct sse_table {
	struct sse_layer layer[SSE_LAYERS_MAX];
	unsigned int nr_layers;
	char *device;
	uint64_t start;
	unsigned int sector_size;
	unsigned int flags;
	char *others;	/* options this program doesn't know, kept as they are */
};

/* Both return an enum exit_code, and say what is wrong. */
int table_parse(const char *params, struct sse_table *t);
int table_set_cipher(struct sse_table *t, unsigned int layer, const char *cipher);
void table_free(struct sse_table *t);

/* "inner" or "outer", as the target's messages and status have it. */
const char *layer_name(unsigned int layer);

/* The target's parameters, to be freed; NULL: no memory. */
char *table_format(const struct sse_table *t);

/* The words of @flags as in the table, separated by blanks; NULL: no memory. */
char *table_flag_words(const struct sse_table *t);

/*
 * "[TYPE:]DESC", or a whole reference ":BYTES:TYPE:DESC". Without TYPE it is
 * @default_type, or logon. Says what is wrong.
 */
int keyref_parse(const char *text, const char *default_type, struct keyref *key);
char *keyref_format(const struct keyref *key);
bool key_type_known(const char *type);

/* A typing error is told before the kernel is asked. */
int cipher_check(const char *cipher);
bool cipher_takes_no_key(const char *cipher);
int cipher_check_key_size(const char *cipher, unsigned int bytes);

/* The target's INFO status. */
#define INFO_WORDS_MAX	64

struct sse_info {
	char *text;
	const char *state;
	unsigned int nr;
	struct {
		const char *name;
		const char *value;	/* "" for a bare word */
	} word[INFO_WORDS_MAX];
};

int info_parse(const char *params, struct sse_info *info);
/* NULL if there is no such word. */
const char *info_word(const struct sse_info *info, const char *name);
void info_free(struct sse_info *info);

#endif
