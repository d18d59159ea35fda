/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TABLE_H
#define TABLE_H

#include <stdint.h>

#include "keyref.h"

/*
 * The target's table lines. Pure text: knows neither the kernel nor a library.
 */

#define SECTOR_SIZE	512
#define SECTOR_SHIFT	9

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

#endif
