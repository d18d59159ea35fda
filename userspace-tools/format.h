/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef FORMAT_H
#define FORMAT_H

#include "disk.h"
#include "pairs.h"

/* A new disk: headers, volume keys, and a keyslot of its set in each. */

struct format_params {
	const char *device;
	const char *header;		/* detached, or NULL */
	struct des_keys *dk;
	const struct cipher_pair *pair;	/* of two layers, or NULL */
	unsigned int sector_size;	/* bytes; 0: 4096 */
	const char *uuid;		/* or NULL */
	const char *label;		/* or NULL */
	bool recovery_key;
	/* A note that is in the outermost header before anything can open the disk; or NULL. */
	const char *note_type, *note;
	/* Where the data begin if the header is detached, in 512-byte sectors. */
	uint64_t data_offset;
};

/*
 * The pair of ciphers that a set and --double ask for; NULL for one layer.
 * Refuses what does not fit the set's type. @name: --double's, or NULL.
 */
int format_pair(const struct des *des, bool wanted, const char *name,
		const struct cipher_pair **pair, struct reason *why);

/*
 * One header of *@d, whose number of layers and set are known: its volume key, a
 * keyslot of its set, and a recovery key if that is asked for. Destroys what is
 * at @header, or where that is NULL at the begin of @device.
 */
int format_layer(const struct format_params *p, struct disk *d, unsigned int index,
		 const char *device, const char *header, struct secmem **recovery,
		 struct reason *why);

/* Is there room for the headers and some data? Says what is wrong. */
int format_check_size(const struct format_params *p, struct reason *why);

/*
 * Destroys what is on the device. *@made is the new disk, unlocked, for the
 * caller to disk_close(); recovery[i], if asked for, are the recovery keys of
 * its layers, the caller's too.
 */
int format_disk(const struct format_params *p, struct disk *made,
		struct secmem *recovery[SSE_LAYERS_MAX], struct reason *why);

#endif
